"""Adaptive grids: which trials to ask next, so that the effective length costs less. Pure.

The choice never bends an estimate, because only whole *layers* are chosen. A layer of a length is
one trial of every replicate, at depths that differ from replicate to replicate and run through
all depths from layer to layer; so whatever is asked at a length is balanced over replicates and
depths, however much it is. How many layers a length gets is what is chosen:

1. The core: the first layer of every length. It is fixed before anything is known, and the
   headline recall is its own: lengths that were asked more often would weigh more.
2. Then layers at the lengths where the effective length's interval ends, the cheapest of those
   least asked first; each EDGE_EVERY-th layer is at an edge of the weak region, if there is one.
"""

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Sequence
from functools import cache
from math import gcd, log2, sqrt

from needle.contexts.grid import GOLDEN
from needle.words.claims import EffectiveLength, WeakRegion
from needle.words.types import Grid, Language, Run, SamePlace, Trial

LEAST_REPLICATES = 2
"""Replicates that an adaptive run must have: an interval follows from no single one."""

CLAIMING_REPLICATES = 6
"""The fewest that can put a length above 85.6% with certainty."""

ENOUGH = 0.5
"""Octaves of the effective length's interval at which a run without a budget ends."""

EDGE_EVERY = 8
"""Every so many layers one is at an edge of the weak region, where there is one."""

_FAR = 1_000_000  # whole numbers, so that every machine finds the same order
_AT_ENDS = 3  # lengths at either end of the interval: its bounds draw on neighbours

Square = tuple[int, int, int]
"""A replicate, and the number of its length and of its depth in the grid."""

Spot = tuple[int, int, float]
"""The same as a replicate, a length and a depth in percent."""

Layers = tuple[tuple[tuple[Trial, ...], ...], ...]
"""The trials of each length's layers, each trial in the layer that asks it first."""


def order_depths(replicate: int, length: int, replicates: int, depths: int) -> tuple[int, ...]:
    """Return the numbers of the depths in the order in which a replicate asks them at a length.

    Depths stand in an order of which any stretch is spread over the document. A layer goes
    through them from replicate to replicate, and from length to length in steps that have no
    divisor in common with their number. Each layer has its own place to begin.
    """
    spread, start = _spread(depths), replicate + length * _find_stride(depths)
    begun = _begin_layers(replicates % depths, depths)
    return tuple(spread[(start + shift) % depths] for shift in begun)


@cache
def _spread(depths: int) -> tuple[int, ...]:
    """Return the numbers of the depths in the order of the multiples of the golden section."""
    places = [(number * GOLDEN) % 1 for number in range(depths)]
    return tuple(sorted(places).index(place) for place in places)


