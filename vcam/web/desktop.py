"""The panel in the menu of every desktop: a .desktop file and an icon in the user's own folders.

https://specifications.freedesktop.org/desktop-entry-spec and icon-theme-spec.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from vcam import folders
from vcam.files import replace_file, write_error

ICON = Path(__file__).with_name("page") / "icon.svg"


def places() -> tuple[Path, Path]:
    """Where the .desktop file and the icon are put."""
    data = folders.base("data")
    return data / "applications" / "vcam.desktop", data / "icons/hicolor/scalable/apps/vcam.svg"


def entry(command: str) -> str:
    """The text of the .desktop file. command: the program with its path."""
    # a backslash, a quote, a dollar and a backtick are escaped within quotes, and a per cent doubled
    quoted = "".join(f"\\{letter}" if letter in '\\"$`' else letter for letter in command).replace("%", "%%")
    return (
        "[Desktop Entry]\nType=Application\nName=vcam\nGenericName=Virtual camera\n"
        "Comment=Your webcam with another background, for every call\n"
        f'Exec="{quoted}" panel\nIcon=vcam\nTerminal=false\nCategories=AudioVideo;Video;\n'
        "Keywords=camera;webcam;background;blur;video call;\nStartupNotify=true\n"
    )


def program() -> str:
    """The vcam that runs, by its path."""
    own = Path(sys.argv[0]).absolute()
    return str(own) if own.name == "vcam" else shutil.which("vcam") or str(own)


def install() -> Path:
    """Put both files in their places; returns the .desktop file. Raises `OutputError` if they cannot be written."""
    file, icon = places()
    replace_file(folders.place_to_write(icon), ICON.read_text(encoding="utf-8"))
    replace_file(folders.place_to_write(file), entry(program()))
    return file


def installed() -> list[Path]:
    """Those of both files that are there and are vcam's: another program may have files of these names."""
    file, icon = places()
    try:
        words = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        words = []
    ours = "Name=vcam" in words and any(word.startswith("Exec=") and word.endswith(" panel") for word in words)
    try:
        # that of another version is known by the entry that it belongs to
        drawn = (ours and icon.exists()) or icon.read_bytes() == ICON.read_bytes()
    except OSError:
        drawn = False
    return [path for path, there in ((file, ours), (icon, drawn)) if there]


def remove() -> list[Path]:
    """Take out those that are there; returns them. Raises `OutputError` if one cannot be removed."""
    gone = []
    for path in installed():
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise write_error(path, error) from error
        gone.append(path)
    return gone
