import logging
import os
from pathlib import Path

import numpy as np
import pytest
from drawn import (
    CELLS,
    GRID,
    check_layout,
    full,
    make_heatmap,
    mesh_of,
    scores_of,
    squares_of,
    texts_of,
)
from matplotlib.colors import to_hex
from matplotlib.patches import Polygon

from needle.contexts.grid import GridWish, make_grid
from needle.drawing import fonts
from needle.drawing.canvas import DRAWN
from needle.drawing.heatmaps import build_figure, draw_heatmap
from needle.telling.captions import warn_known
from needle.telling.palettes import PALETTES
from needle.words.errors import StoreError, UsageError
from needle.words.figures import Cell, Controls
from needle.words.types import Grid, Language, Verdict


def test_squares_hold_the_scores() -> None:
    """Each square has its cell's score, depth 0 in the top row, and nothing for no score."""
    figure = build_figure(make_heatmap())
    expected = np.array([[1.0, 0.5, np.nan], [0.0, 0.25, np.nan]])
    np.testing.assert_array_equal(scores_of(figure), expected)
    assert figure.axes[0].yaxis_inverted()
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["0%", "50%"]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["1k", "2k", "4k"]


def test_order_of_cells_is_free() -> None:
    """A square's place comes from its length and depth alone."""
    turned = build_figure(make_heatmap(cells=CELLS[::-1]))
    np.testing.assert_array_equal(scores_of(turned), scores_of(build_figure(make_heatmap())))


@pytest.mark.parametrize("score", [0.0, 0.4, 1.0, None])
def test_scale_is_fixed(score: float | None) -> None:
    """The scale runs from 0 to 1 in the published colours, whatever the data."""
    mesh = mesh_of(build_figure(make_heatmap(**full(GRID, score))))
    assert mesh.get_clim() == (0, 1)
    ends = [to_hex(mesh.get_cmap()(x)).upper() for x in (0.0, 1.0)]
    assert ends == [PALETTES["published"][0], PALETTES["published"][-1]]


def test_hatched_where_there_is_no_score() -> None:
    """Hatched squares stand where cells have no score or only refusals, and nowhere else."""
    axes = build_figure(make_heatmap()).axes[0]
    assert squares_of(axes, "failed") == {(2, 0)}
    assert squares_of(axes, "not_run") == {(2, 1)}
    assert squares_of(axes, "refused") == {(0, 1)}
    assert len([p for p in axes.patches if p.get_hatch()]) == 3


def test_marks_differ() -> None:
    """Each state has a hatching of its own, and a refusal keeps its square's colour."""
    verdicts: tuple[Verdict, ...] = ("truncated", "filtered", "failed", "not_run")
    grid = Grid("x", (1, 2, 3, 4), (0.0,))
    cells = tuple(Cell(i + 1, 0.0, None, {v: 1}) for i, v in enumerate(verdicts))
    patches = build_figure(make_heatmap(grid=grid, cells=cells)).axes[0].patches
    assert len({patch.get_hatch() for patch in patches}) == len(verdicts)
    refused = build_figure(make_heatmap()).axes[0].patches
    (hatched,) = [p for p in refused if p.get_label() == "refused"]
    assert not hatched.get_fill() or to_hex(hatched.get_facecolor(), keep_alpha=True)[-2:] == "00"


def test_corner_where_some_are_missing() -> None:
    """A square whose mean lacks some trials has a dark corner, inside the square."""
    axes = build_figure(make_heatmap()).axes[0]
    (corner,) = [p for p in axes.patches if isinstance(p, Polygon)]
    points = corner.get_xy()
    assert corner.get_label() == "partly"
    assert points[:, 0].min() > 1.5
    assert points[:, 0].max() == 2
    assert points[:, 1].min() == 0
    assert points[:, 1].max() < 0.5


def test_cell_that_is_not_there() -> None:
    """A place of the grid without a cell is drawn as not run, never as 0."""
    figure = build_figure(make_heatmap(cells=CELLS[:-1]))
    assert np.isnan(scores_of(figure)[1, 2])
    assert squares_of(figure.axes[0], "not_run") == {(2, 1)}


def test_key_shows_what_occurs() -> None:
    """The key has one entry for each state that occurs, and none where all is scored."""
    figure = build_figure(make_heatmap())
    swatches = {str(patch.get_label()) for patch in figure.artists}
    assert {"refused", "partly", "failed", "not_run"} <= swatches
    assert not {"truncated", "filtered"} & swatches
    words = texts_of(figure)
    assert "failed" in words
    assert "truncated" not in words
    assert "not run" not in texts_of(build_figure(make_heatmap(**full(GRID))))


def test_footer_and_tag() -> None:
    """The figure gives recall, what is left out, and a tag for a simulated endpoint."""
    plain = texts_of(build_figure(make_heatmap()))
    assert any("recall 45.6% of 11 scored replies" in text for text in plain)
    assert any("7 left out: 3 failed, 3 not run, 1 filtered" in text for text in plain)
    assert not any("simulated" in text for text in plain)
    simulated = build_figure(make_heatmap(simulated=True))
    tagged = [text for text in simulated.texts if "simulated endpoint" in text.get_text()]
    assert len(tagged) == 2
    assert [text.get_bbox_patch() is not None for text in tagged].count(True) == 1


