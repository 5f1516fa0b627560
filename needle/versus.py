"""What ``needle compare`` does: runs side by side, and in pairs where they may be."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from needle.claims import Comparison
from needle.comparable import find_differences
from needle.comparing import compare_languages, compare_runs
from needle.conclusions import conclude, conclude_comparison
from needle.drawing import collect_heatmaps
from needle.errors import UsageError
from needle.evidence import load, read_statistics, require_scorer
from needle.figures import Heatmap
from needle.showing import DONE
from needle.standings import Standing, make_standing, tabulate
from needle.store import load_run
from needle.types import Language


@dataclass(frozen=True, slots=True)
class Contest:
    """Runs and what can be said of them, each on its own and in pairs.

    ``heatmaps`` and ``standings`` are one a run, task and language, in the same order;
    ``obstacles`` say why nothing was tested.
    """

    folders: tuple[Path, ...]
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
    for folder in folders:
        own = collect_heatmaps(folder, scorer=scorer)
        heatmaps += own
        standings += _stand(folder, own, scorer)
    comparisons = () if obstacles or len(runs) == 1 else tuple(compare_runs(folders, scorer))
    gaps = tuple(gap for folder in folders for gap in compare_languages(folder, scorer))
    return Contest(tuple(folders), tuple(heatmaps), tuple(standings), comparisons, gaps, obstacles)


def _stand(folder: Path, heatmaps: Sequence[Heatmap], scorer: str | None) -> list[Standing]:
    loaded = load(folder, scorer)
    standings = []
    for heatmap, statistics in zip(heatmaps, read_statistics(folder, scorer), strict=True):
        lines = [
            line
            for line in loaded.states.values()
            if (line["task"], line["language"]) == (heatmap.task, heatmap.language)
        ]
        verdicts = dict(heatmap.left_out)
        for line in lines:
            verdict = loaded.scores.get(line["trial"], {}).get("verdict")
            in_grid = line["context_length"] in heatmap.grid.lengths and line["control"] is None
            if in_grid and verdict and verdict not in verdicts:
                verdicts[verdict] = 0
            if in_grid and verdict in verdicts and verdict not in heatmap.left_out:
                verdicts[verdict] += 1
        standings.append(make_standing(statistics, verdicts, lines, simulated=heatmap.simulated))
    return standings


def compare_folders(
    folders: Sequence[Path],
    scorer: str | None,
    labels: Language | None,
    *,
    side_by_side: bool,
    as_json: bool,
) -> int:
    """Print what can be said of runs; return the exit status."""
    contest = hold_contest(folders, scorer, side_by_side=side_by_side)
    if as_json:
        click.echo(_write_json(contest))
        return DONE
    language = labels or "en"
    print_table(contest, language)
    for sentence in describe(contest, language):
        click.echo(sentence)
    return DONE


def describe(contest: Contest, language: Language) -> list[str]:
    """Say what may be concluded, a line each: of each run, of pairs, and of languages."""
    names = {"en": {"en": "English", "zh": "Chinese"}, "zh": {"en": "英文", "zh": "中文"}}[language]
    told = [
        f"[{each.statistics.model}, {each.statistics.task}, {names[each.statistics.language]}] "
        + ("" if language == "zh" else " ").join(conclude(each.statistics, language))
        for each in contest.standings
    ]
    told += [conclude_comparison(each, language) for each in (*contest.comparisons, *contest.gaps)]
    told += [f"not tested: {obstacle}" for obstacle in contest.obstacles]
    if not contest.obstacles and len(contest.folders) > 1 and not contest.comparisons:
        told.append("not tested: the runs have no scored trial in common")
    return told


def print_table(contest: Contest, language: Language) -> None:
    """Print the standings, a column each."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(zip(*tabulate(contest.standings, language), strict=True))
    table = Table(box=SIMPLE_HEAD, show_header=True, pad_edge=False)
    for number, name in enumerate(rows[0]):
        table.add_column(Text(name), justify="left" if number == 0 else "right")
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    width = None if sys.stdout.isatty() else 60 * len(rows[0])
    Console(width=width, highlight=False).print(table)


def _write_json(contest: Contest) -> str:
    import json

    record: Mapping[str, Any] = {
        "standings": [asdict(each) for each in contest.standings],
        "comparisons": [asdict(each) for each in contest.comparisons],
        "languages": [asdict(each) for each in contest.gaps],
        "not_tested": list(contest.obstacles),
    }
    return json.dumps(record, ensure_ascii=False, indent=1)


def name_contest(folders: Sequence[Path]) -> str:
    """Return a short name for figures of several runs: that of one set of runs in one order."""
    runs = [load_run(folder).run_id for folder in folders]
    return hashlib.sha256("\n".join(runs).encode()).hexdigest()[:8]
