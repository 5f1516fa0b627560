"""The map of cells: squares in colours of their values, with their marks, on given axes.

The one module that draws with seaborn. Columns are lengths, rows are depths, the first on top.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Patch, Polygon, Rectangle

from needle.drawing.canvas import INK, POINTS, Canvas, Frame, add_axes
from needle.drawing.fonts import measure_text
from needle.telling.labels import KeyMark, mark_cell, write_depths, write_lengths
from needle.telling.palettes import DIFFERENCES, PALETTES, Palette
from needle.words.claims import WeakRegion
from needle.words.errors import UsageError
from needle.words.figures import Cell, Heatmap
from needle.words.types import Grid

DASHES: tuple[dict[str, Any], ...] = (
    # white under the dashes, so that they are seen on dark colours too
    {"fill": False, "edgecolor": "white", "linewidth": 3.0, "joinstyle": "miter"},
    {"fill": False, "edgecolor": INK, "linewidth": 1.6, "linestyle": (0, (4, 2.2))},
)
"""The line around a weak region, from below."""

_GREYS: dict[KeyMark, tuple[str, str, str]] = {  # square, hatching, pattern
    "truncated": ("#E4E4E4", "#8A8A8A", "/"),
    "filtered": ("#D6D6D6", "#6A6A6A", "."),
    "failed": ("#CFCFCF", "#5A5A5A", "x"),
    "not_run": ("#F3F3F3", "#CFCFCF", "|"),
    "no_pairs": ("#E4E4E4", "#8A8A8A", "/"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """What colours mean: stops from the lowest value to the highest, and the bar's ticks."""

    stops: tuple[str, ...]
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    @property
    def colours(self) -> LinearSegmentedColormap:
        """The stops as matplotlib mixes them."""
        return LinearSegmentedColormap.from_list("needle", self.stops)


def _choose(palettes: Mapping[Palette, tuple[str, ...]], palette: Palette) -> tuple[str, ...]:
    """Return a palette's colours; raise UsageError for one that there is not."""
    if palette not in palettes:
        raise UsageError(f"no palette {palette!r}: use {' or '.join(palettes)}")
    return palettes[palette]


def scale_scores(palette: Palette) -> Scale:
    """Return the scale of scores, which is 0 to 1 whatever the data."""
    return Scale(_choose(PALETTES, palette), 0, 1, ((0, "0%"), (0.5, "50%"), (1, "100%")))


def scale_differences(palette: Palette) -> Scale:
    """Return the scale of differences, from -1 to 1 whatever the data, written in points."""
    ticks = ((-1, "−100"), (-0.5, "−50"), (0, "0"), (0.5, "+50"), (1, "+100"))
    return Scale(_choose(DIFFERENCES, palette), -1, 1, ticks)


def draw_map(
    canvas: Canvas,
    frame: Frame,
    heatmap: Heatmap,
    palette: Palette,
    weak: WeakRegion | None = None,
    *,
    fine: bool = False,
) -> Axes:
    """Draw a heatmap's squares, what they are marked with, and the dashed weak region.

    ``fine`` makes its line thinner, for small figures.
    """
    axes = add_axes(canvas, frame, "map")
    cells = {(cell.context_length, cell.depth_percent): cell for cell in heatmap.cells}
    rows = [
        [
            cells.get((length, depth)) or Cell(length, depth, None, {"not_run": 1})
            for length in heatmap.grid.lengths
        ]
        for depth in heatmap.grid.depths
    ]
    values = [[cell.score for cell in row] for row in rows]
    draw_squares(axes, values, scale_scores(palette))
    _mark_cells(axes, frame, rows, palette)
    rule_squares(axes, frame, heatmap.grid)
    if weak is not None:
        outline_region(axes, heatmap.grid, weak, 0.6 if fine else 1.0)
    return axes


def draw_squares(axes: Axes, values: Sequence[Sequence[float | None]], scale: Scale) -> None:
    """Draw one square a value in its colour, and nothing where there is none."""
    table = np.array([[np.nan if value is None else value for value in row] for row in values])
    # seaborn draws the whole figure, to see whether ticks overlap that it has none of
    figure = axes.figure
    figure.set_visible(False)
    sns.heatmap(
        table,
        ax=axes,
        cbar=False,
        cmap=scale.colours,
        vmin=scale.low,
        vmax=scale.high,
        xticklabels=False,
        yticklabels=False,
    )
    figure.set_visible(True)


