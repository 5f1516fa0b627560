"""Pacing: limits are kept over every minute, everything gets through, and 429s slow it down."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.asking.pace import MINUTE_S, Pace, Sent, least_minutes
from needle.words.tariffs import Limits
from needle.words.types import Allowance

REQUEST = st.tuples(st.integers(1, 5_000), st.floats(0, 30))  # tokens, seconds until answered


def send_all(pace: Pace, requests: list[tuple[int, float]]) -> list[tuple[float, int]]:
    """Send requests in order as early as the pace allows; return when each went, and its tokens."""
    now = 0.0
    sent: list[tuple[float, int]] = []
    flying: list[tuple[float, Sent]] = []
    for tokens, lasts in requests:
        while (wait := pace.wait_s(tokens, now)) > 0:
            ends = min((end for end, _ in flying), default=math.inf)
            now = min(now + wait, ends)
            assert now < math.inf
            for end, each in [done for done in flying if done[0] <= now]:
                pace.end(each, now, slowed=False)
                flying.remove((end, each))
        each = pace.begin(tokens, now)
        sent.append((now, tokens))
        flying.append((now + lasts, each))
        assert len(flying) <= pace.most
    return sent


@given(
    st.lists(REQUEST, min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(5_000, 20_000),
    st.integers(1, 8),
)
def test_no_minute_holds_more_than_the_limits(
    requests: list[tuple[int, float]], rpm: int, tpm: int, most: int
) -> None:
    """Within any 60 seconds no more requests and tokens are sent than the limits name."""
    limits = Limits(requests_a_minute=rpm, tokens_a_minute=tpm)
    sent = send_all(Pace(limits, most), requests)
    for start, _ in sent:
        within = [tokens for at, tokens in sent if start <= at < start + MINUTE_S - 1e-6]
        assert len(within) <= rpm
        assert sum(within) <= tpm


@given(st.lists(REQUEST, min_size=1, max_size=40), st.integers(1, 8))
def test_without_limits_only_concurrency_holds_back(
    requests: list[tuple[int, float]], most: int
) -> None:
    """A run without limits sends at once whatever its concurrency has room for."""
    sent = send_all(Pace(Limits(), most), requests)
    assert [at for at, _ in sent[:most]] == [0.0] * len(sent[:most])
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(sent))


def test_a_days_tokens_are_kept() -> None:
    """What was sent within a day, by an earlier process too, counts against the day's limit."""
    pace = Pace(Limits(tokens_a_day=10_000), 4)
    pace.remember(9_000, at=0.0)
    assert pace.wait_s(1_000, now=100.0) == 0
    assert pace.wait_s(1_001, now=100.0) == pytest.approx(86_300)
    assert pace.wait_s(10_000, now=86_400.0) == 0


def test_a_refusal_for_speed_halves_what_is_in_flight_once() -> None:
    """Of the requests in flight when the vendor says too many, only the first halves the room."""
    pace = Pace(Limits(), 16)
    flying = [pace.begin(1, 0.0) for _ in range(16)]
    for each in flying:
        pace.end(each, 1.0, slowed=True)
    assert pace.room == 8
    assert pace.wait_s(1, 1.0) == 0
    pace.end(pace.begin(1, 2.0), 3.0, slowed=True)
    assert pace.room == 4


@given(st.integers(1, 64), st.integers(0, 12))
def test_the_room_recovers(most: int, refusals: int) -> None:
    """However far it was cut, answers bring the concurrency back to what was asked for."""
    pace = Pace(Limits(), most)
    for now in range(refusals):
        pace.end(pace.begin(1, float(now)), now + 0.5, slowed=True)
    assert pace.room >= 1
    for _ in range(most * most):
        pace.end(pace.begin(1, 100.0), 100.0, slowed=False)
    assert pace.room == most


def test_a_wait_that_is_asked_for_holds_all() -> None:
    """After a 429 with a wait no request goes before it is over."""
    pace = Pace(Limits(), 8)
    pace.end(pace.begin(1, 0.0), 1.0, slowed=True, wait_s=7.0)
    assert pace.wait_s(1, 1.0) == pytest.approx(7.0)
    assert pace.wait_s(1, 8.0) == 0


@pytest.mark.parametrize(
    ("allowance", "wait"),
    [
        (Allowance(0, 12.0, None, None), 12.0),
        (Allowance(3, 12.0, 900, 30.0), 30.0),
        (Allowance(3, 12.0, 1_000, 30.0), 0.0),
        (Allowance(0, 80_000.0, None, None), 120.0),
        (Allowance(0, None, None, None), 0.0),
    ],
)
def test_a_vendors_headers_are_heeded(allowance: Allowance, wait: float) -> None:
    """Where headers say that too little is left, nothing goes until it is whole again."""
    pace = Pace(Limits(), 8)
    pace.learn(allowance, 1_000, 0.0)
    assert pace.wait_s(1_000, 0.0) == pytest.approx(wait)


def test_a_request_beyond_its_limit_does_not_wait_for_ever() -> None:
    """One larger than a minute's tokens goes when nothing else was sent: the vendor decides."""
    pace = Pace(Limits(tokens_a_minute=100), 2)
    assert pace.wait_s(101, 0.0) == 0


def test_the_least_time_is_the_tightest_limits() -> None:
    """A plan takes at least what its tightest limit needs; nothing is told without limits."""
    limits = Limits(requests_a_minute=3, tokens_a_minute=32_000, tokens_a_day=1_500_000)
    assert least_minutes(limits, 30, 64_000) == pytest.approx(61.44)
    assert least_minutes(Limits(requests_a_minute=3), 30, 1) == 10
    assert least_minutes(Limits(concurrency=4), 30, 1) is None
