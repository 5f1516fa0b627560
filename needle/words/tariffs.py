"""The records of what a vendor asks and allows: prices, limits, batches, and kept prompts."""

from dataclasses import dataclass, field
from typing import Any, Literal

STRICT = {"extra": "forbid"}
"""What pydantic is told about every record that is read from a YAML file."""


@dataclass(frozen=True, slots=True)
class PriceTier:
    """What all of a request's tokens cost where its prompt has more than ``above`` tokens."""

    above: int
    input: float
    output: float
    cached: float | None = None
    write: float | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Price:
    """Money per million tokens, prompt and reply, in one currency; where from, and when it held.

    ``cached`` is for prompt tokens read from a cache, ``write`` for those written to one, in the
    input's place; None where no such rate is known and the input's holds. ``batch_input`` and
    ``batch_output`` are those of batch files.
    """

    input: float
    output: float
    currency: str
    cached: float | None = None
    write: float | None = None
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


CacheKind = Literal["unknown", "none", "automatic", "marked"]


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How an endpoint keeps the beginnings of prompts, so that the next need not read them anew.

    ``automatic`` ones keep every prompt's beginning by themselves, ``marked`` ones only up to the
    marks that a request sets. Counts are the vendor's tokens.

    ``minimum`` is the shortest beginning that is kept; what is served is a whole multiple of
    ``step``. ``lifetime_s`` is how long one is surely kept after its last use, None where only
    want of room drives it out. With ``on_third`` a beginning that two prompts share is kept once
    the second is answered, and serves the third. With ``apart`` each of the server's slots keeps
    its own last prompt.

    ``mark`` is what a part of a message carries to set a mark, ``marks`` how many of a request's
    marks are written. ``lookback`` is how many parts are searched back from a mark, itself
    included, for what was written before. With ``whole`` a request that is not told otherwise is
    written to its very end; ``besides`` is what tells it otherwise. ``write_rate`` is what a
    written token costs, in input tokens. ``key`` is the field of a request that sends those of
    the same beginning to the same machine.

    ``name`` is set where the built-in endpoint plays them: whose rules they are.
    """

    kind: CacheKind = "unknown"
    minimum: int = 0
    step: int = 1
    lifetime_s: float | None = None
    on_third: bool = False
    apart: bool = False
    mark: dict[str, Any] = field(default_factory=dict)
    marks: int = 4
    lookback: int = 1
    whole: bool = False
    write_rate: float = 1.0
    besides: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    name: str = ""

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
