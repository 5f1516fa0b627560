"""What ``needle publish`` does: a folder of all that runs have to show, or a check of one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from needle.commands.showing import DONE
from needle.words.errors import UsageError

DIFFERS = 1


def publish_runs(
    folders: Sequence[Path], out: Path | None, scorer: str | None, palette: Any, dpi: int | None
) -> int:
    """Make a publication of run folders, and say where it is."""
    from needle.commands.publication import publish
    from needle.commands.showcase import Look
    from needle.drawing.canvas import DPI, FORMATS, check_output

    if not folders:
        raise UsageError("which runs? (RUN): needle publish RUN ... --out DIR")
    if out is None:
        raise UsageError("where to? (--out): needle publish RUN ... --out DIR")
    look = Look(palette, DPI if dpi is None else dpi)
    check_output(FORMATS, look.dpi)
    names = publish(folders, out, scorer, look)
    click.echo(f"{out}: {len(names)} files, with README.md to read first")
    return DONE


def check_publication(folder: Path) -> int:
    """Hold a publication against its manifest: a line a file that differs."""
    from needle.edges.manifest import find_changes, read_manifest

    changes = find_changes(folder)
    for change in changes:
        click.echo(change)
    number = len(read_manifest(folder))
    told = f"{len(changes)} differ" if changes else "all as published"
    click.echo(f"{folder}: {number} files, {told}", err=True)
    return DIFFERS if changes else DONE
