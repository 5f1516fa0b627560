"""The figures of runs held against each other: a sheet a task, and a map of each difference."""

from collections.abc import Sequence
from pathlib import Path

from needle.edges.store import slug
from needle.runs.contest import Contest
from needle.telling.palettes import Palette
from needle.words.claims import Comparison
from needle.words.figures import Heatmap, Panel, Placeholder
from needle.words.types import Grid, Language


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
    tasks each has a sheet. ``difference-...``: for each two runs and each language what differs,
    and for each run its languages. ``placeholders`` are columns of their own, on every sheet.
    """
    from needle.drawing.differences import draw_difference
    from needle.drawing.sheets import draw_sheet

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
    for name, comparison in name_differences(contest).items():
        drawn += draw_difference(
            comparison,
            find_grid(comparison),
            folder,
            name,
            formats,
            words,
            sides=find_sides(contest, comparison),
            palette=palette,
            dpi=dpi,
        )
    return drawn


_HALF = 100  # bytes of a figure's name for either of two models: 255 hold no more


def find_grid(comparison: Comparison) -> Grid:
    """Return the grid of a comparison's cells."""
    lengths = sorted({cell.context_length for cell in comparison.cells})
    depths = sorted({cell.depth_percent for cell in comparison.cells})
    return Grid("compared", tuple(lengths), tuple(depths))


def name_differences(contest: Contest) -> dict[str, Comparison]:
    """Return the name of each difference's figure, none of which comes twice."""
    named: dict[str, Comparison] = {}
    for comparison in (*contest.comparisons, *contest.gaps):
        name = plain = _name_difference(comparison)
        number = 2
        while name in named:
            name = f"{plain}-{number}"
            number += 1
        named[name] = comparison
    return named


def _name_difference(comparison: Comparison) -> str:
    """Return a figure's name, with nothing in it that a file name can't hold."""
    first, second = (slug(name, _HALF) for name in (comparison.first, comparison.second))
    between = f"{second}-and-{first}" if comparison.of == "models" else f"{first}-languages"
    language = f"-{comparison.language}" if comparison.language else ""
    return f"difference-{comparison.task}{language}-{between}"


def find_sides(contest: Contest, comparison: Comparison) -> list[Heatmap]:
    """Return the heatmaps that a comparison is of."""
    return [
        heatmap
        for heatmap, name in zip(contest.heatmaps, contest.names, strict=True)
        if heatmap.task == comparison.task
        and comparison.language in (None, heatmap.language)
        and name in {comparison.first, comparison.second}
    ]


def make_panels(contest: Contest, task: str) -> list[Panel]:
    """Return the panels of a task, with what the statistics say of each."""
    return [
        Panel(heatmap, standing.statistics.overall, standing.statistics.weak, name)
        for name, heatmap, standing in zip(
            contest.names, contest.heatmaps, contest.standings, strict=True
        )
        if heatmap.task == task
    ]
