"""From a run folder to its figures and its table: what is drawn is safe to delete."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from needle.asking.outcomes import is_simulated
from needle.runs.loading import Loaded, load
from needle.statistics.cells import count_planned, count_recorded, make_heatmap
from needle.statistics.controls import tally_controls
from needle.statistics.weakness import find_weak_region
from needle.telling.palettes import Palette
from needle.words.figures import Heatmap, Panel, Style
from needle.words.types import Language, Run


def collect_heatmaps(folder: Path, scorer: str | None = None) -> list[Heatmap]:
    """Return the data of each of a run's heatmaps: one a task and language.

    ``scorer`` is the run's primary one unless given; raises UsageError for one that has
    scored nothing there.
    """
    return make_heatmaps(load(folder, scorer))


def make_heatmaps(loaded: Loaded) -> list[Heatmap]:
    """Return the data of each of a run's heatmaps: one a task and language."""
    run, states = loaded.run, loaded.states
    simulated = run.model.simulated or is_simulated(states.values())
    heatmaps = []
    for task in run.tasks:
        for language in run.languages:
            joined = loaded.joined.get((task, language), [])
            if run.imported is not None:
                planned = count_recorded(run, joined)
            else:
                planned = count_planned(run, task, language)
            heatmap = make_heatmap(run, task, language, joined, planned, loaded.scorer)
            controls = tally_controls(task, language, states, loaded.by_keyword)
            heatmaps.append(replace(heatmap, controls=controls, simulated=simulated))
    return heatmaps


def draw_run(
    loaded: Loaded,
    labels: Language | None = None,
    *,
    style: Style = "published",
    formats: Sequence[str] | None = None,
    palette: Palette = "published",
    dpi: int | None = None,
) -> tuple[list[Path], list[Panel]]:
    """Draw a run's heatmaps and write its table.csv; return the figures and their data.

    Formats and dots per inch are the style's own unless given (heatmaps.DRAWN, DPIS). Figures by
    another scorer than the primary one, in another style or in another palette have its name in
    theirs.
    """
    from needle.drawing.heatmaps import draw_heatmap
    from needle.edges.tables import keep_table, tabulate

    folder = loaded.folder
    drawn: list[Path] = []
    panels: list[Panel] = []
    for heatmap in make_heatmaps(loaded):
        weak = find_weak_region(heatmap)
        drawn += draw_heatmap(
            heatmap,
            folder,
            formats,
            _name_figure(heatmap, loaded.run, style, palette),
            labels,
            weak=weak,
            style=style,
            palette=palette,
            dpi=dpi,
        )
        panels.append(Panel(heatmap, weak=weak))
    keep_table(tabulate(loaded.run, loaded.states, loaded.every), folder / "table.csv")
    return drawn, panels


def _name_figure(heatmap: Heatmap, run: Run, style: Style, palette: Palette) -> str:
    """Name a figure's files, so that a style, a palette or a scorer replaces no other's."""
    stem = f"heatmap-{heatmap.task}-{heatmap.language}"
    if heatmap.scorer != run.primary_scorer:
        stem += f"-{heatmap.scorer}"
    if style != "published":
        stem += f"-{style}"
    return stem if palette == "published" else f"{stem}-{palette}"
