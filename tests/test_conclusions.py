from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.statistics.conclusions import conclude, conclude_comparison, write_effective
from needle.words.claims import (
    Along,
    Comparison,
    EffectiveLength,
    Estimate,
    Statistics,
    WeakRegion,
)
from needle.words.types import LANGUAGES, Language

ONE = Estimate(0.9, 0.8, 0.95, 100, 10, "population")
REACH = EffectiveLength(
    "absolute", 0.856, 8_000.0, "within", 4_000.0, 16_000.0, 4_000.0, 16_000.0, "population"
)
STATISTICS = Statistics(
    "m", "single", "en", ONE, None, (), (Along(1_000, ONE), Along(64_000, ONE)), (Along(0.0, ONE),),
    (REACH, replace(REACH, definition="relative", threshold=0.8)), None, 10, 10,
)  # fmt: skip
COMPARED = Comparison(
    "models", "first-model", "second-model", "single", "en", 100, 10,
    Estimate(-0.1, -0.15, -0.05, 100, 10, "population"), 12, 2, "permutation",
    0.002, 0.004, 0.06, 6, (),
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_replicate_makes_no_claim_about_others(language: Language) -> None:
    """With a single replicate it is said that nothing follows for others, and how many would do."""
    alone = replace(
        STATISTICS, overall=replace(ONE, scope="draw"), replicates=1, replicates_wanted=16
    )
    said = " ".join(conclude(alone, language))
    assert "--replicates 16" in said
    assert {"en": "nothing follows", "zh": "得不出任何结论"}[language] in said
    assert {"en": "nothing follows", "zh": "得不出任何结论"}[language] not in " ".join(
        conclude(STATISTICS, language)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_is_said(language: Language) -> None:
    """The sentences hold recall and effective lengths with their intervals, and the weak region."""
    weak = WeakRegion((16_000, 64_000), (25.0, 75.0), 0.4, 0.98, 0.017)
    said = " ".join(conclude(replace(STATISTICS, weak=weak), language))
    for part in ("90.0%", "80.0-95.0%", "85.6%", "85%", "8k", "4k", "16k", "16k-64k", "25-75%"):
        assert part in said
    assert "40.0%" in said
    assert "98.0%" in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_open_intervals(language: Language) -> None:
    """An interval that reaches outside the lengths tested says so, with the length it passes."""
    open_ended = replace(REACH, low=None, high=None, held_at=None, lost_at=None)
    beyond = replace(open_ended, length=64_000.0, state="beyond")
    said = " ".join(conclude(replace(STATISTICS, effective=(beyond,)), language))
    assert {"en": "under 1k to over 64k", "zh": "1k 以下 至 64k 以上"}[language] in said
    assert "≥" in write_effective(beyond, language)
    below = replace(REACH, length=None, state="below", low=None, high=2_000.0)
    assert {"en": "under", "zh": "不到"}[language] in write_effective(below, language)
    assert {"en": "not shown", "zh": "不能确定"}[language] in write_effective(beyond, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_narrow_interval_between_two_tested_lengths(language: Language) -> None:
    """Where tested lengths show less than the interval, they are said too, and only there."""
    narrow = replace(REACH, low=7_500.0, high=8_500.0)
    said = " ".join(conclude(replace(STATISTICS, effective=(narrow,)), language))
    short = write_effective(narrow, language)
    to = {"en": " to ", "zh": " 至 "}[language]
    for part in (f"7.5k{to}8.5k", f"4k{to}16k"):
        assert part in said
        assert part in short
    above = write_effective(replace(narrow, lost_at=None, high=None), language)
    below = write_effective(replace(narrow, held_at=None, low=None), language)
    assert {"en": "tested: from 4k", "zh": "实测 4k 以上"}[language] in above
    assert {"en": "tested: up to 16k", "zh": "实测 16k 以下"}[language] in below
    word = {"en": "tested", "zh": "测"}[language]
    assert word in said
    assert word in short
    assert word not in " ".join(conclude(STATISTICS, language)) + write_effective(REACH, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_scored(language: Language) -> None:
    """Without a scored reply one sentence says that nothing follows."""
    nothing = Estimate(None, None, None, 0, 0, "draw")
    assert len(conclude(replace(STATISTICS, overall=nothing), language)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_difference_that_is_shown(language: Language) -> None:
    """A difference beyond chance is said with its size, direction, interval and p-value."""
    said = conclude_comparison(COMPARED, language)
    for part in ("10.0", "-15.0", "-5.0", "0.004", "second-model", "first-model"):
        assert part in said
    assert {"en": "fewer", "zh": "低"}[language] in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_difference_shown_is_not_no_difference(language: Language) -> None:
    """Where none is shown it is said what would have been; where none could be, that too."""
    alike = replace(COMPARED, p_adjusted=0.3)
    said = conclude_comparison(alike, language)
    assert {"en": "No difference is shown", "zh": "看不出差距"}[language] in said
    assert "6.0" in said
    few = conclude_comparison(replace(alike, detectable=None, replicates=5, needed=7), language)
    assert {"en": "pairs", "zh": "对，检验"}[language] in conclude_comparison(
        replace(alike, detectable=None, test="mcnemar", pairs=4), language
    )
    assert "7" in few
    assert "5%" in few


@pytest.mark.parametrize("language", LANGUAGES)
def test_holm_decides(language: Language) -> None:
    """What is shown is decided by the adjusted p-value, not the raw one."""
    said = conclude_comparison(replace(COMPARED, p_value=0.03, p_adjusted=0.06), language)
    assert {"en": "No difference", "zh": "看不出"}[language] in said


@given(st.floats(1, 5_000_000))
def test_lengths_are_written_to_three_figures(length: float) -> None:
    """An effective length is written within half a percent of its value: no more is known."""
    written = write_effective(replace(REACH, length=length), "en").split(" ")[0]
    unit = {"k": 1_000, "M": 1_000_000}.get(written[-1], 1)
    number = float(written.rstrip("kM").replace(",", "")) * unit
    assert number == pytest.approx(length, rel=0.006, abs=0.5)
