"""Where a stream goes: a URL, checked, and split into what may be seen and what may not."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from vcam.errors import UsageError
from vcam.secrets import redact

_MUXERS = {"rtmp": "flv", "rtmps": "flv", "srt": "mpegts", "rtsp": "rtsp", "udp": "mpegts"}

SCHEMES = tuple(_MUXERS)
"""The kinds of server that vcam sends to."""

_NEEDS_PORT = ("srt", "udp")
_SRT_SECRETS = ("streamid", "passphrase")
_EXAMPLE = "rtmp://host/application/name"


@dataclass(frozen=True, slots=True)
class Address:
    """A checked URL. `shown` is for people; `url` holds the key, as `secrets` do, and is for ffmpeg alone.

    `public_url` with the options of `private` (names and values of ffmpeg's) means the same as `url`.
    """

    scheme: str
    muxer: str
    shown: str
    url: str = field(repr=False)
    public_url: str = field(repr=False)
    private: tuple[tuple[str, str], ...] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


def parse_address(url: str, key: str = "") -> Address:
    """Check a URL and complete it with a key that was given apart: `rtmp://host/app` and `key` mean `rtmp://host/app/key`.

    Raises `UsageError`, whose text never holds the key.
    """
    url = url.strip()
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in _MUXERS:
        what = f"{scheme}:// is nothing that vcam can send to" if "://" in url else "that is no URL of a stream"
        raise UsageError(f"{what}: {redact(url)}", f"use {', '.join(SCHEMES)}, for example {_EXAMPLE}")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise UsageError(f"there is a blank or a control character in {redact(url)}", "write it as %20")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"the host or the port of {redact(url)} will not do", "ports go from 1 to 65535") from error
    if not host:
        raise UsageError(f"{redact(url)} names no host", f"for example {_EXAMPLE}")
    if port == 0 or (port is None and scheme in _NEEDS_PORT):
        raise UsageError(f"{redact(url)} needs a port", f"for example {scheme}://{host}:9000")
    if scheme.startswith("rtmp"):
        return _rtmp(scheme, url, parts, key)
    if scheme == "srt":
        return _srt(url, parts)
    if scheme == "udp" and "pkt_size=" not in parts.query:
        # seven packets of MPEG-TS, the most that fit an Ethernet frame
        url += "&pkt_size=1316" if parts.query else "?pkt_size=1316"
    return Address(scheme, _MUXERS[scheme], redact(url), url, url, (), _login(parts))


def _login(parts: SplitResult) -> tuple[str, ...]:
    return tuple(word for word in (parts.password, parts.username) if word)


def _rtmp(scheme: str, url: str, parts: SplitResult, key: str) -> Address:
    path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    if key and not parts.path.lstrip("/").partition("/")[2]:
        path = f"{path.rstrip('/')}/{key}"
    application, name = _application_and_name(path)
    if not application or not name:
        raise UsageError(
            f"{redact(url)} lacks {'the name of the stream' if application else 'the application'}",
            f"write {_EXAMPLE}, or give the name or key in --rtmp-key-file FILE or VCAM_RTMP_KEY",
        )
    server = f"{scheme}://{parts.netloc}"
    address = f"{server}/{path}"
    options = (("rtmp_app", application), ("rtmp_playpath", name))
    words = (name, *name.split("/"), *(value for _, value in parse_qsl(name.partition("?")[2])), *_login(parts))
    return Address(scheme, "flv", redact(address), address, f"{server}/{application}", options, words)


def _application_and_name(path: str) -> tuple[str, str]:
    """As ffmpeg splits the path of an RTMP URL: of three parts two are the application, if the second has no colon."""
    first, _, rest = path.partition("/")
    second, slash, name = rest.partition("/")
    if slash and ":" not in second:
        return f"{first}/{second}", name
    return first, rest


def _srt(url: str, parts: SplitResult) -> Address:
    secret = {name: value for name, value in _pairs(parts.query) if name in _SRT_SECRETS}
    public = "&".join(f"{name}={value}" for name, value in _pairs(parts.query) if name not in _SRT_SECRETS)
    # ffmpeg decodes the one in a URL and not the other
    private = tuple((name, unquote(value) if name == "streamid" else value) for name, value in secret.items())
    public_url = parts._replace(query=public).geturl()
    secrets = tuple({*secret.values(), *(value for _, value in private)})
    return Address("srt", "mpegts", redact(url), url, public_url, private, secrets)


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)]
