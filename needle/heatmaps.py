"""Heatmaps: the figure of a run, in the published style. The one module that draws.

Sizes are inches unless they say points. The map's size follows from its grid; everything
around it is measured first, so that nothing overlaps and nothing is clipped.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon, Rectangle
from matplotlib.path import Path as Outline

from needle import fonts
from needle.errors import StoreError, UsageError
from needle.fonts import Families
from needle.labels import Labels, Mark, make_labels, mark_cell, write_depths, write_lengths
from needle.store import write_whole
from needle.types import Cell, Heatmap

COLOURS = ("#F0496E", "#EBB839", "#0CD79F")
"""From no fact found to all found: the published charts' colours."""

FORMATS = ("png", "svg")
DPI = 160

_GREYS: dict[Mark, tuple[str, str, str]] = {  # square, hatching, pattern
    "truncated": ("#E4E4E4", "#8A8A8A", "/"),
    "filtered": ("#D6D6D6", "#6A6A6A", "."),
    "failed": ("#CFCFCF", "#5A5A5A", "x"),
    "not_run": ("#F3F3F3", "#CFCFCF", "-"),
}
_INK, _SOFT = "#222222", "#555555"
_TITLE, _SUBTITLE, _AXIS, _SMALL = 17.0, 12.0, 11.5, 9.5  # points
_EDGE = 0.3
_BAR_GAP, _BAR = 0.28, 0.2
_LEADING = 1.4  # line height over the size of the type
_POINTS = 72  # in an inch


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The figure under way: its words, its type, and where the map stands on it."""

    figure: Figure
    families: Families
    width: float
    height: float
    left: float
    bottom: float
    map_width: float
    map_height: float


def draw_heatmap(
    heatmap: Heatmap,
    folder: Path,
    formats: Sequence[str] = FORMATS,
    stem: str | None = None,
) -> list[Path]:
    """Draw a heatmap into a folder, one file a format; return their paths.

    The same heatmap gives the same bytes. Raises UsageError for a format it can't write,
    and StoreError in one line where a file can't be written.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise UsageError(f"can't draw as {kind!r} (--format): use {' or '.join(FORMATS)}")
    stem = stem or f"heatmap-{heatmap.task}-{heatmap.language}"
    figure = build_figure(heatmap)
    paths = []
    for kind in formats:
        path = folder / f"{stem}.{kind}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, _encode(figure, kind))
        except OSError as error:
            reason = str(error.strerror or error).lower()
            raise StoreError(f"can't write {path}: {reason} (give another folder)") from error
        paths.append(path)
    return paths


def build_figure(heatmap: Heatmap) -> Figure:
    """Build a heatmap's figure. Without a Chinese font its labels are English."""
    chinese = fonts.find_chinese_family()
    in_chinese = heatmap.language == "zh" and chinese is not None
    labels = make_labels(heatmap, "zh" if in_chinese else "en")
    families = fonts.choose_families(chinese, for_chinese=in_chinese)
    with _plain_style(families):
        return _compose(heatmap, labels, families)


@contextmanager
def _plain_style(families: Families) -> Iterator[None]:
    """Draw by matplotlib's own defaults, whatever the user's matplotlibrc says."""
    with style.context(
        [
            "default",
            {
                "font.family": list(families),
                "text.parse_math": False,  # a dollar sign in a name is a dollar sign
                "hatch.linewidth": 0.9,
                "svg.fonttype": "path",
                "svg.hashsalt": "needle",
            },
        ]
    ):
        yield


def _encode(figure: Figure, kind: str) -> bytes:
    """Return the figure as a file's bytes, with no date and no software's name in it."""
    nothing: dict[str, Any] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    file = io.BytesIO()
    with _plain_style((fonts.LATIN,)):
        figure.savefig(file, format=kind, dpi=DPI, metadata=nothing[kind])
    return file.getvalue()


