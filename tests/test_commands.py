import csv
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import KEY, Call, Start, finish, list_files, only_folder, read_log
from serving import Answer, Body, Server, refuse, reply, serving

from needle.drawing.fonts import find_chinese_family

OUTCOME_FIELDS = """
    trial pair model task language layout control needle needles replicate haystack
    haystack_offset unit tokenizer context_length depth_percent actual_depth_percent
    prompt_tokens endpoint_prompt_tokens cached_tokens cache_write_tokens completion_tokens
    reasoning_tokens response reasoning finish_reason failure attempts latency_s started_at cost
    served_model request_id
"""
SCORE_FIELDS = "trial scorer score verdict explanation"
FIGURES = [
    f"heatmap-single-{language}.{kind}" for language in ("en", "zh") for kind in ("png", "svg")
]
PLACES = ("Yormarda", "约尔马尔达")


def find_fact(body: Body, number: int) -> Answer:
    """Answer from the text, except where the needle is not found by its place's name."""
    assert number >= 0
    text = body["messages"][-1]["content"]
    place = max(map(text.find, PLACES))
    fact = "It is not said." if place < 0 else text[max(0, place - 40) : place + 80]
    usage = {
        "prompt_tokens": 1_234,
        "completion_tokens": 56,
        "prompt_tokens_details": {"cached_tokens": 1_000},
    }
    return reply(fact, usage=usage)


def said(server: Server, *more: str, model: str = "moonshot-v1-8k") -> list[str]:
    return [
        *("run", "--model", model, "--base-url", server.base_url, "--yes"),
        *("--lengths", "1k,2k", "--depths", "0,50,100", "--out", "runs", *more),
        *("--controls", "none"),
    ]


def test_the_main_job(server: Server, start: Start, alone: Path) -> None:
    """One command and one key make a run folder with all of DESIGN's files and fields."""
    server.script = find_fact
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")
    }
    environment["MOONSHOT_API_KEY"] = KEY
    asked = ["run", "--model", "moonshot-v1-128k", "--base-url", server.base_url, "--yes"]
    asked += ["--controls", "none"]
    ended = finish(start(*asked, figures=True, env=environment))
    assert ended.status == 0, ended.err
    folder = only_folder(alone / "runs")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-moonshot-v1-128k-[0-9a-f]{8}", folder.name)
    files = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    wanted = {"run.yaml", "outcomes.jsonl", "scores.jsonl", "table.csv", *FIGURES}
    assert files == wanted
    assert all((folder / name).stat().st_size for name in wanted)
    assert set(server.keys) == {KEY}
    assert {body["model"] for body in server.bodies} == {"moonshot-v1-128k"}
    assert {body["max_tokens"] for body in server.bodies} == {256}
    outcomes = read_log(folder / "outcomes.jsonl")
    scores = read_log(folder / "scores.jsonl")
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert len(outcomes) == len(server.bodies) == settled["trials"]
    assert {(line["language"], line["context_length"]) for line in outcomes} == {
        (language, length)
        for language in ("en", "zh")
        for length in (*(1_000 * 2**power for power in range(7)), 128_000, 130_784)
    }
    for line in outcomes:
        assert set(line) == set(OUTCOME_FIELDS.split())
        assert line["endpoint_prompt_tokens"] == 1_234
        assert line["cached_tokens"] == 1_000
        assert line["served_model"] == "served-model"
        assert line["cost"] == {"amount": pytest.approx(1_290 * 60 / 1e6), "currency": "CNY"}
        assert [set(needle) for needle in line["needles"]] == [
            {"text", "depth_percent", "actual_depth_percent"}
        ]
    assert all(set(line) == set(SCORE_FIELDS.split()) for line in scores)
    assert {line["trial"] for line in scores} == {line["trial"] for line in outcomes}
    assert {line["verdict"] for line in scores} == {"found"}
    rows = list(csv.DictReader(io.StringIO((folder / "table.csv").read_text(encoding="utf-8"))))
    assert sorted(row["trial"] for row in rows) == sorted(line["trial"] for line in outcomes)
    assert {row["verdict"] for row in rows} == {"found"}
    assert ended.out.count("recall 100.0%") == 2
    for path in folder.iterdir():
        assert KEY.encode() not in path.read_bytes()


