"""Where the shipped configs and haystacks are, and the reading of YAML files."""

import difflib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from needle.words.errors import UsageError

Record = TypeVar("Record")

_KINDS = frozenset(
    (".csv", ".html", ".json", ".jsonl", ".md", ".parquet", ".pdf", ".png", ".svg", ".yaml", ".yml")
)
_SHOWN = 60  # characters of a wrong value
_PACKAGE = Path(__file__).resolve().parents[1]
_adapt: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)  # made once a shape


def shipped(*parts: str) -> Path:
    """Return the path of a shipped file or folder: in the wheel, or in a working copy."""
    inside = _PACKAGE / "data"
    return (inside if inside.is_dir() else _PACKAGE.parent).joinpath(*parts)


@functools.cache
def list_shipped(kind: str) -> tuple[str, ...]:
    """Return the names of the shipped files of a kind, such as ``needles``."""
    return tuple(sorted(path.stem for path in shipped("configs", kind).glob("*.yaml")))


def locate(kind: str, name: str, option: str) -> Path:
    """Return the path of a shipped file of a kind, by its name, or of a user's YAML file.

    Raises UsageError, with the names that there are, where it is neither.
    """
    if name in list_shipped(kind):
        return shipped("configs", kind, f"{name}.yaml")
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return path
    names = ", ".join(list_shipped(kind))
    raise UsageError(f"no {kind[:-1]} {name!r} ({option}): use {names}, or a YAML file's path")


def check_name(path: Path, kind: str, option: str, advice: str = "") -> None:
    """Raise UsageError for a place that is a folder, or is named as another kind of file is.

    So none of the files that a run folder is made of is ever replaced, and no file belies its name.
    """
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder ({option}): name a file, such as {path / 'out'}{kind}"
        )
    if path.suffix.lower() in _KINDS - {kind}:
        raise UsageError(
            f"{path} is named as another kind of file ({option}): end its name in {kind}{advice}"
        )


def read_text(path: Path, option: str) -> str:
    """Read a UTF-8 file, with or without a byte order mark; CRLF becomes LF.

    Raises UsageError in one line if it can't be read or is not text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"can't read {path} ({option}): {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 text: byte {data[error.start]:#04x} at {error.start} ({option}): "
            f"convert it or take it out"
        ) from error
    if "\0" in text:
        raise UsageError(f"{path} is a binary file, not text ({option}): take it out")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_yaml(path: Path, option: str) -> dict[str, Any]:
    """Read a YAML mapping; raise UsageError with file and line if it isn't one."""
    text = read_text(path, option)
    try:
        data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "not YAML"
        raise UsageError(f"bad YAML: {' '.join(str(problem).split())} ({place})") from error
    if not isinstance(data, dict):
        raise UsageError(f"must be a YAML mapping, got {type(data).__name__} ({path})")
    return data


def dump_yaml(data: object) -> str:
    """Write plain data as YAML, keys in their order and Chinese as it is."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(data, Dumper=dumper, allow_unicode=True, sort_keys=False, width=100)
    return text


def check_record(shape: type[Record], data: object, place: str) -> Record:
    """Make a record of plain data; raise UsageError naming value, place and remedy.

    ``place`` is the file that the data are from. Unknown keys are refused, with the
    nearest known one suggested.
    """
    try:
        record: Record = _adapt(shape).validate_python(data)
    except ValidationError as error:
        raise UsageError(describe_fault(error, shape, place)) from error
    return record


def describe_fault(error: ValidationError, shape: type, place: str) -> str:
    """Describe the first fault that pydantic found, in one line."""
    fault = next(
        (
            f
            for f in error.errors()
            if f["type"] in ("extra_forbidden", "unexpected_keyword_argument")
        ),
        error.errors()[0],
    )
    where = _write_path(fault["loc"])
    if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        name = str(fault["loc"][-1])
        near = difflib.get_close_matches(name, _field_names(shape), n=1)
        advice = f"did you mean {near[0]!r}?" if near else "take it out"
        if near == [name]:
            advice = "it stands elsewhere, not here"
        return f"unknown key {name!r} ({place}: {where}): {advice}"
    if fault["type"] in ("missing", "missing_argument"):
        return f"{fault['loc'][-1]!r} is missing ({place}: {where})"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = repr(fault["input"])
    shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    if fault["type"] == "value_error":
        named = f"{where} {message}" if message.startswith("must") else message
        return f"{named} ({place}: {where})"
    return f"{where.rsplit('.', 1)[-1]} {message}, got {shown} ({place}: {where})"


def _write_path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.lstrip(".")


def _field_names(shape: Any, seen: frozenset[Any] = frozenset()) -> list[str]:
    """Return the names of a record's fields and of those of the records within it."""
    from dataclasses import fields, is_dataclass
    from typing import get_args, get_type_hints

    if shape in seen:
        return []
    if is_dataclass(shape):
        hints = get_type_hints(shape)
        names = [f.name for f in fields(shape)]
        for hint in hints.values():
            names += _field_names(hint, seen | {shape})
        return names
    return [name for part in get_args(shape) for name in _field_names(part, seen)]
