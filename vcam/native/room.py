"""The compiled loops of room memory, and the tables that they take. See `vcam.segment.emptyroom`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam.frames import Planes
from vcam.native.planes import PlaneTable, bytes_of, i420_of, numbers_of, plane_of
from vcam.types import F32, U8

NUMBERS = (
    "sure", "least", "stiff", "gain_low", "gain_high", "medians", "levels", "doubt", "belief", "grain", "slowly",
    "faint", "loudest", "floor_y", "floor_u", "floor_v", "slipped",
    "person", "luma", "chroma", "prior_luma", "prior_chroma", "prior_weight", "spread", "least_person", "half_at",
    "middle", "loudest_sum", "against", "against_texture", "for_one", "same_texture", "textured", "alike_low",
    "alike_high", "shade_low", "shade_high", "clip_low", "clip_high", "dark", "black", "close", "hold",
    "calm", "change", "most",
    "large", "contradicts", "usual", "too_much", "recovery", "ghost", "steady",
)  # fmt: skip
"""In the order of `Terms` in room.h."""


class RoomTerms(ctypes.Structure):
    """The constants of light and evidence, by the names in room.h."""

    _fields_ = (
        *((name, ctypes.c_float) for name in NUMBERS),
        ("guard", ctypes.c_int32),
        ("reach", ctypes.c_int32),
    )


DRIFT, NOISE_LUMA, NOISE, PERSON, LIT, RESIDUAL, FOUND = 0, 3, 4, 5, 6, 7, 8
"""Places of the planes that the loop finds: three of drift, and one each."""
GAIN, OFFSET, AGREEMENT, BELIEVED, GATE, SHARE, TRUST, TOLD = 0, 3, 6, 7, 8, 9, 10, 11
"""Places of the numbers that it tells: three of gain and of offset, and one each."""


class RoomTable(ctypes.Structure):
    """A plate as the loop takes it; it keeps the arrays alive."""

    _fields_ = (
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        *((name, ctypes.c_void_p) for name in ("y", "half", "u", "v", "known")),
        *((name, ctypes.c_void_p) for name in ("texture", "power", "slope_y", "slope_half", "slope_u", "slope_v")),
    )

    def __init__(
        self, full: tuple[U8, F32, F32, F32], half: tuple[U8, U8, U8, U8], slopes: tuple[F32, F32, F32]
    ) -> None:
        """full: luma, texture, its mean power and slopes of luma, (height, width), both even.

        half: luma, Cb, Cr and `known` at half of it; slopes: of luma as the mean of four, of Cb and of Cr. All dense.
        Raises `ValueError` for others.
        """
        height, width = full[0].shape
        if height % 2 or width % 2 or min(height, width) < 4:
            raise ValueError(f"no map: {full[0].shape}")
        shape, small = (height, width), (height // 2, width // 2)
        named: dict[str, tuple[npt.NDArray[Any], tuple[int, int], type]] = {
            "y": (full[0], shape, np.uint8), "texture": (full[1], shape, np.float32),
            "power": (full[2], shape, np.float32), "slope_y": (full[3], shape, np.float32),
            "half": (half[0], small, np.uint8), "u": (half[1], small, np.uint8), "v": (half[2], small, np.uint8),
            "known": (half[3], small, np.uint8), "slope_half": (slopes[0], small, np.float32),
            "slope_u": (slopes[1], small, np.float32), "slope_v": (slopes[2], small, np.float32),
        }  # fmt: skip
        for name, (array, wanted, kind) in named.items():
            if array.shape != wanted or array.dtype != kind or not array.flags.c_contiguous:
                raise ValueError(f"{name} of {array.dtype} {array.shape} instead of {wanted}")
        addresses = {name: array.__array_interface__["data"][0] for name, (array, _, _) in named.items()}
        super().__init__(width=width, height=height, **addresses)
        self.arrays = [array for array, _, _ in named.values()]


class LearnTerms(ctypes.Structure):
    """The constants of learning, by the names in roomlearn.c."""

    _fields_ = (
        *(
            (name, ctypes.c_float)
            for name in ("luma", "chroma", "single", "rate", "shade_low", "shade_high", "shade_chroma", "black")
        ),
        *((name, ctypes.c_int32) for name in ("need", "patience", "strange")),
    )


class LayerTable(ctypes.Structure):
    """The two layers of a room as the loop takes them; it keeps the arrays alive, and the loop changes them."""

    _fields_ = tuple(
        (name, ctypes.c_void_p)
        for name in ("y", "u", "v", "other_y", "other_u", "other_v", "count", "doubt", "known", "age")
    )

    def __init__(self, room: Sequence[npt.NDArray[np.uint16]], other: Sequence[U8], marks: Sequence[U8]) -> None:
        """room: luma (height, width), both even, and chroma at half of it, uint16; the rest uint8 at half of it.

        Raises `ValueError` for others.
        """
        height, width = room[0].shape
        self.half = height // 2, width // 2
        arrays: list[npt.NDArray[Any]] = [*room, *other, *marks]
        for index, array in enumerate(arrays):
            wanted = (2 * self.half[0], 2 * self.half[1]) if index == 0 else self.half
            kind = np.uint16 if index < len(room) else np.uint8
            if array.shape != wanted or array.dtype != kind or not array.flags.c_contiguous:
                raise ValueError(f"a layer of {array.dtype} {array.shape} instead of {wanted}")
        super().__init__(*(array.__array_interface__["data"][0] for array in arrays))
        self.arrays = arrays


class RoomLoops:
    """The loops of one library that `vcam.native.Kernels` holds; its words on arrays and threads hold here too."""

    def __init__(self, library: ctypes.CDLL, scratch: Callable[[int], int]) -> None:
        """scratch: gives the address of memory for so many numbers. Raises `AttributeError` for another library."""
        pointer, integer, number = ctypes.c_void_p, ctypes.c_int32, ctypes.c_float
        plane = ctypes.POINTER(PlaneTable)
        terms: dict[str, list[Any]] = {
            "room": [*[pointer] * 3, *[plane] * 3, *[pointer] * 7],
            "room_edge": [*[pointer] * 4, *[plane] * 8, *[integer] * 2, *[number] * 3, pointer],
            "room_learn": [pointer, pointer, *[plane] * 3, *[pointer] * 4],
        }
        for name, types in terms.items():
            function = getattr(library, f"vcam_{name}")
            function.argtypes, function.restype = types, None
        for name, sides in (("room", 2), ("room_edge", 3), ("room_learn", 1)):
            function = getattr(library, f"vcam_{name}_scratch")
            function.argtypes, function.restype = [integer] * sides, ctypes.c_ssize_t
        self._library, self._scratch = library, scratch

    def find(
        self,
        plate: RoomTable,
        terms: RoomTerms,
        seen: tuple[F32, Planes],
        out: F32,
        kept: tuple[F32, F32, F32],
        marks: tuple[U8, U8],
    ) -> None:
        """Correct a map by what is known of the empty room, see `vcam.segment.emptyroom.finding`.

        seen: the map (h, w), and the frame's planes at its size; out: the corrected map. kept: the evidence (h, w), the
        planes found (`FOUND`, h / 2, w / 2) and the numbers told (`TOLD`,), of the last frame and then of this one.
        marks: of half the size, where something strange is, and where surely nobody is. Numbers dense.
        """
        shape, half = (plate.height, plate.width), (plate.height // 2, plate.width // 2)
        told = numbers_of(kept[2], (TOLD,))
        floats = [numbers_of(seen[0], shape), numbers_of(kept[0], shape), numbers_of(out, shape)]
        found, strange, sure = numbers_of(kept[1], (FOUND, *half)), bytes_of(marks[0], half), bytes_of(marks[1], half)
        luma, u, v = i420_of(seen[1])
        if (luma.height, luma.width) != shape:
            raise ValueError(f"a frame of {(luma.height, luma.width)} instead of {shape}")
        scratch = self._scratch(self._library.vcam_room_scratch(plate.width, plate.height))
        at = ctypes.addressof
        self._library.vcam_room(
            at(plate), at(terms), floats[0], luma, u, v, floats[1], floats[2], found, strange, sure, told, scratch
        )

    def sharpen(
        self,
        plate: RoomTable,
        terms: RoomTerms,
        kept: tuple[F32, F32],
        matte: U8,
        planes: tuple[Planes, Planes],
        small: U8,
        first: tuple[int, int],
        *,
        low: float,
        high: float,
        strength: float,
    ) -> None:
        """Sharpen a matte (2h, 2w) by the plate, see `vcam.segment.emptyroom.edge`.

        kept: planes and numbers as `find` leaves them; planes: of the frame and of the plate, at the matte's size;
        small: uint8, the part of the map that the matte covers, from the map's pixel (x, y) `first` on.
        """
        half = plate.height // 2, plate.width // 2
        found, told = numbers_of(kept[0], (FOUND, *half)), numbers_of(kept[1], (TOLD,))
        frame, room = i420_of(planes[0]), i420_of(planes[1])
        target, map_ = plane_of(matte, frame[0].height, frame[0].width), plane_of(small, *small.shape)
        if (room[0].width, room[0].height) != (target.width, target.height) or min(first) < 0:
            raise ValueError(f"a plate of {(room[0].height, room[0].width)} instead of {matte.shape}")
        scratch = self._scratch(self._library.vcam_room_edge_scratch(map_.width, map_.height, target.width))
        at = ctypes.addressof
        self._library.vcam_room_edge(
            at(plate), at(terms), found, told, target, *frame, *room, map_, *first, low, high, strength, scratch
        )

    def learn(
        self, layers: LayerTable, terms: LearnTerms, planes: Planes, sure: U8, strange: U8, lines: Sequence[float]
    ) -> None:
        """One step of learning, see `vcam.segment.emptyroom.layers`; marks dense, lines: three gains, three offsets."""
        marks = bytes_of(sure, layers.half), bytes_of(strange, layers.half)
        frame = i420_of(planes)
        if (frame[1].height, frame[1].width) != layers.half or len(lines) != 6:
            raise ValueError(f"a frame of {planes[1].shape} instead of {layers.half}")
        numbers = (ctypes.c_float * 6)(*lines)
        scratch = self._scratch(self._library.vcam_room_learn_scratch(frame[1].width))
        at = ctypes.addressof
        self._library.vcam_room_learn(at(layers), at(terms), *frame, *marks, at(numbers), scratch)
