"""`vcam panel`: see yourself, click another background."""

from __future__ import annotations

import click

from vcam.errors import VcamError


@click.command()
@click.option("--no-open", is_flag=True, help="Open no browser; the link is printed.")
@click.option("--print", "print_only", is_flag=True, help="Print the link alone, for scripts; open no browser.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Where to listen; any free port by default.")
@click.option("--no-start", is_flag=True, help="Start no vcam if none runs.")
@click.option("--until-closed", is_flag=True, help="End when the last page has been closed, as from the menu.")
@click.option("--install", is_flag=True, help="Only put the panel into the menu of your desktop.")
@click.option("--uninstall", is_flag=True, help="Only take it out again.")
@click.option("--name", default="control", metavar="NAME", help="Which daemon, if it was given a name.")
def panel(
    no_open: bool, print_only: bool, port: int, no_start: bool, until_closed: bool, install: bool, uninstall: bool,
    name: str,
) -> None:  # fmt: skip
    """Show the panel in the browser: what others see, backgrounds, looks and every setting.

    It speaks to the vcam that runs, and starts one if there is none. Closing it ends nothing. It listens on this
    machine alone, and only the link that is printed opens it. The camera is on while the page can be seen.
    """
    if install or uninstall:
        _menu(install)
        return
    from vcam.control.client import ControlClient
    from vcam.web import talk
    from vcam.web.server import Address, check_packages, listen, serve, show

    # before a vcam is started that nothing would show
    check_packages()
    sock = listen(port)
    try:
        with ControlClient(name) as vcam:
            vcam.call("version")
    except VcamError:
        if not no_start:
            try:
                talk.start(name)
            except VcamError as error:
                # the page says so too, and has a button to try again
                click.echo(f"vcam: {error.message}\n  try: {error.hint}", err=True)

    def ready(address: Address) -> None:
        click.echo(address.link)
        if print_only:
            return
        opened = not no_open and show(address.link)
        said = "Ctrl-C closes the panel; vcam goes on." if opened or no_open else "Open this link in a browser."
        click.echo(said, err=True)

    serve(name, sock, ready, until_closed=until_closed)


def _menu(install: bool) -> None:
    from vcam.web import desktop

    if install:
        click.echo(desktop.install())
        return
    for path in desktop.remove():
        click.echo(path)
