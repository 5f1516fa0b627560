"""What prompts share from their first byte: groups, how far two go together, in tokens. Pure.

Prompts of one replicate's text begin alike: messages before the context, the template's own
words, the haystack up to the first sentence that is inserted at another place. A place here is in
characters of the replicate's haystack, as everywhere in a trial.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap

from needle.contexts.keys import digest
from needle.contexts.prompts import CONTEXT, choose_template, split_template
from needle.words.types import Language, Place, Template, Trial

Turn = tuple[tuple[tuple[int, str], ...], str]
"""The place of a trial among those of its group, in the order in which their prompts part."""


@dataclass(frozen=True, slots=True)
class Group:
    """The trials whose prompts begin alike, and how many tokens stand before a place.

    ``name`` tells groups apart, on any machine. ``ends`` and ``tokens`` are the haystack's ends
    in its trials, ascending, and about the tokens of a prompt up to there.
    """

    name: str
    trials: tuple[Trial, ...]
    ends: tuple[int, ...]
    tokens: tuple[float, ...]

    def before(self, place: int) -> float:
        """Return about how many tokens of a prompt stand before a place of its haystack.

        The prompts' own counts are known where their haystacks end; between these the tokens are
        taken to be even.
        """
        index = bisect_left(self.ends, place)
        if index == len(self.ends):
            return self.tokens[-1]
        low, least = (self.ends[index - 1], self.tokens[index - 1]) if index else (0, 0.0)
        high, most = self.ends[index], self.tokens[index]
        return least + (most - least) * (place - low) / (high - low)


def group_trials(
    trials: Sequence[Trial], templates: Mapping[Language, Template]
) -> tuple[list[Group], list[Trial]]:
    """Return the groups of trials whose prompts begin alike, and the trials without any text.

    Groups are in the order of their replicates and texts, whatever that of the trials.
    """
    named: dict[str, list[Trial]] = {}
    bare = []
    for trial in trials:
        if trial.cut:
            named.setdefault(_name(trial, templates), []).append(trial)
        else:
            bare.append(trial)
    order = sorted(named, key=lambda name: (_number(named[name][0]), name))
    return [_make_group(name, named[name]) for name in order], bare


def _number(trial: Trial) -> tuple[int, str, str]:
    return trial.replicate, trial.text_language, trial.language


def _name(trial: Trial, templates: Mapping[Language, Template]) -> str:
    """Return the sha256 of all that stands before a trial's haystack, and of which it is."""
    template = choose_template(templates, trial.task, trial.language)
    (before, _), _ = split_template(template, trial.needle.question)
    index = next(i for i, (_, content) in enumerate(template.messages) if CONTEXT in content)
    return digest(
        {
            "messages": template.messages[:index],
            "before": [template.messages[index][0], before],
            "haystack": [trial.text_language, trial.haystack, trial.haystack_offset],
        }
    )


def _make_group(name: str, trials: list[Trial]) -> Group:
    counts: dict[int, list[float]] = {}
    for trial in trials:
        context = trial.cut + sum(len(place.text) for place in trial.places)
        before_question = context / (context + len(trial.needle.question))
        counts.setdefault(trial.cut, []).append(count_billed(trial) * before_question)
    ends = sorted(counts)
    means = [sum(counts[end]) / len(counts[end]) for end in ends]
    return Group(name, tuple(trials), tuple(ends), tuple(means))


def count_billed(trial: Trial) -> int:
    """Return a prompt's tokens as the endpoint counts them, as far as that is known."""
    return trial.prompt_tokens if trial.vendor_tokens is None else trial.vendor_tokens


def share(one: Trial, other: Trial) -> int:
    """Return the place up to which the prompts of two trials of a group are the same."""
    reach = min(one.cut, other.cut)
    common = 0
    for mine, theirs in zip(one.places, other.places, strict=False):
        if _at(mine) != _at(theirs):
            return min(mine.position, theirs.position, reach)
        common += 1
    rest = (*one.places[common:], *other.places[common:])
    return min([place.position for place in rest] + [reach])


def _at(place: Place) -> tuple[int, str]:
    return place.position, place.text


def sort_ascending(trials: Sequence[Trial]) -> list[Trial]:
    """Return a group's trials so that each shares as much with its neighbour as with any other.

    Those that part from the rest first come first, the longest with its needle at the end last.
    """
    return sorted(trials, key=turn)


def turn(trial: Trial) -> Turn:
    """Return what trials of a group are sorted by."""
    return (*map(_at, trial.places), (trial.cut, "")), trial.key


def count_shared(group: Group) -> list[tuple[Trial, float]]:
    """Return a group's trials with the tokens that an ideal prefix cache serves of each.

    It keeps every token of every prompt for ever, from the moment that it is sent. Whatever the
    order, it reads each beginning that prompts share once: their sum is the same.
    """
    order = sort_ascending(group.trials)
    shared = map(group.before, starmap(share, pairwise(order)))
    return list(zip(order, (0.0, *shared), strict=True))
