"""The weak region: where in length and depth a model loses facts, found from the cells. Pure.

It is the rectangle of cells that stands out most below the rest, by Kulldorff's (1997) scan
statistic: the likelihood of a loss rate of its own inside, against one rate everywhere. It
counts as found if no more than LEVEL of grids with the same cells in random order have one that
stands out as much, and if recall inside is LEAST lower than outside.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from needle.statistics.intervals import LEVEL
from needle.words.claims import WeakRegion
from needle.words.figures import Heatmap
from needle.words.types import Verdict

LEAST = 0.1
"""Recall must be lower inside by so much: less is of no consequence."""

_ORDERS = 59  # in random order; 1 / (59 + 1) is the least p-value
_FINE = 18  # stretches of an axis that the random orders are scanned by: a finer grid is pooled
_MOST = 0.9  # of the scored trials may be inside: there must be a rest to stand out from

Matrix = NDArray[np.float64]


def find_weak_region(heatmap: Heatmap) -> WeakRegion | None:
    """Return the weak region of a heatmap; None where nothing stands out.

    The random orders are the same on every machine.
    """
    lengths, depths = heatmap.grid.lengths, heatmap.grid.depths
    scored, lost = _count(heatmap)
    if min(len(lengths), len(depths)) < 2 or not 0 < lost.sum() < scored.sum():  # noqa: PLR2004
        return None
    _, place = _scan(scored, lost)
    if place is None:
        return None
    (first, last), (top, bottom) = place
    inside = np.zeros_like(scored, dtype=bool)
    inside[first : last + 1, top : bottom + 1] = True
    recall_in = 1 - lost[inside].sum() / scored[inside].sum()
    recall_out = 1 - lost[~inside].sum() / scored[~inside].sum()
    if recall_out - recall_in < LEAST:
        return None
    p_value = _rank(scored, lost)
    if p_value > LEVEL:
        return None
    return WeakRegion(
        (lengths[first], lengths[last]),
        (depths[top], depths[bottom]),
        float(recall_in),
        float(recall_out),
        p_value,
    )


def _count(heatmap: Heatmap) -> tuple[Matrix, Matrix]:
    """Return the scored trials of each cell and how many of them were lost, lengths by depths."""
    shape = len(heatmap.grid.lengths), len(heatmap.grid.depths)
    cells = {(c.context_length, c.depth_percent): c for c in heatmap.cells}
    scored, lost = np.zeros(shape), np.zeros(shape)
    for row, length in enumerate(heatmap.grid.lengths):
        for column, depth in enumerate(heatmap.grid.depths):
            cell = cells.get((length, depth))
            if cell is not None and cell.score is not None:
                scores: tuple[Verdict, ...] = ("found", "partial", "missed", "refused")
                number = sum(cell.verdicts.get(verdict, 0) for verdict in scores)
                scored[row, column], lost[row, column] = number, number * (1 - cell.score)
    return scored, lost


@functools.cache
def _ranges(count: int) -> tuple[Matrix, list[tuple[int, int]]]:
    """Return all stretches of an axis, and a matrix that sums over each of them."""
    ends = [(start, end) for start in range(count) for end in range(start, count)]
    sums = np.zeros((len(ends), count))
    for number, (start, end) in enumerate(ends):
        sums[number, start : end + 1] = 1
    return sums, ends


Place = tuple[tuple[int, int], tuple[int, int]]


def _scan(scored: Matrix, lost: Matrix) -> tuple[float, Place | None]:
    """Return the greatest statistic of all rectangles, and its rectangle."""
    (rows, row_ends), (columns, column_ends) = (_ranges(size) for size in scored.shape)
    inside, gone = rows @ scored @ columns.T, rows @ lost @ columns.T
    whole, all_gone = scored.sum(), lost.sum()
    rest, rest_gone = whole - inside, all_gone - gone
    likely = _likelihood(gone, inside) + _likelihood(rest_gone, rest)
    worse = (gone * rest > rest_gone * inside) & (inside > 0) & (inside <= _MOST * whole)
    likely = np.where(worse, likely, -np.inf)
    best = int(likely.argmax())
    if not np.isfinite(likely.flat[best]):
        return -np.inf, None
    row, column = np.unravel_index(best, likely.shape)
    return float(likely.flat[best]), (row_ends[int(row)], column_ends[int(column)])


def _likelihood(gone: Matrix, number: Matrix) -> Matrix:
    return _times_log(gone) + _times_log(number - gone) - _times_log(number)


def _times_log(values: Matrix) -> Matrix:
    """Return x log x, 0 at 0. numpy's own logarithm is some ten times faster than xlogy."""
    whole = np.maximum(values, 1e-12)
    result: Matrix = whole * np.log(whole)
    return result


def _rank(scored: Matrix, lost: Matrix) -> float:
    """Return the share of random orders of the cells, their own among them, that stand out so."""
    there = scored > 0
    pairs = np.stack([scored[there], lost[there]])
    draw = np.random.default_rng(0)
    best = _scan(_pool(scored), _pool(lost))[0]
    as_great = 0
    for _ in range(_ORDERS):
        order = draw.permutation(pairs.shape[1])
        mixed = np.zeros_like(scored), np.zeros_like(lost)
        for matrix, values in zip(mixed, pairs, strict=True):
            matrix[there] = values[order]
        as_great += _scan(*map(_pool, mixed))[0] >= best
    return (as_great + 1) / (_ORDERS + 1)


def _pool(matrix: Matrix) -> Matrix:
    """Sum a matrix's neighbours, so that neither axis has more than _FINE of them."""
    for axis in (0, 1):
        step = math.ceil(matrix.shape[axis] / _FINE)
        matrix = np.add.reduceat(matrix, range(0, matrix.shape[axis], step), axis=axis)
    return matrix
