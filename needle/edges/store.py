"""The run folder: the one module that writes it. An outcome is on disk before anyone is told.

run.yaml says what the run is; outcomes.jsonl and scores.jsonl only grow, and so does
batches.jsonl, the record of batch files, where there are any.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import jiter

from needle.asking.batches import BatchFile, describe_file, follow_files
from needle.asking.outcomes import Line
from needle.edges.files import check_record, dump_yaml, read_yaml
from needle.edges.flushing import Flushes
from needle.words.errors import StoreError, UsageError
from needle.words.types import Run, Score

RUN, OUTCOMES, SCORES = "run.yaml", "outcomes.jsonl", "scores.jsonl"
BATCHES, BATCH_FOLDER = "batches.jsonl", "batch"
_LOCK = ".lock"
_PIECE = 64 * 1024  # bytes of a log's end that are read at once
_SPARE_PER_REQUEST = 64 * 1024  # bytes of free disk wanted for each request in flight


def name_run(date: str, model: str, digest: str) -> str:
    """Return ``<date>-<model>-<short digest>`` with nothing that a file name can't hold."""
    return f"{date}-{slug(model)}-{digest[:8]}"


def slug(name: str, longest: int = 200) -> str:
    """Return a name with nothing in it that a file name can't hold, in so many bytes at most.

    A file name holds 255, a Chinese character takes three; date, digest and ending want some too.
    """
    plain = re.sub(r"[^A-Za-z0-9._\u4e00-\u9fff]+", "-", name).strip("-.")[:80]
    return plain.encode()[:longest].decode(errors="ignore") or "model"


def find_run(out: Path, model: str, digest: str) -> Path | None:
    """Return the latest run folder of the same model and configuration, if there is one."""
    ending = re.compile(rf"(\d{{4}}-\d\d-\d\d){re.escape(name_run('', model, digest))}(?:-(\d+))?")
    if not out.is_dir():
        return None
    found = []
    for folder in out.iterdir():
        match = ending.fullmatch(folder.name)
        if match and (folder / RUN).is_file() and load_run(folder).digest == digest:
            found.append((match[1], int(match[2] or 1), folder))
    return max(found)[2] if found else None


def create_run(out: Path, run: Run, again: bool = False) -> Path:
    """Make a run's folder with its run.yaml; raise StoreError if that can't be done.

    Where the folder is there already, another process has just begun the same run: it is
    returned as it is, and its lock decides. ``again`` makes a further one beside it.
    """
    folder = out / run.run_id
    number = 2
    while again and folder.exists():
        folder = out / f"{run.run_id}-{number}"
        number += 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / RUN).exists():
            write_whole(folder / RUN, _dump(run))
    except OSError as error:
        with suppress(OSError):
            folder.rmdir()  # where it is empty
        raise _cant(f"make the run folder {folder}", error, "--out") from error
    return folder


def rewrite_run(folder: Path, run: Run) -> None:
    """Write a run's run.yaml anew; raise StoreError if that can't be done."""
    try:
        write_whole(folder / RUN, _dump(run))
    except OSError as error:
        raise _cant(f"write {folder / RUN}", error, "RUN") from error


def create_whole(out: Path, run: Run, lines: Sequence[Line], scores: Sequence[Score]) -> Path:
    """Make the folder of a run whose outcomes are all there; run.yaml is written last.

    So a folder that has one is whole. Raises StoreError if it can't be made.
    """
    folder = out / run.run_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / OUTCOMES, _write_lines(lines))
        write_whole(folder / SCORES, _write_lines(map(score_line, scores)))
    except OSError as error:
        raise _cant(f"make the run folder {folder}", error, "--out") from error
    rewrite_run(folder, run)
    return folder


