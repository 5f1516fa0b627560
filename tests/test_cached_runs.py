"""Whole runs against endpoints that keep prompts: what is sent, served, billed and said."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from driving import Call, Start, finish, only_folder, read_log
from serving import Answer, Body, Server, name_prompt, refuse, reply, serving

GRID = ("--lengths", "3k,15k", "--depths", "0,25,50,75,100", "--controls", "none")


def simulated(cache: str, *more: str) -> list[str]:
    return ["run", "--model", "sim/reader", "--cache", cache, "--concurrency", "4", *GRID, *more]


def outcomes() -> list[dict[str, Any]]:
    return read_log(only_folder(Path("runs")) / "outcomes.jsonl")


def share(lines: list[dict[str, Any]], field: str) -> float:
    """Return the share of a run's prompt tokens that a field of its outcomes counts."""
    counted: int = sum(line[field] or 0 for line in lines)
    sent: int = sum(line["endpoint_prompt_tokens"] for line in lines)
    return counted / sent


@pytest.mark.parametrize(
    ("cache", "written"),
    [
        ("openai", False),
        ("kimi", False),
        ("deepseek", False),
        ("anthropic", True),
        ("openai-explicit", True),
    ],
)
def test_a_run_is_served_what_its_plan_foretells(cache: str, written: bool, call: Call) -> None:
    """The built-in endpoint serves the share that the plan tells, and the run's end says it."""
    planned = json.loads(call("plan", *simulated(cache)[1:], "--json").out)[0]["cache"]
    ended = call(*simulated(cache))
    assert ended.status == 0
    lines = outcomes()
    assert share(lines, "cached_tokens") == pytest.approx(planned["cached_share"], abs=0.02)
    assert share(lines, "cache_write_tokens") == pytest.approx(planned["written_share"], abs=0.02)
    assert (share(lines, "cache_write_tokens") > 0.02) == written
    assert f"cached {share(lines, 'cached_tokens'):.0%} of" in ended.err
    assert {line["failure"] for line in lines} == {None}


def test_neither_order_nor_marks_change_what_is_asked_and_scored(call: Call) -> None:
    """With any cache a run has the same keys, prompts, scores and name as with none."""
    runs = {}
    for cache in ("none", "kimi", "anthropic"):
        assert call(*simulated(cache, "--out", cache)).status == 0
        folder = only_folder(Path(cache))
        fields = ("trial", "pair", "response", "endpoint_prompt_tokens", "prompt_tokens")
        lines = read_log(folder / "outcomes.jsonl")
        scores = sorted(json.dumps(line) for line in read_log(folder / "scores.jsonl"))
        runs[cache] = (folder.name, sorted([line[f] for f in fields] for line in lines), scores)
    assert len({json.dumps(run) for run in runs.values()}) == 1


def said(server: Server, *more: str, model: str = "kimi-k2.6") -> list[str]:
    return [
        *("run", "--model", model, "--base-url", server.base_url, "--yes", "--language", "en"),
        *("--lengths", "2k,6k", "--depths", "0,50,100", "--controls", "none", *more),
    ]


def say_length(body: Body) -> int:
    return sum(len(str(message["content"])) for message in body["messages"])


def test_the_longest_is_answered_before_any_other_is_sent(start: Start) -> None:
    """A real client sends the longest prompt and nothing more until it has its answer."""
    with serving() as server:
        server.let(0)
        process = start(*said(server, "--concurrency", "4"))
        server.wait_for(1)
        with pytest.raises(AssertionError, match="1 requests came"):
            server.wait_for(2, 1.0)
        server.let(1)
        server.wait_for(5)
        server.let(None)
        assert finish(process).status == 0
        first, *others = map(say_length, server.bodies)
        assert first == max([first, *others])
        assert len(others) == 5


