import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

from needle.statistics.intervals import Scores
from needle.statistics.pairing import adjust, compare, mcnemar, permute
from needle.words.claims import Comparison, Estimate, PairedCell

NOTHING = Estimate(None, None, None, 0, 0, "draw")


def name(lengths: int, depths: int, p_value: float = 1.0) -> Comparison:
    cells = tuple(
        PairedCell(length, depth, None, 0, None, beyond_chance=False)
        for length in range(lengths)
        for depth in range(depths)
    )
    return Comparison(
        "models", "a", "b", "single", "en", 0, 0, NOTHING, 0, 0, "mcnemar",
        p_value, 1.0, None, 0, cells,
    )  # fmt: skip


def both(first: Scores, second: Scores, *, one_draw: bool = False) -> Comparison:
    _, lengths, depths = first.shape
    return compare(name(lengths, depths), first, second, one_draw=one_draw)


scores = arrays(float, (4, 2, 3), elements=st.sampled_from((0.0, 0.5, 1.0, math.nan)))


@settings(deadline=None)
@given(scores, scores, st.booleans())
def test_a_comparison_turned_round(first: Scores, second: Scores, one_draw: bool) -> None:
    """Two runs in the other order give the same p-value and the mirrored difference, by cell."""
    one, other = both(first, second, one_draw=one_draw), both(second, first, one_draw=one_draw)
    assert one.p_value == pytest.approx(other.p_value)
    assert (one.only_first, one.only_second) == (other.only_second, other.only_first)
    assert one.pairs == other.pairs == int((~np.isnan(first + second)).sum())
    for mine, theirs in zip(one.cells, other.cells, strict=True):
        assert mine.p_value == theirs.p_value
        if mine.difference is not None and theirs.difference is not None:
            assert mine.difference == pytest.approx(-theirs.difference)


@settings(deadline=None)
@given(scores)
def test_no_difference_with_oneself(first: Scores) -> None:
    """A run against itself differs by nothing, with a p-value of 1."""
    found = both(first, first)
    assert found.p_value == 1
    assert found.difference.value in (None, 0)
    assert not any(cell.beyond_chance for cell in found.cells)


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_is_the_sign_test_of_the_pairs_that_differ(lower: int, higher: int) -> None:
    """McNemar's exact p-value is the binomial test's over the discordant pairs."""
    differences = np.array([-1.0] * lower + [1.0] * higher + [0.0] * 7)
    expected = binomtest(lower, lower + higher).pvalue if lower + higher else 1.0
    assert mcnemar(differences) == pytest.approx(expected)


@pytest.mark.parametrize("replicates", [2, 5, 6, 8])
def test_permutation_over_replicates_is_exact(replicates: int) -> None:
    """Replicates that all differ one way have the least p-value of their number: 2 / 2^r."""
    differences = np.full((replicates, 2, 2), 0.5)
    assert permute(differences) == pytest.approx(2 / 2**replicates)


def test_cells_of_a_replicate_are_no_evidence_of_their_own() -> None:
    """A difference in every cell of five replicates is not shown at 5%, nor could one have been."""
    first, second = np.zeros((5, 10, 10)), np.ones((5, 10, 10))
    found = both(first, second)
    assert (found.test, found.p_value, found.detectable) == ("permutation", 0.0625, None)