def copy_run(
    folder: Path, copy: Path, change_line: Callable[[Line], Line], change_text: Callable[[str], str]
) -> None:
    """Copy a run folder's records, each line and the text of run.yaml changed on the way.

    The copy is made to be read and then left: nothing of it is flushed to disk.
    Raises StoreError where a record can't be read or the copy not be written.
    """
    try:
        copy.mkdir(parents=True)
        for name in (OUTCOMES, SCORES):
            with (copy / name).open("wb") as file:
                for line in read_lines(folder / name):
                    file.write(_write_lines([change_line(line)]))
        text = (folder / RUN).read_text(encoding="utf-8")
        (copy / RUN).write_text(change_text(text), encoding="utf-8", newline="\n")
    except OSError as error:
        raise _cant(f"copy {folder}", error, "RUN") from error


def _write_lines(lines: Iterable[Line]) -> bytes:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode(
        errors="replace"
    )


def _dump(run: Run) -> bytes:
    from pydantic import TypeAdapter

    return dump_yaml(TypeAdapter(Run).dump_python(run, mode="json")).encode()


def load_run(folder: Path) -> Run:
    """Read a run folder's run.yaml; raise UsageError or StoreError in one line if it can't be."""
    if not (folder / RUN).is_file():
        raise UsageError(
            f"no run in {folder}: it has no {RUN} (give a folder such as runs/<run-id>)"
        )
    return check_record(Run, read_yaml(folder / RUN, "RUN"), str(folder / RUN))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, and on disk."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def own_run(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process; raise StoreError if another one has it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise StoreError(
            f"another process is at work in {folder}: wait for it, or stop it first"
        ) from error
    except OSError as error:
        raise _cant(f"lock {folder}", error, "--out") from error
    try:
        yield
    finally:
        lock.release()


class Log:
    """A file of JSON lines that only grows: each line is whole and on disk, or not there."""

    def __init__(self, path: Path) -> None:
        """Open a log for appending, mending a torn last line first."""
        self.path = path
        try:
            self._file = path.open("ab", buffering=0)
            _mend(path)
            self._kept = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise _cant(f"open {path}", error, "--out") from error
        self._flushes = Flushes(self._file.fileno())
        self._broken: StoreError | None = None

    def append(self, *lines: Line, sync: bool = True) -> None:
        """Append lines; raise StoreError with the file as it was if they can't be written."""
        data = _write_lines(lines)
        before = self._file.seek(0, os.SEEK_END)
        try:
            self._write(data)
            if sync:
                os.fsync(self._file.fileno())
                self._kept = before + len(data)
        except OSError as error:
            self._file.truncate(before)
            raise _cant(f"write to {self.path}", error, "the run is resumable") from error

    async def keep(self, *lines: Line) -> None:
        """Append lines, and return once they are on disk; others' lines may share the flush.

        Raises StoreError where they can't be: then, and for good, the file is as it was after
        the last flush, and no one was told of a line that it has lost.
        """
        if self._broken is None:
            self.append(*lines, sync=False)
            end = self._file.seek(0, os.SEEK_END)
            try:
                await self._flushes.wait()
            except OSError as error:
                if self._broken is None:
                    self._file.truncate(self._kept)
                    self._broken = _cant(f"write to {self.path}", error, "the run is resumable")
        if self._broken is not None:
            raise self._broken
        self._kept = max(self._kept, end)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._file.write(data) :]

    def close(self) -> None:
        """Close the file, once a flush that has begun is done."""
        self._flushes.close()
        self._file.close()


def _mend(path: Path) -> None:
    """Cut a torn last line off: no one was told of it, so it is asked again."""
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        whole = 0  # where the last line that is whole ends
        while end and not whole:
            begin = max(0, end - _PIECE)
            file.seek(begin)
            last = file.read(end - begin).rfind(b"\n")
            whole, end = begin + last + 1 if last >= 0 else 0, begin
        if whole < size:
            file.truncate(whole)
            os.fsync(file.fileno())


def read_lines(path: Path, names: str = "trial") -> Iterator[Line]:
    """Yield a log's lines; a torn last one is passed over, any other damage is a StoreError.

    ``names`` is the field that each of them must have.
    """
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                yield _parse(line, number, path, names)
    except OSError as error:
        raise _cant(f"read {path}", error, "RUN") from error


