"""What an adaptive grid spends for the same interval of the effective length, with known truth.

    python benchmarks/adapting.py [RUNS [GRID]]

A run is drawn as a model would make it: each replicate has luck of its own, which shifts how far
it is found, and each trial is found or not by its chance. The uniform grid asks all of it with
10 replicates; the adaptive one has 24 and asks the core, then layer after layer as
`needle run --adaptive` would (the same functions choose and estimate). A share is of the uniform
grid's tokens. Widths are in octaves of length, and an interval that is open on a side is taken
to end an octave beyond the lengths tested. The true effective length is that of the mean over the
luck of all replicates that might have been drawn. RUNS (150) are drawn for each surface on a GRID
of 15 linear lengths x 15 depths to 128k; 8 is the default grid of doubling lengths x 11 depths, and
35 is 35 x 35 to 200k.
"""

import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from needle.statistics.adapting import choose_lengths, list_layer, measure_width
from needle.statistics.effective import ABSOLUTE, cross, fall, reach_absolute
from needle.statistics.weakness import find_weak_region
from needle.words.claims import EffectiveLength, WeakRegion
from needle.words.figures import Cell, Heatmap
from needle.words.types import Grid, Verdict

RUNS = 150
UNIFORM, ADAPTIVE = 10, 24
"""Replicates of either."""

SHARES = (0.16, 0.18, 0.20, 0.22, 0.25, 0.30)
FINER = (0.07, 0.08, 0.10, 0.12, 0.15, 0.20, 0.25)
"""Of 35 x 35, of which the core is a smaller part."""

LARGER = (0.20, 0.25, 0.30, 0.35, 0.40, 0.50)
"""Of the default grid, of which the core is a larger part."""

LEAST_COVERAGE, MOST = 0.93, 0.25
DOUBLING, FINEST = 8, 35
TOPS = {15: 128_000, FINEST: 200_000}
Scores = NDArray[np.float64]


