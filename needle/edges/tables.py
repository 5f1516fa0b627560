"""The tidy table: one row a trial and scorer. The one module that uses pandas."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from needle.asking.outcomes import Line, settle_states
from needle.edges.files import check_name
from needle.edges.store import OUTCOMES, RUN, load_run, read_lines, read_scores, write_whole
from needle.telling.columns import COLUMNS, RUN_COLUMN, Kind
from needle.words.errors import UsageError
from needle.words.types import Run

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pd.DataFrame

_DTYPES: Mapping[Kind, str] = {
    "text": "string",
    "whole": "Int64",
    "number": "float64",
    "truth": "boolean",
}
_NO_SCORE: Line = {}
_OF_SCORES = ("scorer", "score", "verdict", "explanation")
_PARTS = {  # fields that hold several things, and the columns made of them
    "failure": ("kind", "status", "message", "permanent"),
    "cost": ("amount", "currency"),
}


def make_table(folder: Path) -> "Frame":
    """Return the table of a run folder, which may hold outcomes alone: see ``tabulate``."""
    run = load_run(folder) if (folder / RUN).is_file() else None
    return tabulate(run, settle_states(read_lines(folder / OUTCOMES)), read_scores(folder))


def tabulate(
    run: Run | None, states: Mapping[str, Line], scores: Mapping[tuple[str, str], Line]
) -> "Frame":
    """Return a run's table: outcomes joined with scores, one row a trial and scorer.

    Its columns are those of needle.telling.columns, whatever the run has; what an outcome holds
    beside them comes after. Rows are in the order of language, task, replicate, context length and
    depth.
    """
    import pandas as pd

    scored: dict[str, list[Line]] = {}
    for (trial, _), line in scores.items():
        scored.setdefault(trial, []).append(line)
    rows = [
        (line, score) for trial, line in states.items() for score in scored.get(trial, [_NO_SCORE])
    ]
    lines, marks = [line for line, _ in rows], [score for _, score in rows]
    count = "vendor" if run is not None and run.ratio is not None else "common"
    frame = pd.DataFrame(
        {**_lay_out_lines(lines), "count": [count] * len(rows), **_lay_out_scores(marks)}
    )
    frame = _set_types(frame, COLUMNS)
    order = ["language", "task", "replicate", "context_length", "depth_percent", "trial"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def make_frame(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, Kind]) -> "Frame":
    """Return rows as a table with these columns and their types, whatever the rows hold."""
    import pandas as pd

    return _set_types(pd.DataFrame(list(rows)), columns)


def _set_types(frame: "Frame", columns: Mapping[str, Kind]) -> "Frame":
    """Return a table with these columns first, each of its type."""
    rest = [column for column in frame.columns if column not in columns]
    frame = frame.reindex(columns=[*columns, *rest])
    return frame.astype({name: _DTYPES[kind] for name, kind in columns.items()})


def join_tables(folders: Mapping[str, Path]) -> "Frame":
    """Return the tables of several runs in one, with each run's name in a first column."""
    import pandas as pd

    tables = []
    for name, folder in folders.items():
        table = make_table(folder)
        table.insert(0, RUN_COLUMN, pd.Series([name] * len(table), dtype="string"))
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _lay_out_scores(scores: Sequence[Line]) -> dict[str, list[Any]]:
    """Return scores' columns; what a judge's lines hold beside is named by the judge."""
    columns = {name: [score.get(name) for score in scores] for name in _OF_SCORES}
    if any("model" in score for score in scores):
        judged = [score if "model" in score else _NO_SCORE for score in scores]
        costs = [score.get("cost") or {} for score in judged]
        columns["judge_model"] = [score.get("model") for score in judged]
        columns["judge_cost_amount"] = [cost.get("amount") for cost in costs]
        columns["judge_cost_currency"] = [cost.get("currency") for cost in costs]
        columns["judge_failure"] = [(x.get("failure") or {}).get("message") for x in judged]
    return columns


def _lay_out_lines(lines: Sequence[Line]) -> dict[str, list[Any]]:
    """Return outcomes' columns, each field's in the order in which it first appears."""
    write = json.JSONEncoder(ensure_ascii=False).encode
    names: dict[str, None] = {}
    for line in lines:
        if names.keys() != line.keys():
            names |= dict.fromkeys(line)
    rows = ([line.get(name, math.nan) for name in names] for line in lines)
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=False))
    for name in ("failure", "cost", "needles"):
        columns.pop(name, None)
    columns["needles"] = [write(line["needles"]) for line in lines]
    counts = ((line["prompt_tokens"], line["endpoint_prompt_tokens"]) for line in lines)
    columns["endpoint_ratio"] = [
        round(theirs / ours, 4) if theirs and ours else None for ours, theirs in counts
    ]
    for field, parts in _PARTS.items():
        held = [line[field] or {} for line in lines]
        for part in parts:
            columns[f"{field}_{part}"] = [each.get(part) for each in held]
    return columns


def write_table(folder: Path, form: str, output: Path | None) -> str | None:
    """Write a run's table as CSV or Parquet to a file, or return its CSV."""
    if output is not None:
        other = {"csv": "parquet", "parquet": "csv"}[form]
        check_name(output, f".{form}", "--output", f", or say --format {other}")
    frame = make_table(folder)
    if form == "csv" and output is None:
        return write_csv(frame).decode()
    if output is None:
        raise UsageError("parquet is not text (--format parquet): name a file with --output FILE")
    keep_table(frame, output, form)
    return None


def keep_table(frame: "Frame", output: Path, form: str = "csv") -> None:
    """Write a table to a file, as CSV or Parquet; raise UsageError if that can't be done."""
    data = write_csv(frame) if form == "csv" else write_parquet(frame)
    try:
        write_whole(output, data)
    except OSError as error:
        raise UsageError(
            f"can't write {output} (--output): {(error.strerror or str(error)).lower()}"
        ) from error


def write_csv(frame: "Frame") -> bytes:
    """Return a table as CSV in UTF-8; what is null is empty."""
    written = BytesIO()
    frame.to_csv(written, index=False, lineterminator="\n", mode="wb")
    return written.getvalue()


def write_parquet(frame: "Frame") -> bytes:
    """Return a table as Parquet, its columns of the same types whatever they hold.

    Raises UsageError where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise UsageError("parquet needs pyarrow: pip install 'needle[parquet]'") from error
    types = {"text": pa.string(), "whole": pa.int64(), "number": pa.float64(), "truth": pa.bool_()}
    kinds: dict[str, Kind] = {RUN_COLUMN: "text", **COLUMNS}
    fields = [
        pa.field(name, types[kinds[name]])
        if name in kinds
        else pa.Schema.from_pandas(frame[[name]]).field(name)
        for name in frame.columns
    ]
    data: bytes = frame.to_parquet(index=False, schema=pa.schema(fields))
    return data
