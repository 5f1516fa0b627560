"""How close together lengths must lie for an effective length, with known truth.

    python benchmarks/spacing.py [RUNS]

The interval takes the curve between two tested lengths to be straight; the tested lengths told
beside it take it only to fall. The surfaces are those of adapting.py; RUNS (150) whole grids are
drawn on each, 10 replicates x 11 depths to 128k. Given are the mean width in octaves and how often
the effective length of the true curve, which is found on 200 lengths, is held: by the interval,
and by the tested lengths. Tokens are beside those of the lengths that double.
"""

import sys
from dataclasses import replace

import numpy as np
from adapting import SETTINGS, UNIFORM, draw, find_truth, look, write

from needle.statistics.effective import reach_absolute
from needle.words.types import Grid

RUNS = 150
LEAST = 0.93
TOP, DEPTHS = 128_000, tuple(map(float, range(0, 101, 10)))


def space_evenly(count: int) -> Grid:
    """Return so many lengths to TOP in equal parts of an octave."""
    lengths = tuple(sorted({round(1_000 * 128 ** (i / (count - 1))) for i in range(count)}))
    return Grid("default", lengths, DEPTHS)


GRIDS = {
    "doubling (8)": space_evenly(8),
    "half octaves (15)": space_evenly(15),
    "third octaves (22)": space_evenly(22),
    "linear (15)": Grid("published", tuple(round(x) for x in np.linspace(1_000, TOP, 15)), DEPTHS),
}


def main(runs: int) -> None:
    """Print the table."""
    fine = space_evenly(200)
    least = sum(next(iter(GRIDS.values())).lengths)
    tokens = [f"{name}, {sum(grid.lengths) / least:.1f} x" for name, grid in GRIDS.items()]
    print(f"| surface | {' | '.join(tokens)} |\n|---|{'---|' * len(GRIDS)}")
    failed = False
    for setting in SETTINGS:
        truth = find_truth(setting, fine)
        row = []
        for grid in GRIDS.values():
            straight, tested = [], []
            for seed in range(runs):
                scores = draw(setting, grid, np.random.default_rng(seed))[:UNIFORM]
                found = reach_absolute(grid.lengths, scores)
                around = replace(found, low=found.held_at, high=found.lost_at)
                straight.append(look(found, grid, 1.0, truth))
                tested.append(look(around, grid, 1.0, truth))
            row.append(f"{write(straight)}, tested {write(tested)}")
            failed |= sum(one.right for one in tested) < LEAST * runs
        print(f"| {setting.surface.__name__} ± {setting.spread:g} | {' | '.join(row)} |")
    if failed:
        sys.exit(f"somewhere the tested lengths hold the truth in fewer than {LEAST:.0%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
