"""Strategies: ways to ask for the same certainty, and what each of them costs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from needle.asking.money import cost
from needle.caching.chains import Step
from needle.caching.prefixes import count_billed
from needle.words.tariffs import Price

Name = Literal["row by row", "classic", "batch", "shared", "adaptive", "adaptive, shared"]

ADAPTIVE: tuple[Name, ...] = ("adaptive", "adaptive, shared")

SHARED_OR_ADAPTIVE: tuple[Name, ...] = ("shared", "adaptive", "adaptive, shared")
SHARED: tuple[Name, ...] = ("shared", "adaptive, shared")

FEWEST = 6
"""Replicates under which an adaptive run claims nothing, and so none is reckoned."""

MORE_REPLICATES = {"adaptive": 2.4, "adaptive, shared": 1.2}
"""The replicates of an adaptive run for each of a uniform one, as benchmarks/strategies.py has."""

SHARE_AT_EDGES = {"adaptive": 0.33, "adaptive, shared": 0.55}
"""The trials at a length near the effective one for each of a uniform run's, as measured there."""

EDGE = 1 / 2
"""Where among the lengths the effective one is taken to be, in a plan that can't know it."""

AT_EDGE = 6
"""Lengths round the effective one that an adaptive run asks further."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to ask: its trials, its prompts' tokens, and what it costs.

    ``in_full`` are the tokens of its prompts that no cache serves, ``money`` what all of it costs
    in its price's currency with every reply at its longest; None where no price is known. ``share``
    is that of the first strategy's bill (of its ``in_full`` where no price is known). Where
    ``why_not`` says why it can't be had, all these are 0 or None.
    """

    name: Name
    replicates: int
    trials: int = 0
    prompt_tokens: int = 0
    in_full: float = 0.0
    money: float | None = None
    share: float | None = None
    why_not: str | None = None


def price_strategy(
    name: Name, replicates: int, steps: Sequence[Step], price: Price | None, reply_tokens: int
) -> Strategy:
    """Return a strategy of steps that say what a cache serves and is written of each prompt."""
    batch = name == "batch"
    sent = sum(count_billed(step.trial) for step in steps)
    money = None
    if price is not None:
        money = sum(
            cost(
                price,
                count_billed(step.trial),
                reply_tokens,
                0.0 if batch else step.cached,
                batch=batch,
                written=0.0 if batch else step.written,
            )
            for step in steps
        )
    read = 0.0 if batch else sum(step.cached for step in steps)
    return Strategy(name, replicates, len(steps), sent, sent - read, money)


def count_further_layers(name: Name, uniform: int, replicates: int, depths: int) -> int:
    """Return how many layers an adaptive run is taken to ask beyond the core near its edge.

    ``uniform`` are the replicates of the uniform run whose certainty is wanted.
    """
    wanted = SHARE_AT_EDGES[name] * uniform * depths / replicates
    return min(max(round(wanted) - 1, 1), depths - 1)


def list_edge(lengths: int) -> range:
    """Return the numbers of the lengths round the one that is taken to be the effective one."""
    end = min(round(EDGE * (lengths - 1)) + AT_EDGE // 2, lengths - 1)
    return range(max(end - AT_EDGE + 1, 0), end + 1)
