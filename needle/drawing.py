"""From a run folder to its figures and its table: what is drawn is safe to delete."""

from pathlib import Path

from needle.cells import count_planned, join_scores, make_heatmap
from needle.figures import Heatmap
from needle.outcomes import settle_states
from needle.store import OUTCOMES, load_run, read_lines, read_scores
from needle.types import Language, Run


def collect_heatmaps(folder: Path, run: Run | None = None) -> list[Heatmap]:
    """Return the data of each of a run's heatmaps: one a task and language."""
    run = run or load_run(folder)
    states = settle_states(read_lines(folder / OUTCOMES))
    scores = {
        trial: line
        for (trial, scorer), line in read_scores(folder).items()
        if scorer == run.primary_scorer
    }
    return [
        make_heatmap(
            run,
            task,
            language,
            join_scores(task, language, states, scores),
            count_planned(run, task, language),
        )
        for task in run.tasks
        for language in run.languages
    ]


def draw_run(folder: Path, labels: Language | None = None) -> tuple[list[Path], list[Heatmap]]:
    """Draw a run's heatmaps and write its table.csv; return the figures and their data."""
    from needle.heatmaps import draw_heatmap
    from needle.tables import write_table

    heatmaps = collect_heatmaps(folder)
    drawn: list[Path] = []
    for heatmap in heatmaps:
        drawn += draw_heatmap(heatmap, folder, words=labels)
    write_table(folder, "csv", folder / "table.csv")
    return drawn, heatmaps
