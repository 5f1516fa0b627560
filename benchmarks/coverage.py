"""How often each kind of 95% interval covers the truth, over simulated runs with known truth.

    python benchmarks/coverage.py [RUNS]

A run is drawn as a model would make it: each replicate has luck of its own, which shifts how
far it is found (or how often), and each trial is then found or not by its chance. The truth is
the mean over the luck of all replicates that might have been drawn, by quadrature. The estimates
are those that `needle compare` and `needle report` give, from the same functions. A kind's
coverage in a setting is the share of its intervals, over all runs, lengths, depths or cells, that
hold the truth. RUNS (300) are drawn for each setting and number of replicates.
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

from needle.statistics.effective import ABSOLUTE, KEPT, cross, fall, reach_absolute, reach_relative
from needle.statistics.intervals import estimate, estimate_difference
from needle.words.claims import EffectiveLength, Estimate

RUNS = 300
REPLICATES = (5, 10, 20)
LENGTHS = tuple(1_000 * 2**i for i in range(8))
DEPTHS = tuple(10.0 * i for i in range(11))
KINDS = ("overall", "length", "depth", "cell", "absolute", "relative", "difference")
Scores = NDArray[np.float64]
Surface = Callable[[Scores, Scores, float], Scores]


def even(_octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of one recall everywhere, of 95% with no luck."""
    return np.full_like(_octaves + depths, 2.944 + luck)


