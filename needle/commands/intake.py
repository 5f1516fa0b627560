"""What ``needle import`` does: others' results into run folders, drawn like any other."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import click

from needle.commands.showing import DONE, print_drawn
from needle.runs.drawing import draw_run
from needle.runs.importing import Wish, import_results
from needle.runs.loading import load
from needle.words.errors import UsageError


def bring_in(paths: Sequence[Path], wish: Wish, out: Path) -> int:
    """Import results and draw them; results that are there already are found again."""
    if wish.date is not None:
        _check_date(wish.date)
    today = datetime.now(UTC).astimezone().date().isoformat()
    for brought in import_results(paths, wish, out, today):
        verb = "imported already" if brought.known else "imported"
        run = brought.run
        click.echo(
            f"{brought.folder}: {verb}, {run.trials:,} results of {run.model.name}", err=True
        )
        for note in brought.notes:
            click.echo(f"note: {note}", err=True)
        print_drawn(*draw_run(load(brought.folder)))
    return DONE


def _check_date(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"not a date: {text!r} (--date): use 2023-11-08") from error
