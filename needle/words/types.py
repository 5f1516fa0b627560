"""The records that flow through needle. Frozen, with no behaviour beyond what they are."""

from dataclasses import dataclass, field
from typing import Any, Literal

from needle.words.counts import VendorCount
from needle.words.origins import HaystackNote, Imported
from needle.words.tariffs import STRICT, BatchTerms, CacheRules, Limits, Price

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

Unit = Literal["tokens", "hanzi"]

Layout = Literal["classic", "shared"]
"""One needle a prompt; or all depths of a length in one context, each its own needle, one
question a prompt (docs/layouts.md)."""
LAYOUTS: tuple[Layout, ...] = ("classic", "shared")

Control = Literal["no_needle", "no_haystack"]
"""The question without its needle in the text, and without any text."""

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

UNKNOWN = "unknown"
"""What run.yaml and outcomes say where an imported result does not."""

Message = dict[str, str]
"""One chat message: ``{"role": ..., "content": ...}``."""


@dataclass(frozen=True, slots=True)
class Distractor:
    """A sentence like the needle's about something else, and the depth (percent) asked for it."""

    text: str
    depth_percent: float


@dataclass(frozen=True, slots=True)
class Needle:
    """The inserted facts, the retrieval question about them, and the accepted answers.

    ``answers`` holds one group for each thing that a full answer gives; any one of a
    group's wordings will do. The score is the share of groups found. Facts are in the order
    in which they stand in the text; distractors stand at depths of their own.
    """

    name: str
    language: Language
    facts: tuple[str, ...]
    question: str
    answers: tuple[tuple[str, ...], ...]
    task: str = "single"
    distractors: tuple[Distractor, ...] = ()


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
class Model:
    """A model as the catalogue knows it: where it is, and what it takes.

    ``base_url`` is None in an imported run, where it is not known. ``served_as`` is the name that
    goes into a request, where it is another than ``name``. ``window`` is in the vendor's
    tokens, prompt and reply together, ``window_characters`` in characters of the prompt; None
    where not known. ``source`` and ``as_of`` are theirs. ``extra`` is what else stands in the
    request's body, such as what turns thinking off. ``errors`` are texts by which the vendor
    says a kind of failure. ``estimate_path`` is where it counts a prompt's tokens. ``params``
    are a self-hosted model's parameters, by which its use of cards is reckoned. ``batch`` is how
    its vendor takes batch files, None where it is not known to take any. ``cache`` is how its
    endpoint keeps the beginnings of prompts.
    """

    name: str
    vendor: str
    base_url: str | None
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
    batch: BatchTerms | None = None
    cache: CacheRules = field(default_factory=CacheRules)

    @property
    def simulated(self) -> bool:
        """Whether the built-in endpoint serves it."""
        return self.vendor == "sim"

    @property
    def endpoint(self) -> str:
        """The endpoint as keys and run folders name it: the simulated one has no fixed port."""
        return "sim" if self.simulated else self.base_url or UNKNOWN


