"""llama.cpp's own server, with a tiny model of random weights: the protocol, not the answers."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from driving import Call, Start, finish, only_folder, read_log
from real.parts import RUN_S, Llama

from needle.edges.endpoint import ask, open_client, request_body
from needle.edges.models import find_model
from needle.words.types import Asked, Failure, Reply

MODEL = "needle-random"
MARKS = 5  # tokens that its chat format adds to two messages: two each, and the reply's mark
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def ask_llama(llama: Llama, *texts: str, model: str = MODEL, **more: Any) -> list[Asked]:
    """Ask each text once, all at the same time, by needle's own client."""
    known = replace(find_model(model, llama.base_url, None), **more)

    async def asked() -> list[Asked]:
        async with open_client(known, None, RUN_S) as client:
            bodies = [
                partial(request_body, known, [{"role": "user", "content": text}], 0.0, 48)
                for text in texts
            ]
            return await asyncio.gather(*(ask(client, body, None, attempts=1) for body in bodies))

    return asyncio.run(asked())


def replies(asked: Sequence[Asked]) -> list[Reply]:
    """Return the replies; a failure fails the test."""
    found = [each.result for each in asked if isinstance(each.result, Reply)]
    assert len(found) == len(asked), asked
    return found


def run(llama: Llama, *said: str) -> list[str]:
    """Return the words of a run whose lengths are counted by the model's own tokenizer."""
    return [
        *("run", "--model", MODEL, "--base-url", llama.base_url, "--yes"),
        *("--tokenizer", str(llama.tokenizer), "--window", str(llama.window)),
        *("--reply-tokens", "48", "--controls", "none", *said),
    ]


def test_streamed_or_whole_the_answer_is_the_same(llama: Llama) -> None:
    """The same question has the same answer, ending and counts, streamed or whole."""
    texts = ("你好", "b", "word " * 500, "Which key opens the door? " * 40)
    fresh = {"cache_prompt": False}  # what was cached may change the last digits
    whole, streamed = (
        [replies(ask_llama(llama, text, stream=stream, extra=fresh))[0] for text in texts]
        for stream in (False, True)
    )
    assert [replace(reply, request_id=None) for reply in whole] == [
        replace(reply, request_id=None) for reply in streamed
    ]
    assert {reply.finish_reason for reply in whole} == {"stop", "length"}
    assert all(reply.completion_tokens for reply in whole)


@STREAMED
def test_cached_tokens_are_reported(stream: bool, llama: Llama) -> None:
    """A prompt that begins like the one before is served from the cache, and says so."""
    before = f"{'streamed' if stream else 'whole'} " * 900
    (first,) = replies(ask_llama(llama, f"{before}one?", stream=stream))
    (second,) = replies(ask_llama(llama, f"{before}two?", stream=stream))
    prompt, cached = second.endpoint_prompt_tokens, second.cached_tokens
    assert first.endpoint_prompt_tokens == prompt
    assert (first.cached_tokens or 0) < 20
    assert prompt is not None
    assert cached is not None
    assert prompt - 20 < cached < prompt


@STREAMED
def test_an_overflow_is_known(stream: bool, llama: Llama) -> None:
    """A prompt beyond the window is refused in llama.cpp's own words, and not asked again."""
    (asked,) = ask_llama(llama, "word " * (llama.window + 10), stream=stream)
    assert isinstance(asked.result, Failure)
    assert (asked.result.kind, asked.result.permanent) == ("overflow", True)
    assert "exceeds the available context size" in asked.result.message


def test_any_name_is_served(llama: Llama) -> None:
    """llama.cpp answers to any model's name, and what is stored names the one that served."""
    (reply,) = replies(ask_llama(llama, "Hello", model="gpt-9"))
    assert reply.served_model == MODEL


def test_more_requests_than_slots(llama: Llama) -> None:
    """Requests beyond the server's slots wait there, and each has its own answer."""
    texts = [f"{number} " * (100 + number) for number in range(3 * llama.slots)]
    asked = replies(ask_llama(llama, *texts, extra={"cache_prompt": False}))
    counts = [reply.endpoint_prompt_tokens for reply in asked]
    alone = replies([ask_llama(llama, text)[0] for text in texts])
    assert counts == [reply.endpoint_prompt_tokens for reply in alone]
    assert len(set(counts)) == len(texts)


