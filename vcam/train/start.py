"""Weights that others have learnt, made fit to be trained on."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from vcam.errors import UsageError
from vcam.train.fed import Fed
from vcam.train.losses import cross_entropy
from vcam.train.norms import calibrate
from vcam.train.recipe import Recipe
from vcam.train.samples import Samples, loader
from vcam.train.weights import load, slots

PICTURES = 32
"""Samples of the training that norms and temperature are taken from."""

TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0)


def begin_with(recipe: Recipe, net: nn.Module, samples: Samples) -> float:
    """Put the weights into a network that a recipe names, in place; nothing if it names none.

    Returns what its logits were divided by, see `tempered`.

    Raises `UsageError` if there is no such file, or no encoder for it, `ModelError` if they do not fit.
    """
    if recipe.encoder:
        encoder = getattr(net, "encoder", None)
        if not isinstance(encoder, nn.Module):
            raise UsageError(f"{recipe.network} has no encoder that others train", "give --from for the whole network")
        load(
            encoder,
            Path(recipe.encoder),
            sample=torch.zeros(1, int(encoder.stem.conv.in_channels), 64, 64),
            whole=False,
        )
    elif recipe.start:
        load(net, Path(recipe.start))
    else:
        return 1.0
    order = [(0, place % len(samples)) for place in range(min(PICTURES, len(samples)))]
    (batch,) = loader(samples, len(order), 0, shuffle=False, order=order)
    fed = Fed(net, recipe.kind)
    norms = [each for each in net.modules() if isinstance(each, nn.BatchNorm2d)]
    # folded into the weights, they do nothing yet: they get what the pictures have there
    if norms and all(not each.running_mean.any() for each in norms):
        calibrate(net, fed.given(batch["picture"], batch.get("prior")))
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
