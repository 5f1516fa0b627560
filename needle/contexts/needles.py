"""Needles: drawing a replicate's facts, question and accepted answers from their source. Pure."""

import math
import random
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from needle.words.tariffs import STRICT
from needle.words.types import Distractor, Language, Needle

MARK = re.compile(r"\{(\w+)(?:\.(\w+))?\}")

Option = Mapping[str, str]
Draw = dict[str, Option]
"""What is drawn for each slot: a text by the key that marks name it with."""

WHOLE = ""
"""The key of what is the same in every language: a number, a UUID."""

COUNT, NEXT = "count", "next_"
"""In a chain's wordings: the mark of how many facts there are, and what a mark of the next
draw begins with."""

COUNTS: dict[int, Option] = {
    number: {"en": english, "zh": chinese}
    for number, english, chinese in zip(
        range(1, 11),
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        "一两三四五六七八九十",
        strict=True,
    )
}


@dataclass(frozen=True, slots=True)
class Wording:
    """One needle in one language, with marks such as ``{place.en}`` for what is drawn.

    ``answers`` holds a group of accepted wordings for each thing that a full answer gives.
    ``distractors`` are sentences like the fact's about other things, where they are written
    out and not drawn.
    """

    facts: tuple[str, ...]
    question: str
    answers: tuple[tuple[str, ...], ...]
    distractors: tuple[str, ...] = ()

    __pydantic_config__ = STRICT

    def texts(self) -> tuple[str, ...]:
        """Return all that it says."""
        answers = (answer for group in self.answers for answer in group)
        return (*self.facts, *self.distractors, self.question, *answers)


@dataclass(frozen=True, slots=True)
class NeedleSource:
    """A needle's YAML file: parallel wordings by language, and what is drawn for their marks.

    A slot holds options with a text for each key: ``{place.en}``. A number, named with how
    many digits it has, and a UUID are drawn whole: ``{code}``. ``slots_of`` names slots
    taken from shipped needles. Where nothing varies every replicate has the same needle.
    """

    name: str
    source: str
    variants: tuple[dict[Language, Wording], ...]
    task: str = "single"
    slots: dict[str, tuple[dict[str, str], ...]] = field(default_factory=dict)
    slots_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    uuids: tuple[str, ...] = ()
    each: tuple[str, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Form:
    """What form needles take: their task, and how many there are of what it counts."""

    task: str = "single"
    count: int = 1


def form_of(needle: Needle) -> Form:
    """Return the form that a needle has."""
    facts = len(needle.facts)
    counts = {"multi": facts, "chain": facts, "distractors": len(needle.distractors)}
    return Form(needle.task, counts.get(needle.task, 1))


def count_draws(source: NeedleSource) -> int:
    """Return how many different needles a source holds."""
    return len(source.variants) * math.prod(size for _, size in _sizes(source))


def _sizes(source: NeedleSource) -> list[tuple[str, int]]:
    return [
        *((slot, len(options)) for slot, options in source.slots.items()),
        *((name, 9 * 10 ** (digits - 1)) for name, digits in source.numbers.items()),
        *((name, 2**122) for name in source.uuids),  # the bits of a UUID that are free
    ]


def draw_needle(
    source: NeedleSource, language: Language, seed: int, replicate: int, form: Form | None = None
) -> Needle:
    """Draw a replicate's needle: the same fact in either language, another for each replicate.

    The draws of one seed walk through all combinations in steps that share no factor with
    their number, so that none comes twice before all have come once.
    """
    form = form or Form(source.task)
    variant, indexes = draw_options(source, seed, replicate)
    wording, salt = source.variants[variant][language], f"{seed} {replicate}"
    draws = _draw_each(source, indexes, form, salt)
    drawn_anew = form.task if source.each else None
    groups = _fill_groups(wording, draws[-1] if drawn_anew == "chain" else draws[0])
    if drawn_anew == "multi":
        facts = [fill(wording.facts[0], draw) for draw in draws]
        groups = tuple(group for draw in draws for group in _fill_groups(wording, draw))
    elif drawn_anew == "chain":
        facts = [fill(wording.facts[0], _link(*pair)) for pair in pairwise(draws)]
    else:
        facts = [fill(fact, draws[0]) for fact in wording.facts]
    others = [fill(text, draws[0]) for text in wording.distractors]
    if drawn_anew == "distractors":
        others = [fill(wording.facts[0], draw) for draw in draws[1:]]
    number = form.count if form.task == "distractors" else 0
    depths = _draw_depths(number, f"{source.name} {salt}")
    return Needle(
        name=source.name,
        language=language,
        facts=tuple(facts),
        question=fill(wording.question, draws[0]),
        answers=groups,
        task=form.task,
        distractors=tuple(map(Distractor, others, depths)),
    )


def _draw_each(
    source: NeedleSource, indexes: Mapping[str, int], form: Form, salt: str
) -> list[Draw]:
    """Draw as often as a needle of this form asks for, each with the word for its count."""
    further = {"multi": form.count - 1, "chain": form.count, "distractors": form.count}
    number = further.get(form.task, 0) if source.each else 0
    drawn = [dict(indexes), *_draw_more(source, indexes, number, salt)]
    return [{**_choose(source, each), COUNT: COUNTS[form.count]} for each in drawn]


def _link(draw: Draw, following: Draw) -> Draw:
    """Return a draw with the following one's options under names of their own."""
    return {**draw, **{f"{NEXT}{name}": option for name, option in following.items()}}


def _draw_depths(count: int, salt: str) -> list[float]:
    """Draw a depth in each of as many equal parts of the text: spread out, but on no pattern."""
    rng = random.Random(f"depths {salt}")
    return [round(100 * (part + rng.random()) / count, 3) for part in range(count)]


def draw_options(source: NeedleSource, seed: int, replicate: int) -> tuple[int, dict[str, int]]:
    """Draw a replicate's variant, and the number of an option for each slot."""
    total = count_draws(source)
    rng = random.Random(f"needle {source.name} {seed}")
    start, step = rng.randrange(total), 1
    if total > 2:  # noqa: PLR2004 - one or two needles leave no choice of step
        step = next(s for s in iter(lambda: rng.randrange(1, total), 0) if math.gcd(s, total) == 1)
    index = (start + step * replicate) % total
    index, variant = divmod(index, len(source.variants))
    indexes = {}
    for name, size in _sizes(source):
        index, indexes[name] = divmod(index, size)
    return variant, indexes


def _draw_more(
    source: NeedleSource, first: Mapping[str, int], number: int, salt: str
) -> list[dict[str, int]]:
    """Draw so often again what is drawn for each fact, no option twice; the rest stays.

    More draws begin with the same ones as fewer.
    """
    rng, sizes = random.Random(f"each {source.name} {salt}"), dict(_sizes(source))
    taken = {name: {first[name]} for name in source.each}
    more = []
    for _ in range(number):
        indexes = dict(first)
        for name in source.each:
            while indexes[name] in taken[name]:
                indexes[name] = rng.randrange(sizes[name])
            taken[name].add(indexes[name])
        more.append(indexes)
    return more


def count_apart(source: NeedleSource) -> int:
    """Return how many facts can be drawn for one needle with no option twice."""
    return min((size for name, size in _sizes(source) if name in source.each), default=1)


def _choose(source: NeedleSource, indexes: Mapping[str, int]) -> Draw:
    return {name: _option(source, name, index) for name, index in indexes.items()}


def _option(source: NeedleSource, name: str, option: int) -> Option:
    if name in source.slots:
        return source.slots[name][option]
    if name in source.numbers:  # none begins with 0, which some would leave out
        return {WHOLE: str(10 ** (source.numbers[name] - 1) + option)}
    high, low = divmod(option, 2**62)
    number = (high >> 12) << 80 | (high & 0xFFF) << 64 | low
    return {WHOLE: str(uuid.UUID(int=number, version=4))}


def _fill_groups(wording: Wording, draw: Draw) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(fill(answer, draw) for answer in group) for group in wording.answers)


