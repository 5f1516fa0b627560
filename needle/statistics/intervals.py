"""95% intervals for mean scores, by replicate. Pure.

The unit of chance is the replicate: one needle in one place of a text. All its cells share
what is easy or hard about it, so a thousand cells of one replicate are one draw. The interval
is Wilson's (1927) with the number of trials replaced by the effective number, as surveys with
clusters do it (Korn and Graubard 1998; Dean and Pagano 2015; Miller 2024, "Adding Error Bars to
Evals", clusters standard errors too):

    effective = p(1 - p) / (s^2 / r)        within r and the number of scored trials

s^2 is the spread of the r replicates' means. A few replicates can't show how far replicates may
differ - five that agree do not say that the sixth will - so s^2 takes in SHRINKAGE further
replicates that differ as far as the recall of each cell allows. That keeps an interval from
zero width where every trial was found, or none. docs/statistics.md shows how well it covers.
"""

import math

import numpy as np
from numpy.typing import NDArray

from needle.words.claims import Estimate, Scope

SHRINKAGE = 1.25
"""How many replicates of the greatest possible spread are added."""

DIFFERENCE_SHRINKAGE = 0.5
"""The same for differences in pairs, in which what replicates share cancels."""

IN_COMMON = 0.25
"""How much of a replicate's luck at one length is taken to be its luck at every other one."""

LEVEL = 0.05

Scores = NDArray[np.float64]
"""Scores (or differences) of shape (replicates, lengths, depths); NaN where there is none."""

Numbers = NDArray[np.int_]
Values = NDArray[np.float64]


def estimate(scores: Scores) -> Estimate:
    """Return the mean score with its interval; it is never of zero width.

    With a single replicate it is Wilson's interval over its trials: about this needle in this
    text, and nothing else.
    """
    there = ~np.isnan(scores)
    trials, count = int(there.sum()), int(there.any(axis=(1, 2)).sum())
    scope: Scope = "population" if len(scores) > 1 else "draw"
    if not trials:
        return Estimate(None, None, None, 0, 0, scope)
    whole = np.array([0]), np.array([scores.shape[1]])
    means, lows, highs = estimate_stretches(scores, near_cells(scores), *whole)
    return Estimate(float(means[0]), float(lows[0]), float(highs[0]), trials, count, scope)


def estimate_stretches(
    scores: Scores, cells: Scores, starts: Numbers, ends: Numbers
) -> tuple[Values, Values, Values]:
    """Return mean scores over stretches of neighbouring lengths, and their intervals' ends.

    An entry a stretch: from length number ``starts`` to before ``ends``, each with a score.
    ``cells`` are as in mean_variances. With a single replicate it is Wilson's over its trials.
    """
    there = ~np.isnan(scores)
    trials = sum_stretches(there.sum(axis=(0, 2)), starts, ends)
    counts = (sum_stretches(there.sum(axis=2), starts, ends) > 0).sum(axis=0)
    means = sum_stretches(np.nansum(scores, axis=(0, 2)), starts, ends) / trials
    means = np.clip(means, 0.0, 1.0)
    if len(scores) == 1:
        return means, *share_intervals(means, trials)
    near = (means * counts + 0.5) / (counts + 1)
    variances = mean_variances(scores, cells, SHRINKAGE, starts, ends)
    effective = np.minimum(np.maximum(near * (1 - near) / variances, counts), trials)
    return means, *share_intervals(means, effective)


def share_interval(mean: float, trials: float) -> tuple[float, float]:
    """Return a 95% interval of a share of so many trials, as share_intervals does."""
    low, high = share_intervals(np.array([mean]), np.array([trials], dtype=float))
    return float(low[0]), float(high[0])


def share_intervals(means: Values, trials: Values) -> tuple[Values, Values]:
    """Return 95% intervals of shares of so many trials: the wider ends of Wilson's and Jeffreys'.

    Brown, Cai and DasGupta (2001) recommend both; near 0 and 1 each alone falls short at times.
    Where all were found, or none, it is Wilson's.
    """
    from scipy.special import betaincinv

    square = quantile(1 - LEVEL / 2) ** 2
    middle = (means + square / (2 * trials)) / (1 + square / trials)
    spread = means * (1 - means) / trials + square / (4 * trials**2)
    half = np.sqrt(square * np.maximum(spread, 0.0)) / (1 + square / trials)
    lows, highs = middle - half, middle + half
    inside = (means > 0) & (means < 1)
    found, lost = means[inside] * trials[inside] + 0.5, (1 - means[inside]) * trials[inside] + 0.5
    lows[inside] = np.minimum(lows[inside], betaincinv(found, lost, LEVEL / 2))
    highs[inside] = np.maximum(highs[inside], betaincinv(found, lost, 1 - LEVEL / 2))
    lows, highs = np.maximum(lows, 0.0), np.minimum(highs, 1.0)
    return np.where(means == 0, 0.0, lows), np.where(means == 1, 1.0, highs)


