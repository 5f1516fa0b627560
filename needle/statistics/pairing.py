"""Comparisons in pairs: the same trials asked of two models, or in two languages. Pure.

Every pair shares its replicate and cell, so what they share cancels (Miller 2024). With a single
replicate the test is McNemar's exact one over the pairs that differ: it speaks of that needle
in that text. With several it is a permutation of signs over the replicates' mean differences,
since a replicate is the unit of chance. Holm's correction keeps the whole of the comparisons made
together at 5%.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from needle.statistics.intervals import (
    LEVEL,
    Scores,
    difference_error,
    estimate_difference,
    quantile,
)
from needle.words.claims import Comparison, PairedCell

POWER = 0.8
_EXACT = 14  # replicates up to which all signs are tried
_DRAWS = 9_999


def compare(
    named: Comparison,
    first: Scores,
    second: Scores,
    *,
    squares: Scores | None = None,
    one_draw: bool,
) -> Comparison:
    """Fill in a comparison of scores of the shape (replicates, lengths, depths).

    ``named`` gives what is compared and its cells, in the order of lengths and depths. Only pairs
    that are scored in both count; where they are of one replicate alone it is ``one_draw``.
    ``squares`` are the differences as the cells show them, where a trial stands in several.
    """
    differences = second - first
    one_draw = one_draw or int((~np.isnan(differences)).any(axis=(1, 2)).sum()) == 1
    flat = differences.reshape(1, 1, -1) if one_draw else differences
    there = differences[~np.isnan(differences)]
    replicates = int((~np.isnan(flat)).any(axis=(1, 2)).sum())
    test = permute if len(flat) > 1 else mcnemar
    return replace(
        named,
        pairs=len(there),
        replicates=replicates,
        difference=estimate_difference(flat),
        only_first=int((there < 0).sum()),
        only_second=int((there > 0).sum()),
        test="permutation" if len(flat) > 1 else "mcnemar",
        p_value=test(flat),
        detectable=_detect(flat, replicates),
        needed=_need(1),
        cells=_compare_cells(named.cells, differences if squares is None else squares),
    )


def mcnemar(differences: Scores) -> float:
    """Return the exact two-sided p-value of McNemar's test over all pairs, by their sign."""
    from statsmodels.stats.contingency_tables import mcnemar as test

    lower, higher = int((differences < 0).sum()), int((differences > 0).sum())
    if not lower + higher:
        return 1.0
    return float(test([[0, lower], [higher, 0]], exact=True).pvalue)


def permute(differences: Scores) -> float:
    """Return the two-sided p-value of the mean difference under random signs of the replicates.

    All signs are tried up to 14 replicates, 9,999 random ones beyond, the same on every machine.
    """
    from scipy.stats import permutation_test

    there = ~np.isnan(differences)
    sizes = there.sum(axis=(1, 2))
    totals = np.nansum(differences, axis=(1, 2))[sizes > 0]
    if not totals.any() or len(totals) < 2:  # noqa: PLR2004 - there is nothing to permute
        return 1.0
    draws = math.inf if len(totals) <= _EXACT else _DRAWS
    result = permutation_test(
        (totals,),
        lambda x, axis: np.sum(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=draws,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)


def _detect(differences: Scores, replicates: int) -> float | None:
    """Return the smallest difference that would have been seen with POWER at the 5% level."""
    there = differences[~np.isnan(differences)]
    if len(differences) > 1:
        errors = _ask_errors(replicates, 1)
        return None if errors is None else min(errors * difference_error(differences), 1.0)
    least = _ask_pairs(len(there), 1)
    if least is None:
        return None
    error = math.sqrt(float((there**2).sum())) / len(there)
    return min(max((quantile(1 - LEVEL / 2) + quantile(POWER)) * error, least), 1.0)


def _ask_pairs(pairs: int, number: int) -> float | None:
    """Return the least share of pairs in which one must be better, the other never, to be seen.

    With POWER so many of them differ that their signs alone reach 5%. None where all are too few.
    """
    from scipy.special import betaincinv

    needed = _need(number)
    return float(betaincinv(needed, pairs - needed + 1, POWER)) if pairs >= needed else None


def _need(number: int) -> int:
    """Return the fewest signs, all alike, that reach 5%, corrected for so many comparisons."""
    return 1 + math.floor(math.log2(2 * number / LEVEL))


def _ask_errors(replicates: int, number: int) -> float | None:
    """Return how many standard errors a difference must be, to be seen with POWER.

    Signs give no p-value but multiples of 2 / 2^replicates, so the level is the last of them under
    5%, corrected for so many comparisons. Student's quantiles, since the error is estimated too.
    None where the replicates are too few.
    """
    from scipy.special import stdtrit

    if replicates < _need(number):
        return None
    step = 2.0 ** (1 - replicates)
    level = math.floor(LEVEL / number / step) * step
    return float(stdtrit(replicates - 1, 1 - level / 2) + stdtrit(replicates - 1, POWER))


def _compare_cells(cells: Sequence[PairedCell], differences: Scores) -> tuple[PairedCell, ...]:
    """Return each cell's mean difference, and whether it is beyond chance among all cells."""
    by_cell = differences.reshape(len(differences), -1).T
    compared = []
    for cell, values in zip(cells, by_cell, strict=True):
        there = values[~np.isnan(values)]
        if not len(there):
            compared.append(cell)
            continue
        p_value = mcnemar(there)
        compared.append(
            replace(cell, difference=float(there.mean()), pairs=len(there), p_value=p_value)
        )
    return _mark(compared)


def _mark(cells: Sequence[PairedCell]) -> tuple[PairedCell, ...]:
    """Mark the cells that differ beyond chance, 5% of those marked being so by chance at most."""
    p_values = [cell.p_value for cell in cells if cell.p_value is not None]
    marks = iter(_reject(p_values))
    return tuple(
        replace(cell, beyond_chance=cell.p_value is not None and next(marks)) for cell in cells
    )


def _reject(p_values: Sequence[float]) -> list[bool]:
    from statsmodels.stats.multitest import fdrcorrection

    if not p_values:
        return []
    rejected: NDArray[np.bool_] = fdrcorrection(p_values, alpha=LEVEL)[0]
    return [bool(each) for each in rejected]


def adjust(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return comparisons made together with Holm's p-values, and what would show after them."""
    number = len(comparisons)
    adjusted = _holm([each.p_value for each in comparisons])
    return [
        replace(
            each,
            p_adjusted=float(p),
            detectable=_detect_among(each, number),
            needed=_need(number),
        )
        for each, p in zip(comparisons, adjusted, strict=True)
    ]


def _holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's p-values (1979): the least is times their number, the next times one less.

    statsmodels has them too, but collects a process's whole garbage at every call.
    """
    order = np.argsort(p_values)
    left = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(left * np.asarray(p_values, float)[order])
    return [min(float(p), 1.0) for p in adjusted]


def _detect_among(comparison: Comparison, number: int) -> float | None:
    """Return what a comparison would have shown as one of so many, the first to be shown."""
    alone = comparison.detectable
    if alone is None or number == 1:
        return alone
    if comparison.test == "mcnemar":
        one, among = (quantile(1 - LEVEL / 2 / n) + quantile(POWER) for n in (1, number))
        least = _ask_pairs(comparison.pairs, number)
        return None if least is None else min(max(alone * among / one, least), 1.0)
    errors, own = (_ask_errors(comparison.replicates, n) for n in (number, 1))
    return None if errors is None or own is None else min(alone * errors / own, 1.0)
