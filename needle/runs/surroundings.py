"""Each trial's inserted sentences in the sentences around them, rebuilt from the haystack.

Run folders hold no contexts: what stands around a needle follows from run.yaml and the text.
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass

from needle.contexts.passages import list_boundaries, read_passage
from needle.runs.prepare import Prepared, plan_again
from needle.words.errors import NeedleError
from needle.words.types import Language, Place, Run, Trial

SIDE = 200
"""The most characters of haystack shown on either side of a sentence."""
_SHARE = 4  # no more than one part in so many of a context's haystack is ever shown
_LOOKAHEAD = 40  # characters beside a side, which tell whether a sentence ends there
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """An inserted sentence, and what of the haystack stands right before and after it.

    ``before`` and ``after`` are of the haystack alone: they end where another sentence is inserted,
    and are empty at the haystack's own ends. ``distractor`` marks what is no fact, ``other`` a
    needle of a shared context that is not asked for: of what is around it nothing is shown.
    """

    before: str
    needle: str
    after: str
    depth_percent: float
    actual_depth_percent: float
    distractor: bool = False
    other: bool = False


@dataclass(frozen=True, slots=True)
class Surrounding:
    """All sentences inserted in one trial's context, in the order of the text."""

    places: tuple[Excerpt, ...]


def find_surroundings(run: Run, asked: Container[str]) -> dict[str, Surrounding]:
    """Return what stands around the inserted sentences of a run's trials, by key.

    ``asked`` are the keys of the trials that are wanted.

    Empty where it can't be known: the haystack is not at hand or has changed, the run was
    imported. Trials without any inserted sentence have none. All sides of a trial together
    are at most a quarter of its haystack, and each has ``SIDE`` characters at most.
    """
    try:
        prepared = plan_again(run)
    except NeedleError:
        return {}
    trials = [trial for trial in prepared.plan.trials if trial.key in asked and trial.places]
    passages = _read_passages(prepared, trials)
    return {
        trial.key: surround(trial, passages[trial.text_language, trial.haystack_offset])
        for trial in trials
    }


def _read_passages(prepared: Prepared, trials: Iterable[Trial]) -> dict[tuple[Language, int], str]:
    """Read each passage once, as far as its longest context reaches."""
    cuts: dict[tuple[Language, int], int] = {}
    for trial in trials:
        place = (trial.text_language, trial.haystack_offset)
        cuts[place] = max(cuts.get(place, 0), trial.cut)
    return {
        (language, offset): read_passage(prepared.haystacks[language], offset, cut)
        for (language, offset), cut in cuts.items()
    }


def surround(trial: Trial, passage: str) -> Surrounding:
    """Return a trial's inserted sentences with what of its passage stands around each."""
    shown = sum(not place.other for place in trial.places)
    side = min(SIDE, trial.cut // (2 * _SHARE * max(shown, 1)))
    positions = [0, *(place.position for place in trial.places), trial.cut]
    return Surrounding(
        tuple(
            _excerpt(
                place,
                passage,
                (positions[number], positions[number + 2]),
                0 if place.other else side,
            )
            for number, place in enumerate(trial.places)
        )
    )


def _excerpt(place: Place, passage: str, within: tuple[int, int], side: int) -> Excerpt:
    start, end = within
    position = place.position
    before = passage[max(start, position - side - _LOOKAHEAD) : position]
    after = passage[position : min(end, position + side + _LOOKAHEAD)]
    return Excerpt(
        before=_end_of(before, side) if side else "",
        needle=place.text,
        after=_start_of(after, side) if side else "",
        depth_percent=place.depth_percent,
        actual_depth_percent=place.actual_depth_percent,
        distractor=place.distractor,
        other=place.other,
    )


def _end_of(text: str, side: int) -> str:
    """Return the last whole sentences of a text, else its last words, up to so many signs."""
    if len(text) > side:
        first = len(text) - side
        start = next((end for end in list_boundaries(text) if end >= first), None)
        space = _SPACE.search(text, first)
        start = space.end() if start is None and space else start
        text = text[first if start is None else start :]
    return text.strip()


def _start_of(text: str, side: int) -> str:
    """Return the first whole sentences of a text, else its first words, up to so many signs."""
    if len(text) > side:
        ends = [end for end in list_boundaries(text) if end <= side]
        ends = ends or [space.start() for space in _SPACE.finditer(text, 1, side)]
        text = text[: ends[-1] if ends else side]
    return text.strip()
