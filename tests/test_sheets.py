from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import GRID, check_layout, full, make_heatmap, maps_of, squares_of, texts_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from needle.contexts.grid import GridWish, make_grid
from needle.drawing import fonts
from needle.drawing.canvas import FORMATS
from needle.drawing.sheets import build_sheet, draw_sheet
from needle.telling.sheet_labels import list_results, list_setup, make_sheet
from needle.words.claims import Estimate, WeakRegion
from needle.words.errors import UsageError
from needle.words.figures import Cell, Panel, Placeholder
from needle.words.types import Grid, Language, Verdict

WEAK = WeakRegion((2000, 4000), (50.0, 50.0), 0.25, 0.95, 0.0004)
RECALL = Estimate(0.456, 0.31, 0.62, 11, 3, "population")


def make_panel(model: str = "a", language: Language = "en", **changes: Any) -> Panel:
    return Panel(make_heatmap(model=model, language=language, **changes), RECALL, WEAK)


def table_of(figure: Figure, number: int) -> Any:
    (mesh,) = [c for c in maps_of(figure)[number].collections if isinstance(c, QuadMesh)]
    values: Any = mesh.get_array()
    return np.ma.filled(values.astype(float), np.nan)


def gaps_of(figure: Figure) -> list[Any]:
    return [patch for patch in figure.artists if patch.get_label() == "gap"]


GRIDS = st.builds(
    lambda columns, rows, top: make_grid(
        GridWish("full", length_count=columns, depth_count=rows, spacing="sigmoid"), top
    ),
    st.integers(1, 36),
    st.integers(1, 36),
    st.sampled_from([8_000, 128_000, 200_000, 2_000_000]),
)
STATES: st.SearchStrategy[Verdict] = st.sampled_from(
    ["found", "refused", "partial", "truncated", "filtered", "failed"]
)


@st.composite
def panels(draw: st.DrawFn) -> list[Panel | Placeholder]:
    """Draw the panels of up to six models in one or both languages, some of them missing."""
    names = st.text("abz -/.0中", min_size=1, max_size=40).map(str.strip).filter(len)
    models = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    drawn: list[Panel | Placeholder] = []
    for model in models:
        if draw(st.integers(0, 5)) == 0:
            drawn.append(Placeholder(model, "waits for a key " * draw(st.integers(1, 9))))
        languages: tuple[Language, ...] = ("en", "zh")
        for language in languages:
            if draw(st.integers(0, 3)) == 0:
                continue
            grid = draw(GRIDS)
            cells = list(full(grid, 0.4)["cells"])
            state = draw(STATES)
            score = 0.0 if state in ("refused", "partial") else None
            cells[0] = Cell(grid.lengths[0], grid.depths[0], score, {state: 1})
            weak = WeakRegion((0, grid.lengths[-1]), (0.0, 60.0), 0.1, 0.9, 0.02)
            drawn.append(
                Panel(
                    make_heatmap(
                        model=model,
                        language=language,
                        grid=grid,
                        cells=tuple(cells),
                        simulated=draw(st.booleans()),
                        unit=draw(st.sampled_from(["tokens", "tokens", "hanzi"])),
                        needle=draw(st.sampled_from(["fictional", "san-francisco"])),
                    ),
                    draw(st.sampled_from([None, RECALL])),
                    draw(st.sampled_from([None, weak])),
                )
            )
    return drawn or [Placeholder(models[0], "waits")]


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # a sheet takes a second: no shrinking
)
@given(panels(), st.sampled_from(["en", "zh"]), st.sampled_from(["published", "safe"]))
def test_nothing_overlaps_or_is_clipped(
    some: list[Panel | Placeholder], words: Language, palette: Any
) -> None:
    """Whatever the panels, all of a sheet is inside it, and no words are on words or a map."""
    figure = build_sheet(some, words, palette=palette)
    check_layout(figure)
    shown = [panel for panel in some if isinstance(panel, Panel)]
    assert len(maps_of(figure)) == len(shown)
    assert len({round(axes.bbox.width) for axes in maps_of(figure)}) <= 1
    places = [(axes.get_position().x0, axes.get_position().y0) for axes in maps_of(figure)]
    assert len(set(places)) == len(places)


