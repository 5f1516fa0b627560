"""docs/table.md and its Chinese twin say what is written: columns, types, nulls, and keys."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from driving import Call

import needle
from needle.asking.outcomes import write_line
from needle.commands import closing, showcase
from needle.edges.store import Log, load_run
from needle.edges.tables import join_tables, make_table, write_csv, write_parquet, write_table
from needle.runs.importing import Wish, import_results
from needle.runs.prepare import prepare_again
from needle.telling.columns import COLUMNS, RUN_COLUMN
from needle.words.types import Asked, Reply

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "runs" / "sample"
PAGES = ("table.md", "table.zh.md")
TYPES = {"text": "string", "whole": "int64", "number": "double", "truth": "bool"}
NEVER = ("never", "从不")


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


def run(**said: Any) -> Path:
    small = {"lengths": "2k", "depths": [0, 50], "language": "en"}
    return needle.run("sim/reader", **{**small, **said}).folder


def make_judged() -> Path:
    folder = run(task="single,distractors", seed=1)
    (first, second, *_) = (folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    log = Log(folder / "scores.jsonl")
    for line, failure in ((first, None), (second, {"message": "no grade"})):
        cost = {"amount": 0.1, "currency": "CNY"}
        judged = {"scorer": "judge", "score": 1.0, "verdict": "found", "explanation": "so"}
        more = {"model": "j", "cost": cost, "failure": failure}
        log.append({"trial": json.loads(line)["trial"], **judged, **more})
    log.close()
    return folder


def make_imported() -> Path:
    rows = [{"context_length": 1_000, "depth_percent": 0, "model": "m", "score": 10}]
    Path("a.json").write_text(json.dumps(rows), encoding="utf-8")
    (brought,) = import_results([Path("a.json")], Wish("kamradt"), Path("runs"), "2026-01-01")
    return brought.folder


def make_batched() -> Path:
    """Make a run of which one line came in a batch, as collecting writes it."""
    folder = run(depths=[0], controls="none", seed=2)
    trial = prepare_again(load_run(folder)).plan.trials[0]
    asked = Asked(Reply("yes"), 1, 0, None, "2026-01-01T00:00:00Z")
    (folder / "outcomes.jsonl").unlink()
    log = Log(folder / "outcomes.jsonl")
    log.append(write_line(trial, asked, None, ("batch-1", "request-1")))
    log.close()
    return folder


MAKERS: dict[str, Callable[[], Path]] = {
    "plain": lambda: run(task="single,distractors", language="both"),
    "fitted": lambda: run(count="vendor", cache="openai-explicit"),
    "shared": lambda: run(layout="shared"),
    "failing": lambda: run(faults="filter_400=1", seed=3),
    "judged": make_judged,
    "imported": make_imported,
    "batched": make_batched,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Make one run of each kind that there is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("kinds"))
        patch.setattr(closing, "draw_run", lambda *_: ([], []))
        yield {kind: make().resolve() for kind, make in MAKERS.items()}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_run_has_the_same_columns(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    """Whatever a run has, its CSV and Parquet have the documented columns, with their types."""
    told = [(name, type_) for name, type_, *_ in read_columns("table.md")]
    text = write_table(folders[kind], "csv", None)
    assert text is not None
    assert text.splitlines()[0].split(",") == [name for name, _ in told]
    write_table(folders[kind], "parquet", tmp_path / "t.parquet")
    fields = pq.read_schema(tmp_path / "t.parquet")
    assert [(field.name, str(field.type)) for field in fields] == told


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_never_null_never_is(kind: str, folders: dict[str, Path]) -> None:
    """A column that is said to be never null is not, in any kind of run."""
    table = make_table(folders[kind])
    assert len(table)
    for name, *_, null in read_columns("table.md"):
        if null in NEVER:
            assert table[name].notna().all(), name


def test_each_column_is_once_filled(folders: dict[str, Path]) -> None:
    """Every column that the simulated endpoint has anything for is filled in by one of these."""
    tables = [make_table(folder) for folder in folders.values()]
    filled = {name for table in tables for name in table if table[name].notna().any()}
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
