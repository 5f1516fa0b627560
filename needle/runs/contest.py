"""Runs held against each other: what each found and cost, pairs tested, and their figures."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from needle.edges.store import load_run
from needle.runs.comparing import compare_each, compare_own_languages
from needle.runs.drawing import make_heatmaps
from needle.runs.evidence import make_each
from needle.runs.loading import Loaded, list_once, load, name_runs
from needle.statistics.adapting import find_core
from needle.statistics.cells import name_spot
from needle.statistics.comparable import find_differences
from needle.statistics.standings import Standing, make_standing
from needle.words.claims import Comparison
from needle.words.errors import UsageError
from needle.words.figures import Heatmap
from needle.words.types import LANGUAGES, Language, Verdict


@dataclass(frozen=True, slots=True)
class Contest:
    """Runs and what can be said of them, each on its own and in pairs.

    ``heatmaps``, ``standings`` and ``names`` are one a run, task and language, in the same
    order; a run's name is its model, or its folder where the model has several runs.
    ``obstacles`` say why nothing was tested.
    """

    folders: tuple[Path, ...]
    names: tuple[str, ...]
    heatmaps: tuple[Heatmap, ...]
    standings: tuple[Standing, ...]
    comparisons: tuple[Comparison, ...]
    gaps: tuple[Comparison, ...]
    obstacles: Mapping[Language, tuple[str, ...]]


def hold_contest(
    folders: Sequence[Path], scorer: str | None = None, *, side_by_side: bool = False
) -> Contest:
    """Read run folders, and gather all that is said of them: see ``gather_contest``."""
    everything = [load(folder, scorer) for folder in list_once(folders)]
    return gather_contest(everything, side_by_side=side_by_side)


def gather_contest(everything: Sequence[Loaded], *, side_by_side: bool = False) -> Contest:
    """Gather all that is said of runs.

    Raises UsageError for runs that may not be compared, with what differs, unless they are
    only to be shown side by side.
    """
    runs = [loaded.run for loaded in everything]
    told = runs if len(runs) > 1 else ()
    obstacles = {one: tuple(find_differences(told, one)) for one in LANGUAGES}
    found = obstacles["en"]
    if found and not side_by_side:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise UsageError(
            f"these runs may not be compared: {found[0]}{more} "
            "(--side-by-side shows them without tests)"
        )
    heatmaps: list[Heatmap] = []
    standings: list[Standing] = []
    names: list[str] = []
    gaps: list[Comparison] = []
    for name, loaded in zip(name_runs(everything), everything, strict=True):
        own = make_heatmaps(loaded)
        heatmaps += own
        names += [name] * len(own)
        standings += _stand(loaded, own)
        gaps += compare_own_languages(loaded, name)
    comparisons = () if found or len(runs) == 1 else tuple(compare_each(everything))
    return Contest(
        tuple(loaded.folder for loaded in everything),
        tuple(names),
        tuple(heatmaps),
        tuple(standings),
        comparisons,
        tuple(gaps),
        obstacles,
    )


def stand_alone(loaded: Loaded) -> list[Standing]:
    """Return a run's standings, one a task and language, held against no other's."""
    return _stand(loaded, make_heatmaps(loaded))


def _stand(loaded: Loaded, heatmaps: Sequence[Heatmap]) -> list[Standing]:
    run, standings = loaded.run, []
    for heatmap, statistics in zip(heatmaps, make_each(loaded, heatmaps), strict=True):
        lines = [
            line
            for line in loaded.states.values()
            if (line["task"], line["language"]) == (heatmap.task, heatmap.language)
        ]
        core = find_core(run, heatmap.task, heatmap.language) if run.adaptive else None
        scored: Counter[Verdict] = Counter(
            loaded.scores[line["trial"]]["verdict"]
            for line in lines
            if line["control"] is None
            and line["context_length"] in heatmap.grid.lengths
            and line["trial"] in loaded.scores
            and (core is None or name_spot(line) in core)
        )
        verdicts = {**scored, **heatmap.left_out}
        standings.append(make_standing(statistics, verdicts, lines, simulated=heatmap.simulated))
    return standings


def name_contest(folders: Sequence[Path]) -> str:
    """Return a short name for figures of several runs: that of one set of runs in one order."""
    runs = [load_run(folder).run_id for folder in folders]
    return hashlib.sha256("\n".join(runs).encode()).hexdigest()[:8]
