"""Tasks over whole commands: several in one run, each with its own needle, records and figure."""

import re
from pathlib import Path

import pytest
import yaml
from driving import Call, only_folder, read_log
from serving import Server

from needle.commands import showing
from needle.contexts.tasks import FAMILIES, TASKS
from needle.edges.needlefiles import choose_sources, load_needle_source
from needle.runs.drawing import draw_run
from needle.simulated.reader import NOT_SAID
from needle.words.errors import UsageError

SMALL = ("--controls", "none", "--lengths", "1k", "--depths", "0,60", "--out", "runs", "--yes")


def run(call: Call, *said: str, model: str = "sim/reader") -> Path:
    ended = call("run", "--model", model, *SMALL, *said)
    assert ended.status == 0, ended.err
    return only_folder(Path("runs"))


def test_several_tasks_are_one_run(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run folder holds all tasks: their records, and a figure for each task and language."""
    folder = run(call, "--task", "uuid,single", "--replicates", "2")
    monkeypatch.setattr(showing, "draw_run", draw_run)
    assert call("heatmap", folder).status == 0
    lines = read_log(folder / "outcomes.jsonl")
    kinds = {(line["task"], line["language"], line["needle"]) for line in lines}
    assert kinds == {
        (task, language, needle)
        for task, needle in (("single", "fictional"), ("uuid", "uuid"))
        for language in ("en", "zh")
    }
    figures = {path.name for path in folder.glob("*.png")}
    assert figures == {
        f"heatmap-{task}-{language}.png" for task in ("single", "uuid") for language in ("en", "zh")
    }
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert settled["tasks"] == ["uuid", "single"]
    assert {task: list(needles) for task, needles in settled["needles"].items()} == {
        "uuid": ["en", "zh"],
        "single": ["en", "zh"],
    }
    assert call("resume", folder).status == 0
    assert len(read_log(folder / "outcomes.jsonl")) == len(lines)
    assert call("score", folder).status == 0


def test_tasks_keep_their_keys(call: Call) -> None:
    """A task's trials have the same keys alone as beside others, so that runs can be compared."""
    keys = []
    for out, tasks in (("a", "single"), ("b", "number,single"), ("c", "single,single")):
        assert (
            call("run", "--model", "sim/reader", *SMALL, "--task", tasks, "--out", out).status == 0
        )
        lines = read_log(only_folder(Path(out)) / "outcomes.jsonl")
        keys.append({line["trial"] for line in lines if line["task"] == "single"})
    assert keys[0] == keys[1] == keys[2]


def test_a_needle_brings_its_task() -> None:
    """Without --task it is the needle's own; with it, the needle goes to the task it fits."""
    assert list(choose_sources((), None)) == ["single"]
    assert list(choose_sources((), "uuid")) == ["uuid"]
    chosen = choose_sources(("number", "single"), "xiaoming")
    assert [source.name for source in chosen.values()] == ["number", "xiaoming"]


@pytest.mark.parametrize(
    ("tasks", "needle", "message"),
    [
        (("uuid",), "fictional", "'fictional' is of the task single, not of uuid .*--task single"),
        (("single", "number"), "uuid", "not of single or number"),
    ],
)
def test_a_needle_that_does_not_fit(tasks: tuple[str, ...], needle: str, message: str) -> None:
    """A needle that fits no task asked for is refused in one line."""
    with pytest.raises(UsageError, match=message) as fault:
        choose_sources(tasks, needle)
    assert "\n" not in str(fault.value)


def test_one_prompt_is_of_one_task(call: Call) -> None:
    """``needle prompt`` prints a task's prompt, and asks which where several are said."""
    said = ("prompt", "--length", "1k", "--depth", "50")
    assert re.search(r"\d{7}", call(*said, "--task", "number").out)
    ended = call(*said, "--task", "number,uuid")
    assert ended.status == 2
    assert len(ended.faults) == 1


def test_recall_is_the_share_found(call: Call) -> None:
    """A reply with some of the facts scores their share, and the score says which it lacks."""
    asked = ("--task", "multi", "--facts", "5", "--language", "en", "--lengths", "40k")
    folder = run(call, *asked, model="sim/window")
    scores = read_log(folder / "scores.jsonl")
    lines = {line["trial"]: line for line in read_log(folder / "outcomes.jsonl")}
    assert len(scores) == 2
    for score in scores:
        line = lines[score["trial"]]
        assert len(line["needles"]) == 5
        lost = [
            needle["text"]
            for needle in line["needles"]
            if 40_000 * (1 - needle["actual_depth_percent"] / 100) > 32_000
        ]
        assert score["score"] == pytest.approx(1 - len(lost) / 5)
        assert (score["verdict"] == "found") == (not lost)
        for text in lost:
            thing = " ".join(text.rstrip(".").split()[-2:])
            assert thing in score["explanation"] or thing.split()[-1] in score["explanation"]
    assert {score["verdict"] for score in scores} == {"found", "partial"}


def test_a_lexical_reader_follows_no_chain(call: Call) -> None:
    """sim/reader gives a chain's first fact at best, no answer; each fact has its own depth."""
    folder = run(call, "--task", "chain", "--hops", "4")
    scores = {line["trial"]: line["score"] for line in read_log(folder / "scores.jsonl")}
    for line in read_log(folder / "outcomes.jsonl"):
        facts = [needle["text"] for needle in line["needles"]]
        asked = [needle["depth_percent"] for needle in line["needles"]]
        depth = line["depth_percent"]
        assert asked == [depth + i * (100 - depth) / 4 for i in range(4)]
        assert line["response"] in (facts[0], NOT_SAID[line["language"]])
        assert scores[line["trial"]] == 0


def test_distractors_are_recorded(call: Call) -> None:
    """Each outcome holds its distractors with their depths, and marks them as such."""
    folder = run(call, "--task", "distractors", "--distractors", "8", "--language", "zh")
    scores = {line["trial"]: line["verdict"] for line in read_log(folder / "scores.jsonl")}
    for line in read_log(folder / "outcomes.jsonl"):
        (fact,) = [needle for needle in line["needles"] if "distractor" not in needle]
        others = [needle for needle in line["needles"] if needle.get("distractor")]
        assert len(others) == 8
        assert fact["depth_percent"] == line["depth_percent"]
        assert fact["actual_depth_percent"] == line["actual_depth_percent"]
        depths = [needle["actual_depth_percent"] for needle in line["needles"]]
        assert depths == sorted(depths)
        assert scores[line["trial"]] == "found"


def test_nonliteral_beside_its_base_score(draw: Call) -> None:
    """A lexical reader fails where no word is shared; base lengths are rows of their own."""
    said = ("--task", "nonliteral,single", "--lengths", "1k,2k", "--depth-count", "3")
    ended = draw("run", "--model", "sim/reader", *SMALL[-3:], *SMALL[:2], *said, "--language", "zh")
    assert ended.status == 0
    assert ended.out.count("recall 0.0% of 6 scored replies; left out: none; base score 0.0%") == 1
    assert ended.out.count("recall 100.0% of 6 scored replies; left out: none\n") == 1
    folder = only_folder(Path("runs"))
    lines = read_log(folder / "outcomes.jsonl")
    lengths = {
        task: {line["context_length"] for line in lines if line["task"] == task}
        for task in ("single", "nonliteral")
    }
    assert lengths == {"single": {1_000, 2_000}, "nonliteral": {250, 500, 1_000, 2_000}}
    for line in lines:
        assert 0 <= line["context_length"] - line["prompt_tokens"] <= 8
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert settled["base_lengths"] == [250, 500, 1_000]


def test_needles_in_text_of_the_other_language(call: Call, server: Server) -> None:
    """Cross asks the single needle of each language in the other's text, joined as that text is."""
    said = ("--task", "single,cross", "--base-url", server.base_url)
    folder = run(call, *said, model="any")
    lines = read_log(folder / "outcomes.jsonl")
    assert len({line["trial"] for line in lines}) == len(lines) == 8
    han = re.compile("[\u4e00-\u9fff]")
    for line in lines:
        number = int(line["request_id"].removeprefix("request-"))
        system, user = (m["content"] for m in server.bodies[number]["messages"])
        (needle,) = line["needles"]
        twin = [
            other
            for other in lines
            if other["task"] != line["task"] and other["language"] == line["language"]
        ]
        assert needle["text"] in {one["text"] for other in twin for one in other["needles"]}
        assert (line["language"] == "zh") == bool(han.search(needle["text"]))
        assert (line["language"] == "zh") == bool(han.search(system))
        chinese = len(han.findall(user)) > 300
        assert chinese == ((line["language"] == "zh") != (line["task"] == "cross"))
        before, after = user.split(needle["text"])
        if not chinese:
            assert before.endswith(" ") or after.startswith(" ")
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert set(settled["haystacks"]) == {"en", "zh"}


def test_cross_in_one_language_alone(draw: Call) -> None:
    """A cross run of Chinese needles holds the English text and both prompts, and is resumed."""
    folder = run(draw, "--task", "cross", "--language", "zh")
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert list(settled["haystacks"]) == ["en"]
    assert set(settled["templates"]) == {"en", "zh"}
    assert {path.name for path in folder.glob("*.png")} == {"heatmap-cross-zh.png"}
    lines = read_log(folder / "outcomes.jsonl")
    assert draw("resume", folder).status == 0
    assert read_log(folder / "outcomes.jsonl") == lines


def test_cross_needs_both_texts(call: Call, tmp_path: Path) -> None:
    """Cross with text of one language, or counted in Chinese characters, is refused in one line."""
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("The tide comes in. " * 900, encoding="utf-8")
    for said in (("--haystack", str(tmp_path / "text")), ("--unit", "hanzi")):
        ended = call("plan", "--model", "sim/reader", "--task", "cross", *said)
        assert ended.status == 2
        assert len(ended.faults) == 1
        assert "cross" in ended.faults[0]


@pytest.mark.parametrize(
    ("said", "part"),
    [
        (("--task", "multi", "--facts", "11"), "facts must be within 2-10, got 11"),
        (("--task", "multi", "--facts", "two"), "whole number"),
        (("--task", "distractors", "--distractors", "9"), "distractors must be within 1-8, got 9"),
        (("--task", "chain", "--hops", "1"), "hops must be within 2-5, got 1"),
        (("--facts", "3"), "--facts is for the task multi, which is not asked for"),
    ],
)
def test_counts_that_cannot_be(call: Call, said: tuple[str, ...], part: str) -> None:
    """A count that the task can't have, or that no task has a use for, is refused in one line."""
    ended = call("plan", "--model", "sim/reader", *said)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert part in ended.faults[0]


@pytest.mark.parametrize("task", TASKS)
def test_every_family_has_a_needle_of_its_own(task: str) -> None:
    """Each family's default needle is shipped, fits it, and is in both languages."""
    source = load_needle_source(FAMILIES[task].needle)
    assert source.task in FAMILIES[task].files
    assert all(set(variant) == {"en", "zh"} for variant in source.variants)
