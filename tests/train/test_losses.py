from __future__ import annotations

import math

import cv2
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam.errors import UsageError
from vcam.train import losses
from vcam.train.losses import LOSSES, Loss

LN2, LN3 = math.log(2), math.log(3)


def flat(value: float, *, side: int = 2, channels: int = 1) -> torch.Tensor:
    return torch.full((1, channels, side, side), float(value))


def logit(probability: float, side: int = 2) -> torch.Tensor:
    return flat(math.log(probability / (1 - probability)), side=side)


def step(side: int = 6) -> torch.Tensor:
    """A matte whose right half is a person."""
    matte = torch.zeros(1, 1, side, side)
    matte[..., side // 2 :] = 1
    return matte


def as_two(one: torch.Tensor) -> torch.Tensor:
    """Two channels that say the same as one."""
    return torch.cat((torch.full_like(one, 5.0), one + 5), 1)


@pytest.mark.parametrize(
    ("probability", "matte", "expected"),
    [
        (0.5, 1, LN2),
        (0.75, 1, -math.log(0.75)),
        (0.75, 0, -math.log(0.25)),
        (0.75, 0.5, -0.5 * math.log(0.75) - 0.5 * math.log(0.25)),
    ],
)
def test_cross_entropy_also_of_soft_mattes(probability, matte, expected):
    assert losses.cross_entropy(logit(probability), flat(matte)).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.dice, losses.focal, losses.boundary])
def test_one_channel_and_two_are_the_same_to_every_loss(loss):
    torch.manual_seed(1)
    one, matte = torch.randn(2, 1, 8, 8), torch.rand(2, 1, 8, 8).round()
    assert loss(as_two(one), matte).item() == pytest.approx(loss(one, matte).item(), rel=1e-4)
    assert loss(one, matte).item() > 0.01


def test_dice_by_hand():
    matte = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    # p = 1/2: 2 sum(p g) = 2, sum(p^2) = 1, sum(g^2) = 2
    assert losses.dice(logit(0.5), matte).item() == pytest.approx(1 - (2 + 1) / (1 + 2 + 1))
    assert losses.dice(logit(0.5), matte, smooth=3).item() == pytest.approx(1 - (2 + 3) / (1 + 2 + 3))


def test_dice_is_nothing_for_a_soft_matte_that_is_met_and_for_nobody():
    assert losses.dice(logit(0.3), flat(0.3)).item() == pytest.approx(0, abs=1e-6)
    assert losses.dice(flat(-40), flat(0)).item() == pytest.approx(0, abs=1e-6)


def test_dice_is_of_each_picture_by_itself():
    both = losses.dice(torch.cat((flat(20), flat(20))), torch.cat((flat(1), flat(0)))).item()
    # 0 for the first; 1 - 1 / (4 + 1) for the second
    assert both == pytest.approx(0.8 / 2, rel=1e-4)


def test_focal_counts_what_is_missed():
    assert losses.focal(logit(0.75), flat(1)).item() == pytest.approx(0.25**2 * -math.log(0.75), rel=1e-5)
    assert losses.focal(logit(0.75), flat(1), gamma=0).item() == pytest.approx(-math.log(0.75), rel=1e-5)
    assert losses.focal(logit(0.3), flat(0.3)).item() == pytest.approx(0, abs=1e-6)


def test_edges_are_where_the_matte_is_steep():
    thin = losses.edges(step(), reach=0)
    assert torch.equal(thin[0, 0, 0], torch.tensor([0.0, 0, 1, 1, 0, 0]))
    assert torch.equal(losses.edges(step())[0, 0, 0], torch.tensor([0.0, 1, 1, 1, 1, 0]))
    assert torch.equal(losses.edges(step().mT, reach=0), thin.mT)


def test_neither_the_pictures_border_nor_a_gentle_slope_is_an_edge():
    assert losses.edges(flat(1, side=6)).sum() == 0
    assert losses.edges(torch.linspace(0, 1, 12).expand(1, 1, 12, 12)).sum() == 0


