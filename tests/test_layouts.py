"""A run in shared contexts, from the command line to the figure, and what is told of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from driving import Call, only_folder, read_log
from test_labels import make_heatmap

from needle.asking.outcomes import find_needle, settle_states
from needle.contexts.gathering import SHARED_TASKS
from needle.contexts.tasks import TASKS
from needle.edges.store import load_run
from needle.edges.tables import make_table
from needle.statistics.cells import join_scores
from needle.telling.labels import make_labels
from needle.telling.sheet_labels import make_sheet
from needle.words.figures import Heatmap, Panel
from needle.words.types import Grid, Run

SAID = ("--layout", "shared", "--lengths", "1k,2k", "--depths", "0,40,70,100", "--out", "runs")


DEPTHS = "0,10,20,30,40,50,60,70,80,90,100"


def run(call: Call, *said: str, model: str = "sim/reader") -> Path:
    ended = call("run", "--model", model, *SAID, *said, "--yes")
    assert ended.status == 0, ended.err
    return only_folder(Path("runs"))


def scores_of(folder: Path) -> dict[str, float]:
    return {line["trial"]: line["score"] for line in read_log(folder / "scores.jsonl")}


@pytest.mark.parametrize("model", ["sim/reader", "sim/oracle"])
def test_known_truth(model: str, call: Call) -> None:
    """Over HTTP readers find each needle of every shared context, in both languages."""
    folder = run(call, "--task", ",".join(SHARED_TASKS), "--lengths", "1k", model=model)
    found, lines = scores_of(folder), read_log(folder / "outcomes.jsonl")
    kinds = {(line["task"], line["language"]) for line in lines}
    assert kinds == {(task, language) for task in SHARED_TASKS for language in ("en", "zh")}
    for line in lines:
        assert found[line["trial"]] == (1.0 if line["control"] is None else 0.0)


def test_what_is_stored(call: Call) -> None:
    """A line lists all that is planted, the others marked, and leads to its needle in run.yaml."""
    folder = run(call, "--language", "en", "--replicates", "2")
    stored, lines = load_run(folder), read_log(folder / "outcomes.jsonl")
    assert stored.layout == "shared"
    assert len(stored.needles["single"]["en"]) == 2 * 5
    for line in lines:
        assert line["layout"] == "shared"
        needle = find_needle(stored.needles, line)
        assert needle.name == line["needle"]
        planted = line["needles"]
        if line["control"] == "no_haystack":
            assert planted == []
            continue
        assert [place["depth_percent"] for place in planted] == [0, 40, 70, 100]
        mine = [place for place in planted if not place.get("other")]
        if line["control"] is None:
            assert [place["text"] for place in mine] == list(needle.facts)
            assert mine[0]["depth_percent"] == line["depth_percent"]
            assert mine[0]["actual_depth_percent"] == line["actual_depth_percent"]
        else:
            assert mine == []
            assert needle.facts[0] not in [place["text"] for place in planted]
    table = make_table(folder)
    assert set(table["layout"]) == {"shared"}
    assert len(join_scores("single", "en", settle_states(lines), {})) == 2 * 2 * 4


def test_scored_anew(call: Call) -> None:
    """Scores are made anew without a call, from the needles that each line leads to."""
    folder = run(call, "--language", "zh", "--replicates", "2")
    before = scores_of(folder)
    (folder / "scores.jsonl").unlink()
    assert call("score", folder).status == 0
    assert scores_of(folder) == before
    ended = call("score", folder, "--needle", "fictional")
    assert (ended.status, ended.err) == (0, "0 scores changed\n")
    assert scores_of(folder) == before


def test_goes_on_where_it_was(call: Call) -> None:
    """A run in shared contexts is resumed from its folder: nothing that has a reply is asked."""
    folder = run(call, "--language", "en")
    whole = (folder / "outcomes.jsonl").read_text("utf-8").splitlines(keepends=True)
    (folder / "outcomes.jsonl").write_text("".join(whole[:9]), encoding="utf-8")
    assert call("resume", folder).status == 0
    lines = read_log(folder / "outcomes.jsonl")
    assert len(lines) == len(whole)
    assert {line["trial"] for line in lines} == {line["trial"] for line in read_lines(whole)}
    assert "finished" in call("run", "--model", "sim/reader", *SAID, "--language", "en").err


def read_lines(lines: Sequence[str]) -> list[dict[str, Any]]:
    import json

    return [json.loads(line) for line in lines]


def test_another_layout_is_another_run(call: Call) -> None:
    """The same grid in the classic layout has a folder of its own, and no trial in common."""
    run(call, "--language", "en")
    ended = call("run", "--model", "sim/reader", *SAID[2:], "--language", "en", "--yes")
    assert ended.status == 0
    folders = sorted(Path("runs").iterdir())
    runs = [load_run(folder) for folder in folders]
    assert {each.layout for each in runs} == {"classic", "shared"}
    pairs = [{line["pair"] for line in read_log(folder / "outcomes.jsonl")} for folder in folders]
    assert not pairs[0] & pairs[1]


def test_old_folders_are_classic(call: Call) -> None:
    """A run.yaml that says nothing of a layout is of the classic one."""
    folder = run(call, "--language", "en")
    text = (folder / "run.yaml").read_text("utf-8")
    assert "\nlayout: shared\n" in text
    (folder / "run.yaml").write_text(text.replace("\nlayout: shared\n", "\n"), encoding="utf-8")
    assert load_run(folder).layout == "classic"


@pytest.mark.parametrize("task", sorted(set(TASKS) - set(SHARED_TASKS)))
def test_tasks_that_cannot_share(task: str, call: Call) -> None:
    """Other tasks are refused in one line that names those that can."""
    ended = call("plan", "--model", "sim/reader", *SAID, "--task", f"single,{task}")
    assert ended.status == 2
    assert ended.err.count("\n") == 1
    assert f"the task {task} can't be asked in shared contexts (--layout shared)" in ended.err
    assert "single, number, uuid, cross" in ended.err


def test_what_else_is_refused(call: Call) -> None:
    """A layout that there is not, and a needle that is alone, are refused in one line."""
    for said, words in (
        (("--layout", "row"), "layout should be 'classic' or 'shared', got 'row'"),
        (("--needle", "xiaoming"), "'xiaoming' can't fill a shared context"),
        (("--lengths", "100"), "100 can't be made"),
    ):
        ended = call("plan", "--model", "sim/reader", *SAID, *said)
        assert ended.status == 2
        assert ended.err.count("\n") == 1
        assert words in ended.err


def test_the_plan_tells_what_it_saves(call: Call) -> None:
    """A plan names the layout, what a prompt cache can serve of it, and where needles crowd."""
    ended = call("plan", "--model", "sim/reader", *SAID, "--depths", DEPTHS)
    assert "layout shared: 11 needles in each context, one question a request" in ended.out
    assert "an ideal prompt cache serves 9" in ended.out
    assert "at length 1,000 up to 3" in ended.out
    assert "layout" not in call("plan", "--model", "sim/reader", *SAID[2:]).out


def test_a_recipe_names_its_layout(call: Call) -> None:
    """A recipe's layout is that of its run, and the command line comes first."""
    Path("r.yaml").write_text("layout: shared\nmodel: sim/reader\ngrid: {lengths: [1k]}\n", "utf-8")
    assert "layout shared: 11 needles" in call("plan", "--config", "r.yaml").out
    assert "shared" not in call("plan", "--config", "r.yaml", "--layout", "classic").out


