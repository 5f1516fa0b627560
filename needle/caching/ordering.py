"""The order in which trials are sent, so that a prompt cache serves what was sent before. Pure.

An order changes no prompt, key or score: it is a permutation of the plan's trials, and says of
each what had best be in the cache before it is sent (warmth.py waits for that). There are three,
by how the endpoint keeps prompts (tariffs.CacheRules; docs/caches.md), and the plan's own:

- kept by itself: the longest context with its needle at the end goes first, then the others,
  those that share most with it first. Each reads again what the next ones will read, so that
  nothing of theirs cools however long the run takes.
- kept up to marks, or once two prompts were seen to share it: those that share least go first,
  and each kept beginning grows out of the one before, in several lanes (chains.py).
- not known: length by length, the short ones first, each length as above. What cuts prompts
  without saying so is told by its counts of shorter ones (truncation.py), and these must come
  first; the beginnings are the same, and grow with the length.
- not kept: as planned.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby, zip_longest

from needle.asking.pace import least_minutes
from needle.caching.chains import Step, chain, choose_first, serve
from needle.caching.prefixes import Group, count_billed, group_trials, share, sort_ascending
from needle.words.tariffs import CacheRules, Limits
from needle.words.types import Language, Template, Trial


def arrange(
    trials: Sequence[Trial],
    templates: Mapping[Language, Template],
    rules: CacheRules,
    concurrency: int,
    limits: Limits | None = None,
) -> tuple[Step, ...]:
    """Return trials in the order that their endpoint's cache serves best.

    ``concurrency`` is how many are sent at once, ``limits`` are those that slow them down.
    Arranging what is arranged changes nothing.
    """
    if rules.kind == "none":
        return tuple(Step(trial) for trial in trials)
    groups, bare = group_trials(trials, templates)
    chained = rules.kind == "marked" or rules.on_third
    if limits is not None:
        concurrency = int(min(concurrency, _count_lasting(trials, rules, limits)))
    beside_each_other = max(1, min(len(groups), concurrency))
    lanes = -(-concurrency // beside_each_other)
    lines = []
    for group in groups:
        of = {(trial.replicate, trial.language) for trial in group.trials}
        beside = [trial for trial in bare if (trial.replicate, trial.language) in of]
        bare = [trial for trial in bare if (trial.replicate, trial.language) not in of]
        line = chain(group, rules, lanes) if chained else _send_out(group, rules)
        lines.append([*map(Step, beside), *line])
    lines += [[Step(trial)] for trial in bare]
    if rules.apart or chained:
        return tuple(_interleave(lines, beside_each_other))
    return tuple(_send_ahead([step for line in lines for step in line], 2 * concurrency))


def _count_lasting(trials: Sequence[Trial], rules: CacheRules, limits: Limits) -> float:
    """Return how many beginnings can be read again in turn, at the limits, before one cools.

    The longest requests take about twice as long as the mean of a grid.
    """
    minutes = least_minutes(limits, len(trials), sum(map(count_billed, trials)))
    if not minutes or rules.lifetime_s is None:
        return math.inf
    return max(1, rules.lifetime_s * len(trials) // (2 * 60 * minutes))


def _send_out(group: Group, rules: CacheRules) -> list[Step]:
    return _fan_out_rows(group, rules) if rules.kind == "unknown" else fan_out(group, rules)


def fan_out(group: Group, rules: CacheRules) -> list[Step]:
    """Send the longest context with its needle at the end first, then those that share most.

    What a trial shares with those before it was first sent by one of them: it waits for that.
    """
    first = choose_first(group.trials)
    order = [t for t in sort_ascending(group.trials)[::-1] if t is not first]
    own = (first.key, 0)
    steps = [Step(first, group.name, own, (own,))]
    # Each is the first with what stands in its prompt beyond the place where it parts.
    providers = [(first, -1)]
    before = first
    for trial in order:
        place = share(trial, before)
        while providers[-1][1] >= place and len(providers) > 1:
            providers.pop()
        found = (providers[-1][0].key, 0)
        leaves = (found, (trial.key, 0))
        cached = serve(group, trial, place, rules)
        steps.append(Step(trial, group.name, found, leaves, cached=cached))
        providers.append((trial, place))
        before = trial
    awaited = {step.awaits for step in steps}
    return [replace(step, leaves=tuple(e for e in step.leaves if e in awaited)) for step in steps]


def _fan_out_rows(group: Group, rules: CacheRules) -> list[Step]:
    """Send length after length, the short ones first; each first one goes on from the last."""
    order = sorted(group.trials, key=lambda trial: trial.context_length)
    steps: list[Step] = []
    begun = None
    for _, row in groupby(order, key=lambda trial: trial.context_length):
        first, *others = fan_out(replace(group, trials=tuple(row)), rules)
        leaves = ((first.trial.key, 0),)
        steps += [replace(first, awaits=begun or leaves[0], leaves=leaves), *others]
        begun = leaves[0]
    return steps


def _send_ahead(steps: Sequence[Step], ahead: int) -> list[Step]:
    """Put each trial that others wait for so far ahead that it is answered when their turn comes.

    They keep their own order.
    """
    arranged: list[Step] = []
    after = 0
    for step in steps:
        if (step.trial.key, 0) not in step.leaves:
            arranged.append(step)
            continue
        place = max(len(arranged) - ahead, after)
        arranged.insert(place, step)
        after = place + 1
    return arranged


def _interleave(lines: Sequence[list[Step]], at_once: int) -> list[Step]:
    """Send so many groups side by side, a trial of each in turn."""
    return [
        step
        for begin in range(0, len(lines), at_once)
        for row in zip_longest(*lines[begin : begin + at_once])
        for step in row
        if step is not None
    ]
