"""The tidy table: one row a trial and scorer, whatever the answers hold."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from needle.edges.store import Log
from needle.edges.tables import make_table, write_table
from needle.telling.columns import COLUMNS
from needle.words.errors import UsageError

SAMPLE = Path(__file__).resolve().parents[1] / "runs" / "sample"
ODD = '他说："有，一支\n珐琅长笛"\r\n\t=1+1'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a run folder of two trials, one asked twice, with two scorers on one of them."""
    lines = [json.loads(line) for line in (SAMPLE / "outcomes.jsonl").read_text().splitlines()[:2]]
    failure = {"kind": "server", "status": 500, "message": "no", "permanent": False}
    log = Log(tmp_path / "outcomes.jsonl")
    log.append(
        {**lines[0], "failure": failure, "response": None},
        {**lines[0], "response": ODD},
        {**lines[1], "failure": failure, "response": None},
    )
    log.close()
    log = Log(tmp_path / "scores.jsonl")
    for scorer, score in (("keyword", 0.0), ("keyword", 1.0), ("judge", 0.5)):
        log.append(
            {"trial": lines[0]["trial"], "scorer": scorer, "score": score, "verdict": "found"}
        )
    log.append(
        {"trial": lines[1]["trial"], "scorer": "keyword", "score": None, "verdict": "failed"}
    )
    log.close()
    return tmp_path


def test_one_row_a_trial_and_scorer(run: Path) -> None:
    """A trial has one row for each scorer, with its state and that scorer's last word."""
    frame = make_table(run)
    assert tuple(frame.columns) == tuple(COLUMNS)
    assert len(frame) == 3
    scored = frame[frame["verdict"] == "found"].set_index("scorer")["score"]
    assert scored.to_dict() == {"keyword": 1.0, "judge": 0.5}
    failed = frame[frame["verdict"] == "failed"].iloc[0]
    assert failed["failure_kind"] == "server"
    assert pd.isna(failed["score"])


def test_csv_gives_answers_back_as_they_were(run: Path) -> None:
    """Line breaks, quotes and Chinese in an answer come through CSV unchanged."""
    text = write_table(run, "csv", None)
    assert text is not None
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["response"] for row in rows if row["verdict"] == "found"} == {ODD}
    write_table(run, "csv", run / "t.csv")
    assert (run / "t.csv").read_bytes() == text.encode()


def test_parquet_needs_a_file(run: Path) -> None:
    """Parquet is not put on the terminal."""
    with pytest.raises(UsageError, match="--output"):
        write_table(run, "parquet", None)


def test_a_table_that_cannot_be_written_is_named(run: Path) -> None:
    """A place that can't be written is named in one line."""
    with pytest.raises(UsageError, match=r"can't write .*nowhere/t\.csv"):
        write_table(run, "csv", run / "nowhere" / "t.csv")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("csv", "outcomes.jsonl"), ("csv", "run.yaml"), ("csv", "t.parquet"),
        ("parquet", "scores.jsonl"), ("parquet", "t.CSV"), ("csv", ""),
    ],
)  # fmt: skip
def test_a_table_replaces_no_other_kind_of_file(form: str, name: str, run: Path) -> None:
    """What was paid for is never replaced by a table, and no file belies its name."""
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(UsageError, match="--output"):
        write_table(run, form, run / name)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_a_run_without_outcomes_has_an_empty_table(tmp_path: Path) -> None:
    """A run that has just begun has a table with its columns and no rows."""
    frame = make_table(tmp_path)
    assert list(frame.columns) == list(COLUMNS)
    assert frame.empty


def test_the_sample_has_the_fields_of_today() -> None:
    """The sample run in the repository has every field that an outcome has today."""
    line = json.loads((SAMPLE / "outcomes.jsonl").read_text().splitlines()[0])
    wanted = {
        *("trial", "pair", "model", "task", "language", "layout", "control", "needle", "needles"),
        *("replicate", "haystack", "haystack_offset", "unit", "tokenizer", "context_length"),
        *("depth_percent", "actual_depth_percent", "prompt_tokens", "endpoint_prompt_tokens"),
        *("cached_tokens", "completion_tokens", "reasoning_tokens", "response", "reasoning"),
        *("finish_reason", "failure", "attempts", "latency_s", "started_at"),
        *("cost", "served_model", "request_id"),
    }
    assert set(line) == wanted
