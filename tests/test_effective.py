import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.statistics.effective import ABSOLUTE, KEPT, cross, fall, reach_absolute, reach_relative
from needle.statistics.intervals import Scores
from needle.words.claims import EffectiveLength

LENGTHS = (1_000, 2_000, 4_000, 8_000, 16_000)
shares = st.floats(0, 1, allow_subnormal=False)


def flat(*recalls: float, replicates: int = 10) -> Scores:
    """Return ten depths of each length, found so often, the same in every replicate."""
    rows = [[1.0] * round(10 * recall) + [0.0] * round(10 - 10 * recall) for recall in recalls]
    return np.array([rows] * replicates)


@settings(deadline=None)
@given(
    st.lists(shares, min_size=5, max_size=5), st.lists(st.integers(1, 9), min_size=5, max_size=5)
)
def test_the_fit_never_rises(values: list[float], weights: list[int]) -> None:
    """The fit never rises with length, keeps the weighted mean, and a falling curve stays."""
    curve = fall(values, weights)
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(curve))
    assert np.average(curve, weights=weights) == pytest.approx(np.average(values, weights=weights))
    falling = sorted(values, reverse=True)
    assert fall(falling, weights) == pytest.approx(falling)


@settings(deadline=None)
@given(st.lists(shares, min_size=5, max_size=5), shares)
def test_recall_reaches_the_level_up_to_there(values: list[float], level: float) -> None:
    """Up to the crossing the curve is at the level or over at every length, beyond it under."""
    curve = sorted(values, reverse=True)
    length, state = cross(LENGTHS, curve, level)
    for at, value in zip(LENGTHS, curve, strict=True):
        if state == "below" or (length is not None and at > length * (1 + 1e-9)):
            assert value < level
        elif length is not None and at < length * (1 - 1e-9):
            assert value >= level


def test_between_tested_lengths_by_the_logarithm() -> None:
    """Half the way down between 4k and 16k is 8k."""
    length, state = cross((4_000, 16_000), [1.0, 0.0], 0.5)
    assert length == pytest.approx(8_000)
    assert state == "within"


def reach(*recalls: float, replicates: int = 10) -> EffectiveLength:
    return reach_absolute(LENGTHS, flat(*recalls, replicates=replicates))


def test_perfect_separation() -> None:
    """Lengths found whole and lost whole give a length between them, with a narrow interval."""
    found = reach(1, 1, 1, 0, 0)
    assert found.state == "within"
    assert found.length is not None
    assert 4_000 < found.length < 8_000
    assert found.low is not None
    assert found.high is not None
    assert 4_000 <= found.low <= found.length <= found.high <= 8_000


def test_never_under_and_never_over() -> None:
    """What holds to the end is open upwards, and what never holds is open downwards."""
    whole, nothing = reach(1, 1, 1, 1, 1), reach(0, 0, 0, 0, 0)
    assert (whole.state, whole.length, whole.high) == ("beyond", 16_000, None)
    assert whole.low == 16_000
    assert (nothing.state, nothing.length, nothing.low) == ("below", None, None)
    assert nothing.high == 1_000


def test_few_replicates_promise_nothing() -> None:
    """With three replicates that find all, the interval still reaches under the shortest length."""
    assert reach(1, 1, 1, 1, 1, replicates=3).low is None


def test_a_dip_in_depth_is_no_dip_in_length() -> None:
    """A model that loses one depth at every length holds the same recall everywhere."""
    scores = np.ones((10, 5, 10))
    scores[:, :, 5] = 0
    found = reach_absolute(LENGTHS, scores)
    assert found.state == "beyond"


def test_against_its_own_base() -> None:
    """The relative length is held against 85% of the score at short lengths, however low."""
    scores = flat(0.6, 0.6, 0.6, 0.3, 0.3)
    assert reach_absolute(LENGTHS, scores).state == "below"
    found = reach_relative(LENGTHS, scores, scores[:, [0], :])
    assert found.threshold == pytest.approx(KEPT * 0.6)
    assert found.state == "within"
    assert found.length is not None
    assert 4_000 < found.length < 8_000


def test_a_model_that_finds_nothing_keeps_nothing() -> None:
    """85% of no score at short lengths is no recall that a model could be said to hold."""
    found = reach_relative(LENGTHS, flat(0, 0, 0, 0, 0), flat(0, 0, 0, 0, 0)[:, [0], :])
    assert (found.state, found.threshold, found.length) == (None, None, None)


def test_a_hard_needle_shortens_nothing() -> None:
    """A needle that is hard everywhere alike takes nothing from the relative length."""
    scores = flat(1, 1, 1, 1, 1)
    scores[:5, :, 5:] = 0
    relative = reach_relative(LENGTHS, scores, scores[:, [0], :])
    assert relative.state == "beyond"
    assert reach_absolute(LENGTHS, scores).state == "below"


@settings(deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 10), min_size=5, max_size=5))
def test_the_interval_holds_the_length(replicates: int, found: list[int]) -> None:
    """An effective length lies within its interval, whatever was found."""
    scores = flat(*(each / 10 for each in found), replicates=replicates)
    for one in (
        reach_absolute(LENGTHS, scores),
        reach_relative(LENGTHS, scores, scores[:, [0], :]),
    ):
        length = one.length if one.length is not None else 0.0
        assert (one.low or 0.0) <= length * (1 + 1e-9) or one.state == "below"
        assert one.high is None or length <= one.high * (1 + 1e-9)


def test_nothing_scored() -> None:
    """Where nothing is scored, no length is given."""
    nothing = np.full((2, 5, 3), np.nan)
    assert reach_absolute(LENGTHS, nothing).state is None
    assert reach_relative(LENGTHS, nothing, nothing[:, [0], :]).threshold is None
    assert ABSOLUTE == 0.856


@settings(deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(0, 10), min_size=5, max_size=5))
def test_tested_lengths_hold_the_interval(replicates: int, found: list[int]) -> None:
    """The tested lengths on either side hold the whole interval, and no tested one lies between."""
    scores = flat(*(each / 10 for each in found), replicates=replicates)
    for one in (
        reach_absolute(LENGTHS, scores),
        reach_relative(LENGTHS, scores, scores[:, [0], :]),
    ):
        assert (one.held_at is None) == (one.low is None)
        assert (one.lost_at is None) == (one.high is None)
        if one.held_at is not None and one.low is not None:
            assert one.held_at <= one.low * (1 + 1e-9)
            assert not [x for x in LENGTHS if one.held_at < x < one.low * (1 - 1e-9)]
        if one.lost_at is not None and one.high is not None:
            assert one.lost_at >= one.high * (1 - 1e-9)
            assert not [x for x in LENGTHS if one.high * (1 + 1e-9) < x < one.lost_at]


@settings(deadline=None)
@given(st.floats(1_000, 15_999), st.integers(6, 12))
def test_a_cliff_anywhere_lies_between_the_tested_lengths(cliff: float, replicates: int) -> None:
    """Wherever between two lengths a model falls off a cliff, the tested ones are around it."""
    found = reach(*(float(length <= cliff) for length in LENGTHS), replicates=replicates)
    assert found.held_at is not None
    assert found.lost_at is not None
    assert found.held_at <= cliff < found.lost_at
