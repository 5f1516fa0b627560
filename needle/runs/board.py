"""The progress of many runs on the terminal: a line for each, or plain lines elsewhere.

Everything goes to standard error, as with one run.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TextIO

from needle.runs.progress import Tally
from needle.words.types import Asked, Run, Score, Trial

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LINE_EVERY_S = 10.0
_OTHER_ROWS = 3  # the line of all together, what was said, and the cursor's


class Row:
    """One run's watch, which lets the board know."""

    def __init__(self, board: "Board", name: str, run: Run) -> None:
        """Begin at nothing."""
        self.name, self.tally = name, Tally(run)
        self._board = board
        self._begun = False

    @property
    def done(self) -> bool:
        """Whether all that is known to be asked has come back."""
        return self._begun and self.tally.done >= self.tally.todo

    def begin(self, todo: Sequence[Trial], before: Sequence[tuple[Trial, Score]]) -> None:
        """See ``runner.Watch``."""
        self._begun = True
        self.tally.begin(todo, before)

    def go_on(self, todo: Sequence[Trial]) -> None:
        """See ``runner.Watch``."""
        self.tally.go_on(todo)

    def show(
        self, trial: Trial, asked: Asked, score: Score, cost: Mapping[str, Any] | None
    ) -> None:
        """See ``runner.Watch``."""
        self.tally.add(trial, asked, score, cost)
        self._board.look(self)

    def say(self, sentence: str) -> None:
        """See ``runner.Watch``."""
        self._board.say(f"{self.name}: {sentence}")

    def describe(self) -> str:
        """Describe how far the run has come, in one line."""
        return self.tally.describe() if self._begun else "waits"


class Board:
    """All runs of a sweep: drawn in place on a terminal, in plain lines elsewhere."""

    def __init__(self, stream: TextIO | None = None, console: "Console | None" = None) -> None:
        """Write to standard error, or to a stream or console given."""
        self._stream = stream or sys.stderr
        self._rows: list[Row] = []
        self._said = ""
        self._last = time.monotonic()
        self._console = console
        if console is None and stream is None and sys.stderr.isatty():
            from rich.console import Console

            self._console = Console(stderr=True)
        self._live: Any = None

    def add_row(self, name: str, run: Run) -> Row:
        """Return the watch of a further run."""
        row = Row(self, name, run)
        self._rows.append(row)
        return row

    def look(self, row: Row) -> None:
        """Be told that a run has come further."""
        if self._live is not None:
            return
        now = time.monotonic()
        if row.done:
            self.say(f"{row.name}: {row.describe()}")
        elif now - self._last >= _LINE_EVERY_S:
            self._last = now
            self.say(self.describe())

    def say(self, sentence: str) -> None:
        """Say something that concerns a run, or all."""
        if self._live is not None:
            self._said = sentence
            return
        print(sentence, file=self._stream, flush=True)

    def describe(self) -> str:
        """Describe in one line how far all runs have come together."""
        tallies = [row.tally for row in self._rows]
        money: dict[str, float] = {}
        for tally in tallies:
            for currency, amount in tally.money.items():
                money[currency] = money.get(currency, 0.0) + amount
        done = sum(tally.before + tally.done for tally in tallies)
        whole = sum(tally.before + tally.todo for tally in tallies)
        parts = [
            f"{sum(row.done for row in self._rows)}/{len(self._rows)} runs",
            f"{done}/{whole} trials",
            f"{sum(tally.tokens for tally in tallies):,} tokens",
            *(f"{amount:.4g} {currency}" for currency, amount in money.items()),
        ]
        return " · ".join(parts)

    def render(self) -> "RenderableType":
        """Return what stands on the terminal now: a row for each run, as many as there is room."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        room = (self._console.size.height if self._console else len(self._rows)) - _OTHER_ROWS
        rows = self._rows
        if len(rows) > room:  # those that are done give way
            rows = sorted(rows, key=lambda row: row.done)[: max(room, 1)]
        table = Table.grid(padding=(0, 2))
        for row in rows:
            style = "dim" if row.done else ""
            table.add_row(Text(row.name, style="bold"), Text(row.describe(), style=style))
        lines = [Text(self.describe(), style="bold")]
        if self._said:
            lines.append(Text(self._said, style="yellow"))
        return Group(table, *lines)

    def __enter__(self) -> Self:
        if self._console is not None:
            from rich.live import Live

            self._live = Live(
                console=self._console, get_renderable=self.render, refresh_per_second=4
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