@cache
def _begin_layers(left_over: int, depths: int) -> tuple[int, ...]:
    """Return where each layer begins in the order of depths.

    After all depths have had as many replicates, ``left_over`` more take the first few from there.
    The next layer is the one with which all depths have most nearly been asked alike; of
    those, the one that is at depths far from those that the same replicates have had.
    """
    import numpy as np

    around = np.add.outer(np.arange(depths), np.arange(depths)) % depths
    extra = np.asarray(around < left_over, dtype=int)[(-np.arange(depths)) % depths]
    at = np.asarray(_spread(depths))[around]
    asked, begun = extra[0].copy(), [0]
    apart = np.abs(at - at[0])
    while len(begun) < depths:
        uneven = extra @ asked
        near = (_FAR // np.maximum(apart, 1)).sum(axis=1)
        left = [shift for shift in range(depths) if shift not in begun]
        chosen = min(left, key=lambda shift: (uneven[shift], near[shift], shift))
        begun.append(chosen)
        asked += extra[chosen]
        apart = np.minimum(apart, np.abs(at - at[chosen]))
    return tuple(begun)


def _find_stride(depths: int) -> int:
    least = max(round(depths * (1 - GOLDEN)), 1)
    return next(s for s in range(least, depths + 1) if gcd(s, depths) == 1)


def list_layer(layer: int, length: int, replicates: int, depths: int) -> tuple[Square, ...]:
    """Return the squares of a length's layer, one a replicate."""
    return tuple(
        (replicate, length, order_depths(replicate, length, replicates, depths)[layer])
        for replicate in range(replicates)
    )


def find_core(run: Run, task: str, language: Language) -> frozenset[Spot]:
    """Return where the trials of the core stand: of squares on the same place, the one asked."""
    lengths, depths = run.grid.lengths, run.grid.depths
    merged = _find_merged(run.same_place, run.grid, task, language)
    squares = (
        square
        for length in range(len(lengths))
        for square in list_layer(0, length, run.replicates, len(depths))
    )
    return frozenset(
        (replicate, lengths[length], depths[depth])
        for replicate, length, depth in (merged.get(square, square) for square in squares)
    )


def _find_merged(
    same_place: Iterable[SamePlace], grid: Grid, task: str, language: Language
) -> dict[Square, Square]:
    """Return the squares of a task and language that another one's trial stands for."""
    rows = {length: i for i, length in enumerate(grid.lengths)}
    columns = {depth: j for j, depth in enumerate(grid.depths)}
    return {
        (same.replicate, rows[same.context_length], columns[same.depth_percent]): (
            same.replicate,
            rows[same.context_length],
            columns[same.drawn_as],
        )
        for same in same_place
        if (same.task, same.language) == (task, language)
    }


def arrange(run: Run, trials: Iterable[Trial], task: str, language: Language) -> Layers:
    """Put the grid's trials of a task and language into layers, by length; beside it are none."""
    lengths, depths = run.grid.lengths, run.grid.depths
    merged = _find_merged(run.same_place, run.grid, task, language)
    own = {
        (trial.replicate, trial.context_length, trial.depth_percent): trial
        for trial in trials
        if (trial.task, trial.language, trial.control) == (task, language, None)
    }
    seen: set[str] = set()
    columns = []
    for number, length in enumerate(lengths):
        column = []
        for layer in range(len(depths)):
            squares = list_layer(layer, number, run.replicates, len(depths))
            asked = [merged.get(square, square) for square in squares]
            there = [own[replicate, length, depths[depth]] for replicate, _, depth in asked]
            column.append(tuple(trial for trial in there if trial.key not in seen))
            seen |= {trial.key for trial in there}
        columns.append(tuple(column))
    return tuple(columns)


def count_layers(layers: Layers, asked: Container[str]) -> list[int]:
    """Return how many layers of each length are begun, the core's one at least.

    ``asked`` holds the keys of the trials with an outcome. Layers without a trial of their own,
    since all stand where earlier ones do, are begun with the one before.
    """
    counts = []
    for column in layers:
        begun = (n for n, layer in enumerate(column) if any(t.key in asked for t in layer))
        count = max(begun, default=0) + 1
        while count < len(column) and not column[count]:
            count += 1
        counts.append(count)
    return counts


def choose_lengths(
    effective: EffectiveLength,
    find_weak: Callable[[], WeakRegion | None],
    grid: Grid,
    counts: Sequence[int],
) -> tuple[int, ...]:
    """Return the lengths of the next layer, by their numbers, the one to be asked first in front.

    ``counts`` are how many layers each length has; ``find_weak`` is called only when it is the
    turn of the weak region's edges. Empty where no more layer could tell anything:
    the effective length is known, or at every length that matters all depths are asked.
    """
    if effective.state is None or not measure_width(effective, grid):
        return ()
    first, last = _bracket(effective, grid)
    between = range(first, last + 1)
    ends = {*between[:_AT_ENDS], *between[-_AT_ENDS:]}
    wanted = _leave_open(ends, grid, counts) or _leave_open(between, grid, counts)
    chosen = sum(counts) - len(counts)
    weak = find_weak() if chosen % EDGE_EVERY == EDGE_EVERY - 1 else None
    if weak is None:
        return wanted
    start, end = (grid.lengths.index(length) for length in weak.lengths)
    edges = {max(start - 1, 0), start, end, min(end + 1, len(grid.lengths) - 1)}
    return (*_leave_open(edges, grid, counts), *wanted)


def _leave_open(numbers: Iterable[int], grid: Grid, counts: Sequence[int]) -> tuple[int, ...]:
    """Return the lengths with a layer left to ask, the cheapest of those least asked first."""
    left = [i for i in numbers if counts[i] < len(grid.depths)]
    return tuple(sorted(left, key=lambda i: ((counts[i] + 1) * sqrt(grid.lengths[i]), i)))


def _bracket(effective: EffectiveLength, grid: Grid) -> tuple[int, int]:
    """Return the numbers of the lengths between which an effective length's interval lies."""
    lengths = grid.lengths
    low = lengths[0] if effective.low is None else effective.low
    high = lengths[-1] if effective.high is None else effective.high
    first = max(bisect_left(lengths, low * (1 + 1e-9)) - 1, 0)
    last = min(bisect_left(lengths, high * (1 - 1e-9)), len(lengths) - 1)
    return first, max(first, last)


def measure_width(effective: EffectiveLength, grid: Grid) -> float:
    """Return the width of an effective length's interval in octaves.

    It is 0 where the whole interval lies under the shortest length tested or over the longest. An
    interval that only reaches so far is taken to end an octave beyond.
    """
    shortest, longest = grid.lengths[0], grid.lengths[-1]
    low, high = effective.low, effective.high
    if (low is None and high is not None and high <= shortest) or (
        high is None and low is not None and low >= longest
    ):
        return 0.0
    return log2((2 * longest if high is None else high) / (shortest / 2 if low is None else low))
