"""Adaptive runs as commands: what they ask, where they end, and what they refuse."""

import json
from pathlib import Path

import pytest
from driving import Call, Start, only_folder, read_log
from serving import Answer, Body, Server, name_prompt, reply

from needle.edges.store import load_run
from needle.runs.comparing import compare_languages, compare_runs
from needle.runs.reproduce import write_command

LONG = 12_000  # characters from which the server finds nothing


def read_all(body: Body, _number: int) -> Answer:
    """Answer with the whole text, and so with its needle; a longer text is lost at times."""
    text = body["messages"][-1]["content"]
    lost = len(text) > LONG and int(name_prompt(body)[0], 16) < 12
    usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 10}
    return reply("I do not know." if lost else text, usage=usage)


def said(server: Server, *more: str) -> list[str]:
    server.script = read_all
    return [
        *("run", "--model", "moonshot-v1-8k", "--base-url", server.base_url, "--language", "en"),
        *("--lengths", "500,1k,2k,3k,4k,5k", "--depths", "0,25,50,75,100", "--replicates", "6"),
        *("--adaptive", "--controls", "none", "--concurrency", "1", *more),
    ]


@pytest.fixture
def whole(server: Server, call: Call) -> list[str]:
    """Return the prompts of a run that nothing stopped, in the order they were sent."""
    assert call(*said(server, "--yes", "--out", "whole")).status == 0
    prompts = server.prompts()
    assert 36 < len(prompts) < 180  # more than the core, less than the grid
    server.bodies.clear()
    return prompts


@pytest.mark.parametrize("stored", [10, 50])
def test_a_killed_run_asks_what_it_would_have_asked(
    stored: int, whole: list[str], server: Server, start: Start, call: Call
) -> None:
    """After kill -9 in the core or in a layer, the same trials are asked in the same order."""
    server.let(stored)
    process = start(*said(server, "--yes", "--out", "runs"))
    server.wait_for(stored + 1)
    process.kill()
    process.wait()
    server.let(None)
    assert call("resume", only_folder(Path("runs"))).status == 0
    prompts = server.prompts()
    assert prompts[: stored + 1] + prompts[stored + 2 :] == whole  # one was in flight
    assert prompts[stored] == prompts[stored + 1]


def test_a_finished_run_is_not_paid_for_twice(whole: list[str], server: Server, call: Call) -> None:
    """Where the interval is narrow enough the same command sends nothing, and says why it ended."""
    again = call(*said(server, "--yes", "--out", "whole"))
    assert again.status == 0
    assert "octaves" in again.err
    assert whole
    assert not server.bodies


@pytest.mark.parametrize("tokens", [150_000, 250_000])
def test_a_budget_is_the_plan_of_an_adaptive_run(tokens: int, server: Server, call: Call) -> None:
    """It is never exceeded, only whole layers are asked, and its end is a run's good end."""
    command = said(server, "--budget", f"{tokens}tok")
    ended = call(*command)
    assert ended.status == 0, ended.err
    folder = only_folder(Path("runs"))
    lines = read_log(folder / "outcomes.jsonl")
    assert sum(line["endpoint_prompt_tokens"] + 10 for line in lines) <= tokens
    assert len(lines) % 6 == 0
    assert len(lines) > 36
    asked = len(server.bodies)
    assert call(*command).status == 0
    assert len(server.bodies) == asked


def test_a_budget_for_less_than_the_core_is_used_up(server: Server, call: Call) -> None:
    """A run whose core is not asked has not ended, and can be gone on with."""
    ended = call(*said(server, "--budget", "20ktok"))
    assert ended.status == 3
    assert "budget" in ended.err


def test_what_can_choose_nothing_is_refused(server: Server, call: Call) -> None:
    """One replicate, a judge, and a batch file are each refused in one line before any request."""
    refused = {
        "replicates": call(*said(server, "--yes"), "--replicates", "1"),
        "judge": call(*said(server, "--yes"), "--scorer", "judge", "--judge-model", "gpt-4o"),
        "batch": call("batch", "write", *said(server)[1:]),
    }
    for word, ended in refused.items():
        assert ended.status == 2
        assert len(ended.faults) == 1
        assert word in ended.faults[0]
    assert not server.bodies
    assert not Path("runs").exists()


def test_few_replicates_are_told_of(server: Server, call: Call) -> None:
    """Under six replicates the plan says that no claim follows."""
    few = call("plan", *said(server)[1:], "--replicates", "3")
    assert "certainty" in few.out
    assert "certainty" not in call("plan", *said(server)[1:]).out


def test_gaps_between_lengths_are_told_of(call: Call) -> None:
    """Where the longer lengths double the plan says that the limit between them is not tested."""
    plan = ("plan", "--model", "moonshot-v1-32k", "--language", "en", "--replicates", "6")
    assert "far apart" in call(*plan, "--adaptive").out
    assert "far apart" not in call(*plan).out
    assert "far apart" not in call(*plan, "--adaptive", "--length-count", "9").out


def test_a_plan_tells_the_core(server: Server, call: Call) -> None:
    """The plan gives what the core takes beside the whole, in words and as JSON."""
    assert "first the core" in call("plan", *said(server)[1:]).out
    (record,) = json.loads(call("plan", *said(server)[1:], "--json").out)
    assert record["adaptive"]["trials"] == 36
    assert record["trials"] == 180
    assert 0 < record["adaptive"]["prompt_tokens"] < record["prompt_tokens"] / 4


def test_an_adaptive_run_is_a_run_of_its_own(server: Server, call: Call) -> None:
    """The choice is part of the run's digest, not of its trials' keys: they pair with any run's."""
    assert call(*said(server, "--yes", "--out", "a")).status == 0
    plain = [word for word in said(server, "--yes", "--out", "b") if word != "--adaptive"]
    assert call(*plain).status == 0
    first, second = only_folder(Path("a")), only_folder(Path("b"))
    assert load_run(first).digest != load_run(second).digest
    assert load_run(first).adaptive
    assert "--adaptive" in write_command(load_run(first)).split()
    keys = [{line["trial"] for line in read_log(f / "outcomes.jsonl")} for f in (first, second)]
    assert keys[0] < keys[1]
    (compared,) = compare_runs([first, second])
    assert compared.pairs == 36  # the core's alone
    assert compare_languages(first) == []


def test_tasks_and_languages_take_turns(server: Server, call: Call) -> None:
    """Each round has one layer of each language that has not had enough."""
    words = said(server, "--yes", "--language", "both")
    assert call(*words).status == 0
    lines = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    later = [line["language"] for line in lines[72:]]
    assert len(later) >= 12
    assert set(later[:12]) == {"en", "zh"}


def test_models_divide_one_budget(server: Server, call: Call) -> None:
    """An adaptive run leaves the models after it their share, and all keep to the budget."""
    ended = call(*said(server, "--budget", "300ktok", "--model", "moonshot-v1-32k"))
    assert ended.status == 0, ended.err
    logs = [read_log(folder / "outcomes.jsonl") for folder in sorted(Path("runs").iterdir())]
    spent = [sum(line["endpoint_prompt_tokens"] + 10 for line in lines) for lines in logs]
    assert [len(lines) >= 36 for lines in logs] == [True, True]
    assert sum(spent) <= 300_000
