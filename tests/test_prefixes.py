"""What prompts share: told from trials' places, held against the prompts themselves."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise, starmap

import pytest
from rehearsing import encoder, prepare_grid

from needle.caching.breakpoints import place_cuts
from needle.caching.chains import Step
from needle.caching.prefixes import count_billed, count_shared, group_trials, share, sort_ascending
from needle.contexts.prompts import build_messages, choose_template
from needle.runs.prepare import Prepared
from needle.runs.writing import passage_reader
from needle.words.types import Trial

GRIDS: dict[str, dict[str, object]] = {
    "single": {},
    "multi": {"task": "multi"},
    "distractors": {"task": "distractors"},
    "two tasks": {"task": "single,multi"},
    "controls": {"controls": "all"},
    "Chinese": {"language": "zh"},
    "hanzi": {"language": "zh", "unit": "hanzi"},
    "shared": {"layout": "shared"},
    "cross": {"task": "single,cross", "language": "both"},
    "replicates": {"replicates": 2},
}
EVERY = pytest.mark.parametrize("name", GRIDS)


@cache
def grid(name: str) -> Prepared:
    return prepare_grid("1k,1500,3k", 5, **GRIDS[name])


@cache
def prompts(name: str) -> dict[str, str]:
    """Return each trial's whole prompt as one text, by key."""
    prepared, read = grid(name), passage_reader(grid(name))
    texts = {}
    for trial in prepared.plan.trials:
        template = choose_template(prepared.run.templates, trial.task, trial.language)
        messages = build_messages(trial, template, read(trial))
        texts[trial.key] = "\0".join(f"{m['role']}\1{m['content']}" for m in messages)
    return texts


def count_common(one: Sequence[object], other: Sequence[object]) -> int:
    """Return with how many same characters, or tokens, two begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def locate(prepared: Prepared, trial: Trial, place: int) -> int:
    """Return where a place of a trial's haystack stands in its whole prompt."""
    template = choose_template(prepared.run.templates, trial.task, trial.language)
    (cut,) = place_cuts(Step(trial), template, [place])
    (before, (role, _)) = template.messages
    return len(f"{before[0]}\1{before[1]}\0{role}\1") + cut


@EVERY
def test_what_two_prompts_share_is_told_from_their_places(name: str) -> None:
    """Two prompts of a group are the same up to the place told, and part within a sentence of it.

    What is inserted there, or the text that goes on, may begin alike by chance.
    """
    prepared, texts = grid(name), prompts(name)
    groups, _ = group_trials(prepared.plan.trials, prepared.run.templates)
    for group in groups:
        for one in group.trials:
            for other in group.trials:
                if one is other:
                    continue
                place = share(one, other)
                assert place == share(other, one)
                common = count_common(texts[one.key], texts[other.key])
                start = locate(prepared, one, place)
                assert start == locate(prepared, other, place)
                assert start <= common + len(" ")
                if place < min(one.cut, other.cut):
                    assert common - start < 60


@EVERY
def test_prompts_of_different_groups_share_no_haystack(name: str) -> None:
    """No two prompts of different groups begin with more than the words around a haystack."""
    prepared, texts = grid(name), prompts(name)
    groups, bare = group_trials(prepared.plan.trials, prepared.run.templates)
    grouped = [trial for group in groups for trial in group.trials]
    assert {trial.key for trial in (*grouped, *bare)} == texts.keys()
    assert all(trial.control == "no_haystack" for trial in bare)
    for one in groups:
        for other in groups:
            if one is not other:
                first, second = (texts[group.trials[0].key] for group in (one, other))
                assert count_common(first, second) < 400


@EVERY
def test_neighbours_in_order_share_most(name: str) -> None:
    """In ascending order no trial shares more with any earlier one than with the one before it."""
    groups, _ = group_trials(grid(name).plan.trials, grid(name).run.templates)
    for group in groups:
        order = sort_ascending(group.trials)
        for index in range(1, len(order)):
            shared = [share(order[index], earlier) for earlier in order[:index]]
            assert max(shared) == shared[-1]


@EVERY
def test_what_an_ideal_cache_serves_is_reckoned_to_two_percent(name: str) -> None:
    """The tokens that prompts share with earlier ones are those of their texts, to within 2%."""
    prepared, encode = grid(name), encoder()
    groups, _ = group_trials(prepared.plan.trials, prepared.run.templates)
    reckoned = sum(tokens for group in groups for _, tokens in count_shared(group))
    ids = sorted(list(encode(text)) for text in prompts(name).values())
    shared = sum(starmap(count_common, pairwise(ids)))
    sent = sum(count_billed(trial) for trial in prepared.plan.trials)
    assert reckoned / sent == pytest.approx(shared / sent, abs=0.02)