def test_the_prompt_of_a_depth(call: Call) -> None:
    """One prompt's context is that of all depths of the grid; a depth between them is refused."""
    said = ("prompt", "--layout", "shared", "--length", "1k", "--depths", "0,50,100", "--depth")
    first, last = call(*said, "0").out, call(*said, "100").out
    assert first != last
    assert first.rpartition("\n\n")[0].rpartition("\n\n")[0] in last
    bare = call(*said, "100", "--control", "no_haystack").out.strip()
    assert bare.removeprefix("[user]\n") in last
    assert bare.removeprefix("[user]\n") not in first
    without = call(*said, "0", "--control", "no_needle").out
    assert without != first
    ended = call(*said, "30")
    assert ended.status == 2
    assert "no needle is planted at 30% (--depth)" in ended.err
    assert "0, 50, 100" in ended.err


@pytest.mark.parametrize(
    ("language", "subtitle", "footer", "one"),
    [
        (
            "en",
            "(Shared Contexts)",
            "2 needles in each, one question a request",
            "one set of needles",
        ),
        ("zh", "（共用上下文）", "每份文本里有 2 根针，逐一提问", "仅一组针、一处文本"),
    ],
)
def test_figures_name_the_layout(language: Any, subtitle: str, footer: str, one: str) -> None:
    """Subtitle, footer and a sheet's panels name shared contexts, and leave the classic one out."""
    plain: Heatmap = make_heatmap(grid=Grid("default", (1_000,), (0.0, 100.0)))
    shared = make_labels(replace(plain, layout="shared"), language)
    classic = make_labels(plain, language)
    panels = make_sheet([Panel(plain), Panel(replace(plain, layout="shared"))], language).labels[0]
    assert [panel.name.endswith(subtitle) for panel in panels] == [False, True]
    for labels, there in ((shared, True), (classic, False)):
        words = "\n".join(item for line in labels.footer for item in line)
        assert (subtitle in labels.subtitle) == there
        assert (footer in words) == there
        assert (one in words) == there


def test_lengths_in_the_vendors_own_tokens(call: Call) -> None:
    """Fitted to the endpoint's own count, the longest request of a context is its length by it."""
    folder = run(call, "--count", "vendor", "--language", "zh")
    cells = [line for line in read_log(folder / "outcomes.jsonl") if line["needles"]]
    for length in (1_000, 2_000):
        theirs = [c["endpoint_prompt_tokens"] for c in cells if c["context_length"] == length]
        assert len(theirs) == 5
        assert 0 <= length - max(theirs) <= 10
        assert length - min(theirs) <= 30


def test_a_run_is_drawn(draw: Call) -> None:
    """A run in shared contexts ends with its figures, and says so beside their recall."""
    ended = draw("run", "--model", "sim/reader", *SAID, "--task", "number", "--yes")
    assert ended.status == 0, ended.err
    folder = only_folder(Path("runs"))
    drawn: Run = load_run(folder)
    assert sorted(path.name for path in folder.glob("*.png")) == [
        f"heatmap-number-{language}.png" for language in drawn.languages
    ]
    assert (
        "sim/reader number English, shared contexts (simulated endpoint): recall 100" in ended.out
    )
