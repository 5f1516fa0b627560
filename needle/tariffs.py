"""The records of what a vendor asks and allows: prices, limits, and how it takes batches."""

from dataclasses import dataclass

STRICT = {"extra": "forbid"}
"""What pydantic is told about every record that is read from a YAML file."""


@dataclass(frozen=True, slots=True)
class PriceTier:
    """What all of a request's tokens cost where its prompt has more than ``above`` tokens."""

    above: int
    input: float
    output: float
    cached: float | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Price:
    """Money per million tokens, prompt and reply, in one currency; where from, and when it held.

    ``cached`` is for prompt tokens read from a cache, None where no such rate is known and
    the input's holds. ``batch_input`` and ``batch_output`` are those of batch files.
    """

    input: float
    output: float
    currency: str
    cached: float | None = None
    batch_input: float | None = None
    batch_output: float | None = None
    tiers: tuple[PriceTier, ...] = ()
    source: str = ""
    as_of: str = ""

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Limits:
    """What a vendor lets a user send: requests at once, and requests and tokens a minute.

    Tokens are those of the prompt and those reserved for the reply. None is no limit known.
    """

    concurrency: int | None = None
    requests_a_minute: int | None = None
    tokens_a_minute: int | None = None
    tokens_a_day: int | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """How a vendor takes batch files: the most bytes and requests of one, and what they cost.

    ``share`` (0-1) is that of the usual price, None where prices say it themselves. ``models``
    are those that the vendor names for batches, none for all: the share is theirs alone.
    """

    most_bytes: int
    most_requests: int = 50_000
    share: float | None = None
    models: tuple[str, ...] = ()
    source: str = ""
    as_of: str = ""

    __pydantic_config__ = STRICT
