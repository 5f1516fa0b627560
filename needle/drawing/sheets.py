"""A sheet of heatmaps side by side on one scale: a column a model, a row a language.

In the manner of the broker report's Figures 8-10. Each panel keeps its own axes. All parts are
measured first, so that nothing overlaps and nothing is clipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from needle.drawing import fonts
from needle.drawing.canvas import (
    DPI,
    DRAWN,
    INK,
    SOFT,
    Canvas,
    Frame,
    check_output,
    choose_words,
    line_height,
    make_canvas,
    plain_style,
    save_figure,
    write,
)
from needle.drawing.fonts import Families, fit_text, measure_text, wrap_text
from needle.drawing.framing import (
    BADGE,
    EDGE,
    SUBTITLE,
    TITLE,
    Badge,
    arrange_badges,
    clean_labels,
    write_badge,
    write_header,
    write_lines,
)
from needle.drawing.legends import Key, arrange_key, draw_key
from needle.drawing.maps import draw_bar, draw_map, scale_scores, write_ticks
from needle.telling.labels import write_depths
from needle.telling.palettes import Palette
from needle.telling.sheet_labels import PanelLabels, Sheet, make_sheet
from needle.words.figures import Panel, Placeholder
from needle.words.types import Language

_NAMES, _RECALL = (12.5, 11.5, 10.5), (9.5, 8.5, 7.5)  # points, the first that fits
_ROW_NAME, _AXIS, _TICK, _SMALL = 12.0, (11.5, 10.5, 9.5), 8.5, 9.0  # points
_MAPS = ((7.6, 4.2), (5.0, 3.3), (3.8, 2.8), (3.3, 2.5), (2.9, 2.3), (2.6, 2.2))
"""A panel's map, by how many columns there are: the more, the smaller."""

_GAP = 0.3  # between panels
_BAR_GAP, _BAR, _BAR_MOST = 0.28, 0.2, 4.2
_TICKS, _LENGTHS_AXIS = 0.27, 0.3


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands over a panel's map, set in lines."""

    name: tuple[float, list[str]]
    recall: tuple[float, list[str]]
    badges: list[Badge]

    @property
    def height(self) -> float:
        lines = sum(line_height(size) * len(lines) for size, lines in (self.name, self.recall))
        return lines + BADGE * len(self.badges)


@dataclass(frozen=True, slots=True)
class _Measures:
    """All parts of a sheet, measured: from the left, the widths; from the top, the heights."""

    map_width: float
    map_height: float
    word: float  # of the words at the ends of the depths' axis
    left: float  # of the first panel's depths
    depths: float  # the room of the depths' ticks, before each map
    width: float
    height: float
    title: tuple[float, list[str]]
    subtitle: tuple[float, list[str]]
    heads: list[list[_Head]]
    rows: list[float]  # where each row's maps begin, from the top
    key: Key
    footer: list[str]
    foot: float


def draw_sheet(
    panels: Sequence[Panel | Placeholder],
    folder: Path,
    stem: str = "sheet",
    formats: Sequence[str] = DRAWN,
    words: Language | None = None,
    *,
    palette: Palette = "published",
    dpi: int = DPI,
    title: str | None = None,
) -> list[Path]:
    """Draw heatmaps side by side into a folder, one file a format; return their paths.

    Panels stand in the order given (``sheet_labels.make_sheet``). ``words`` is the labels'
    language, that of the first panel's text unless given; ``title`` replaces the usual one.
    The same panels give the same bytes. Raises as ``heatmaps.draw_heatmap`` does.
    """
    check_output(formats, dpi)
    figure = build_sheet(panels, words, palette=palette, title=title)
    return save_figure(figure, folder, stem, formats, dpi)


def build_sheet(
    panels: Sequence[Panel | Placeholder],
    words: Language | None = None,
    *,
    palette: Palette = "published",
    title: str | None = None,
) -> Figure:
    """Build a sheet's figure. Without a Chinese font its labels are English."""
    texts = [p.heatmap.language for p in panels if isinstance(p, Panel)]
    language, families = choose_words(words or (texts[0] if texts else "en"))
    sheet = _clean(make_sheet(panels, language, title), families)
    with plain_style(families):
        measures = _measure(sheet, families)
        canvas = make_canvas(families, measures.width, measures.height)
        write_header(canvas, measures.title, measures.subtitle, ())
        for number in range(len(sheet.rows)):
            _draw_row(canvas, sheet, measures, number, palette)
        _draw_around(canvas, sheet, measures, palette)
        return canvas.figure


