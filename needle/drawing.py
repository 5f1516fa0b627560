"""From a run folder to its figures and its table: what is drawn is safe to delete."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from needle.cells import count_planned, count_recorded, join_scores, make_heatmap
from needle.controls import tally_controls
from needle.errors import UsageError
from needle.figures import Heatmap, Panel, Style
from needle.outcomes import is_simulated, settle_states
from needle.palettes import Palette
from needle.scoring import KEYWORD
from needle.store import OUTCOMES, load_run, read_lines, read_scores
from needle.types import Language, Run
from needle.weakness import find_weak_region


def collect_heatmaps(
    folder: Path, run: Run | None = None, scorer: str | None = None
) -> list[Heatmap]:
    """Return the data of each of a run's heatmaps: one a task and language.

    ``scorer`` is the run's primary one unless given; raises UsageError for one that has
    scored nothing there.
    """
    run = run or load_run(folder)
    by = scorer or run.primary_scorer
    states = settle_states(read_lines(folder / OUTCOMES))
    known = read_scores(folder)
    scores = {trial: line for (trial, name), line in known.items() if name == by}
    if scorer is not None and not scores:
        there = ", ".join(sorted({name for _, name in known})) or "none"
        raise UsageError(
            f"no scores by {scorer!r} in {folder} (--scorer; there are: {there}): "
            f"make them with needle score {folder} --scorer {scorer}"
        )
    by_keyword = {trial: line for (trial, name), line in known.items() if name == KEYWORD}
    heatmaps = []
    for task in run.tasks:
        for language in run.languages:
            joined = join_scores(task, language, states, scores)
            if run.imported is not None:
                planned = count_recorded(run, joined)
            else:
                planned = count_planned(run, task, language)
            heatmap = make_heatmap(run, task, language, joined, planned, by)
            controls = tally_controls(task, language, states, by_keyword)
            simulated = run.model.simulated or is_simulated(states.values())
            heatmaps.append(replace(heatmap, controls=controls, simulated=simulated))
    return heatmaps


def draw_run(
    folder: Path,
    labels: Language | None = None,
    scorer: str | None = None,
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
    from needle.heatmaps import draw_heatmap
    from needle.tables import write_table

    run = load_run(folder)
    drawn: list[Path] = []
    panels: list[Panel] = []
    for heatmap in collect_heatmaps(folder, run, scorer):
        weak = find_weak_region(heatmap)
        drawn += draw_heatmap(
            heatmap,
            folder,
            formats,
            _name_figure(heatmap, run, style, palette),
            labels,
            weak=weak,
            style=style,
            palette=palette,
            dpi=dpi,
        )
        panels.append(Panel(heatmap, weak=weak))
    write_table(folder, "csv", folder / "table.csv")
    return drawn, panels


def _name_figure(heatmap: Heatmap, run: Run, style: Style, palette: Palette) -> str:
    """Name a figure's files, so that a style, a palette or a scorer replaces no other's."""
    stem = f"heatmap-{heatmap.task}-{heatmap.language}"
    if heatmap.scorer != run.primary_scorer:
        stem += f"-{heatmap.scorer}"
    if style != "published":
        stem += f"-{style}"
    return stem if palette == "published" else f"{stem}-{palette}"