def test_chinese_without_a_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Chinese font a Chinese figure has English labels, and ? for what is Chinese."""
    monkeypatch.setattr(fonts, "find_chinese_family", lambda: None)
    monkeypatch.delenv(fonts.VARIABLE, raising=False)
    figure = build_figure(make_heatmap(language="zh", haystack="红楼梦", unit="hanzi"))
    figure.canvas.draw()
    words = texts_of(figure)
    assert "Context Length (# Chinese Characters)" in words
    assert any("haystack ???" in text for text in words)


@pytest.mark.skipif(fonts.find_chinese_family() is None, reason="no Chinese font here")
def test_chinese_with_a_font() -> None:
    """With a Chinese font all words of a Chinese figure are Chinese, and all are drawn."""
    figure = build_figure(make_heatmap(language="zh", haystack="红楼梦", simulated=True))
    figure.canvas.draw()
    words = texts_of(figure)
    for part in ("上下文长度（token 数）", "事实所在的文档深度", "文档开头", "失败", "模拟端点"):
        assert part in words
    assert any("红楼梦" in text for text in words)
    assert "failed" not in words


def test_any_name_can_be_drawn(tmp_path: Path) -> None:
    """Names of any characters are drawn without a missing glyph, dollar signs as they are."""
    name = "a $x^{$ \U000f0000\n\u0e01 b_\\frac <&> \ud800" + "x" * 300
    figure = build_figure(make_heatmap(model=name))
    assert any("$x^{$" in text for text in texts_of(figure))
    assert len(draw_heatmap(make_heatmap(model=name, needle=name), tmp_path)) == len(DRAWN)


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (3, 2), (15, 15), (35, 35), (120, 3)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_overlaps_or_is_clipped(columns: int, rows: int, language: str) -> None:
    """Every text stands inside the picture, and no two overlap, for grids of any size."""
    wish = GridWish("full", length_count=columns, depth_count=rows, spacing="sigmoid")
    grid = make_grid(wish, 200_000)
    cells = list(full(grid)["cells"])
    cells[0] = Cell(grid.lengths[0], grid.depths[0], None, {"failed": 1})
    heatmap = make_heatmap(grid=grid, cells=tuple(cells), language=language, simulated=True)
    figure = build_figure(heatmap)
    check_layout(figure)


def test_same_data_same_bytes(tmp_path: Path) -> None:
    """The same heatmap gives the same bytes, in either format, alone or with the other."""
    both = draw_heatmap(make_heatmap(), tmp_path / "a")
    again = draw_heatmap(make_heatmap(), tmp_path / "b", formats=("svg", "png"))
    assert [path.name for path in both] == ["heatmap-single-en.png", "heatmap-single-en.svg"]
    assert both[0].read_bytes() == again[1].read_bytes()
    assert both[1].read_bytes() == again[0].read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [p.name for p in both]


def test_files_carry_no_date(tmp_path: Path) -> None:
    """Neither file says when or with what it was drawn, and the SVG needs no font."""
    png, svg = draw_heatmap(make_heatmap(), tmp_path, stem="x")
    assert (png.name, svg.name) == ("x.png", "x.svg")
    assert b"Software" not in png.read_bytes()
    drawn = svg.read_text("utf-8")
    assert "dc:date" not in drawn
    assert "dc:creator" not in drawn
    assert "<text" not in drawn


def test_user_style_changes_nothing(tmp_path: Path) -> None:
    """A user's own matplotlib settings change no byte, and are left as they were."""
    import matplotlib as mpl

    (plain,) = draw_heatmap(make_heatmap(), tmp_path / "a", formats=("png",))
    with mpl.rc_context({"axes.grid": True, "font.size": 30, "savefig.bbox": "tight"}):
        (styled,) = draw_heatmap(make_heatmap(), tmp_path / "b", formats=("png",))
        assert mpl.rcParams["font.size"] == 30
    assert styled.read_bytes() == plain.read_bytes()


def test_drawing_is_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Drawing logs no warning about a font or a weight that isn't there."""
    with caplog.at_level(logging.WARNING):
        draw_heatmap(make_heatmap(language="zh"), tmp_path)
    assert caplog.records == []


def test_unknown_format(tmp_path: Path) -> None:
    """A format that isn't drawn is refused by name before anything is written."""
    with pytest.raises(UsageError, match="'gif'"):
        draw_heatmap(make_heatmap(), tmp_path, formats=("png", "gif"))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_can_not_be_written(tmp_path: Path) -> None:
    """A figure that can't be written is one line that names its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as caught:
        draw_heatmap(make_heatmap(), tmp_path / "file", formats=("png",))
    assert str(tmp_path / "file" / "heatmap-single-en.png") in str(caught.value)
    assert os.linesep not in str(caught.value)


@pytest.mark.parametrize("words", ["en", "zh"])
def test_a_known_needle_is_warned_of_on_the_face(words: Language) -> None:
    """A needle that is known without the text is warned of between title and map."""
    controls = Controls(9, 0, 3, 1)
    figure = build_figure(make_heatmap(controls=controls, simulated=True), words)
    warning = warn_known(make_heatmap(controls=controls), words)
    assert warning
    in_chinese = words == "zh" and fonts.find_chinese_family() is not None
    shown = (
        warning
        if words == "en" or in_chinese
        else warn_known(make_heatmap(controls=controls), "en")
    )
    (text,) = [text for text in figure.texts if text.get_text() == shown]
    top = figure.axes[0].get_position().y1
    assert top < text.get_position()[1] < 1
    assert text.get_bbox_patch() is not None
    known = build_figure(make_heatmap(controls=Controls(9, 9, 3, 0)), words)
    assert shown not in texts_of(known)
