"""What a plan is made of: each task's needles with their text and template, and the settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from needle.contexts.calibration import Scale
from needle.contexts.counting import Counting
from needle.contexts.grid import GridWish
from needle.words.types import Haystack, Language, Layout, Model, Needle, Template, Unit


@dataclass(frozen=True, slots=True)
class Material:
    """What the trials of one task and language are made of: the needles of each replicate.

    ``each`` is how many a replicate has: one, or in the shared layout one for each depth and
    one more, which is asked for without being there. ``language`` is that of needle, question
    and template; the haystack has its own.
    """

    language: Language
    haystack: Haystack
    needles: tuple[Needle, ...]
    template: Template
    each: int = 1

    @property
    def replicates(self) -> int:
        """How many replicates its needles are for."""
        return len(self.needles) // self.each

    @property
    def task(self) -> str:
        """The task of its needles."""
        return self.needles[0].task


@dataclass(frozen=True, slots=True)
class Fitting:
    """How lengths in an endpoint's own tokens are made: a counting of ours, a scale a replicate."""

    counting: Counting
    scales: tuple[Scale, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What else shapes a run's requests.

    ``base_lengths`` are for the tasks with a base score; ``controls`` says whether questions
    are also asked without their needle, and without any text, ``sparing`` that the former are
    asked at one length a replicate. Without ``fittings``, by the text's language, lengths are in
    the common count.
    """

    model: Model
    grid: GridWish
    unit: Unit
    tokens: Counting
    hanzi: Counting
    seed: int
    temperature: float | None
    reply_tokens: int
    base_lengths: tuple[int, ...] = ()
    controls: bool = False
    sparing: bool = False
    fittings: Mapping[Language, Fitting] | None = None
    layout: Layout = "classic"

    def counting(self, language: Language) -> Counting:
        """Return the counting by which contexts of a text's language are cut to their length."""
        if self.fittings is not None:
            return self.fittings[language].counting
        return self.tokens if self.unit == "tokens" else self.hanzi

    def fit_to(self, language: Language, replicate: int, length: int) -> int:
        """Return what a context length comes to in the counting of its text's language."""
        if self.fittings is None:
            return length
        return self.fittings[language].scales[replicate].to_ours(length)
