import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import Call

from needle.edges.store import load_run
from needle.runs.comparing import compare_languages, compare_runs
from needle.runs.evidence import read_statistics
from needle.statistics.comparable import find_differences
from needle.words.counts import VendorCount
from needle.words.origins import Imported
from needle.words.types import Run

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "runs" / "sample"
GRID = ("--lengths", "1k,2k", "--depths", "0,50,100", "--controls", "none", "--yes")

Change = Callable[[Run], Run]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "runs"


@pytest.fixture
def two(call: Call, alone: Path, kept: Path) -> list[Path]:
    """Make runs of a model that finds all and of one that finds nothing, six replicates each."""
    if not kept.exists():
        for model in ("sim/reader", "sim/blind"):
            assert call("run", "--model", model, "--replicates", 6, *GRID).status == 0
        shutil.copytree(alone / "runs", kept)
    else:
        shutil.copytree(kept, alone / "runs")
    return sorted((alone / "runs").iterdir(), reverse=True)


def test_all_against_nothing(two: list[Path]) -> None:
    """Runs that find all and nothing differ by 100 points in every cell, beyond chance."""
    first, second = compare_runs(two)
    assert {first.language, second.language} == {"en", "zh"}
    for one in (first, second):
        assert (one.first, one.second) == ("sim/reader", "sim/blind")
        assert one.difference.value == -1
        assert one.p_adjusted == one.p_value == pytest.approx(2 / 2**6)
        assert one.pairs == one.only_first
        scored = [cell for cell in one.cells if cell.difference is not None]
        assert all(cell.difference == -1 and cell.beyond_chance for cell in scored)


def test_statistics_of_a_run(two: list[Path]) -> None:
    """A run's statistics are those of its own outcomes, one a language, each trial counted once."""
    for folder, recall in zip(two, (1.0, 0.0), strict=True):
        lines = (folder / "outcomes.jsonl").read_text().splitlines()
        told = read_statistics(folder)
        assert [each.language for each in told] == ["en", "zh"]
        assert sum(each.overall.scored for each in told) == len(lines)
        assert {each.overall.value for each in told} == {recall}
        assert {each.overall.scope for each in told} == {"population"}
        state = {1.0: "beyond", 0.0: "below"}[recall]
        assert {each.effective[0].state for each in told} == {state}


def test_languages_are_compared_within_a_run(two: list[Path]) -> None:
    """English is held against Chinese cell by cell; a model that finds all shows no gap."""
    (gap,) = compare_languages(two[0])
    assert (gap.of, gap.language, gap.difference.value, gap.p_value) == ("languages", None, 0, 1)


