import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.simulated.faults import Faults, draw_fault, parse_faults
from needle.words.errors import UsageError


def test_parses_faults() -> None:
    """Faults are read by name; what is not named is 0."""
    assert parse_faults("") == Faults()
    assert parse_faults("rate_limit=0.1, drop=0.05,") == Faults(rate_limit=0.1, drop=0.05)
    assert parse_faults("filter=1") == Faults(filter=1.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate_limt=0.1", "unknown fault 'rate_limt' (--faults): use rate_limit, "),
        ("drop=2", "drop must be a rate within 0-1, got '2' (--faults)"),
        ("drop=-0.1", "got '-0.1'"),
        ("drop=nan", "got 'nan'"),
        ("drop", "got ''"),
        ("drop=0.1,drop=0.2", "drop is given twice"),
        ("drop=0.6,stall=0.6", "sum to 1.2"),
    ],
)
def test_names_a_wrong_fault(text: str, words: str) -> None:
    """A misspelt fault, a wrong rate or too large a sum is one line that names it."""
    with pytest.raises(UsageError) as caught:
        parse_faults(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_faults_come_at_their_rates() -> None:
    """Over many prompts each fault comes as often as its rate says."""
    faults = Faults(rate_limit=0.2, stall=0.1, filter=0.15, filter_400=0.05)
    drawn = [draw_fault(faults, 1, f"prompt {number}", 0) for number in range(20_000)]
    for name, rate in [("rate_limit", 0.2), ("stall", 0.1), ("filter", 0.15), (None, 0.5)]:
        assert drawn.count(name) / 20_000 == pytest.approx(rate, abs=0.015)


@given(st.integers(), st.text(), st.integers(0, 9))
def test_filters_last_and_draws_repeat(seed: int, digest: str, asked: int) -> None:
    """A filtered prompt is filtered each time it is asked, and any draw can be repeated."""
    faults = Faults(filter=0.3, filter_400=0.3, drop=0.2)
    first = draw_fault(faults, seed, digest, 0)
    later = draw_fault(faults, seed, digest, asked)
    assert later == draw_fault(faults, seed, digest, asked)
    assert (first in ("filter", "filter_400")) == (later in ("filter", "filter_400"))
