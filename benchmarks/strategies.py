"""The same certainty at a fifth of the bill: ways to ask one grid, by four kinds of prices.

    python benchmarks/strategies.py [RUNS]

The grid is the published one: 15 lengths x 15 depths to 128k, English, replies of 100 tokens. The
usual way is classic contexts with 10 replicates, row by row; all shares are of its bill. What a
cache serves is reckoned by its vendor's rules (needle/caching/reckoning.py): for the usual way that
is the most it could be served.

1. The bills of the uniform ways: they ask the same trials as often, so their certainty is the same.
2. Adaptive runs, on the surfaces of benchmarks/adapting.py, RUNS (40) drawn for each: the least
   share of the bill from which on the interval of the effective length is, on average, as narrow
   as the uniform grid's, and how often it holds the truth there. In shared contexts a reader is
   taken that is not distracted by other needles (docs/layouts.md).

Prices are those of the catalogue on the day; a server of one's own is billed by the prompt tokens
that it has to read and the reply's tokens, all alike.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from adapting import SETTINGS, Scores, Setting, chances, find_truth, look, make_grid, show
from rehearsing import prepare_grid

from needle.asking.money import cost
from needle.asking.strategies import AT_EDGE, MORE_REPLICATES, Name, Strategy, price_strategy
from needle.caching.chains import Step
from needle.caching.ordering import arrange
from needle.caching.prefixes import count_billed
from needle.caching.reckoning import reckon, send_row_by_row
from needle.edges.models import find_model
from needle.runs.prepare import Prepared
from needle.statistics.adapting import choose_lengths, list_layer
from needle.statistics.effective import reach_absolute
from needle.statistics.weakness import find_weak_region
from needle.words.claims import WeakRegion
from needle.words.tariffs import CacheRules, Price
from needle.words.types import Grid, Layout

RUNS, SIZE, UNIFORM, REPLY = 40, 15, 10, 100
AT_ONCE = 16
MOST = 0.6
A_FIFTH = 0.2
OWN = "vllm/any"
MODELS = {
    "Moonshot": "kimi-k2.6",
    "OpenAI, kept by itself": "gpt-5.4",
    "OpenAI, kept up to marks": "gpt-6.1-sol",
    "Anthropic": "litellm/claude-opus-5-5",
    "a server of one's own": OWN,
    "the report's, no cached price": "moonshot-v1-128k",
}
WAYS: Mapping[Name, tuple[Layout, int]] = {
    "adaptive": ("classic", round(UNIFORM * MORE_REPLICATES["adaptive"])),
    "adaptive, shared": ("shared", round(UNIFORM * MORE_REPLICATES["adaptive, shared"])),
}
MOST_REPLICATES = max(replicates for _, replicates in WAYS.values())
GRID = make_grid(SIZE)


@dataclass(frozen=True)
class Prices:
    """What a kind of endpoint asks: its model's price, how it keeps prompts, and batches."""

    price: Price
    rules: CacheRules
    batches: bool


@cache
def find_prices(kind: str) -> Prices:
    """Return the catalogue's prices and rules of a kind of endpoint."""
    today = datetime.now(UTC).date().isoformat()
    base_url = "http://127.0.0.1:9/v1" if MODELS[kind] == OWN else None
    model = find_model(MODELS[kind], base_url, None, today)
    price = model.price or Price(1.0, 1.0, "tokens", cached=0.0)
    return Prices(price, model.cache, model.batch is not None)


@cache
def prepare_layout(layout: Layout, replicates: int) -> Prepared:
    """Prepare the grid; its key is never used, since nothing is sent."""
    lengths = ",".join(map(str, GRID.lengths))
    said = {"layout": layout, "replicates": replicates, "window": 200_000}
    return prepare_grid(lengths, SIZE, **said)


@cache
def put_in_order(layout: Layout, replicates: int, kind: str) -> tuple[Step, ...]:
    """Return all trials in the order that needle sends them in."""
    prepared = prepare_layout(layout, replicates)
    rules = find_prices(kind).rules
    return arrange(prepared.plan.trials, prepared.run.templates, rules, AT_ONCE)


@cache
def find_steps(
    layout: Layout, replicates: int, kind: str
) -> dict[tuple[int, int, int], tuple[int, Step]]:
    """Return each square's step, with its turn; squares on one place share a trial."""
    grid = prepare_layout(layout, replicates).run.grid
    return {
        (
            step.trial.replicate,
            grid.lengths.index(step.trial.context_length),
            grid.depths.index(step.trial.depth_percent or 0.0),
        ): (turn, step)
        for turn, step in enumerate(put_in_order(layout, replicates, kind))
    }


