"""Which camera a name means, now and after it was pulled: node lists as machines have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vcam.camera import ranking, sources
from vcam.camera.identity import whereabouts
from vcam.camera.ranking import Verdict
from vcam.camera.sources import Search, resolve
from vcam.errors import CameraError
from vcam.v4l2 import discover, loopback, raw
from vcam.v4l2.device import Capabilities
from vcam.v4l2.discover import Node

CAPTURE = raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_STREAMING
ID = "/dev/v4l/by-id/usb-HD_Webcam-video-index0"
SERIAL = "/dev/v4l/by-id/usb-HD_Webcam_5A2B3C60-video-index0"
PORT_1, PORT_2 = (f"/dev/v4l/by-path/pci-0000:00:14.0-usb-0:{port}:1.0-video-index0" for port in (1, 2))


def node(number, card="HD Webcam", bus="usb-1", links=(), place="", serial="", driver="uvcvideo", flags=CAPTURE):
    capabilities = Capabilities(driver, card, bus, flags)
    return Node(Path(f"/dev/video{number}"), number, card, capabilities, 0, tuple(map(Path, links)), place, serial)


@pytest.fixture
def there(monkeypatch):
    """What is plugged in: a list to be changed."""
    found = []
    monkeypatch.setattr(sources, "list_nodes", lambda: sorted(found, key=lambda node: node.index))
    monkeypatch.setattr(ranking, "judge", lambda _: Verdict(ranking.Rank.CAMERA))
    return found


def awaited(search, words="HD Webcam is not there: vcam waits for that one"):
    with pytest.raises(CameraError, match=words) as caught:
        search.find()
    return caught.value


FIRST = node(0, links=[ID, PORT_1], bus="usb-1", place="1-1:1.0#0")
TWIN = node(2, links=[PORT_2], bus="usb-2", place="1-2:1.0#0")
ONE_DEVICE = [node(0, bus="usb-8", links=[ID]), node(1, bus="usb-8")]


@pytest.mark.parametrize("name", ["1", "/dev/video1"])
@pytest.mark.parametrize("places", [("", ""), ("1-8:1.0#0", "1-8:1.2#0")])
def test_of_two_nodes_of_one_device_the_named_one_is_opened_again_and_again(there, name, places):
    there += [replace(node, place=place) for node, place in zip(ONE_DEVICE, places, strict=True)]
    search = Search(name)
    assert [search.find().index for _ in range(3)] == [1, 1, 1]


def test_a_link_of_a_port_means_that_port(there, tmp_path):
    there += ONE_DEVICE
    link = tmp_path / "by-path" / "pci-usb-0:8:1.2-video-index0"
    link.parent.mkdir()
    link.symlink_to("/dev/video1")
    search = Search(str(link))
    assert [search.find().index for _ in range(3)] == [1, 1, 1]
    there[:] = [node(1, "Other", "usb-8")]
    assert search.find().card == "Other", "whatever hangs there"


@pytest.mark.parametrize("name", ["auto", "0", "/dev/video0", "hd web"])
def test_a_twin_without_a_serial_number_never_takes_the_place_of_the_one_that_was_pulled(there, name):
    there += [FIRST, TWIN]
    search = Search(name)
    assert search.find() is FIRST
    # its name goes over to the other one
    there[:] = [replace(TWIN, links=(Path(ID), Path(PORT_2)))]
    error = awaited(search)
    assert "at the port pci-0000:00:14.0-usb-0:1:1.0" in error.message
    assert "/dev/video2 is another HD Webcam: vcam set camera.source=/dev/video2" in error.hint
    there.append(replace(FIRST, path=Path("/dev/video5"), index=5, links=()))
    assert search.find().index == 5, "the same port, before udev has made its links"


@pytest.mark.parametrize("name", ["auto", "/dev/video0"])
def test_a_twin_that_was_never_seen_before_and_comes_under_the_old_number_is_not_it(there, name):
    there.append(FIRST)
    search = Search(name)
    search.find()
    there[:] = [replace(TWIN, path=Path("/dev/video0"), index=0, links=(Path(ID), Path(PORT_2)))]
    awaited(search)


def test_two_that_claim_one_name_are_told_apart_by_their_ports_though_they_have_one_serial_number(there):
    first, twin = (replace(node, serial="200901010001") for node in (FIRST, TWIN))
    there += [first, replace(twin, links=(Path(ID), Path(PORT_2)))]
    search = Search("auto")
    assert search.find() is first
    there.remove(first)
    awaited(search)


@pytest.mark.parametrize("name", ["auto", "0", "/dev/video0", "hd web"])
def test_a_camera_with_a_serial_number_is_followed_to_another_port_and_number(there, name):
    mine, other = replace(FIRST, serial="5A2B3C60"), replace(TWIN, serial="77777777")
    there += [mine, other]
    search = Search(name)
    assert search.find() is mine
    there[:] = [replace(other, path=Path("/dev/video0"), index=0)]
    awaited(search, "serial number 5A2B3C60")
    moved = node(3, bus="usb-4", links=[ID], place="1-4:1.0#0", serial="5A2B3C60")
    there.append(moved)
    assert search.find() is moved


def test_another_one_in_the_same_port_is_told_by_its_serial_number(there):
    there.append(replace(FIRST, serial="5A2B3C60"))
    search = Search("auto")
    search.find()
    there[:] = [replace(FIRST, serial="77777777")]
    awaited(search)


def test_without_sysfs_a_name_with_a_serial_number_tells_the_same(there):
    before = node(0, links=[SERIAL], bus="usb-1")
    there.append(node(4, links=[SERIAL], bus="usb-3"))
    assert resolve("auto", before).index == 4
    there[:] = [node(4, links=[ID], bus="usb-3")]
    awaited(Search("auto", replace(before, links=(Path(ID),))), "at usb-1")


def test_by_the_name_of_its_card_the_only_one_is_followed(there):
    there.append(FIRST)
    search = Search("webcam")
    search.find()
    moved = replace(TWIN, links=(Path(ID), Path(PORT_2)))
    there[:] = [moved]
    assert search.find() is moved


def test_a_link_that_follows_the_device_does_so_unless_two_of_a_kind_were_seen(there, tmp_path):
    link = tmp_path / "by-id" / "usb-HD_Webcam-video-index0"
    link.parent.mkdir()
    link.symlink_to("/dev/video0")
    there.append(FIRST)
    search = Search(str(link))
    assert search.find() is FIRST
    link.unlink()
    link.symlink_to("/dev/video2")
    moved = replace(TWIN, links=(Path(ID),))
    there[:] = [moved]
    assert search.find() is moved
    there.append(FIRST)
    search.find()
    link.unlink()
    link.symlink_to("/dev/video0")
    there.remove(moved)
    awaited(search)


def test_numbers_that_were_exchanged_do_not_exchange_the_cameras(there):
    there += [FIRST, TWIN]
    search = Search("/dev/video0")
    search.find()
    there[:] = [replace(TWIN, path=FIRST.path, index=0), replace(FIRST, path=TWIN.path, index=2)]
    assert search.find().path == TWIN.path
    assert search.node.place == FIRST.place


def test_channels_of_one_card_are_told_apart_by_their_bus_or_not_at_all(there):
    channels = [node(number, bus=f"PCI:{number}", place="0000:05:00.0#0") for number in (0, 1)]
    there += channels
    search = Search("0")
    search.find()
    there[:] = [replace(channels[0], path=Path("/dev/video1"), index=1), replace(channels[1], path=Path("/dev/video2"))]
    assert search.find().bus == "PCI:0"
    there[:] = [node(number, bus="PCI", place="0000:05:00.0#0") for number in (2, 3)]
    awaited(search)


def test_auto_does_not_go_over_to_a_camera_of_another_kind(there):
    there += [node(0, "Logi", "usb-1"), node(2, "Built-in", "usb-8")]
    search = Search("auto")
    assert search.find().card == "Logi"
    del there[0]
    error = awaited(search, "Logi is not there: vcam waits for that one, at usb-1")
    assert error.hint == "plug it in again, or vcam set camera.source=/dev/video2 takes Built-in"
    there.clear()
    assert awaited(search, "Logi is not there").hint == "plug it in again"


def test_vcams_own_virtual_camera_is_never_its_camera(there, monkeypatch):
    own = node(20, "vcam", "platform:20", driver="v4l2 loopback")
    there += [own, node(21, "webcam", "platform:21", driver="v4l2 loopback")]
    monkeypatch.setattr(loopback, "FED", {own.path})
    assert resolve("cam").index == 21
    with pytest.raises(CameraError, match="is vcam's own virtual camera"):
        resolve("20")


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (replace(FIRST, serial="5A"), "serial number 5A"),
        (FIRST, "at the port pci-0000:00:14.0-usb-0:1:1.0"),
        (replace(FIRST, links=()), "at the port 1-1:1.0"),
        (node(0), "at usb-1"),
    ],
)
def test_what_a_camera_is_known_by_is_told_in_words(known, words):
    assert whereabouts(known) == words


def test_place_serial_number_and_links_come_from_sysfs_and_dev(tmp_path, monkeypatch):
    sysfs, dev, usb = tmp_path / "sys", tmp_path / "dev", tmp_path / "devices" / "usb1" / "1-8"
    for name in ("by-id", "by-path"):
        (dev / "v4l" / name).mkdir(parents=True)
        (dev / "v4l" / name / f"{name}-index0").symlink_to("../../video0")
    (dev / "video0").touch()
    (usb / "1-8:1.2").mkdir(parents=True)
    (usb / "serial").write_text("5A2B3C60\n")
    entry = sysfs / "video0"
    entry.mkdir(parents=True)
    (entry / "name").write_text("HD Webcam\n")
    (entry / "index").write_text("1\n")
    (entry / "device").symlink_to(usb / "1-8:1.2")
    virtual = sysfs / "video20"
    virtual.mkdir()
    (virtual / "index").write_text("0\n")
    monkeypatch.setattr(discover, "SYSFS", sysfs)
    monkeypatch.setattr(discover, "DEV", dev)
    first, second = discover.list_nodes()
    assert (first.card, first.place, first.serial) == ("HD Webcam", "1-8:1.2#1", "5A2B3C60")
    assert (first.stable_name.name, first.port_name.name) == ("by-id-index0", "by-path-index0")
    assert (second.place, second.serial) == ("", "")
