"""What other ways to ask a run would cost, as needle plan tells it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from driving import Call

from needle.asking.money import cost
from needle.asking.strategies import (
    ADAPTIVE,
    EDGE,
    Strategy,
    count_further_layers,
    list_edge,
)
from needle.caching.prefixes import count_billed
from needle.edges.config import Recipe, read_recipe
from needle.runs.prepare import Prepared, prepare
from needle.runs.rounds import list_due
from needle.runs.weighing import foresee, weigh
from needle.words.types import Layout

GRID = ("--lengths", "1k,2k,3k,4k,5k,6k,8k", "--depth-count", "5", "--language", "en")
SAID = ("--reply-tokens", "50")
WAYS = ["row by row", "classic", "batch", "shared", "adaptive", "adaptive, shared"]


def make(model: str, **said: Any) -> tuple[Recipe, Callable[[Recipe], Prepared]]:
    grid = {"lengths": "1k,2k,3k", "depth_count": 4}
    given = {"model": [model], "language": "en", "controls": "all", "grid": grid, **said}
    return read_recipe(None, given), lambda each: prepare(each, True, model, "2026-11-24")


def by_name(ways: tuple[Strategy, ...]) -> dict[str, Strategy]:
    return {way.name: way for way in ways}


@pytest.mark.parametrize("model", ["kimi-k2.6", "gpt-5.4", "gpt-6.1-sol", "moonshot-v1-128k"])
def test_the_first_is_the_usual_way(model: str) -> None:
    """Shares are of the bill of classic contexts, row by row, and what is served is in no bill."""
    ways = weigh(*make(model, replicates=5))
    first = ways[0]
    assert first.name == "row by row"
    assert first.share == 1
    for way in ways:
        assert way.why_not is None
        assert way.money is not None
        assert first.money is not None
        assert way.share == pytest.approx(way.money / first.money)
        assert 0 < way.in_full <= way.prompt_tokens


def test_a_bill_is_the_sum_of_its_requests() -> None:
    """In a batch file no cache counts: the bill is that of all requests at the batch's prices."""
    recipe, prepared = make("gpt-5.4", replicates=2)
    run, plan = prepared(recipe).run, prepared(recipe).plan
    price = run.model.price
    assert price is not None
    whole = sum(
        cost(price, count_billed(t), run.reply_tokens or 0, batch=True) for t in plan.trials
    )
    assert by_name(weigh(recipe, prepared))["batch"].money == pytest.approx(whole)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_an_adaptive_run_is_reckoned_from_its_own_trials(name: Any) -> None:
    """What is foreseen begins with what is due, asks no trial twice, and adds whole layers."""
    recipe, make_run = make("kimi-k2.6", replicates=12)
    layout: Layout = "shared" if "shared" in name else "classic"
    prepared = make_run(replace(recipe, adaptive=True, layout=layout))
    sent = [step.trial.key for step in foresee(prepared, name, 10)]
    due = {trial.key for trial in list_due(prepared, {})}
    assert set(sent[: len(due)]) == due
    assert len(set(sent)) == len(sent)
    layers = count_further_layers(name, 10, 12, 4)
    assert len(sent) == len(due) + layers * len(list_edge(3)) * 12


@pytest.mark.parametrize("lengths", [1, 2, 5, 6, 15, 35])
def test_an_edge_is_within_the_lengths(lengths: int) -> None:
    """The lengths asked further are those round the middle, as far as there are so many."""
    edge = list_edge(lengths)
    assert round(EDGE * (lengths - 1)) in edge
    assert set(edge) <= set(range(lengths))
    assert len(edge) == min(lengths, 6)


def test_what_can_not_be_had_says_why() -> None:
    """A way that is refused is told with the reason, and the others are reckoned all the same."""
    ways = by_name(weigh(*make("kimi-k2.6", replicates=2, task="multi")))
    assert "task multi can't be asked in shared contexts" in str(ways["shared"].why_not)
    assert "replicates can't put a length above 85.6%" in str(ways["adaptive"].why_not)
    assert ways["classic"].share is not None


def test_the_plan_shows_them(call: Call) -> None:
    """``needle plan --strategies`` prints a line a way and the options of the cheapest."""
    said = call("plan", "--model", "kimi-k2.6", *GRID, *SAID, "--replicates", "10", "--strategies")
    assert said.status == 0
    lines = [line.strip() for line in said.out.splitlines()]
    assert [way for way in WAYS if any(line.startswith(f"{way}  ") for line in lines)] == WAYS
    assert "the cheapest here: --layout shared --adaptive --replicates 12" in said.out
    told = call("plan", "--model", "kimi-k2.6", *GRID, *SAID, "--strategies", "--json")
    assert [way["name"] for way in json.loads(told.out)[0]["strategies"]] == WAYS


def test_without_a_price_the_prompts_tell(call: Call) -> None:
    """For a server of one's own the share is that of the tokens that it has to read."""
    own = ("--model", "vllm/any", "--window", "64k", "--base-url", "http://127.0.0.1:9/v1")
    said = call("plan", *own, *GRID, *SAID, "--replicates", "5", "--strategies", "--json")
    ways = json.loads(said.out)[0]["strategies"]
    assert [way["name"] for way in ways] == [way for way in WAYS if way != "batch"]
    assert all(way["money"] is None for way in ways)
    assert ways[2]["share"] == pytest.approx(ways[2]["in_full"] / ways[0]["in_full"])
