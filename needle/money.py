"""What requests cost: a price's rates over tokens, by tier, cached and in batches. Pure."""

from dataclasses import replace

from needle.tariffs import Price


def cost(
    price: Price, prompt: float, reply: float, cached: float = 0.0, batch: bool = False
) -> float:
    """Return what one request costs, in the price's currency.

    ``prompt`` counts all prompt tokens, ``cached`` those of them that a cache served, ``reply``
    those of the answer and its reasoning. A tier's rates hold for all tokens of a request
    whose prompt is longer than the tier begins at, as vendors bill. In a batch no cache is
    counted on, and where no batch rate is known the usual one holds.
    """
    rates = choose_rates(price, prompt)
    if batch:
        shares = (_share(price.batch_input, price.input), _share(price.batch_output, price.output))
        return (prompt * rates[0] * shares[0] + reply * rates[1] * shares[1]) / 1_000_000
    fresh = prompt - min(cached, prompt)
    return (fresh * rates[0] + (prompt - fresh) * rates[2] + reply * rates[1]) / 1_000_000


def add_batch_rates(price: Price, share: float | None) -> Price:
    """Return a price with rates for batches: its own, else a share (0-1) of the usual ones."""
    if share is None or price.batch_input is not None:
        return price
    return replace(price, batch_input=price.input * share, batch_output=price.output * share)


def choose_rates(price: Price, prompt: float) -> tuple[float, float, float]:
    """Return the rates for a prompt of so many tokens: input, output, cached input."""
    rates = (price.input, price.output, price.cached)
    for tier in sorted(price.tiers, key=lambda tier: tier.above):
        if prompt > tier.above:
            rates = (tier.input, tier.output, tier.cached)
    return rates[0], rates[1], rates[0] if rates[2] is None else rates[2]


def _share(batch: float | None, usual: float) -> float:
    return batch / usual if batch is not None and usual else 1.0
