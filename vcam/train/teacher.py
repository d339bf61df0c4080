"""Networks that others learn from: any that vcam can run, by vcam's own engines."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vcam.errors import EngineError, ModelError, UsageError
from vcam.infer.choices import engine_choices
from vcam.models.find import find_model
from vcam.printable import printable
from vcam.segment.network import PersonNetwork
from vcam.train.losses import HasProbability
from vcam.types import F32, U8, Size

KEPT = 128 << 20
"""Bytes of answers that are kept."""

TEACHER_SHARE = 0.7
"""Of the teacher in what is learnt, beside the network that training began with: more, and what that one knew of other
rooms is forgotten."""
SOFTENED = 10.0
"""What the logits of the network that training began with are divided by, since small networks are too sure."""


class Teacher:
    """Finds the person in pictures as the network NAME does; a context manager. Not thread safe.

    with Teacher("selfie-multiclass") as teacher:
        matte = teacher.probability(batch["picture"])
    """

    def __init__(self, name: str, *, backend: str = "auto", device: str = "AUTO", threads: int = 1) -> None:
        """name: of a model as `vcam models list` has it, or its path. The network has run once when this returns.

        Raises `UsageError` if there is no such model, `ModelError` if it cannot be used.
        """
        self.name = name
        self._network: PersonNetwork | None = None
        card = find_model(name, (256, 256), still=True)
        self._size: Size = card.input.size
        self._rgb = card.input.channels == "RGB"
        # each picture is one of its own
        self._remembers = card.remembers or card.input.previous_mask
        try:
            self._network = PersonNetwork(card, engine_choices(card.network(), backend, device), threads=threads)
        except EngineError as error:
            raise self._failed(error) from error
        self._kept: OrderedDict[bytes, U8] = OrderedDict()
        self._bytes = 0

    @property
    def description(self) -> str:
        """Model, runtime and device, for people."""
        return self._network.description if self._network else ""

    def probability(self, picture: Tensor) -> Tensor:
        """The person's probability, float32 (N, 1, H, W), 0..1, on the pictures' device, in steps of 1/255.

        picture: (N, 3, H, W), RGB 0..1, of any size. A picture that was seen before is not looked at again, so
        pictures that are not augmented cost nothing after the first epoch. Raises `ModelError` if the network fails.
        """
        shown = (picture.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        answers = np.stack([self._answer(np.ascontiguousarray(each)) for each in shown])
        return torch.from_numpy(answers)[:, None].to(picture.device).float() / 255

    def _answer(self, picture: U8) -> U8:
        """uint8 (height, width), 0..255, of RGB (height, width, 3)."""
        key = hashlib.blake2b(picture.tobytes() + repr(picture.shape).encode(), digest_size=16).digest()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        answer = _resized(np.rint(self._find(picture) * 255).astype(np.uint8), picture.shape[1::-1])
        self._kept[key] = answer
        self._bytes += answer.nbytes
        while self._bytes > KEPT and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return answer

    def _find(self, picture: U8) -> F32:
        if self._network is None:
            raise UsageError(f"the teacher {printable(self.name)} is closed", "open another one")
        small = _resized(picture, self._size)
        try:
            if self._remembers:
                self._network.reset()
            return self._network.find(small if self._rgb else np.ascontiguousarray(small[..., ::-1]))
        except EngineError as error:
            raise self._failed(error) from error

    def _failed(self, error: EngineError) -> ModelError:
        return ModelError(
            f"the teacher {printable(self.name)} failed: {error.message}",
            error.hint or f"vcam models verify {printable(self.name)} tells more, or take another --teacher",
        )

    def close(self) -> None:
        """Free the network. May be called twice."""
        if self._network:
            self._network.close()
            self._network = None

    def __enter__(self) -> Teacher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Blended:
    """A teacher that is mixed with what the network said when training began, so that it forgets less."""

    def __init__(
        self, teacher: HasProbability, start: HasProbability, share: float = TEACHER_SHARE, by: float = SOFTENED
    ) -> None:
        """start: the network as it was, in any form that gives probabilities. share: of the teacher, 0..1. by: what the
        logits of `start` are divided by."""
        self._teacher, self._start, self._share, self._by = teacher, start, share, by

    def probability(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W), RGB 0..1, to (N, 1, H, W), 0..1; never the larger of the two, which made people grow."""
        told = self._teacher.probability(picture)
        own = self._start.probability(picture)
        if own.shape != told.shape:
            own = functional.interpolate(own, told.shape[-2:], mode="bilinear")
        return self._share * told + (1 - self._share) * softened(own, self._by)

    def close(self) -> None:
        """Free both."""
        for each in (self._teacher, self._start):
            if (close := getattr(each, "close", None)) is not None:
                close()


def softened(probability: Tensor, by: float = SOFTENED) -> Tensor:
    """Probabilities whose logits are divided by `by`: nearer to a half, in the same order."""
    return (torch.logit(probability.float(), eps=1e-4) / by).sigmoid()


def _resized(values: U8, size: Size) -> U8:
    if values.shape[1::-1] == size:
        return values
    smaller = size[0] * size[1] < values.shape[0] * values.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(values, size, interpolation=way).astype(np.uint8, copy=False)
