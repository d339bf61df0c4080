"""`vcam doctor` on programs in Flatpak and snap."""

from __future__ import annotations


def test_a_flatpak_that_may_not_open_devices_gets_its_command(world):
    world.programs |= {
        "flatpak list --system --app --columns=application": "us.zoom.Zoom\norg.gimp.GIMP\norg.mozilla.firefox",
        "flatpak info --system --show-permissions us.zoom.Zoom": "[Context]\ndevices=all;\n",
        "flatpak info --system --show-permissions org.mozilla.firefox": "[Context]\ndevices=dri;\n",
    }
    assert world.only()[1] == ("flatpak override --user --device=all org.mozilla.firefox",)


def test_a_users_own_flatpaks_are_asked_for_where_there_are_any(world, monkeypatch):
    # flatpak makes an installation for a user who has none
    monkeypatch.setenv("XDG_DATA_HOME", "/home/mona/.local/share")
    world.programs |= {
        "flatpak list --user --app --columns=application": "us.zoom.Zoom",
        "flatpak info --user --show-permissions us.zoom.Zoom": "[Context]\ndevices=dri;\n",
    }
    assert world.is_well()
    world.write("/home/mona/.local/share/flatpak/repo/config", "")
    assert world.only()[1] == ("flatpak override --user --device=all us.zoom.Zoom",)


def test_a_snap_without_its_camera_gets_its_command(world):
    world.programs |= {
        "snap list": "Name Version\nfirefox 132\ncore22 1",
        "snap connections firefox": "Interface Plug Slot Notes\ncamera firefox:camera - -",
    }
    assert world.only()[1] == ("sudo snap connect firefox:camera",)
    world.programs["snap connections firefox"] = "Interface Plug Slot Notes\ncamera firefox:camera :camera -"
    assert world.is_well()


def test_programs_that_may_open_cameras_are_named(world):
    world.programs |= {
        "flatpak list --system --app --columns=application": "us.zoom.Zoom\norg.gimp.GIMP",
        "flatpak info --system --show-permissions us.zoom.Zoom": "[Context]\ndevices=dri;all;\n",
        "snap list": "Name Version\nfirefox 132",
        "snap connections firefox": "Interface Plug Slot Notes\ncamera\ncamera firefox:camera :camera -",
    }
    assert world.said("Flatpak") == ["us.zoom.Zoom may open video devices"]
    assert world.said("snap") == ["firefox may open cameras"]


def test_of_programs_that_need_no_camera_nothing_is_said(world):
    world.programs |= {
        "flatpak list --system --app --columns=application": "org.gimp.GIMP",
        "snap list": "Name Version\ncore22 1",
    }
    assert world.said("Flatpak") == world.said("snap") == []
