"""What a plan will take, told before anything is sent."""

import pytest

from needle.config import read_recipe
from needle.estimate import card_hours, estimate
from needle.prepare import prepare
from needle.tariffs import Limits, Price
from needle.types import Trial


def trials() -> tuple[Trial, ...]:
    grid = {"lengths": ["1k", "4k"], "depth_count": 5}
    said = {"model": ["sim/reader"], "language": "en", "grid": grid, "controls": "none"}
    recipe = read_recipe(None, said)
    return prepare(
        recipe, told_language=True, model_name="sim/reader", date="2026-11-24"
    ).plan.trials


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
    told = estimate(sent, price, 100, None)
    assert told.money is not None
    assert told.money_batch is not None
    assert told.money_cached is not None
    tokens = sum(trial.prompt_tokens for trial in sent)
    assert told.money == pytest.approx((tokens * 2 + len(sent) * 100 * 8) / 1e6)
    assert told.money_batch == pytest.approx(told.money / 2)
    assert told.money_batch < told.money_cached < told.money


def test_a_cache_can_serve_what_stands_before_the_needle() -> None:
    """Of an even grid an ideal cache serves somewhat less than half: all but the first warm-up."""
    sent = trials()
    share = estimate(sent, None, 100, None).cached_share
    before = sum(t.prompt_tokens * (t.actual_depth_percent or 0) / 100 for t in sent)
    first = max(t.prompt_tokens for t in sent if t.depth_percent == 100)
    assert share == pytest.approx((before - first) / sum(t.prompt_tokens for t in sent), abs=0.01)


def test_what_is_not_known_is_not_told() -> None:
    """Without price, limits and parameters there is no money, time or FLOPs."""
    told = estimate(trials(), None, 100, None)
    assert (told.money, told.minutes, told.flops) == (None, None, None)
    assert estimate(trials(), None, 100, Limits(requests_a_minute=2)).minutes == 5
