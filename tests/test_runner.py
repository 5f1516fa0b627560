import json
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from driving import KEY, Call, only_folder, read_log
from serving import Answer, Body, Server, name_prompt, refuse, reply, serving

from needle.contexts.prompts import build_messages
from needle.words.types import Message

TRIALS = 6
OVERFLOW = "This model's maximum context length is 8192 tokens"


def said(server: Server, concurrency: int = 1, depths: str = "0,20,40,60,80,100") -> list[str]:
    return [
        *("run", "--model", "moonshot-v1-8k", "--base-url", server.base_url, "--yes"),
        *("--language", "en", "--lengths", "1k", "--depths", depths),
        *("--concurrency", str(concurrency), "--out", "runs", "--controls", "none"),
    ]


def outcomes() -> list[dict[str, Any]]:
    return read_log(only_folder(Path("runs")) / "outcomes.jsonl")


def count_replies() -> Counter[str]:
    return Counter(line["trial"] for line in outcomes() if line["failure"] is None)


def fail_some(server: Server, failure: Answer, *numbers: int) -> None:
    """Answer all prompts but some, told by the order in which they first come."""
    seen: list[str] = []

    def script(body: Body, _number: int) -> Answer:
        name = name_prompt(body)
        if name not in seen:
            seen.append(name)
        return failure if seen.index(name) in numbers else reply()

    server.script = script


@pytest.mark.parametrize(
    "failure",
    [
        Answer(500, "{}"),
        Answer(503, "<html>overloaded</html>"),
        refuse(429, "rate limit reached, please try again after 0 seconds"),
        refuse(408, "timed out"),
        refuse(409, "conflict"),
        refuse(425, "too early"),
        Answer(200, "not JSON"),
        Answer(200, "[" * 100_000),
        Answer(200, '{"choices": []}'),
        Answer(200, None),
    ],
    ids=["500", "503", "429", "408", "409", "425", "malformed", "deep", "empty", "dropped"],
)
def test_a_failure_that_may_pass_is_asked_again(
    failure: Answer, server: Server, call: Call
) -> None:
    """What may pass is retried, then kept as a failure (exit 1), and asked again on resume."""
    fail_some(server, failure, 2)
    ended = call(*said(server))
    folder = only_folder(Path("runs"))
    assert ended.status == 1
    assert f"needle resume {folder}" in ended.err
    (failed,) = [line for line in outcomes() if line["failure"]]
    assert failed["attempts"] == 8
    assert not failed["failure"]["permanent"]
    assert failed["response"] is None
    scores = {line["trial"]: line for line in read_log(folder / "scores.jsonl")}
    assert (scores[failed["trial"]]["score"], scores[failed["trial"]]["verdict"]) == (
        None,
        "failed",
    )
    asked = len(server.bodies)
    assert asked == TRIALS - 1 + 8
    fail_some(server, failure)
    assert call("resume", folder).status == 0
    assert len(server.bodies) == asked + 1
    assert set(count_replies().values()) == {1}
    assert len(count_replies()) == TRIALS
    scores = {line["trial"]: line for line in read_log(folder / "scores.jsonl")}
    assert scores[failed["trial"]]["verdict"] == "missed"


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [
        (refuse(400, OVERFLOW, "context_length_exceeded"), "failed"),
        (refuse(400, "The request was rejected because it was considered high risk"), "filtered"),
    ],
    ids=["overflow", "filter"],
)
def test_a_permanent_failure_is_asked_again_only_with_failed(
    failure: Answer, verdict: str, server: Server, call: Call
) -> None:
    """An overflow or a filter's 400 is sent once, and again only when the user says --failed."""
    fail_some(server, failure, 0, 1, 2, 3, 4)  # so many running do not stop the run either
    assert call(*said(server)).status == 1
    folder = only_folder(Path("runs"))
    assert len(server.bodies) == TRIALS
    assert sum(line["failure"] is not None for line in outcomes()) == 5
    assert Counter(line["verdict"] for line in read_log(folder / "scores.jsonl"))[verdict] == 5
    fail_some(server, failure)
    assert call("resume", folder).status == 1
    assert call(*said(server)).status == 1
    assert len(server.bodies) == TRIALS
    assert call("resume", folder, "--failed").status == 0
    assert len(server.bodies) == TRIALS + 5
    assert len(count_replies()) == TRIALS


def test_five_same_refusals_stop_the_run(server: Server, call: Call) -> None:
    """The same refusal of the request five times running stops the run, numbers in it aside."""
    server.script = lambda _body, number: refuse(400, f"unknown parameter at byte {number}")
    ended = call(*said(server))
    assert ended.status == 3
    assert len(server.bodies) == 5
    assert len(ended.faults) == 1
    assert "unknown parameter" in ended.faults[0]
    assert "needle resume" in ended.faults[0]