def _mark_cells(axes: Axes, frame: Frame, rows: Sequence[Sequence[Cell]], palette: Palette) -> None:
    """Lay hatched squares and corner marks over the map."""
    cell_width, cell_height = frame.width / len(rows[0]), frame.height / len(rows)
    short = min(cell_width, cell_height)
    corner = min(0.4 * short, 0.16)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            for mark in mark_cell(cell):
                look = look_of(mark, short, palette)
                if mark == "partly":
                    right, across, down = column + 1, corner / cell_width, corner / cell_height
                    points = [(right - across, row), (right, row), (right, row + down)]
                    patch: Patch = Polygon(points, **look)
                else:
                    patch = Rectangle((column, row), 1, 1, **look)
                patch.set_label(mark)
                axes.add_patch(patch)


def rule_squares(axes: Axes, frame: Frame, grid: Grid) -> None:
    """Draw the white lines between the squares."""
    columns, rows = len(grid.lengths), len(grid.depths)
    short = min(frame.width / columns, frame.height / rows)
    line = min(max(0.05 * short * POINTS, 0.5), 1.5)
    axes.vlines(range(1, columns), 0, rows, colors="white", linewidth=line)
    axes.hlines(range(1, rows), 0, columns, colors="white", linewidth=line)


def outline_region(axes: Axes, grid: Grid, weak: WeakRegion, scale: float = 1.0) -> None:
    """Draw the dashed line around the cells of a weak region, its width times ``scale``."""
    inside = [i for i, x in enumerate(grid.lengths) if weak.lengths[0] <= x <= weak.lengths[1]]
    below = [i for i, d in enumerate(grid.depths) if weak.depths[0] <= d <= weak.depths[1]]
    if not inside or not below:
        return
    corner = inside[0], below[0]
    size = inside[-1] + 1 - inside[0], below[-1] + 1 - below[0]
    for look in DASHES:
        line = Rectangle(corner, *size, **look, clip_on=False, zorder=4, label="weak")
        line.set_linewidth(look["linewidth"] * scale)
        axes.add_patch(line)


def look_of(mark: KeyMark, cell: float, palette: Palette) -> dict[str, Any]:
    """Return how a mark looks on a square whose shorter side is given.

    The smaller the cell, the closer the hatching.
    """
    often = 4 if cell < 0.2 else 3 if cell < 0.3 else 2  # noqa: PLR2004 - inches
    if mark == "partly":
        edge = {"edgecolor": "white", "linewidth": 0.6} if palette == "safe" else {"linewidth": 0}
        return {"facecolor": INK, **edge}  # the safe colours begin as dark as ink
    if mark == "refused":
        return {"facecolor": "none", "edgecolor": "white", "hatch": "\\" * often, "linewidth": 0}
    square, hatching, pattern = _GREYS[mark]
    return {"facecolor": square, "edgecolor": hatching, "hatch": pattern * often, "linewidth": 0}


def write_ticks(
    canvas: Canvas,
    axes: Axes,
    frame: Frame,
    grid: Grid,
    size: float,
    *,
    turned: bool = False,
    apart: float = 1.1,
) -> None:
    """Write lengths and depths at their squares, as many as there is room for.

    ``size`` is in points; ``apart`` is the least distance of two depths over that size.
    """
    lengths, depths = write_lengths(grid.lengths), write_depths(grid.depths)
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    widest = max(measure_text(tick, canvas.families, size) for tick in lengths) + 0.08
    columns = thin(len(lengths), frame.width, 1.9 * size / POINTS if turned else widest)
    rows = thin(len(depths), frame.height, apart * size / POINTS)
    below, beside = [lengths[i] for i in columns], [depths[i] for i in rows]
    axes.set_xticks([i + 0.5 for i in columns], below, fontsize=size, **turn if turned else {})
    axes.set_yticks([i + 0.5 for i in rows], beside, fontsize=size, rotation=0)
    axes.tick_params(length=0, pad=4, colors=INK)


def thin(count: int, extent: float, needed: float) -> list[int]:
    """Choose which ticks are written, the first and the last among them, evenly as can be.

    Each has the room it needs of the extent that all share.
    """
    step = next((s for s in range(1, count) if s * extent / count >= needed), count)
    parts = max((count - 1) // step, 1)
    return sorted({round(part * (count - 1) / parts) for part in range(parts + 1)})


def draw_bar(
    canvas: Canvas,
    frame: Frame,
    scale: Scale,
    words: str,
    sizes: tuple[float, float],
    pad: float = 3.5,
) -> None:
    """Draw a colour bar with its words; ``sizes`` are the points of its ticks and its words."""
    axes = add_axes(canvas, frame, "bar")
    mapped = ScalarMappable(Normalize(scale.low, scale.high), scale.colours)
    bar = canvas.figure.colorbar(mapped, cax=axes, ticks=[at for at, _ in scale.ticks])
    bar.outline.set_linewidth(0)
    axes.set_yticklabels([text for _, text in scale.ticks], fontsize=sizes[0])
    axes.tick_params(length=0, colors=INK, pad=pad)
    axes.set_ylabel(words, fontsize=sizes[1], color=INK, labelpad=4)
