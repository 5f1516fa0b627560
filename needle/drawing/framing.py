"""A figure of one map: header, map, key and footer, from top to bottom.

The map's size follows from its grid; everything around it is measured first, so that nothing
overlaps and nothing is clipped.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from needle.drawing import fonts
from needle.drawing.canvas import INK, SOFT, Canvas, Frame, line_height, make_canvas, write
from needle.drawing.fonts import Families, fit_text, measure_text, wrap_text
from needle.drawing.legends import arrange_key, draw_key
from needle.drawing.maps import Scale, draw_bar, write_ticks
from needle.telling.labels import Labels, write_depths, write_lengths
from needle.telling.palettes import Palette
from needle.words.types import Grid

TITLE, SUBTITLE = (17.0, 15.5, 14.0), (12.0, 11.0, 10.0)  # points, the first that fits
AXIS, SMALL = 11.5, 9.5  # points
BADGES = (9.5, 8.5, 7.5)  # points, the first that fits
BADGE = 0.36
EDGE = 0.3
BAR_GAP, BAR = 0.28, 0.2

Badge = tuple[str, str, str, float]
"""What must be seen at once: a line of text, its ink, its paper and its size in points."""


def frame_map(
    labels: Labels,
    families: Families,
    grid: Grid,
    scale: Scale,
    palette: Palette,
    paint: Callable[[Canvas, Frame], Axes],
) -> Figure:
    """Compose a figure around a map that ``paint`` draws into the frame it is given."""
    map_width, map_height = _size_map(len(grid.lengths), len(grid.depths))
    words = [*labels.top.split("\n"), *labels.bottom.split("\n")]
    words_width = max(measure_text(word, families, SMALL) for word in words)
    depths = max(measure_text(depth, families, SMALL) for depth in write_depths(grid.depths))
    left = EDGE + words_width + 0.12 + depths + 0.12
    right = BAR_GAP + BAR + 0.75 + EDGE
    width = left + map_width + right
    room = width - 2 * EDGE

    title = fit_text(labels.title, families, TITLE, room, "bold")
    subtitle = fit_text(labels.subtitle, families, SUBTITLE, room)
    badges = arrange_badges((labels.simulated, labels.warning), families, room - 0.2)
    footer = [line for items in labels.footer for line in wrap_text(items, families, SMALL, room)]
    widest = max(measure_text(tick, families, SMALL) for tick in write_lengths(grid.lengths))
    turned = widest + 0.08 > map_width / len(grid.lengths)
    ticks = 0.17 + widest * math.sin(math.pi / 4) if turned else 0.24
    key = arrange_key(labels.key, families, room, SMALL)
    header = (
        EDGE
        + line_height(title[0]) * len(title[1])
        + line_height(subtitle[0]) * len(subtitle[1])
        + BADGE * len(badges)
        + 0.14
    )
    key_height = key.height + (0.08 if key.rows else 0)
    foot = line_height(SMALL) * len(footer) + 0.22
    bottom = foot + key_height + 0.3 + ticks + 0.1

    canvas = make_canvas(families, width, header + map_height + bottom)
    frame = Frame(left, bottom, map_width, map_height)
    write_header(canvas, title, subtitle, badges)
    axes = paint(canvas, frame)
    bar = Frame(left + map_width + BAR_GAP, bottom, BAR, map_height)
    draw_bar(canvas, bar, scale, labels.colour_bar, (SMALL, AXIS))
    write_ticks(canvas, axes, frame, grid, SMALL, turned=turned)
    _write_axes(canvas, frame, labels, words_width, ticks)
    draw_key(canvas, key, EDGE, foot + key_height, palette)
    write_lines(canvas, footer, foot, SMALL)
    return canvas.figure


def _size_map(columns: int, rows: int) -> tuple[float, float]:
    """Return a map's width and height, so that cells of any grid keep a readable shape."""
    return min(max(0.75 * columns, 5.6), 14.4), min(max(0.42 * rows, 3.4), 5.6)


def write_header(
    canvas: Canvas,
    title: tuple[float, list[str]],
    subtitle: tuple[float, list[str]],
    badges: Sequence[Badge],
) -> None:
    """Write title and subtitle, and the badges under them."""
    y = canvas.height - EDGE
    for (size, lines), weight, colour in ((title, "bold", INK), (subtitle, "normal", SOFT)):
        for line in lines:
            y -= line_height(size)
            middle = y + line_height(size) / 2
            write(canvas, canvas.width / 2, middle, line, size=size, weight=weight, color=colour)
    for badge in badges:
        write_badge(canvas, canvas.width / 2, y - 0.2, badge)
        y -= BADGE


def arrange_badges(
    told: tuple[str | None, str | None],
    families: Families,
    room: float,
    sizes: Sequence[float] = BADGES,
) -> list[Badge]:
    """Set the mark of a simulated endpoint, and a warning, in lines."""
    looks = (("#7A4A00", "#FFF3C4"), ("#8C1D2F", "#FDE3E6"))
    badges = []
    for text, (ink, paper) in zip(told, looks, strict=True):
        size, lines = fit_text(text or "", families, sizes, room)
        badges += [(line, ink, paper, size) for line in lines if line]
    return badges


def write_badge(canvas: Canvas, x: float, y: float, badge: Badge) -> None:
    """Write a badge around a place."""
    text, ink, paper, size = badge
    line = size / BADGES[0]
    box = {"boxstyle": "round,pad=0.35", "facecolor": paper, "edgecolor": ink, "linewidth": line}
    write(canvas, x, y, text, size=size, color=ink, bbox=box)


def _write_axes(canvas: Canvas, frame: Frame, labels: Labels, words: float, ticks: float) -> None:
    """Write the words along the axes; ``words`` is the width of those at the map's left."""
    low, high = frame.bottom, frame.bottom + frame.height
    write(canvas, frame.left + frame.width / 2, low - ticks - 0.12, labels.lengths_axis, size=AXIS)
    for y, text, side in ((high, labels.top, "top"), (low, labels.bottom, "bottom")):
        write(canvas, EDGE, y, text, size=SMALL, color=SOFT, ha="left", va=side)
    beside = EDGE + words / 2
    write(canvas, beside, (low + high) / 2, labels.depths_axis, size=AXIS, rotation=90)


def write_lines(canvas: Canvas, lines: Sequence[str], top: float, size: float) -> None:
    """Write a footer's lines from their top downwards."""
    for number, line in enumerate(lines):
        y = top - line_height(size) * (number + 0.5)
        write(canvas, EDGE, y, line, size=size, color=SOFT, ha="left")


def clean_labels(labels: Labels, families: Families) -> Labels:
    """Return the labels as the fonts can write them: no figure shows an empty box."""

    def clean(text: str) -> str:
        return fonts.clean_text(text, families)

    return replace(
        labels,
        title=fonts.clean_text(labels.title, families, "bold"),
        subtitle=clean(labels.subtitle),
        warning=labels.warning and clean(labels.warning),
        key=tuple((mark, clean(text)) for mark, text in labels.key),
        footer=tuple(tuple(clean(item) for item in items) for items in labels.footer),
    )
