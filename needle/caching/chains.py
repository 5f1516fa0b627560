"""Beginnings that grow: the order for caches that keep only what is marked or was shared. Pure.

Such a cache serves a prompt only up to a place at which an earlier one was kept. So those that
share least go first, each after the one before it, and the kept beginning grows with them. For
several to be sent at once a group's trials are parted into lanes. The first of each lane goes on
from the first of the one before it, so that every lane has its beginning soon.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap, zip_longest

from needle.caching.prefixes import Group, count_billed, share, sort_ascending
from needle.words.tariffs import CacheRules
from needle.words.types import Trial

_GROWTH = 128
"""The tokens by which a kept beginning grows at the least: what is less is not worth a part."""
_SHIFT = 0.25
"""The share of a lane by which its first trial may be moved to one that is better to begin at."""

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


def mark_places(step: Step, rules: CacheRules) -> tuple[int, ...]:
    """Return the places at which a step's prompt is marked: the last, as many as are written."""
    return step.places[-rules.marks :]


def serve(group: Group, trial: Trial, place: int, rules: CacheRules) -> float:
    """Return the tokens of a prompt that are served where all before a place is kept."""
    tokens = min(group.before(place), count_billed(trial) - 1)
    served = math.floor(tokens / rules.step) * rules.step
    return float(served) if served >= max(rules.minimum, 1) else 0.0


def chain(group: Group, rules: CacheRules, lanes: int) -> list[Step]:
    """Order a group's trials so that each beginning grows out of the one before, in lanes.

    Where two prompts must share a beginning before it is kept, the longest goes before all.
    """
    order = sort_ascending(group.trials)
    begin: list[Step] = []
    if rules.on_third:
        first = choose_first(order)
        order = [trial for trial in order if trial is not first]
        own = (first.key, 0)
        begin = [Step(first, group.name, own, (own,))]
    if not order:
        return begin
    link = _Shared(group, rules, order, begin[0]) if begin else _Marked(group, rules, order)
    starts = _choose_starts(group, order, min(lanes, len(order)))
    heads: list[Entry] = []
    lined: list[list[Step]] = []
    for start, end in pairwise([*starts, len(order)]):
        before = starts[len(lined) - 1] if lined else None
        heads, step = link.take(start, before, heads)
        kept, line = heads, [step]
        for index in range(start + 1, end):
            kept, step = link.take(index, index - 1, kept)
            line.append(step)
        lined.append(line)
    return [*begin, *_stagger(lined)]


def _stagger(lanes: Sequence[list[Step]]) -> Iterator[Step]:
    """Yield the lanes' trials side by side, each lane one later than the one before it."""
    shifted = [[None] * number + lane for number, lane in enumerate(lanes)]
    for row in zip_longest(*shifted):
        yield from (step for step in reversed(row) if step is not None)


def _choose_starts(group: Group, order: Sequence[Trial], lanes: int) -> list[int]:
    """Return at which trials lanes begin: about evenly, where least is lost that was shared.

    What is lost is what a lane's first trial shares with the one before it in the order, but not
    with the first of the lane before.
    """
    starts = [0]
    for number in range(1, lanes):
        about = round(number * len(order) / lanes)
        shift = round(_SHIFT * len(order) / lanes)
        near = [
            index
            for index in range(about - shift, about + shift + 1)
            if starts[-1] < index < len(order)
        ]
        if near:
            starts.append(min(near, key=lambda index: _lose(group, order, starts[-1], index)))
    return starts


def _lose(group: Group, order: Sequence[Trial], head: int, index: int) -> float:
    found = share(order[head], order[index])
    return group.before(share(order[index - 1], order[index])) - group.before(found)


@dataclass(slots=True)
class _Marked:
    """Beginnings that requests write at marks: each up to where later ones part from it."""

    group: Group
    rules: CacheRules
    order: Sequence[Trial]
    partings: Sequence[int] = ()
    nearer: Sequence[int] = ()

    def __post_init__(self) -> None:
        """Find where each trial's neighbour parts from it."""
        self.partings = [*starmap(share, pairwise(self.order)), 0]
        self.nearer = _find_nearer(self.partings)

    def take(
        self, index: int, before: int | None, kept: Sequence[Entry]
    ) -> tuple[list[Entry], Step]:
        """Return what is kept once a trial is answered after another, and its step."""
        trial, group = self.order[index], self.group
        common = 0 if before is None else share(self.order[before], trial)
        found = [entry for entry in kept if entry[1] <= common]
        read = group.before(found[-1][1]) if found else 0.0
        begun, new = read, list[Entry]()
        for place in self._list_later(index, common):
            tokens = group.before(place)
            if tokens >= self.rules.minimum and tokens - begun >= max(self.rules.step, _GROWTH):
                new.append((trial.key, place))
                begun = tokens
        new = new[-max(1, self.rules.marks - 1) :]
        step = Step(
            trial=trial,
            group=group.name,
            awaits=found[-1] if found else None,
            leaves=(*found[-1:], *new),
            places=tuple(place for _, place in (*found, *new)),
            cached=read,
            written=group.before(new[-1][1]) - read if new else 0.0,
        )
        return [*found, *new], step

    def _list_later(self, index: int, common: int) -> list[int]:
        """Return the places, ascending, where later trials part from one beyond what it found."""
        places = []
        while index < len(self.partings) and self.partings[index] > common:
            places.append(self.partings[index])
            index = self.nearer[index]
        return places[::-1]


@dataclass(slots=True)
class _Shared:
    """Beginnings that are kept once two prompts have shared them."""

    group: Group
    rules: CacheRules
    order: Sequence[Trial]
    first: Step

    def take(
        self, index: int, before: int | None, kept: Sequence[Entry]
    ) -> tuple[list[Entry], Step]:
        """Return what is kept once a trial is answered after another, and its step."""
        trial, group = self.order[index], self.group
        seen = share(self.first.trial, trial)
        if before is not None:
            seen = max(seen, share(self.order[before], trial))
        found = [entry for entry in kept if entry[1] <= seen]
        read = group.before(found[-1][1]) if found else 0.0
        tokens = group.before(seen)
        grows = tokens >= self.rules.minimum and tokens - read >= self.rules.step
        new = [(trial.key, seen)] if grows else []
        step = Step(
            trial=trial,
            group=group.name,
            awaits=found[-1] if found else self.first.awaits,
            leaves=(*found[-1:], *new) or self.first.leaves,
            cached=serve(group, trial, found[-1][1], self.rules) if found else 0.0,
        )
        return [*found, *new], step


def _find_nearer(partings: Sequence[int]) -> list[int]:
    """Return for each parting the index of the next one that is nearer to the beginning."""
    nearer = [len(partings)] * len(partings)
    waiting: list[int] = []
    for index, place in enumerate(partings):
        while waiting and partings[waiting[-1]] > place:
            nearer[waiting.pop()] = index
        waiting.append(index)
    return nearer
