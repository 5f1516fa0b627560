"""A run's progress on the terminal: the heatmap filling in, or plain lines elsewhere.

Everything goes to standard error; standard output is for what a command is asked for.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TextIO

from needle.contexts.grid import format_length
from needle.runs.loading import Loaded
from needle.statistics.cells import Scored, make_cells
from needle.telling.palettes import PALETTES
from needle.words.figures import Cell
from needle.words.types import Asked, Failure, Language, Reply, Run, Score, Trial

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_UNSCORED_SIGN = {"truncated": "✂", "filtered": "⊘", "failed": "×", "not_run": "·"}
_LINE_EVERY_S = 10.0
_LABELS = 7  # columns of the depths' labels
_GAP = 2  # columns between two maps
_OTHER_ROWS = 4  # the tally, what was said, and the cursor's line
_AROUND_MAP = 2  # a map's title and its lengths


class Tally:
    """What a run's watchers count: trials, tokens, money, and the cells so far."""

    def __init__(self, run: Run) -> None:
        """Begin at nothing."""
        self.run = run
        self.todo = 0
        self.before = 0
        self.done = 0
        self.tokens = 0
        self.money: dict[str, float] = {}
        self.failures: dict[str, int] = {}
        self.task = run.tasks[0]  # that of the latest trial: its maps are shown
        self.scored: dict[tuple[str, Language], list[Scored]] = {
            (task, language): [] for task in run.tasks for language in run.languages
        }
        self.began = time.monotonic()
        self._ours_todo = self._ours_done = 0  # prompt tokens by our own count

    def begin(self, todo: Sequence[Trial], before: Sequence[tuple[Trial, Score]]) -> None:
        """Take in what came before, and start the clock for what is to be asked."""
        self.todo, self.before, self.began = len(todo), len(before), time.monotonic()
        self._ours_todo = sum(trial.prompt_tokens for trial in todo)
        for trial, score in before:
            self._place(trial, score)

    def take_in(self, scored: Mapping[tuple[str, Language], Sequence[Scored]], number: int) -> None:
        """Take in all of a run that nothing is left of: so many outcomes, controls among them."""
        self.before = number
        for stream, each in scored.items():
            self.scored[stream] = list(each)
            self.task, _ = stream

    def go_on(self, todo: Sequence[Trial]) -> None:
        """Take in further trials that are to be asked."""
        self.todo += len(todo)
        self._ours_todo += sum(trial.prompt_tokens for trial in todo)

    def add(self, trial: Trial, asked: Asked, score: Score, cost: Mapping[str, Any] | None) -> None:
        """Count one outcome."""
        self.done += 1
        self._ours_done += trial.prompt_tokens
        reply = asked.result if isinstance(asked.result, Reply) else asked.result.reply
        if reply is not None:
            self.tokens += reply.endpoint_prompt_tokens or trial.prompt_tokens
            self.tokens += reply.completion_tokens or 0
        if isinstance(asked.result, Failure):
            kind = asked.result.kind
            self.failures[kind] = self.failures.get(kind, 0) + 1
        if cost:
            self.money[cost["currency"]] = self.money.get(cost["currency"], 0) + cost["amount"]
        self._place(trial, score)

    def _place(self, trial: Trial, score: Score) -> None:
        if trial.depth_percent is None:
            return  # a control stands in no cell
        self.task = trial.task
        self.scored[trial.task, trial.language].append(
            Scored(
                trial.replicate,
                trial.context_length,
                trial.depth_percent,
                score.score,
                score.verdict,
            )
        )

    def remaining_s(self) -> float | None:
        """Return the seconds left by the pace of tokens so far; None before there is one."""
        if not self._ours_done:
            return None
        pace = (time.monotonic() - self.began) / self._ours_done
        return pace * (self._ours_todo - self._ours_done)

    def describe(self) -> str:
        """Describe the tally in one line: count, tokens, money, failures, time left."""
        whole = self.todo + self.before
        parts = [f"{self.before + self.done}/{whole} trials", f"{self.tokens:,} tokens"]
        parts += [f"{amount:.4g} {currency}" for currency, amount in self.money.items()]
        if self.failures:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.failures.items())
            parts.append(f"failed: {kinds}")
        left = self.remaining_s()
        if left is not None and self.done < self.todo:
            parts.append(f"{_write_time(left)} left")
        return " · ".join(parts)


