"""Weights that others have learnt, made fit to be trained on, and remembered meanwhile."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vcam.train.encoders import load_encoder
from vcam.train.fed import Fed
from vcam.train.losses import cross_entropy, person_logit
from vcam.train.nets.registry import Architecture
from vcam.train.norms import calibrate
from vcam.train.recipe import Recipe
from vcam.train.samples import Samples, loader
from vcam.train.schedule import encoder_parts
from vcam.train.teacher import SOFTENED
from vcam.train.weights import load, slots

PICTURES = 32
"""Samples of the training that norms and temperature are taken from."""

TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0)


def begin_with(recipe: Recipe, net: nn.Module, samples: Samples) -> float:
    """Put the weights into a network that a recipe names, in place; nothing if it names none.

    Returns what its logits were divided by, see `tempered`.

    Raises `UsageError` if there is no such file, `ModelError` if they do not fit.
    """
    if recipe.encoder:
        load_encoder(net, Path(recipe.encoder), recipe.kind, recipe.encoder_input)
    elif recipe.start:
        load(net, Path(recipe.start))
    else:
        return 1.0
    order = [(0, place % len(samples)) for place in range(min(PICTURES, len(samples)))]
    (batch,) = loader(samples, len(order), 0, shuffle=False, order=order)
    fed = Fed(net, recipe.kind)
    # folded into the weights, norms do nothing yet: they get what the pictures have there. Those behind an encoder have
    # learnt nothing that they could keep
    given = fed.given(batch["picture"], batch.get("prior"))
    calibrate(net, given, encoder_parts(net) if recipe.encoder else ())
    return tempered(fed, batch) if recipe.start else 1.0


def tempered(fed: Fed, batch: dict[str, Tensor]) -> float:
    """Divide a network's logits, by its last layer's weights, until it is as sure as it is right; by how much.

    What it takes for a person stays the same. A network that was trained until it is right everywhere on pictures of
    its own has logits over 100. On others every mistake then costs a hundred times what it teaches. The temperature is
    that of the least cross-entropy, https://arxiv.org/abs/1706.04599, section 4.2; it is never under 1.
    """
    training = {each: each.training for each in fed.modules()}
    try:
        fed.eval()
        with torch.no_grad():
            out = fed(batch["picture"], batch.get("prior"))
            logits = out if isinstance(out, Tensor) else out[0]
            best = min(TEMPERATURES, key=lambda by: float(cross_entropy(logits / by, batch["matte"])))
            last = slots(fed.net, fed.given(batch["picture"][:1], None))[-1].layer
            if best > 1 and isinstance(last, nn.Conv2d | nn.ConvTranspose2d):
                last.weight.div_(best)
                if last.bias is not None:
                    last.bias.div_(best)
    finally:
        for each, mode in training.items():
            each.training = mode
    return best


class AsItBegan:
    """A network as it was before it was trained on. It is what the training holds on to, as far as it is to.

    A few pictures teach a network that has seen many little, and in a few minutes it forgets much. Two things hold it.
    A part of each batch learns what the network said before in place of the mattes: learning without forgetting,
    https://arxiv.org/abs/1606.09282. And what is scored and kept is the mean of its weights with those from before:
    https://arxiv.org/abs/2109.01903, which needs norms that keep their statistics, see `schedule.freeze`.
    """

    def __init__(self, net: nn.Module, kind: Architecture, divided: float) -> None:
        """divided: what the network's logits were divided by already."""
        self._fed = Fed(copy.deepcopy(net).eval().to(memory_format=torch.channels_last), kind)
        self._by = max(SOFTENED / divided, 1.0)

    def probability(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W), RGB 0..1, to (N, 1, H, W), 0..1; softened, see `teacher.SOFTENED`, to be mixed with others."""
        return (self._logit(picture, None) / self._by).sigmoid()

    def in_place_of(self, matte: Tensor, picture: Tensor, prior: Tensor | None, keep: float) -> Tensor:
        """Mattes (N, 1, H, W), 0..1, fresh; the last ones, a share of `keep`, are what the network said before."""
        count = round(keep * len(matte))
        if not count:
            return matte
        said = self._logit(picture[-count:], None if prior is None else prior[-count:]).sigmoid()
        return torch.cat([matte[: len(matte) - count], said.to(matte.dtype)])

    def mean_with(self, weights: dict[str, Tensor], keep: float) -> dict[str, Tensor]:
        """Weights and buffers, fresh: a share of `keep` of what they were, the rest of what they are now."""
        before = self._fed.net.state_dict()
        return {
            name: torch.lerp(each, before[name].to(each.device), keep) if each.is_floating_point() else each.clone()
            for name, each in weights.items()
        }

    def _logit(self, picture: Tensor, prior: Tensor | None) -> Tensor:
        with torch.no_grad():
            return person_logit(self._fed.to(picture.device)(picture, prior))

    def state(self) -> dict[str, Any]:
        """For a file: a training that goes on does not read again what it began with."""
        return {"by": self._by, "model": self._fed.net.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Be what it was. Raises `KeyError` or `RuntimeError` for a state of something else."""
        self._fed.net.load_state_dict(state["model"])
        self._by = float(state["by"])