def test_runs_in_part_finished_are_compared_on_what_both_have(two: list[Path]) -> None:
    """Only trials that both runs have scored are pairs."""
    lines = (two[1] / "outcomes.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["replicate"] < 2]
    (two[1] / "outcomes.jsonl").write_text("".join(kept))
    both = compare_runs(two)
    assert sum(one.pairs for one in both) == len(kept)
    assert {one.replicates for one in both} == {2}
    assert {one.detectable for one in both} == {None}


def test_a_run_twice_is_one_run(call: Call, two: list[Path]) -> None:
    """A run named twice, by whatever path, stands once and is not held against itself."""
    again = two[0].parent / ".." / two[0].parent.name / two[0].name
    once, twice = call("compare", two[0], "--json"), call("compare", two[0], again, "--json")
    assert once.out == twice.out


def test_runs_of_one_model_are_told_apart(call: Call, two: list[Path], tmp_path: Path) -> None:
    """Runs of one model are named by their folders: in words, on the sheet and in its files."""
    other = tmp_path / "other" / two[0].name
    shutil.copytree(two[0], other)
    third = tmp_path / "third" / two[0].name
    shutil.copytree(two[0], third)
    called = call("compare", two[0], other, third, two[1], "--format", "svg", "--out", "drawn")
    names = [f"{folder.parent.name}/{folder.name}" for folder in (two[0], other, third)]
    for name in names:
        assert f"[{name}, single, English]" in called.out
        assert f"difference is shown between {name} in English and in Chinese" in called.out
        assert f"between sim/blind and {name} on the same English trials" in called.out
    drawn = [line for line in called.out.splitlines() if line.startswith("drawn")]
    assert len(set(drawn)) == len(drawn) == 1 + 2 * 6 + 4
    assert sorted(drawn) == sorted(map(str, Path("drawn").iterdir()))


def test_the_command(call: Call, two: list[Path]) -> None:
    """`needle compare` prints a column a run and language, and what may be concluded."""
    called = call("compare", *two)
    assert called.status == 0
    assert called.out.count("sim/blind (simulated)") >= 2
    assert "recalls 100.0 points fewer than sim/reader" in called.out
    chinese = call("compare", *two, "--labels", "zh")
    assert "召回率比 sim/reader 低 100.0 个百分点" in chinese.out
    record = json.loads(call("compare", *two, "--json").out)
    assert len(record["standings"]) == 4
    assert len(record["comparisons"]) == 2


def test_one_run_is_a_comparison_of_its_languages(call: Call, two: list[Path]) -> None:
    """A single run is told of by itself, with its English against its Chinese."""
    called = call("compare", two[0])
    assert called.status == 0
    assert "No difference is shown between sim/reader in English and in Chinese" in called.out


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = yaml.safe_load((folder / "run.yaml").read_text())
    change(data)
    (folder / "run.yaml").write_text(yaml.safe_dump(data, allow_unicode=True))


def test_runs_that_may_not_be_compared(call: Call, two: list[Path]) -> None:
    """They are refused in one line with what differs, and shown untested when told to."""
    rewrite(two[1], lambda data: data.update(tokenizer="cl100k_base"))
    refused = call("compare", *two)
    assert refused.status == 2
    (line,) = refused.faults
    assert "cl100k_base" in line
    assert "o200k_base" in line
    assert "--side-by-side" in line
    shown = call("compare", *two, "--side-by-side")
    assert shown.status == 0
    assert "not tested" in shown.out
    assert "points fewer than sim/reader" not in shown.out


def test_a_scorer_that_has_not_scored(call: Call, two: list[Path]) -> None:
    """A scorer without scores in a run is refused with the command that would make them."""
    (line,) = call("compare", *two, "--scorer", "exact").faults
    assert "'exact'" in line
    assert "needle score" in line


CHANGES: dict[str, Change] = {
    "needles": lambda run: replace(
        run,
        needles={
            task: {
                language: tuple(replace(needle, question="What else?") for needle in needles)
                for language, needles in by.items()
            }
            for task, by in run.needles.items()
        },
    ),
    "haystacks": lambda run: replace(
        run, haystacks={k: replace(v, sha256="0" * 64) for k, v in run.haystacks.items()}
    ),
    "templates": lambda run: replace(
        run,
        templates={
            k: replace(v, messages=(("user", "{context} ... {question}"),))
            for k, v in run.templates.items()
        },
    ),
    "tokenizers": lambda run: replace(run, tokenizer="cl100k_base"),
    "units": lambda run: replace(run, unit="hanzi"),
    "seeds": lambda run: replace(run, seed=1),
    "own tokens": lambda run: replace(run, ratio={"en": VendorCount("o200k_base", (), "assumed")}),
    "imported": lambda run: replace(run, imported=Imported("kamradt", (), None)),
    "no task": lambda run: replace(run, tasks=("multi",)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_differs_is_named(what: str) -> None:
    """Each thing that must be equal is named when it is not, whichever run comes first."""
    run = load_run(SAMPLE)
    other = CHANGES[what](run)
    assert find_differences([run, run]) == []
    for runs in ([run, other], [other, run]):
        assert any(what in line for line in find_differences(runs))
        said = find_differences(runs, "zh")
        assert len(said) == len(find_differences(runs))
        assert all(re.search(r"[\u4e00-\u9fff]", line) for line in said)


def test_other_depths_are_other_contexts() -> None:
    """Runs in shared contexts are compared on equal depths: all of them stand in each text."""
    one = replace(load_run(SAMPLE), layout="shared")
    other = replace(one, grid=replace(one.grid, depths=one.grid.depths[:-1]))
    assert find_differences([one, one]) == []
    assert "layouts differ" in find_differences([one, other])[0]


def test_what_may_differ() -> None:
    """Model, price, grid, replicates and concurrency may differ between runs that are compared."""
    run = load_run(SAMPLE)
    other = replace(
        run,
        model=replace(run.model, name="other", base_url="http://127.0.0.1:1/v1"),
        grid=replace(run.grid, lengths=(1_000,)),
        replicates=1,
        concurrency=1,
        reply_tokens=999,
    )
    assert find_differences([run, other]) == []