def test_the_other_published_models(
    server: Server, draw: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gpt-4-turbo and claude-2.1 are known by name, window and key; each has its own folder."""
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-anthropic")
    server.script = find_fact
    ended = draw(*said(server, "--language", "en", "--model", "claude-2.1", model="gpt-4-turbo"))
    assert ended.status == 0
    assert "retired" in ended.err
    asked = {(body["model"], key) for body, key in zip(server.bodies, server.keys, strict=True)}
    assert asked == {("gpt-4-turbo", "key-of-openai"), ("claude-2.1", "key-of-anthropic")}
    folders = sorted(Path("runs").iterdir())
    assert len(folders) == 2
    pairs = []
    for folder in folders:
        assert (folder / "heatmap-single-en.png").read_bytes().startswith(b"\x89PNG")
        lines = read_log(folder / "outcomes.jsonl")
        assert {line["cost"]["currency"] for line in lines} == {"USD"}
        pairs.append({line["pair"]: line["trial"] for line in lines})
    assert pairs[0].keys() == pairs[1].keys()
    assert not set(pairs[0].values()) & set(pairs[1].values())


@pytest.fixture
def finished(server: Server, draw: Call) -> Path:
    """Carry out a small run with a found, a missed and a failed trial in it."""

    def script(body: Body, number: int) -> Answer:
        if number == 3:
            return refuse(400, "context_length_exceeded")
        return reply("I do not know.") if number % 2 else find_fact(body, number)

    server.script = script
    assert draw(*said(server, "--language", "en", "--concurrency", "1")).status == 1
    return only_folder(Path("runs"))


def drawn(folder: Path) -> dict[str, bytes]:
    files = list_files(folder)
    return {name: data for name, data in files.items() if name.startswith(("heatmap", "table"))}


def last_scores(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(line["trial"], line["scorer"]): line for line in read_log(folder / "scores.jsonl")}


def test_scoring_again_changes_nothing_and_costs_nothing(
    finished: Path, server: Server, draw: Call
) -> None:
    """``needle score`` makes no call, and leaves every byte of a scored run as it is."""
    before, asked = list_files(finished), len(server.bodies)
    assert draw("score", finished).status == 0
    assert len(server.bodies) == asked
    assert list_files(finished) == before


@pytest.mark.parametrize("harm", ["deleted", "torn", "wrong"])
def test_scores_are_derived(harm: str, finished: Path, server: Server, draw: Call) -> None:
    """Scores that were deleted, torn or wrong are made anew from the outcomes alone."""
    path, asked = finished / "scores.jsonl", len(server.bodies)
    before, figures = last_scores(finished), drawn(finished)
    outcomes = (finished / "outcomes.jsonl").read_bytes()
    if harm == "deleted":
        path.unlink()
    elif harm == "torn":
        path.write_bytes(path.read_bytes()[:-30])
    else:
        path.write_text(path.read_text("utf-8").replace('"found"', '"missed"'), "utf-8")
    assert draw("score", finished).status == 0
    assert last_scores(finished) == before
    assert drawn(finished) == figures
    assert (finished / "outcomes.jsonl").read_bytes() == outcomes
    assert len(server.bodies) == asked


def test_scores_by_a_changed_needle(finished: Path, draw: Call, tmp_path: Path) -> None:
    """--needle takes other accepted answers, and refuses a needle that asks something else."""
    shipped = Path(__file__).resolve().parents[1] / "configs" / "needles" / "fictional.yaml"
    text = shipped.read_text(encoding="utf-8")
    changed = tmp_path / "changed.yaml"
    data = yaml.safe_load(text)
    for variant in data["variants"]:
        variant["en"]["answers"].append(["a word that no reply holds"])
    changed.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    assert draw("score", finished, "--needle", changed).status == 0
    verdicts = {line["verdict"] for line in last_scores(finished).values()}
    assert verdicts == {"partial", "missed", "failed"}
    for variant in data["variants"]:
        variant["en"]["question"] = "What else?"
    changed.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), encoding="utf-8")
    before = list_files(finished)
    ended = draw("score", finished, "--needle", changed)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert list_files(finished) == before


def test_figures_are_drawn_anew_byte_for_byte(finished: Path, draw: Call) -> None:
    """``needle heatmap`` draws the same bytes again, and in Chinese where a font can write it."""
    before = drawn(finished)
    assert set(before) == {"heatmap-single-en.png", "heatmap-single-en.svg", "table.csv"}
    for name in before:
        (finished / name).unlink()
    assert draw("heatmap", finished).status == 0
    assert drawn(finished) == before
    moved = finished.with_name("moved")
    shutil.copytree(finished, moved)
    ended = draw("heatmap", moved, "--labels", "zh")
    assert ended.status == 0
    changed = drawn(moved)["heatmap-single-en.svg"] != before["heatmap-single-en.svg"]
    advised = "no Chinese font" in ended.err
    assert changed == (find_chinese_family() is not None) == (not advised)


def test_the_table_is_printed(finished: Path, draw: Call, tmp_path: Path) -> None:
    """``needle table`` prints the CSV of one row a trial and scorer, as table.csv holds it."""
    ended = draw("table", finished)
    assert ended.status == 0
    assert ended.out == (finished / "table.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    lines = {line["trial"]: line for line in read_log(finished / "outcomes.jsonl")}
    assert {row["trial"] for row in rows} == set(lines)
    assert len(rows) == len(lines) == 6
    for row in rows:
        line, score = lines[row["trial"]], last_scores(finished)[row["trial"], row["scorer"]]
        assert row["response"] == (line["response"] or "")
        assert row["verdict"] == score["verdict"]
        assert row["score"] == ("" if score["score"] is None else str(score["score"]))
        assert json.loads(row["needles"]) == line["needles"]
        failure = line["failure"] or {"kind": ""}
        assert row["failure_kind"] == failure["kind"]
    draw("table", finished, "--output", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().decode() == ended.out


def test_a_run_folder_can_be_moved(finished: Path, server: Server, draw: Call) -> None:
    """A run folder holds all that it needs: it is resumed wherever it stands."""
    elsewhere = finished.parent.parent / "elsewhere"
    finished.rename(elsewhere)
    asked = len(server.bodies)
    server.script = find_fact
    assert draw("resume", elsewhere, "--failed").status == 0
    assert len(server.bodies) == asked + 1


def test_an_endpoint_that_moved(finished: Path, draw: Call, server: Server) -> None:
    """``resume --base-url`` asks at another address, of the same trials, what has no reply."""
    asked = len(server.bodies)
    with serving() as elsewhere:
        elsewhere.script = find_fact
        assert draw("resume", finished, "--failed", "--base-url", elsewhere.base_url).status == 0
        assert elsewhere.prompts() == server.prompts()[3:4]
    assert len(server.bodies) == asked


def test_the_plan_is_what_is_sent(server: Server, call: Call) -> None:
    """``needle plan`` sends nothing, writes nothing, and says the trials and tokens of the run."""
    asked = said(server)[1:]
    (plan,) = json.loads(call("plan", *asked, "--json").out)
    assert not server.bodies
    assert not Path("runs").exists()
    assert call(*said(server)).status == 0
    lines = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    assert plan["trials"] == len(lines)
    assert plan["prompt_tokens"] == sum(line["prompt_tokens"] for line in lines)
    assert only_folder(Path("runs")).name == plan["run_id"]
    assert plan["money"]["currency"] == "CNY"
    sent, reply_tokens = plan["prompt_tokens"], plan["reply_tokens_at_most"]
    assert plan["money"]["amount"] == pytest.approx((sent + reply_tokens) * 12 / 1e6, abs=1e-4)
    assert "12 trials" in call("plan", *asked).out


def test_any_option_of_a_run_is_one_of_plan_and_prompt(server: Server, call: Call) -> None:
    """What was said to ``run`` may be said to ``plan`` and ``prompt``; neither sends anything."""
    asked = [*said(server)[1:], "--budget", "1USD", "--rate", "USD/CNY=7", "--again"]
    planned = call("plan", *asked)
    assert planned.status == 0
    assert planned.out.splitlines()[-1].startswith("budget: 1 USD, of which this takes about 4%")
    small = call("plan", *asked[:-5], "--budget", "1ktok").out.splitlines()[-1]
    assert small.startswith("budget: 1,000 tokens, about ")
    assert "% of what this may take" in small
    assert call("prompt", *asked, "--language", "en", "--length", "1k", "--depth", "50").status == 0
    assert not server.bodies


def test_the_vendors_words_stay_on_one_line(server: Server, call: Call) -> None:
    """However many lines a vendor's refusal has, the user reads one."""
    server.script = lambda _body, _number: refuse(401, "no\nsuch\r\nkey\n\nat all")
    ended = call(*said(server))
    assert ended.status == 3
    assert len(ended.faults) == 1
    assert "no such key at all" in ended.faults[0]
    assert ended.err.endswith(ended.faults[0] + "\n")