def test_refusals_with_a_reply_between_them_do_not_stop_the_run(server: Server, call: Call) -> None:
    """Refusals are counted only while they come running."""
    fail_some(server, refuse(400, "unknown parameter"), 0, 1, 2, 4, 5)
    assert call(*said(server)).status == 1
    assert len(server.bodies) == TRIALS


@pytest.mark.parametrize(
    "failure",
    [
        refuse(401, f"Incorrect API key provided: {KEY}."),
        refuse(401, f"token Bearer {KEY} is not known"),
        Answer(401, f"<html>{KEY}</html>"),
        refuse(403, "this account may not"),
        refuse(404, "no such model"),
        refuse(400, "Not found the model moonshot-v1-8k: model_not_found"),
        refuse(429, "Your account has no balance: exceeded_current_quota_error"),
        refuse(402, "pay"),
    ],
)
def test_what_condemns_every_trial_stops_the_run(
    failure: Answer, server: Server, call: Call
) -> None:
    """A bad key, unknown model or empty balance stops the run at once, what is done is kept."""
    fail_some(server, failure, 2)
    ended = call(*said(server))
    assert ended.status == 3
    assert len(server.bodies) == 3
    assert len(ended.faults) == 1
    assert count_replies().total() == 2
    fail_some(server, failure)
    assert call("resume", only_folder(Path("runs"))).status == 0
    assert len(server.bodies) == 3 + TRIALS - 2
    assert set(count_replies().values()) == {1}
    assert len(count_replies()) == TRIALS


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_the_key_is_written_nowhere(status: int, server: Server, call: Call, alone: Path) -> None:
    """Whatever an endpoint echoes, the key is in no file of the run folder and in no output."""
    server.script = lambda _body, _number: refuse(status, f"key {KEY} or \\u{ord(KEY[0]):04x}")
    ended = call(*said(server))
    assert set(server.keys) == {KEY}
    assert outcomes()[0]["failure"]["status"] == status
    assert KEY not in ended.out + ended.err
    for path in alone.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


ODD: list[Any] = [None, "12", -5, 1.5, True, [], {}, float("nan"), 10**30]


@pytest.mark.parametrize("odd", ODD, ids=map(repr, ODD))
def test_an_odd_reply_is_an_outcome_like_any_other(odd: Any, server: Server, call: Call) -> None:
    """Odd values in a reply's lesser fields neither lose the reply nor end the run in a crash."""
    usage = {
        "prompt_tokens": odd,
        "completion_tokens": odd,
        "prompt_tokens_details": odd,
        "completion_tokens_details": {"reasoning_tokens": odd},
    }
    server.script = lambda _body, _number: reply(usage=usage, model=odd, id=odd, created=odd)
    ended = call(*said(server), "--budget", "1Mtok")
    assert ended.status == 0
    assert len(count_replies()) == TRIALS
    for line in outcomes():
        assert line["response"] == "I do not know."
        for name in ("endpoint_prompt_tokens", "completion_tokens", "reasoning_tokens"):
            assert line[name] is None or (type(line[name]) is int and line[name] >= 0)
    assert call("table", only_folder(Path("runs"))).status == 0


@pytest.mark.parametrize(
    "content", ["", None, "\ud800", "\0\x1b[31m", "a\r\nb\u2028c", "[" * 9_999, [{"type": "text"}]]
)
def test_any_content_is_stored_scored_and_tabled(content: Any, server: Server, call: Call) -> None:
    """Whatever an answer's text holds, each trial ends with one reply, a score and a row."""
    server.script = lambda _body, _number: reply(content)
    assert call(*said(server)).status == 0
    folder = only_folder(Path("runs"))
    assert set(count_replies().values()) == {1}
    assert {line["score"] for line in read_log(folder / "scores.jsonl")} == {0.0}
    assert call("score", folder).status == 0
    assert call("table", folder).status == 0


