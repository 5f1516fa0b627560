"""Writing a run's requests into batch files: one prompt in memory at a time, split as vendors want.

The files are safe to delete once they are collected: the same command writes the same again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from needle.asking.batches import BatchFile, last_number, name_file
from needle.asking.batchlines import write_request
from needle.caching.prefixes import count_billed
from needle.edges.endpoint import batch_body
from needle.edges.store import BATCH_FOLDER, Draft, drop_unrecorded, read_record, record_written
from needle.runs.prepare import Prepared
from needle.runs.writing import passage_reader, write_prompt
from needle.words.errors import NeedleError, UsageError, known
from needle.words.tariffs import BatchTerms
from needle.words.types import Trial

UNKNOWN_TERMS = BatchTerms(most_bytes=200_000_000)
"""What a file may hold where no vendor is known to say otherwise: OpenAI's limits."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one file may hold; ``tokens`` of prompts, None for any number."""

    size: int
    requests: int
    tokens: int | None = None


def choose_room(terms: BatchTerms | None, most_tokens: int | None) -> Room:
    """Return what a vendor's files may hold, with no more tokens than the user wants."""
    terms = terms or UNKNOWN_TERMS
    return Room(terms.most_bytes, terms.most_requests, most_tokens)


def write_batches(
    prepared: Prepared,
    folder: Path,
    todo: Sequence[Trial],
    room: Room,
    at: str,
    say: Callable[[str], None],
) -> list[BatchFile]:
    """Write the requests of trials into files, and record them; ``at`` is the time now.

    They take the place of those that are not yet submitted. Raises UsageError for a request
    that is larger than a file may be, with nothing recorded.
    """
    origin = uuid4().hex
    number = last_number(read_record(folder)) + 1
    read = passage_reader(prepared)
    files: list[BatchFile] = []
    writing = _Writing(folder, number)
    try:
        for trial in todo:
            line = _write_trial(prepared, trial, read(trial))
            _refuse_larger(trial, line, room)
            if not writing.fits(trial, line, room):
                files.append(writing.keep(origin))
                writing = _Writing(folder, number + len(files))
            writing.add(trial, line)
        files.append(writing.keep(origin))
    except NeedleError:
        writing.drop()
        drop_unrecorded(folder)
        raise
    record_written(folder, origin, files, at)
    for file in files:
        say(f"{folder / BATCH_FOLDER / file.name}: {len(file.trials):,} requests")
    return files


def _refuse_larger(trial: Trial, line: bytes, room: Room) -> None:
    """Raise UsageError for a request that is larger than a file may be."""
    tokens = count_billed(trial)
    if len(line) > room.size:
        sizes, remedy = f"{len(line):,} bytes fits no batch file of {room.size:,}", ""
    elif room.tokens is not None and tokens > room.tokens:
        sizes, remedy = (
            f"{tokens:,} tokens fits no batch file of {room.tokens:,}",
            ", or larger --file-tokens",
        )
    else:
        return
    raise UsageError(
        f"a request of {sizes} ({trial.context_length:,} {trial.unit}): "
        f"use shorter --lengths{remedy}"
    )


def _write_trial(prepared: Prepared, trial: Trial, passage: str) -> bytes:
    run = prepared.run
    messages = write_prompt(run, trial, passage)
    body = batch_body(run.model, messages, run.temperature, known(run.reply_tokens))
    return write_request(trial.key, body)


class _Writing:
    """The file that is being written."""

    def __init__(self, folder: Path, number: int) -> None:
        self.name = name_file(number)
        self.draft = Draft(folder / BATCH_FOLDER / self.name)
        self.trials: list[str] = []
        self.tokens = 0

    def fits(self, trial: Trial, line: bytes, room: Room) -> bool:
        """Tell whether a request has room; the first one always has."""
        if not self.trials:
            return True
        return (
            len(self.trials) < room.requests
            and self.draft.size + len(line) <= room.size
            and (room.tokens is None or self.tokens + count_billed(trial) <= room.tokens)
        )

    def add(self, trial: Trial, line: bytes) -> None:
        self.draft.write(line)
        self.trials.append(trial.key)
        self.tokens += count_billed(trial)

    def keep(self, origin: str) -> BatchFile:
        size = self.draft.size
        sha256 = self.draft.keep()
        return BatchFile(self.name, origin, sha256, size, self.tokens, tuple(self.trials))

    def drop(self) -> None:
        self.draft.drop()
