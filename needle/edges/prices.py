"""Prices from the package genai-prices, as needle's own records. The one module that imports it.

Its figures are those of its bundled snapshot: nothing is downloaded.
"""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

from needle.words.tariffs import Price, PriceTier


def find_price(provider: str, model: str, date: str) -> Price | None:
    """Return a model's price, in USD per million tokens, that held on a date (ISO 8601).

    ``provider`` and ``model`` are genai-prices' own ids. Where the price depends on the hour,
    it is the day's dearest: a plan's "at most" and a budget must hold at any hour. None where
    no price is known for both prompt and reply.
    """
    from genai_prices import data_snapshot

    try:
        vendor, found = data_snapshot.get_snapshot().find_provider_model(
            model, None, provider, None
        )
    except LookupError:
        return None
    midnight = datetime.fromisoformat(date).replace(tzinfo=UTC)
    moment = max(
        (midnight + timedelta(minutes=30 * half_hour) for half_hour in range(48)),
        key=lambda moment: _weigh(found.get_prices(moment)),
    )
    usual = found.get_prices(moment)
    batch = found.get_prices(moment, {"processing": "batch"})
    rates = _read(usual)
    if rates[0] is None or rates[1] is None:
        return None
    batch_input, batch_output = _read(batch)[:2]
    has_batch = [batch_input, batch_output] != rates[:2]
    return Price(
        input=rates[0],
        output=rates[1],
        currency="USD",
        cached=rates[2],
        write=rates[3],
        batch_input=batch_input if has_batch else None,
        batch_output=batch_output if has_batch else None,
        tiers=_read_tiers(usual),
        source=f"genai-prices {version('genai-prices')} ({vendor.id}: {found.id})",
        as_of=date,
    )


def _weigh(prices: Any) -> float:
    return sum(rate or 0.0 for rate in _read(prices)[:2])


def _kinds(prices: Any) -> tuple[Any, ...]:
    """Return what input, output, cached and written input cost; a cache's shortest lifetime."""
    return (
        prices.input_mtok,
        prices.output_mtok,
        prices.cache_read_mtok,
        prices.cache_write_mtok,
    )


def _read(prices: Any) -> list[float | None]:
    """Return the rates of each kind below the first tier."""
    base = [getattr(kind, "base", kind) for kind in _kinds(prices)]
    return [None if rate is None else float(rate) for rate in base]


def _read_tiers(prices: Any) -> tuple[PriceTier, ...]:
    kinds = _kinds(prices)
    starts = sorted({tier.start for kind in kinds for tier in getattr(kind, "tiers", ())})
    return tuple(
        PriceTier(
            start,
            _at(kinds[0], start) or 0.0,
            _at(kinds[1], start) or 0.0,
            _at(kinds[2], start),
            _at(kinds[3], start),
        )
        for start in starts
    )


def _at(kind: Any, start: int) -> float | None:
    """Return a kind's rate in the tier that begins at so many tokens."""
    if kind is None:
        return None
    rate = getattr(kind, "base", kind)
    for tier in getattr(kind, "tiers", ()):
        if tier.start <= start:
            rate = tier.price
    return float(rate)
