"""What is wrong with a needle's file: each fault in a few words, with its place. Pure."""

from collections.abc import Iterator

from needle.contexts.needles import (
    COUNT,
    NEXT,
    WHOLE,
    NeedleSource,
    Option,
    Wording,
    fill,
    find_unknown_marks,
)
from needle.contexts.tasks import FAMILIES, FILE_TASKS
from needle.contexts.terms import share_terms

_MOST_DIGITS = 30
_SEVERAL = ("multi", "chain")  # tasks whose needles have several facts

Fault = tuple[str, str]
"""What is wrong and what to do, and where in the file."""


def find_faults(source: NeedleSource) -> Iterator[Fault]:
    """Yield what is wrong with a needle's file, the plainest first."""
    if source.task not in FILE_TASKS:
        yield f"unknown task {source.task!r}: use {', '.join(FILE_TASKS)}", "task"
        return
    if not source.variants or not all(source.variants):
        yield "variants is empty: give at least one needle, in at least one language", "variants"
    yield from _find_drawing_faults(source)
    unknown = next(find_unknown_marks(source), None)
    if unknown:
        yield f"no slot fills {unknown}: add it under slots", "variants"
    numbers = {len(w.facts) for variant in source.variants for w in variant.values()}
    if len(numbers) > 1:
        yield "give every variant as many facts as the others, in every language", "variants"
    for index, variant in enumerate(source.variants):
        for language, wording in variant.items():
            for fault in _find_wording_faults(source, wording):
                yield fault, f"variants[{index}].{language}"


def _find_drawing_faults(source: NeedleSource) -> Iterator[Fault]:
    for slot, options in source.slots.items():
        if not options:
            yield f"the slot {slot!r} is empty: give at least one option", f"slots.{slot}"
    for name, digits in source.numbers.items():
        if not 1 <= digits <= _MOST_DIGITS:
            fault = f"a number has 1 to {_MOST_DIGITS} digits, got {digits}"
            yield f"{fault}: give how many it is to have", f"numbers.{name}"
    named = [*source.slots, *source.numbers, *source.uuids]
    if COUNT in named or any(name.startswith(NEXT) for name in named):
        yield f"the names {COUNT} and {NEXT}... are taken: call it something else", "slots"
    for name in named:
        if named.count(name) > 1:
            yield f"{name!r} is named twice: give each of what is drawn its own name", "slots"
    for name in source.each:
        if name not in named:
            yield f"nothing is drawn for {name!r}: use {', '.join(named) or 'slots'}", "each"


def _find_wording_faults(source: NeedleSource, wording: Wording) -> Iterator[str]:
    if not wording.answers or not all(wording.answers):
        yield "answers is empty: give at least one accepted answer"
    if any(not answer.strip() for group in wording.answers for answer in group):
        yield "an accepted answer is empty: give its words, or take it out"
    if not wording.facts or not all(fact.strip() for fact in wording.facts):
        yield "facts is empty: give the sentence to insert"
    if not wording.question.strip():
        yield "question is empty: give the question to ask"
    if source.task == "nonliteral":
        yield from _find_literal_faults(source, wording)
    yield from _find_distractor_faults(source, wording)
    yield from _find_number_faults(source, wording)


def _find_literal_faults(source: NeedleSource, wording: Wording) -> Iterator[str]:
    """Yield the content words that question and fact share, whatever is drawn."""
    first: dict[str, Option] = {name: options[0] for name, options in source.slots.items()}
    first |= {name: {WHOLE: "0"} for name in (*source.numbers, *source.uuids)}
    first[COUNT] = {"en": "one", "zh": "一"}
    draws = [{**first, name: o} for name, options in source.slots.items() for o in options]
    for draw in draws or [first]:
        fact, question = fill("".join(wording.facts), draw), fill(wording.question, draw)
        for term in share_terms(question, fact):
            yield f"question and fact share {term!r}: nonliteral needles share no content word"


def _find_distractor_faults(source: NeedleSource, wording: Wording) -> Iterator[str]:
    written, most = wording.distractors, FAMILIES["distractors"].most
    if any(not text.strip() for text in written):
        yield "a distractor is empty: give the sentence, or take it out"
    if written and source.each:
        yield "distractors are drawn where there is each: take one of the two out"
    if source.task == "distractors" and not (written or source.each):
        yield "distractors is empty: give sentences like the fact's about other things"
    if len(written) > most:
        yield f"there are at most {most} distractors, got {len(written)}"


def _find_number_faults(source: NeedleSource, wording: Wording) -> Iterator[str]:
    number = len(wording.facts)
    if source.each or source.task not in _SEVERAL:
        if number > 1:
            why = "with each, facts are drawn from one wording"
            why = why if source.each else f"a needle of the task {source.task} has one fact"
            yield f"{why}, got {number}: take one"
    elif not FAMILIES[source.task].least <= number <= FAMILIES[source.task].most:
        family = FAMILIES[source.task]
        yield f"the task {source.task} has {family.least} to {family.most} facts, got {number}"
    elif source.task == "multi" and len(wording.answers) != number:
        yield f"give each of the {number} facts a group of answers, got {len(wording.answers)}"
