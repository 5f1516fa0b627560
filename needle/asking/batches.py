"""Batch files and what became of each, from the record that a run folder keeps of them. Pure.

The record only grows. What could be paid for twice is written down before it is done: from the
moment a file is uploaded a batch of it may exist, whether its making was heard of or not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

WRITTEN, UPLOADED, CREATED, REFUSED, ENDED = "written", "uploaded", "created", "refused", "ended"
"""The events of the record, and but for ``refused`` the states of a file."""

OVER = frozenset({"completed", "failed", "expired", "cancelled"})
"""A batch's states from which it does not go on."""

ID, FILE = "needle_id", "needle_file"
"""The metadata by which a batch is known again: whose file it is of, and which."""

_SHOWN = 3  # errors of a batch that are told
_COUNTS = ("total", "completed", "failed")

State = Literal["written", "uploaded", "created", "ended"]
Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A file of requests, and how far it has come.

    ``origin`` is drawn anew each time files are written, so that no other run's batch is taken
    for its own. ``tokens`` are those of all its prompts, ``trials`` the keys of its
    requests. ``file_id`` and ``batch`` are the vendor's names.
    """

    name: str
    origin: str
    sha256: str
    size: int
    tokens: int
    trials: tuple[str, ...]
    state: State = "written"
    file_id: str | None = None
    batch: str | None = None
    status: str | None = None

    @property
    def may_exist(self) -> bool:
        """Whether there may be a batch of it whose answers are still to be collected."""
        return self.state in (UPLOADED, CREATED)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as its vendor tells of it; ``expires_at`` is in seconds since the epoch.

    ``errors`` are the first faults found in its file, where it failed for them.
    """

    name: str
    status: str
    input_file: str | None
    output_file: str | None
    error_file: str | None
    total: int
    completed: int
    failed: int
    expires_at: int | None
    errors: tuple[str, ...]
    metadata: Mapping[str, Any]

    @property
    def over(self) -> bool:
        """Whether it does not go on."""
        return self.status in OVER


def describe_file(file: BatchFile) -> Line:
    """Return what the record says of a file when it has been written."""
    return {
        "file": file.name,
        "sha256": file.sha256,
        "bytes": file.size,
        "tokens": file.tokens,
        "trials": list(file.trials),
    }


def follow_files(lines: Iterable[Mapping[str, Any]]) -> dict[str, BatchFile]:
    """Return the files of a record by their names, in the order in which they were written.

    Files written later take the place of those not yet uploaded: those are left out.
    """
    files: dict[str, BatchFile] = {}
    for line in lines:
        event = line["event"]
        if event == WRITTEN:
            files = {name: file for name, file in files.items() if file.state != WRITTEN}
            files |= {each["file"]: _read_file(each, line["id"]) for each in line["files"]}
            continue
        file = files[line["file"]]
        if event == UPLOADED:
            file = replace(file, state="uploaded", file_id=line["file_id"])
        elif event == CREATED:
            file = replace(file, state="created", batch=line["batch"])
        elif event == REFUSED:
            file = replace(file, state="written", file_id=None)
        elif event == ENDED:
            file = replace(file, state="ended", status=line["status"])
        files[file.name] = file
    return files


def _read_file(record: Mapping[str, Any], origin: str) -> BatchFile:
    return BatchFile(
        name=record["file"],
        origin=origin,
        sha256=record["sha256"],
        size=record["bytes"],
        tokens=record["tokens"],
        trials=tuple(record["trials"]),
    )


def last_number(lines: Iterable[Mapping[str, Any]]) -> int:
    """Return the highest number that a file's name has had, so that none is used again."""
    names = (each["file"] for line in lines if line["event"] == WRITTEN for each in line["files"])
    return max((read_number(name) for name in names), default=0)


def name_file(number: int, part: str = "input") -> str:
    """Return the name of a numbered file of requests, or of what came back for it."""
    return f"{part}-{number:03d}.jsonl"


def read_number(name: str) -> int:
    """Return the number in a file's name."""
    return int(name.removesuffix(".jsonl").rpartition("-")[2])


def find_waiting(files: Iterable[BatchFile]) -> dict[str, BatchFile]:
    """Return the trials whose answers may come from an open batch, each with its file."""
    return {trial: file for file in files if file.may_exist for trial in file.trials}


def read_batch(data: Mapping[str, Any]) -> Batch:
    """Read a vendor's batch object; raise ValueError or its like if it is none."""
    name, status = data["id"], data["status"]
    if not (isinstance(name, str) and name and isinstance(status, str)):
        raise ValueError("no batch")
    counts, errors = data.get("request_counts"), data.get("errors")
    counts = counts if isinstance(counts, Mapping) else {}
    total, completed, failed = (_read_count(counts.get(count)) for count in _COUNTS)
    metadata = data.get("metadata")
    return Batch(
        name=name,
        status=status,
        input_file=_read_name(data.get("input_file_id")),
        output_file=_read_name(data.get("output_file_id")),
        error_file=_read_name(data.get("error_file_id")),
        total=total,
        completed=completed,
        failed=failed,
        expires_at=_read_moment(data.get("expires_at")),
        errors=tuple(_read_errors(errors)),
        metadata=metadata if isinstance(metadata, Mapping) else {},
    )


def _read_errors(errors: Any) -> list[str]:
    found = errors.get("data") if isinstance(errors, Mapping) else None
    told = []
    for error in found if isinstance(found, list) else []:
        if isinstance(error, Mapping):
            place = f"line {error['line']}: " if isinstance(error.get("line"), int) else ""
            words = [error.get("code"), error.get("message")]
            told.append(place + " ".join(str(word) for word in words if word))
    more = len(told) - _SHOWN
    return [*told[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _read_name(value: Any) -> str | None:
    """Return a vendor's name for a file: some write an empty one where there is none."""
    return value if isinstance(value, str) and value else None


def _read_count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0


def _read_moment(value: Any) -> int | None:
    """Return a moment in seconds; None for one that no calendar has."""
    return value if type(value) is int and 0 < value < 10**11 else None


def is_of(batch: Batch, file: BatchFile) -> bool:
    """Tell whether a batch was made of a file."""
    if file.file_id is not None and batch.input_file == file.file_id:
        return True
    return (batch.metadata.get(ID), batch.metadata.get(FILE)) == (file.origin, file.name)
