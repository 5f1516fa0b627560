"""From a run folder to its statistics."""

from collections.abc import Iterable
from pathlib import Path

from needle.runs.drawing import make_heatmaps
from needle.runs.loading import Loaded, load
from needle.statistics.stats import make_statistics
from needle.words.claims import Statistics
from needle.words.figures import Heatmap


def read_statistics(folder: Path, scorer: str | None = None) -> list[Statistics]:
    """Return a run's statistics, one a task and language, in the order of its heatmaps."""
    loaded = load(folder, scorer)
    return make_each(loaded, make_heatmaps(loaded))


def make_each(loaded: Loaded, heatmaps: Iterable[Heatmap]) -> list[Statistics]:
    """Return the statistics of each of a run's heatmaps."""
    return [
        make_statistics(
            loaded.run, heatmap, loaded.joined.get((heatmap.task, heatmap.language), [])
        )
        for heatmap in heatmaps
    ]
