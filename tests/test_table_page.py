"""docs/table.md and its Chinese twin say what is written: columns, types, nulls, and keys."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from driving import Call, only_folder

from needle.columns import COLUMNS, RUN_COLUMN
from needle.importing import Wish, import_results
from needle.outcomes import write_line
from needle.store import Log
from needle.tables import join_tables, write_csv, write_parquet, write_table
from needle.types import Asked, Reply

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "runs" / "sample"
PAGES = ("table.md", "table.zh.md")
TYPES = {"text": "string", "whole": "int64", "number": "double", "truth": "bool"}
NEVER = ("never", "从不")

Make = Callable[[Call, Path], Path]


def read_rows(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table under a heading, each its cells."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    rows = table[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split(" | ")] for row in rows]


def read_columns(page: str) -> list[list[str]]:
    return read_rows(page, "## The table" if page == "table.md" else "## 表格")


@pytest.mark.parametrize("page", PAGES)
def test_columns_are_those_written(page: str) -> None:
    """Both pages name every column in its order, with its type, and no other."""
    told = {name: kind for name, kind, *_ in read_columns(page)}
    assert list(told.items()) == [(name, TYPES[kind]) for name, kind in COLUMNS.items()]


def test_both_pages_say_when_a_column_is_never_null() -> None:
    """The English and the Chinese page say of the same columns that they are never null."""
    never = [[row[0] for row in read_columns(page) if row[-1] in NEVER] for page in PAGES]
    assert never[0] == never[1]
    assert len(never[0]) > 10


def run(call: Call, alone: Path, *said: str) -> Path:
    ended = call("run", "--model", "sim/reader", "--lengths", "2k", *said, "--yes")
    assert ended.status == 0, ended.err
    return only_folder(alone / "runs")


def make_plain(call: Call, alone: Path) -> Path:
    return run(call, alone, "--depths", "0,50", "--task", "single,distractors")


def make_fitted(call: Call, alone: Path) -> Path:
    counted = ("--count", "vendor", "--cache", "openai-explicit")
    return run(call, alone, "--depths", "50", *counted, "--language", "en")


def make_shared(call: Call, alone: Path) -> Path:
    return run(call, alone, "--depths", "0,100", "--layout", "shared", "--language", "en")


def make_failing(call: Call, alone: Path) -> Path:
    said = ("--depths", "0,50", "--language", "en", "--faults", "filter_400=1")
    ended = call("run", "--model", "sim/reader", "--lengths", "2k", *said, "--yes")
    assert ended.status == 1, ended.err
    return only_folder(alone / "runs")


def make_judged(call: Call, alone: Path) -> Path:
    folder = make_plain(call, alone)
    (first, second, *_) = (folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    log = Log(folder / "scores.jsonl")
    for line, failure in ((first, None), (second, {"message": "no grade"})):
        cost = {"amount": 0.1, "currency": "CNY"}
        judged = {"scorer": "judge", "score": 1.0, "verdict": "found", "explanation": "so"}
        more = {"model": "j", "cost": cost, "failure": failure}
        log.append({"trial": json.loads(line)["trial"], **judged, **more})
    log.close()
    return folder


def make_imported(_: Call, alone: Path) -> Path:
    rows = [{"context_length": 1_000, "depth_percent": 0, "model": "m", "score": 10}]
    (alone / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    import_results([Path("a.json")], Wish("kamradt"), alone / "runs", "2026-01-01")
    return only_folder(alone / "runs")


def make_batched(call: Call, alone: Path) -> Path:
    """Make a run of which one line came in a batch, as collecting writes it."""
    from test_surroundings import prepare_run

    folder = run(call, alone, "--depths", "0", "--language", "en", "--controls", "none")
    trial = prepare_run(language="en", controls="none").plan.trials[0]
    asked = Asked(Reply("yes"), 1, 0, None, "2026-01-01T00:00:00Z")
    log = Log(folder / "outcomes.jsonl")
    log.append(write_line(trial, asked, None, ("batch-1", "request-1")))
    log.close()
    return folder


MAKERS: tuple[Make, ...] = (
    *(make_plain, make_fitted, make_shared, make_failing, make_judged, make_imported),
    make_batched,
)


@pytest.mark.parametrize("make", MAKERS)
def test_every_run_has_the_same_columns(make: Make, call: Call, alone: Path) -> None:
    """Whatever a run has, its CSV and Parquet have the documented columns, with their types."""
    folder = make(call, alone)
    told = [(name, kind) for name, kind, *_ in read_columns("table.md")]
    text = write_table(folder, "csv", None)
    assert text is not None
    assert text.splitlines()[0].split(",") == [name for name, _ in told]
    write_table(folder, "parquet", alone / "t.parquet")
    assert [(field.name, str(field.type)) for field in pq.read_schema(alone / "t.parquet")] == told


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_never_null_never_is(make: Make, call: Call, alone: Path) -> None:
    """A column that is said to be never null is not, in any kind of run."""
    folder = make(call, alone)
    write_table(folder, "parquet", alone / "t.parquet")
    table = pd.read_parquet(alone / "t.parquet")
    assert len(table)
    for name, *_, null in read_columns("table.md"):
        if null in NEVER:
            assert table[name].notna().all(), name


def test_each_column_is_once_filled(call: Call, alone: Path, tmp_path: Path) -> None:
    """Every column that the simulated endpoint has anything for is filled in by one of these."""
    filled: set[str] = set()
    for number, make in enumerate(MAKERS):
        place = tmp_path / f"{number}"
        place.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            folder = make(call, place)
        write_table(folder, "parquet", alone / f"{number}.parquet")
        table = pd.read_parquet(alone / f"{number}.parquet")
        filled |= {name for name in table.columns if table[name].notna().any()}
    only_vendors = {"reasoning", "reasoning_tokens", "cost_amount", "cost_currency"}
    assert set(COLUMNS) - filled == only_vendors


def test_several_runs_have_the_same_types(alone: Path) -> None:
    """The table of several runs has the run's name first, and then the same columns and types."""
    frame = join_tables({"one": SAMPLE, "two": SAMPLE})
    (alone / "t.parquet").write_bytes(write_parquet(frame))
    fields = [(field.name, str(field.type)) for field in pq.read_schema(alone / "t.parquet")]
    assert fields == [(RUN_COLUMN, "string"), *((n, TYPES[k]) for n, k in COLUMNS.items())]
    assert write_csv(frame).decode().splitlines()[0].split(",")[0] == RUN_COLUMN


def test_what_is_published_has_the_keys_that_are_told(
    call: Call, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """statistics.json, manifest.json and the folder hold what both pages say, and no more."""
    from needle import showcase

    monkeypatch.setattr(showcase, "draw_showcase", lambda *_: ())
    assert call("publish", SAMPLE, "--out", "out").status == 0
    for name in ("statistics.json", "manifest.json"):
        there = json.loads((alone / "out" / name).read_text(encoding="utf-8"))
        for page in PAGES:
            assert [row[0] for row in read_rows(page, f"### {name}")] == list(there)
    told = [row[0] for row in read_rows("table.md", "## A publication")]
    assert told == [row[0].replace("、", ", ") for row in read_rows("table.zh.md", "## 发布")]
    named = {part.strip("`").rstrip("/").split("/")[0] for row in told for part in row.split(", ")}
    assert {path.name for path in (alone / "out").iterdir()} <= named
