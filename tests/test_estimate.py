"""What a plan will take, told before anything is sent."""

import pytest

from needle.asking.estimate import card_hours, estimate
from needle.edges.caches import find_cache
from needle.edges.config import read_recipe
from needle.runs.prepare import Prepared, prepare
from needle.words.tariffs import CacheRules, Limits, Price
from needle.words.types import Language, Template, Trial


def prepared(**more: str) -> Prepared:
    grid = {"lengths": ["1k", "4k"], "depth_count": 5}
    said = {"model": ["sim/reader"], "language": "en", "grid": grid, "controls": "none", **more}
    recipe = read_recipe(None, said)
    return prepare(recipe, told_language=True, model_name="sim/reader", date="2026-11-24")


def trials() -> tuple[Trial, ...]:
    return prepared().plan.trials


def templates() -> dict[Language, Template]:
    return prepared().run.templates


def test_flops_are_the_reports_formula() -> None:
    """FLOPs are 2 x parameters x tokens: 4e14 for 200 billion and the report's 1,000 tokens."""
    (trial, *_) = trials()
    told = estimate([trial], None, 1_000 - trial.prompt_tokens, None, params=200e9)
    assert told.flops == pytest.approx(4e14)
    assert card_hours(4e14, 125, 0.3) * 3_600 == pytest.approx(10.6667, rel=1e-4)


def test_money_is_the_sum_of_the_requests() -> None:
    """Money is what all prompts and longest replies cost; batches and a cache cost less."""
    sent = trials()
    price = Price(2, 8, "USD", cached=0.5, batch_input=1, batch_output=4)
    told = estimate(sent, price, 100, None, templates=templates())
    assert told.money is not None
    assert told.money_batch is not None
    assert told.money_cached is not None
    tokens = sum(trial.prompt_tokens for trial in sent)
    assert told.money == pytest.approx((tokens * 2 + len(sent) * 100 * 8) / 1e6)
    assert told.money_batch == pytest.approx(told.money / 2)
    assert told.money_batch < told.money_cached < told.money


def test_a_cache_can_serve_what_was_sent_before() -> None:
    """Of an even grid an ideal cache serves half: what stands before the needle.

    Of those with the needle at the very start it serves as much as the shorter one has.
    """
    sent = trials()
    share = estimate(sent, None, 100, None, templates=templates()).cached_share
    before = sum(t.prompt_tokens * (t.actual_depth_percent or 0) / 100 for t in sent)
    first = max(t.prompt_tokens for t in sent if t.depth_percent == 100)
    start = min(t.prompt_tokens for t in sent if t.depth_percent == 0)
    assert share == pytest.approx(
        (before - first + start) / sum(t.prompt_tokens for t in sent), abs=0.01
    )


def test_an_endpoints_own_cache_serves_less_than_an_ideal_one() -> None:
    """Minimum, steps and marks leave less to be served, and writing costs what it says."""
    sent, price = trials(), Price(2, 8, "USD", cached=0.2, write=2.5)
    rules = find_cache("openai-explicit")
    told = estimate(sent, price, 100, None, templates=templates(), rules=rules, concurrency=4)
    assert told.kept_share is not None
    assert 0.2 < told.kept_share < told.cached_share
    assert told.written_share
    assert told.money is not None
    assert told.money_cached is not None
    assert told.money_kept is not None
    assert told.money_cached < told.money_kept < told.money
    for unknown in (CacheRules("none"), CacheRules("unknown")):
        nothing = estimate(sent, price, 100, None, templates=templates(), rules=unknown)
        assert (nothing.kept_share, nothing.money_kept) == (None, None)


def test_what_is_not_known_is_not_told() -> None:
    """Without price, limits and parameters there is no money, time or FLOPs."""
    told = estimate(trials(), None, 100, None)
    assert (told.money, told.minutes, told.flops) == (None, None, None)
    assert estimate(trials(), None, 100, Limits(requests_a_minute=2)).minutes == 5
