"""What a cache serves of an order, reckoned from where sentences stand alone."""

from functools import cache

import pytest
from rehearsing import measure_prompts, prepare_grid, rehearse

from needle.caching.chains import Step
from needle.caching.ordering import arrange
from needle.caching.prefixes import count_billed, count_shared, group_trials
from needle.caching.reckoning import reckon, send_row_by_row
from needle.edges.caches import CACHES, NO_CACHE, find_cache
from needle.runs.prepare import Prepared
from needle.words.tariffs import CacheRules
from needle.words.types import Layout

PLAYED = [name for name in CACHES if name != "none"]


@cache
def grid(layout: Layout = "classic") -> Prepared:
    return prepare_grid("2k,5k,6k", 5, replicates=2, layout=layout, controls="all")


def add_up(steps: tuple[Step, ...]) -> tuple[float, float]:
    return sum(step.cached for step in steps), sum(step.written for step in steps)


@pytest.mark.parametrize("layout", ["classic", "shared"])
@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize("ordered", [False, True])
def test_it_is_what_the_played_cache_serves(layout: Layout, name: str, ordered: bool) -> None:
    """Read and written tokens are within 2% of those of a cache that sees the texts themselves."""
    prepared, rules = grid(layout), find_cache(name)
    templates, trials = prepared.run.templates, prepared.plan.trials
    sender = rules if ordered else NO_CACHE
    steps = arrange(trials, templates, rules, 1) if ordered else send_row_by_row(trials)
    prompts = measure_prompts(prepared, steps, sender, rules)
    turns = rehearse(steps, sender, 1, prompts, rules, lambda _: 0.0)
    read, written = add_up(reckon(steps, templates, rules, told=ordered))
    whole = sum(count_billed(trial) for trial in trials)
    assert abs(read - sum(turn.served.read for turn in turns)) < 0.02 * whole
    assert abs(written - sum(turn.served.written for turn in turns)) < 0.02 * whole


def test_no_order_serves_more_than_the_ideal() -> None:
    """Without minimum and steps either order reads all that prompts share, and no token more."""
    prepared, rules = grid(), CacheRules("automatic")
    templates, trials = prepared.run.templates, prepared.plan.trials
    groups, _ = group_trials(trials, templates)
    ideal = sum(tokens for group in groups for _, tokens in count_shared(group))
    for steps in (send_row_by_row(trials), arrange(trials, templates, rules, 4)):
        read, written = add_up(reckon(steps, templates, rules))
        assert ideal - len(trials) < read <= ideal
        assert written == 0


def test_a_slot_has_its_last_prompt_alone() -> None:
    """A server that keeps each slot's last prompt serves less of rows than of needle's order."""
    prepared, rules = grid(), CacheRules("automatic", apart=True)
    templates, trials = prepared.run.templates, prepared.plan.trials
    rows, _ = add_up(reckon(send_row_by_row(trials), templates, rules))
    ordered, _ = add_up(reckon(arrange(trials, templates, rules, 1), templates, rules))
    assert rows < 0.95 * ordered


@pytest.mark.parametrize("kind", ["none", "unknown"])
def test_nothing_is_counted_on_that_is_not_known(kind: str) -> None:
    """Where an endpoint keeps nothing, or nobody knows what, nothing is served or written."""
    prepared = grid()
    steps = send_row_by_row(prepared.plan.trials)
    rules = CacheRules("none" if kind == "none" else "unknown")
    assert add_up(reckon(steps, prepared.run.templates, rules)) == (0, 0)
