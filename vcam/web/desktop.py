"""The panel in the menu of every desktop: a .desktop file and an icon in the user's own folders.

https://specifications.freedesktop.org/desktop-entry-spec and icon-theme-spec.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from vcam import folders
from vcam.daemon.unit import program
from vcam.files import replace_file, write_error

ICON = Path(__file__).with_name("page") / "icon.svg"
_OURS = "panel --until-closed"


def places() -> tuple[Path, Path]:
    """Where the .desktop file and the icon are put."""
    data = folders.base("data")
    return data / "applications" / "vcam.desktop", data / "icons/hicolor/scalable/apps/vcam.svg"


def entry(*command: str) -> str:
    """The text of the .desktop file. command: the program with its path, and what it needs to be vcam."""
    return (
        "[Desktop Entry]\nType=Application\nName=vcam\nGenericName=Virtual camera\n"
        "Comment=Your webcam with another background, for every call\n"
        f"Exec={' '.join(map(_quoted, command))} {_OURS}\nIcon=vcam\nTerminal=false\nCategories=AudioVideo;Video;\n"
        "Keywords=camera;webcam;background;blur;video call;\nStartupNotify=true\n"
    )


def _quoted(word: str) -> str:
    # a backslash, a quote, a dollar and a backtick are escaped within quotes, a per cent is doubled, and in the file
    # each backslash once more
    quoted = "".join(f"\\{letter}" if letter in '\\"$`' else letter for letter in word).replace("%", "%%")
    return f'"{quoted}"'.replace("\\", "\\\\")


def install() -> Path:
    """Put both files in their places; returns the .desktop file. Raises `OutputError` if they cannot be written."""
    file, icon = places()
    replace_file(folders.place_to_write(icon), ICON.read_text(encoding="utf-8"))
    replace_file(folders.place_to_write(file), entry(*program()))
    return file


def installed() -> list[Path]:
    """Those of the two files that are there; none if the .desktop file is somebody else's."""
    file, icon = places()
    with suppress(OSError):
        if f" {_OURS}\n" not in file.read_text("utf-8", "replace"):
            return []
    return [path for path in (file, icon) if path.exists()]


def remove() -> list[Path]:
    """Take out those that are there; returns them. Raises `OutputError` if one cannot be removed."""
    gone = installed()
    for path in gone:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(path, error) from error
    return gone
