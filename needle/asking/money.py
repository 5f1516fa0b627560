"""What requests cost: a price's rates over tokens, by tier, cached and in batches. Pure."""

from dataclasses import replace

from needle.words.tariffs import CacheRules, Price


def cost(
    price: Price,
    prompt: float,
    reply: float,
    cached: float = 0.0,
    batch: bool = False,
    written: float = 0.0,
) -> float:
    """Return what one request costs, in the price's currency.

    ``prompt`` counts all prompt tokens, ``cached`` those of them that a cache served, ``written``
    those that went into one, ``reply`` those of the answer and its reasoning. A tier's rates hold
    for all tokens of a request whose prompt is longer than the tier begins at, as vendors bill. In
    a batch no cache is counted on, and where no batch rate is known the usual one holds.
    """
    rates = choose_rates(price, prompt)
    if batch:
        shares = (_share(price.batch_input, price.input), _share(price.batch_output, price.output))
        return (prompt * rates[0] * shares[0] + reply * rates[1] * shares[1]) / 1_000_000
    read = min(cached, prompt)
    written = min(written, prompt - read)
    fresh = prompt - read - written
    money = fresh * rates[0] + reply * rates[1] + read * rates[2] + written * rates[3]
    return money / 1_000_000


def worst_cost(price: Price, prompt: float, reply: float) -> float:
    """Return the most that a request can cost: nothing served by a cache, all written to one."""
    return max(cost(price, prompt, reply), cost(price, prompt, reply, written=prompt))


def price_writes(price: Price, rules: CacheRules) -> Price:
    """Return a price with what a cache's rules say of writing, where the price does not say it.

    Where nothing is written it has no such rate.
    """
    if rules.kind == "none":
        tiers = tuple(replace(tier, write=None) for tier in price.tiers)
        return replace(price, write=None, tiers=tiers)
    if price.write is not None or rules.write_rate == 1:
        return price
    tiers = tuple(replace(tier, write=tier.input * rules.write_rate) for tier in price.tiers)
    return replace(price, write=price.input * rules.write_rate, tiers=tiers)


def add_batch_rates(price: Price, share: float | None) -> Price:
    """Return a price with rates for batches: its own, else a share (0-1) of the usual ones."""
    if share is None or price.batch_input is not None:
        return price
    return replace(price, batch_input=price.input * share, batch_output=price.output * share)


def choose_rates(price: Price, prompt: float) -> tuple[float, float, float, float]:
    """Return the rates for a prompt of so many tokens: input, output, cached and written input."""
    rates = (price.input, price.output, price.cached, price.write)
    for tier in sorted(price.tiers, key=lambda tier: tier.above):
        if prompt > tier.above:
            rates = (tier.input, tier.output, tier.cached, tier.write)
    usual = rates[0]
    cached, write = (usual if rate is None else rate for rate in rates[2:])
    return usual, rates[1], cached, write


def _share(batch: float | None, usual: float) -> float:
    return batch / usual if batch is not None and usual else 1.0
