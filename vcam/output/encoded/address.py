"""Where a stream goes: a URL, checked, and split into what may be seen and what may not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from vcam.errors import UsageError
from vcam.secrets import redact, split_name

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


def share_key(urls: Sequence[str], key: str) -> list[str]:
    """Which of these URLs a key that was given apart completes: the key, or "", for each.

    Those that surely lack their name get it: they end with a slash, or have one part. If there is none, it is for the
    one of two parts, which may be an application of two parts. A key that stands in a URL already is for that one.
    Raises `UsageError` if several may be meant.
    """
    urls = [split_name(url)[1] for url in urls]
    lacking = [_lacks_name(url, key) for url in urls]
    stands_there = any(_ends_with(url.strip(), key) for url in urls)
    wanted = True if stands_there or True in lacking else None
    if key and wanted is None and lacking.count(None) > 1:
        raise UsageError(
            "it is not clear which stream the key is for: each URL may end with a name",
            "put a slash at the end of the URL that the key completes",
        )
    return [key if lacks is wanted else "" for lacks in lacking]


def _lacks_name(url: str, key: str) -> bool | None:
    """Whether an RTMP URL ends with its application; None if it may end with either."""
    scheme, _, rest = url.strip().partition("://")
    if not scheme.lower().startswith("rtmp"):
        return False
    path = _one_slash(rest.partition("/")[2])
    plain, _, query = path.partition("?")
    parts = plain.strip("/").split("/")
    if _ends_with(path, key):
        return False
    if plain.endswith("/") and not query:
        return True
    if len(parts) == 1:
        return None if "/" in query else True
    return None if len(parts) == 2 else False


def _ends_with(path: str, key: str) -> bool:
    bare = key.strip().strip("/")
    return bool(bare) and path.rstrip("/").endswith(f"/{bare}")


def parse_address(url: str, key: str = "") -> Address:
    """Check a URL and complete it with a key that was given apart: `rtmp://host/app` and `key` mean `rtmp://host/app/key`.

    `rtmp://host/app/instance` and `key` mean the name `key` in the application `app/instance`. A URL of more parts has
    its name already, unless a slash at its end says that it has none. So has one that ends with the key.

    The name of a stream before its URL, `main=rtmp://...`, is left out. Raises `UsageError`, whose text never holds the
    key.
    """
    url = split_name(url.strip())[1]
    scheme = url.partition("://")[0].lower()
    if "://" not in url or scheme not in _MUXERS:
        what = (
            f"{scheme}:// is not a kind of server that vcam can send to"
            if "://" in url
            else "this is not the URL of a stream"
        )
        raise UsageError(f"{what}: {redact(url)}", f"use {', '.join(SCHEMES)}, for example {_EXAMPLE}")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise UsageError(f"there is a blank or a control character in {redact(url)}", "write it as %20")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"the host or the port of {redact(url)} is not valid", "ports go from 1 to 65535") from error
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
    # a fragment is no part of RTMP's URLs, so a key may hold the sign
    path = _one_slash(url.partition("://")[2].removeprefix(parts.netloc).lstrip("/"))
    if key and _lacks_name(url, key) is not False:
        application, name = path.rstrip("/"), _checked(key)
    else:
        application, name = _application_and_name(path.rstrip("/") if _ends_with(path, key) else path)
    if not application or not name:
        raise UsageError(
            f"{redact(url)} lacks {'the name of the stream' if application else 'the application'}",
            f"write {_EXAMPLE}, or give the name or key in --rtmp-key-file FILE or VCAM_RTMP_KEY",
        )
    server = f"{scheme}://{parts.netloc}"
    address = f"{server}/{application}/{name}"
    options = (("rtmp_app", application), ("rtmp_playpath", name))
    folder, _, query = application.partition("?")
    name_alone, _, name_query = name.partition("?")
    values = (value for _, value in (*parse_qsl(query), *parse_qsl(name_query)))
    words = (name, name_alone, *name_alone.split("/"), *name.split("/"), *values, *_login(parts))
    return Address(scheme, "flv", redact(address), address, f"{server}/{folder}", options, words)


def _checked(key: str) -> str:
    key = key.strip().lstrip("/")
    if "://" in key:
        raise UsageError("the stream key is a whole URL", "give the URL to --rtmp, and only its end as the key")
    if any(character.isspace() or not character.isprintable() for character in key):
        raise UsageError("there is a blank or a control character in the stream key", "copy the key once more")
    return key


def _one_slash(path: str) -> str:
    """A path whose slashes are single ones, as they are meant; what is behind a question mark is left as it is."""
    plain, mark, query = path.partition("?")
    return re.sub("/{2,}", "/", plain) + mark + query


def _application_and_name(path: str) -> tuple[str, str]:
    """As ffmpeg splits the path of an RTMP URL: of three parts two are the application, if the second has no colon.

    But slashes in the query of a name do not split it.
    """
    plain, mark, query = path.partition("?")
    if "/" not in plain.rstrip("/"):
        first, _, rest = path.rpartition("/") if mark and "/" in query else (plain.rstrip("/") + mark + query, "", "")
        return first, rest
    first, _, rest = plain.partition("/")
    second, slash, name = rest.partition("/")
    if slash and ":" not in second:
        return f"{first}/{second}", name + mark + query if name else ""
    return first, rest + mark + query


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
