"""When the frames of a film are shown, read from its packets without decoding one."""

from __future__ import annotations

import subprocess
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vcam.media.ffmpeg import MediaInfo, find_ffmpeg, local_input
from vcam.media.rate import exact_rate

_DISCARDED = 4
"""AV_PKT_FLAG_DISCARD: what an edit list leaves out."""

_UNKNOWN = -(1 << 63)
"""AV_NOPTS_VALUE."""

_ROUNDING = Fraction(1, 1600)
"""Seconds that a time may be off the grid of an even film: containers count in milliseconds."""

_SHORT_TAIL = Fraction(1, 4)
_LONG_TAIL = Fraction(3, 2)
"""Frames: a last one that is held for longer than this is not like the others."""


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """Times in seconds, counted from the start of the file, as those of its other tracks.

    count: of packets, which is that of frames but for films with hidden ones. start: of the first frame. end: of the
    last frame's showing. last: how long that one is shown, None if the file does not tell. tick: what times are
    multiples of. mean: frames a second on average, 0 if there is but one. even: frames a second if they come evenly,
    begin with the file and end with a frame like the others; else None. guessed: the file does not tell
    `start`, nor which frame has which of the times.
    """

    count: int
    start: Fraction
    end: Fraction
    last: Fraction | None
    tick: Fraction
    mean: Fraction
    even: Fraction | None
    guessed: bool = False

    def begun(self, seconds: float) -> FrameTimes:
        """The same with the first frame's time, where it was only guessed, as the decoder tells it."""
        moved = max(Fraction(0), Fraction(seconds).limit_denominator(1_000_000))
        return replace(self, start=self.start + moved, end=self.end + moved)

    @property
    def held(self) -> Fraction | None:
        """Seconds that the last frame is shown, if that is longer than the others; else None."""
        long = self.last is not None and (self.mean == 0 or self.last * self.mean > _LONG_TAIL)
        return self.last if long else None

    @property
    def timescale(self) -> int:
        """Ticks a second that hold these times in an MP4 file."""
        scale = self.tick.denominator
        if scale < 1000:
            scale *= -(-1000 // scale)
        return scale if scale <= 96000 else 90000


def film_times(path: Path, info: MediaInfo) -> FrameTimes | None:
    """The times of a film's frames as `frame_times` has them, seen beside its other tracks."""
    times = frame_times(path, info.track)
    if times is None or not (later := lead(path, info, (info.track,))):
        return times
    return replace(times, start=times.start + later, end=times.end + later, even=None)


_ONE_CLOCK = frozenset({"mov", "matroska", "avi", "flv", "gif", "mjpeg", "yuv4mpegpipe"})
"""Kinds of files whose times ffmpeg counts from the file's own start, whichever of its tracks it is to read."""


def lead(path: Path, info: MediaInfo, tracks: Sequence[int]) -> Fraction:
    """Seconds that ffmpeg takes away from the times of these tracks when it reads them alone.

    In a transport stream and the like it counts from the first of the tracks that it reads, and so would bring picture
    and sound together that are not.
    """
    timed = [track.index for track in info.beside if track.kind != "attachment"]
    if info.format.split(",")[0] in _ONE_CLOCK or not timed or not tracks:
        return Fraction(0)
    alone, together = _origin(path, tracks), _origin(path, sorted({info.track, *timed}))
    apart = alone - together if alone is not None and together is not None else Fraction(0)
    return apart if abs(apart) > _ROUNDING else Fraction(0)


def _origin(path: Path, tracks: Sequence[int]) -> Fraction | None:
    """The time of the file that ffmpeg calls 0 when it reads these tracks."""
    maps = [word for track in tracks for word in ("-map", f"0:{track}")]
    true, told = (first_time([*options, *local_input(path), *maps]) for options in (["-copyts"], []))
    return None if true is None or told is None else true - told


def first_time(arguments: Sequence[str]) -> Fraction | None:
    """Seconds at which the first packet of what ffmpeg is told to read comes; None if there is none."""
    with _packets(arguments) as lines:
        tick = Fraction(0)
        for line in lines:
            if line.startswith("#tb 0:"):
                tick = Fraction(line[6:].strip())
            elif not line.startswith("#") and line.split(",")[0] == "0":
                shown = int(line.split(",")[2])
                return None if shown == _UNKNOWN else shown * tick
    return None


@contextmanager
def _packets(arguments: Sequence[str]) -> Iterator[Iterable[str]]:
    """ffmpeg's `framecrc` of what it is told to read: stream, decoding time, time, duration, bytes, sum, flags."""
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", *arguments, "-c", "copy", "-f", "framecrc", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        # Ctrl-C is for vcam, which ends its children in order
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def frame_times(path: Path, track: int, *, seconds: float | None = None) -> FrameTimes | None:
    """Read the times of a track; None if there are none.

    seconds: look only at so much of it.
    """
    with _packets([*local_input(path), "-map", f"0:{track}", *(("-t", str(seconds)) if seconds else ())]) as lines:
        return read_times(lines)


def read_times(lines: Iterable[str]) -> FrameTimes | None:
    """Of the lines of ffmpeg's `framecrc`: stream, decoding time, time, duration, bytes, sum, flags."""
    tick, shown, decoded, lengths = Fraction(0), array("q"), array("q"), array("q")
    for line in lines:
        if line.startswith("#tb 0:"):
            tick = Fraction(line[6:].strip())
            continue
        fields = line.split(",")
        if line.startswith("#") or len(fields) < 6 or _is_discarded(fields[6:]):
            continue
        for times, field in zip((decoded, shown, lengths), fields[1:4], strict=True):
            times.append(int(field))
    if not shown or not tick:
        return None
    if _UNKNOWN not in shown:
        return _summary(tick, shown, lengths)
    if _UNKNOWN in decoded:
        return None
    # some kinds of file tell only when a frame is decoded: those times are as far apart, but when the first one is
    # shown only the decoder knows
    guess = _summary(tick, array("q", (time - decoded[0] for time in decoded)), lengths)
    return replace(guess, guessed=True)


def _is_discarded(rest: list[str]) -> bool:
    flags = next((field.strip() for field in rest if field.strip().startswith("F=")), "F=0x0")
    return bool(int(flags[2:], 16) & _DISCARDED)


def _summary(tick: Fraction, times: array[int], lengths: array[int]) -> FrameTimes:
    ordered = array("q", sorted(times))
    length = lengths[max(range(len(times)), key=times.__getitem__)]
    first, span = ordered[0], (ordered[-1] - ordered[0]) * tick
    mean = (len(ordered) - 1) / span if span else Fraction(0)
    # less than that is what a demuxer says that does not know
    last = length * tick if length > 0 and (not mean or length * tick * mean > _SHORT_TAIL) else None
    even: Fraction | None = exact_rate(float(mean)) if mean > Fraction(1, 1000) else None
    if even and (abs(first * tick) > _ROUNDING or not _is_even(ordered, tick, even)):
        even = None
    if even and last and last * even > _LONG_TAIL:
        even = None
    end = ordered[-1] * tick + (last or (1 / mean if mean else Fraction(1, 25)))
    return FrameTimes(len(ordered), first * tick, end, last, tick, mean, even)


def _is_even(times: array[int], tick: Fraction, rate: Fraction) -> bool:
    # in whole numbers, as there may be a million of them: |(time - first) * tick - n / rate| <= allowed
    scale = tick.denominator * rate.numerator
    step, frame = tick.numerator * rate.numerator, rate.denominator * tick.denominator
    allowed = max(_ROUNDING, tick / 2) * scale
    return all(abs((time - times[0]) * step - number * frame) <= allowed for number, time in enumerate(times))
