"""The tidy table: one row a trial and scorer. The one module that uses pandas."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from needle.errors import UsageError
from needle.outcomes import settle_states
from needle.store import OUTCOMES, RUN, load_run, read_lines, read_scores, write_whole

if TYPE_CHECKING:
    import pandas as pd

FIRST_COLUMNS = (
    "model",
    "task",
    "language",
    "layout",
    "control",
    "replicate",
    "context_length",
    "depth_percent",
    "actual_depth_percent",
    "scorer",
    "score",
    "verdict",
    "explanation",
    "response",
)


def make_table(folder: Path) -> "pd.DataFrame":
    """Return a run's table: outcomes joined with scores, one row a trial and scorer.

    ``needles`` is JSON; ``failure`` and ``cost`` are columns of their own parts. ``count`` says
    whose tokens lengths are in; ``endpoint_ratio`` is the endpoint's tokens for one of ours.
    Rows are in the order of language, task, replicate, context length and depth.
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
        {**_flatten(line), "count": count, **_without_trial(score)}
        for trial, line in states.items()
        for score in scored.get(trial, [{}])
    ]
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=list(FIRST_COLUMNS))
    rest = [column for column in frame.columns if column not in FIRST_COLUMNS]
    order = ["language", "task", "replicate", "context_length", "depth_percent", "trial"]
    frame = frame.sort_values(order, kind="stable", ignore_index=True)
    return frame.reindex(columns=[*FIRST_COLUMNS, *rest])


def _without_trial(score: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in score.items() if name != "trial"}


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
        text: str = frame.to_csv(index=False, lineterminator="\n")
        if output is None:
            return text
        _write(output, text.encode())
        return None
    if output is None:
        raise UsageError("parquet is not text (--format parquet): name a file with --output FILE")
    try:
        data = frame.to_parquet(index=False)
    except ImportError as error:
        raise UsageError("parquet needs pyarrow: pip install 'needle[parquet]'") from error
    _write(output, data)
    return None


def _write(output: Path, data: bytes) -> None:
    try:
        write_whole(output, data)
    except OSError as error:
        raise UsageError(
            f"can't write {output} (--output): {(error.strerror or str(error)).lower()}"
        ) from error