def _measure(sheet: Sheet, families: Families) -> _Measures:
    """Measure all parts of a sheet."""
    columns = len(sheet.panels[0])
    map_width, map_height = _MAPS[min(columns, len(_MAPS)) - 1]
    shared = sheet.shared
    ends = [*shared.top.split("\n"), *shared.bottom.split("\n")]
    word = max(measure_text(text, families, _SMALL) for text in ends)
    ticks = [
        measure_text(depth, families, _TICK)
        for row in sheet.panels
        for panel in row
        if panel is not None
        for depth in write_depths(panel.heatmap.grid.depths)
    ]
    depths = max(ticks, default=0.0) + 0.1
    left = EDGE + 0.3 + word + 0.1
    width = left + columns * (depths + map_width) + (columns - 1) * _GAP
    width += _BAR_GAP + _BAR + 0.75 + EDGE
    room = width - 2 * EDGE

    title = fit_text(shared.title, families, TITLE, room, "bold")
    subtitle = fit_text(shared.subtitle, families, SUBTITLE, room)
    heads = [[_arrange_head(labels, families, map_width) for labels in row] for row in sheet.labels]
    y = EDGE + sum(line_height(size) * len(lines) for size, lines in (title, subtitle)) + 0.1
    rows = []
    for row, labels in zip(heads, sheet.labels, strict=True):
        y += (_row_name(sheet) + 0.1) + max(head.height for head in row) + 0.08
        rows.append(y)
        y += map_height + _TICKS + (_LENGTHS_AXIS if _own_axes(sheet, labels) else 0)
    key = arrange_key(shared.key, families, room, _SMALL)
    footer = [line for items in shared.footer for line in wrap_text(items, families, _SMALL, room)]
    foot = line_height(_SMALL) * len(footer) + 0.22
    height = y + (_LENGTHS_AXIS if shared.lengths_axis else 0) + 0.12 + foot
    height += key.height + (0.08 if key.rows else 0)
    return _Measures(
        map_width=map_width,
        map_height=map_height,
        word=word,
        left=left,
        depths=depths,
        width=width,
        height=height,
        title=title,
        subtitle=subtitle,
        heads=heads,
        rows=rows,
        key=key,
        footer=footer,
        foot=foot,
    )


def _row_name(sheet: Sheet) -> float:
    """Return the height of a row's name, which a sheet of one row has none of."""
    return line_height(_ROW_NAME) + 0.1 if len(sheet.rows) > 1 else 0.0


def _own_axes(sheet: Sheet, labels: Sequence[PanelLabels]) -> bool:
    """Tell whether each panel has its own words under its lengths, since they differ."""
    return not sheet.shared.lengths_axis and any(each.lengths_axis for each in labels)


def _arrange_head(labels: PanelLabels, families: Families, room: float) -> _Head:
    recall = fit_text(labels.recall, families, _RECALL, room)
    return _Head(
        name=fit_text(labels.name, families, _NAMES, room, "bold"),
        recall=(recall[0], [line for line in recall[1] if line]),
        badges=arrange_badges((labels.simulated, labels.warning), families, room - 0.2),
    )


def _draw_row(
    canvas: Canvas, sheet: Sheet, measures: _Measures, number: int, palette: Palette
) -> None:
    """Draw a row's name, its panels, and the words beside it."""
    top = canvas.height - measures.rows[number]
    bottom = top - measures.map_height
    heads = measures.heads[number]
    highest = max(head.height for head in heads) + 0.08
    if len(sheet.rows) > 1:
        y = top + highest + 0.1 + line_height(_ROW_NAME) / 2
        look = {"weight": "bold", "ha": "left"}
        write(canvas, EDGE, y, sheet.rows[number], size=_ROW_NAME, **look)
        name = measure_text(sheet.rows[number], canvas.families, _ROW_NAME, "bold")
        _rule(canvas, EDGE + name + 0.15, canvas.width - EDGE - 0.75 - _BAR - _BAR_GAP, y)
    shared = sheet.shared
    for y, text, side in ((top, shared.top, "top"), (bottom, shared.bottom, "bottom")):
        x = EDGE + 0.3
        write(canvas, x, y, text, size=_SMALL, color=SOFT, ha="left", va=side)
    size, lines = fit_text(shared.depths_axis, canvas.families, _AXIS, measures.map_height)
    write(canvas, EDGE + 0.08, (top + bottom) / 2, lines[0], size=size, rotation=90)
    for column, labels in enumerate(sheet.labels[number]):
        step = measures.depths + measures.map_width + _GAP
        x = measures.left + measures.depths + column * step
        frame = Frame(x, bottom, measures.map_width, measures.map_height)
        _write_head(canvas, frame, heads[column], top + highest)
        panel = sheet.panels[number][column]
        if panel is None:
            _draw_gap(canvas, frame, labels.waiting or "")
        else:
            axes = draw_map(canvas, frame, panel.heatmap, palette, panel.weak)
            write_ticks(canvas, axes, frame, panel.heatmap.grid, _TICK, apart=1.6)
            if _own_axes(sheet, sheet.labels[number]):
                y = bottom - _TICKS - _LENGTHS_AXIS / 2
                size, _ = fit_text(labels.lengths_axis, canvas.families, _AXIS, frame.width)
                write(canvas, x + frame.width / 2, y, labels.lengths_axis, size=size)


