"""The order in which trials are sent: a permutation that a cache is served by."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rehearsing import measure_prompts, prepare_grid, rehearse

from needle.caching.chains import Step, chain
from needle.caching.ordering import arrange, fan_out
from needle.caching.prefixes import count_billed, count_shared, group_trials, share
from needle.edges.caches import CACHES, find_cache
from needle.runs.prepare import Prepared
from needle.words.tariffs import CacheRules, Limits
from needle.words.types import Trial

SLOTS = CacheRules("automatic", apart=True)
UNKNOWN = CacheRules("unknown")
RULES = {**{name: find_cache(name) for name in CACHES}, "slots": SLOTS, "unknown": UNKNOWN}
ANY = st.sampled_from(sorted(RULES))
WARMED = ("openai", "kimi", "gemini", "vllm")
GROWN = ("deepseek", "anthropic", "openai-explicit")


@cache
def whole() -> Prepared:
    said = {"task": "single,multi,distractors", "language": "both", "replicates": 2}
    return prepare_grid("1k,2k,6k,7k", 4, controls="all", **said)


@cache
def fifteen() -> Prepared:
    """Return a grid of the shape that is published, an eighth as long."""
    return prepare_grid("500,2k,4k,6k,8k,10k,12k,14k,16k", 15)


def arranged(name: str, at_once: int, trials: tuple[Trial, ...] | None = None) -> tuple[Step, ...]:
    prepared = whole()
    given = prepared.plan.trials if trials is None else trials
    return arrange(given, prepared.run.templates, RULES[name], at_once)


@given(ANY, st.integers(1, 20), st.sets(st.integers(0, 251)))
@settings(deadline=None, max_examples=60)
def test_an_order_is_a_permutation(name: str, at_once: int, left_out: set[int]) -> None:
    """Whatever rules, and whatever is left of a plan, each trial is sent once and as it was."""
    trials = [t for index, t in enumerate(whole().plan.trials) if index not in left_out]
    steps = arranged(name, at_once, tuple(trials))
    assert Counter(step.trial.key for step in steps) == Counter(trial.key for trial in trials)
    by_key = {trial.key: trial for trial in trials}
    assert all(by_key[step.trial.key] is step.trial for step in steps)


@given(ANY, st.integers(1, 20), st.sets(st.integers(0, 251)))
@settings(deadline=None, max_examples=60)
def test_arranging_again_changes_nothing(name: str, at_once: int, left_out: set[int]) -> None:
    """The order of what is in order is the same: a plan is arranged when made and when sent."""
    trials = tuple(t for index, t in enumerate(whole().plan.trials) if index not in left_out)
    steps = arranged(name, at_once, trials)
    again = arranged(name, at_once, tuple(step.trial for step in steps))
    assert [step.trial.key for step in again] == [step.trial.key for step in steps]


@given(ANY, st.integers(1, 20), st.sets(st.integers(0, 251)))
@settings(deadline=None, max_examples=60)
def test_what_a_trial_waits_for_was_sent_before_it(
    name: str, at_once: int, left_out: set[int]
) -> None:
    """Each trial waits for nothing but what an earlier one leaves, and so none waits for ever."""
    trials = tuple(t for index, t in enumerate(whole().plan.trials) if index not in left_out)
    left: set[object] = set()
    for step in arranged(name, at_once, trials):
        own = {entry for entry in step.leaves if entry[0] == step.trial.key}
        assert step.awaits is None or step.awaits in left | own
        left.update(step.leaves)
    assert len(rehearse(arranged(name, at_once, trials), RULES[name], at_once)) == len(trials)


@pytest.mark.parametrize("at_once", [1, 3, 8])
@pytest.mark.parametrize("name", WARMED)
def test_the_warm_up_goes_first_and_alone(name: str, at_once: int) -> None:
    """Of prompts that begin alike the longest, its needle last, is answered before any is sent."""
    turns = rehearse(arranged(name, at_once), RULES[name], at_once)
    groups = {turn.step.group for turn in turns if turn.step.group}
    assert len(groups) == 4
    for group in groups:
        mine = [turn for turn in turns if turn.step.group == group]
        first = mine[0].step.trial
        assert (first.context_length, first.depth_percent, first.control) == (7_000, 100.0, None)
        assert all(turn.sent >= mine[0].answered for turn in mine[1:])


@pytest.mark.parametrize("name", WARMED)
def test_what_is_shared_shrinks_from_trial_to_trial(name: str) -> None:
    """After the warm-up each trial shares no more with it than the one before: nothing cools."""
    groups, _ = group_trials(whole().plan.trials, whole().run.templates)
    for group in groups:
        first, *others = fan_out(group, RULES[name])
        shared = [share(first.trial, step.trial) for step in others if step.trial.control is None]
        assert shared == sorted(shared, reverse=True)


@pytest.mark.parametrize("name", [*WARMED, *GROWN, "slots", "unknown"])
def test_warm_ups_leave_no_one_idle_for_long(name: str) -> None:
    """Eight at once take at most twice as long as without any waiting, slots and lanes aside."""
    steps = arranged(name, 8)
    took = max(turn.answered for turn in rehearse(steps, RULES[name], 8))
    free = max(turn.answered for turn in rehearse(steps, RULES["none"], 8))
    assert took <= 2 * free * (2 if name == "slots" else 1)


def test_without_a_cache_nothing_waits_and_nothing_is_moved() -> None:
    """For an endpoint that keeps nothing the plan's own order holds, and no time is lost."""
    steps = arranged("none", 8)
    assert [step.trial for step in steps] == list(whole().plan.trials)
    turns = rehearse(steps, RULES["none"], 8)
    assert max(turn.answered for turn in turns) == 10.0 * -(-len(steps) // 8)


def test_where_nothing_is_known_short_prompts_come_first() -> None:
    """An endpoint that may cut prompts unsaid is sent a shorter length of each text before."""
    longest: dict[str, int] = {}
    for step in arranged("unknown", 1):
        if step.group:
            seen = longest.get(step.group, 0)
            lengths = sorted({t.context_length for t in whole().plan.trials if t.cut})
            assert step.trial.context_length <= next((x for x in lengths if x > seen), seen)
            longest[step.group] = max(seen, step.trial.context_length)


def test_slots_have_one_prompt_of_a_text_at_a_time() -> None:
    """Where slots keep prompts apart no two of one text are in flight, but of several texts."""
    turns = rehearse(arranged("slots", 4), SLOTS, 4)
    for one in turns:
        for other in turns:
            if one is not other and one.step.group == other.step.group != "":
                assert one.answered <= other.sent or other.answered <= one.sent
    assert max(sum(a.sent <= b.sent < a.answered for a in turns) for b in turns) >= 3


@pytest.mark.parametrize("name", ["openai", "kimi", "vllm", *GROWN])
def test_what_is_foretold_is_what_the_cache_serves(name: str) -> None:
    """The tokens that steps say are served and written are those of the vendor's rules, to 2%."""
    prepared, rules = fifteen(), RULES[name]
    steps = arrange(prepared.plan.trials, prepared.run.templates, rules, 4)
    turns = rehearse(steps, rules, 4, measure_prompts(prepared, steps, rules))
    sent = sum(count_billed(step.trial) for step in steps)
    served = sum(turn.served.read for turn in turns) / sent
    written = sum(turn.served.written for turn in turns) / sent
    assert sum(step.cached for step in steps) / sent == pytest.approx(served, abs=0.02)
    assert sum(step.written for step in steps) / sent == pytest.approx(written, abs=0.02)


IDEAL = {"openai": 0.05, "kimi": 0.05, "vllm": 0.01, "deepseek": 0.15, "openai-explicit": 0.08}


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("name", IDEAL)
def test_what_is_paid_in_full_is_near_the_ideal(name: str, at_once: int) -> None:
    """What the vendor's rules leave to be read is little more than an ideal cache has to read.

    Beginnings here are an eighth as long as in the grids that docs/caches.md measures, and
    what steps and minima round away weighs the more.
    """
    prepared, rules = fifteen(), RULES[name]
    steps = arrange(prepared.plan.trials, prepared.run.templates, rules, at_once)
    prompts = measure_prompts(prepared, steps, rules)
    turns = rehearse(steps, rules, at_once, prompts)
    groups, _ = group_trials(prepared.plan.trials, prepared.run.templates)
    shared = sum(tokens for group in groups for _, tokens in count_shared(group))
    sent = sum(prompt.tokens for prompt in prompts)
    full = sent - sum(turn.served.read for turn in turns)
    assert full / (sent - shared) - 1 < IDEAL[name]


@pytest.mark.parametrize("name", ["openai", "kimi", "anthropic"])
def test_a_slow_run_stays_warm(name: str) -> None:
    """One request a minute, and hours in all: what later prompts share never cools.

    Row by row it does, since the far end of a text is read once a row.
    """
    prepared, rules = fifteen(), RULES[name]
    slowly = Limits(requests_a_minute=1)
    steps = arrange(prepared.plan.trials, prepared.run.templates, rules, 8, slowly)
    planned = arrange(prepared.plan.trials, prepared.run.templates, RULES["none"], 8)
    read = {}
    for how, order, own in (("aware", steps, rules), ("rows", planned, RULES["none"])):
        prompts = measure_prompts(prepared, order, own, rules)
        turns = rehearse(order, own, 8, prompts, rules, every_s=60.0)
        read[how] = sum(turn.served.read for turn in turns)
    assert read["aware"] > 0.95 * sum(step.cached for step in steps)
    assert read["rows"] < 0.85 * read["aware"]


def test_marked_prompts_are_parted_alike_up_to_what_they_read() -> None:
    """What one trial reads another has written from the same parts, and no mark is missing."""
    groups, _ = group_trials(whole().plan.trials, whole().run.templates)
    for name in ("anthropic", "openai-explicit"):
        for group in groups:
            steps = chain(group, RULES[name], 4)
            places = {step.trial.key: step.places for step in steps}
            for step in steps:
                assert list(step.places) == sorted(set(step.places))
                if step.awaits is not None:
                    key, place = step.awaits
                    upto = places[key].index(place) + 1
                    assert places[key][:upto] == step.places[:upto]
                    assert place in step.places[-RULES[name].marks :]


def test_a_chain_of_one_and_of_none() -> None:
    """A group of a single trial, or of two, is sent as well by every kind of cache."""
    groups, _ = group_trials(whole().plan.trials, whole().run.templates)
    for size in (1, 2):
        group = replace(groups[0], trials=groups[0].trials[:size])
        for name in GROWN:
            assert len(chain(group, RULES[name], 8)) == size
        assert len(fan_out(group, RULES["openai"])) == size