def _write_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class PlainWatch:
    """Plain lines, at most one in ten seconds: for logs and pipes."""

    def __init__(self, run: Run, stream: TextIO | None = None) -> None:
        """Write to standard error, or to a stream given."""
        self.tally = Tally(run)
        self._stream = stream or sys.stderr
        self._last = 0.0

    def begin(self, todo: Sequence[Trial], before: Sequence[tuple[Trial, Score]]) -> None:
        """See ``runner.Watch``."""
        self.tally.begin(todo, before)
        self._last = time.monotonic()

    def go_on(self, todo: Sequence[Trial]) -> None:
        """See ``runner.Watch``."""
        self.tally.go_on(todo)

    def show(
        self, trial: Trial, asked: Asked, score: Score, cost: Mapping[str, Any] | None
    ) -> None:
        """See ``runner.Watch``."""
        self.tally.add(trial, asked, score, cost)
        now = time.monotonic()
        if now - self._last >= _LINE_EVERY_S or self.tally.done == self.tally.todo:
            self._last = now
            self.say(self.tally.describe())

    def say(self, sentence: str) -> None:
        """See ``runner.Watch``."""
        print(sentence, file=self._stream, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class LiveWatch:
    """The heatmaps filling in, drawn in place on a terminal."""

    def __init__(self, run: Run, console: "Console | None" = None) -> None:
        """Draw on standard error's terminal, or on a console given."""
        from rich.console import Console
        from rich.live import Live

        self.tally = Tally(run)
        self._said = ""
        self._console = console or Console(stderr=True)
        self._live = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=4,
        )

    def begin(self, todo: Sequence[Trial], before: Sequence[tuple[Trial, Score]]) -> None:
        """See ``runner.Watch``."""
        self.tally.begin(todo, before)

    def go_on(self, todo: Sequence[Trial]) -> None:
        """See ``runner.Watch``."""
        self.tally.go_on(todo)

    def show(
        self, trial: Trial, asked: Asked, score: Score, cost: Mapping[str, Any] | None
    ) -> None:
        """See ``runner.Watch``."""
        self.tally.add(trial, asked, score, cost)

    def say(self, sentence: str) -> None:
        """See ``runner.Watch``."""
        self._said = sentence

    def render(self) -> "RenderableType":
        """Return what stands on the terminal now: the maps beside each other where they fit."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        run, size = self.tally.run, self._console.size
        number = len(run.languages)
        beside = number * (_LABELS + len(run.grid.lengths) + _GAP) <= size.width
        wide = (
            2
            if beside and number * (_LABELS + 2 * len(run.grid.lengths) + _GAP) <= size.width
            else 1
        )
        rows = (size.height - _OTHER_ROWS) // (1 if beside else number) - _AROUND_MAP
        task = self.tally.task
        maps = [
            draw_text_heatmap(
                run,
                task,
                language,
                make_cells(run, task, language, self.tally.scored[task, language]),
                rows,
                wide,
            )
            for language in run.languages
        ]
        sheet: RenderableType = Group(*maps)
        if beside:
            table = Table.grid(padding=(0, _GAP))
            table.add_row(*maps)
            sheet = table
        lines = [Text(self.tally.describe(), style="bold")]
        if self._said:
            lines.append(Text(self._said, style="yellow"))
        return Group(sheet, *lines)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def show_whole(loaded: Loaded) -> None:
    """Show the heatmaps of a run that nothing is left of, as they stood at its end."""
    with LiveWatch(loaded.run) as watch:
        watch.tally.take_in(loaded.joined, len(loaded.states))


def draw_text_heatmap(
    run: Run, task: str, language: Language, cells: tuple[Cell, ...], rows: int, wide: int
) -> "Text":
    """Draw a heatmap in characters, ``wide`` of them a cell, the document's top at the top.

    A grid with more depths than there are rows shows every second, third... of them.
    """
    from rich.text import Text

    names = {"en": "English", "zh": "Chinese"}
    simulated = " · simulated endpoint" if run.model.simulated else ""
    told = "" if run.tasks == ("single",) else f" · {task}"
    text = Text(f"{run.model.name}{told} · {names[language]}{simulated}\n", style="bold")
    by_place = {(cell.context_length, cell.depth_percent): cell for cell in cells}
    step = -(-len(run.grid.depths) // max(rows, 1))
    for depth in run.grid.depths[::step]:
        text.append(f"{depth:>5.4g}% ", style="dim")
        for length in run.grid.lengths:
            text.append_text(_draw_cell(by_place[length, depth], wide))
        text.append("\n")
    first, last = format_length(run.grid.lengths[0]), format_length(run.grid.lengths[-1])
    gap = max(1, wide * len(run.grid.lengths) - len(first) - len(last))
    text.append(f"{' ' * _LABELS}{first}{' ' * gap}{last}", style="dim")
    return text


def _draw_cell(cell: Cell, wide: int) -> "Text":
    from rich.text import Text

    if cell.score is None:
        unscored = max(cell.verdicts, key=lambda verdict: cell.verdicts[verdict])
        return Text(_UNSCORED_SIGN.get(unscored, "·").rjust(wide), style="dim")
    return Text("█" * wide, style=mix_colour(cell.score))


def mix_colour(score: float) -> str:
    """Return the published colour scale's colour of a score, as #rrggbb."""
    lowest, middle, highest = PALETTES["published"]
    low, high = (lowest, middle) if score < 0.5 else (middle, highest)  # noqa: PLR2004
    share = score * 2 if score < 0.5 else score * 2 - 1  # noqa: PLR2004
    channels = (
        round(int(low[i : i + 2], 16) * (1 - share) + int(high[i : i + 2], 16) * share)
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{channel:02x}" for channel in channels)


class JudgeProgress:
    """How many replies are judged: one line that changes on a terminal, nothing elsewhere."""

    def __init__(self, whole: int, stream: TextIO | None = None) -> None:
        """Begin at nothing, of so many replies to be judged."""
        self.stream = stream or sys.stderr
        self.whole, self.done, self.failed = whole, 0, 0

    def show(self, score: Score) -> None:
        """Count one verdict, or one failure of the judge."""
        self.done += 1
        self.failed += score.extra["failure"] is not None
        if self.stream.isatty():
            failed = f", {self.failed} failed" if self.failed else ""
            end = "\n" if self.done == self.whole else ""
            print(f"\rjudged {self.done}/{self.whole}{failed}", end=end, file=self.stream)
            self.stream.flush()

    def say(self, sentence: str) -> None:
        """Say something that concerns the whole judging."""
        print(sentence, file=self.stream)