def _rule(canvas: Canvas, left: float, right: float, y: float) -> None:
    """Draw a thin level line."""
    inches = canvas.figure.dpi_scale_trans
    line = Rectangle((left, y), max(right - left, 0), 0.008, facecolor="#D0D0D0", linewidth=0)
    line.set_transform(inches)
    canvas.figure.add_artist(line)


def _write_head(canvas: Canvas, frame: Frame, head: _Head, top: float) -> None:
    """Write a panel's name and recall, and its badges under them."""
    middle, y = frame.left + frame.width / 2, top
    told = ((head.name, "bold", INK), (head.recall, "normal", SOFT))
    for (size, lines), weight, colour in told:
        for line in lines:
            y -= line_height(size) / 2
            write(canvas, middle, y, line, size=size, weight=weight, color=colour)
            y -= line_height(size) / 2
    for badge in head.badges:
        write_badge(canvas, middle, y - BADGE / 2, badge)
        y -= BADGE


def _draw_gap(canvas: Canvas, frame: Frame, text: str) -> None:
    """Draw an empty place, and what it says."""
    place = Rectangle(
        (frame.left, frame.bottom),
        frame.width,
        frame.height,
        facecolor="#FAFAFA",
        edgecolor="#BBBBBB",
        linestyle=(0, (2, 2)),
        linewidth=1,
        transform=canvas.figure.dpi_scale_trans,
        label="gap",
    )
    canvas.figure.add_artist(place)
    size, lines = fit_text(text, canvas.families, _RECALL[:1], frame.width - 0.4)
    y = frame.bottom + frame.height / 2 + line_height(size) * (len(lines) - 1) / 2
    for line in lines:
        write(canvas, frame.left + frame.width / 2, y, line, size=size, color=SOFT)
        y -= line_height(size)


def _draw_around(canvas: Canvas, sheet: Sheet, measures: _Measures, palette: Palette) -> None:
    """Draw what the whole sheet has once: the colour bar, the lengths' words, key and footer."""
    shared = sheet.shared
    lowest = canvas.height - measures.rows[-1] - measures.map_height
    highest = canvas.height - measures.rows[0]
    high = min(highest - lowest, _BAR_MOST)
    x = canvas.width - EDGE - 0.75 - _BAR
    bar = Frame(x, (lowest + highest - high) / 2, _BAR, high)
    if shared.colour_bar:
        draw_bar(canvas, bar, scale_scores(palette), shared.colour_bar, (_SMALL, _AXIS[0]))
    if shared.lengths_axis:
        middle = (measures.left + measures.depths + x - _BAR_GAP) / 2
        y = lowest - _TICKS - _LENGTHS_AXIS / 2
        write(canvas, middle, y, shared.lengths_axis, size=_AXIS[0])
    top = measures.foot + measures.key.height + (0.08 if measures.key.rows else 0)
    draw_key(canvas, measures.key, EDGE, top, palette)
    write_lines(canvas, measures.footer, measures.foot, _SMALL)


def _clean(sheet: Sheet, families: Families) -> Sheet:
    """Return a sheet's words as the fonts can write them."""

    def clean(labels: PanelLabels) -> PanelLabels:
        return replace(
            labels,
            name=fonts.clean_text(labels.name, families, "bold"),
            warning=labels.warning and fonts.clean_text(labels.warning, families),
            waiting=labels.waiting and fonts.clean_text(labels.waiting, families),
        )

    return replace(
        sheet,
        labels=tuple(tuple(map(clean, row)) for row in sheet.labels),
        rows=tuple(fonts.clean_text(row, families, "bold") for row in sheet.rows),
        shared=clean_labels(sheet.shared, families),
    )
