"""Runs held against each other: what each found and cost, pairs tested, and their figures."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from needle.adapting import find_core
from needle.cells import name_spot
from needle.claims import Comparison
from needle.comparable import find_differences
from needle.comparing import compare_languages, compare_runs
from needle.drawing import collect_heatmaps
from needle.errors import UsageError
from needle.evidence import load, read_statistics, require_scorer
from needle.figures import Heatmap
from needle.standings import Standing, make_standing
from needle.store import load_run


@dataclass(frozen=True, slots=True)
class Contest:
    """Runs and what can be said of them, each on its own and in pairs.

    ``heatmaps``, ``standings`` and ``places`` (their run's folder) are one a run, task and
    language, in the same order;
    ``obstacles`` say why nothing was tested.
    """

    folders: tuple[Path, ...]
    places: tuple[Path, ...]
    heatmaps: tuple[Heatmap, ...]
    standings: tuple[Standing, ...]
    comparisons: tuple[Comparison, ...]
    gaps: tuple[Comparison, ...]
    obstacles: tuple[str, ...]


def hold_contest(
    folders: Sequence[Path], scorer: str | None = None, *, side_by_side: bool = False
) -> Contest:
    """Gather all that is said of runs.

    Raises UsageError for runs that may not be compared, with what differs, unless they are
    only to be shown side by side.
    """
    runs = [load_run(folder) for folder in folders]
    for folder in folders:
        require_scorer(folder, scorer)
    obstacles = tuple(find_differences(runs)) if len(runs) > 1 else ()
    if obstacles and not side_by_side:
        more = f", and {len(obstacles) - 1} more" if len(obstacles) > 1 else ""
        raise UsageError(
            f"these runs may not be compared: {obstacles[0]}{more} "
            "(--side-by-side shows them without tests)"
        )
    heatmaps: list[Heatmap] = []
    standings: list[Standing] = []
    places: list[Path] = []
    for folder in folders:
        own = collect_heatmaps(folder, scorer=scorer)
        heatmaps += own
        places += [folder] * len(own)
        standings += _stand(folder, own, scorer)
    comparisons = () if obstacles or len(runs) == 1 else tuple(compare_runs(folders, scorer))
    gaps = tuple(gap for folder in folders for gap in compare_languages(folder, scorer))
    return Contest(
        tuple(folders),
        tuple(places),
        tuple(heatmaps),
        tuple(standings),
        comparisons,
        gaps,
        obstacles,
    )


def _stand(folder: Path, heatmaps: Sequence[Heatmap], scorer: str | None) -> list[Standing]:
    loaded = load(folder, scorer)
    run, standings = loaded.run, []
    for heatmap, statistics in zip(heatmaps, read_statistics(folder, scorer), strict=True):
        lines = [
            line
            for line in loaded.states.values()
            if (line["task"], line["language"]) == (heatmap.task, heatmap.language)
        ]
        verdicts = dict(heatmap.left_out)
        core = find_core(run, heatmap.task, heatmap.language) if run.adaptive else None
        for line in lines:
            if core is not None and name_spot(line) not in core:
                continue
            verdict = loaded.scores.get(line["trial"], {}).get("verdict")
            in_grid = line["context_length"] in heatmap.grid.lengths and line["control"] is None
            if in_grid and verdict and verdict not in verdicts:
                verdicts[verdict] = 0
            if in_grid and verdict in verdicts and verdict not in heatmap.left_out:
                verdicts[verdict] += 1
        standings.append(make_standing(statistics, verdicts, lines, simulated=heatmap.simulated))
    return standings


def name_contest(folders: Sequence[Path]) -> str:
    """Return a short name for figures of several runs: that of one set of runs in one order."""
    runs = [load_run(folder).run_id for folder in folders]
    return hashlib.sha256("\n".join(runs).encode()).hexdigest()[:8]