@pytest.mark.parametrize(("pairs", "points"), [(225, 4.2), (1_000, 2.0)])
def test_smallest_difference_that_would_show(pairs: int, points: float) -> None:
    """At 5% discordance 225 pairs would show 4.2 points, and 1,000 show 2.0."""
    second = np.zeros((1, 1, pairs))
    first = np.zeros((1, 1, pairs))
    apart = round(0.05 * pairs)
    first[0, 0, : apart // 2] = 1
    second[0, 0, apart // 2 : apart] = 1
    found = both(first, second, one_draw=True)
    assert found.test == "mcnemar"
    assert found.detectable == pytest.approx(points / 100, abs=0.001)


@pytest.mark.parametrize("pairs", [3, 5, 6, 20, 225])
def test_few_pairs_show_no_more_than_their_signs_can(pairs: int) -> None:
    """Of one replicate's pairs six must differ to be seen: no smaller share is told than shows."""
    found = both(np.ones((1, 1, pairs)), np.ones((1, 1, pairs)), one_draw=True)
    assert found.needed == 6
    assert (found.detectable is None) == (pairs < 6)
    if found.detectable is not None:
        draw = np.random.default_rng(7)
        differing = draw.binomial(pairs, found.detectable, 2_000)
        assert np.mean(differing >= 6) == pytest.approx(0.8, abs=0.03)


def test_what_could_have_been_shown_is_shown() -> None:
    """With 20 replicates and noise, differences of the detectable size are mostly shown."""
    draw = np.random.default_rng(2)
    shown = []
    for _ in range(60):
        lucks = draw.normal(0, 0.5, (20, 1, 1))
        first = draw.random((20, 5, 5)) < 1 / (1 + np.exp(-1 - lucks))
        alike = draw.random((20, 5, 5)) < 1 / (1 + np.exp(-1 - lucks))
        size = both(first.astype(float), alike.astype(float)).detectable
        assert size is not None
        lost = draw.random((20, 5, 5)) < size / alike.mean()
        second = np.where(lost, 0.0, alike.astype(float))
        shown.append(both(first.astype(float), second).p_value < 0.05)
    assert np.mean(shown) > 0.65


@pytest.mark.parametrize(("runs", "needed"), [(2, 6), (3, 7), (4, 8), (6, 10)])
def test_what_could_have_been_shown_among_many(runs: int, needed: int) -> None:
    """With too few replicates for Holm's p-value to reach 5% no size is told, but how many can."""
    number = runs * (runs - 1) // 2
    for replicates in (needed - 1, needed):
        first, second = np.zeros((replicates, 2, 2)), np.ones((replicates, 2, 2))
        adjusted = adjust([both(first, second)] * number)
        assert {each.needed for each in adjusted} == {needed}
        reached = replicates >= needed
        assert {each.p_adjusted < 0.05 for each in adjusted} == {reached}
        assert {each.detectable is not None for each in adjusted} == {reached}
    alone, among = both(first, second), adjusted[0]
    assert alone.detectable is not None
    assert among.detectable is not None
    assert among.detectable >= alone.detectable


def test_pairs_of_one_replicate_are_one_draw() -> None:
    """Where only one of several replicates has pairs, the test is McNemar's over that one."""
    first, second = np.full((3, 2, 2), math.nan), np.ones((3, 2, 2))
    first[1] = 0
    found = both(first, second)
    assert (found.test, found.replicates, found.difference.scope) == ("mcnemar", 1, "draw")
    assert found == both(first, second, one_draw=True)


def test_few_replicates_show_only_large_differences() -> None:
    """Six replicates that all must agree need a larger difference than 2.8 standard errors."""
    draw = np.random.default_rng(5)
    shown = []
    for _ in range(200):
        apart = draw.normal(0, 0.1, (6, 1, 1)) + draw.normal(0, 0.05, (6, 4, 4))
        size = both(np.zeros((6, 4, 4)), apart).detectable
        assert size is not None
        shown.append(permute(apart + size) < 0.05)
    assert np.mean(shown) > 0.65


def test_cells_beyond_chance() -> None:
    """With 12 replicates the cells that differ in all are marked, and no other."""
    draw = np.random.default_rng(3)
    first = (draw.random((12, 6, 6)) < 0.9).astype(float)
    second = first.copy()
    first[:, 3:, 2:4] = 1
    second[:, 3:, 2:4] = 0
    found = both(first, second)
    marked = {(c.context_length, c.depth_percent) for c in found.cells if c.beyond_chance}
    assert marked == {(row, column) for row in (3, 4, 5) for column in (2, 3)}


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm(p_values: list[float]) -> None:
    """Holm's p-values are never smaller than the raw ones, and the least is times their number."""
    adjusted = adjust([name(1, 1, p) for p in p_values])
    for each in adjusted:
        assert each.p_adjusted >= each.p_value - 1e-12
    least = min(adjusted, key=lambda each: each.p_value)
    assert least.p_adjusted == pytest.approx(min(1.0, len(p_values) * min(p_values)))


@pytest.mark.parametrize("p_values", [[0.04, 0.01, 0.03, 0.01], [0.9, 0.8, 0.2], [0.5], [0.0, 1.0]])
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    """Holm's p-values are those of statsmodels, in the order of the comparisons."""
    theirs = multipletests(p_values, method="holm")[1]
    ours = [each.p_adjusted for each in adjust([name(1, 1, p) for p in p_values])]
    assert ours == pytest.approx(list(theirs))
