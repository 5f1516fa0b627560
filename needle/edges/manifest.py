"""A publication's manifest: the sha256 and size of every file in its folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from needle import __version__
from needle.words.errors import UsageError

MANIFEST = "manifest.json"
FORMAT = "needle publication 1"


@dataclass(frozen=True, slots=True)
class Sum:
    """A file as it was published."""

    sha256: str
    size: int


def write_manifest(folder: Path, runs: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the manifest of a folder's files, with what the runs in it are."""
    files = {name: _sum(folder / name) for name in list_files(folder) if name != MANIFEST}
    record = {
        "format": FORMAT,
        "needle": __version__,
        "runs": list(runs),
        "files": {n: {"sha256": s.sha256, "size": s.size} for n, s in files.items()},
    }
    return (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()


def list_files(folder: Path) -> list[str]:
    """Return the names of all files below a folder, in order, with / between their parts."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() or path.is_symlink()
    )


def _sum(path: Path) -> Sum:
    with path.open("rb") as file:
        return Sum(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def read_manifest(folder: Path) -> dict[str, Sum]:
    """Return the files that a folder's manifest names; raise UsageError where it has none."""
    path = folder / MANIFEST
    if not path.is_file():
        raise UsageError(f"no publication in {folder}: it has no {MANIFEST} (give its folder)")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        files = {
            str(name): Sum(str(each["sha256"]), int(each["size"]))
            for name, each in record["files"].items()
        }
        known = record["format"] == FORMAT
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{path} is no manifest that needle wrote: {error!r}") from error
    if not known:
        raise UsageError(f"{path} has another format than {FORMAT!r}: use the needle that wrote it")
    return files


def find_changes(folder: Path) -> list[str]:
    """Say of each file that is not as its folder's manifest has it what is wrong, a line each.

    Raises UsageError where there is no manifest.
    """
    told, there = read_manifest(folder), list_files(folder)
    changes = {}
    for name, was in told.items():
        if name not in there:
            changes[name] = f"missing: {name}"
        elif _differs(folder / name, was):
            changes[name] = f"changed: {name}"
    for name in there:
        if name not in told and name != MANIFEST:
            changes[name] = f"added: {name}"
    return [changes[name] for name in sorted(changes)]


def _differs(path: Path, was: Sum) -> bool:
    try:
        return _sum(path) != was
    except OSError:
        return True
