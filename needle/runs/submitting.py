"""Sending batch files to a vendor, looking after the batches, and fetching what they answered.

Each step is on disk before the next one is taken, so that a process killed at any moment goes
on where it was: a batch that was made is found again, and never made twice.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

from needle.asking.batches import Batch, BatchFile, name_file, read_number
from needle.asking.budget import Budget, Purse
from needle.asking.outcomes import Line, is_reply
from needle.edges.batching import Desk, Refused
from needle.edges.endpoint import open_client
from needle.edges.store import BATCH_FOLDER, BATCHES, Log
from needle.runs.collecting import Source, count_answers
from needle.runs.prepare import Prepared
from needle.runs.runner import count_spent
from needle.words.errors import Stopped, StoreError, UsageError, known
from needle.words.types import Failure, Run

Say = Callable[[str], None]
Sleep = Callable[[float], Awaitable[None]]

_WHY = {
    "bad_key": "the endpoint does not take the key",
    "forbidden": "the endpoint forbids the request",
    "no_balance": "the account has no balance left",
    "unknown_model": "the endpoint knows no such batch, file or model, or takes no batches",
}


@asynccontextmanager
async def _at_desk(run: Run, key: str | None) -> AsyncIterator[Desk]:
    client = open_client(run.model, key, known(run.timeout_s))
    try:
        yield Desk(client, key, run.model.errors)
    finally:
        await client.close()


def _stop(run: Run, what: str, failure: Failure, then: str) -> Stopped:
    """Return the stop for what a vendor did not do, with why, and what to do about it."""
    why = f"{_WHY[failure.kind]}: " if failure.kind in _WHY else ""
    status = f"HTTP {failure.status}: " if failure.status else ""
    return Stopped(f"{run.model.name}: {what}: {why}{status}{failure.message}; {then}")


def choose_files(
    files: Mapping[str, BatchFile], names: Sequence[str], folder: Path
) -> list[BatchFile]:
    """Return the files that are to be submitted: all that are not yet, or those named.

    Raises UsageError for a name that is none, and where there is nothing to submit.
    """
    left = [file for file in files.values() if file.state in ("written", "uploaded")]
    wanted = [Path(name).name for name in names]
    for name in wanted:
        if name not in files:
            there = ", ".join(file.name for file in left) or "none"
            raise UsageError(f"no batch file {name} in {folder} (FILES): to be sent are {there}")
    chosen = [file for file in left if not wanted or file.name in wanted]
    if not chosen:
        raise UsageError(
            f"no batch file is to be sent in {folder}: write what is left with "
            f"needle batch write {folder}"
        )
    return chosen


def check_files(files: Iterable[BatchFile], folder: Path, states: Mapping[str, Line]) -> None:
    """Raise UsageError for a file that is not what was written, or asks what is answered now."""
    anew = f"write it anew: needle batch write {folder}"
    for file in files:
        answered = sum(trial in states and is_reply(states[trial]) for trial in file.trials)
        if answered:
            first = "" if file.state == "written" else f"needle batch collect {folder}, then "
            raise UsageError(
                f"{answered:,} of the {len(file.trials):,} trials in {file.name} have been "
                f"answered since it was written, and would be paid for again: {first}{anew}"
            )
        path = folder / BATCH_FOLDER / file.name
        if file.state == "written" and _sum(path) != file.sha256:
            raise UsageError(f"{path} is not as it was written: {anew}")


def _sum(path: Path) -> str | None:
    try:
        with path.open("rb") as data:
            return file_digest(data, "sha256").hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"can't read {path}: {reason} (RUN)") from error


def reckon(
    prepared: Prepared,
    budget: Budget | None,
    lines: Iterable[Line],
    files: Mapping[str, BatchFile],
    chosen: Sequence[BatchFile],
) -> None:
    """Raise Stopped where a budget does not bear the chosen files, whatever they may cost."""
    sent = {trial for file in files.values() if file.may_exist for trial in file.trials}
    asked = {trial for file in chosen for trial in file.trials}
    purse: Purse = count_spent(prepared, budget, lines, sent | asked)
    most = purse.spent + purse.set_aside
    if budget is not None and most > budget.amount:
        raise Stopped(
            f"the budget of {budget} does not bear these files: with what is spent they cost "
            f"at most {Budget(most, budget.of)}, as far as is known how {prepared.run.model.name} "
            f"counts; raise --budget, name fewer FILES, or write smaller ones (--file-tokens)"
        )


def submit_files(
    run: Run,
    folder: Path,
    files: Sequence[BatchFile],
    key: str | None,
    at: Callable[[], str],
    say: Say,
) -> None:
    """Upload each file and make its batch; raise Stopped where the vendor does not.

    ``at`` tells the time.
    """
    asyncio.run(_submit_files(run, folder, files, key, at, say))


async def _submit_files(
    run: Run,
    folder: Path,
    files: Sequence[BatchFile],
    key: str | None,
    at: Callable[[], str],
    say: Say,
) -> None:
    again = f"go on with: needle batch submit {folder}"
    with closing(Log(folder / BATCHES)) as record:
        async with _at_desk(run, key) as desk:
            for file in files:
                uploaded = file
                if file.state == "written":
                    name = f"needle-{file.origin[:8]}-{file.name}"
                    file_id = await desk.upload(folder / BATCH_FOLDER / file.name, name)
                    if isinstance(file_id, Failure):
                        raise _stop(run, f"{file.name} could not be uploaded", file_id, again)
                    uploaded = _note(record, file, at(), "uploaded", file_id=file_id)
                made = await desk.make(uploaded, folder.name)
                if isinstance(made, Refused):
                    _note(record, uploaded, at(), "refused", message=made.failure.message)
                    what = f"no batch was made of {file.name}"
                    raise _stop(run, what, made.failure, again)
                if isinstance(made, Failure):
                    what = f"it is not known whether a batch was made of {file.name}"
                    raise _stop(run, what, made, f"{again} (it looks first)")
                _note(record, uploaded, at(), "created", batch=made.name)
                say(f"{file.name}: {made.name}, {len(file.trials):,} requests, {made.status}")


def _note(record: Log, file: BatchFile, at: str, event: str, **more: Any) -> BatchFile:
    """Write an event of a file down, on disk before anything else is done; return the file."""
    record.append({"event": event, "at": at, "file": file.name, **more})
    if event == "uploaded":
        return replace(file, state="uploaded", file_id=more["file_id"])
    return file


@dataclass(frozen=True, slots=True)
class Seen:
    """A file, and its batch as it was when it was looked at; None where there is none."""

    file: BatchFile
    batch: Batch | None

    @property
    def goes_on(self) -> bool:
        """Whether its batch is at work."""
        return self.batch is not None and not self.batch.over


def look_at_files(
    run: Run, folder: Path, files: Iterable[BatchFile], key: str | None
) -> list[Seen]:
    """Ask after each file's batch; raise Stopped where the vendor does not answer."""
    return asyncio.run(_look_at_files(run, folder, list(files), key))


