"""The figure of a run for a paper: one column wide, without a title, in type of 6 points or more.

What its face leaves out is the caption's (paper_captions): only recall, what is left out, and the
mark of a simulated endpoint stay.
"""

from matplotlib.figure import Figure

from needle.drawing.canvas import (
    INK,
    Frame,
    choose_words,
    line_height,
    make_canvas,
    plain_style,
    write,
)
from needle.drawing.fonts import fit_text, measure_text, wrap_text
from needle.drawing.framing import arrange_badges, clean_labels, write_badge
from needle.drawing.legends import arrange_key, draw_key
from needle.drawing.maps import draw_bar, draw_map, scale_scores, write_ticks
from needle.telling.labels import make_labels, write_depths
from needle.telling.palettes import Palette
from needle.words.claims import WeakRegion
from needle.words.figures import Heatmap
from needle.words.types import Language

WIDTH = 3.4
"""Of a column of the usual two, in inches."""

_AXIS, _SMALL = (7.5, 7.0, 6.5, 6.0), 6.5  # points
_EDGE = 0.04
_BAR_GAP, _BAR, _BAR_TICKS = 0.07, 0.09, 0.3
_WORD = 0.14  # of a line of the axes' words
_TICKS = 0.15
_BADGE = 0.22


def build_paper(
    heatmap: Heatmap,
    words: Language | None = None,
    *,
    weak: WeakRegion | None = None,
    palette: Palette = "published",
) -> Figure:
    """Build a heatmap's figure in the style of a paper. Without a Chinese font it is English."""
    language, families = choose_words(words or heatmap.language)
    labels = clean_labels(make_labels(heatmap, language, weak), families)
    rows = len(heatmap.grid.depths)
    depths = max(measure_text(d, families, _SMALL) for d in write_depths(heatmap.grid.depths))
    left = _EDGE + _WORD + 0.04 + depths + 0.05
    map_width = WIDTH - left - _BAR_GAP - _BAR - _BAR_TICKS - _WORD - _EDGE
    map_height = min(max(0.15 * rows, 1.3), 2.1)
    room = WIDTH - 2 * _EDGE
    badges = arrange_badges((labels.simulated, None), families, room, (_SMALL,))
    marks = tuple(entry for entry in labels.key if entry[0] != "weak")  # the caption's
    key = arrange_key(marks, families, room, _SMALL)
    result = wrap_text(labels.footer[0][:2], families, _SMALL, room)
    foot = line_height(_SMALL) * len(result) + _EDGE
    bottom = foot + key.height + 0.05 + _WORD + _TICKS
    height = bottom + map_height + _BADGE * len(badges) + 0.06

    with plain_style(families):
        canvas = make_canvas(families, WIDTH, height)
        frame = Frame(left, bottom, map_width, map_height)
        axes = draw_map(canvas, frame, heatmap, palette, weak, fine=True)
        write_ticks(canvas, axes, frame, heatmap.grid, _SMALL, apart=1.5)
        axes.tick_params(pad=2.5)
        bar = Frame(left + map_width + _BAR_GAP, bottom, _BAR, map_height)
        draw_bar(canvas, bar, scale_scores(palette), "", (_SMALL, _SMALL), pad=2)
        middle = bottom + map_height / 2
        for x, text in (
            (_EDGE + _WORD / 2, labels.depths_axis),
            (WIDTH - _EDGE - _WORD / 2, labels.colour_bar),
        ):
            size, lines = fit_text(text, families, _AXIS, map_height)
            write(canvas, x, middle, lines[0], size=size, rotation=90)
        y = bottom - _TICKS - _WORD / 2
        size, lines = fit_text(labels.lengths_axis, families, _AXIS, room)
        write(canvas, left + map_width / 2, y, lines[0], size=size)
        for number, badge in enumerate(badges):
            write_badge(canvas, left + map_width / 2, height - _BADGE * (number + 0.5), badge)
        draw_key(canvas, key, _EDGE, foot + key.height, palette)
        for number, line in enumerate(result):
            y = foot - line_height(_SMALL) * (number + 0.5)
            write(canvas, _EDGE, y, line, size=_SMALL, color=INK, ha="left")
        return canvas.figure