def _parse(line: bytes, number: int, path: Path, names: str) -> Line:
    """Return what a line holds; what many lines have in common is in memory once."""
    data: Any = None
    try:
        data = jiter.from_json(line, cache_mode="all")
    except ValueError:
        with suppress(ValueError):  # half a surrogate pair, say: Python's own reader takes more
            data = json.loads(line)
    if isinstance(data, dict) and names in data:
        return data
    place = f"{path}:{number}"
    raise StoreError(f"damaged line in {place}: mend or delete that line; the others are kept")


def score_line(score: Score) -> Line:
    """Return a score as a line of scores.jsonl."""
    return {
        "trial": score.trial,
        "scorer": score.scorer,
        "score": score.score,
        "verdict": score.verdict,
        "explanation": score.explanation,
        **score.extra,
    }


def read_scores(folder: Path) -> dict[tuple[str, str], Line]:
    """Return the last score of each (trial, scorer)."""
    return {(line["trial"], line["scorer"]): line for line in read_lines(folder / SCORES)}


def write_scores(folder: Path, scores: Iterable[Score]) -> None:
    """Append scores; they are derived, so a full disk loses nothing that was paid for."""
    log = Log(folder / SCORES)
    try:
        log.append(*(score_line(score) for score in scores))
    finally:
        log.close()


def read_record(folder: Path) -> list[Line]:
    """Return the events of a run's record of batch files; none where it has no such record."""
    return list(read_lines(folder / BATCHES, "event"))


def read_batches(folder: Path) -> dict[str, BatchFile]:
    """Return a run's batch files by their names, and how far each has come."""
    try:
        return follow_files(read_record(folder))
    except (LookupError, TypeError, AttributeError) as error:
        raise StoreError(
            f"damaged record in {folder / BATCHES}: it lacks {error}; put it back as it was"
        ) from error


class Draft:
    """A file that is written piece by piece, and is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Begin a file; raise StoreError where that can't be done."""
        self.path = path
        self.size = 0
        self._sum = sha256()
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._part.open("wb")
        except OSError as error:
            raise _cant(f"write {path}", error, "--out") from error

    def write(self, data: bytes) -> None:
        """Write a piece more; raise StoreError, with nothing left of the file, if it can't be."""
        try:
            self._file.write(data)
        except OSError as error:
            self.drop()
            raise _cant(f"write {self.path}", error, "make room") from error
        self.size += len(data)
        self._sum.update(data)

    def keep(self) -> str:
        """Put the whole file in its place, on disk; return its sha256."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            self.drop()
            raise _cant(f"write {self.path}", error, "make room") from error
        return self._sum.hexdigest()

    def drop(self) -> None:
        """Leave nothing of it behind."""
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)


def record_written(folder: Path, origin: str, files: Sequence[BatchFile], at: str) -> None:
    """Record files of requests that are whole on disk, then delete those that they replace."""
    log = Log(folder / BATCHES)
    try:
        line = {"event": "written", "at": at, "id": origin}
        log.append({**line, "files": [describe_file(file) for file in files]})
    finally:
        log.close()
    drop_unrecorded(folder)


def drop_unrecorded(folder: Path) -> None:
    """Delete the files of requests that no record names: replaced, half written, or given up."""
    kept = read_batches(folder)
    for pattern in ("input-*.jsonl", ".*.part"):
        for path in (folder / BATCH_FOLDER).glob(pattern):
            if path.name not in kept:
                path.unlink(missing_ok=True)


def has_room(folder: Path, in_flight: int) -> bool:
    """Tell whether the disk has room for the replies of the requests in flight and one more."""
    import shutil

    try:
        return shutil.disk_usage(folder).free >= _SPARE_PER_REQUEST * (in_flight + 1)
    except OSError:
        return True


def _cant(what: str, error: OSError, remedy: str) -> StoreError:
    reason: Any = error.strerror or error
    return StoreError(f"can't {what}: {str(reason).lower()} ({remedy})")