async def _look_at_files(
    run: Run, folder: Path, files: Sequence[BatchFile], key: str | None
) -> list[Seen]:
    if not any(file.may_exist for file in files):
        return [Seen(file, None) for file in files]
    async with _at_desk(run, key) as desk:
        return [Seen(file, await _look(run, folder, desk, file)) for file in files]


async def _look(run: Run, folder: Path, desk: Desk, file: BatchFile) -> Batch | None:
    if not file.may_exist:
        return None
    found = await (desk.find(file) if file.batch is None else desk.look(file.batch))
    if isinstance(found, Failure):
        what = f"nothing could be learnt of the batch of {file.name}"
        again = f"try again, or ask its trials live: needle resume {folder} --batched"
        raise _stop(run, what, found, again)
    return found


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch that is over, with the files of what it answered, on disk.

    ``whole`` tells whether they hold as many answers as it says to have given.
    """

    file: BatchFile
    batch: Batch | None
    sources: tuple[Source, ...]
    whole: bool = True


@dataclass(slots=True)
class Haul:
    """What was learnt and fetched of a run's batches, and the first thing that went wrong."""

    fetched: list[Fetched] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    stopped: Stopped | None = None


def fetch_answers(run: Run, folder: Path, files: Iterable[BatchFile], key: str | None) -> Haul:
    """Fetch what the batches that are over have answered.

    A file that was uploaded, and that no batch was made of after all, is over too. What goes
    wrong with one batch keeps none of the others back.
    """
    return asyncio.run(_fetch_answers(run, folder, list(files), key))


