"""What a network is trained to make small: each loss a pure function, and `Loss`, which adds them up.

Logits are (N, 1, H, W), the person's, or (N, 2, H, W), those of background and person; the softmax of two is the
sigmoid of their difference, so both are one logit here (`person_logit`). Mattes, probabilities and priors are
(N, 1, H, W), 0..1, soft edges included. Everything is computed in float32, whatever the network ran in, from logits and
not from probabilities: 1 - sigmoid(20) is 0 in bfloat16, and its logarithm minus infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from vcam.errors import UsageError

LOSSES = ("cross-entropy", "dice", "focal", "boundary", "consistency", "distillation", "temporal")
"""The names that `Loss` knows."""

GAMMA = 2.0
"""Of the focal losses: https://arxiv.org/abs/1708.02002, table 1b, and PortraitNet's for boundaries."""
EMPTY = 0.01
"""The share of a picture that a previous mask has to cover, to be one."""

Batch: TypeAlias = Mapping[str, Tensor]
"""What `vcam.train.samples.loader` gives."""
Output: TypeAlias = Tensor | tuple[Tensor, Tensor]
"""Logits, or the pair of them and a boundary head's."""
Forward: TypeAlias = Callable[[Tensor, Tensor | None], Output]
"""The network in training: a picture (N, 3, H, W), RGB 0..1, and the previous mask or None, to its output."""


class HasProbability(Protocol):
    """A teacher, as `vcam.train.teacher.Teacher` is one."""

    def probability(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W), RGB 0..1, to (N, 1, H, W), 0..1."""


def person_logit(logits: Tensor) -> Tensor:
    """The person's logit, float32 (N, 1, H, W), of one channel or of two (background, person)."""
    logits = logits.float()
    return logits if logits.shape[1] == 1 else logits[:, 1:] - logits[:, :1]


def cross_entropy(logits: Tensor, matte: Tensor) -> Tensor:
    """-(g log p + (1 - g) log(1 - p)), the mean over all pixels."""
    return functional.binary_cross_entropy_with_logits(person_logit(logits), matte.float())


def dice(logits: Tensor, matte: Tensor, *, smooth: float = 1.0) -> Tensor:
    """1 - (2 sum(p g) + s) / (sum(p^2) + sum(g^2) + s) of each picture, their mean; 0 where p is g, also where soft.

    V-Net, https://arxiv.org/abs/1606.04797, equation 3. smooth: in pixels; it is what a picture with nobody goes by.
    """
    p, g = person_logit(logits).sigmoid().flatten(1), matte.float().flatten(1)
    both = (p * p).sum(1) + (g * g).sum(1)
    return (1 - (2 * (p * g).sum(1) + smooth) / (both + smooth)).mean()


def focal(logits: Tensor, matte: Tensor, *, gamma: float = GAMMA) -> Tensor:
    """|g - p|^gamma times the cross-entropy, the mean over all pixels: what is known already counts little.

    The focal loss for soft labels, https://arxiv.org/abs/2006.04388, equation 5; for hard ones it is
    (1 - p_t)^gamma -log(p_t), https://arxiv.org/abs/1708.02002.
    """
    return _focal(person_logit(logits), matte.float(), gamma).mean()


def _focal(logit: Tensor, target: Tensor, gamma: float = GAMMA) -> Tensor:
    missed = (target - logit.sigmoid()).abs().pow(gamma)
    return missed * functional.binary_cross_entropy_with_logits(logit, target, reduction="none")


def edges(matte: Tensor, *, reach: int = 1) -> Tensor:
    """Where the boundary is: float32 (N, 1, H, W), 1 where Sobel's slope is over a quarter of a hard edge's, else 0.

    So it is found in mattes that are blurred by up to 3 pixels, too. reach: by so many pixels it is made wider. The
    picture's border is none.
    """
    padded = functional.pad(matte.float(), (1, 1, 1, 1), mode="replicate")
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], device=matte.device) / 4
    slope = functional.conv2d(padded, torch.stack((sobel, sobel.T))[:, None]).pow(2).sum(1, keepdim=True).sqrt()
    found = (slope > 0.25).float()
    return functional.max_pool2d(found, 2 * reach + 1, stride=1, padding=reach) if reach else found


def boundary(logits: Tensor, matte: Tensor, head: Tensor | None = None, *, gamma: float = GAMMA) -> Tensor:
    """Of a boundary head's logits: their focal loss against `edges`, as PortraitNet has it (section 3.3).

    https://doi.org/10.1016/j.cag.2019.03.007. Without such a head: the focal loss of the person over the pixels of
    `edges` alone, 0 where there are none.
    """
    target = edges(matte)
    if head is not None:
        return _focal(person_logit(head), target, gamma).mean()
    return (_focal(person_logit(logits), matte.float(), gamma) * target).sum() / target.sum().clamp(min=1)


def consistency(texture: Tensor, picture: Tensor, *, temperature: float = 1.0) -> Tensor:
    """T^2 KL(p || q), the mean over all pixels: q the heat map of the texture-enhanced form, p that of the picture.

    Both logits. p is what q is to come to, and has no gradient. PortraitNet's consistency constraint (section 3.4).
    """
    return _divergence(person_logit(picture).detach() / temperature, person_logit(texture) / temperature, temperature)


def _divergence(p: Tensor, q: Tensor, temperature: float) -> Tensor:
    """T^2 KL of two logits, already divided by T, the sum over both classes, the mean over pixels."""
    person = p.sigmoid() * (functional.logsigmoid(p) - functional.logsigmoid(q))
    other = (-p).sigmoid() * (functional.logsigmoid(-p) - functional.logsigmoid(-q))
    return (person + other).mean() * temperature**2


