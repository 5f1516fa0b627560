"""Needles: drawing a replicate's facts, question and accepted answers from their source. Pure."""

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from needle.types import STRICT, Language, Needle

_MARK = re.compile(r"\{(\w+)\.(\w+)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """One needle in one language, with marks such as ``{place.en}`` for what is drawn.

    ``answers`` holds a group of accepted wordings for each thing that a full answer gives.
    """

    facts: tuple[str, ...]
    question: str
    answers: tuple[tuple[str, ...], ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class NeedleSource:
    """A needle's YAML file: parallel wordings by language, and slots whose options are drawn.

    Without slots and with one variant every replicate has the same needle.
    """

    name: str
    source: str
    variants: tuple[dict[Language, Wording], ...]
    slots: dict[str, tuple[dict[str, str], ...]] = field(default_factory=dict)
    task: str = "single"

    __pydantic_config__ = STRICT


def count_draws(source: NeedleSource) -> int:
    """Return how many different needles a source holds."""
    return len(source.variants) * math.prod(len(options) for options in source.slots.values())


def draw_needle(source: NeedleSource, language: Language, seed: int, replicate: int) -> Needle:
    """Draw a replicate's needle: the same fact in either language, another for each replicate.

    The draws of one seed walk through all combinations in steps that share no factor with
    their number, so that none comes twice before all have come once.
    """
    total = count_draws(source)
    rng = random.Random(f"needle {source.name} {seed}")
    start, step = rng.randrange(total), 1
    if total > 2:  # noqa: PLR2004 - one or two needles leave no choice of step
        step = next(s for s in iter(lambda: rng.randrange(1, total), 0) if math.gcd(s, total) == 1)
    index = (start + step * replicate) % total
    index, variant = divmod(index, len(source.variants))
    chosen: dict[str, dict[str, str]] = {}
    for slot, options in source.slots.items():
        index, option = divmod(index, len(options))
        chosen[slot] = options[option]
    wording = source.variants[variant][language]
    return Needle(
        name=source.name,
        language=language,
        facts=tuple(_fill(fact, chosen) for fact in wording.facts),
        question=_fill(wording.question, chosen),
        answers=tuple(
            tuple(_fill(answer, chosen) for answer in group) for group in wording.answers
        ),
        task=source.task,
    )


@dataclass(frozen=True, slots=True)
class Insert:
    """A sentence to be inserted, and the depth (percent) asked for it."""

    text: str
    depth_percent: float
    distractor: bool = False


def spread(needle: Needle, depth_percent: float) -> tuple[Insert, ...]:
    """Return all that a needle inserts at a depth, in the order of the text.

    Fact i of n, from 0, is asked for at d + i (100 - d) / n, the published rule of multi-needle
    tests (gkamradt/needle-in-a-haystack); distractors keep depths of their own.
    """
    number = len(needle.facts)
    step = (100 - depth_percent) / number
    facts = [
        Insert(fact, max(depth_percent, round(depth_percent + i * step, 3)))
        for i, fact in enumerate(needle.facts)
    ]
    others = [Insert(each.text, each.depth_percent, distractor=True) for each in needle.distractors]
    return tuple(sorted([*facts, *others], key=lambda insert: insert.depth_percent))


def find_unknown_marks(source: NeedleSource) -> list[str]:
    """Return the marks in a source's wordings that no slot fills, such as ``{plcae.en}``."""
    unknown = []
    for variant in source.variants:
        for wording in variant.values():
            texts = [*wording.facts, wording.question, *(a for g in wording.answers for a in g)]
            for match in (match for text in texts for match in _MARK.finditer(text)):
                options = source.slots.get(match[1], ())
                if not options or any(match[2] not in option for option in options):
                    unknown.append(match[0])
    return unknown


def _fill(text: str, chosen: Mapping[str, Mapping[str, str]]) -> str:
    return _MARK.sub(lambda match: chosen[match[1]][match[2]], text)
