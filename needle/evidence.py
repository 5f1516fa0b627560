"""From a run folder to its statistics."""

from collections.abc import Iterable
from pathlib import Path

from needle.cells import join_scores
from needle.claims import Statistics
from needle.drawing import make_heatmaps
from needle.figures import Heatmap
from needle.loading import Loaded, load
from needle.stats import make_statistics


def read_statistics(folder: Path, scorer: str | None = None) -> list[Statistics]:
    """Return a run's statistics, one a task and language, in the order of its heatmaps."""
    loaded = load(folder, scorer)
    return make_each(loaded, make_heatmaps(loaded))


def make_each(loaded: Loaded, heatmaps: Iterable[Heatmap]) -> list[Statistics]:
    """Return the statistics of each of a run's heatmaps."""
    return [
        make_statistics(
            loaded.run,
            heatmap,
            join_scores(heatmap.task, heatmap.language, loaded.states, loaded.scores),
        )
        for heatmap in heatmaps
    ]