def test_a_column_a_model_a_row_a_language() -> None:
    """Panels stand in their model's column and language's row, in the order given."""
    panels = [
        make_panel("b", "zh"), make_panel("a", "zh"), make_panel("a", "en"), make_panel("c", "en")
    ]  # fmt: skip
    sheet = make_sheet(panels, "en")
    assert sheet.rows == ("Chinese text", "English text")
    assert [[panel and panel.heatmap.model for panel in row] for row in sheet.panels] == [
        ["b", "a", None],
        [None, "a", "c"],
    ]
    assert [labels.name for labels in sheet.labels[0]] == ["b", "a", "c"]


def test_two_runs_of_one_model_have_a_column_each() -> None:
    """A model's second panel of a language begins a column of its own."""
    sheet = make_sheet([make_panel("a"), make_panel("a"), make_panel("a", "zh")], "en")
    assert [len(row) for row in sheet.panels] == [2, 2]
    assert sheet.panels[1][1] is None


def test_columns_are_runs() -> None:
    """A column holds one run's panels, even where another run of the model has the first row."""
    chinese, english = make_panel("a", "zh"), make_panel("a", "en")
    panels = [replace(chinese, run="one"), replace(english, run="two"), replace(chinese, run="two")]
    sheet = make_sheet(panels, "en")
    runs = [{panel.run for panel in column if panel} for column in zip(*sheet.panels, strict=True)]
    assert runs == [{"one"}, {"two"}]
    assert [labels.name for labels in sheet.labels[0]] == ["a (one)", "a (two)"]
    assert sheet.shared.title == make_sheet([chinese], "en").shared.title


