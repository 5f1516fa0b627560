"""Adaptive grids: layers that bend no estimate, and the choice among them."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cells import RUN

from needle.statistics.adapting import (
    EDGE_EVERY,
    Layers,
    arrange,
    choose_lengths,
    count_layers,
    find_core,
    list_layer,
    measure_width,
    order_depths,
)
from needle.statistics.cells import Scored, count_planned, make_cells, make_heatmap
from needle.statistics.stats import make_statistics
from needle.telling.labels import make_labels
from needle.words.claims import EffectiveLength, WeakRegion
from needle.words.types import Grid, SamePlace, Trial

SIZES = st.integers(1, 40)
GRID = Grid("default", tuple(1_000 * 2**i for i in range(8)), tuple(10.0 * i for i in range(11)))
ADAPTIVE = replace(RUN, adaptive=True, grid=Grid("default", (1_000, 2_000), (0.0, 50.0, 100.0)))


def make_trial(replicate: int, length: int, depth: float, language: str = "en") -> Trial:
    unasked: Any = None
    values = dict.fromkeys(Trial.__dataclass_fields__, unasked)
    key = f"{replicate}/{length}/{depth}/{language}"
    return Trial(
        **values
        | {"key": key, "task": "single", "language": language, "replicate": replicate}
        | {"context_length": length, "depth_percent": depth, "prompt_tokens": length}
    )


def reach(low: float | None, high: float | None, state: Any = "within") -> EffectiveLength:
    return EffectiveLength("absolute", 0.856, 8_000.0, state, low, high, low, high, "population")


def no_weak() -> WeakRegion | None:
    return None


@given(st.integers(2, 40), SIZES, SIZES)
def test_a_layer_is_balanced_over_replicates_and_depths(
    replicates: int, length: int, depths: int
) -> None:
    """A layer asks each replicate once, and no depth twice more often than another."""
    for layer in range(depths):
        squares = list_layer(layer, length, replicates, depths)
        assert [square[0] for square in squares] == list(range(replicates))
        counts = Counter(square[2] for square in squares)
        assert max(counts.values()) - min(counts[depth] for depth in range(depths)) <= 1


@given(st.integers(2, 40), SIZES, SIZES)
def test_layers_together_are_balanced_over_depths(
    replicates: int, length: int, depths: int
) -> None:
    """However many layers are asked, no depth is asked more than three times more than another."""
    counts = dict.fromkeys(range(depths), 0)
    for layer in range(depths):
        for _, _, depth in list_layer(layer, length, replicates, depths):
            counts[depth] += 1
        assert max(counts.values()) - min(counts.values()) <= 3


@given(st.integers(4, 40), SIZES, st.integers(4, 40))
def test_a_layer_is_spread_over_the_document(replicates: int, length: int, depths: int) -> None:
    """From four replicates on a layer is never within one half of the document."""
    at = [square[2] / (depths - 1) for square in list_layer(0, length, replicates, depths)]
    assert max(at) - min(at) >= 0.5


@given(st.integers(2, 40), SIZES, SIZES)
def test_all_layers_together_are_the_whole_grid(replicates: int, length: int, depths: int) -> None:
    """Over all layers of a length a replicate asks every depth once."""
    replicate = replicates - 1
    assert sorted(order_depths(replicate, length, replicates, depths)) == list(range(depths))


@given(SIZES, SIZES, SIZES)
def test_the_core_of_a_replicate_runs_through_the_depths(
    replicate: int, lengths: int, depths: int
) -> None:
    """From length to length a replicate's core asks the depths alike, to within one."""
    orders = [order_depths(replicate, at, replicate + 1, depths) for at in range(lengths)]
    counts = Counter(order[0] for order in orders)
    assert max(counts.values()) - min(counts[depth] for depth in range(depths)) <= 1


MERGED = st.sets(st.tuples(st.integers(0, 2), st.sampled_from((1_000, 2_000))))


def arrange_merged(merged: set[tuple[int, int]]) -> tuple[set[str], Layers]:
    """Return all trials' keys and their layers where the last depth stands where the first does."""
    same = tuple(SamePlace("en", r, length, 100.0, 0.0) for r, length in sorted(merged))
    run = replace(ADAPTIVE, same_place=same)
    trials = [
        make_trial(replicate, length, depth)
        for replicate in range(3)
        for length in run.grid.lengths
        for depth in run.grid.depths
        if depth != 100 or (replicate, length) not in merged
    ]
    others = [make_trial(0, 1_000, 0.0, "zh")]
    return {trial.key for trial in trials}, arrange(run, trials + others, "single", "en")


@given(MERGED)
def test_each_trial_is_in_one_layer(merged: set[tuple[int, int]]) -> None:
    """Layers hold each trial of their task and language once, on shared places too."""
    keys, layers = arrange_merged(merged)
    assert sorted(t.key for column in layers for layer in column for t in layer) == sorted(keys)


@given(MERGED)
def test_asking_layer_after_layer_comes_to_an_end(merged: set[tuple[int, int]]) -> None:
    """Each layer that is next holds a trial, and once it is begun the next one comes."""
    _, layers = arrange_merged(merged)
    asked: set[str] = set()
    for _ in range(6):
        counts = count_layers(layers, asked)
        left = [number for number, count in enumerate(counts) if count < len(layers[number])]
        if not left:
            break
        layer = layers[left[0]][counts[left[0]]]
        assert layer
        asked.add(layer[0].key)
    assert count_layers(layers, asked) == [3, 3]


