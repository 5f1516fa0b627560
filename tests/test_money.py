"""What requests cost: by tier, cached and in batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.money import choose_rates, cost
from needle.tariffs import Price, PriceTier

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


def test_batches_keep_their_share_in_every_tier() -> None:
    """A batch at half price is at half price in a tier, too."""
    assert cost(TIERED, 100_000, 1_000, batch=True) == pytest.approx(0.1 + 0.005)
    assert cost(TIERED, 300_000, 1_000, batch=True) == pytest.approx(0.6 + 0.0075)
    assert cost(Price(3, 5, "CNY"), 1e6, 0, batch=True) == 3


@given(st.integers(0, 10**6), st.integers(0, 10**4), st.integers(0, 2 * 10**6))
def test_a_cache_never_makes_a_request_dearer(prompt: int, reply: int, cached: int) -> None:
    """Cached tokens, even more of them than there are, cost between nothing and what fresh do."""
    assert 0 <= cost(TIERED, prompt, reply, cached) <= cost(TIERED, prompt, reply)
