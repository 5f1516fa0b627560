"""Agreement of two scorers: Cohen's kappa, and an interval that covers what it says."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.scoring.agreement import compare_scorers, count_agreement, measure_agreement

COUNTS = st.tuples(*[st.integers(0, 400)] * 4).filter(any)


def test_a_known_kappa() -> None:
    """Cohen's kappa of 45, 15, 25 and 15 replies is 0.130, of perfect agreement 1."""
    assert count_agreement(45, 15, 25, 15).kappa == pytest.approx(0.1304, abs=1e-4)
    assert count_agreement(30, 0, 0, 20).kappa == pytest.approx(1.0)
    assert count_agreement(25, 25, 25, 25).kappa == pytest.approx(0.0)


@given(COUNTS)
def test_the_interval_has_a_width(counts: tuple[int, int, int, int]) -> None:
    """Kappa lies within its interval, which has a width and ends at 1 at the most."""
    agreement = count_agreement(*counts)
    assert agreement.count == sum(counts)
    if agreement.kappa is None:
        assert counts[1:] == (0, 0, 0) or counts[:3] == (0, 0, 0)
        return
    assert agreement.low is not None
    assert agreement.high is not None
    assert agreement.low - 1e-9 <= agreement.kappa <= agreement.high + 1e-9 <= 1 + 2e-9
    assert agreement.high - agreement.low > 1e-4


@given(COUNTS)
def test_agreement_is_mutual(counts: tuple[int, int, int, int]) -> None:
    """Which scorer is named first makes no difference."""
    both, first, second, neither = counts
    one, other = count_agreement(*counts), count_agreement(both, second, first, neither)
    assert (one.share, one.kappa, one.low, one.high) == (
        other.share,
        pytest.approx(other.kappa) if other.kappa is not None else None,
        pytest.approx(other.low) if other.low is not None else None,
        pytest.approx(other.high) if other.high is not None else None,
    )


@pytest.mark.parametrize("replies", [40, 225])
@pytest.mark.parametrize("found", [0.5, 0.8])
@pytest.mark.parametrize("kappa", [0.6, 0.9, 0.98])
def test_the_interval_covers(replies: int, found: float, kappa: float) -> None:
    """Of intervals of drawn samples about 95 in 100 hold the kappa that was drawn from."""
    apart = found * (1 - found) * (1 - kappa)
    shares = (found - apart, apart, apart, 1 - found - apart)
    rng = random.Random(f"{replies} {found} {kappa}")
    covered = drawn = 0
    for _ in range(600):
        sample = rng.choices(range(4), shares, k=replies)
        agreement = count_agreement(*(sample.count(cell) for cell in range(4)))
        if agreement.low is not None and agreement.high is not None:
            drawn += 1
            covered += agreement.low <= kappa + 1e-9 and kappa - 1e-9 <= agreement.high
    assert 0.91 <= covered / drawn <= 0.99


def test_scores_are_compared_at_a_half() -> None:
    """A score of a half or more says found; 5 on the published scale does not, 7 does."""
    pairs = [(1.0, 0.666667), (0.5, 0.444444), (0.333333, 1.0), (0.0, 0.222222)]
    agreement = measure_agreement(pairs)
    assert agreement is not None
    assert (agreement.both, agreement.first_only) == (1, 1)
    assert (agreement.second_only, agreement.neither) == (1, 1)
    assert measure_agreement([]) is None


def test_only_what_both_scored_is_compared() -> None:
    """A reply that one scorer has no score of is left out; languages are apart."""
    states = {trial: {"language": "en"} for trial in "abc"} | {"d": {"language": "zh"}}
    scores: dict[tuple[str, str], dict[str, Any]] = {
        ("a", "keyword"): {"score": 1.0},
        ("a", "judge"): {"score": 1.0},
        ("b", "keyword"): {"score": 0.0},
        ("b", "judge"): {"score": None},
        ("c", "keyword"): {"score": 0.0},
        ("d", "keyword"): {"score": 0.0},
        ("d", "judge"): {"score": 1.0},
    }
    found = compare_scorers("keyword", "judge", states, scores)
    assert {language: agreement.count for language, agreement in found.items()} == {
        "en": 1,
        "zh": 1,
    }
    assert found["zh"].second_only == 1
