"""Reading a prompt as a perfect reader does: by the wordings of needles that it has seen.

Pure, and handed nothing of a run: from the question's wording it tells which needle is asked,
and what was drawn for it as far as the question says; then it looks for that needle's facts in
the prompt, and follows chains from one to the next. A question that no wording fits is read
by its words, as ``reader`` reads.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from needle.contexts.needles import (
    COUNT,
    COUNTS,
    MARK,
    NEXT,
    WHOLE,
    NeedleSource,
    Option,
    Wording,
)
from needle.simulated.reader import NOT_SAID, Answer, find_language, split_prompt
from needle.simulated.reader import answer as answer_by_words

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

Known = Mapping[str, Option]
"""The options that are known of what was drawn, by slot."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A wording that the oracle has learnt: its needle's, and how its question is recognised."""

    source: NeedleSource
    wording: Wording
    question: re.Pattern[str]


def learn(sources: Iterable[NeedleSource]) -> tuple[Lesson, ...]:
    """Learn all wordings of needles, in every language that they have."""
    return tuple(
        Lesson(source, wording, compile_wording(wording.question, source, {}))
        for source in sources
        for variant in source.variants
        for wording in variant.values()
    )


@dataclass(frozen=True, slots=True)
class _Fact:
    """A fact in a context: where it starts, in characters, its text, and what it told."""

    start: int
    text: str
    told: Known


def answer(
    prompt: str, lessons: Sequence[Lesson], sees: Callable[[float], bool] = lambda _: True
) -> Answer:
    """Answer the question at a prompt's end with the facts of its needle that are seen.

    ``sees`` tells of a depth, in percent of the context's characters, whether a sentence there
    is seen. A chain with a fact that is not is broken, and has no answer.
    """
    context, question = split_prompt(prompt)
    asked = _recognise(question, lessons)
    if asked is None:
        return answer_by_words(prompt, sees)
    source, wording, known = asked

    def find(fact: str, known: Known) -> Iterator[_Fact]:
        for match in compile_wording(fact, source, known).finditer(context):
            told = read_match(match, source)
            if told is not None and sees(100 * match.start() / len(context)):
                yield _Fact(match.start(), match[0], {**known, **told})

    if source.task == "chain":
        facts = _follow(source, wording, known, find)
    else:
        found = (fact for text in wording.facts for fact in find(text, known))
        facts = sorted(found, key=lambda fact: fact.start)
        facts = facts if source.task == "multi" else facts[:1]
    if not facts:
        return Answer(NOT_SAID[find_language(question)], None, None, len(context))
    gap = " " if find_language(question) == "en" else ""
    start = facts[0].start
    text = gap.join(fact.text for fact in facts)
    return Answer(text, start, 100 * start / len(context), len(context))


def _recognise(
    question: str, lessons: Sequence[Lesson]
) -> tuple[NeedleSource, Wording, Known] | None:
    """Tell which needle's question this is, and what it says of what was drawn."""
    for lesson in lessons:
        match = lesson.question.fullmatch(question)
        told = match and read_match(match, lesson.source)
        if told is not None:
            return lesson.source, lesson.wording, told
    return None


def _follow(
    source: NeedleSource,
    wording: Wording,
    known: Known,
    find: Callable[[str, Known], Iterator[_Fact]],
) -> list[_Fact]:
    """Follow a chain to its last fact; return that one, nothing if any is not there."""
    if not source.each:
        facts = [fact for text in wording.facts for fact in find(text, known)]
        return facts[-1:] if len(facts) == len(wording.facts) else []
    hops = next(number for number, words in COUNTS.items() if words == known[COUNT])
    last: list[_Fact] = []
    for _ in range(hops):
        last = list(find(wording.facts[0], known))[:1]
        if not last:
            return []
        told = last[0].told
        known = {**known, **{name: told[f"{NEXT}{name}"] for name in source.each}}
    return last


def compile_wording(text: str, source: NeedleSource, known: Known) -> re.Pattern[str]:
    """Compile a wording: what is known stands as it is, each other mark for all of its options."""
    pattern, last = "", 0
    for number, mark in enumerate(MARK.finditer(text)):
        name, key = mark[1], mark[2] or WHOLE
        pattern += re.escape(text[last : mark.start()])
        if name in known:
            pattern += re.escape(known[name][key])
        else:
            pattern += f"(?P<g{number}_{name}_in_{key}>{_alternatives(source, name, key)})"
        last = mark.end()
    return re.compile(pattern + re.escape(text[last:]))


def _alternatives(source: NeedleSource, name: str, key: str) -> str:
    if name in source.numbers:
        return rf"\d{{{source.numbers[name]}}}"
    if name in source.uuids:
        return _UUID
    return "|".join(sorted({re.escape(o[key]) for o in _options(source, name)}, reverse=True))


def _options(source: NeedleSource, name: str) -> Sequence[Option]:
    return tuple(COUNTS.values()) if name == COUNT else source.slots[name.removeprefix(NEXT)]


def read_match(match: re.Match[str], source: NeedleSource) -> Known | None:
    """Return the options that a match stands for; None where its parts are of different ones."""
    parts: dict[str, dict[str, str]] = {}
    for group, value in match.groupdict().items():
        name, _, key = group.partition("_")[2].rpartition("_in_")
        if parts.setdefault(name, {}).setdefault(key, value) != value:
            return None
    told: dict[str, Option] = {}
    for name, values in parts.items():
        if WHOLE in values:
            told[name] = values
            continue
        fitting = [o for o in _options(source, name) if all(o[k] == v for k, v in values.items())]
        if not fitting:
            return None
        told[name] = fitting[0]
    return told
