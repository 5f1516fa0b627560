"""The effective context length: how far a model holds its recall, with an interval. Pure.

Two definitions are in use. RULER (Hsieh et al. 2024): the largest length whose mean score still
reaches a fixed threshold, 85.6%. NoLiMa (Modarressi et al. 2025): the largest at which the model
keeps at least 85% of its own score at short lengths. Both are read off one curve: recall by
length, made monotone (isotonic regression, in length only: a dip at some depth is a finding,
not noise), and straight between tested lengths over their logarithm. A fit of this kind has no
slope to diverge, so lengths that are found or lost whole are as good as any others.

The interval's ends are where the curves through the lower and the upper ends of recall by
length cross the threshold.
"""

import math
from collections.abc import Sequence

import numpy as np

from needle.claims import Along, Definition, EffectiveLength, State
from needle.intervals import (
    LEVEL,
    SHRINKAGE,
    Scores,
    mean_variance,
    near_cells,
    quantile,
)

ABSOLUTE = 0.856
"""RULER's threshold: the score of Llama-2-7B at 4k."""

KEPT = 0.85
"""NoLiMa's share of the score at short lengths."""

Curve = tuple[Sequence[float], Sequence[float], Sequence[float]]
"""A value at each length, and the ends of its interval."""


def reach_absolute(lengths: Sequence[Along]) -> EffectiveLength:
    """Return the effective length by the fixed threshold; lengths are in ascending order."""
    tested = [each for each in lengths if each.estimate.value is not None]
    curve: Curve = (
        [each.estimate.value or 0.0 for each in tested],
        [each.estimate.low or 0.0 for each in tested],
        [each.estimate.high or 0.0 for each in tested],
    )
    return _reach("absolute", tested, curve, ABSOLUTE, ABSOLUTE)


def reach_relative(lengths: Sequence[Along], scores: Scores, base: Scores) -> EffectiveLength:
    """Return the effective length by a share of the score at short lengths.

    ``scores`` and ``base`` are of the shape (replicates, lengths, depths). Each replicate is held
    against its own base, so that a needle that is hard everywhere shortens nothing.
    """
    tested = [(each, i) for i, each in enumerate(lengths) if each.estimate.value is not None]
    if np.isnan(base).all():
        return _reach("relative", [], ([], [], []), 0.0, None)
    margins = [_margin(scores[:, [i], :], base) for _, i in tested]
    mid, low, high = (list(each) for each in zip(*margins, strict=True))
    threshold = KEPT * float(np.nanmean(base))
    return _reach("relative", [each for each, _ in tested], (mid, low, high), 0.0, threshold)


def _mean_by_replicate(base: Scores) -> Scores:
    """Return each replicate's base score, the mean of all where it has none."""
    there = ~np.isnan(base)
    sizes = there.sum(axis=(1, 2), keepdims=True)
    means = np.nansum(base, axis=(1, 2), keepdims=True) / np.maximum(sizes, 1)
    return np.where(sizes > 0, means, np.nanmean(base))


def _margin(scores: Scores, base: Scores) -> tuple[float, float, float]:
    """Return how far recall at one length is over its share of the base, with the ends."""
    margin = scores - KEPT * _mean_by_replicate(base)
    value = float(np.nanmean(margin))
    cells, short = near_cells(scores), near_cells(base)
    if len(scores) == 1:
        number = int((~np.isnan(scores)).sum())
        variance = float(np.nanmean(cells)) / number
        variance += KEPT**2 * float(np.nanmean(short)) / int((~np.isnan(base)).sum())
    else:
        variance = mean_variance(margin, cells, SHRINKAGE)
    half = quantile(1 - LEVEL / 2) * math.sqrt(variance)
    return value, value - half, value + half


def _reach(
    definition: Definition,
    tested: Sequence[Along],
    curve: Curve,
    level: float,
    threshold: float | None,
) -> EffectiveLength:
    scope = tested[0].estimate.scope if tested else "draw"
    if not tested:
        return EffectiveLength(definition, threshold, None, None, None, None, scope)
    at = [each.at for each in tested]
    weights = [each.estimate.scored for each in tested]
    (length, state), (low, low_state), (high, high_state) = (
        cross(at, fall(at, values, weights), level) for values in curve
    )
    return EffectiveLength(
        definition,
        threshold,
        length,
        state,
        low=None if low_state == "below" else low,
        high={"below": at[0], "within": high, "beyond": None}[high_state],
        scope=scope,
    )


def fall(at: Sequence[float], values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the nearest curve that never rises with length (isotonic regression)."""
    from sklearn.isotonic import IsotonicRegression

    fit = IsotonicRegression(increasing=False)
    return [float(value) for value in fit.fit_transform(at, values, sample_weight=weights)]


def cross(at: Sequence[float], curve: Sequence[float], level: float) -> tuple[float | None, State]:
    """Return where a falling curve goes under a level, and whether that is among the lengths.

    It is the longest length where the curve never does, None where it does from the start.
    """
    if curve[0] < level:
        return None, "below"
    for i in range(1, len(at)):
        if curve[i] < level:
            share = (curve[i - 1] - level) / (curve[i - 1] - curve[i])
            start, end = math.log(at[i - 1]), math.log(at[i])
            return math.exp(start + share * (end - start)), "within"
    return at[-1], "beyond"
