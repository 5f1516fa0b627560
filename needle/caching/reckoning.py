"""What a prompt cache would serve of trials in a given order, reckoned without their texts. Pure.

It is for comparing orders beforehand: each trial is answered before the next is sent, and nothing
cools. What prompts share is told by where their sentences stand (prefixes.py).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from needle.caching.chains import Step, mark_places, serve
from needle.caching.prefixes import Group, Turn, count_billed, group_trials, share, turn
from needle.words.tariffs import CacheRules
from needle.words.types import Language, Template, Trial


def send_row_by_row(trials: Iterable[Trial]) -> tuple[Step, ...]:
    """Return trials in the usual order: short contexts first, each by depth, nothing marked."""
    return tuple(map(Step, sorted(trials, key=_row)))


def _row(trial: Trial) -> tuple[int, str, str, int, float]:
    depth = -1.0 if trial.depth_percent is None else trial.depth_percent
    return trial.replicate, trial.language, trial.task, trial.context_length, depth


def reckon(
    steps: Sequence[Step],
    templates: Mapping[Language, Template],
    rules: CacheRules,
    told: bool = True,
) -> tuple[Step, ...]:
    """Return steps, in their order, with what the cache of these rules serves and is written.

    ``told`` says that requests have their prompts kept up to marks alone, as needle's do. Where a
    cache is not known, or not there, nothing is served.
    """
    if rules.kind not in ("automatic", "marked"):
        return tuple(replace(step, cached=0.0, written=0.0) for step in steps)
    groups, _ = group_trials([step.trial for step in steps], templates)
    caches: dict[str, _Cache] = {}
    for group in groups:
        cache = _Cache(group, rules)
        caches |= dict.fromkeys((trial.key for trial in group.trials), cache)
    return tuple(_send(step, caches.get(step.trial.key), rules, told) for step in steps)


def _send(step: Step, cache: "_Cache | None", rules: CacheRules, told: bool) -> Step:
    """Return a step with what is served and written of its prompt; one without a text has none."""
    if cache is None:
        return replace(step, cached=0.0, written=0.0)
    if rules.kind == "marked":
        if told or step.places or not rules.whole:
            return cache.send_marked(step)
        whole = float(count_billed(step.trial))
        return replace(step, cached=0.0, written=whole if whole >= rules.minimum else 0.0)
    return replace(step, cached=cache.send(step.trial), written=0.0)


@dataclass(slots=True)
class _Cache:
    """What is kept of a group's prompts: in the order in which they part, each with its places."""

    group: Group
    rules: CacheRules
    turns: list[Turn] = field(default_factory=list)
    kept: list[tuple[Trial, tuple[int, ...]]] = field(default_factory=list)

    def send(self, trial: Trial) -> float:
        """Send a prompt that is kept by itself; return the tokens that are served of it."""
        seen = self._find_seen(trial)
        place = self._find_kept(trial, None) if self.rules.on_third else seen
        self._keep(trial, (seen,))
        return serve(self.group, trial, place, self.rules) if place else 0.0

    def send_marked(self, step: Step) -> Step:
        """Send a prompt that is kept up to its marks."""
        trial, rules = step.trial, self.rules
        place = self._find_kept(trial, step.places)
        read = self.group.before(place) if place else 0.0
        ends = [e for e in mark_places(step, rules) if self.group.before(e) >= rules.minimum]
        self._keep(trial, tuple(ends))
        furthest = self.group.before(ends[-1]) if ends else 0.0
        return replace(step, cached=read, written=max(furthest - read, 0.0))

    def _find_seen(self, trial: Trial) -> int:
        """Return how far any earlier prompt goes together with one: a neighbour goes furthest."""
        at = bisect_left(self.turns, turn(trial))
        beside = self.kept[max(at - 1, 0) : at + 1]
        return max((share(other, trial) for other, _ in beside), default=0)

    def _find_kept(self, trial: Trial, marks: Sequence[int] | None) -> int:
        """Return the furthest place that an earlier prompt kept and this one shares; 0 for none.

        With marks it is one of these.
        """
        at = bisect_left(self.turns, turn(trial))
        best = 0
        for side in (range(at - 1, -1, -1), range(at, len(self.kept))):
            for index in side:
                other, places = self.kept[index]
                common = share(other, trial)
                if common <= best:
                    break
                there = (p for p in places if p <= common and (marks is None or p in marks))
                best = max(best, *there, 0)
        return best

    def _keep(self, trial: Trial, places: tuple[int, ...]) -> None:
        if self.rules.apart:  # a slot has room for its last prompt alone
            self.turns.clear()
            self.kept.clear()
        at = bisect_left(self.turns, turn(trial))
        self.turns.insert(at, turn(trial))
        self.kept.insert(at, (trial, places))
