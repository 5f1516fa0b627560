"""What requests cost: by tier, cached and in batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.asking.money import add_batch_rates, choose_rates, cost, price_writes, worst_cost
from needle.words.tariffs import CacheRules, Price, PriceTier

TIERED = Price(
    2, 10, "USD", cached=0.5, batch_input=1, batch_output=5, tiers=(PriceTier(200_000, 4, 15, 1),)
)


def test_a_tier_holds_for_all_tokens_of_a_longer_prompt() -> None:
    """Past a tier's beginning every token of the request costs what the tier says."""
    assert cost(TIERED, 200_000, 1_000) == pytest.approx(0.4 + 0.01)
    assert cost(TIERED, 200_001, 1_000) == pytest.approx(0.800004 + 0.015)


def test_cached_tokens_cost_their_own_rate() -> None:
    """Tokens that a cache served cost the cached rate; the input's where none is known."""
    assert cost(TIERED, 100_000, 0, cached=60_000) == pytest.approx(0.08 + 0.03)
    assert choose_rates(Price(3, 5, "CNY"), 10) == (3, 5, 3, 3)


WRITTEN = Price(
    2, 10, "USD", cached=0.2, write=2.5, tiers=(PriceTier(200_000, 4, 15, 0.4, write=5),)
)


def test_written_tokens_cost_their_own_rate_in_the_inputs_place() -> None:
    """A token is billed once: as read from a cache, as written to one, or as neither."""
    parts = cost(WRITTEN, 100_000, 0, cached=60_000, written=30_000)
    assert parts == pytest.approx((60_000 * 0.2 + 30_000 * 2.5 + 10_000 * 2) / 1e6)
    dear = cost(WRITTEN, 300_000, 1_000, written=300_000)
    assert dear == pytest.approx(300_000 * 5 / 1e6 + 0.015)
    assert cost(TIERED, 1_000, 0, written=1_000) == cost(TIERED, 1_000, 0)


@given(st.integers(0, 10**6), st.integers(0, 10**4), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_worst_is_never_less(prompt: int, reply: int, cached: int, written: int) -> None:
    """Whatever a cache reads and writes of a request, its worst case costs as much or more."""
    for price in (TIERED, WRITTEN, Price(3, 5, "CNY")):
        worst = worst_cost(price, prompt, reply)
        assert cost(price, prompt, reply, cached, written=written) <= worst * (1 + 1e-9)


def test_a_caches_rules_price_what_no_price_says() -> None:
    """A price without a rate for writing has the rules' multiple, none where none is written."""
    marked = CacheRules("marked", mark={"m": 1}, write_rate=1.25)
    priced = price_writes(TIERED, marked)
    assert (priced.write, priced.tiers[0].write) == (2.5, 5)
    assert price_writes(WRITTEN, marked) == WRITTEN
    assert price_writes(TIERED, CacheRules("automatic")) == TIERED
    none = price_writes(WRITTEN, CacheRules("none"))
    assert (none.write, none.tiers[0].write) == (None, None)


def test_batches_keep_their_share_in_every_tier() -> None:
    """A batch at half price is at half price in a tier, too."""
    assert cost(TIERED, 100_000, 1_000, batch=True) == pytest.approx(0.1 + 0.005)
    assert cost(TIERED, 300_000, 1_000, batch=True) == pytest.approx(0.6 + 0.0075)
    assert cost(Price(3, 5, "CNY"), 1e6, 0, batch=True) == 3


@given(st.integers(0, 10**6), st.integers(0, 10**4), st.integers(0, 2 * 10**6))
def test_a_cache_never_makes_a_request_dearer(prompt: int, reply: int, cached: int) -> None:
    """Cached tokens, even more of them than there are, cost between nothing and what fresh do."""
    assert 0 <= cost(TIERED, prompt, reply, cached) <= cost(TIERED, prompt, reply)


def test_a_share_gives_rates_where_there_are_none() -> None:
    """A vendor's share of the usual price stands in for rates of batches that none has said."""
    plain = Price(3, 5, "CNY")
    shared = add_batch_rates(plain, 0.6)
    assert cost(shared, 1e6, 1e6, batch=True) == pytest.approx(0.6 * cost(plain, 1e6, 1e6))
    assert add_batch_rates(TIERED, 0.9) == TIERED
    assert add_batch_rates(plain, None) == plain
