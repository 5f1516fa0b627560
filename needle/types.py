"""The records that flow through needle. Frozen, with no behaviour beyond what they are."""

from dataclasses import dataclass, field
from typing import Any, Literal

from needle.counts import VendorCount

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

Unit = Literal["tokens", "hanzi"]

Verdict = Literal[
    "found", "partial", "missed", "refused", "truncated", "filtered", "failed", "not_run"
]
VERDICTS: tuple[Verdict, ...] = (
    "found",
    "partial",
    "missed",
    "refused",
    "truncated",
    "filtered",
    "failed",
    "not_run",
)

STRICT = {"extra": "forbid"}
"""What pydantic is told about every record that is read from a YAML file."""

Message = dict[str, str]
"""One chat message: ``{"role": ..., "content": ...}``."""


@dataclass(frozen=True, slots=True)
class Needle:
    """The inserted facts, the retrieval question about them, and the accepted answers.

    ``answers`` holds one group for each thing that a full answer gives; any one of a
    group's wordings will do. The score is the share of groups found.
    """

    name: str
    language: Language
    facts: tuple[str, ...]
    question: str
    answers: tuple[tuple[str, ...], ...]
    task: str = "single"


@dataclass(frozen=True, slots=True)
class Haystack:
    """The text around the needle: its files in reading order, each (name, text)."""

    name: str
    language: Language
    files: tuple[tuple[str, str], ...]
    sha256: str
    source: str


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt in one language: messages with ``{context}`` and ``{question}`` in them."""

    name: str
    language: Language
    messages: tuple[tuple[str, str], ...]
    separator: str


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
class Model:
    """A model as the catalogue knows it: where it is, and what it takes.

    ``served_as`` is the name that goes into a request, where it is another than ``name``.
    ``window`` is in the vendor's tokens, prompt and reply together, ``window_characters`` in
    characters of the prompt; None where not known. ``source`` and ``as_of`` are theirs.
    ``extra`` is what else stands in the request's body, such as what turns thinking off.
    ``errors`` are texts by which the vendor says a kind of failure. ``estimate_path`` is where
    it counts a prompt's tokens. ``params`` are a self-hosted model's parameters, by which its
    use of cards is reckoned.
    """

    name: str
    vendor: str
    base_url: str
    key_variable: str | None
    window: int | None = None
    window_characters: int | None = None
    price: Price | None = None
    max_tokens_parameter: str = "max_tokens"
    temperature: float | None = 0.0
    content: Literal["string", "list"] = "string"
    stream: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    reply_tokens: int = 256
    concurrency: int = 8
    errors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    estimate_path: str | None = None
    params: float | None = None
    retired: str | None = None
    known: bool = True
    served_as: str | None = None
    source: str = ""
    as_of: str = ""

    @property
    def simulated(self) -> bool:
        """Whether the built-in endpoint serves it."""
        return self.vendor == "sim"

    @property
    def endpoint(self) -> str:
        """The endpoint as keys and run folders name it: the simulated one has no fixed port."""
        return "sim" if self.simulated else self.base_url


@dataclass(frozen=True, slots=True)
class Grid:
    """The lengths (in the run's unit) and depths (percent) of a run, in ascending order."""

    name: str
    lengths: tuple[int, ...]
    depths: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One request: one cell, one replicate, one model, one language.

    ``position`` and ``cut`` are characters of the replicate's haystack: where the needle
    goes, and where the haystack ends. ``prompt_tokens`` counts all message contents in the
    counting tokenizer, exactly; ``context_units`` the same in the run's unit. ``vendor_tokens``
    is the endpoint's own count of the request as far as it is known beforehand: None where
    lengths are in the common count.
    """

    key: str
    pair: str
    model: str
    task: str
    language: Language
    layout: str
    control: str | None
    needle: Needle
    replicate: int
    haystack: str
    haystack_offset: int
    unit: Unit
    tokenizer: str
    context_length: int
    depth_percent: float
    actual_depth_percent: float
    position: int
    cut: int
    prompt_tokens: int
    context_units: int
    vendor_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SamePlace:
    """A cell whose needle falls where another cell's does: one trial, two squares."""

    language: Language
    replicate: int
    context_length: int
    depth_percent: float
    drawn_as: float


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often the longest context of a language reads its haystack through."""

    language: Language
    haystack: str
    passes: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All trials of a run, in the order they are sent."""

    trials: tuple[Trial, ...]
    same_place: tuple[SamePlace, ...]
    repeats: tuple[Repeats, ...]
    grid: Grid


@dataclass(frozen=True)
class HaystackNote:
    """What run.yaml keeps of a haystack: enough to find it again and see that it is the same."""

    name: str
    sha256: str
    source: str
    passes: float

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Run:
    """A run's resolved configuration: all that shapes its requests, figures and name.

    ``needles`` are by task and language, one for each replicate. ``ratio`` is how the endpoint
    counts, where lengths are in its own tokens; None where they are in the common count.
    """

    run_id: str
    date: str
    digest: str
    model: Model
    languages: tuple[Language, ...]
    tasks: tuple[str, ...]
    grid: Grid
    unit: Unit
    tokenizer: str
    tokenizer_file: str | None
    ratio: dict[Language, VendorCount] | None
    seed: int
    replicates: int
    temperature: float | None
    reply_tokens: int
    concurrency: int
    timeout_s: float
    haystacks: dict[Language, HaystackNote]
    templates: dict[Language, Template]
    needles: dict[str, dict[Language, tuple[Needle, ...]]]
    same_place: tuple[SamePlace, ...]
    trials: int
    primary_scorer: str
    versions: dict[str, str]
    limits: Limits | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer of an endpoint. ``response`` never holds the reasoning."""

    response: str
    reasoning: str | None = None
    finish_reason: str | None = None
    endpoint_prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    served_model: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """No reply that counts: its kind, the HTTP status if there was one, the vendor's words.

    ``permanent`` marks what can't pass by itself; ``condemns`` what condemns every trial.
    ``reply`` is what came all the same and is kept: an answer to a prompt that the endpoint
    had cut short without saying so.
    """

    kind: str
    status: int | None
    message: str
    permanent: bool
    condemns: bool = False
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a vendor's headers say may still be sent, and in how many seconds it is whole again."""

    requests_left: int | None = None
    requests_reset_s: float | None = None
    tokens_left: int | None = None
    tokens_reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What came back for one request, after all its attempts.

    ``lost_attempts`` counts those that may have been served and charged though no answer
    came. ``latency_s`` is the last attempt's, in seconds; ``started_at`` is ISO 8601, UTC.
    """

    result: Reply | Failure
    attempts: int
    lost_attempts: int
    latency_s: float
    started_at: str


@dataclass(frozen=True, slots=True)
class Score:
    """One scorer's word on one trial: 0-1 or null, and the verdict."""

    trial: str
    scorer: str
    score: float | None
    verdict: Verdict
    explanation: str
    extra: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One square of a heatmap.

    ``score`` is the mean over the scored replies, None where there is none. ``verdicts``
    counts the trials by verdict, those not yet run among them; together they are the
    trials that the cell should have, one a replicate.
    """

    context_length: int
    depth_percent: float
    score: float | None
    verdicts: dict[Verdict, int]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """All that a heatmap's figure says: its cells, and what stands around them.

    ``recall`` is the mean over all scored replies; ``scored`` their number; ``left_out``
    counts the trials without a score by verdict. ``passes`` is how often the longest
    context reads through its haystack. ``date`` is that of the run. ``vendor_count`` says that
    lengths are in the model's own tokens.
    """

    model: str
    task: str
    language: Language
    unit: Unit
    grid: Grid
    cells: tuple[Cell, ...]
    needle: str
    haystack: str
    tokenizer: str
    replicates: int
    date: str
    recall: float | None
    scored: int
    left_out: dict[Verdict, int]
    passes: float
    simulated: bool
    vendor_count: bool = False
