"""What the commands that draw and tabulate finished runs do."""

from pathlib import Path

import click

from needle.drawing import draw_run
from needle.figures import Heatmap
from needle.store import load_run
from needle.summary import describe_recall
from needle.types import Language

DONE = 0


def print_drawn(drawn: list[Path], heatmaps: list[Heatmap], labels: Language | None = None) -> None:
    """Say the recall of each figure, and where the figures are."""
    from needle.fonts import chinese_font_advice

    for heatmap in heatmaps:
        click.echo(describe_recall(heatmap))
    for path in drawn:
        click.echo(str(path))
    advice = chinese_font_advice()
    if advice and any((labels or heatmap.language) == "zh" for heatmap in heatmaps):
        click.echo(f"note: {advice}", err=True)


def draw_again(folders: tuple[Path, ...], labels: str | None, scorer: str | None) -> int:
    """Draw the figures of run folders anew, by their primary scorer or the one named."""
    for folder in folders:
        load_run(folder)
        language: Language | None = "zh" if labels == "zh" else "en" if labels == "en" else None
        drawn, heatmaps = draw_run(folder, language, scorer)
        print_drawn(drawn, heatmaps, language)
    return DONE


def print_table(folder: Path, form: str, output: Path | None) -> int:
    """Print or write a run's tidy table."""
    from needle.tables import write_table

    load_run(folder)
    text = write_table(folder, form, output)
    if text is not None:
        click.echo(text, nl=False)
    return DONE
