"""needle from Python: run, load and compare, by the command line's names (docs/python.md)."""

import asyncio
import contextlib
import difflib
import io
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from needle.edges.store import load_run
from needle.runs import loading
from needle.runs.contest import Contest, gather_contest
from needle.runs.drawing import collect_heatmaps
from needle.runs.evidence import read_statistics
from needle.runs.reproduce import write_command
from needle.words.errors import Stopped, UsageError
from needle.words.types import Language, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from needle.edges.tables import Frame
    from needle.telling.palettes import Palette

AnyPath = str | PathLike[str]
Several = str | Sequence[str]
Numbers = str | Sequence[int | float | str]
Result = TypeVar("Result")


class Options(TypedDict, total=False):
    """What ``run`` takes besides a model: the options of ``needle run``, none of them needed."""

    config: AnyPath
    language: str
    task: Several
    grid: str
    lengths: Numbers
    length_count: int
    depths: Numbers
    depth_count: int
    spacing: str
    unit: str
    count: str
    tokenizer: AnyPath
    needle: AnyPath
    facts: int
    distractors: int
    hops: int
    controls: str
    layout: str
    adaptive: bool
    haystack: AnyPath | Sequence[AnyPath]
    prompt: AnyPath
    replicates: int
    seed: int
    base_url: str
    window: int | str
    reply_tokens: int
    temperature: float
    stream: bool
    timeout: float
    concurrency: int
    scorer: Several
    judge_model: str
    judge_base_url: str
    tier: str | int
    rpm: int
    tpm: int | str
    tpd: int | str
    params: float
    out: AnyPath
    budget: str
    rate: Several
    again: bool
    faults: str
    cache: str


@dataclass(frozen=True)
class Results:
    """A run folder's results. ``scorer`` is whose scores count: the run's primary one if None."""

    folder: Path
    scorer: str | None = None

    @cached_property
    def config(self) -> Run:
        """The run's resolved configuration, as run.yaml holds it."""
        return load_run(self.folder)

    @cached_property
    def table(self) -> "Frame":
        """The tidy table: one row a trial and scorer (docs/table.md)."""
        from needle.edges.tables import make_table

        return make_table(self.folder)

    @cached_property
    def statistics(self) -> "Frame":
        """All estimates with their intervals, one a row, told apart by the column ``kind``.

        ``overall``, ``base``, ``length``, ``depth`` and ``cell`` are shares of 1;
        ``effective_absolute`` and ``effective_relative`` are lengths (docs/statistics.md).
        """
        from needle.edges.tables import make_frame
        from needle.statistics.estimates import STATISTICS, list_estimates

        told = read_statistics(self.folder, self.scorer)
        return make_frame((row for each in told for row in list_estimates(each)), STATISTICS)

    @property
    def command(self) -> str:
        """The command line that makes the same run again."""
        return write_command(self.config)

    def heatmap(
        self,
        language: Language | None = None,
        task: str | None = None,
        *,
        words: Language | None = None,
        palette: "Palette" = "published",
    ) -> "Figure":
        """Draw a heatmap, its weak region outlined: of the first task and language unless named.

        ``words`` is the language of the figure's words, that of the text unless given. Raises
        UsageError for a task or language that the run has not.
        """
        from needle.drawing.heatmaps import build_figure
        from needle.statistics.weakness import find_weak_region

        for heatmap in collect_heatmaps(self.folder, self.scorer):
            named = task or heatmap.task, language or heatmap.language
            if named == (heatmap.task, heatmap.language):
                weak = find_weak_region(heatmap)
                return _show(build_figure(heatmap, words, weak=weak, palette=palette))
        raise UsageError(
            f"{self.folder} has no {task or self.config.tasks[0]} in {language}: it has "
            f"{', '.join(self.config.tasks)} in {', '.join(self.config.languages)}"
        )

    def conclusions(self, language: Language = "en") -> list[str]:
        """Say what may be concluded, and no more, a sentence each."""
        from needle.statistics.conclusions import conclude

        told = read_statistics(self.folder, self.scorer)
        return [sentence for each in told for sentence in conclude(each, language)]


