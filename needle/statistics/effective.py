"""The effective context length: how far a model holds its recall, with an interval. Pure.

Two definitions are in use. RULER (Hsieh et al. 2024): the largest length whose mean score still
reaches a fixed threshold, 85.6%. NoLiMa (Modarressi et al. 2025): the largest at which the model
keeps at least 85% of its own score at short lengths. Both are read off one curve: recall by
length, made monotone (isotonic regression, in length only: a dip at some depth is a finding,
not noise), and straight between tested lengths over their logarithm. A fit of this kind has no
slope to diverge, so lengths that are found or lost whole are as good as any others.

The interval's ends are where the curves through the lower and the upper ends of recall by
length cross the threshold; each length borrows strength from its neighbours, since recall is taken
not to rise with length. Like the curve they are straight where nothing was tested, and a cliff
between two lengths may lie outside them. So each length comes with the two tested ones between
which it lies whatever the shape of the curve: where the same bounds are over the threshold, and
under it.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from needle.statistics.intervals import (
    LEVEL,
    SHRINKAGE,
    Numbers,
    Scores,
    Values,
    estimate_stretches,
    mean_variances,
    near_cells,
    quantile,
    sum_stretches,
)
from needle.words.claims import Definition, EffectiveLength, Scope, State

ABSOLUTE = 0.856
"""RULER's threshold: the score of Llama-2-7B at 4k."""

KEPT = 0.85
"""NoLiMa's share of the score at short lengths."""

_OVER = 1 + 1e-9  # a length that was found over its logarithm is not quite the tested one

Bounds = tuple[Values, Values, Values]
"""Values, and the ends of their intervals: an entry for each stretch of neighbouring lengths."""

Bound = Callable[[Scores, Numbers, Numbers], Bounds]
"""What gives them for the lengths' scores, and the stretches' starts and ends (intervals)."""


def reach_absolute(lengths: Sequence[float], scores: Scores) -> EffectiveLength:
    """Return the effective length by the fixed threshold.

    ``scores`` are of the shape (replicates, lengths, depths), lengths in ascending order.
    """
    return _reach("absolute", lengths, scores, _share, ABSOLUTE, ABSOLUTE)


def reach_relative(lengths: Sequence[float], scores: Scores, base: Scores) -> EffectiveLength:
    """Return the effective length by a share of the score at short lengths.

    Each replicate is held against its own base, so that a needle that is hard everywhere
    shortens nothing. ``base`` is of the shape of ``scores``, with lengths and depths of its own.
    Where nothing is found at short lengths there is nothing to keep, and no length.
    """
    if not np.nansum(base):
        return _reach("relative", (), scores[:, :0, :], _share, 0.0, None)

    def bound(part: Scores, starts: Numbers, ends: Numbers) -> Bounds:
        return _margin(part, base, starts, ends)

    threshold = KEPT * float(np.nanmean(base))
    return _reach("relative", lengths, scores, bound, 0.0, threshold)


def _share(scores: Scores, starts: Numbers, ends: Numbers) -> Bounds:
    """Return recall over stretches of lengths, with the ends."""
    return estimate_stretches(scores, near_cells(scores), starts, ends)


def _mean_by_replicate(base: Scores) -> Scores:
    """Return each replicate's base score, the mean of all where it has none."""
    there = ~np.isnan(base)
    sizes = there.sum(axis=(1, 2), keepdims=True)
    means = np.nansum(base, axis=(1, 2), keepdims=True) / np.maximum(sizes, 1)
    return np.where(sizes > 0, means, np.nanmean(base))


def _margin(scores: Scores, base: Scores, starts: Numbers, ends: Numbers) -> Bounds:
    """Return how far recall over stretches is over its share of the base, with the ends."""
    margin = scores - KEPT * _mean_by_replicate(base)
    trials = sum_stretches((~np.isnan(scores)).sum(axis=(0, 2)), starts, ends)
    values = sum_stretches(np.nansum(margin, axis=(0, 2)), starts, ends) / trials
    cells, short = near_cells(scores), float(np.nanmean(near_cells(base)))
    if len(scores) == 1:
        known = sum_stretches((~np.isnan(cells)).sum(axis=1), starts, ends)
        variances = sum_stretches(np.nansum(cells, axis=1), starts, ends) / known / trials
        variances += KEPT**2 * short / int((~np.isnan(base)).sum())
    else:
        variances = mean_variances(margin, cells + KEPT**2 * short, SHRINKAGE, starts, ends)
    half = quantile(1 - LEVEL / 2) * np.sqrt(variances)
    return values, values - half, values + half


def _reach(
    definition: Definition,
    lengths: Sequence[float],
    scores: Scores,
    bound: Bound,
    level: float,
    threshold: float | None,
) -> EffectiveLength:
    there = np.asarray(~np.isnan(scores).all(axis=(0, 2)))
    at = [float(length) for length, known in zip(lengths, there, strict=True) if known]
    scope: Scope = "population" if len(scores) > 1 else "draw"
    if not at:
        return EffectiveLength(definition, threshold, None, None, None, None, None, None, scope)
    scores = scores[:, there, :]
    weights = [int(number) for number in (~np.isnan(scores)).sum(axis=(0, 2))]
    curve, lower, upper = (
        fall(list(map(float, values)), weights) for values in _borrow(scores, bound)
    )
    length, state = cross(at, curve, level)
    (low, low_state), (high, high_state) = cross(at, lower, level), cross(at, upper, level)
    # Where recall rises with length after all, bounds may pass each other: the length stays inside.
    place = length or at[0]
    start = None if "below" in (low_state, state) else min(low or at[0], place)
    end = None if "beyond" in (high_state, state) else max(high or at[0], place)
    held = [x for x, y in zip(at, lower, strict=True) if y >= level and x <= place * _OVER]
    lost = [x for x, y in zip(at, upper, strict=True) if y < level and x >= place / _OVER]
    held_at = held[-1] if held and start is not None else None
    lost_at = lost[0] if lost and end is not None else None
    return EffectiveLength(
        definition, threshold, length, state, start, end, held_at, lost_at, scope
    )


def _borrow(scores: Scores, bound: Bound) -> Bounds:
    """Return the values at each length, and the ends of their intervals.

    Recall does not rise with length, so at each length it is at least the mean over it and any
    that follow, and at most the mean over it and any before: the best of these bounds is taken.
    """
    count = scores.shape[1]
    first, last = np.triu_indices(count)
    values, lows, highs = bound(scores, first, last + 1)
    by_first, by_last = np.full((count, count), -np.inf), np.full((count, count), np.inf)
    by_first[first, last], by_last[first, last] = lows, highs
    return values[first == last], by_first.max(axis=1), by_last.min(axis=0)


def fall(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the nearest curve that never rises with length (isotonic regression)."""
    from scipy.optimize import isotonic_regression

    fitted = isotonic_regression(values, weights=weights, increasing=False)
    return [float(value) for value in fitted.x]


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
