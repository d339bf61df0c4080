"""What a picture shows that a program reads from the virtual camera, and what it may show."""

from __future__ import annotations

from functools import cache

import numpy as np

from vcam.compose.placeholder import placeholder
from vcam.frames import Box

BACKGROUND_YUV = (69, 161, 109)
PLACEHOLDER_UV = (130, 127)
LETTERS = 180


def is_placeholder(frame):
    """The dark card: its colour is the same everywhere, its letters are only brighter."""
    u, v = PLACEHOLDER_UV
    return bool((frame.u == u).all() and (frame.v == v).all() and int(frame.y[0, 0]) < 60)


def colour_at(frame, x, y):
    return int(frame.y[y, x]), int(frame.u[y // 2, x // 2]), int(frame.v[y // 2, x // 2])


def _spots(left, top, right, bottom):
    lower = top + (bottom - top) // 6
    return [(left, top), (right - 1, top), (left, lower), (right - 1, lower)]


def is_composited(frame, box=None):
    """Both upper corners, where nobody stands, and the edges beside them show the background."""
    spots = _spots(*(box or (0, 0, frame.width, frame.height)))
    return all(np.allclose(colour_at(frame, x, y), BACKGROUND_YUV, atol=2) for x, y in spots)


def between_bars(frame):
    """The picture of a frame that was fitted in between black bars; the frame itself if it has none.

    A bar shows nothing at all: every sample of it is the same black. So what is left is all that the frame shows.
    """
    lit = (frame.y != 16) | (np.dstack([frame.u, frame.v]) != 128).any(axis=2).repeat(2, axis=0).repeat(2, axis=1)
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not rows.size:
        return frame
    return frame.view(Box(columns[0] // 2 * 2, rows[0] // 2 * 2, columns[-1] // 2 * 2 + 2, rows[-1] // 2 * 2 + 2))


def is_torn(data, size):
    """Whether the bytes are the beginning of a placeholder and the end of a composited frame, or the other way round.

    v4l2loopback writes into a buffer while a reader copies it (docs/devices.md). Both halves are checked as far as a
    whole frame is, and the placeholder's to the byte: a tear of anything else is none. An end that has none of the
    spots that are checked of a whole frame must show the background at both sides of all its rows.
    """
    card, spots = _as_card(data, size), _as_background(data, size)
    wrong = np.flatnonzero(~card)
    if not wrong.size:
        return False
    # the one is cut where the card cannot go on, the other where it can begin
    first, last = int(wrong[0]), int(wrong[-1]) + 1
    shows = _all(spots, first, data.size) if first <= max(spots) else _edges_show(data, size, first)
    ends = shows and _mostly_card(data[:first], size, 0)
    begins = _all(spots, 0, last) and _mostly_card(data[last:], size, last)
    return bool((first and ends) or (last < data.size and begins))


@cache
def _card(size):
    return placeholder(size).buffer


def _as_card(data, size):
    """Which bytes may be a placeholder's: letters are brighter than the card, and stand in its middle."""
    width, height = size
    card = _card(size)
    fits = data == card
    letters = fits[: width * height].reshape(height, width)
    y, dark = data[: width * height].reshape(height, width), card[: width * height].reshape(height, width)
    middle = slice(width // 20, width - width // 20)
    letters[:, middle] |= (y[:, middle] > dark[:, middle]) & (y[:, middle] <= LETTERS)
    return fits


def _mostly_card(part, size, start):
    """Whether letters are the smaller part of what is there of the luma."""
    luma = max(0, size[0] * size[1] - start)
    same = part[:luma] == _card(size)[start : start + part[:luma].size]
    return not same.size or same.mean() > 0.7


def _as_background(data, size):
    """The bytes of a composited frame that show the background: where each is, and whether it does."""
    width, height = size
    found = {}
    for x, y in _spots(0, 0, width, height):
        half = y // 2 * (width // 2) + x // 2
        places = y * width + x, width * height + half, width * height * 5 // 4 + half
        for place, level in zip(places, BACKGROUND_YUV, strict=True):
            found[place] = abs(int(data[place]) - level) <= 2
    return found


def _edges_show(data, size, first):
    """Whether both edges of the last plane show the background, from a byte on."""
    width, height = size
    start = width * height * 5 // 4
    edges = [place for left in range(start, data.size, width // 2) for place in (left, left + width // 2 - 1)]
    levels = data[[place for place in edges if place >= first]].astype(int)
    return bool((abs(levels - BACKGROUND_YUV[2]) <= 2).all())


def _all(spots, first, end):
    chosen = [right for place, right in spots.items() if first <= place < end]
    return bool(chosen) and all(chosen)


def assert_safe(frame):
    """Nothing that the camera saw may be in a frame, other than a person before the new background."""
    picture = between_bars(frame)
    corner = [colour_at(picture, x, 0) for x in (0, picture.width // 2, picture.width - 1)]
    assert is_composited(picture) or is_placeholder(picture), f"neither placeholder nor composited: {corner}"