def distillation(
    logits: Tensor, teacher: Tensor, *, temperature: float = 1.0, form: Literal["kl", "mse"] = "kl"
) -> Tensor:
    """How far the person's probability is from a teacher's, (N, 1, H, W) in 0..1.

    kl: T^2 KL(teacher || student), both softened by the temperature, https://arxiv.org/abs/1503.02531. The teacher's
    probability is taken for at least 0.001 and at most 0.999, since its logit is needed. mse: the mean of their
    squared difference; nothing is softened.
    """
    teacher = teacher.float()
    logit = person_logit(logits)
    if form == "mse":
        return functional.mse_loss(logit.sigmoid(), teacher)
    return _divergence(torch.logit(teacher, eps=1e-3) / temperature, logit / temperature, temperature)


def temporal(logits: Tensor, prior: Tensor, matte: Tensor) -> Tensor:
    """How far the answer is from the mask of the frame before, where nothing has changed: flicker.

    The mean of w (p - q)^2 with w = 1 - |g - q|, q the prior, over the pictures that have one: at least `EMPTY` of it
    must be a person. The error against what was seen before, weighed by what truly stayed, follows the temporal loss
    of https://arxiv.org/abs/1808.00449, where optical flow says what stayed.
    """
    prior = prior.float()
    weight = (1 - (matte.float() - prior).abs()) * (prior.mean((1, 2, 3), keepdim=True) >= EMPTY)
    return (weight * (person_logit(logits).sigmoid() - prior).pow(2)).sum() / weight.sum().clamp(min=1)


class Loss:
    """The weighed sum of losses by their names."""

    def __init__(
        self, weights: Mapping[str, float], *, temperature: float = 1.0, distil: Literal["kl", "mse"] = "kl"
    ) -> None:
        """weights: of each loss by its name in `LOSSES`; one of 0 is left out. temperature: of consistency and
        distillation; distil: the latter's form. Raises `UsageError` for other names, a weight that is none, or if
        nothing is left."""
        for name, weight in weights.items():
            if name not in LOSSES:
                raise UsageError(f"there is no loss {name}", f"choose {', '.join(LOSSES)}")
            if not 0 <= weight < float("inf"):
                raise UsageError(f"the loss {name} cannot weigh {weight:g}", "give a number of 0 or more")
        if not temperature > 0:
            raise UsageError(f"a temperature cannot be {temperature:g}", "give a number over 0; 1 softens nothing")
        self.weights = {name: float(weights[name]) for name in LOSSES if weights.get(name)}
        """In the order of `LOSSES`."""
        if not self.weights:
            raise UsageError("there is nothing to be trained for", f"choose of {', '.join(LOSSES)}")
        self._temperature = temperature
        self._distil: Literal["kl", "mse"] = distil

    @property
    def needs(self) -> frozenset[str]:
        """What else has to be there: "prior" and "texture" in the batch, "teacher" beside it."""
        wanted = {"temporal": "prior", "consistency": "texture", "distillation": "teacher"}
        return frozenset(part for name, part in wanted.items() if name in self.weights)

    def __call__(
        self, net: Forward, out: Output, batch: Batch, teacher: HasProbability | Tensor | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """The sum, and what each is by itself before it is weighed.

        net: called once more where the consistency of the batch's "texture" counts; the mean over picture and texture
        is then taken of all that compares with the truth, as PortraitNet is trained. out: of the batch's picture.
        teacher: what finds the person in the batch's picture, or what it has found. Raises `UsageError` for a part
        that is missing.
        """
        self._check(batch, teacher)
        outs = [out]
        if "consistency" in self.weights:
            outs.append(net(batch["texture"], batch.get("prior")))
        parts: dict[str, Any] = {
            name: sum(self._supervised(name, each, batch) for each in outs) / len(outs)
            for name in self.weights
            if name in _SUPERVISED
        }
        if "consistency" in self.weights:
            parts["consistency"] = consistency(
                _parts(outs[1])[0], _parts(outs[0])[0], temperature=self._temperature
            )  # fmt: skip
        if "distillation" in self.weights and teacher is not None:
            told = teacher if isinstance(teacher, Tensor) else teacher.probability(batch["picture"])
            parts["distillation"] = distillation(
                _parts(out)[0], told, temperature=self._temperature, form=self._distil
            )  # fmt: skip
        if "temporal" in self.weights:
            parts["temporal"] = temporal(_parts(out)[0], batch["prior"], batch["matte"])
        total = torch.stack([self.weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: float(parts[name].detach()) for name in self.weights}

    def _check(self, batch: Batch, teacher: object) -> None:
        there = {*batch, *({"teacher"} if teacher is not None else ())}
        if lacking := sorted(self.needs - there):
            raise UsageError(f"a loss needs the {lacking[0]}, and there is none", "leave the loss out, or give it")

    def _supervised(self, name: str, out: Output, batch: Batch) -> Tensor:
        logits, head = _parts(out)
        if name == "boundary":
            return boundary(logits, batch["matte"], head)
        return _SUPERVISED[name](logits, batch["matte"])


_SUPERVISED: dict[str, Callable[..., Tensor]] = {
    "cross-entropy": cross_entropy,
    "dice": dice,
    "focal": focal,
    "boundary": boundary,
}
"""Those that compare with the truth."""


def _parts(out: Output) -> tuple[Tensor, Tensor | None]:
    return (out, None) if isinstance(out, Tensor) else out