@dataclass(frozen=True)
class Compared:
    """Runs held against each other. ``obstacles`` say why nothing was tested, where it was not."""

    runs: tuple[Results, ...]
    contest: Contest

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What keeps the runs from being compared in pairs; nothing where they were."""
        return tuple(self.contest.obstacles["en"])

    @cached_property
    def table(self) -> "Frame":
        """The tidy tables of all runs in one, with each run's name in the column ``run``."""
        from needle.edges.tables import join_tables

        return join_tables(_name_runs(self.runs))

    @cached_property
    def statistics(self) -> "Frame":
        """All estimates of all runs, with the model of each in the column ``model``."""
        from needle.edges.tables import make_frame
        from needle.statistics.estimates import STATISTICS, list_estimates

        told = [standing.statistics for standing in self.contest.standings]
        return make_frame((row for each in told for row in list_estimates(each)), STATISTICS)

    @cached_property
    def tests(self) -> "Frame":
        """The comparisons in pairs, one a row: of models, and of each run's two languages."""
        from needle.edges.tables import make_frame
        from needle.statistics.estimates import TESTS, list_test

        return make_frame(map(list_test, (*self.contest.comparisons, *self.contest.gaps)), TESTS)

    def sheet(
        self,
        task: str | None = None,
        *,
        words: Language = "en",
        palette: "Palette" = "published",
        title: str | None = None,
    ) -> "Figure":
        """Draw a task's heatmaps side by side on one scale: the first task unless one is named.

        Raises UsageError for a task that no run has.
        """
        from needle.drawing.sheets import build_sheet
        from needle.runs.exhibits import make_panels

        tasks = tuple(dict.fromkeys(heatmap.task for heatmap in self.contest.heatmaps))
        panels = make_panels(self.contest, task or tasks[0])
        if not panels:
            raise UsageError(f"no task {task!r} in these runs: there are {', '.join(tasks)}")
        return _show(build_sheet(panels, words, palette=palette, title=title))

    def difference(
        self, row: int = 0, *, words: Language | None = None, palette: "Palette" = "published"
    ) -> "Figure":
        """Draw the map of a difference, cells beyond chance outlined: that of a row of ``tests``.

        ``words`` is the language of the figure's words, that of the text unless given. Raises
        UsageError where there is no such row.
        """
        from needle.drawing.differences import build_difference
        from needle.runs.exhibits import find_grid, find_sides

        compared = (*self.contest.comparisons, *self.contest.gaps)
        if not 0 <= row < len(compared):
            raise UsageError(f"no row {row} in tests: there are {len(compared)}, from 0")
        each = compared[row]
        sides = find_sides(self.contest, each)
        grid = find_grid(each)
        return _show(build_difference(each, grid, words, sides=sides, palette=palette))

    def conclusions(self, language: Language = "en") -> list[str]:
        """Say what may be concluded, and no more: of each run, of pairs, and of languages."""
        from needle.commands.versus import describe

        return describe(self.contest, language)


def _name_runs(runs: Iterable[Results]) -> dict[str, Path]:
    """Name runs by their run-ids, and by their folders where two have the same."""
    several = list(runs)
    names = [result.config.run_id for result in several]
    if len(set(names)) < len(names):
        names = [str(result.folder) for result in several]
    return dict(zip(names, (result.folder for result in several), strict=True))


def _show(figure: "Figure") -> "Figure":
    """Let a notebook show a figure that pyplot knows nothing of."""
    from needle.drawing.canvas import plain_style
    from needle.drawing.fonts import LATIN

    def draw() -> bytes:
        file = io.BytesIO()
        with plain_style((LATIN,)):
            figure.savefig(file, format="png")
        return file.getvalue()

    figure._repr_png_ = draw  # type: ignore[attr-defined]  # IPython's protocol
    return figure


