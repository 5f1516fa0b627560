from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import check_layout, make_heatmap, maps_of, mesh_of, scores_of, squares_of, texts_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from needle.contexts.grid import GridWish, make_grid
from needle.drawing import fonts
from needle.drawing.canvas import FORMATS
from needle.drawing.differences import build_difference, draw_difference
from needle.words.claims import Comparison, Estimate, PairedCell
from needle.words.types import Grid, Language

GRID = Grid("shared", (1000, 2000, 4000), (0.0, 50.0))
CELLS = (
    PairedCell(1000, 0.0, 0.5, 10, 0.004, beyond_chance=True),
    PairedCell(2000, 0.0, -0.25, 10, 0.5, beyond_chance=False),
    PairedCell(4000, 0.0, None, 0, None, beyond_chance=False),
    PairedCell(1000, 50.0, 0.0, 10, 1.0, beyond_chance=False),
    PairedCell(2000, 50.0, -1.0, 10, 0.002, beyond_chance=True),
)
COMPARISON = Comparison(
    of="models",
    first="gpt-4-turbo",
    second="claude-2.1",
    task="single",
    language="en",
    pairs=50,
    replicates=10,
    difference=Estimate(-0.123, -0.19, -0.051, 50, 10, "population"),
    only_first=12,
    only_second=3,
    test="permutation",
    p_value=0.002,
    p_adjusted=0.004,
    detectable=0.061,
    needed=7,
    cells=CELLS,
)


def change(**changes: Any) -> Comparison:
    return replace(COMPARISON, **changes)


def read(comparison: Comparison, language: Language = "en", **more: Any) -> str:
    return " | ".join(texts_of(build_difference(comparison, GRID, language, **more)))


@pytest.mark.parametrize("palette", ["published", "safe"])
def test_squares_hold_the_differences(palette: Any) -> None:
    """Each square has its cell's difference, on a scale of -100 to 100 points whatever the data."""
    figure = build_difference(COMPARISON, GRID, palette=palette)
    expected = np.array([[0.5, -0.25, np.nan], [0.0, -1.0, np.nan]])
    np.testing.assert_array_equal(scores_of(figure), expected)
    assert mesh_of(figure).get_clim() == (-1, 1)
    (bar,) = [axes for axes in figure.axes if axes.get_label() == "bar"]
    ticks = [text.get_text() for text in bar.get_yticklabels()]
    assert ticks == ["−100", "−50", "0", "+50", "+100"]


def test_beyond_chance_is_outlined() -> None:
    """Cells beyond chance are outlined inside their square, and no others; the key says so."""
    figure = build_difference(COMPARISON, GRID)
    (axes,) = maps_of(figure)
    outlines = [
        patch.get_bbox()
        for patch in axes.patches
        if isinstance(patch, Rectangle) and patch.get_label() == "beyond"
    ]
    assert [(int(box.x0), int(box.y0)) for box in outlines] == [(0, 0), (1, 1)]
    assert all(0 < box.width < 1 and 0 < box.height < 1 for box in outlines)
    assert "beyond chance (sign test in each cell, 5% false discoveries)" in texts_of(figure)
    plain = change(cells=tuple(replace(cell, beyond_chance=False) for cell in CELLS))
    assert "no cell differs beyond chance by itself" in read(plain)
    assert "beyond chance (" not in read(plain)


def test_no_pairs_are_hatched() -> None:
    """Cells without a pair are hatched, whether they are named or not, and never a difference."""
    figure = build_difference(COMPARISON, GRID)
    assert squares_of(maps_of(figure)[0], "no_pairs") == {(2, 0), (2, 1)}
    assert "no trial scored on both sides" in texts_of(figure)


def test_words_say_what_was_compared_and_how_surely() -> None:
    """Title, key and footer name both sides, the interval, the test, and what would have shown."""
    words = read(COMPARISON)
    for part in (
        "Difference In Recall: claude-2.1 Less gpt-4-turbo",
        "claude-2.1 higher",
        "gpt-4-turbo higher",
        "difference −12.3 points (95% interval −19.0 to −5.1)",
        "p = 0.004 (permutation of signs over 10 replicates, Holm-adjusted)",
        "smallest detectable difference 6.1 points (80% power, 5% level)",
        "50 pairs of trials: 3 with claude-2.1 higher, 12 with gpt-4-turbo higher",
    ):
        assert part in words
    assert "one needle" not in words


