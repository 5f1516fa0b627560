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
    mean = min(max(float(np.nansum(scores)) / trials, 0.0), 1.0)
    if scope == "draw":
        effective = float(trials)
    else:
        near = (mean * count + 0.5) / (count + 1)
        variance = mean_variance(scores, near_cells(scores), SHRINKAGE)
        effective = min(max(near * (1 - near) / variance, count), trials)
    low, high = share_interval(mean, effective)
    return Estimate(mean, low, high, trials, count, scope)


def share_interval(mean: float, trials: float) -> tuple[float, float]:
    """Return a 95% interval of a share of so many trials: the wider ends of Wilson's and Jeffreys'.

    Brown, Cai and DasGupta (2001) recommend both; near 0 and 1 each alone falls short at times.
    Where all were found, or none, it is Wilson's.
    """
    from scipy.special import betaincinv

    square = quantile(1 - LEVEL / 2) ** 2
    middle = (mean + square / (2 * trials)) / (1 + square / trials)
    spread = mean * (1 - mean) / trials + square / (4 * trials**2)
    half = math.sqrt(square * max(spread, 0.0)) / (1 + square / trials)
    low, high = middle - half, middle + half
    if 0 < mean < 1:
        found, lost = mean * trials + 0.5, (1 - mean) * trials + 0.5
        low = min(low, float(betaincinv(found, lost, LEVEL / 2)))
        high = max(high, float(betaincinv(found, lost, 1 - LEVEL / 2)))
    return (0.0 if mean == 0 else max(low, 0.0)), (1.0 if mean == 1 else min(high, 1.0))


def near_cells(scores: Scores) -> Scores:
    """Return the greatest variance of each cell's score: p(1 - p), p drawn in from 0 and 1."""
    number = (~np.isnan(scores)).sum(axis=0)
    p = (np.nansum(scores, axis=0) + 0.5) / (number + 1)
    return np.where(number > 0, p * (1 - p), np.nan)


def mean_variance(scores: Scores, cells: Scores, shrinkage: float) -> float:
    """Return the variance of the mean over replicates.

    ``cells`` are the greatest variances of each cell's score, of which ``shrinkage`` replicates
    are taken in.
    """
    there = ~np.isnan(scores)
    sizes = there.sum(axis=(1, 2))
    sizes, totals = sizes[sizes > 0], np.nansum(scores, axis=(1, 2))[sizes > 0]
    count = len(sizes)
    greatest = _greatest_spread(cells)
    if count == 1:
        return greatest
    off = (totals - sizes * (totals.sum() / sizes.sum())) / sizes.mean()
    spread = float((off**2).sum())
    return (spread + shrinkage * greatest) / (count - 1 + shrinkage) / count


def _greatest_spread(cells: Scores) -> float:
    """Return how far replicates' means can vary at most, given the variance of each cell.

    At one length a replicate may be found at all depths or at none (Cauchy and Schwarz's bound);
    of that, IN_COMMON is taken to go for all lengths at once.
    """
    columns = [column[~np.isnan(column)] for column in cells]
    at_lengths = np.array([np.sqrt(column).mean() for column in columns if len(column)])
    together = float(at_lengths.mean() ** 2)
    apart = float((at_lengths**2).mean() / len(at_lengths))
    return IN_COMMON * together + (1 - IN_COMMON) * apart


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
