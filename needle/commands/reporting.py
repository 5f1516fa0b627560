"""What the command that makes a report page does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from needle.commands.showing import DONE
from needle.words.errors import StoreError


def make_report(
    folders: Sequence[Path],
    output: Path | None,
    labels: Any,
    palette: Any,
    scorer: str | None,
    task: str | None,
) -> int:
    """Write the report page of run folders, and say where it is."""
    from needle.edges.files import check_name
    from needle.edges.store import write_whole
    from needle.runs.loading import list_once
    from needle.runs.report import gather, make_page, name_page

    if output is not None:
        check_name(output, ".html", "--output")
    tasks = [name.strip() for name in (task or "").split(",") if name.strip()]
    report = gather(folders, scorer, tasks)
    path = output or name_page(list_once(folders))
    page = make_page(report, labels, palette)
    try:
        write_whole(path, page)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"can't write {path}: {reason} (--output)") from error
    click.echo(f"{path} ({len(page) / 1e6:.1f} MB)")
    return DONE