def near_cells(scores: Scores) -> Scores:
    """Return the greatest variance of each cell's score: p(1 - p), p drawn in from 0 and 1."""
    number = (~np.isnan(scores)).sum(axis=0)
    p = (np.nansum(scores, axis=0) + 0.5) / (number + 1)
    return np.where(number > 0, p * (1 - p), np.nan)


def mean_variance(scores: Scores, cells: Scores, shrinkage: float) -> float:
    """Return the variance of the mean over replicates, as mean_variances does for a stretch."""
    whole = np.array([0]), np.array([scores.shape[1]])
    return float(mean_variances(scores, cells, shrinkage, *whole)[0])


def mean_variances(
    scores: Scores, cells: Scores, shrinkage: float, starts: Numbers, ends: Numbers
) -> Values:
    """Return the variance of the mean over replicates in each stretch of neighbouring lengths.

    ``cells`` are the greatest variances of each cell's score, of which ``shrinkage`` replicates
    are taken in. A stretch goes from length number ``starts`` to before ``ends``.
    """
    sizes = sum_stretches((~np.isnan(scores)).sum(axis=2), starts, ends)
    totals = sum_stretches(np.nansum(scores, axis=2), starts, ends)
    counts = (sizes > 0).sum(axis=0)
    off = totals - sizes * (totals.sum(axis=0) / sizes.sum(axis=0))
    spread = ((off * counts / sizes.sum(axis=0)) ** 2).sum(axis=0)
    greatest = _greatest_spreads(cells, starts, ends)
    several = (spread + shrinkage * greatest) / np.maximum(counts - 1 + shrinkage, 1) / counts
    return np.where(counts == 1, greatest, several)


def sum_stretches(values: Numbers | Values, starts: Numbers, ends: Numbers) -> Values:
    """Return sums over stretches of the last axis, an entry each."""
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return np.asarray(sums[..., ends] - sums[..., starts])


def _greatest_spreads(cells: Scores, starts: Numbers, ends: Numbers) -> Values:
    """Return how far replicates' means can vary at most, given the variance of each cell.

    At one length a replicate may be found at all depths or at none (Cauchy and Schwarz's bound);
    of that, IN_COMMON is taken to go for all lengths at once.
    """
    known = (~np.isnan(cells)).sum(axis=1)
    at_lengths = np.nansum(np.sqrt(cells), axis=1) / np.maximum(known, 1)
    number = sum_stretches(known > 0, starts, ends)
    together = (sum_stretches(at_lengths, starts, ends) / number) ** 2
    apart = sum_stretches(at_lengths**2, starts, ends) / number**2
    return np.asarray(IN_COMMON * together + (1 - IN_COMMON) * apart)


def estimate_difference(differences: Scores) -> Estimate:
    """Return the mean of paired differences (-1 to 1) with its interval, by replicate.

    With a single replicate the interval is over its
    pairs (Agresti and Min 2005): about this needle in this text, and nothing else.
    """
    there = ~np.isnan(differences)
    pairs, count = int(there.sum()), int(there.any(axis=(1, 2)).sum())
    scope: Scope = "population" if len(differences) > 1 else "draw"
    if not pairs:
        return Estimate(None, None, None, 0, 0, scope)
    mean = float(np.nansum(differences)) / pairs
    if scope == "draw":
        apart, middle = float(np.nansum(differences**2)) + 1, float(np.nansum(differences))
        error = math.sqrt(apart - middle**2 / (pairs + 2)) / (pairs + 2)
    else:
        error = difference_error(differences)
    half = quantile(1 - LEVEL / 2) * error
    return Estimate(mean, max(mean - half, -1.0), min(mean + half, 1.0), pairs, count, scope)


def difference_error(differences: Scores) -> float:
    """Return the standard error of the mean of paired differences over replicates, never zero."""
    number = (~np.isnan(differences)).sum(axis=0)
    square = (np.nansum(differences**2, axis=0) + 0.5) / (number + 1)
    mean = np.nansum(differences, axis=0) / (number + 1)
    cells = np.where(number > 0, square - mean**2, np.nan)
    return math.sqrt(mean_variance(differences, cells, DIFFERENCE_SHRINKAGE))


def quantile(share: float) -> float:
    """Return the standard normal distribution's quantile."""
    from scipy.special import ndtri

    return float(ndtri(share))