@dataclass(frozen=True, slots=True)
class Grid:
    """The lengths (in the run's unit) and depths (percent) of a run, in ascending order."""

    name: str
    lengths: tuple[int, ...]
    depths: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """An inserted sentence and where it stands: at the depth asked for, and at the actual one.

    Depths are in percent; ``position`` is in characters of the replicate's haystack. In a
    shared context ``other`` marks the needles that are not asked for.
    """

    text: str
    depth_percent: float
    actual_depth_percent: float
    position: int
    distractor: bool = False
    other: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One request: one cell, one replicate, one model, one language.

    ``language`` is that of needle, question and template, ``text_language`` that of the text
    around the needle. ``places`` are the inserted sentences in the order of the text; the
    trial's own depths are those of the needle's first fact. ``cut`` is where the haystack ends,
    in characters of the replicate's. ``prompt_tokens`` counts all message contents in the
    counting tokenizer, exactly; ``context_units`` the same in the run's unit. ``vendor_tokens``
    is the endpoint's own count of the request as far as it is known beforehand: None where
    lengths are in the common count. A control's depths are None. ``needle_index`` is the
    needle's place in its run's list, None where that is the replicate's number.
    """

    key: str
    pair: str
    model: str
    task: str
    language: Language
    text_language: Language
    layout: str
    control: Control | None
    needle: Needle
    replicate: int
    haystack: str
    haystack_offset: int
    unit: Unit
    tokenizer: str
    context_length: int
    depth_percent: float | None
    actual_depth_percent: float | None
    places: tuple[Place, ...]
    cut: int
    prompt_tokens: int
    context_units: int
    vendor_tokens: int | None = None
    needle_index: int | None = None


@dataclass(frozen=True, slots=True)
class SamePlace:
    """A cell whose needle falls where another cell's does: one trial, two squares."""

    language: Language
    replicate: int
    context_length: int
    depth_percent: float
    drawn_as: float
    task: str = "single"


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often the longest context of a language reads its haystack through."""

    language: Language
    haystack: str
    passes: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All trials of a run, in the order they are sent.

    ``base_lengths`` are those of a base score, in the grid or beside it.
    """

    trials: tuple[Trial, ...]
    same_place: tuple[SamePlace, ...]
    repeats: tuple[Repeats, ...]
    grid: Grid
    base_lengths: tuple[int, ...] = ()


@dataclass(frozen=True)
class Run:
    """A run's resolved configuration: all that shapes its requests, figures and name.

    ``needles`` are by task and language, one for each replicate; in the shared layout one for
    each depth of each replicate, and one more that is asked for without being there.
    ``scorers`` are those asked for, the primary one first; ``judge`` is the model that judges,
    if one does. What only a run of needle's own knows (seed, budgets of tokens and time) is None
    in an imported one.
    ``base_lengths`` are those of the base score that some tasks have beside their grid.
    ``controls`` says whether the question was also asked without the needle, and without text.
    ``ratio`` is how the endpoint counts a text's language, where lengths are in its own tokens.
    ``adaptive`` says that not all of the grid is asked: the core, then what tells most.
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
    seed: int | None
    replicates: int
    temperature: float | None
    reply_tokens: int | None
    concurrency: int | None
    timeout_s: float | None
    haystacks: dict[Language, HaystackNote]
    templates: dict[Language, Template]
    needles: dict[str, dict[Language, tuple[Needle, ...]]]
    same_place: tuple[SamePlace, ...]
    trials: int
    primary_scorer: str
    versions: dict[str, str]
    limits: Limits | None = None
    base_lengths: tuple[int, ...] = ()
    controls: Literal["none", "all"] = "none"
    scorers: tuple[str, ...] = ("keyword",)
    judge: Model | None = None
    imported: Imported | None = None
    layout: Layout = "classic"
    adaptive: bool = False

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer of an endpoint. ``response`` never holds the reasoning.

    ``endpoint_prompt_tokens`` are all of the prompt's, by its own count; of these a cache served
    ``cached_tokens``, and ``cache_write_tokens`` were written to one.
    """

    response: str
    reasoning: str | None = None
    finish_reason: str | None = None
    endpoint_prompt_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
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
    came. ``latency_s`` is the last attempt's, in seconds, None for what came in a batch file;
    ``started_at`` is ISO 8601, UTC.
    """

    result: Reply | Failure
    attempts: int
    lost_attempts: int
    latency_s: float | None
    started_at: str


@dataclass(frozen=True, slots=True)
class Score:
    """One scorer's word on one trial: 0-1 or null, and the verdict.

    ``extra`` is what a judge's line holds beside: its model, cost, failure, and the sha256
    of what it was asked.
    """

    trial: str
    scorer: str
    score: float | None
    verdict: Verdict
    explanation: str
    extra: dict[str, object] = field(default_factory=dict)