def test_soft_edges_are_edges():
    soft = torch.from_numpy(cv2.GaussianBlur(step(32)[0, 0].numpy(), (0, 0), 2.5))[None, None]
    assert losses.edges(soft, reach=0)[0, 0, 16].nonzero().flatten().tolist() == [14, 15, 16, 17]


def test_boundary_without_a_head_looks_at_the_edge_alone():
    logits, matte = flat(0, side=6), step()
    assert losses.boundary(logits, matte).item() == pytest.approx(0.25 * LN2, rel=1e-5)
    # far from it nothing counts
    logits[..., 0] = 50
    assert losses.boundary(logits, matte).item() == pytest.approx(0.25 * LN2, rel=1e-5)
    logits[..., 2] = 50
    assert losses.boundary(logits, matte).item() > 1
    assert losses.boundary(flat(3), flat(0)).item() == 0


def test_boundary_of_a_head_is_held_to_the_edges():
    matte = step()
    right = (losses.edges(matte) * 2 - 1) * 20
    assert losses.boundary(flat(0, side=6), matte, as_two(right)).item() == pytest.approx(0, abs=1e-6)
    assert losses.boundary(flat(0, side=6), matte, flat(0, side=6, channels=2)).item() == pytest.approx(0.25 * LN2)


def divergence(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def test_consistency_is_the_divergence_from_the_pictures_heat_map():
    found = losses.consistency(flat(0), logit(0.75))
    assert found.item() == pytest.approx(divergence(0.75, 0.5), rel=1e-5)
    assert losses.consistency(as_two(flat(0)), as_two(logit(0.75))).item() == pytest.approx(found.item(), rel=1e-5)
    assert losses.consistency(flat(2), flat(2)).item() == pytest.approx(0, abs=1e-7)


def test_temperature_softens_both_and_is_made_up_for():
    p = math.sqrt(3) / (1 + math.sqrt(3))
    found = losses.consistency(flat(0), flat(LN3), temperature=2).item()
    assert found == pytest.approx(4 * divergence(p, 0.5), rel=1e-5)
    assert losses.distillation(flat(0), flat(0.75), temperature=2).item() == pytest.approx(found, rel=1e-5)


def test_only_the_enhanced_form_learns_from_consistency():
    texture, picture = flat(0).requires_grad_(), flat(1).requires_grad_()
    losses.consistency(texture, picture).backward()
    assert picture.grad is None
    assert texture.grad.abs().sum() > 0


def test_distillation_in_both_forms():
    assert losses.distillation(flat(0), flat(0.75)).item() == pytest.approx(divergence(0.75, 0.5), rel=1e-4)
    assert losses.distillation(flat(0), flat(0.75), form="mse").item() == pytest.approx(0.0625)
    assert losses.distillation(logit(0.9), flat(0.9)).item() == pytest.approx(0, abs=1e-6)


def test_a_teacher_that_is_sure_is_bounded():
    assert losses.distillation(flat(0), flat(1)).item() == pytest.approx(divergence(0.999, 0.5), rel=1e-4)


def test_temporal_counts_only_what_has_not_changed():
    prior, matte = torch.ones(1, 1, 2, 2), torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])
    logits = torch.tensor([[[[0.0, 9.0], [0.0, -9.0]]]])
    assert losses.temporal(logits, prior, matte).item() == pytest.approx(0.25)


def test_temporal_leaves_out_pictures_without_a_mask_before():
    logits = torch.cat((flat(0), flat(9)))
    priors = torch.cat((flat(1), flat(0)))
    assert losses.temporal(logits, priors, priors).item() == pytest.approx(0.25)
    assert losses.temporal(flat(9), flat(0), flat(0)).item() == 0


