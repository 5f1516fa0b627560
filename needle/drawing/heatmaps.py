"""The figure of a run: one heatmap, as the published charts look, or for a paper's column."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from needle.drawing import canvas
from needle.drawing.canvas import check_output, choose_words, plain_style, save_figure
from needle.drawing.framing import clean_labels, frame_map
from needle.drawing.maps import draw_map, scale_scores
from needle.drawing.papers import build_paper
from needle.telling.labels import make_labels
from needle.telling.palettes import Palette
from needle.words.claims import WeakRegion
from needle.words.figures import Heatmap, Style
from needle.words.types import Language

DRAWN: dict[Style, tuple[str, ...]] = {"published": canvas.DRAWN, "paper": ("pdf",)}
"""The formats of each style unless told otherwise."""

DPIS: dict[Style, int] = {"published": canvas.DPI, "paper": 600}
"""The dots per inch of each style's PNG unless told otherwise."""


def draw_heatmap(
    heatmap: Heatmap,
    folder: Path,
    formats: Sequence[str] | None = None,
    stem: str | None = None,
    words: Language | None = None,
    *,
    weak: WeakRegion | None = None,
    style: Style = "published",
    palette: Palette = "published",
    dpi: int | None = None,
) -> list[Path]:
    """Draw a heatmap into a folder, one file a format; return their paths.

    ``words`` is the labels' language, that of the text unless given. ``weak`` is outlined. A
    paper's caption is ``paper_captions.write_caption``'s.
    The same heatmap gives the same bytes. Raises UsageError for a format or dots per inch that
    it can't write, and StoreError in one line where a file can't be written.
    """
    formats, dpi = formats or DRAWN[style], dpi or DPIS[style]
    check_output(formats, dpi)
    stem = stem or f"heatmap-{heatmap.task}-{heatmap.language}"
    build = build_paper if style == "paper" else build_figure
    figure = build(heatmap, words, weak=weak, palette=palette)
    return save_figure(figure, folder, stem, formats, dpi)


def build_figure(
    heatmap: Heatmap,
    words: Language | None = None,
    *,
    weak: WeakRegion | None = None,
    palette: Palette = "published",
) -> Figure:
    """Build a heatmap's figure. Without a Chinese font its labels are English."""
    language, families = choose_words(words or heatmap.language)
    labels = make_labels(heatmap, language, weak)
    with plain_style(families):
        return frame_map(
            clean_labels(labels, families),
            families,
            heatmap.grid,
            scale_scores(palette),
            palette,
            lambda sheet, frame: draw_map(sheet, frame, heatmap, palette, weak),
        )
