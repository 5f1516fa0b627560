"""The prompts of a run, written one by one from its texts: by whoever sends them, wherever."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from needle.caching.breakpoints import mark_body
from needle.caching.chains import Step
from needle.contexts.passages import read_passage
from needle.contexts.prompts import build_messages, choose_template
from needle.edges.endpoint import request_body
from needle.runs.prepare import Prepared
from needle.words.errors import known
from needle.words.types import Haystack, Language, Message, Run, Trial

_SAME_PASSAGES = 4  # passages kept at once: a few languages and replicates are in flight


@dataclass(frozen=True, slots=True)
class Texts:
    """What a run's prompts are written from.

    ``longest`` is how many characters of the passage at a place are read at the most.
    """

    run: Run
    haystacks: Mapping[Language, Haystack]
    longest: Mapping[tuple[Language, int], int]


def gather_texts(prepared: Prepared) -> Texts:
    """Return what a run's prompts are written from."""
    longest: dict[tuple[Language, int], int] = {}
    for trial in prepared.plan.trials:
        place = (trial.text_language, trial.haystack_offset)
        longest[place] = max(longest.get(place, 0), trial.cut)
    return Texts(prepared.run, prepared.haystacks, longest)


def passage_reader(prepared: Prepared) -> Callable[[Trial], str]:
    """Return what reads a trial's passage; those of a few replicates are kept at a time."""
    return _read_from(gather_texts(prepared))


def _read_from(texts: Texts) -> Callable[[Trial], str]:
    @lru_cache(maxsize=_SAME_PASSAGES)
    def read(language: Language, offset: int) -> str:
        cut = texts.longest[language, offset]
        return read_passage(texts.haystacks[language], offset, cut)[:cut]

    return lambda trial: read(trial.text_language, trial.haystack_offset)


def write_prompt(run: Run, trial: Trial, passage: str) -> list[Message]:
    """Return the messages of a trial, from its replicate's passage."""
    template = choose_template(run.templates, trial.task, trial.language)
    return build_messages(trial, template, passage)


def body_writer(texts: Texts) -> Callable[[Step], dict[str, Any]]:
    """Return what writes the body of a step's request.

    Nothing keeps a body that is written: a prompt may be megabytes long, and only those in
    flight are to be in memory (law 9).
    """
    run, read = texts.run, _read_from(texts)

    def write(step: Step) -> dict[str, Any]:
        trial = step.trial
        template = choose_template(run.templates, trial.task, trial.language)
        messages = write_prompt(run, trial, read(trial))
        body = request_body(run.model, messages, run.temperature, known(run.reply_tokens))
        return mark_body(body, step, template, run.model.cache)

    return write