def _compose(heatmap: Heatmap, labels: Labels, families: Families) -> Figure:
    """Measure all parts, then place them: header, map, key and footer, from top to bottom."""
    grid = heatmap.grid
    map_width, map_height = _size_map(len(grid.lengths), len(grid.depths))
    lengths, depths = write_lengths(grid.lengths), write_depths(grid.depths)
    words = [*labels.top.split("\n"), *labels.bottom.split("\n")]
    words_width = max(_measure(word, families, _SMALL) for word in words)
    left = _EDGE + words_width + 0.12 + max(_measure(d, families, _SMALL) for d in depths) + 0.12
    right = _BAR_GAP + _BAR + 0.75 + _EDGE
    width = left + map_width + right
    room = width - 2 * _EDGE

    title = _wrap([labels.title], families, _TITLE, room, "bold")
    subtitle = _wrap([labels.subtitle], families, _SUBTITLE, room)
    footer = [line for items in labels.footer for line in _wrap(items, families, _SMALL, room)]
    turned = max(_measure(x, families, _SMALL) for x in lengths) + 0.08 > map_width / len(lengths)
    below = (0.62 if turned else 0.32) + 0.34
    key_rows = _arrange_key(labels, families, room)
    header = (
        _EDGE
        + _line(_TITLE) * len(title)
        + _line(_SUBTITLE) * len(subtitle)
        + (0.36 if labels.simulated else 0)
        + 0.14
    )
    key_height = 0.26 * len(key_rows) + (0.08 if key_rows else 0)
    foot = _line(_SMALL) * len(footer) + 0.22
    bottom = foot + key_height + below
    height = header + map_height + bottom

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    sheet = _Sheet(figure, families, width, height, left, bottom, map_width, map_height)
    _write_header(sheet, title, subtitle, labels.simulated)
    axes = _draw_map(sheet, heatmap, labels)
    _write_axes(sheet, axes, labels, lengths, depths, turned=turned)
    _draw_key(sheet, key_rows, foot + key_height)
    for number, line in enumerate(footer):
        y = foot - _line(_SMALL) * (number + 0.5)
        _write(sheet, _EDGE, y, line, size=_SMALL, color=_SOFT, ha="left")
    return figure


def _size_map(columns: int, rows: int) -> tuple[float, float]:
    """Return a map's width and height, so that cells of any grid keep a readable shape."""
    return min(max(0.75 * columns, 5.6), 14.4), min(max(0.42 * rows, 3.0), 5.6)


def _draw_map(sheet: _Sheet, heatmap: Heatmap, labels: Labels) -> Axes:
    """Draw the squares: colours for scores, hatched greys for none, marks on top."""
    place = sheet.left / sheet.width, sheet.bottom / sheet.height
    size = sheet.map_width / sheet.width, sheet.map_height / sheet.height
    axes = sheet.figure.add_axes((*place, *size))
    bar_left = (sheet.left + sheet.map_width + _BAR_GAP) / sheet.width
    bar = sheet.figure.add_axes((bar_left, place[1], _BAR / sheet.width, size[1]))
    cells = {(cell.context_length, cell.depth_percent): cell for cell in heatmap.cells}
    rows = [
        [cells.get((length, depth)) or Cell(length, depth, None, {"not_run": 1})
         for length in heatmap.grid.lengths]
        for depth in heatmap.grid.depths
    ]
    scores = np.array([[np.nan if c.score is None else c.score for c in row] for row in rows])
    sns.heatmap(
        scores,
        ax=axes,
        cbar_ax=bar,
        cmap=LinearSegmentedColormap.from_list("needle", COLOURS),
        vmin=0,
        vmax=1,
        xticklabels=False,
        yticklabels=False,
        cbar_kws={"ticks": [0, 0.5, 1]},
    )
    _mark_cells(sheet, axes, rows)
    bar.set_yticklabels(["0%", "50%", "100%"], fontsize=_SMALL)
    bar.tick_params(length=0, colors=_INK)
    bar.set_ylabel(_clean(sheet, labels.colour_bar), fontsize=_AXIS, color=_INK, labelpad=4)
    return axes


def _mark_cells(sheet: _Sheet, axes: Axes, rows: Sequence[Sequence[Cell]]) -> None:
    """Lay hatched squares and corner marks over the map, then the white lines between."""
    columns = len(rows[0])
    cell_width, cell_height = sheet.map_width / columns, sheet.map_height / len(rows)
    short = min(cell_width, cell_height)
    corner = min(0.4 * short, 0.16)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            for mark in mark_cell(cell):
                if mark == "partly":
                    right, across, down = column + 1, corner / cell_width, corner / cell_height
                    points = [(right - across, row), (right, row), (right, row + down)]
                    patch: Patch = Polygon(points, facecolor=_INK, linewidth=0)
                else:
                    patch = Rectangle((column, row), 1, 1, **_look(mark, short))
                patch.set_label(mark)
                axes.add_patch(patch)
    line = min(max(0.05 * short * _POINTS, 0.5), 1.5)
    axes.vlines(range(1, columns), 0, len(rows), colors="white", linewidth=line)
    axes.hlines(range(1, len(rows)), 0, columns, colors="white", linewidth=line)


