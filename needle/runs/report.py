"""From run folders to the report page: one file of HTML that needs nothing else."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from needle import __version__
from needle.edges.store import RUN, load_run
from needle.edges.webpage import build_page
from needle.runs.contest import gather_contest, name_contest
from needle.runs.loading import Loaded, list_once, load, name_folders
from needle.runs.reproduce import make_again
from needle.runs.surroundings import find_surroundings
from needle.statistics.conclusions import conclude, conclude_comparison
from needle.telling.gaps import describe_gap
from needle.telling.palettes import DIFFERENCES, PALETTES, Palette
from needle.telling.reportdata import Again, Paired, Report, RunShown, Told, name_runs, write_report
from needle.telling.reporttrials import Room
from needle.words.claims import Comparison, Statistics
from needle.words.errors import UsageError
from needle.words.figures import Heatmap
from needle.words.types import LANGUAGES, Language

MOST = 5_900_000
"""Bytes that a page is kept within, as far as shorter texts can do it."""

_ROOMS = (
    Room(),
    Room(answer=20_000, reasoning=20_000),
    Room(answer=8_000, reasoning=2_000),
    Room(answer=8_000, reasoning=1_000, around=120),
    Room(answer=4_000, reasoning=400, around=120),
    Room(answer=2_000, reasoning=200, around=60),
    Room(answer=300, reasoning=0, around=30),
)
"""What is cut first, and what last, where all that the runs hold would be too much."""


def gather(folders: Iterable[Path], scorer: str | None = None, tasks: Sequence[str] = ()) -> Report:
    """Read run folders into a report. ``tasks`` are those shown, all where none is named.

    Raises UsageError for a folder without a run, a scorer that has scored nothing there, and a
    task that no run has.
    """
    folders = list_once(folders)
    runs = [load_run(folder) for folder in folders]
    there = dict.fromkeys(task for run in runs for task in run.tasks)
    for task in tasks:
        if task not in there:
            raise UsageError(
                f"no task {task!r} (--task) in these runs: there are {', '.join(there)}"
            )
    chosen = set(tasks) or set(there)
    everything = [load(folder, scorer) for folder in folders]
    contest = gather_contest(everything, side_by_side=True)
    each = zip(contest.heatmaps, (x.statistics for x in contest.standings), strict=True)
    shown = tuple(
        _show(name, loaded, list(islice(each, len(run.tasks) * len(run.languages))), chosen)
        for name, loaded, run in zip(name_folders(folders), everything, runs, strict=True)
    )
    paired = tuple(
        _say(comparison)
        for comparison in (*contest.comparisons, *contest.gaps)
        if comparison.task in chosen
    )
    return Report(shown, paired, contest.obstacles)


def _say(comparison: Comparison) -> Paired:
    sentences = {language: conclude_comparison(comparison, language) for language in LANGUAGES}
    return Paired(comparison, sentences)


def _show(
    name: str, loaded: Loaded, drawn: Sequence[tuple[Heatmap, Statistics]], tasks: set[str]
) -> RunShown:
    folder, run = loaded.folder, loaded.run
    again = make_again(run)
    gaps = {x: tuple(describe_gap(gap, x) for gap in again.gaps) for x in LANGUAGES}
    drawn = [(heatmap, statistics) for heatmap, statistics in drawn if heatmap.task in tasks]
    return RunShown(
        folder=name,
        run=run,
        config=(folder / RUN).read_text(encoding="utf-8"),
        again=Again(again.command, again.files, gaps),
        heatmaps=tuple(heatmap for heatmap, _ in drawn),
        told=tuple(
            Told(statistics, {language: conclude(statistics, language) for language in LANGUAGES})
            for _, statistics in drawn
        ),
        states=loaded.states,
        scores=loaded.every,
        around={
            trial: tuple((place.before, place.after) for place in around.places)
            for trial, around in find_surroundings(run, loaded.states).items()
        },
    )


def make_page(
    report: Report, labels: Language | None = None, palette: Palette = "published"
) -> bytes:
    """Return the page's bytes: the same for the same report.

    ``labels`` is the language that it opens in, the browser's unless given. Long texts are cut
    only where the page would otherwise grow too large, and it says how much is left out.
    """
    names = ", ".join(name_runs(report.runs))
    colours = {"palette": palette, "palettes": PALETTES, "differing": DIFFERENCES}
    look = {"labels": labels, "version": __version__, **colours}
    for room in _ROOMS:
        data = {**write_report(report, room), **look}
        page = build_page(data, f"needle: {names}", labels or "en")
        if len(page) <= MOST:
            break
    return page


def name_page(folders: Sequence[Path]) -> Path:
    """Return where a page goes unless told otherwise.

    One run's goes into its folder; that of several beside the first, named by all of them.
    """
    if len(folders) == 1:
        return folders[0] / "report.html"
    return folders[0].parent / f"report-{name_contest(folders)}.html"