def test_lengths_are_chosen_where_the_interval_ends() -> None:
    """Layers are asked at the ends of the interval first, cheap and little asked ones in front."""
    chosen = choose_lengths(reach(3_000, 40_000), no_weak, GRID, [1] * 8)
    assert chosen == (1, 2, 3, 4, 5, 6)
    more = [1, 9, *[1] * 6]
    assert choose_lengths(reach(3_000, 40_000), no_weak, GRID, more) == (2, 3, 4, 5, 1, 6)
    full = [1, 11, 11, 11, 11, 11, 11, 1]
    assert choose_lengths(reach(3_000, 40_000), no_weak, GRID, full) == ()
    wide = choose_lengths(reach(1_500, 120_000), no_weak, GRID, [1] * 8)
    assert set(wide) == {0, 1, 2, 5, 6, 7}


@pytest.mark.parametrize("interval", [(None, 1_000.0, "below"), (128_000.0, None, "beyond")])
def test_nothing_is_chosen_where_the_interval_is_outside(interval: Any) -> None:
    """A length known to be under the shortest or over the longest tested needs no more."""
    assert not measure_width(reach(*interval), GRID)
    assert choose_lengths(reach(*interval), no_weak, GRID, [1] * 8) == ()
    assert choose_lengths(reach(None, None, None), no_weak, GRID, [1] * 8) == ()


def test_the_weak_regions_edges_have_their_turn() -> None:
    """Each eighth layer is at an edge of the weak region, where there is one, and no other."""
    weak = WeakRegion((32_000, 64_000), (40.0, 60.0), 0.2, 0.9, 0.01)
    turns = []
    for number in range(2 * EDGE_EVERY):
        counts = [1 + number, *[1] * 7]
        turns.append(choose_lengths(reach(1_100, 1_900), lambda: weak, GRID, counts)[0])
    assert [turn >= 4 for turn in turns] == ([False] * (EDGE_EVERY - 1) + [True]) * 2


@given(st.floats(1_000, 128_000), st.floats(1, 60))
def test_a_width_is_in_octaves(low: float, factor: float) -> None:
    """An interval twice as long at its end is an octave wide; an open end is one beyond."""
    assert measure_width(reach(low, 2 * low), GRID) == pytest.approx(1)
    assert measure_width(reach(None, 1_000 * factor + 1), GRID) >= 1
    assert measure_width(reach(64_000, None), GRID) == pytest.approx(2)


SCORED = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from((1_000, 2_000)), st.sampled_from((0.0, 50.0, 100.0))
    ),
    unique=True,
)


def score(places: list[tuple[int, int, float]], value: float) -> list[Scored]:
    return [Scored(*place, value, "found" if value else "missed") for place in places]


@settings(deadline=None, max_examples=30)
@given(SCORED)
def test_the_headline_is_the_cores(places: list[tuple[int, int, float]]) -> None:
    """Recall overall and by depth, and what is left out, hang on no trial that was chosen."""
    run = replace(ADAPTIVE, same_place=())
    core = find_core(run, "single", "en")
    assert len(core) == count_planned(run, "single", "en") == 6
    fixed = score(sorted(core), 1.0)
    rest = score([place for place in places if place not in core], 0.0)
    alone, both = (
        make_heatmap(run, "single", "en", scored, len(core)) for scored in (fixed, fixed + rest)
    )
    assert (alone.recall, alone.scored, alone.left_out) == (both.recall, both.scored, both.left_out)
    assert both.adaptive is not None
    assert (both.adaptive.asked, both.adaptive.of) == (6 + len(rest), 18)
    first, second = make_statistics(run, alone, fixed), make_statistics(run, both, fixed + rest)
    assert (first.overall, first.depths) == (second.overall, second.depths)
    assert second.adaptive
    lost = {place[1] for place in places if place not in core}
    for before, after in zip(first.lengths, second.lengths, strict=True):
        assert (before != after) == (before.at in lost)


def test_what_was_not_asked_is_no_gap_in_a_cell() -> None:
    """A cell lacks only what the core has there, and one that was never asked says so."""
    run = replace(ADAPTIVE, same_place=())
    core = sorted(find_core(run, "single", "en"))
    one_short = make_cells(run, "single", "en", score(core[1:], 1.0))
    gaps = [c for c in one_short if c.verdicts.get("not_run")]
    assert core[0][1:] in {(c.context_length, c.depth_percent) for c in gaps}
    assert sum(sum(c.verdicts.values()) for c in one_short) == len(core)
    run = replace(run, grid=Grid("default", (1_000,), tuple(10.0 * i for i in range(5))))
    scored = score(sorted(find_core(run, "single", "en")), 1.0)
    heatmap = make_heatmap(run, "single", "en", scored, 3)
    assert sum(cell.score is None for cell in heatmap.cells) == 2
    for language, words in (("en", "not asked (adaptive)"), ("zh", "自适应未问")):
        labels = make_labels(heatmap, language)  # type: ignore[arg-type]
        assert ("not_run", words) in labels.key
        told = " ".join(item for line in labels.footer for item in line)
        assert ("core" in told) if language == "en" else ("核心" in told)