def list_uniform(kind: str) -> list[Strategy]:
    """Return the uniform ways, the usual one first."""
    prices = find_prices(kind)
    classic = prepare_layout("classic", UNIFORM)
    plain = send_row_by_row(classic.plan.trials)
    templates, rules, price = classic.run.templates, prices.rules, prices.price

    def weigh(name: Name, steps: Sequence[Step], told: bool = True) -> Strategy:
        served = reckon(steps, templates, rules, told)
        return price_strategy(name, UNIFORM, served, price, REPLY)

    return [
        weigh("row by row", plain, told=False),
        weigh("classic", put_in_order("classic", UNIFORM, kind)),
        *([weigh("batch", plain)] if prices.batches else []),
        weigh("shared", put_in_order("shared", UNIFORM, kind)),
    ]


@dataclass(frozen=True)
class Asked:
    """An adaptive run, layer after layer: the interval after each, and the squares asked."""

    widths: tuple[float, ...]
    right: tuple[bool, ...]
    layers: tuple[tuple[tuple[int, int, int], ...], ...]


def adapt(whole: Scores, truth: float, enough: float) -> Asked:
    """Ask the core, then layer after layer, until so many trials are asked."""
    known = np.full_like(whole, np.nan)
    counts = [0] * SIZE
    widths, right, layers = [], [], []
    chosen: Sequence[int] = range(SIZE)
    while True:
        squares = [s for n in chosen for s in list_layer(counts[n], n, len(whole), SIZE)]
        for square in squares:
            known[square] = whole[square]
        for number in chosen:
            counts[number] += 1
        effective = reach_absolute(GRID.lengths, known)
        seen = look(effective, GRID, 0.0, truth)
        widths.append(seen.width)
        right.append(seen.right)
        layers.append(tuple(squares))
        further = choose_lengths(effective, lambda: find_weak(known, GRID), GRID, counts)
        if not further or sum(counts) * len(whole) > enough:
            return Asked(tuple(widths), tuple(right), tuple(layers))
        chosen = further[:1]


def find_weak(known: Scores, grid: Grid) -> WeakRegion | None:
    """Return the weak region of what is known."""
    return find_weak_region(show(known, grid))


@dataclass(frozen=True)
class Curve:
    """One adaptive run: the share of the usual bill after each layer, its intervals, its trials."""

    shares: Mapping[str, tuple[float, ...]]
    asked: Asked


def follow(task: tuple[Setting, int, float, Name]) -> tuple[float, Curve]:
    """Return the width of a uniform run's interval, and an adaptive one of the same replicates."""
    setting, seed, truth, name = task
    layout, replicates = WAYS[name]
    rng = np.random.default_rng(seed)
    lucks = rng.normal(0, setting.spread, MOST_REPLICATES)
    at = np.stack([chances(setting, GRID, luck) for luck in lucks])
    whole = np.asarray((rng.random(at.shape) < at).astype(float))
    uniform = look(reach_absolute(GRID.lengths, whole[:UNIFORM]), GRID, 1.0, truth)
    asked = adapt(whole[:replicates], truth, MOST * UNIFORM * SIZE * SIZE)
    shares = {kind: bill_layers(asked, layout, replicates, kind) for kind in MODELS}
    return uniform.width, Curve(shares, asked)


def bill_layers(asked: Asked, layout: Layout, replicates: int, kind: str) -> tuple[float, ...]:
    """Return the share of the usual bill that a run has come to after each of its layers."""
    of = find_steps(layout, replicates, kind)
    sent: list[Step] = []
    ends = []
    for layer in asked.layers:
        sent += [step for _, step in sorted((of[s] for s in layer if s in of), key=lambda t: t[0])]
        ends.append(len(sent))
    prices = find_prices(kind)
    served = reckon(sent, prepare_layout(layout, replicates).run.templates, prices.rules)
    bills = [
        cost(prices.price, count_billed(s.trial), REPLY, s.cached, written=s.written)
        for s in served
    ]
    first = find_usual(kind)
    return tuple(float(np.sum(bills[:end])) / first for end in ends)


@cache
def find_usual(kind: str) -> float:
    """Return the bill of the usual way."""
    return list_uniform(kind)[0].money or 0.0


