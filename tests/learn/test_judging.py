"""Better on the user, and not worse on others."""

from __future__ import annotations

import math

import pytest

from vcam.learn.judging import Figures, judged

BEFORE = Figures(miou=98.0, band=92.0, flicker=2.0, others=95.0)


def after(**changes) -> Figures:
    return Figures(**{"miou": 98.3, "band": 93.0, "flicker": 1.6, "others": 94.9, **changes})


def test_what_is_better_on_the_user_and_hardly_worse_on_others_is_kept():
    assert judged(BEFORE, after()).accepted
    assert judged(BEFORE, after(band=92.0, others=94.8)).accepted
    assert judged(BEFORE, after(miou=98.0, flicker=2.0)).accepted


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"miou": 98.1, "band": 92.1}, "hardly better"),
        ({"band": 91.9}, "worse on you"),
        ({"miou": 97.9}, "worse on you"),
        ({"flicker": 2.2}, "flickers more"),
        ({"others": 94.7}, "forgets others: 0.30 mIoU"),
        ({"band": math.nan}, "cannot be measured"),
        ({"others": math.nan}, "cannot be measured"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_is_refused_with_the_reason(changes, reason):
    verdict = judged(BEFORE, after(**changes))
    assert not verdict.accepted
    assert any(reason in said for said in verdict.reasons)
