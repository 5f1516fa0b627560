"""Heatmaps: the figure of a run, in the published style. The one module that draws.

Sizes are inches unless they say points. The map's size follows from its grid; everything
around it is measured first, so that nothing overlaps and nothing is clipped.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Polygon, Rectangle

from needle import fonts
from needle.errors import StoreError, UsageError
from needle.figures import Cell, Heatmap
from needle.fonts import Families, fit_text, measure_text, wrap_text
from needle.labels import COLOURS, Labels, Mark, make_labels, mark_cell, write_depths, write_lengths
from needle.store import write_whole
from needle.types import Language

FORMATS = ("png", "svg")
DPI = 160

_GREYS: dict[Mark, tuple[str, str, str]] = {  # square, hatching, pattern
    "truncated": ("#E4E4E4", "#8A8A8A", "/"),
    "filtered": ("#D6D6D6", "#6A6A6A", "."),
    "failed": ("#CFCFCF", "#5A5A5A", "x"),
    "not_run": ("#F3F3F3", "#CFCFCF", "|"),
}
_INK, _SOFT = "#222222", "#555555"
_TITLE, _SUBTITLE = (17.0, 15.5, 14.0), (12.0, 11.0, 10.0)  # points, the first that fits
_AXIS, _SMALL = 11.5, 9.5  # points
_BADGES = (9.5, 8.5, 7.5)  # points, the first that fits
_BADGE = 0.36
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
    words: Language | None = None,
) -> list[Path]:
    """Draw a heatmap into a folder, one file a format; return their paths.

    ``words`` is the labels' language, that of the text unless given.
    The same heatmap gives the same bytes. Raises UsageError for a format it can't write,
    and StoreError in one line where a file can't be written.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise UsageError(f"can't draw as {kind!r} (--format): use {' or '.join(FORMATS)}")
    stem = stem or f"heatmap-{heatmap.task}-{heatmap.language}"
    figure = build_figure(heatmap, words)
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


def build_figure(heatmap: Heatmap, words: Language | None = None) -> Figure:
    """Build a heatmap's figure. Without a Chinese font its labels are English."""
    chinese = fonts.find_chinese_family()
    in_chinese = (words or heatmap.language) == "zh" and chinese is not None
    labels = make_labels(heatmap, "zh" if in_chinese else "en")
    families = fonts.choose_families(chinese, for_chinese=in_chinese)
    with _plain_style(families):
        return _compose(heatmap, _clean(labels, families), families)


@contextmanager
def _plain_style(families: Families) -> Iterator[None]:
    """Draw by matplotlib's own defaults, whatever the user's matplotlibrc says."""
    own = {
        "font.family": list(families),
        "text.parse_math": False,  # a dollar sign in a name is a dollar sign
        "hatch.linewidth": 0.9,
        "svg.fonttype": "path",
        "svg.hashsalt": "needle",
    }
    with style.context(["default", own]), fonts.quiet_search():
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
    words_width = max(measure_text(word, families, _SMALL) for word in words)
    left = (
        _EDGE + words_width + 0.12 + max(measure_text(d, families, _SMALL) for d in depths) + 0.12
    )
    right = _BAR_GAP + _BAR + 0.75 + _EDGE
    width = left + map_width + right
    room = width - 2 * _EDGE

    title = fit_text(labels.title, families, _TITLE, room, "bold")
    subtitle = fit_text(labels.subtitle, families, _SUBTITLE, room)
    badges = _arrange_badges(labels, families, room)
    footer = [line for items in labels.footer for line in wrap_text(items, families, _SMALL, room)]
    widest = max(measure_text(tick, families, _SMALL) for tick in lengths)
    turned = widest + 0.08 > map_width / len(lengths)
    ticks = 0.17 + widest * math.sin(math.pi / 4) if turned else 0.24
    key_rows = _arrange_key(labels, families, room)
    header = (
        _EDGE
        + _line(title[0]) * len(title[1])
        + _line(subtitle[0]) * len(subtitle[1])
        + _BADGE * len(badges)
        + 0.14
    )
    key_height = 0.26 * len(key_rows) + (0.08 if key_rows else 0)
    foot = _line(_SMALL) * len(footer) + 0.22
    bottom = foot + key_height + 0.3 + ticks + 0.1
    height = header + map_height + bottom

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    sheet = _Sheet(figure, families, width, height, left, bottom, map_width, map_height)
    _write_header(sheet, title, subtitle, badges)
    axes = _draw_map(sheet, heatmap, labels)
    _write_ticks(sheet, axes, lengths, depths, turned=turned)
    _write_axes(sheet, labels, words_width, ticks)
    _draw_key(sheet, key_rows, foot + key_height)
    for number, line in enumerate(footer):
        y = foot - _line(_SMALL) * (number + 0.5)
        _write(sheet, _EDGE, y, line, size=_SMALL, color=_SOFT, ha="left")
    return figure


