"""Reading the files of others' results: JSON, JSON lines or CSV, files or whole folders."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from needle.edges.files import read_text
from needle.scoring.foreign import (
    FORMATS,
    Row,
    read_evalscope_report,
    read_evalscope_review,
    read_kamradt,
    read_kamradt_v2,
)
from needle.words.errors import UsageError

_SUFFIXES = (".json", ".jsonl", ".csv")


def _find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files named, and those of the folders named in the order of their paths."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"no file or folder {path} (PATH)")


def read_results(paths: Sequence[Path], form: str) -> tuple[list[Row], list[Path]]:
    """Return all results in files and folders, and the files that they are from.

    Raises UsageError with file and row for whatever can't be read, and where there is none.
    """
    if form not in FORMATS:
        raise UsageError(f"unknown format {form!r} (--format): use {', '.join(FORMATS)}")
    rows, used = _read_files(list(_find_files(paths)), form)
    if not rows:
        names = ", ".join(str(path) for path in paths)
        raise UsageError(f"no results in {names} (--format {form})")
    return rows, used


def _read_files(files: Sequence[Path], form: str) -> tuple[list[Row], list[Path]]:
    if form == "evalscope":
        return _read_evalscope(files)
    read = read_kamradt if form == "kamradt" else read_kamradt_v2
    rows: list[Row] = []
    for path in files:
        for record, place in _read_records(path):
            with _placed(place):
                rows.append(read(record))
    return rows, list(files)


def _read_records(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield a file's records with their places: a JSON object or list, JSON lines, or CSV."""
    text = read_text(path, "PATH")
    if path.suffix == ".csv":
        for number, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
            yield row, f"{path}:{number}"
        return
    if path.suffix != ".jsonl":
        data = _parse(text, str(path), whole=True)
        if data is not None:
            for number, record in enumerate(data if isinstance(data, list) else [data], 1):
                yield _check_record(record, f"{path}: row {number}")
            return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            place = f"{path}:{number}"
            yield _check_record(_parse(line, place), place)


def _parse(text: str, place: str, whole: bool = False) -> Any:
    """Parse JSON; None where a whole file is JSON lines instead."""
    try:
        return _mend(json.loads(text)) if "\\ud" in text.lower() else json.loads(text)
    except RecursionError as error:
        raise UsageError(f"not JSON: nested too deeply ({place})") from error
    except json.JSONDecodeError as error:
        if whole and error.msg == "Extra data":
            return None
        where = f"{place}:{error.lineno}" if whole else place
        raise UsageError(f"not JSON: {error.msg.lower()} ({where})") from error


def _mend(data: Any) -> Any:
    """Replace half surrogate pairs, which JSON can hold and no file or scorer can."""
    if isinstance(data, str):
        return data.encode(errors="replace").decode()
    if isinstance(data, list):
        return [_mend(part) for part in data]
    if isinstance(data, dict):
        return {_mend(key): _mend(value) for key, value in data.items()}
    return data


def _check_record(record: object, place: str) -> tuple[Mapping[str, Any], str]:
    if not isinstance(record, dict):
        raise UsageError(f"must be a JSON object, got {type(record).__name__} ({place})")
    return record, place


@dataclass(frozen=True, slots=True)
class _Line:
    """One record of EvalScope's outputs, with where it stands."""

    record: Mapping[str, Any]
    place: str
    path: Path

    @property
    def subset(self) -> str:
        """The subset's name, which the file's name ends in."""
        return self.path.stem.removeprefix("needle_haystack_")

    @property
    def sample(self) -> tuple[str, str, object]:
        """What a review and its prediction have in common."""
        return self.path.parent.name, self.subset, self.record.get("index")


def _read_evalscope(files: Sequence[Path]) -> tuple[list[Row], list[Path]]:
    """Read EvalScope's outputs: reviews where there are any, with their predictions; else reports.

    A subset's name is that of the file behind ``needle_haystack_``, a model's that of the folder.
    """
    lines = [_Line(record, place, path) for path in files for record, place in _read_records(path)]
    reviews = [line for line in lines if "sample_score" in line.record]
    predictions = {line.sample: line for line in lines if "model_output" in line.record}
    rows: list[Row] = []
    used: dict[Path, None] = {}
    for line in reviews:
        prediction = predictions.get(line.sample)
        in_reviews = line.path.parent.parent.name == "reviews"
        with _placed(line.place):
            rows.append(
                read_evalscope_review(
                    line.record,
                    prediction.record if prediction else {},
                    line.subset,
                    line.path.parent.name if in_reviews else None,
                )
            )
        used |= dict.fromkeys([line.path, *([prediction.path] if prediction else [])])
    if not reviews:
        for line in lines:
            of_needles = line.record.get("dataset_name", "needle_haystack") == "needle_haystack"
            if "metrics" in line.record and of_needles:
                with _placed(line.place):
                    rows += read_evalscope_report(line.record)
                used[line.path] = None
    if predictions and not rows:
        raise UsageError("EvalScope's predictions hold no scores: name the folder with reviews/")
    return rows, list(used)


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """Add a place to what a reader finds wrong."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{error} ({place})") from error