def slope(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall that falls with every octave of length."""
    return 3.2 - 0.75 * (octaves - luck) + 0 * depths


def cliff(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall that falls off within an octave round 23k."""
    return 6 - 12 / (1 + np.exp(-3 * (octaves - 4.5 - luck))) + 0 * depths


def dip(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall with a valley round 55% depth that deepens with length."""
    valley = np.exp(-(((depths - 55) / 25) ** 2))
    return 5 - 1.2 * np.maximum(0, octaves - luck) * valley


def faultless(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall of 99.9% everywhere."""
    return np.full_like(octaves + depths, 7.0 + luck)


def blind(octaves: Scores, depths: Scores, luck: float) -> Scores:
    """Return the logit of a recall of 2% everywhere."""
    return np.full_like(octaves + depths, -3.9 + luck)


@dataclass(frozen=True)
class Setting:
    """A surface, the spread of replicates' luck, and the share of trials without a score.

    ``gap`` is how much less luck the second model of a comparison has. ``lost`` is the share of
    needles that are never found at all.
    """

    surface: Surface
    spread: float
    missing: float = 0.0
    gap: float = 0.5
    lost: float = 0.0

    @property
    def name(self) -> str:
        """What the tables call it."""
        missing = f", {self.missing:.0%} missing" if self.missing else ""
        lost = f", {self.lost:.0%} of needles lost" if self.lost else ""
        return f"{self.surface.__name__} ± {self.spread:g}{missing}{lost}"


SETTINGS = (
    Setting(even, 0.5),
    Setting(even, 1.0),
    Setting(slope, 0.5),
    Setting(slope, 1.5),
    Setting(slope, 0.5, missing=0.1),
    Setting(cliff, 0.3),
    Setting(cliff, 0.6),
    Setting(dip, 0.0),
    Setting(dip, 0.5),
    Setting(dip, 1.5),
    Setting(faultless, 0.0),
    Setting(blind, 0.5),
)
BEYOND = (Setting(cliff, 1.0), Setting(even, 0.5, lost=0.05))
"""Settings in which a few needles in a hundred are lost whole: most runs never draw one."""


def chances(setting: Setting, luck: float) -> Scores:
    """Return the chance of each cell to be found, lengths by depths."""
    octaves = np.log2(np.array(LENGTHS) / 1_000)[:, None]
    logit = setting.surface(octaves, np.array(DEPTHS)[None, :], luck)
    return np.asarray(1 / (1 + np.exp(-logit)))


def find_truth(setting: Setting, gap: float = 0.0) -> Scores:
    """Return each cell's recall over all replicates' luck."""
    normal = NormalDist()
    lucks = [setting.spread * normal.inv_cdf((i + 0.5) / 400) - gap for i in range(400)]
    mean = np.mean([chances(setting, luck) for luck in lucks], axis=0)
    return np.asarray(mean * (1 - setting.lost))


def draw(setting: Setting, lucks: Scores, rng: np.random.Generator) -> Scores:
    """Draw a run's scores: found or not, NaN where a trial has none."""
    at = np.stack([chances(setting, luck) for luck in lucks])
    at[rng.random(len(lucks)) < setting.lost] = 0
    scores = (rng.random(at.shape) < at).astype(float)
    scores[rng.random(at.shape) < setting.missing] = np.nan
    return scores


def holds(one: Estimate, truth: float) -> bool:
    """Tell whether an interval covers a truth."""
    return one.low is not None and one.high is not None and one.low <= truth <= one.high


def reaches(one: EffectiveLength, truth: Scores, level: float) -> list[bool]:
    """Tell whether an effective length's interval covers that of the true curve.

    Nothing is told where the truth lies outside the lengths tested: an interval that is open
    on that side is then right without any merit.
    """
    curve = fall(list(truth.mean(axis=1)), [1] * len(LENGTHS))
    length, state = cross(LENGTHS, curve, level)
    if state != "within" or length is None:
        return []
    low, high = one.low or 0.0, one.high or math.inf
    return [low <= length * (1 + 1e-9) and length <= high * (1 + 1e-9)]


def measure(task: tuple[Setting, int, int]) -> dict[str, float]:
    """Return each kind's coverage in a setting, and the width of the overall interval."""
    setting, replicates, runs = task
    rng = np.random.default_rng(replicates)
    truth, other = find_truth(setting), find_truth(setting, setting.gap)
    covered = {kind: [] for kind in KINDS}  # type: dict[str, list[bool]]
    widths = []
    for _ in range(runs):
        lucks = rng.normal(0, 1, replicates) * setting.spread
        scores = draw(setting, lucks, rng)
        overall = estimate(scores)
        widths.append((overall.high or 0) - (overall.low or 0))
        covered["overall"].append(holds(overall, float(truth.mean())))
        covered["length"] += [
            holds(estimate(scores[:, [i], :]), float(truth[i].mean())) for i in range(len(LENGTHS))
        ]
        covered["depth"] += [
            holds(estimate(scores[:, :, [j]]), float(truth[:, j].mean()))
            for j in range(len(DEPTHS))
        ]
        for i, j in ((0, 5), (4, 5), (5, 5), (6, 0), (7, 5)):
            cell = estimate(scores[:, [i], :][:, :, [j]])
            if cell.value is not None:
                covered["cell"].append(holds(cell, float(truth[i, j])))
        covered["absolute"] += reaches(reach_absolute(LENGTHS, scores), truth, ABSOLUTE)
        relative = reach_relative(LENGTHS, scores, scores[:, [0], :])
        covered["relative"] += reaches(relative, truth, KEPT * float(truth[0].mean()))
        theirs = 0.8 * lucks + 0.6 * rng.normal(0, 1, replicates) * setting.spread
        second = draw(setting, theirs - setting.gap, rng)
        difference = estimate_difference(second - scores)
        covered["difference"].append(holds(difference, float(other.mean() - truth.mean())))
    shares = {kind: float(np.mean(each)) for kind, each in covered.items() if each}
    return shares | {"width": float(np.mean(widths))}


def main(runs: int) -> None:
    """Print the tables."""
    began = time.perf_counter()
    tasks = [(s, r, runs) for s in (*SETTINGS, *BEYOND) for r in REPLICATES]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(tasks, pool.map(measure, tasks), strict=True))
    print(f"| setting | replicates | {' | '.join(KINDS)} | width |")
    print("|---|---|" + "---|" * (len(KINDS) + 1))
    for (setting, replicates, _), shares in found.items():
        row = " | ".join(f"{shares[kind]:.1%}" if kind in shares else "-" for kind in KINDS)
        print(f"| {setting.name} | {replicates} | {row} | {shares['width']:.3f} |")
    claimed = [(task, shares) for task, shares in found.items() if task[0] in SETTINGS]
    print("\n| kind | on average | least with 10 or more replicates |\n|---|---|---|")
    failed = False
    for kind in KINDS:
        told = [(task, shares[kind]) for task, shares in claimed if kind in shares]
        mean = float(np.mean([share for _, share in told]))
        least, where = min(
            (share, f"{task[0].name}, {task[1]}") for task, share in told if task[1] >= 10
        )
        failed |= not 0.93 <= mean <= 0.99 or least < 0.88
        print(f"| {kind} | {mean:.1%} | {least:.1%} ({where}) |")
    print(f"\n{runs} runs a row; {time.perf_counter() - began:.0f} s")
    if failed:
        sys.exit("a kind of interval is outside 93-99% on average, or under 88% somewhere")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
