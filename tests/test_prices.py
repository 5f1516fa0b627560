"""Prices as genai-prices has them, in needle's own records."""

from needle.asking.money import cost
from needle.edges.prices import find_price


def test_a_price_says_where_it_is_from() -> None:
    """A price found has its rates, the package's version and the day that it was asked for."""
    price = find_price("openai", "gpt-4-turbo", "2026-11-24")
    assert price is not None
    assert (price.input, price.output, price.currency) == (10, 30, "USD")
    assert (price.batch_input, price.batch_output) == (5, 15)
    assert price.source.startswith("genai-prices ")
    assert price.as_of == "2026-11-24"


def test_tiers_and_cached_rates_are_read() -> None:
    """Rates by length of the prompt are read as genai-prices itself reckons them."""
    from genai_prices import Usage, calc_price

    price = find_price("google", "gemini-2.5-pro", "2026-11-24")
    assert price is not None
    for prompt in (100_000, 300_000):
        usage = Usage(input_tokens=prompt, output_tokens=2_000, cache_read_tokens=50_000)
        theirs = calc_price(usage, "gemini-2.5-pro", provider_id="google").total_price
        assert abs(cost(price, prompt, 2_000, 50_000) - float(theirs)) < 1e-9


def test_what_a_cache_is_written_at_is_read() -> None:
    """What writing to a cache costs is read, by length too, and is none where none is charged."""
    from genai_prices import Usage, calc_price

    price = find_price("openai", "gpt-6.1-sol", "2026-11-24")
    assert price is not None
    for prompt in (100_000, 300_000):
        usage = Usage(
            input_tokens=prompt, output_tokens=200, cache_read_tokens=5_000, cache_write_tokens=900
        )
        theirs = calc_price(usage, "gpt-6.1-sol", provider_id="openai").total_price
        assert abs(cost(price, prompt, 200, 5_000, written=900) - float(theirs)) < 1e-9
    older = find_price("openai", "gpt-4o", "2026-11-24")
    assert older is not None
    assert older.write is None


def test_what_is_not_known_has_no_price() -> None:
    """An unknown vendor or model, or one without token prices, has none: never a made-up one."""
    assert find_price("openai", "no-such-model", "2026-11-24") is None
    assert find_price("no-such-vendor", "gpt-4-turbo", "2026-11-24") is None