def cliff_early(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall that falls off within an octave round 40k."""
    return 6 - 12 / (1 + np.exp(-4 * (octaves - 5.3 - luck))) + 0 * depths


def cliff_late(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall that falls off sharply round 90k."""
    return 6 - 12 / (1 + np.exp(-6 * (octaves - 6.5 - luck))) + 0 * depths


def slope(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall that falls a little with every octave."""
    return 4 - 0.55 * (octaves - luck) + 0 * depths


def dip(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall with a valley round 55% depth that deepens with length."""
    return 5 - 1.1 * np.maximum(0, octaves - luck - 1) * np.exp(-(((depths - 55) / 25) ** 2))


def window(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a model that sees only the last 50k or so of the text."""
    behind = 1_000 * 2**octaves * (1 - depths / 100)
    return np.asarray(8 * np.tanh((50_000 * 2**luck - behind) / 8_000))


def late_drop(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall that is cut at one length, to six in ten."""
    return np.where(octaves > 6.2 + 0.3 * luck, 0.5, 4.5) + 0 * depths


@dataclass(frozen=True)
class Setting:
    """A surface over octaves from 1k and depths, and the spread of replicates' luck."""

    surface: Callable[[Scores, Scores, float], Scores]
    spread: float


SETTINGS = (
    Setting(cliff_early, 0.3),
    Setting(cliff_late, 0.1),
    Setting(slope, 0.5),
    Setting(dip, 0.5),
    Setting(window, 0.3),
    Setting(late_drop, 0.3),
)


@dataclass(frozen=True)
class Seen:
    """The interval of one run at a share of the uniform grid's tokens, and whether it is right."""

    share: float
    width: float
    right: bool


def make_grid(size: int) -> Grid:
    """Return the grid of so many lengths: doubling ones are the default grid's."""
    if size == DOUBLING:
        return Grid(
            "default",
            tuple(1_000 * 2**i for i in range(size)),
            tuple(map(float, range(0, 101, 10))),
        )
    lengths = tuple(round(x) for x in np.linspace(1_000, TOPS[size], size))
    return Grid("published", lengths, tuple(float(x) for x in np.linspace(0, 100, size)))


def list_shares(grid: Grid) -> tuple[float, ...]:
    """Return the shares of the uniform grid's tokens at which a grid is looked at."""
    return {DOUBLING: LARGER, FINEST: FINER}.get(len(grid.lengths), SHARES)


def chances(setting: Setting, grid: Grid, luck: float) -> Scores:
    """Return the chance of each cell to be found, lengths by depths."""
    octaves = np.log2(np.array(grid.lengths) / 1_000)[:, None]
    logit = setting.surface(octaves, np.array(grid.depths)[None, :], luck)
    return np.asarray(1 / (1 + np.exp(-logit)))


def find_truth(setting: Setting, grid: Grid) -> float:
    """Return the effective length of the mean over all replicates' luck."""
    lucks = [setting.spread * NormalDist().inv_cdf((i + 0.5) / 400) for i in range(400)]
    mean = np.mean([chances(setting, grid, luck) for luck in lucks], axis=0)
    curve = fall(list(mean.mean(axis=1)), [1] * len(grid.lengths))
    length, state = cross(grid.lengths, curve, ABSOLUTE)
    if state != "within" or length is None:
        raise ValueError(f"{setting.surface.__name__} is {state} the lengths tested")
    return length


def draw(setting: Setting, grid: Grid, rng: np.random.Generator) -> Scores:
    """Draw what each replicate would find in every cell, were it asked."""
    lucks = rng.normal(0, setting.spread, ADAPTIVE)
    at = np.stack([chances(setting, grid, luck) for luck in lucks])
    return np.asarray((rng.random(at.shape) < at).astype(float))


def look(effective: EffectiveLength, grid: Grid, share: float, truth: float) -> Seen:
    """Return what an interval says at a share of the tokens."""
    right = (effective.low or 0.0) <= truth <= (effective.high or math.inf)
    return Seen(share, measure_width(effective, grid), right)


def adapt(whole: Scores, grid: Grid, truth: float) -> list[Seen]:
    """Ask the core, then layer after layer, and look at the interval after each."""
    depths, uniform = len(grid.depths), UNIFORM * len(grid.depths) * sum(grid.lengths)
    known = np.full_like(whole, np.nan)
    counts = [0] * len(grid.lengths)

    def ask(number: int) -> float:
        for square in list_layer(counts[number], number, len(whole), depths):
            known[square] = whole[square]
        counts[number] += 1
        return len(whole) * grid.lengths[number] / uniform

    def look_for_weak() -> WeakRegion | None:
        return find_weak_region(show(known, grid))

    share = sum(ask(number) for number in range(len(grid.lengths)))
    seen = []
    while True:
        effective = reach_absolute(grid.lengths, known)
        seen.append(look(effective, grid, share, truth))
        chosen = choose_lengths(effective, look_for_weak, grid, counts)
        if not chosen or share > list_shares(grid)[-1]:
            return seen
        share += ask(chosen[0])


def show(known: Scores, grid: Grid) -> Heatmap:
    """Return the heatmap of what is known, for its weak region."""
    cells = tuple(
        make_cell(length, depth, known[:, i, j])
        for i, length in enumerate(grid.lengths)
        for j, depth in enumerate(grid.depths)
    )
    return Heatmap(
        *("sim", "single", "en", "tokens", grid, cells, "", "", "", len(known), ""),
        recall=None,
        scored=0,
        left_out={},
        passes=None,
        simulated=True,
    )


def make_cell(length: int, depth: float, scores: Scores) -> Cell:
    """Return a cell of the trials that were asked of it."""
    asked = scores[~np.isnan(scores)]
    found = int(asked.sum())
    verdicts: dict[Verdict, int] = {"found": found, "missed": len(asked) - found}
    return Cell(length, depth, float(asked.mean()) if len(asked) else None, verdicts)


def measure(task: tuple[Setting, int, int, int]) -> tuple[Seen, list[Seen]]:
    """Return what the uniform grid says of one run, and the adaptive one at each share."""
    setting, size, seed, truth = task
    grid = make_grid(size)
    whole = draw(setting, grid, np.random.default_rng(seed))
    uniform = look(reach_absolute(grid.lengths, whole[:UNIFORM]), grid, 1.0, truth)
    return uniform, adapt(whole, grid, truth)


def last_before(seen: list[Seen], share: float) -> Seen:
    """Return what a run says when so much is spent, or no more is asked; its core at the least."""
    return [seen[0], *(each for each in seen if each.share <= share)][-1]


def find_reached(runs: list[list[Seen]], width: float, most: float) -> float | None:
    """Return the least share from which on the runs' mean width is no more than another."""
    fine = np.arange(runs[0][0].share, most + 1e-9, 0.0025)
    wide = [np.mean([last_before(seen, share).width for seen in runs]) > width for share in fine]
    last = max((i for i, each in enumerate(wide) if each), default=-1)
    return None if last + 1 == len(fine) else float(fine[last + 1])


def main(runs: int, size: int) -> None:
    """Print the tables."""
    began = time.perf_counter()
    grid = make_grid(size)
    truths = {setting: find_truth(setting, grid) for setting in SETTINGS}
    tasks = [(each, size, seed, truths[each]) for each in SETTINGS for seed in range(runs)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = list(zip(tasks, pool.map(measure, tasks), strict=True))
    shares = list_shares(grid)
    print(f"| surface | uniform grid | {' | '.join(map('{:.0%}'.format, shares))} | as narrow at |")
    print("|---|---|" + "---|" * (len(shares) + 1))
    right: dict[float, list[bool]] = {share: [] for share in shares}
    reached: list[float] = []
    for setting in SETTINGS:
        of_setting = [pair for task, pair in found if task[0] == setting]
        uniform, adaptive = [one for one, _ in of_setting], [seen for _, seen in of_setting]
        there = {share: [last_before(seen, share) for seen in adaptive] for share in shares}
        for share in shares:
            right[share] += [each.right for each in there[share]]
        width = float(np.mean([each.width for each in uniform]))
        at = find_reached(adaptive, width, shares[-1])
        reached.append(math.inf if at is None else at)
        told = f"over {shares[-1]:.0%}" if at is None else f"{at:.1%}"
        name = f"{setting.surface.__name__} ± {setting.spread:g}"
        row = " | ".join(write(there[share]) for share in shares)
        print(f"| {name} | {write(uniform)} | {row} | {told} |")
    covered = " | ".join(f"{np.mean(right[share]):.1%}" for share in shares)
    uniform_right = float(np.mean([one.right for _, (one, _) in found]))
    mean = float(np.mean(reached))
    told = f"{mean:.1%}" if math.isfinite(mean) else "-"
    print(f"| *on average* | {uniform_right:.1%} | {covered} | {told} |")
    print(f"\n{runs} runs a surface, {size} lengths; {time.perf_counter() - began:.0f} s")
    if min(float(np.mean(each)) for each in right.values()) < LEAST_COVERAGE:
        sys.exit(f"intervals cover less than {LEAST_COVERAGE:.0%} of runs")
    if size != DOUBLING and max(reached) > MOST:
        sys.exit(f"over {MOST:.0%} of the tokens are spent for the same width on a surface")


def write(seen: list[Seen]) -> str:
    """Write a mean width in octaves, and the share of intervals that hold the truth."""
    return f"{np.mean([s.width for s in seen]):.2f} ({np.mean([s.right for s in seen]):.0%})"


if __name__ == "__main__":
    said = [int(text) for text in sys.argv[1:]]
    main(*(said + [RUNS, 15][len(said) :]))