def _size_map(columns: int, rows: int) -> tuple[float, float]:
    """Return a map's width and height, so that cells of any grid keep a readable shape."""
    return min(max(0.75 * columns, 5.6), 14.4), min(max(0.42 * rows, 3.4), 5.6)


def _draw_map(sheet: _Sheet, heatmap: Heatmap, labels: Labels) -> Axes:
    """Draw the squares: colours for scores, hatched greys for none, marks on top."""
    place = sheet.left / sheet.width, sheet.bottom / sheet.height
    size = sheet.map_width / sheet.width, sheet.map_height / sheet.height
    axes = sheet.figure.add_axes((*place, *size))
    bar_left = (sheet.left + sheet.map_width + _BAR_GAP) / sheet.width
    bar = sheet.figure.add_axes((bar_left, place[1], _BAR / sheet.width, size[1]))
    cells = {(cell.context_length, cell.depth_percent): cell for cell in heatmap.cells}
    rows = [
        [
            cells.get((length, depth)) or Cell(length, depth, None, {"not_run": 1})
            for length in heatmap.grid.lengths
        ]
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
    bar.set_ylabel(labels.colour_bar, fontsize=_AXIS, color=_INK, labelpad=4)
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
    sheet: _Sheet,
    title: tuple[float, list[str]],
    subtitle: tuple[float, list[str]],
    badges: Sequence[tuple[str, str, str, float]],
) -> None:
    """Write title and subtitle, and the badges under them."""
    y = sheet.height - _EDGE
    for (size, lines), weight, colour in ((title, "bold", _INK), (subtitle, "normal", _SOFT)):
        for line in lines:
            y -= _line(size)
            middle = y + _line(size) / 2
            _write(sheet, sheet.width / 2, middle, line, size=size, weight=weight, color=colour)
    for text, ink, paper, size in badges:
        box = {"boxstyle": "round,pad=0.35", "facecolor": paper, "edgecolor": ink}
        _write(sheet, sheet.width / 2, y - 0.2, text, size=size, color=ink, bbox=box)
        y -= _BADGE


def _arrange_badges(
    labels: Labels, families: Families, room: float
) -> list[tuple[str, str, str, float]]:
    """Set what must be seen at once in lines: each with its ink, its paper and its size."""
    told = ((labels.simulated, "#7A4A00", "#FFF3C4"), (labels.warning, "#8C1D2F", "#FDE3E6"))
    badges = []
    for text, ink, paper in told:
        size, lines = fit_text(text or "", families, _BADGES, room - 0.2)
        badges += [(line, ink, paper, size) for line in lines if line]
    return badges