def test_reasoning_is_kept_apart_and_never_scored(server: Server, call: Call) -> None:
    """An answer that stands only in the reasoning is none; cut off without one it is null."""

    def think(body: Body, number: int) -> Answer:
        message = {"content": "", "reasoning_content": body["messages"][-1]["content"]}
        choice = {"message": message, "finish_reason": "length" if number else "stop"}
        return reply(choices=[choice])

    server.script = think
    assert call(*said(server, depths="0,50")).status == 0
    scores = read_log(only_folder(Path("runs")) / "scores.jsonl")
    assert [(line["score"], line["verdict"]) for line in scores] == [
        (0.0, "missed"),
        (None, "truncated"),
    ]
    assert all(line["response"] == "" and line["reasoning"] for line in outcomes())


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("ratio", [0.7, 1.9])
def test_the_budget_is_never_exceeded(
    ratio: float, concurrency: int, server: Server, call: Call
) -> None:
    """What the endpoint counts, failures that it may charge included, stays within --budget."""
    billed: list[int] = []

    def bill(body: Body, number: int) -> Answer:
        words = sum(len(message["content"].split()) for message in body["messages"])
        usage = {"prompt_tokens": round(1_000 * ratio), "completion_tokens": 256}
        assert words > 500
        billed.append(sum(usage.values()))
        return Answer(500, "{}") if number % 3 == 1 else reply(usage=usage)

    server.script = bill
    depths = ",".join(str(depth) for depth in range(0, 100, 4))
    ended = call(*said(server, concurrency, depths), "--budget", "20ktok")
    assert ended.status == 3
    assert len(ended.faults) == 1
    assert "budget" in ended.faults[0]
    assert 0.4 * 20_000 < sum(billed) <= 20_000
    folder = only_folder(Path("runs"))
    assert call("resume", folder, "--budget", "20ktok").status == 3
    assert sum(billed) <= 20_000
    assert call("resume", folder, "--budget", "30ktok").status == 3
    assert 20_000 < sum(billed) <= 30_000


def test_a_budget_holds_from_the_first_requests_on(server: Server, call: Call) -> None:
    """Before the endpoint's own count is known, no more is sent than it may at worst count."""
    usage = {"prompt_tokens": 1_900, "completion_tokens": 256}
    server.script = lambda _body, _number: reply(usage=usage)
    assert call(*said(server, 4), "--budget", "5ktok").status == 3
    assert 0 < len(server.bodies) * 2_156 <= 5_000


class _Content(str):
    """A text that can be watched until it is gone."""

    __slots__ = ("__weakref__",)


@pytest.mark.parametrize(
    "fault", [None, Answer(500, "{}"), refuse(400, OVERFLOW), Answer(200, None)]
)
def test_only_prompts_in_flight_are_in_memory(
    fault: Answer | None, server: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many trials a run has, no more prompts exist at once than are in flight."""
    alive: set[int] = set()
    most: list[int] = []

    def watched(*given: Any) -> list[Message]:
        messages = build_messages(*given)
        content = _Content(messages[-1]["content"])
        alive.add(id(content))
        weakref.finalize(content, alive.discard, id(content))
        most.append(len(alive))
        return [*messages[:-1], {"role": "user", "content": content}]

    monkeypatch.setattr("needle.runs.writing.build_messages", watched)
    depths = ",".join(str(depth) for depth in range(0, 100, 5))
    if fault is not None:
        fail_some(server, fault, 2, 5, 9)
    assert call(*said(server, 3, depths)).status == (1 if fault else 0)
    assert len(most) >= 20
    assert max(most) <= 3


def test_no_more_is_in_flight_than_is_asked_for(call: Call) -> None:
    """The endpoint never holds more requests than --concurrency says."""
    with serving() as server:
        held: list[int] = []

        def look() -> None:
            held.append(len(server.bodies) - len(server.answered))
            if held[-1] == 3:
                server.let(3)

        server.watch = look
        server.let(0)
        depths = ",".join(str(depth) for depth in range(0, 90, 10))
        assert call(*said(server, 3, depths), "--cache", "none").status == 0
        assert max(held) == 3


@pytest.mark.parametrize("model", ["sim/reader", "sim/middle"])
def test_a_faulty_simulated_endpoint_ends_with_one_reply_a_trial(model: str, call: Call) -> None:
    """Whatever faults the simulated endpoint injects, each trial ends with exactly one reply."""
    faults = "rate_limit=0.2,error_500=0.2,drop=0.1,malformed=0.1"
    ended = call(
        *("run", "--model", model, "--lengths", "1k,3k", "--depths", "0,50,100"),
        *("--faults", faults, "--out", "runs", "--controls", "none"),
    )
    assert ended.status in (0, 1)
    folder = only_folder(Path("runs"))
    assert any(line["attempts"] > 1 for line in outcomes())
    for _ in range(4):
        if ended.status == 0:
            break
        ended = call("resume", folder)
    assert ended.status == 0
    assert len(count_replies()) == 2 * 6
    assert set(count_replies().values()) == {1}
    verdicts = {line["trial"]: line["verdict"] for line in read_log(folder / "scores.jsonl")}
    if model == "sim/reader":
        assert set(verdicts.values()) == {"found"}
    assert json.loads(json.dumps(verdicts)).keys() == count_replies().keys()
