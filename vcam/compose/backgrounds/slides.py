"""A folder of pictures, shown one after the other."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from vcam.compose.backgrounds.static import load_picture
from vcam.compose.base import Plate
from vcam.errors import InputError, UsageError, VcamError
from vcam.fitting import Fit
from vcam.frames import Alpha, Frame
from vcam.images import is_out_of_memory, pictures_in
from vcam.types import Size

_log = logging.getLogger(__name__)


_Stamp: TypeAlias = tuple[int, int]
"""When a file was changed, and its size."""


class SlideShow:
    """The pictures of a folder in the order of their names, over and over, each for `interval` seconds.

    The next picture is loaded by a thread while the present one is shown; if it is late, the present one stays. The
    folder is read anew for each, so pictures may come and go. One that cannot be read is passed over, with one warning.
    """

    needs_alpha = True

    def __init__(self, folder: Path, interval: float, fit: Fit = "cover") -> None:
        self.description = str(folder)
        self._folder, self._interval, self._fit = folder, interval, fit
        self.error: Exception | None = None
        self._refused: dict[str, _Stamp | None] = {}
        self._loader: ThreadPoolExecutor | None = None
        self._next: Future[tuple[str, Frame] | None] | None = None
        self._plate: Plate | None = None
        self._name = ""
        self._due: float | None = None

    def prepare(self, size: Size) -> None:
        if self._plate is not None and self._plate.frame.size == size:
            return
        first = self._load_after("", size)
        if first is None:
            raise InputError(f"there is no picture in {self._folder} that vcam can read", "put JPEG or PNG files there")
        self.close()
        self._loader = ThreadPoolExecutor(1, "slide show")
        self._name, self._due = first[0], None
        self._plate = Plate(first[1], 0)
        self._next = self._loader.submit(self._load_after, self._name, size)

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        return self.without_person(now)

    def without_person(self, now: float) -> Plate:
        plate = self._plate
        assert plate is not None, "prepare comes first"
        if self._due is None:
            self._due = now + self._interval
        if now >= self._due and self._next is not None and self._next.done():
            self._turn(plate, now)
        return plate

    def close(self) -> None:
        if self._loader is not None:
            self._loader.shutdown(wait=False, cancel_futures=True)
        self._loader = self._next = self._plate = None

    def _turn(self, plate: Plate, now: float) -> None:
        assert self._next is not None
        assert self._loader is not None
        assert self._due is not None
        loaded = self._loaded(self._next)
        if loaded is not None:
            self._name, plate.frame = loaded
            plate.version += 1
        # a beat that does not drift, unless whole intervals were missed
        self._due = self._due + self._interval if now < self._due + self._interval else now + self._interval
        self._next = self._loader.submit(self._load_after, self._name, plate.frame.size)

    def _loaded(self, future: Future[tuple[str, Frame] | None]) -> tuple[str, Frame] | None:
        """What the loader has found; whatever it fails of, the present picture stays, and so does the person."""
        try:
            return future.result()
        except Exception as error:
            self._pass_over("", VcamError(f"{self._folder}: {error}"))
            return None

    def _pass_over(self, name: str, error: VcamError, stamp: _Stamp | None = None) -> None:
        """Say once of a picture that it is not shown. stamp: as long as the file has it, it is not tried again."""
        if name not in self._refused:
            # not the error itself, which would keep alive what was loaded when it was raised
            self.error = InputError(error.message, error.hint)
            _log.warning("passed over in the slide show: %s", error)
        self._refused[name] = stamp

    def _load_after(self, name: str, size: Size) -> tuple[str, Frame] | None:
        """The first readable picture after `name`, starting over at the end; None if there is no other one.

        Raises `UsageError` at the first look if the folder cannot be read; later it just finds nothing.
        """
        names = self._names(first_look=not name)
        later = [other for other in names if other > name]
        for candidate in later + [other for other in names if other < name]:
            stamp = _stamp(self._folder / candidate)
            if stamp is not None and self._refused.get(candidate) == stamp:
                # a large one that is damaged would cost its whole decoding at each turn
                continue
            try:
                frame = load_picture(self._folder / candidate, size, self._fit)
            except VcamError as error:
                # there may be more memory the next time
                short = error.__cause__ is not None and is_out_of_memory(error.__cause__)
                self._pass_over(candidate, error, None if short else stamp)
            except Exception as error:
                # memory that is short, a fault of OpenCV's: the next time it may be shown
                self._pass_over(candidate, InputError(f"{self._folder / candidate} cannot be shown: {error}"))
            else:
                self._refused.pop(candidate, None)
                return candidate, frame
        return None

    def _names(self, first_look: bool) -> list[str]:
        try:
            return [path.name for path in pictures_in(self._folder, gifs=True)]
        except OSError as error:
            if first_look:
                raise UsageError(f"{self._folder} cannot be read: {error.strerror}", "check the path") from error
            return []


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