@pytest.mark.parametrize("stream", ["--no-stream", "--stream"])
def test_a_whole_run(stream: str, llama: Llama, start: Start) -> None:
    """A run of both languages ends with one reply a trial, and both sides count the same."""
    said = run(llama, stream, "--lengths", "1k,2k,4k", "--depths", "0,50,100")
    called = finish(start(*said, "--concurrency", "4", figures=stream == "--stream"), RUN_S)
    assert called.status == 0, called.err
    folder = only_folder(Path("runs"))
    outcomes = read_log(folder / "outcomes.jsonl")
    assert set(Counter(line["trial"] for line in outcomes).values()) == {1}
    assert Counter(line["language"] for line in outcomes) == {"en": 9, "zh": 9}
    assert [line["failure"] for line in outcomes] == [None] * len(outcomes)
    # A real server may lose an attempt on a machine that does other work too; one is no pattern.
    assert sum(line["attempts"] - 1 for line in outcomes) <= 1, called.err
    for line in outcomes:
        assert line["endpoint_prompt_tokens"] == line["prompt_tokens"] + MARKS
        assert line["context_length"] - 8 <= line["prompt_tokens"] <= line["context_length"]
    scored = {line["trial"] for line in read_log(folder / "scores.jsonl")}
    assert scored == {line["trial"] for line in outcomes}
    assert most_at_once(outcomes) > 1
    if stream == "--stream":
        for language in ("en", "zh"):
            assert (folder / f"heatmap-single-{language}.png").stat().st_size > 10_000


def most_at_once(outcomes: Sequence[dict[str, Any]]) -> int:
    """Return how many requests were in flight at once, at the most."""
    begun = [(datetime.fromisoformat(line["started_at"]), line["latency_s"]) for line in outcomes]
    return max(
        sum(at <= moment < at + timedelta(seconds=took) for at, took in begun)
        for moment, _ in begun
    )


def test_a_run_with_overflows(llama: Llama, start: Start) -> None:
    """Lengths beyond a window that needle was not told of fail alone, and the rest is done."""
    said = [
        *("run", "--model", MODEL, "--base-url", llama.base_url, "--yes", "--reply-tokens", "8"),
        *("--lengths", "1k,24k", "--depths", "0,100", "--controls", "none"),
    ]
    called = finish(start(*said), RUN_S)
    assert called.status == 1, called.err
    outcomes = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    failed = {
        (line["context_length"], (line["failure"] or {}).get("kind"), line["attempts"])
        for line in outcomes
    }
    assert failed == {(1_000, None, 1), (24_000, "overflow", 1)}
    assert len(outcomes) == 8


def test_a_killed_run_goes_on(llama: Llama, start: Start, call: Call) -> None:
    """After kill -9 what is stored stays, and each trial ends with exactly one reply."""
    trials = 2 * 2 * 4
    process = start(*run(llama, "--lengths", "2k,4k", "--depth-count", "4", "--concurrency", "2"))
    log = wait_for_lines(Path("runs"), 3)
    process.kill()
    process.wait()
    kept = log.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    assert 3 <= kept.count(b"\n") < trials
    called = call("resume", log.parent)
    assert called.status == 0, called.err
    assert log.read_bytes().startswith(kept)
    outcomes = read_log(log)
    assert Counter(Counter(line["trial"] for line in outcomes).values()) == {1: trials}
    assert all(line["failure"] is None for line in outcomes)


def wait_for_lines(runs: Path, lines: int) -> Path:
    """Wait until a run has stored so many outcomes; return their file."""
    end = time.monotonic() + RUN_S
    while time.monotonic() < end:
        for log in runs.glob("*/outcomes.jsonl"):
            if log.read_bytes().count(b"\n") >= lines:
                return log
        time.sleep(0.01)
    raise AssertionError("the run does not get on")


def test_a_check_of_the_endpoint(llama: Llama, call: Call) -> None:
    """A check says that it answers, and reports usage and cached tokens."""
    called = call("check", "--model", MODEL, "--base-url", llama.base_url)
    assert called.status == 0, called.err
    for words in (f"served as {MODEL}", "usage: reported", "cached tokens: reported"):
        assert words in called.out
