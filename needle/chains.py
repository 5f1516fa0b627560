"""Beginnings that grow: the order for caches that keep only what is marked or was shared. Pure.

Such a cache serves a prompt only up to a place at which an earlier one was kept. So those that
share least go first. Leaders carry the kept beginning forward, each a step further than the one
before, and the trials up to the next step follow theirs and read it whole. A leader is sent ahead
of the followers of the one before it, so that theirs need not wait for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise, starmap, zip_longest

from needle.prefixes import Group, share, sort_ascending
from needle.tariffs import CacheRules
from needle.types import Trial

_FOLLOWERS = 3  # trials to a leader: fewer read more exactly, and leave less to send at once
_STEPS = 64  # leaders of a group at the most

Entry = tuple[str, int]
"""What may be in a cache: the key of the trial that first leaves it, and up to which place."""


@dataclass(frozen=True, slots=True)
class Step:
    """One trial in the order in which it is sent.

    ``group`` names the trials whose prompts begin alike, "" for one without any text. ``awaits``
    is what had best be in the cache before it is sent, ``leaves`` what its reply leaves there.
    ``places`` are those at which a marked prompt is parted, ascending. ``cached`` and ``written``
    are the tokens of its prompt that will be read from the cache and written to it, by the
    endpoint's rules, if all goes well.
    """

    trial: Trial
    group: str = ""
    awaits: Entry | None = None
    leaves: tuple[Entry, ...] = ()
    places: tuple[int, ...] = ()
    cached: float = 0.0
    written: float = 0.0


def choose_first(trials: Sequence[Trial]) -> Trial:
    """Return the longest context with its needle at the end: what shares most with all others."""
    order = sort_ascending(trials)[::-1]
    return next((trial for trial in order if trial.control is None), order[0])


@dataclass(slots=True)
class _Block:
    """A leader and the trials that follow it, which read what it leaves."""

    leader: Step
    followers: list[Step] = field(default_factory=list)


def chain(group: Group, rules: CacheRules) -> list[Step]:
    """Send those of a group that share least first, behind leaders.

    Where two prompts must share a beginning before it is kept, the longest goes before all.
    """
    order = sort_ascending(group.trials)
    if rules.on_third:
        first = choose_first(order)
        order = [trial for trial in order if trial is not first]
        own = (first.key, 0)
        begin = [Step(first, group.name, own, (own,))]
        return begin + _lead(_link_shared(group, rules, order, first))
    return _lead(_link_marked(group, rules, order))


def _lead(steps: Sequence[tuple[Step, bool]]) -> list[Step]:
    """Order steps, of which some are leaders, so that each leader goes a block ahead."""
    blocks: list[_Block] = []
    for step, leads in steps:
        if leads or not blocks:
            blocks.append(_Block(step))
        else:
            blocks[-1].followers.append(step)
    order = [block.leader for block in blocks[:1]]
    for block, after in zip_longest(blocks, blocks[1:]):
        order += [after.leader] if after else []
        order += block.followers
    return order


def _link_marked(
    group: Group, rules: CacheRules, order: Sequence[Trial]
) -> list[tuple[Step, bool]]:
    """Choose at which places marked prompts are parted, and who writes which beginning."""
    partings = [*starmap(share, pairwise(order)), 0]
    nearer = _find_nearer(partings)
    grow = _choose_growth(group, rules, max(partings), len(order))
    kept: list[tuple[int, Entry]] = []
    steps = []
    for index, trial in enumerate(order):
        common = partings[index - 1] if index else 0
        kept = [(place, entry) for place, entry in kept if place <= common]
        read = group.before(kept[-1][0]) if kept else 0.0
        fresh: list[int] = []
        for place in _list_later(partings, nearer, index, common):
            begun = group.before(fresh[-1]) if fresh else read
            tokens = group.before(place)
            again = partings[index : index + _FOLLOWERS] == [place] * _FOLLOWERS
            if tokens >= rules.minimum and (tokens - begun >= grow or again):
                fresh.append(place)
        fresh = fresh[-max(1, rules.marks - 1) :]
        new = [(place, (trial.key, place)) for place in fresh]
        step = Step(
            trial=trial,
            group=group.name,
            awaits=kept[-1][1] if kept else None,
            leaves=tuple(entry for _, entry in (*kept[-1:], *new)),
            places=tuple(place for place, _ in (*kept, *new)),
            cached=read,
            written=group.before(fresh[-1]) - read if fresh else 0.0,
        )
        steps.append((step, bool(fresh)))
        kept += new
    return steps


def _link_shared(
    group: Group, rules: CacheRules, order: Sequence[Trial], first: Trial
) -> list[tuple[Step, bool]]:
    """Choose who leaves which beginning, where the second to share it makes it kept."""
    whole = (first.key, 0)
    seen = [
        max(share(trial, first), share(trial, before) if before is not None else 0)
        for trial, before in zip(order, (None, *order), strict=False)
    ]
    grow = _choose_growth(group, rules, max(seen, default=0), len(order))
    kept: list[tuple[int, Entry]] = []
    steps = []
    for index, trial in enumerate(order):
        kept = [(place, entry) for place, entry in kept if place <= seen[index]]
        read = group.before(kept[-1][0]) if kept else 0.0
        tokens = group.before(seen[index])
        again = seen[index : index + _FOLLOWERS] == [seen[index]] * _FOLLOWERS
        leads = tokens >= rules.minimum and (tokens - read >= grow or (again and tokens > read))
        new = [(seen[index], (trial.key, seen[index]))] if leads else []
        served = math.floor(read / rules.step) * rules.step
        step = Step(
            trial=trial,
            group=group.name,
            awaits=kept[-1][1] if kept else whole,
            leaves=tuple(entry for _, entry in (*kept[-1:], *new)) or (whole,),
            cached=float(served) if served >= max(rules.minimum, 1) else 0.0,
        )
        steps.append((step, leads))
        kept += new
    return steps


def _choose_growth(group: Group, rules: CacheRules, furthest: int, trials: int) -> float:
    """Return how many tokens a beginning grows by from one leader to the next, at the least."""
    leaders = max(1, min(_STEPS, trials // _FOLLOWERS))
    return max(float(rules.step), group.before(furthest) / leaders)


def _find_nearer(partings: Sequence[int]) -> list[int]:
    """Return for each parting the index of the next one that is nearer to the beginning."""
    nearer = [len(partings)] * len(partings)
    waiting: list[int] = []
    for index, place in enumerate(partings):
        while waiting and partings[waiting[-1]] > place:
            nearer[waiting.pop()] = index
        waiting.append(index)
    return nearer


def _list_later(
    partings: Sequence[int], nearer: Sequence[int], index: int, common: int
) -> list[int]:
    """Return the places, ascending, at which later trials part from one, beyond what it found."""
    places = []
    while index < len(partings) and partings[index] > common:
        places.append(partings[index])
        index = nearer[index]
    return places[::-1]


def mark_places(step: Step, rules: CacheRules) -> tuple[int, ...]:
    """Return the places at which a step's prompt is marked: the last, as many as are written."""
    return step.places[-rules.marks :]
