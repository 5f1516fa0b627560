"""Gathering: which needles stand together in a shared context, and which of them at which depth.

Pure. A replicate gathers a needle for each depth, and one more whose question is asked without
it. Their wordings are taken in turn, in the same order in every replicate, and what is drawn for
each is its own.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from needle.contexts.needles import (
    MARK,
    Form,
    NeedleSource,
    count_draws,
    draw_needle,
    draw_options,
)
from needle.scoring.folding import fold
from needle.words.types import Language, Needle

SHARED_TASKS = ("single", "number", "uuid", "cross")
"""The tasks whose needles can stand together: one fact each, literal and with a subject."""

_MOST_TRIES = 1_000  # draws looked at for one needle

Drawn = frozenset[tuple[str, int]]
"""The options that a text's marks name, by slot."""


@dataclass(frozen=True, slots=True)
class _Words:
    """One needle's words in one language; fact and answers are folded."""

    needle: Needle
    fact: str
    answers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One draw: the options that its question and its answers name, and its words."""

    asked: Drawn
    given: Drawn
    words: Mapping[Language, _Words]


def count_gathered(depths: int) -> int:
    """Return how many needles a replicate gathers for so many depths: the last is not planted."""
    return depths + 1


def gather_needles(
    source: NeedleSource, seed: int, replicates: int, count: int, form: Form
) -> dict[Language, tuple[Needle, ...]]:
    """Draw so many needles for each replicate, the same facts in every language of the source.

    Within a replicate no two ask about the same thing or have the same answer, and no one's fact
    holds another's answer. Needle i is of wording i modulo their number, and takes the next draw
    of that wording that goes with those before it: a replicate begins where the one before it
    stopped, so that none comes twice before all of its wording have come once.

    Raises ValueError, with how many go together, where they are too few.
    """
    wordings, tries = len(source.variants), count_draws(source) // len(source.variants)
    languages, following = _languages(source), list(range(wordings))
    gathered: dict[Language, list[Needle]] = {language: [] for language in languages}
    for _ in range(replicates):
        together: list[_Candidate] = []
        for number in range(count):
            wording = number % wordings
            for _ in range(min(tries, _MOST_TRIES)):
                drawn = following[wording]
                following[wording] += wordings
                candidate = _draw_beside(together, source, seed, drawn, form)
                if candidate is not None:
                    together.append(candidate)
                    break
            else:
                raise ValueError(f"no more than {number} can stand together")
        for language in languages:
            gathered[language] += [each.words[language].needle for each in together]
    return {language: tuple(needles) for language, needles in gathered.items()}


def _languages(source: NeedleSource) -> list[Language]:
    """Return the languages that every one of a source's needles is worded in."""
    return [one for one in source.variants[0] if all(one in each for each in source.variants)]


def _draw_beside(
    others: Sequence[_Candidate], source: NeedleSource, seed: int, number: int, form: Form
) -> _Candidate | None:
    """Make a draw; None where it can't stand in one text with others, each with one answer."""
    variant, options = draw_options(source, seed, number)
    wordings = [source.variants[variant][language] for language in _languages(source)]
    asked = _name(options, (wording.question for wording in wordings))
    given = _name(options, (a for wording in wordings for group in wording.answers for a in group))
    if any((asked and asked == o.asked) or (given and given == o.given) for o in others):
        return None
    needles = [draw_needle(source, one, seed, number, form) for one in _languages(source)]
    candidate = _Candidate(asked, given, {each.language: _read(each) for each in needles})
    return None if any(_clash(candidate, other) for other in others) else candidate


def _name(options: Mapping[str, int], texts: Iterable[str]) -> Drawn:
    """Return the options that texts name with their marks."""
    named = {match[1] for text in texts for match in MARK.finditer(text)}
    return frozenset((name, options[name]) for name in named if name in options)


def _read(needle: Needle) -> _Words:
    answers = {fold(answer) for group in needle.answers for answer in group} - {""}
    return _Words(needle, fold(" ".join(needle.facts)), frozenset(answers))


def _clash(one: _Candidate, other: _Candidate) -> bool:
    """Tell whether two draws have the same question, or one's fact gives the other's answer."""
    for language, words in one.words.items():
        theirs = other.words[language]
        if words.needle.question == theirs.needle.question:
            return True
        if any(answer in theirs.fact for answer in words.answers):
            return True
        if any(answer in words.fact for answer in theirs.answers):
            return True
    return False


def place_needles(depths: int, seed: int, replicate: int, length: int) -> tuple[int, ...]:
    """Return which of a replicate's needles stands at each depth of a length, from the first.

    The needles keep their circle and are turned: by a step from replicate to replicate, from a
    start drawn for the length. So over as many replicates as there are depths each of them has
    stood at each depth of each length once, and within one replicate no depth is one needle's.
    """
    turn = random.Random(f"turn {seed} {length}").randrange(depths) + replicate
    return tuple((depth + turn) % depths for depth in range(depths))