@pytest.mark.parametrize("extreme", [300.0, -300.0])
@pytest.mark.parametrize("name", LOSSES)
def test_numbers_stay_numbers_in_bfloat16(name, extreme):
    logits = torch.full((2, 1, 4, 4), extreme, dtype=torch.bfloat16, requires_grad=True)
    truth = torch.rand(2, 1, 4, 4)
    batch = {"picture": truth, "matte": truth, "prior": truth, "texture": truth}
    total, parts = Loss({name: 1})(lambda picture, prior: -logits, logits, batch, teacher=truth)
    total.backward()
    assert total.dtype == torch.float32
    assert math.isfinite(total.item())
    assert math.isfinite(parts[name])
    assert torch.isfinite(logits.grad).all()


def test_the_sum_is_weighed_and_its_parts_are_not():
    batch = {"matte": flat(1)}
    total, parts = Loss({"dice": 0.5, "cross-entropy": 2, "focal": 0})(None, logit(0.75), batch)
    assert parts == {"cross-entropy": pytest.approx(-math.log(0.75)), "dice": pytest.approx(1 - 7 / 7.25)}
    assert total.item() == pytest.approx(2 * parts["cross-entropy"] + 0.5 * parts["dice"])


def test_with_consistency_the_enhanced_form_is_held_to_the_truth_as_well():
    def net(picture: torch.Tensor, prior: torch.Tensor | None) -> torch.Tensor:
        assert torch.equal(picture, flat(7, channels=3))
        assert prior is None
        return logit(0.5)

    batch = {"matte": flat(1), "texture": flat(7, channels=3)}
    _, parts = Loss({"cross-entropy": 1, "consistency": 1})(net, logit(0.75), batch)
    assert parts["cross-entropy"] == pytest.approx((LN2 - math.log(0.75)) / 2, rel=1e-5)
    assert parts["consistency"] == pytest.approx(divergence(0.75, 0.5), rel=1e-5)


def test_a_boundary_head_is_used_where_the_net_has_one():
    logits, head = flat(0, side=6, channels=2), as_two((losses.edges(step()) * 2 - 1) * 20)
    _, parts = Loss({"boundary": 1, "cross-entropy": 1})(None, (logits, head), {"matte": step()})
    assert parts["boundary"] == pytest.approx(0, abs=1e-6)
    assert parts["cross-entropy"] == pytest.approx(LN2)


def test_a_teacher_is_shown_the_picture():
    class Told:
        def probability(self, picture: torch.Tensor) -> torch.Tensor:
            return picture[:, :1] / 4

    batch = {"picture": flat(3, channels=3), "matte": flat(0)}
    _, parts = Loss({"distillation": 1}, distil="mse")(None, flat(0), batch, Told())
    assert parts["distillation"] == pytest.approx(0.0625)


def test_what_a_loss_needs_is_known_and_asked_for():
    assert Loss({"consistency": 1, "temporal": 1, "dice": 1}).needs == {"texture", "prior"}
    assert Loss({"distillation": 1, "temporal": 0}).needs == {"teacher"}
    with pytest.raises(UsageError, match="needs the teacher"):
        Loss({"distillation": 1})(None, flat(0), {"matte": flat(0)})
    with pytest.raises(UsageError, match="needs the prior"):
        Loss({"temporal": 1})(None, flat(0), {"matte": flat(0)})


@pytest.mark.parametrize(
    ("weights", "temperature", "message"),
    [
        ({"cross entropy": 1}, 1, "no loss cross entropy"),
        ({"dice": -1}, 1, "cannot weigh -1"),
        ({"dice": math.nan}, 1, "cannot weigh nan"),
        ({"dice": math.inf}, 1, "cannot weigh inf"),
        ({"dice": 0}, 1, "nothing to be trained for"),
        ({}, 1, "nothing to be trained for"),
        ({"dice": 1}, 0, "temperature cannot be 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(weights, temperature, message):
    with pytest.raises(UsageError, match=message):
        Loss(weights, temperature=temperature)