def _look(mark: Mark, cell: float) -> dict[str, Any]:
    """Return how a mark's square looks; the smaller the cell, the closer the hatching."""
    often = 4 if cell < 0.2 else 3 if cell < 0.3 else 2  # noqa: PLR2004 - inches
    if mark == "refused":
        return {"facecolor": "none", "edgecolor": "white", "hatch": "\\" * often, "linewidth": 0}
    square, hatching, pattern = _GREYS[mark]
    return {"facecolor": square, "edgecolor": hatching, "hatch": pattern * often, "linewidth": 0}


def _write_header(
    sheet: _Sheet, title: Sequence[str], subtitle: Sequence[str], simulated: str | None
) -> None:
    y = sheet.height - _EDGE
    for lines, size, weight, colour in (
        (title, _TITLE, "bold", _INK),
        (subtitle, _SUBTITLE, "normal", _SOFT),
    ):
        for line in lines:
            y -= _line(size)
            middle = y + _line(size) / 2
            _write(sheet, sheet.width / 2, middle, line, size=size, weight=weight, color=colour)
    if simulated:
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#FFF3C4", "edgecolor": "#B7791F"}
        _write(sheet, sheet.width / 2, y - 0.2, simulated, size=_SMALL, color="#7A4A00", bbox=box)


def _write_axes(
    sheet: _Sheet,
    axes: Axes,
    labels: Labels,
    lengths: Sequence[str],
    depths: Sequence[str],
    *,
    turned: bool,
) -> None:
    """Write the ticks, as many as there is room for, and the words along the axes."""
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    columns = _thin(len(lengths), sheet.map_width, 1.6 * _SMALL / _POINTS if turned else 0)
    rows = _thin(len(depths), sheet.map_height, 1.1 * _SMALL / _POINTS)
    axes.set_xticks([i + 0.5 for i in columns], [lengths[i] for i in columns],
                    fontsize=_SMALL, **(turn if turned else {}))
    axes.set_yticks([i + 0.5 for i in rows], [depths[i] for i in rows],
                    fontsize=_SMALL, rotation=0)
    axes.tick_params(length=0, pad=4, colors=_INK)
    middle, top = sheet.left + sheet.map_width / 2, sheet.bottom + sheet.map_height
    under = sheet.bottom - (0.62 if turned else 0.32) - 0.12
    _write(sheet, middle, under, labels.lengths_axis, size=_AXIS)
    words = max(
        _measure(word, sheet.families, _SMALL)
        for word in (*labels.top.split("\n"), *labels.bottom.split("\n"))
    )
    _write(sheet, _EDGE, top, labels.top, size=_SMALL, color=_SOFT, ha="left", va="top")
    _write(sheet, _EDGE, sheet.bottom, labels.bottom,
           size=_SMALL, color=_SOFT, ha="left", va="bottom")
    _write(sheet, _EDGE + words / 2, sheet.bottom + sheet.map_height / 2, labels.depths_axis,
           size=_AXIS, rotation=90)


def _thin(count: int, extent: float, needed: float) -> list[int]:
    """Choose which of the ticks are written, so that each has the room it needs."""
    step = 1
    while step < count and step * extent / count < needed:
        step += 1
    chosen = list(range(0, count, step))
    last = count - 1
    if chosen[-1] != last:
        if last - chosen[-1] < step and len(chosen) > 1:
            chosen.pop()
        chosen.append(last)
    return chosen


def _arrange_key(
    labels: Labels, families: Families, room: float
) -> list[list[tuple[Mark, str, float]]]:
    """Set the key's entries in rows; each with its text and its width."""
    rows: list[list[tuple[Mark, str, float]]] = []
    left = 0.0
    for mark, text in labels.key:
        width = 0.42 + _measure(text, families, _SMALL) + 0.3
        if not rows or left + width > room:
            rows.append([])
            left = 0.0
        rows[-1].append((mark, text, width))
        left += width
    return rows
