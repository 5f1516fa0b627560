"""Outcomes as lines: what is written can be read back, and says what may be asked again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.asking.outcomes import count_lost, is_settled, price_reply, read_result, write_line
from needle.edges.config import read_recipe
from needle.runs.prepare import prepare
from needle.words.tariffs import Price
from needle.words.types import Asked, Failure, Reply, Trial


@pytest.fixture(scope="module")
def trial() -> Trial:
    """Return one trial."""
    said = {"model": "sim/reader", "language": "en", "grid": {"lengths": "1k", "depths": "50"}}
    ready = prepare(read_recipe(None, said), told_language=True, model_name="sim/reader", date="d")
    return ready.plan.trials[0]


RESULTS = st.one_of(
    st.builds(
        Reply,
        response=st.text(),
        reasoning=st.none() | st.text(),
        finish_reason=st.sampled_from([None, "stop", "length"]),
        endpoint_prompt_tokens=st.none() | st.integers(0, 10**7),
    ),
    st.builds(
        Failure,
        kind=st.sampled_from(["timeout", "overflow", "server"]),
        status=st.none() | st.integers(400, 599),
        message=st.text(),
        permanent=st.booleans(),
    ),
)


@given(result=RESULTS, attempts=st.integers(1, 8))
def test_a_line_gives_back_what_was_written(
    trial: Trial, result: Reply | Failure, attempts: int
) -> None:
    """A reply or failure read from its line is the one that was written, through JSON."""
    asked = Asked(result, attempts, 0, 0.1234, "2026-11-24T00:00:00.000Z")
    line = json.loads(json.dumps(write_line(trial, asked, None), ensure_ascii=False))
    assert read_result(line) == result
    assert line["trial"] == trial.key
    assert line["latency_s"] == 0.123
    assert 0 <= count_lost(line) <= attempts


@pytest.mark.parametrize(
    ("failure", "attempts", "lost"),
    [(None, 1, 0), (None, 3, 2), ("timeout", 2, 2), ("rate_limit", 8, 7), ("overflow", 1, 0)],
)
def test_lost_attempts_are_never_counted_too_few(
    trial: Trial, failure: str | None, attempts: int, lost: int
) -> None:
    """Every attempt that may have been charged without an answer is among those counted."""
    result = Failure(failure, None, "", permanent=False) if failure else Reply("x")
    assert count_lost(write_line(trial, Asked(result, attempts, 0, 0.0, ""), None)) == lost


def test_only_what_may_pass_is_asked_again() -> None:
    """A reply is settled for good; what can't pass only until the user says otherwise."""
    passing, permanent = ({"failure": {"permanent": p}} for p in (False, True))
    assert not is_settled(None)
    assert is_settled({"failure": None})
    assert is_settled({"failure": None}, again_permanent=True)
    assert not is_settled(passing)
    assert is_settled(permanent)
    assert not is_settled(permanent, again_permanent=True)


def test_a_reply_is_priced_by_the_endpoints_own_count(trial: Trial) -> None:
    """Money goes by the endpoint's tokens where it tells them, by ours where it does not."""
    price = Price(60, 30, "CNY")
    told = Reply("x", endpoint_prompt_tokens=1_000_000, completion_tokens=1_000_000)
    assert price_reply(trial, told, price) == {"amount": 90.0, "currency": "CNY"}
    untold = price_reply(trial, Reply("x"), price)
    assert untold is not None
    assert untold["amount"] == pytest.approx(trial.prompt_tokens * 60 / 1e6)
    assert price_reply(trial, told, None) is None
    assert price_reply(trial, Failure("timeout", None, "", permanent=False), price) is None
