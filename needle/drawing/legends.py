"""A figure's key: a small square and its words for each thing that the map is marked with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import Patch, Polygon, Rectangle

from needle.drawing.canvas import INK, Canvas, line_height, write
from needle.drawing.fonts import Families, measure_text, wrap_text
from needle.drawing.maps import DASHES, look_of
from needle.telling.labels import KeyMark
from needle.telling.palettes import DIFFERENCES, PALETTES, Palette

_AT = 9.5  # points at which the sizes below hold; they follow the type
_SWATCH = 0.3, 0.17  # width and height
_BEFORE, _AFTER, _ROW = 0.4, 0.32, 0.26


@dataclass(frozen=True, slots=True)
class _Entry:
    mark: KeyMark
    lines: list[str]
    width: float


@dataclass(frozen=True, slots=True)
class Key:
    """A key set in rows that fit the room there is."""

    rows: tuple[tuple[_Entry, ...], ...]
    size: float

    @property
    def height(self) -> float:
        """The height that all rows take."""
        return sum(self.heights)

    @property
    def heights(self) -> list[float]:
        """The height of each row: that of its entry of most lines."""
        scale = self.size / _AT
        return [
            _ROW * scale + line_height(self.size) * (max(len(e.lines) for e in row) - 1)
            for row in self.rows
        ]


def arrange_key(
    entries: Sequence[tuple[KeyMark, str]], families: Families, room: float, size: float
) -> Key:
    """Set entries in rows, wrapping those whose words are wider than the room."""
    scale = size / _AT
    before, after = _BEFORE * scale, _AFTER * scale
    rows: list[list[_Entry]] = []
    left = 0.0
    for mark, text in entries:
        lines = wrap_text([text], families, size, room - before)
        widest = max(measure_text(line, families, size) for line in lines)
        width = before + widest + after
        if not rows or left + width - after > room:
            rows.append([])
            left = 0.0
        rows[-1].append(_Entry(mark, lines, width))
        left += width
    return Key(tuple(map(tuple, rows)), size)


def draw_key(canvas: Canvas, key: Key, left: float, top: float, palette: Palette) -> None:
    """Draw a key from its upper left corner."""
    scale = key.size / _AT
    for row, height in zip(key.rows, key.heights, strict=True):
        x, y = left, top - _ROW * scale / 2
        for entry in row:
            for swatch in _make_swatch(canvas, entry.mark, (x, y), scale, palette):
                swatch.set_label(entry.mark)
                canvas.figure.add_artist(swatch)
            for number, line in enumerate(entry.lines):
                middle = y - number * line_height(key.size)
                write(canvas, x + _BEFORE * scale, middle, line, size=key.size, ha="left")
            x += entry.width
        top -= height


def _make_swatch(
    canvas: Canvas, mark: KeyMark, at: tuple[float, float], scale: float, palette: Palette
) -> list[Patch]:
    """Make a mark's small square, as the map shows it; ``at`` is the middle of its left side."""
    wide, high = _SWATCH[0] * scale, _SWATCH[1] * scale
    x, y = at[0], at[1] - 0.08 * scale
    inches = canvas.figure.dpi_scale_trans

    def square(**look: Any) -> Patch:
        return Rectangle((x, y), wide, high, transform=inches, **look)

    def filled(colour: str) -> Patch:
        return square(facecolor=colour, linewidth=0)

    scores, differences = PALETTES[palette], DIFFERENCES[palette]
    if mark == "partly":
        right, top, side = x + wide, y + high, 0.1 * scale
        points = [(right - side, top), (right, top), (right, top - side)]
        corner = Polygon(points, transform=inches, **look_of(mark, high, palette))
        return [filled(scores[-2]), corner]
    if mark == "weak":
        return [square(**look) for look in DASHES]
    if mark == "beyond":
        return [filled(differences[-1]), square(fill=False, edgecolor=INK, linewidth=1.4)]
    if mark in ("first", "second"):
        return [filled(differences[0 if mark == "first" else -1])]
    under = [filled(scores[0])] if mark == "refused" else []
    return [*under, square(**look_of(mark, high, palette))]