@pytest.mark.parametrize("cooled", [True, False])
def test_a_run_that_is_resumed_later_warms_up_again(
    cooled: bool, server: Server, call: Call, start: Start
) -> None:
    """On resume the first of what is left goes alone if its cache has cooled, and not if warm."""
    assert call(*said(server, "--concurrency", "1")).status == 0
    folder = only_folder(Path("runs"))
    lines = read_log(folder / "outcomes.jsonl")[:3]
    if cooled:
        lines = [{**line, "started_at": "2026-01-01T00:00:00.000Z"} for line in lines]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "outcomes.jsonl").write_text(text, encoding="utf-8")
    with serving() as later:
        later.let(0)
        process = start("resume", folder, "--concurrency", "3", "--base-url", later.base_url)
        later.wait_for(1 if cooled else 3)
        if cooled:
            with pytest.raises(AssertionError, match="1 requests came"):
                later.wait_for(2, 1.0)
        later.let(None)
        assert finish(process).status == 0
    assert len(read_log(folder / "outcomes.jsonl")) == 6


def test_a_failing_warm_up_holds_no_one_for_ever(server: Server, call: Call) -> None:
    """Where the longest prompts fail one after the other, the others are asked all the same."""
    server.script = lambda body, _: (
        refuse(400, "Your request exceeded model token limit")
        if say_length(body) > 20_000
        else reply()
    )
    ended = call(*said(server, "--concurrency", "4"))
    assert ended.status == 1
    kinds = Counter((line["failure"] or {}).get("kind") for line in outcomes())
    assert kinds == {None: 3, "overflow": 3}


def test_marks_go_out_and_the_text_stays(server: Server, call: Call, monkeypatch: Any) -> None:
    """Claude through LiteLLM is sent parts with Anthropic's marks, whose text is the prompt's."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-of-a-test")
    grid = ("--lengths", "10k,30k", "--depths", "0,50,100", "--controls", "none", "--yes")
    asked = ("run", "--model", "litellm/claude-opus-4-6", "--base-url", server.base_url, *grid)
    assert call(*asked, "--language", "en").status == 0
    marked = [body["messages"][-1]["content"] for body in server.bodies]
    assert call(*asked, "--language", "en", "--cache", "none", "--again").status == 0
    plain = [body["messages"][-1]["content"] for body in server.bodies[len(marked) :]]
    joined = [c if isinstance(c, str) else "".join(part["text"] for part in c) for c in marked]
    assert sorted(joined) == sorted(plain)
    marks = [part["cache_control"] for c in marked if not isinstance(c, str) for part in c[:-1]]
    assert marks
    assert all(mark == {"type": "ephemeral"} for mark in marks)


def test_openais_trap_is_kept_out_of(
    server: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 5.6 on every request says that it is kept up to its marks alone, and whose it is."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-test")
    grid = ("--lengths", "3k,9k", "--depths", "0,50,100", "--controls", "none", "--yes")
    assert call("run", "--model", "gpt-6.1-terra", "--base-url", server.base_url, *grid).status == 0
    keys = set()
    for body in server.bodies:
        assert body["prompt_cache_options"] == {"mode": "explicit"}
        keys.add(body["prompt_cache_key"])
        content = body["messages"][-1]["content"]
        if not isinstance(content, str):
            assert all(
                part["prompt_cache_breakpoint"] == {"mode": "explicit"} for part in content[:-1]
            )
            assert "prompt_cache_breakpoint" not in content[-1]
    assert len(keys) == 2


def test_a_cache_that_is_not_the_vendors_is_refused(server: Server, call: Call) -> None:
    """Only the built-in endpoint plays others' caches; any model may be sent as planned."""
    ended = call(*said(server, "--cache", "openai"))
    assert ended.status == 2
    assert "kimi-k2.6 has its vendor's own cache, not 'openai' (--cache)" in ended.faults[0]
    assert call(*said(server, "--cache", "none")).status == 0
    lengths = list(map(say_length, server.bodies))
    assert lengths[0] < max(lengths)


def test_a_budget_too_small_for_the_longest_serves_the_others(server: Server, call: Call) -> None:
    """What there is no money for is left out, and what there is money for is asked."""
    usage = {"prompt_tokens": 2_000, "completion_tokens": 10}
    server.script = lambda body, _: reply(usage=usage) if say_length(body) < 20_000 else Answer(500)
    ended = call(*said(server, "--concurrency", "4", "--budget", "9ktok"))
    assert ended.status == 3
    assert "budget" in ended.faults[0]
    lines = outcomes()
    assert {line["context_length"] for line in lines} == {2_000}
    assert len(lines) >= 2
    assert len({name_prompt(body) for body in server.bodies}) == len(lines)