def test_each_panel_shows_its_scores_on_one_scale() -> None:
    """Every panel has each cell's score once, on a scale of 0 to 1, with one colour bar."""
    wide = Grid("x", (1000, 2000), (0.0, 30.0, 100.0))
    figure = build_sheet([make_panel("a"), Panel(make_heatmap(model="b", **full(wide, 0.3)))])
    np.testing.assert_array_equal(
        table_of(figure, 0), np.array([[1.0, 0.5, np.nan], [0.0, 0.25, np.nan]])
    )
    np.testing.assert_array_equal(table_of(figure, 1), np.full((3, 2), 0.3))
    for axes in maps_of(figure):
        (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
        assert mesh.get_clim() == (0, 1)
    assert [axes.get_label() for axes in figure.axes].count("bar") == 1


def test_panels_keep_their_marks_and_their_weak_region() -> None:
    """A panel is hatched as its own figure is, and its dashed line is around its cells."""
    figure = build_sheet([make_panel("a"), Panel(make_heatmap(model="b"))])
    for axes in maps_of(figure):
        assert squares_of(axes, "failed") == {(2, 0)}
        assert squares_of(axes, "refused") == {(0, 1)}
    dashed, plain = (
        {
            patch.get_bbox().bounds
            for patch in axes.patches
            if isinstance(patch, Rectangle) and patch.get_label() == "weak"
        }
        for axes in maps_of(figure)
    )
    assert dashed == {(1, 1, 2, 1)}
    assert plain == set()
    swatches = {str(patch.get_label()) for patch in figure.artists}
    assert {"refused", "partly", "failed", "not_run", "weak"} <= swatches


def test_names_recall_and_left_out_are_said() -> None:
    """Each panel says its model and its recall with its interval; the footer what is left out."""
    words = texts_of(build_sheet([make_panel("a"), Panel(make_heatmap(model="b"))]))
    assert "recall 45.6% [31.0%, 62.0%]" in words
    assert "recall 45.6%" in words
    assert {"a", "b"} <= set(words)
    footer = " ".join(words)
    assert footer.count("7 left out: 3 failed, 3 not run, 1 filtered") == 2
    assert "weak region 25.0% inside and 95.0% outside (scan test, p < 0.001)" in footer
    assert footer.count("needle dolores-park") == 1


def test_simulated_panels_say_so_each() -> None:
    """Each panel of a simulated endpoint says so over its map, and no other does."""
    figure = build_sheet([make_panel("a"), make_panel("b", simulated=True), make_panel("c")])
    (badge,) = [text for text in figure.texts if text.get_text() == "simulated endpoint"]
    middle = maps_of(figure)[1].get_position()
    assert middle.x0 < badge.get_position()[0] < middle.x1
    assert badge.get_position()[1] > middle.y1


def test_places_without_a_panel_say_so() -> None:
    """Where a model has no result in a language, or waits for one, an empty place says it."""
    figure = build_sheet(
        [
            Placeholder("k", "waits for a key"),
            make_panel("a"),
            make_panel("b"),
            make_panel("b", "zh"),
        ]
    )
    words = texts_of(figure)
    assert words.count("waits for a key") == 2
    assert words.count("no result in Chinese text") == 1
    assert len(gaps_of(figure)) == 3
    assert not any("k" in word.split() for word in words if "Pressure Testing" in word)


def test_only_placeholders_make_a_sheet() -> None:
    """A sheet whose panels all wait is still a sheet."""
    figure = build_sheet([Placeholder("k", "waits", "zh"), Placeholder("m", "waits")], "en")
    check_layout(figure)
    assert len(gaps_of(figure)) == 2


def test_units_that_differ_are_said_under_each_panel() -> None:
    """Panels in tokens and in characters each say their own; alike, the sheet says it once."""
    both = [make_panel("a", "zh"), make_panel("b", "zh", unit="hanzi")]
    words = texts_of(build_sheet(both, "en"))
    assert "Context Length (# Tokens)" in words
    assert "Context Length (# Chinese Characters)" in words
    assert texts_of(build_sheet(both[:1] * 2, "en")).count("Context Length (# Tokens)") == 1


@pytest.mark.skipif(fonts.find_chinese_family() is None, reason="no Chinese font here")
def test_chinese_words() -> None:
    """A Chinese sheet has no English words of its own."""
    figure = build_sheet([make_panel("a", "zh", simulated=True), make_panel("a", "en")], "zh")
    words = texts_of(figure)
    assert "英文文本" in words
    assert "召回率 45.6% [31.0%, 62.0%]" in words
    assert not any("recall" in word or "region" in word or "left out" in word for word in words)
    check_layout(figure)


@pytest.mark.parametrize("words", ["en", "zh"])
def test_facts_differ_by_scope(words: Language) -> None:
    """An interval for a single draw says so, and no panel without one speaks of intervals."""
    single = Estimate(0.5, 0.4, 0.6, 9, 1, "draw")
    drawn = list_setup(Panel(make_heatmap(), single), words)
    wide = list_setup(Panel(make_heatmap(), RECALL), words)
    none = list_setup(Panel(make_heatmap()), words)
    assert len({drawn[-1], wide[-1], none[-1]}) == 3
    assert "95%" not in " ".join(none)
    assert not any("weak" in fact for fact in list_results(Panel(make_heatmap()), words))


def test_same_panels_same_bytes(tmp_path: Path) -> None:
    """The same panels give the same bytes in every format, whatever was drawn between."""
    some: list[Panel | Placeholder]
    some = [make_panel("a"), Placeholder("k", "waits"), make_panel("a", "zh", simulated=True)]
    first = draw_sheet(some, tmp_path / "a", formats=FORMATS)
    second = draw_sheet(some, tmp_path / "b", formats=FORMATS[::-1])
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second[::-1]]


def test_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A format or dots that can't be drawn are one line that says what can."""
    with pytest.raises(UsageError, match="'gif'"):
        draw_sheet([make_panel()], tmp_path, formats=("gif",))
    with pytest.raises(UsageError, match="50-1200, got 9 "):
        draw_sheet([make_panel()], tmp_path, dpi=9)
    with pytest.raises(UsageError, match=r"use \d+ at most"):
        draw_sheet([make_panel(m) for m in "abcdef"] + [make_panel("a", "zh")], tmp_path, dpi=1200)
    assert list(tmp_path.iterdir()) == []
    assert GRID.lengths
