"""Who waits for whose reply: only while it may bring something that is not there yet."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.caching.chains import Step
from needle.caching.warmth import Warmth
from needle.words.tariffs import CacheRules
from needle.words.types import Needle, Trial

FIVE_MINUTES = CacheRules("automatic", lifetime_s=300)
FOR_EVER = CacheRules("automatic")


def make_step(key: str, awaits: str | None = "first", group: str = "text") -> Step:
    """Return a step of a trial of which nothing but the key matters."""
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Trial)}
    trial = Trial(**{**values, "key": key, "needle": Needle("n", "en", (), "", ())})
    entry = (awaits, 0) if awaits else None
    return Step(trial, group, entry, (entry,) if entry else ())


FIRST, SECOND, THIRD = (make_step(key) for key in ("first", "second", "third"))


@pytest.mark.parametrize("rules", [FIVE_MINUTES, FOR_EVER])
def test_the_others_wait_for_the_first(rules: CacheRules) -> None:
    """While nothing is kept yet one goes alone; once it is answered all go at once."""
    warmth = Warmth(rules)
    assert warmth.may_go(FIRST, 0)
    warmth.begin(FIRST, 0)
    assert not warmth.may_go(SECOND, 1_000)
    warmth.end(FIRST, 1_000, replied=True)
    for step in (SECOND, THIRD):
        assert warmth.may_go(step, 1_001)
        warmth.begin(step, 1_001)


def test_a_failed_first_is_followed_by_another_alone() -> None:
    """Where the first one fails the next goes alone in its place."""
    warmth = Warmth(FIVE_MINUTES)
    warmth.begin(FIRST, 0)
    warmth.end(FIRST, 5, replied=False)
    assert warmth.may_go(SECOND, 6)
    warmth.begin(SECOND, 6)
    assert not warmth.may_go(THIRD, 7)


def test_what_has_cooled_is_warmed_again() -> None:
    """After a pause longer than the lifetime one goes alone again, and not before."""
    warmth = Warmth(FIVE_MINUTES)
    warmth.begin(FIRST, 0)
    warmth.end(FIRST, 10, replied=True)
    assert warmth.is_warm(("first", 0), 310)
    assert not warmth.is_warm(("first", 0), 311)
    warmth.begin(SECOND, 311)
    assert not warmth.may_go(THIRD, 312)


def test_each_use_keeps_warm() -> None:
    """What is sent within the lifetime keeps what it reads for another one."""
    warmth = Warmth(FIVE_MINUTES)
    warmth.begin(FIRST, 0)
    warmth.end(FIRST, 10, replied=True)
    warmth.begin(SECOND, 300)
    assert warmth.is_warm(("first", 0), 600)


def test_a_resumed_run_knows_what_was_answered_lately() -> None:
    """Replies of an earlier process keep warm as those of this one, as long as they last."""
    for at, together in ((100.0, True), (-500.0, False)):
        warmth = Warmth(FIVE_MINUTES)
        warmth.remember(FIRST, at)
        warmth.begin(SECOND, 200)
        assert warmth.may_go(THIRD, 200) == together


def test_one_that_is_let_go_holds_no_other() -> None:
    """Who is released is waited for no longer, and leaves something all the same if it replies."""
    warmth = Warmth(FIVE_MINUTES)
    warmth.begin(FIRST, 0)
    warmth.release(FIRST)
    assert warmth.may_go(SECOND, 1)
    warmth.end(FIRST, 2, replied=True)
    assert warmth.may_go(THIRD, 3)


def test_slots_take_one_of_a_text_at_a_time() -> None:
    """Where slots keep prompts apart a text has one in flight, warm or not, and texts no matter."""
    warmth = Warmth(CacheRules("automatic", apart=True))
    warmth.begin(FIRST, 0)
    assert not warmth.may_go(SECOND, 1)
    assert warmth.may_go(make_step("other", group="another text"), 1)
    warmth.end(FIRST, 2, replied=True)
    warmth.begin(SECOND, 3)
    assert not warmth.may_go(THIRD, 4)


def test_a_trial_that_awaits_nothing_never_waits() -> None:
    """A question without any text goes at any time."""
    warmth = Warmth(CacheRules("automatic", apart=True))
    warmth.begin(FIRST, 0)
    assert warmth.may_go(make_step("bare", awaits=None, group=""), 0)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 400))))
def test_where_nothing_is_in_flight_anyone_may_go(history: list[tuple[int, bool, int]]) -> None:
    """Whatever came before, with nothing in flight no trial waits: none can wait for ever."""
    for rules in (FIVE_MINUTES, FOR_EVER, CacheRules("automatic", apart=True)):
        warmth, now = Warmth(rules), 0.0
        for number, replied, later in history:
            step = make_step(str(number), awaits=str(number % 2))
            assert warmth.may_go(step, now)
            warmth.begin(step, now)
            now += later
            warmth.end(step, now, replied=replied)
