"""The tidy table: one row a trial and scorer. The one module that uses pandas."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from needle.asking.outcomes import settle_states
from needle.edges.store import OUTCOMES, RUN, load_run, read_lines, read_scores, write_whole
from needle.telling.columns import COLUMNS, RUN_COLUMN, Kind
from needle.words.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pd.DataFrame

_DTYPES: Mapping[Kind, str] = {
    "text": "string",
    "whole": "Int64",
    "number": "float64",
    "truth": "boolean",
}


def make_table(folder: Path) -> "Frame":
    """Return a run's table: outcomes joined with scores, one row a trial and scorer.

    Its columns are those of needle.telling.columns, whatever the run has; what an outcome holds
    beside them comes after. Rows are in the order of language, task, replicate, context length and
    depth.
    """
    import pandas as pd

    count = "common"
    if (folder / RUN).is_file() and load_run(folder).ratio is not None:
        count = "vendor"
    states = settle_states(read_lines(folder / OUTCOMES))
    scored: dict[str, list[Mapping[str, Any]]] = {}
    for (trial, _), line in read_scores(folder).items():
        scored.setdefault(trial, []).append(line)
    rows = [
        {**_flatten(line), "count": count, **_flatten_score(score)}
        for trial, line in states.items()
        for score in scored.get(trial, [{}])
    ]
    frame = pd.DataFrame(rows)
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


def _flatten_score(score: Mapping[str, Any]) -> dict[str, Any]:
    """Return a score's columns; what a judge's line holds beside is named by the judge."""
    own = ("scorer", "score", "verdict", "explanation")
    row = {name: value for name, value in score.items() if name in own}
    if "model" in score:
        cost, failure = score.get("cost") or {}, score.get("failure") or {}
        row["judge_model"] = score["model"]
        row["judge_cost_amount"], row["judge_cost_currency"] = (
            cost.get("amount"),
            cost.get("currency"),
        )
        row["judge_failure"] = failure.get("message")
    return row


def _flatten(line: Mapping[str, Any]) -> dict[str, Any]:
    import json

    row = {
        name: value for name, value in line.items() if name not in ("failure", "cost", "needles")
    }
    row["needles"] = json.dumps(line["needles"], ensure_ascii=False)
    ours, theirs = line["prompt_tokens"], line["endpoint_prompt_tokens"]
    row["endpoint_ratio"] = round(theirs / ours, 4) if theirs and ours else None
    failure, cost = line["failure"] or {}, line["cost"] or {}
    for name in ("kind", "status", "message", "permanent"):
        row[f"failure_{name}"] = failure.get(name)
    row["cost_amount"], row["cost_currency"] = cost.get("amount"), cost.get("currency")
    return row


def write_table(folder: Path, form: str, output: Path | None) -> str | None:
    """Write a run's table as CSV or Parquet to a file, or return its CSV."""
    frame = make_table(folder)
    if form == "csv":
        data = write_csv(frame)
        if output is None:
            return data.decode()
        _write(output, data)
        return None
    if output is None:
        raise UsageError("parquet is not text (--format parquet): name a file with --output FILE")
    _write(output, write_parquet(frame))
    return None


def write_csv(frame: "Frame") -> bytes:
    """Return a table as CSV in UTF-8; what is null is empty."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text.encode()


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


def _write(output: Path, data: bytes) -> None:
    try:
        write_whole(output, data)
    except OSError as error:
        raise UsageError(
            f"can't write {output} (--output): {(error.strerror or str(error)).lower()}"
        ) from error
