"""A figure's canvas: its style, writing on it in inches, and the bytes of its files.

Sizes are inches unless they say points. The same figure gives the same bytes, in each format.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal
from matplotlib.text import Text

from needle.drawing import fonts
from needle.drawing.fonts import Families
from needle.edges.store import write_whole
from needle.words.errors import StoreError, UsageError
from needle.words.types import LANGUAGES, Language

FORMATS = ("png", "svg", "pdf")
DRAWN = ("png", "svg")
"""The formats of a figure unless told otherwise."""

DPI = 160
LEAST_DPI, MOST_DPI = 50, 1_200
_MOST_PIXELS = 100_000_000  # 400 MB while a PNG is drawn

INK, SOFT = "#222222", "#555555"
POINTS = 72  # in an inch
_LEADING = 1.4  # line height over the size of the type


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a map stands on a figure: its lower left corner, its width and its height."""

    left: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Canvas:
    """The figure under way, its type and its size."""

    figure: Figure
    families: Families
    width: float
    height: float


def read_formats(text: str) -> tuple[str, ...]:
    """Read formats set apart by commas; raises UsageError for one that is not written."""
    formats = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    check_output(formats, DPI)
    return formats


def check_output(formats: Sequence[str], dpi: int) -> None:
    """Raise UsageError for a format that is not written, or for dots that no figure can have."""
    for kind in formats:
        if kind not in FORMATS:
            raise UsageError(f"can't draw as {kind!r} (--format): use {', '.join(FORMATS)}")
    if not formats:
        raise UsageError(f"no format to draw in (--format): use {', '.join(FORMATS)}")
    if not LEAST_DPI <= dpi <= MOST_DPI:
        raise UsageError(f"dots per inch must be within {LEAST_DPI}-{MOST_DPI}, got {dpi} (--dpi)")


def choose_words(wanted: Language) -> tuple[Language, Families]:
    """Return the language of a figure's words and its type: English without a Chinese font.

    Raises UsageError for another language than these two.
    """
    if wanted not in LANGUAGES:
        raise UsageError(f"no words in {wanted!r}: use {' or '.join(LANGUAGES)}")
    chinese = fonts.find_chinese_family()
    in_chinese = wanted == "zh" and chinese is not None
    families = fonts.choose_families(chinese, for_chinese=in_chinese)
    return ("zh" if in_chinese else "en"), families


@contextmanager
def plain_style(families: Families) -> Iterator[None]:
    """Draw by matplotlib's own defaults, whatever the user's matplotlibrc says."""
    own = {
        "font.family": list(families),
        "text.parse_math": False,  # a dollar sign in a name is a dollar sign
        "hatch.linewidth": 0.9,
        "svg.fonttype": "path",
        "svg.hashsalt": "needle",
        "pdf.fonttype": 42,  # TrueType, embedded: what publishers ask for
    }
    with style.context(["default", own]), fonts.quiet_search():
        yield


def make_canvas(families: Families, width: float, height: float) -> Canvas:
    """Make an empty white figure. Wanted within ``plain_style``, as all that is drawn on it."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return Canvas(figure, families, width, height)


def add_axes(canvas: Canvas, frame: Frame, label: str) -> Axes:
    """Add axes that fill a frame."""
    place = frame.left / canvas.width, frame.bottom / canvas.height
    size = frame.width / canvas.width, frame.height / canvas.height
    return canvas.figure.add_axes((*place, *size), label=label)


def write(canvas: Canvas, x: float, y: float, text: str, *, size: float, **look: Any) -> None:
    """Write a text at a place measured from the figure's lower left corner."""
    look = {"ha": "center", "va": "center", "color": INK, **look}
    canvas.figure.text(x / canvas.width, y / canvas.height, text, fontsize=size, **look)


def line_height(size: float) -> float:
    """Return the height of a line of type of a size in points."""
    return size * _LEADING / POINTS


def save_figure(
    figure: Figure, folder: Path, stem: str, formats: Sequence[str], dpi: int
) -> list[Path]:
    """Write a figure into a folder, one file a format; return their paths.

    Raises UsageError where it would have too many pixels, and StoreError in one line where a
    file can't be written.
    """
    check_output(formats, dpi)
    inches = float(figure.get_figwidth() * figure.get_figheight())
    if "png" in formats and inches * dpi**2 > _MOST_PIXELS:
        most = int((_MOST_PIXELS / inches) ** 0.5)
        raise UsageError(
            f"{dpi} dots per inch make too large a PNG of {stem} (--dpi): "
            f"use {most} at most, or svg or pdf, which have no dots"
        )
    paths = []
    for kind in formats:
        path = folder / f"{stem}.{kind}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, _encode(figure, kind, dpi))
        except OSError as error:
            reason = str(error.strerror or error).lower()
            raise StoreError(f"can't write {path}: {reason} (give another folder)") from error
        paths.append(path)
    return paths


def _encode(figure: Figure, kind: str, dpi: int) -> bytes:
    """Return the figure as a file's bytes, with no date and no software's name in it."""
    nothing: dict[str, Any] = {
        "png": {"Software": None},
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    file = io.BytesIO()
    with plain_style((fonts.LATIN,)), _outlined(figure if kind == "pdf" else None):
        figure.savefig(file, format=kind, dpi=dpi, metadata=nothing[kind])
    return file.getvalue()


@contextmanager
def _outlined(figure: Figure | None) -> Iterator[None]:
    """Draw as outlines, meanwhile, what is written in a font that a PDF can't embed."""
    texts = [] if figure is None else figure.findobj(Text)
    outlined = [
        text
        for text in texts
        if not fonts.can_embed(text.get_text(), tuple(text.get_fontfamily()), text.get_fontweight())
    ]
    for text in outlined:
        text.set_path_effects([Normal()])
    try:
        yield
    finally:
        for text in outlined:
            text.set_path_effects([])
