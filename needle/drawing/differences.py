"""The difference map of a comparison: second less first in every cell, on a scale of 100 points."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from needle.drawing.canvas import (
    DPI,
    DRAWN,
    INK,
    POINTS,
    Canvas,
    Frame,
    add_axes,
    check_output,
    choose_words,
    plain_style,
    save_figure,
)
from needle.drawing.framing import clean_labels, frame_map
from needle.drawing.maps import draw_squares, look_of, rule_squares, scale_differences
from needle.telling.difference_labels import find_cells, make_difference_labels
from needle.telling.palettes import Palette
from needle.words.claims import Comparison, PairedCell
from needle.words.figures import Heatmap
from needle.words.types import Grid, Language, Unit

_OUTLINE = 1.6  # points


def draw_difference(
    comparison: Comparison,
    grid: Grid,
    folder: Path,
    stem: str | None = None,
    formats: Sequence[str] = DRAWN,
    words: Language | None = None,
    *,
    sides: Sequence[Heatmap] = (),
    unit: Unit | None = None,
    simulated: bool = False,
    palette: Palette = "published",
    dpi: int = DPI,
) -> list[Path]:
    """Draw a comparison's map into a folder, one file a format; return their paths.

    ``grid`` are the lengths and depths to draw. ``sides``, the heatmaps compared, say the unit of
    lengths, how they were made, and whether one is simulated; without them ``unit`` (tokens
    unless given) and ``simulated`` say it. ``words`` is the labels' language, that of the
    comparison unless given.
    The same comparison gives the same bytes. Raises as ``heatmaps.draw_heatmap`` does.
    """
    check_output(formats, dpi)
    stem = stem or f"difference-{comparison.task}-{comparison.language or 'languages'}"
    figure = build_difference(
        comparison, grid, words, sides=sides, unit=unit, simulated=simulated, palette=palette
    )
    return save_figure(figure, folder, stem, formats, dpi)


def build_difference(
    comparison: Comparison,
    grid: Grid,
    words: Language | None = None,
    *,
    sides: Sequence[Heatmap] = (),
    unit: Unit | None = None,
    simulated: bool = False,
    palette: Palette = "published",
) -> Figure:
    """Build a difference map's figure. Without a Chinese font its labels are English."""
    language, families = choose_words(words or comparison.language or "en")
    labels = make_difference_labels(
        comparison, grid, language, sides=sides, unit=unit, simulated=simulated
    )
    rows = find_cells(comparison, grid)
    scale = scale_differences(palette)

    def paint(canvas: Canvas, frame: Frame) -> Axes:
        axes = add_axes(canvas, frame, "map")
        draw_squares(axes, [[cell.difference for cell in row] for row in rows], scale)
        rule_squares(axes, frame, grid)
        _mark_cells(axes, frame, rows, palette)
        return axes

    with plain_style(families):
        return frame_map(clean_labels(labels, families), families, grid, scale, palette, paint)


def _mark_cells(
    axes: Axes, frame: Frame, rows: Sequence[Sequence[PairedCell]], palette: Palette
) -> None:
    """Hatch the cells without pairs, outline those beyond chance, and frame the map."""
    wide, high = frame.width / len(rows[0]), frame.height / len(rows)
    across, down = (_OUTLINE / 2 / POINTS / side for side in (wide, high))
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell.difference is None:
                look = look_of("no_pairs", min(wide, high), palette)
                axes.add_patch(Rectangle((column, row), 1, 1, **look, label="no_pairs"))
            elif cell.beyond_chance:
                line = Rectangle((column + across, row + down), 1 - 2 * across, 1 - 2 * down)
                line.set(fill=False, edgecolor=INK, linewidth=_OUTLINE, label="beyond", zorder=3)
                axes.add_patch(line)
    border = Rectangle((0, 0), len(rows[0]), len(rows), label="border", clip_on=False)
    border.set(fill=False, edgecolor="#BBBBBB", linewidth=0.8)
    axes.add_patch(border)
