"""The figures of runs held against each other: a sheet of heatmaps for each task."""

from collections.abc import Sequence
from pathlib import Path

from needle.contest import Contest
from needle.figures import Panel, Placeholder
from needle.palettes import Palette
from needle.types import Language


def draw_contest(
    contest: Contest,
    folder: Path,
    formats: Sequence[str],
    words: Language | None = None,
    *,
    palette: Palette = "published",
    dpi: int,
    placeholders: Sequence[Placeholder] = (),
    title: str | None = None,
) -> list[Path]:
    """Draw a contest's figures into a folder; return their paths.

    ``sheet-<task>``: the heatmaps side by side, a column a run and a row a language; with several
    tasks each has a sheet. ``placeholders`` are columns of their own, on every sheet.
    """
    from needle.sheets import draw_sheet

    drawn: list[Path] = []
    for task in dict.fromkeys(heatmap.task for heatmap in contest.heatmaps):
        panels = make_panels(contest, task)
        drawn += draw_sheet(
            [*panels, *placeholders],
            folder,
            f"sheet-{task}",
            formats,
            words,
            palette=palette,
            dpi=dpi,
            title=title,
        )
    return drawn


def make_panels(contest: Contest, task: str) -> list[Panel]:
    """Return the panels of a task, with what the statistics say of each."""
    return [
        Panel(heatmap, standing.statistics.overall, standing.statistics.weak)
        for heatmap, standing in zip(contest.heatmaps, contest.standings, strict=True)
        if heatmap.task == task
    ]