def run(model: str, **options: Unpack[Options]) -> Results:
    """Carry out a run, or go on with it where it was left, and return its results.

    The options are those of ``needle run`` under the same names, with _ for -. To call it is
    to agree that requests are sent; ``budget`` is never exceeded. Progress goes to standard error.
    Raises UsageError for what is wrong before anything is sent, and Stopped where the run
    ended before its last trial: the same call goes on with it.
    """
    said, extra = _read_options(model, options)
    from needle.commands.running import make_runs

    def work() -> Results:
        with contextlib.redirect_stdout(sys.stderr):
            _, made = make_runs(said.pop("config", None), said, yes=True, **extra)
        (folder, ending), *_ = made
        if ending.interrupted:
            raise KeyboardInterrupt
        if ending.stopped is not None:
            raise Stopped(f"{ending.stopped}; what is done is in {folder}") from ending.stopped
        return Results(folder)

    return _call_apart(work)


def load(folder: AnyPath, scorer: str | None = None) -> Results:
    """Load a run folder's results.

    Raises UsageError where there is no run, or where a scorer that is named has scored nothing.
    """
    results = Results(Path(folder), scorer)
    _ = results.config
    loading.require_scorer(results.folder, scorer)
    return results


def compare(
    *runs: Results | AnyPath, scorer: str | None = None, side_by_side: bool = False
) -> Compared:
    """Compare runs, by their folders or as they were loaded.

    ``scorer`` is whose scores count: that by which each was loaded unless given. Raises UsageError
    for runs that may not be compared, with what differs, unless they are only to be shown
    ``side_by_side``.
    """
    if not runs:
        raise UsageError("which runs? needle.compare(RUN, RUN, ...)")
    results = tuple(
        each if isinstance(each, Results) else Results(Path(each), scorer) for each in runs
    )
    first = {each.folder: each for each in reversed(results)}
    once = tuple(first[folder] for folder in loading.list_once(each.folder for each in results))
    everything = [loading.load(each.folder, scorer or each.scorer) for each in once]
    return Compared(once, gather_contest(everything, side_by_side=side_by_side))


def _read_options(model: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was said in a recipe's shape, and what is not of a recipe.

    Raises UsageError for an option that there is not.
    """
    from needle.commands.cli_asking import run as command
    from needle.commands.options import gather

    names = {
        option.removeprefix("--").replace("-", "_"): str(param.name)
        for param in command.params
        for option in param.opts
        if option.startswith("--")
    }
    for name in options:
        if name not in Options.__annotations__:
            near = difflib.get_close_matches(name, Options.__annotations__, n=1)
            advice = f"did you mean {near[0]}?" if near else "see needle run --help"
            raise UsageError(f"no option {name!r} (needle.run): {advice}")
    asked = {names[name]: _plain(each) for name, each in options.items() if each is not None}
    asked["model"] = (model,)
    for name in ("haystack", "base_url"):
        if isinstance(asked.get(name), str):
            asked[name] = (asked[name],)
    rate = asked.pop("rate", ())
    extra = {
        "out": Path(asked.pop("out", "runs")),
        "budget": asked.pop("budget", None),
        "rate": (rate,) if isinstance(rate, str) else tuple(rate),
        "again": asked.pop("again", False),
        "faults": asked.pop("faults", None),
    }
    config = asked.pop("config", None)
    said = gather(asked)
    return (said if config is None else {**said, "config": Path(config)}), extra


def _plain(value: Any) -> Any:
    """Return a value as a recipe has it: paths as text, several values as a list."""
    if isinstance(value, PathLike):
        return str(value)
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return [_plain(each) for each in value]


def _call_apart(work: Callable[[], Result]) -> Result:
    """Do some work here, or in a thread of its own where a loop is at work here already.

    So is one in a notebook. Ctrl-C stops what is at work there as it does here.
    """
    from needle.runs.stopping import Switch, with_switch

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    switch = Switch()
    results: list[Result] = []
    errors: list[BaseException] = []
    done = threading.Event()

    def work_apart() -> None:
        try:
            with with_switch(switch):
                results.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was called
            errors.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=work_apart, name="needle.run")
    thread.start()
    while not done.is_set():  # a join that is interrupted takes a thread for ended (CPython 3.11)
        try:
            done.wait()
        except KeyboardInterrupt:
            switch.press()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