def _write_ticks(
    sheet: _Sheet, axes: Axes, lengths: Sequence[str], depths: Sequence[str], *, turned: bool
) -> None:
    """Write lengths and depths, as many as there is room for."""
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    columns = _thin(len(lengths), sheet.map_width, 1.9 * _SMALL / _POINTS if turned else 0)
    rows = _thin(len(depths), sheet.map_height, 1.1 * _SMALL / _POINTS)
    below, beside = [lengths[i] for i in columns], [depths[i] for i in rows]
    axes.set_xticks([i + 0.5 for i in columns], below, fontsize=_SMALL, **turn if turned else {})
    axes.set_yticks([i + 0.5 for i in rows], beside, fontsize=_SMALL, rotation=0)
    axes.tick_params(length=0, pad=4, colors=_INK)


def _write_axes(sheet: _Sheet, labels: Labels, words: float, ticks: float) -> None:
    """Write the words along the axes; ``words`` is the width of those at the map's left."""
    low, high = sheet.bottom, sheet.bottom + sheet.map_height
    middle = sheet.left + sheet.map_width / 2
    ends: dict[str, Any] = {"size": _SMALL, "color": _SOFT, "ha": "left"}
    _write(sheet, middle, low - ticks - 0.12, labels.lengths_axis, size=_AXIS)
    _write(sheet, _EDGE, high, labels.top, va="top", **ends)
    _write(sheet, _EDGE, low, labels.bottom, va="bottom", **ends)
    beside = _EDGE + words / 2
    _write(sheet, beside, (low + high) / 2, labels.depths_axis, size=_AXIS, rotation=90)


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
        width = 0.42 + measure_text(text, families, _SMALL) + 0.3
        if not rows or left + width > room:
            rows.append([])
            left = 0.0
        rows[-1].append((mark, text, width))
        left += width
    return rows


def _draw_key(sheet: _Sheet, rows: Sequence[Sequence[tuple[Mark, str, float]]], top: float) -> None:
    """Draw a small square and its words for each mark that occurs."""
    for number, row in enumerate(rows):
        x, y = _EDGE, top - 0.26 * (number + 0.5)
        for mark, text, width in row:
            for swatch in _make_swatch(sheet, mark, x, y - 0.08):
                swatch.set_label(mark)
                sheet.figure.add_artist(swatch)
            _write(sheet, x + 0.4, y, text, size=_SMALL, ha="left")
            x += width


def _make_swatch(sheet: _Sheet, mark: Mark, x: float, y: float) -> list[Patch]:
    """Make the key's small square, as the map shows it."""
    wide, high = 0.3, 0.17
    inches = sheet.figure.dpi_scale_trans

    def square(**look: Any) -> Patch:
        return Rectangle((x, y), wide, high, transform=inches, **look)

    if mark == "partly":
        right, top = x + wide, y + high
        corner = [(right - 0.1, top), (right, top), (right, top - 0.1)]
        triangle = Polygon(corner, facecolor=_INK, linewidth=0, transform=inches)
        return [square(facecolor=COLOURS[1], linewidth=0), triangle]
    under = [square(facecolor=COLOURS[0], linewidth=0)] if mark == "refused" else []
    return [*under, square(**_look(mark, high))]


def _write(sheet: _Sheet, x: float, y: float, text: str, *, size: float, **look: Any) -> None:
    """Write a text at a place in inches from the figure's lower left corner."""
    look = {"ha": "center", "va": "center", "color": _INK, **look}
    sheet.figure.text(x / sheet.width, y / sheet.height, text, fontsize=size, **look)


def _line(size: float) -> float:
    """Return the height of a line of type of a size in points."""
    return size * _LEADING / _POINTS


def _clean(labels: Labels, families: Families) -> Labels:
    """Return the labels as the fonts can write them: no figure shows an empty box."""

    def clean(text: str) -> str:
        return fonts.clean_text(text, families)

    return replace(
        labels,
        title=fonts.clean_text(labels.title, families, "bold"),
        subtitle=clean(labels.subtitle),
        warning=labels.warning and clean(labels.warning),
        footer=tuple(tuple(clean(item) for item in items) for items in labels.footer),
    )