def test_one_draw_says_so() -> None:
    """A comparison of one replicate names McNemar's test and claims nothing beyond its draw."""
    single = change(
        test="mcnemar", replicates=1, difference=Estimate(0.0, -0.1, 0.1, 50, 1, "draw")
    )
    assert "McNemar's exact test" in read(single)
    assert "for this one needle in this one text alone" in read(single)


def test_too_few_replicates_are_said() -> None:
    """Where the test can't reach 5% at all, the figure says so, not a smallest difference."""
    words = read(change(detectable=None))
    assert "too few replicates for the test to reach 5% (7 can)" in words
    assert "smallest" not in words


def test_nothing_in_common() -> None:
    """A comparison without a single pair is still drawn, all hatched, and says it."""
    nothing = change(pairs=0, difference=Estimate(None, None, None, 0, 0, "draw"), cells=())
    figure = build_difference(nothing, GRID)
    check_layout(figure)
    assert len(squares_of(maps_of(figure)[0], "no_pairs")) == 6


def test_languages_of_one_model() -> None:
    """A model's two languages are named as such, never as the model less itself."""
    gap = change(of="languages", first="m", second="m", language=None)
    assert "Difference In Recall: m, English Less Chinese" in read(gap)
    assert "English higher" in read(gap)
    assert "Chinese higher" in read(gap)


def test_simulated_is_said() -> None:
    """A simulated side is said on the face; where the other is real, which one it is."""
    real, simulated = make_heatmap(model="a"), make_heatmap(model="b", simulated=True)
    assert "simulated endpoint" not in read(COMPARISON, sides=[real])
    assert "simulated endpoint: b" in read(COMPARISON, sides=[real, simulated])
    assert "simulated endpoint" in texts_of(
        build_difference(COMPARISON, GRID, sides=[simulated, simulated])
    )
    assert "simulated endpoint" in read(COMPARISON, simulated=True)


def test_sides_say_how_they_were_made() -> None:
    """What both sides share is said once, what differs with its side, and the unit is theirs."""
    sides = [make_heatmap(model=name, unit="hanzi", date=date) for name, date in ("ax", "by")]
    words = read(COMPARISON, sides=sides)
    assert words.count("needle dolores-park") == 1
    assert "a: x" in words
    assert "b: y" in words
    assert "Context Length (# Chinese Characters)" in words


@pytest.mark.skipif(fonts.find_chinese_family() is None, reason="no Chinese font here")
def test_chinese_words() -> None:
    """A Chinese map says the same in Chinese."""
    words = read(COMPARISON, "zh", sides=[make_heatmap(simulated=True)])
    for part in (
        "召回率之差：claude-2.1 减 gpt-4-turbo",
        "差值 −12.3 个百分点（95% 区间 −19.0 至 −5.1）",
        "p = 0.004（10 组样本的符号置换检验，Holm 校正）",
        "差异超出偶然",
        "模拟端点",
    ):
        assert part in words
    assert not any(word in words for word in ("points", "higher", "beyond", "simulated"))
    gap = change(of="languages", first="m", second="m", language=None)
    assert "召回率之差：m，英文减中文" in read(gap, "zh")
    assert "英文更高" in read(gap, "zh")


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.text("mw -/.中", min_size=1, max_size=80),
    st.sampled_from(["en", "zh"]),
    st.booleans(),
)
def test_nothing_overlaps_or_is_clipped(
    columns: int, rows: int, name: str, words: Language, several: bool
) -> None:
    """Whatever the grid and the names, all is inside the map's figure and nothing overlaps."""
    wish = GridWish("full", length_count=columns, depth_count=rows, spacing="sigmoid")
    grid = make_grid(wish, 200_000)
    cells = tuple(
        PairedCell(x, d, 0.4, 9, 0.001, beyond_chance=several)
        for x in grid.lengths[: 1 if several else None]
        for d in grid.depths
    )
    comparison = change(second=name, cells=cells)
    check_layout(build_difference(comparison, grid, words, simulated=several))


def test_same_comparison_same_bytes(tmp_path: Path) -> None:
    """The same comparison gives the same bytes in every format."""
    first = draw_difference(COMPARISON, GRID, tmp_path / "a", formats=FORMATS, dpi=72)
    second = draw_difference(COMPARISON, GRID, tmp_path / "b", formats=FORMATS[::-1], dpi=72)
    assert [path.name for path in first] == [f"difference-single-en.{kind}" for kind in FORMATS]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second[::-1]]