def fill(text: str, draw: Mapping[str, Option]) -> str:
    """Fill a text's marks with what is drawn."""
    return MARK.sub(lambda match: draw[match[1]][match[2] or WHOLE], text)


@dataclass(frozen=True, slots=True)
class Insert:
    """A sentence to be inserted, and the depth (percent) asked for it."""

    text: str
    depth_percent: float
    distractor: bool = False


def spread(needle: Needle, depth_percent: float | None) -> tuple[Insert, ...]:
    """Return all that a needle inserts at a depth, in the order of the text.

    Without a depth the facts are left out, and distractors are not. Fact i of n, from 0, is
    asked for at d + i (100 - d) / n, the published rule of multi-needle tests
    (gkamradt/needle-in-a-haystack); distractors keep depths of their own.
    """
    facts = []
    if depth_percent is not None:
        step = (100 - depth_percent) / max(1, len(needle.facts))
        facts = [
            Insert(fact, max(depth_percent, round(depth_percent + i * step, 3)))
            for i, fact in enumerate(needle.facts)
        ]
    others = [Insert(each.text, each.depth_percent, distractor=True) for each in needle.distractors]
    return tuple(sorted([*facts, *others], key=lambda insert: insert.depth_percent))


def find_unknown_marks(source: NeedleSource) -> Iterator[str]:
    """Yield the marks in a source's wordings that nothing fills, such as ``{plcae.en}``.

    The marks of a following draw are for a chain's facts alone.
    """
    known = {name: set.intersection(*map(set, options)) for name, options in source.slots.items()}
    known |= {name: {WHOLE} for name in (*source.numbers, *source.uuids)}
    known |= {COUNT: {"en", "zh"}}
    linked = {f"{NEXT}{name}": keys for name, keys in known.items() if name in source.each}
    for variant in source.variants:
        for wording in variant.values():
            for text in wording.texts():
                in_chain = source.task == "chain" and text in wording.facts
                filled = {**known, **linked} if in_chain else known
                for match in MARK.finditer(text):
                    if (match[2] or WHOLE) not in filled.get(match[1], ()):
                        yield match[0]
