import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats.proportion import proportion_confint

from needle.statistics.intervals import Scores, estimate, estimate_difference, share_interval

MARKS = st.sampled_from((0.0, 0.25, 0.5, 1.0, math.nan))


def grids(values: st.SearchStrategy[float] = MARKS) -> st.SearchStrategy[Scores]:
    sizes = st.tuples(st.integers(1, 8), st.integers(1, 4), st.integers(1, 4))
    return sizes.flatmap(lambda shape: arrays(float, shape, elements=values))


@settings(deadline=None)  # the first call imports statsmodels
@given(grids())
def test_an_interval_holds_the_mean_and_has_width(scores: Scores) -> None:
    """An interval is within 0-1, holds the mean of the scored trials, and is of some width."""
    found = estimate(scores)
    there = scores[~np.isnan(scores)]
    assert found.scored == len(there)
    if not len(there):
        assert (found.value, found.low, found.high) == (None, None, None)
        return
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.value == pytest.approx(there.mean())
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    assert found.high - found.low > 1e-6


@settings(deadline=None)
@given(grids(st.sampled_from((0.0, 1.0))))
def test_more_cells_never_tell_more_than_so_many_trials(scores: Scores) -> None:
    """No interval over replicates is narrower than that of as many independent trials."""
    found = estimate(scores)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    low, high = share_interval(found.value, scores.size)
    assert found.low <= low + 1e-9
    assert found.high >= high - 1e-9


@settings(deadline=None)
@given(grids(), st.randoms(use_true_random=False))
def test_the_order_of_replicates_is_of_no_account(scores: Scores, random: object) -> None:
    """Replicates in another order give the same estimate."""
    order = list(range(len(scores)))
    random.shuffle(order)  # type: ignore[attr-defined]
    one, other = estimate(scores), estimate(scores[order])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


@pytest.mark.parametrize(
    ("found", "trials", "low", "high"),
    [(1, 1, 0.2065, 1.0), (5, 5, 0.5655, 1.0), (10, 10, 0.7225, 1.0), (0, 10, 0.0, 0.2775)],
)
def test_wilson_where_all_or_none_is_found(
    found: int, trials: int, low: float, high: float
) -> None:
    """With all found, or none, a cell's interval is Wilson's."""
    ends = share_interval(found / trials, trials)
    assert ends == pytest.approx((low, high), abs=1e-4)


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(1, 2_000))
def test_the_ends_are_wilsons_and_jeffreys(mean: float, trials: int) -> None:
    """A share's interval has the wider ends of statsmodels' Wilson and Jeffreys intervals."""
    found = mean * trials
    both = [
        proportion_confint(found, trials, alpha=0.05, method=method)
        for method in (("wilson",) if mean in (0, 1) else ("wilson", "jeffreys"))
    ]
    low, high = min(low for low, _ in both), max(high for _, high in both)
    assert share_interval(mean, trials) == pytest.approx((low, high), abs=1e-7)


def test_cells_of_one_replicate_are_one_draw() -> None:
    """Replicates that differ as wholes tell no more than so many trials would."""
    scores = np.zeros((10, 8, 8))
    scores[:7] = 1
    found = estimate(scores)
    assert (found.low, found.high) == pytest.approx(share_interval(0.7, 10), abs=0.03)


@pytest.mark.parametrize(("replicates", "holds"), [(5, False), (6, True)])
def test_six_replicates_that_find_all_hold_the_threshold(replicates: int, *, holds: bool) -> None:
    """Six replicates found at every depth put a length's interval above 85.6%; five do not."""
    low = estimate(np.ones((replicates, 1, 11))).low
    assert low is not None
    assert (low >= 0.856) is holds


def test_one_replicate_speaks_of_itself() -> None:
    """With a single replicate the interval is over its trials, and says so."""
    found = estimate(np.array([[[1.0, 1.0, 0.0, 1.0]]]))
    assert found.scope == "draw"
    assert (found.low, found.high) == pytest.approx(share_interval(0.75, 4))
    assert estimate(np.ones((2, 1, 4))).scope == "population"


@settings(deadline=None)  # the first call imports scipy
@given(grids(st.sampled_from((-1.0, -0.5, 0.0, 1.0, math.nan))))
def test_a_difference_has_an_interval_of_some_width(differences: Scores) -> None:
    """A difference's interval is within -1 to 1, holds it, and is of some width."""
    found = estimate_difference(differences)
    there = differences[~np.isnan(differences)]
    if not len(there):
        assert found.value is None
        return
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.value == pytest.approx(there.mean())
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 1e-6


@settings(deadline=None)
@given(grids(st.sampled_from((-1.0, 0.0, 1.0, math.nan))))
def test_a_difference_turned_round(differences: Scores) -> None:
    """First less second is the mirror of second less first."""
    one, other = estimate_difference(differences), estimate_difference(-differences)
    if one.low is not None and other.high is not None:
        assert one.low == pytest.approx(-other.high)
