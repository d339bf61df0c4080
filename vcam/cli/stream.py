"""`vcam stream` and `vcam record`: the picture to a server or into a file, begun and ended while vcam runs."""

from __future__ import annotations

from typing import Any

import click

from vcam.cli import complete
from vcam.cli.control import _call as call_daemon
from vcam.cli.control import _common as daemon_options
from vcam.cli.control import tell_stuck
from vcam.cli.main import HelpfulGroup
from vcam.printable import json_text, printable


@click.group(cls=HelpfulGroup)
def stream() -> None:
    """Send the picture of the running vcam to a server, or stop that.

    \b
    vcam stream start rtmp://localhost/LiveApp/name
    vcam stream start second=rtmp://localhost/LiveApp/other
    vcam stream stop second
    """


@stream.command("start")
@click.argument("url", metavar="[NAME=]URL")
@daemon_options
def stream_start(url: str, name: str, as_json: bool) -> int:
    """Begin to send to URL: rtmp, rtmps, srt, rtsp or udp.

    A URL that ends with the application is completed with the key that vcam was started with. vcam status shows whether
    the server takes the picture, and by which name vcam stream stop ends it: NAME, or else the server's.
    """
    from vcam.secrets import hide_arguments

    # the key is in it, and a command line is for everybody to see
    hide_arguments([url])
    return _tell(name, as_json, "stream_start", {"url": url})


@stream.command("stop")
@click.argument("which", metavar="[NAME]", required=False, default="", shell_complete=complete.streams)
@daemon_options
def stream_stop(which: str, name: str, as_json: bool) -> int:
    """End the stream NAME, or all streams.

    vcam status shows the names. In place of one, the URL is taken as well.
    """
    if "://" not in which:
        return _tell(name, as_json, "stream_stop", {"name": which} if which else {})
    from vcam.secrets import hide_arguments

    hide_arguments([which])
    return _tell(name, as_json, "stream_stop", {"url": which})


@click.group(cls=HelpfulGroup)
def record() -> None:
    """Record the picture of the running vcam into a file, or stop that.

    \b
    vcam record start talk.mkv
    vcam record start ~/Videos/%Y-%m-%d-%H%M%S.mkv
    vcam record stop
    """


@record.command("start")
@click.argument("file", shell_complete=complete.setting("stream.record"))
@click.option("--overwrite", is_flag=True, help="Overwrite a file that exists.")
@daemon_options
def record_start(file: str, overwrite: bool, name: str, as_json: bool) -> int:
    """Begin to record into FILE: .mkv, .mp4, .mov, or a folder."""
    from vcam.settings import FIELDS, absolute

    path = absolute(FIELDS["stream.record"], file)
    return _tell(name, as_json, "record_start", {"file": path, "overwrite": overwrite})


@record.command("stop")
@daemon_options
def record_stop(name: str, as_json: bool) -> int:
    """Finish the file."""
    return _tell(name, as_json, "record_stop", {})


def _tell(name: str, as_json: bool, method: str, params: dict[str, Any]) -> int:
    answer = call_daemon(name, method, params)
    if as_json:
        click.echo(json_text(answer, indent=2))
    elif "stuck" in answer:
        tell_stuck(answer)
    else:
        done, what = next(iter(answer.items()))
        click.echo(printable(f"{done}: {', '.join(what) if isinstance(what, list) else what}"))
    return 0
