"""Each vendor's behaviour, played by a loopback server, against whole runs of its presets."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from contracts import (
    ANSWER,
    CACHED_TOKENS,
    CONTRACTS,
    PROMPT_TOKENS,
    THOUGHT,
    WRITTEN_TOKENS,
    Contract,
)
from driving import KEY, Call, only_folder, read_log
from serving import Answer, Body, Server

from needle.asking.failures import classify_status, read_wait
from needle.edges.models import Vendor, find_model, load_vendors

DEPTHS = ("0", "25", "50", "75", "100")
STATUS = {"overflow": 400, "filter": 400, "no_balance": 429, "rate_limit": 429}
TEXTS = [
    (vendor, kind, text)
    for vendor in load_vendors(())
    for kind, texts in vendor.errors.items()
    for text in texts
]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Hear what each failed attempt asks to wait, and wait for nothing."""
    heard: list[float | None] = []

    def hear(*said: Any) -> float | None:
        heard.append(read_wait(*said))
        return None if heard[-1] is None else 0.0

    monkeypatch.setattr("needle.edges.endpoint.read_wait", hear)
    return heard


def play(contract: Contract) -> tuple[list[Answer], list[str | None]]:
    """Return a vendor's answers in their order, and what is to become of the trials."""
    answers: list[Answer] = [contract.answer()]
    kinds: list[str | None] = [None]
    if contract.busy:
        answers.insert(0, contract.busy)
    told: list[tuple[Answer | None, str | None]] = [
        (contract.overflow, "overflow"),
        (contract.filtered, "filter"),
        (contract.answer(), None),
        (contract.broke, "no_balance"),
    ]
    for answer, kind in told:
        if answer is not None:
            answers.append(answer)
            kinds.append(kind)
    return answers, kinds


def run(call: Call, server: Server, contract: Contract, trials: int) -> tuple[int, list[Any]]:
    """Carry out a run of so many trials, one after the other; return status and outcomes."""
    called = call(
        *("run", "--model", contract.model, "--base-url", server.base_url, "--yes"),
        *("--language", "en", "--lengths", "1k", "--depths", ",".join(DEPTHS[:trials])),
        *("--concurrency", "1", "--controls", "none"),
    )
    return called.status, read_log(only_folder(Path("runs")) / "outcomes.jsonl")


@pytest.mark.parametrize("contract", CONTRACTS, ids=[c.model for c in CONTRACTS])
def test_a_vendor_is_understood(
    contract: Contract,
    call: Call,
    server: Server,
    waits: list[float | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A preset's requests are taken, and each thing its vendor says is taken for what it is."""
    model = find_model(contract.model, None, None)
    if model.key_variable:
        monkeypatch.setenv(model.key_variable, KEY)
    answers, kinds = play(contract)
    server.script = lambda body, number: contract.refuse(body) or answers[number]
    status, lines = run(call, server, contract, len(kinds))

    assert [line["failure"] and line["failure"]["kind"] for line in lines] == kinds
    assert len(server.bodies) == len(answers)
    assert status == (3 if contract.broke else 1 if set(kinds) != {None} else 0)
    assert set(server.keys) == {KEY if model.key_variable else "none"}
    assert {body["model"] for body in server.bodies} == {model.served_as or model.name}
    for line in lines[1:]:
        assert line["attempts"] == 1
        assert line["failure"] is None or line["failure"]["permanent"] == (
            line["failure"]["kind"] in ("overflow", "filter")
        )
    first = lines[0]
    assert first["attempts"] == (2 if contract.busy else 1)
    if contract.busy:
        assert waits[0] == contract.wait_s
    assert first["response"] == ANSWER
    assert first["reasoning"] == (THOUGHT if contract.thought else None)
    assert first["endpoint_prompt_tokens"] == PROMPT_TOKENS
    told = str(CACHED_TOKENS) in str(contract.cached)
    assert first["cached_tokens"] == (CACHED_TOKENS if told else None)
    told = str(WRITTEN_TOKENS) in str(contract.cached)
    assert first["cache_write_tokens"] == (WRITTEN_TOKENS if told else None)


PLAIN: Body = {"model": "m", "messages": [], "max_tokens": 256, "temperature": 0.0}
REFUSING = [contract for contract in CONTRACTS if contract.refuse(PLAIN)]
REPORT = {"gpt-4-turbo", "gemini-1.5-pro", "claude-3-opus-20240229", "Baichuan2-Turbo-192k"}
REPORT |= {"ernie-bot-8k", "yi-34b-chat-200k", "spark/generalv3.5", "moonshot-v1-128k"}
REPORT |= {"qwen-72b-chat", "step-1-200k"}


@pytest.mark.parametrize("contract", REFUSING, ids=[c.model for c in REFUSING])
def test_a_vendor_does_refuse(contract: Contract, call: Call, server: Server) -> None:
    """The stand-in turns down a request made without the preset: the preset is what is tested."""
    server.script = lambda body, _: contract.refuse(body) or contract.answer()
    called = call(
        *("run", "--model", "unknown", "--base-url", server.base_url, "--yes"),
        *("--language", "en", "--lengths", "1k", "--depths", "50", "--controls", "none"),
    )
    assert called.status == 1
    (line,) = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    assert line["failure"]["kind"] == "bad_request"


@pytest.mark.parametrize(
    ("vendor", "kind", "text"), TEXTS, ids=[f"{v.vendor}: {text}" for v, _, text in TEXTS]
)
def test_a_declared_text_is_classified_as_declared(vendor: Vendor, kind: str, text: str) -> None:
    """Each text that a vendor's file gives for a kind of failure makes it that kind."""
    texts: Mapping[str, Sequence[str]] = {str(k): t for k, t in vendor.errors.items()}
    failure = classify_status(STATUS[kind], f"invalid_request_error {text}: more", texts)
    assert failure.kind == kind
    assert failure.permanent == (kind in ("overflow", "filter"))
    assert failure.condemns == (kind == "no_balance")


def test_each_vendor_has_a_contract() -> None:
    """Every vendor but the built-in one is played, and every model of the report with an API."""
    assert {contract.model for contract in CONTRACTS} >= REPORT
    assert {"kimi-k2.6", "gpt-6.1-sol", "glm-5.2", "claude-opus-5-5"} <= {c.model for c in REFUSING}
    played = {find_model(contract.model, None, None).vendor for contract in CONTRACTS}
    assert played == {vendor.vendor for vendor in load_vendors()} - {"sim"}


def test_a_silent_cut_is_seen_in_the_counts(call: Call, server: Server) -> None:
    """Ollama's count of a prompt that it cut is kept beside ours, with what it answered."""
    cut = {"prompt_tokens": 64, "completion_tokens": 9}
    choice = {"message": {"content": ANSWER}, "finish_reason": "stop"}
    server.script = lambda *_: Answer(text=json.dumps({"choices": [choice], "usage": cut}))
    _, (line,) = run(call, server, Contract("ollama/qwen3:8b"), 1)
    assert line["prompt_tokens"] > 900
    assert line["endpoint_prompt_tokens"] == 64
    assert line["response"] == ANSWER
