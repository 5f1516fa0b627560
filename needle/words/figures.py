"""The records of figures: a heatmap's cells, and all that stands around them."""

from dataclasses import dataclass
from typing import Literal

from needle.words.claims import Estimate, WeakRegion
from needle.words.origins import Imported
from needle.words.types import Grid, Language, Layout, Unit, Verdict

Style = Literal["published", "paper"]
"""Of a run's figure: as the published charts look, or for a column of a paper."""


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
class Controls:
    """How many replies came without the needle and without any text, and what they were.

    ``made_up`` of ``no_needle`` gave an answer that the text does not hold; ``known`` of
    ``no_haystack`` gave the needle's answer, or a part of it.
    """

    no_needle: int
    made_up: int
    no_haystack: int
    known: int


@dataclass(frozen=True, slots=True)
class Heatmap:
    """All that a heatmap's figure says: its cells, and what stands around them.

    ``recall`` is the mean over all scored replies; ``scored`` their number; ``left_out``
    counts the trials without a score by verdict. ``passes`` is how often the longest context
    reads through its haystack, None where not known. ``date`` is that of the run.
    ``vendor_count`` says that lengths are in the model's own tokens. ``scorer`` is whose scores
    are drawn, with its model's name where it is a judge. ``count`` is how many facts (or
    distractors) the task's needles have. ``base`` is the base score, the mean of the recalls at
    the base lengths, each counting alike; None where there is none. ``controls`` is None where
    none were asked. In the ``shared`` layout all depths of a length stand in one context. Of an
    ``adaptive`` run ``recall``, ``scored`` and ``left_out`` are of its core alone.
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
    passes: float | None
    simulated: bool
    vendor_count: bool = False
    scorer: str = "keyword"
    judge: str | None = None
    imported: Imported | None = None
    count: int = 1
    base: float | None = None
    base_lengths: tuple[int, ...] = ()
    controls: Controls | None = None
    layout: Layout = "classic"
    adaptive: "Adaptive | None" = None


@dataclass(frozen=True, slots=True)
class Adaptive:
    """How many of a grid's trials an adaptive run has asked so far, and how many there are."""

    asked: int
    of: int


@dataclass(frozen=True, slots=True)
class Panel:
    """One heatmap of a sheet, with its recall's interval and its weak region where known.

    ``run`` is the run's name where the model's does not tell it from others.
    """

    heatmap: Heatmap
    recall: Estimate | None = None
    weak: WeakRegion | None = None
    run: str | None = None

    @property
    def name(self) -> str:
        """The model, with the run's name where that is another."""
        model = self.heatmap.model
        return model if self.run in (None, model) else f"{model} ({self.run})"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What a sheet says where a model's panels would stand, in every language unless one is given.

    ``text`` is drawn as it is, so it is written in the language of the figure's words.
    """

    model: str
    text: str
    language: Language | None = None