def find_reached(curves: Sequence[Curve], kind: str, width: float) -> tuple[float, float, float]:
    """Return the least share from which on the runs' mean width is no more than another.

    With it come how many intervals hold the truth there, and how many trials are asked there at a
    length near the effective one for each of the uniform run's. NaN where it is never reached.
    """
    fine = np.arange(0.02, MOST, 0.0025)

    def at(curve: Curve, share: float) -> int:
        return max((i for i, each in enumerate(curve.shares[kind]) if each <= share), default=0)

    wide = [np.mean([c.asked.widths[at(c, share)] for c in curves]) > width for share in fine]
    last = max((i for i, each in enumerate(wide) if each), default=-1)
    if last + 1 == len(fine):
        return float("nan"), float("nan"), float("nan")
    share = float(fine[last + 1])
    least = float(np.mean([c.shares[kind][0] for c in curves]))
    covered = float(np.mean([c.asked.right[at(c, share)] for c in curves]))
    layers = [c.asked.layers[1 : at(c, share) + 1] for c in curves]
    further = [sum(map(len, each)) / AT_EDGE for each in layers]
    core = len(curves[0].asked.layers[0]) / SIZE
    return max(share, least), covered, (core + float(np.mean(further))) / (UNIFORM * SIZE)


def print_table(*rows: Sequence[str]) -> None:
    """Print a table in Markdown."""
    for number, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if number == 0:
            print("|" + "---|" * len(row))
    print(flush=True)


def print_uniform() -> None:
    """Print the bills of the uniform ways."""
    rows: list[Sequence[str]] = [("prices of", "model", "row by row", "classic", "batch", "shared")]
    for kind, model in MODELS.items():
        ways = {way.name: way.money or 0.0 for way in list_uniform(kind)}
        usual, currency = ways["row by row"], find_prices(kind).price.currency
        others = ("classic", "batch", "shared")
        shares = [f"{ways[name] / usual:.1%}" if name in ways else "–" for name in others]
        rows.append((kind, model, f"{usual:,.2f} {currency}", *shares))
    print_table(*rows)


def main(runs: int) -> None:
    """Print the tables; end with an error where the promise does not hold."""
    began = time.perf_counter()
    print(f"## Uniform: the same trials, {UNIFORM} replicates\n")
    print_uniform()
    truths = {setting: find_truth(setting, GRID) for setting in SETTINGS}
    best = dict.fromkeys(MODELS, 1.0)
    for name, (_, replicates) in WAYS.items():
        tasks = [(each, seed, truths[each], name) for each in SETTINGS for seed in range(runs)]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            found = list(zip(tasks, pool.map(follow, tasks, chunksize=4), strict=True))
        print(f"## {name}, {replicates} replicates: the share of the bill for the same interval\n")
        rows = [("prices of", *(f"{s.surface.__name__} ± {s.spread:g}" for s in SETTINGS), "mean")]
        held, tried = [], []
        for kind in MODELS:
            reached = []
            for setting in SETTINGS:
                of = [pair for task, pair in found if task[0] == setting]
                width = float(np.mean([uniform for uniform, _ in of]))
                reached.append(find_reached([curve for _, curve in of], kind, width))
            shares = [share for share, _, _ in reached]
            held += [covered for _, covered, _ in reached]
            tried.append(float(np.nanmean([asked for _, _, asked in reached])))
            mean = float(np.mean(shares))
            best[kind] = min(best[kind], mean) if not np.isnan(mean) else best[kind]
            rows.append((kind, *map(write_share, shares), write_share(mean)))
        print_table(*rows)
        print(f"intervals hold the truth in {np.nanmean(held):.1%} of the runs there, and in no")
        print(f"column in less than {np.nanmin(held):.1%}; near the effective length they ask")
        print(f"{' / '.join(f'{each:.2f}' for each in tried)} trials a length for each of the")
        print("uniform run's, by these prices in turn\n", flush=True)
    print(f"{runs} runs a surface; {time.perf_counter() - began:.0f} s")
    dear = {kind: best[kind] for kind in list(MODELS)[:-1] if best[kind] > A_FIFTH}
    if dear:
        sys.exit(f"more than a fifth of the bill, on average: {dear}")


def write_share(share: float) -> str:
    """Write a share of the bill, or that it is never reached."""
    return f"over {MOST:.0%}" if np.isnan(share) else f"{share:.1%}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
