"""Stream keys: what is shown of a URL, where a key may come from, and what other users see of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vcam.camera.factory import make_source
from vcam.errors import UsageError
from vcam.output.encoded.address import parse_address, share_key
from vcam.secrets import is_half_address, read_key, redact, redact_text, show_address, without_address
from vcam.settings import CameraSettings, absolute_text
from vcam.settings.shown import as_meant, without_secrets
from vcam.settings.tree import FIELDS


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtmp://host/LiveApp/key", "rtmp://host/LiveApp/***"),
        ("rtmp://user:pass@host:1935/LiveApp/key?token=t", "rtmp://host:1935/LiveApp/***"),
        ("rtmps://a.rtmp.youtube.com/live2/ab-cd", "rtmps://a.rtmp.youtube.com/live2/***"),
        ("rtmp://host/LiveApp", "rtmp://host/LiveApp"),
        ("rtsp://host/camera/key", "rtsp://host/***"),
        ("rtmp://host/LiveApp?key=1", "rtmp://host/LiveApp?***"),
        ("srt://host:9000?streamid=key&passphrase=p", "srt://host:9000?***"),
        ("a-key-in-the-wrong-place", "***"),
        ("", "***"),
    ],
)
def test_a_url_is_shown_without_its_key(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_messages_lose_urls_and_secrets_wherever_they_stand() -> None:
    text = "[out @ 0x1] cannot open 'rtmp://u:p@host/app/key?x=1': key is wrong, tok123"
    assert redact_text(text, ["key", "tok123"]) == "[out @ 0x1] cannot open 'rtmp://host/app/***': *** is wrong, ***"


def test_settings_for_people_hold_no_key() -> None:
    shown = without_secrets({"stream.rtmp": ("rtmp://h/a/key",), "matte.edge": 1.0})
    assert shown == {"stream.rtmp": ("rtmp://h/a/***",), "matte.edge": 1.0}


KEY = "ab-cd"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://host", "rtsp://host"),
        ("rtsp://host:554/live", "rtsp://host:554"),
        ("rtsp://admin:geheim@host/live", "rtsp://host"),
        (" RTSP://admin:geheim@Host:554/live ", "rtsp://Host:554"),
        ("rtsp://host/user=admin&password=geheim&channel=1", "rtsp://host"),
        ("http://host/videostream.cgi?user=admin&pwd=geheim", "http://host"),
        ("http://host?pwd=geheim", "http://host"),
        ("http://host#geheim", "http://host"),
        ("http://host\\geheim", "http://host"),
        ("https://host/geheim/stream", "https://host"),
        ("rtsp://admin:geheim@[fe80::1%25eth0]:554/x", "rtsp://[fe80::1%25eth0]:554"),
        ("rtsp://[2001:db8::1]/x", "rtsp://[2001:db8::1]"),
        # where the host begins is not sure
        ("rtsp://admin:ge@heim@host/x", "rtsp://host"),
        ("rtsp://admin:ge/heim@host/x", "rtsp://***"),
        ("rtsp://admin:12/heim@host/x", "rtsp://***"),
        ("rtsp://admin:ge#heim@host/x", "rtsp://***"),
        ("rtsp://admin:ge?heim@host/x", "rtsp://***"),
        ("rtsp://admin:geheim/x", "rtsp://***"),
        ("http://host/x?pwd=ge@heim", "http://***"),
        ("rtsp://user=admin&password=geheim", "rtsp://***"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234"),
        ("srt://host:9000?passphrase=geheim", "srt://host:9000"),
        ("rtsp:/admin:geheim@host/x", "rtsp://host"),
        ("rtsp:/host/user=admin&password=geheim", "rtsp://host"),
        ("rtsp:///geheim", "rtsp://***"),
        ("admin:geheim@host/x", "***"),
        ("rtsp://", "rtsp://***"),
        ("file:///home/me/clip.mkv", "file:///home/me/clip.mkv"),
        # no addresses
        ("auto", "auto"),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",) * 2,
        ("Logitech BRIO: 4K", "Logitech BRIO: 4K"),
        ("clips/me@home.mp4", "clips/me@home.mp4"),
        ("", ""),
    ],
)
def test_the_address_of_a_camera_is_shown_as_scheme_and_host(source: str, shown: str) -> None:
    assert show_address(source) == shown


@pytest.mark.parametrize(
    "said",
    [
        "Impossible to open '{}'",
        "Server returned 401 for {}: give another",
        "rtsp://admin:geheim77@host:554/user=admin&password=hunter22: Connection refused",
        "cannot open rtsp://host:554/user=admin&password=hunter22",
        "method DESCRIBE failed for user=admin&password=hunter22",
        "password hunter22 refused for admin",
        "login admin:geheim77",
    ],
)
def test_messages_lose_an_address_however_it_is_written(said: str) -> None:
    address = "RTSP://admin:geheim77@host:554/user=admin&password=hunter22"
    told = without_address(said.format(address), address)
    assert not any(secret in told for secret in ("geheim77", "hunter22", "admin"))
    assert without_address(told, address) == told


def test_a_decoded_password_is_found_too() -> None:
    told = without_address("x: p@ss w/rd and p%40ss%20w%2Frd", "http://me:p%40ss%20w%2Frd@host/")
    assert told == "x: *** and ***"


def test_messages_of_other_cameras_stay_as_they_are() -> None:
    assert without_address("http://host/key of auto", "auto") == "http://host/key of auto"


def test_half_an_address_is_told_from_paths_and_names() -> None:
    for source in ("rtsp:/host/x", "http:/me:pw@host", "admin:geheim@host", "admin:ge/heim@host/x"):
        assert is_half_address(source), source
        # else the error for a file that is not there would show it
        assert absolute_text(FIELDS["camera.source"], source) == source
    for source in ("rtsp://host/x", "auto", "/dev/video0", "C:/x", "HD Webcam: front", "a@b/c.mp4", "./a:b@c"):
        assert not is_half_address(source), source


@pytest.mark.parametrize(
    "source",
    [
        "rtsp//me:geheim@host",
        "rtsp;//me:geheim@host/x",
        "rtsp ://me:geheim@host",
        "h ttp://geheim@host",
        "//me:geheim@host/x",
        "host/user=admin&password=geheim",
        "192.168.1.5:554/x?user=me&pwd=geheim",
        "http:host/video.cgi?token=geheim",
    ],
)
def test_the_password_of_a_mistyped_address_is_not_shown(source: str) -> None:
    assert "geheim" not in show_address(source)
    with pytest.raises(UsageError) as caught:
        make_source(CameraSettings(source=source), (64, 64), 30)
    assert "geheim" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("source", ["/films/a:b@c/user=me.mp4", "~/x:y@z.mp4", "../a:b@c", "films/me@home.mp4"])
def test_the_name_of_a_file_is_shown(source: str) -> None:
    assert show_address(source) == source


def test_a_camera_s_address_among_the_settings_is_hidden_and_may_be_given_back() -> None:
    present = {"camera.source": "rtsp://a:b@host/x", "stream.rtmp": ("rtmp://h/a/key",), "matte.edge": 1.0}
    shown = without_secrets(present)
    assert shown == {"camera.source": "rtsp://host", "stream.rtmp": ("rtmp://h/a/***",), "matte.edge": 1.0}
    assert as_meant(shown, present) == present
    assert as_meant({"stream.rtmp": "rtmp://h/a/***"}, present) == {"stream.rtmp": present["stream.rtmp"]}
    # another host is another camera
    other = {"camera.source": "rtsp://other", "matte.edge": "2", "unknown": 1}
    assert as_meant(other, present) == other
    assert without_secrets({"camera.source": "/dev/video0", "unknown": "x"}) == {
        "camera.source": "/dev/video0",
        "unknown": "x",
    }


@pytest.mark.parametrize(
    ("url", "key", "application", "name"),
    [
        ("rtmp://host/LiveApp/name", "", "LiveApp", "name"),
        ("rtmp://host/LiveApp//name", "", "LiveApp", "name"),
        ("rtmp://host//LiveApp/name", "", "LiveApp", "name"),
        # a token of base64 is no application
        ("rtmp://host/LiveApp/name?token=a/b==", "", "LiveApp", "name?token=a/b=="),
        ("rtmps://host/app/instance/name?token=a/b", "", "app/instance", "name?token=a/b"),
        ("rtmp://host/LiveApp/name#1", "", "LiveApp", "name#1"),
        ("rtmp://host/app/instance/name", "", "app/instance", "name"),
        ("rtmp://host/app/_definst_/a/b", "", "app/_definst_", "a/b"),
        ("rtmp://host/app/mp4:a/name", "", "app", "mp4:a/name"),
        # given apart: of two parts both are the application, as Azure, LinkedIn and Wowza have it
        ("rtmp://host:1935/live/0123abcd", KEY, "live/0123abcd", KEY),
        ("rtmp://host:1935/live/0123abcd/", KEY, "live/0123abcd", KEY),
        ("RTMPS://host:443/a/b", KEY, "a/b", KEY),
        ("rtmp://host/a/b/c/", KEY, "a/b/c", KEY),
        ("rtmp://host/live", "dir/name?t=a/b", "live", "dir/name?t=a/b"),
        ("rtmp://host/live/0123abcd", "dir/name", "live/0123abcd", "dir/name"),
        # the key stands in the URL already, or the URL has a name of its own
        (f"rtmp://host/live/0123abcd/{KEY}", KEY, "live/0123abcd", KEY),
        (f"rtmp://host/live/{KEY}", KEY, "live", KEY),
        (f"rtmp://host/live/{KEY}/", KEY, "live", KEY),
        ("rtmp://host/a/b/name", KEY, "a/b", "name"),
        # what services give
        ("rtmp://a.rtmp.youtube.com/live2", KEY, "live2", KEY),
        ("rtmp://b.rtmp.youtube.com/live2?backup=1", KEY, "live2?backup=1", KEY),
        (f"rtmp://b.rtmp.youtube.com/live2?backup=1/{KEY}", "", "live2?backup=1", KEY),
        ("rtmp://live.twitch.tv/app/", "live_1_a?bandwidthtest=true", "app", "live_1_a?bandwidthtest=true"),
        ("rtmps://live-api-s.facebook.com:443/rtmp/", "FB-1-0-A?s_bl=1&a=Ab/c", "rtmp", "FB-1-0-A?s_bl=1&a=Ab/c"),
        ("rtmps://live.cloudflare.com:443/live/", "0123k4567", "live", "0123k4567"),
        ("rtmps://x.global-contribute.live-video.net:443/app/", "sk_us-west-2_a", "app", "sk_us-west-2_a"),
        ("rtmps://host/live/", " ab-cd\n", "live", KEY),
        ("rtmps://host/live/", "/ab-cd", "live", KEY),
    ],
)
def test_an_rtmp_url_is_split_into_application_and_name(url: str, key: str, application: str, name: str) -> None:
    address = parse_address(url, key)
    assert dict(address.private) == {"rtmp_app": application, "rtmp_playpath": name}
    for secret in (name, name.partition("?")[0]):
        assert secret not in address.shown
        assert secret not in repr(address)
        assert secret not in address.public_url
        assert secret in address.secrets


def test_what_an_application_is_asked_for_is_not_shown() -> None:
    address = parse_address("rtmps://host/app/instance?token=tell-nobody", KEY)
    assert dict(address.private)["rtmp_app"] == "app/instance?token=tell-nobody"
    assert "tell-nobody" not in address.shown + address.public_url + repr(address)
    assert "tell-nobody" in address.secrets


@pytest.mark.parametrize("key", ["rtmp://host/app/key-of-mine", "key of-mine", "key-of-mine\x00"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address("rtmp://host/app", key)
    assert refused.value.hint
    assert "of-mine" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    ("urls", "gets"),
    [
        (["rtmp://h/live2"], [True]),
        (["rtmp://h/live/0123"], [True]),
        # what is complete for sure, or may be, does not get what another surely lacks
        (["rtmp://h/live2", "rtmp://h/LiveApp/me"], [True, False]),
        (["rtmp://h/LiveApp/me", "rtmp://h/live/0123/"], [False, True]),
        (["rtmp://h/live2", "rtmps://h/app/"], [True, True]),
        (["rtmp://h/a/b/c", "rtmp://h/live/0123"], [False, True]),
        (["rtmp://h/a/b/c", "srt://h:1"], [False, False]),
        ([f"rtmp://h/live/{KEY}", "rtmp://h/LiveApp/me"], [False, False]),
    ],
)
def test_a_key_given_apart_is_for_the_urls_that_lack_it(urls: list[str], gets: list[bool]) -> None:
    assert share_key(urls, KEY) == [KEY if get else "" for get in gets]


def test_a_key_that_may_be_for_several_streams_is_for_none() -> None:
    with pytest.raises(UsageError, match="not clear which") as refused:
        share_key(["rtmp://h/live/0123", "rtmp://h/LiveApp/me"], KEY)
    assert "slash" in refused.value.hint
    assert share_key(["rtmp://h/live/0123", "rtmp://h/LiveApp/me"], "") == ["", ""]


def test_srt_keeps_its_secrets_out_of_the_public_url() -> None:
    address = parse_address("srt://h:9000?latency=200&streamid=%23%21::r=key&passphrase=tell-nobody")
    assert address.public_url == "srt://h:9000?latency=200"
    assert dict(address.private) == {"streamid": "#!::r=key", "passphrase": "tell-nobody"}


@pytest.mark.parametrize(
    "url",
    [
        "", "key-of-mine", "http://host/key-of-mine", "rtmp:/host/key-of-mine", "rtmp:///app/key-of-mine",
        "rtmp://host:99999/app/key-of-mine", "rtmp://host:0/app/key-of-mine", "rtmp://host:x/app/key-of-mine",
        "rtmp://host", "rtmp://host/app", "rtmp://host/app/", "rtmp://ho st/app/key-of-mine",
        "srt://host", "udp://host", "rtmp://[::1/app/key-of-mine", "file:///etc/passwd",
        "rtmp://host/app/key-of\x00mine",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_meant_is_refused_in_words_without_the_key(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_address(url)
    assert refused.value.hint
    assert "key-of-mine" not in str(refused.value)


def test_space_around_a_url_is_nobody_s_key() -> None:
    assert parse_address(" rtmp://host/app/key-of-mine\n").url == "rtmp://host/app/key-of-mine"


def test_a_key_file_holds_one_key_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("ab-cd\n")
    path.chmod(0o600)
    assert read_key(path) == "ab-cd"
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others may read"):
        read_key(path)
    path.chmod(0o600)
    for content in (b"", b"two words", b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(UsageError) as refused:
            read_key(path)
        assert "two words" not in str(refused.value)
    with pytest.raises(UsageError, match="cannot be read"):
        read_key(tmp_path / "nowhere")


@pytest.mark.process
def test_a_key_is_taken_off_the_process_title() -> None:
    script = (
        "import sys; from pathlib import Path; from vcam.secrets import hide_arguments; hide_arguments(['secret-key']);"
        "sys.stdout.write(Path('/proc/self/cmdline').read_text()); assert sys.argv[1].endswith('secret-key')"
    )
    url = "rtmp://host/app/secret-key"
    shown = subprocess.run(
        [sys.executable, "-c", script, url, "after"], capture_output=True, text=True, check=True
    ).stdout
    assert "rtmp://host/app/**********\0after" in shown
    assert url not in shown
