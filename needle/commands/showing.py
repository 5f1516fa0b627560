"""What the commands that draw and tabulate finished runs do."""

from pathlib import Path

import click

from needle.edges.store import load_run
from needle.runs.drawing import draw_run
from needle.runs.loading import load
from needle.runs.summary import describe_recall
from needle.telling.palettes import Palette
from needle.words.figures import Panel, Style
from needle.words.types import Language

DONE = 0


def print_drawn(drawn: list[Path], panels: list[Panel], labels: Language | None = None) -> None:
    """Say the recall of each figure, and where the figures are."""
    from needle.drawing.fonts import chinese_font_advice

    for panel in panels:
        click.echo(describe_recall(panel.heatmap))
    for path in drawn:
        click.echo(str(path))
    advice = chinese_font_advice()
    if advice and any((labels or panel.heatmap.language) == "zh" for panel in panels):
        click.echo(f"note: {advice}", err=True)


def draw_again(
    folders: tuple[Path, ...],
    labels: Language | None,
    scorer: str | None,
    style: Style,
    form: str | None,
    palette: Palette,
    dpi: int | None,
) -> int:
    """Draw the figures of run folders anew, by their primary scorer or the one named."""
    from needle.drawing.canvas import check_output, read_formats

    formats = read_formats(form) if form is not None else None
    if dpi is not None:
        check_output(("png",), dpi)
    for folder in folders:
        drawn, panels = draw_run(
            load(folder, scorer), labels, style=style, formats=formats, palette=palette, dpi=dpi
        )
        print_drawn(drawn, panels, labels)
        if style == "paper":
            print_captions(panels, labels)
    return DONE


def print_captions(panels: list[Panel], labels: Language | None) -> None:
    """Say what the faces of a paper's figures leave out, in the language of their words."""
    from needle.telling.paper_captions import write_caption

    for panel in panels:
        click.echo(
            f"caption: {write_caption(panel.heatmap, labels or panel.heatmap.language, panel.weak)}"
        )


def print_table(folder: Path, form: str, output: Path | None) -> int:
    """Print or write a run's tidy table."""
    from needle.edges.tables import write_table

    load_run(folder)
    text = write_table(folder, form, output)
    if text is not None:
        click.echo(text, nl=False)
    return DONE