async def _fetch_answers(
    run: Run, folder: Path, files: Sequence[BatchFile], key: str | None
) -> Haul:
    haul = Haul()
    async with _at_desk(run, key) as desk:
        for file in (file for file in files if file.may_exist):
            try:
                batch = await _look(run, folder, desk, file)
                haul.seen.append(Seen(file, batch))
                if batch is None:
                    haul.fetched.append(Fetched(file, None, ()))
                elif batch.over:
                    sources = await _fetch(run, folder, desk, file, batch)
                    found = _count_answers(sources)
                    whole = found >= batch.completed
                    haul.fetched.append(Fetched(file, batch, sources if found else (), whole))
                    if not whole:
                        raise _lacks(run, folder, batch, f"its files hold {found:,}")
            except Stopped as error:
                haul.stopped = haul.stopped or error
    return haul


async def _fetch(
    run: Run, folder: Path, desk: Desk, file: BatchFile, batch: Batch
) -> tuple[Source, ...]:
    """Fetch a batch's answers and errors, unless what is on disk already holds all answers."""
    untold = batch.status == "completed" and batch.error_file is None
    if batch.output_file is None and (batch.completed or untold):
        raise _lacks(run, folder, batch, "names no file of them")
    there = folder / BATCH_FOLDER
    named = (("output", batch.output_file), ("errors", batch.error_file))
    wanted = [(part, file_id) for part, file_id in named if file_id is not None]
    paths = [there / name_file(read_number(file.name), part) for part, _ in wanted]
    sources = tuple(Source(path, batch.name) for path in paths)
    lacking = _count_answers(sources) < batch.completed
    for (part, file_id), path in zip(wanted, paths, strict=True):
        if not lacking and path.exists():
            continue
        failure = await desk.fetch(file_id, path)
        if failure is not None:
            what = f"{part} of {batch.name} could not be fetched"
            again = f"go on with: needle batch collect {folder}"
            raise _stop(run, what, failure, again)
    return sources


def _count_answers(sources: Sequence[Source]) -> int:
    return sum(count_answers(source.path) for source in sources)


def _lacks(run: Run, folder: Path, batch: Batch, what: str) -> Stopped:
    """Return the stop for a batch that does not give all answers: they may have been paid for."""
    said = f"has answered {batch.completed:,} requests" if batch.completed else "is completed"
    return Stopped(
        f"{run.model.name}: {batch.name} {said}, and {what}: try again later: "
        f"needle batch collect {folder}; or ask the others live: needle resume {folder} --batched"
    )


def end_files(folder: Path, fetched: Iterable[Fetched], at: str) -> None:
    """Write down which files' answers are all stored, so that their trials are free again.

    Those of a batch that has not given all answers still wait.
    """
    with closing(Log(folder / BATCHES)) as record:
        for each in fetched:
            if not each.whole:
                continue
            status = each.batch.status if each.batch else "never made"
            batch = each.batch.name if each.batch else None
            _note(record, each.file, at, "ended", batch=batch, status=status)
