"""What is known of an endpoint's own count of tokens: records alone."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Knot = tuple[float, float]
"""Our count of a whole request's contents, and an endpoint's count of that request."""


@dataclass(frozen=True)
class VendorCount:
    """How an endpoint counts a run's prompts in one language, and what it took to learn it.

    ``counting`` is the way to count that its own is a multiple of; ``knots`` are for each
    replicate, straight in between. ``source``: ``recognised`` is exact, ``estimate`` comes from
    the vendor's own endpoint for counts, ``probes`` from usage.prompt_tokens of small requests;
    ``assumed`` takes the endpoint to count as we do, until it is asked. The rest is what the
    requests took, by the endpoint's own count, those without an answer at their worst, and cost,
    in the currency of the model's price.
    """

    counting: str
    knots: tuple[tuple[Knot, ...], ...]
    source: Literal["assumed", "recognised", "estimate", "probes"]
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}
