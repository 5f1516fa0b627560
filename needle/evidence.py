"""From a run folder to its statistics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from needle.cells import join_scores
from needle.claims import Statistics
from needle.drawing import collect_heatmaps
from needle.errors import UsageError
from needle.outcomes import settle_states
from needle.stats import make_statistics
from needle.store import OUTCOMES, load_run, read_lines, read_scores
from needle.types import Run


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run folder's trials with their scores: states and scores by trial."""

    folder: Path
    run: Run
    states: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, Any]]


def load(folder: Path, scorer: str | None = None) -> Loaded:
    """Read a run folder's outcomes, and its scores by its primary scorer or the one named."""
    run = load_run(folder)
    by = scorer or run.primary_scorer
    known = read_scores(folder)
    return Loaded(
        folder,
        run,
        settle_states(read_lines(folder / OUTCOMES)),
        {trial: line for (trial, name), line in known.items() if name == by},
    )


def read_statistics(folder: Path, scorer: str | None = None) -> list[Statistics]:
    """Return a run's statistics, one a task and language, in the order of its heatmaps."""
    loaded = load(folder, scorer)
    return [
        make_statistics(
            loaded.run,
            heatmap,
            join_scores(heatmap.task, heatmap.language, loaded.states, loaded.scores),
        )
        for heatmap in collect_heatmaps(folder, loaded.run, scorer)
    ]


def require_scorer(folder: Path, scorer: str | None) -> None:
    """Raise UsageError where a scorer that was named has scored nothing in a run."""
    if scorer is not None and not load(folder, scorer).scores:
        raise UsageError(
            f"no scores by {scorer!r} in {folder} (--scorer): "
            f"make them with needle score {folder} --scorer {scorer}"
        )
