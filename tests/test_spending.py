"""Money and pace over whole commands: one budget for all models, limits that hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import KEY, Call, read_log
from serving import Answer, Body, Server, refuse, reply, serving


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as started:
        yield started


def said(server: Server, *more: object) -> list[object]:
    return [
        *("run", "--model", "moonshot-v1-8k", "--base-url", server.base_url),
        *("--language", "en", "--lengths", "1k,2k", "--depths", "0,50,100", *more),
        *("--controls", "none"),
    ]


def bill(body: Body, _number: int) -> Answer:
    """Answer with usage that costs as many tokens as there are words, about."""
    tokens = sum(len(message["content"].split()) for message in body["messages"])
    return reply(usage={"prompt_tokens": tokens, "completion_tokens": 100})


def spent() -> list[float]:
    """Return what each run folder's replies cost."""
    return [
        sum(line["cost"]["amount"] for line in read_log(folder / "outcomes.jsonl") if line["cost"])
        for folder in sorted(Path("runs").iterdir())
    ]


def test_one_budget_is_for_all_models_together(
    server: Server, other: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first model's run has spent is not there for the second's, in any currency."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script = other.script = bill
    two = (
        *("run", "--model", "moonshot-v1-8k", "--model", "gpt-4-turbo", "--language", "en"),
        *("--base-url", f"moonshot-v1-8k={server.base_url}"),
        *("--base-url", f"gpt-4-turbo={other.base_url}"),
        *("--lengths", "1k,2k", "--depths", "0,50,100", "--rate", "USD/CNY=8"),
        *("--controls", "none"),
    )
    ended = call(*two, "--budget", "0.5CNY")
    assert ended.status == 3
    assert "needle resume keeps to one only where it is told one" in ended.faults[0]
    dollars, yuan = sorted(spent())
    assert yuan + 8 * dollars <= 0.5
    assert other.bodies
    assert call(*two, "--budget", "10CNY").status == 0
    assert len(server.bodies) == 6
    assert len(other.bodies) == 6


def test_a_budget_waits_for_what_is_in_flight(server: Server, call: Call) -> None:
    """Where only the worst case of requests in flight forbids another, it waits, then goes on."""
    server.script = bill
    assert call(*said(server, "--budget", "12ktok", "--concurrency", "6")).status == 0
    assert len(server.bodies) == 6


def test_a_finished_run_counts_against_the_budget(server: Server, call: Call) -> None:
    """The same command again neither pays nor forgets what it has paid."""
    server.script = bill
    assert call(*said(server, "--budget", "1CNY")).status == 0
    assert call(*said(server, "--budget", "1CNY")).status == 0
    assert len(server.bodies) == 6


def test_a_request_beyond_a_named_limit_is_refused_in_the_plan(server: Server, call: Call) -> None:
    """What a limit would turn down for ever ends in one line before anything is sent."""
    for command in (said(server, "--yes"), ["plan", *said(server)[1:]]):
        ended = call(*command, "--tpm", "2k")
        assert ended.status == 2
        assert "limit of 2,000 tokens a minute" in ended.faults[0]
        assert "--lengths up to 1744" in ended.faults[0]
        ended = call(*command, "--tpm", "10")
        assert ended.status == 2
        assert "fewer --reply-tokens" in ended.faults[0]
    assert not server.bodies
    assert not Path("runs").exists()


def test_a_resume_may_name_other_limits(server: Server, call: Call) -> None:
    """Limits are the run's until a resume names its own; they shape no request."""
    server.script = lambda _body, _number: refuse(503, "busy")
    assert call(*said(server, "--yes", "--rpm", "100000")).status == 1
    (folder,) = Path("runs").iterdir()
    assert "requests_a_minute: 100000" in (folder / "run.yaml").read_text(encoding="utf-8")
    server.script = bill
    assert call("resume", folder, "--tpm", "1k").status == 2
    assert call("resume", folder, "--rpm", "100000", "--tpm", "10M").status == 0


def test_limits_pace_a_run(server: Server, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two requests a minute six trials take two minutes and more of the gate's clock."""
    clock = [1_000.0]
    sent: list[float] = []

    async def sleep(_self: object, seconds: float | None, _other: object = None) -> None:
        assert seconds is not None
        clock[0] += seconds

    server.script = bill
    server.watch = lambda: sent.append(clock[0])
    monkeypatch.setattr("needle.runs.gate.time.time", lambda: clock[0])
    monkeypatch.setattr("needle.runs.gate.Gate.__init__.__defaults__", (lambda: clock[0],))
    monkeypatch.setattr("needle.runs.stopping.Stop.sleep", sleep)
    assert call(*said(server, "--yes", "--rpm", "2", "--concurrency", "1")).status == 0
    assert [round(at - sent[0]) for at in sent] == [0, 0, 61, 61, 122, 122]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--budget", "5USD"), "--rate CNY/USD"),
        (("--budget", "5USD", "--rate", "USD-CNY"), "USD/CNY=7.1"),
        (("--yes", "--rpm", "0"), "requests_a_minute"),
        (("--yes", "--tier", "99"), "--tier"),
        (("--yes", "--base-url", "http://127.0.0.1:1/v1"), "two addresses"),
        (("--yes", "--base-url", "gpt-4=http://127.0.0.1:1/v1"), "names no model of this run"),
        (("--yes", "--card-tflops", "-1"), "tflops"),
        (("--yes", "--params", "many"), "params"),
    ],
)
def test_wrong_means_are_one_line(
    wrong: tuple[str, ...], named: str, server: Server, call: Call
) -> None:
    """Wrong budgets, rates, limits and addresses name the value and the remedy; nothing is sent."""
    ended = call(*said(server, *wrong))
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert named in ended.faults[0]
    assert not server.bodies
    assert not Path("runs").exists()
