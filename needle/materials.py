"""What a plan is made of: each task's needles with their text and template, and the settings."""

from dataclasses import dataclass

from needle.counting import Counting
from needle.grid import GridWish
from needle.types import Haystack, Language, Model, Needle, Template, Unit


@dataclass(frozen=True, slots=True)
class Material:
    """What the trials of one task and language are made of: a needle for each replicate.

    ``language`` is that of needle, question and template; the haystack has its own.
    """

    language: Language
    haystack: Haystack
    needles: tuple[Needle, ...]
    template: Template

    @property
    def task(self) -> str:
        """The task of its needles."""
        return self.needles[0].task


@dataclass(frozen=True, slots=True)
class Settings:
    """What else shapes a run's requests.

    ``base_lengths`` are for the tasks with a base score; ``controls`` says whether questions
    are also asked without their needle, and without any text.
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

    @property
    def counting(self) -> Counting:
        """The counting that context lengths are in."""
        return self.tokens if self.unit == "tokens" else self.hanzi
