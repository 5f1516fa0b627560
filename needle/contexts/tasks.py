"""The task families: which there are, which needle each asks by default, and what it counts. Pure.

docs/tasks.md says what each measures and where it comes from.
"""

from dataclasses import dataclass

from needle.words.types import Language


@dataclass(frozen=True, slots=True)
class Family:
    """A task: its default needle, the tasks of needle files that fit it, and what it counts.

    ``option`` is the recipe's word for how many there are of what its needles have several
    of: within ``least`` and ``most``, ``default`` unless said; None where there is one fact.
    """

    needle: str
    files: tuple[str, ...]
    option: str | None = None
    default: int = 1
    least: int = 1
    most: int = 1


FAMILIES: dict[str, Family] = {
    "single": Family("fictional", ("single",)),
    "number": Family("number", ("number",)),
    "uuid": Family("uuid", ("uuid",)),
    "multi": Family("multi", ("multi",), "facts", default=4, least=2, most=10),
    "distractors": Family(
        "fictional", ("distractors", "single"), "distractors", default=4, least=1, most=8
    ),
    "nonliteral": Family("nonliteral", ("nonliteral",)),
    "chain": Family("chain", ("chain",), "hops", default=3, least=2, most=5),
    "cross": Family("fictional", ("single",)),
}
BASE_LENGTHS = (250, 500, 1_000)
"""Lengths, in the run's unit, of a base score: NoLiMa's (Modarressi et al. 2025)."""

BASE_TASKS = ("nonliteral",)
"""The tasks that have a base score beside their grid."""

TASKS = tuple(FAMILIES)
FILE_TASKS = tuple(dict.fromkeys(task for family in FAMILIES.values() for task in family.files))
"""The tasks that a needle's file can name."""


def text_language(task: str, language: Language) -> Language:
    """Return the language of the text around a task's needles: for ``cross`` it is the other."""
    if task != "cross":
        return language
    return "zh" if language == "en" else "en"
