"""`python -m vcam` is `vcam`: this is the program's entry."""

from __future__ import annotations

import os
import sys

from vcam import __version__


def main() -> None:
    """Run the command line. What version this is, is said without loading it: twice as fast, and where it is broken."""
    if sys.argv[1:] == ["--version"] and "_VCAM_COMPLETE" not in os.environ and _says_version():
        return
    from vcam.cli.main import main as command_line

    command_line()


def _says_version() -> bool:
    try:
        # past the buffer: what could not be written would be tried again at the end, and fail again
        os.write(sys.stdout.fileno(), f"vcam {__version__}\n".encode())
    except (OSError, AttributeError):
        # closed, or full: the command line knows what to do
        return False
    return True


if __name__ == "__main__":
    main()
