"""Claude through LiteLLM's real proxy, in front of a stand-in for Anthropic's Messages API."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from driving import Start, finish, only_folder, read_log
from real.messages_api import BEGUN, Body, Fault, MessagesApi, count_usage, read_contents
from real.parts import ANTHROPIC_KEY, RUN_S, Proxy

from needle.edges.endpoint import Heard, ask, ask_once, open_client, request_body
from needle.edges.models import find_model
from needle.words.types import Asked, Failure, Message, Reply

MESSAGES: list[Message] = [
    {"role": "system", "content": "Answer from the document. 只依据文档作答。"},
    {
        "role": "user",
        "content": "“A — b”\n\n  小明去了上海。\t{x} <|endoftext|> \\u0041 🜚\n\nWho? 谁？",
    },
]
WHOLE_RUN = ("--lengths", "1k,2k", "--depths", "0,50,100")


CLAUDE, SERVED = "litellm/claude-opus-4-6", "claude-opus-4-6"


def ask_proxy(
    proxy: Proxy, attempts: int = 8, model: str = CLAUDE, stream: bool = False
) -> tuple[Asked, list[float]]:
    """Ask one thing by needle's own client; return what came back and the waits between."""
    waits: list[float] = []
    known = replace(find_model(model, proxy.base_url, None), stream=stream)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def asked() -> Asked:
        async with open_client(known, proxy.key, 60.0) as client:
            make_body = partial(request_body, known, MESSAGES, 0.0, 20)
            return await ask(client, make_body, proxy.key, sleep, attempts, errors=known.errors)

    return asyncio.run(asked()), waits


def fail(proxy: Proxy, *, stream: bool = False, model: str = CLAUDE) -> Failure:
    """Ask once and return the failure."""
    asked, _ = ask_proxy(proxy, 1, model, stream)
    assert isinstance(asked.result, Failure)
    return asked.result


def listen(proxy: Proxy, stream: bool) -> Heard:
    """Ask once and return all that was heard."""
    known = replace(find_model(CLAUDE, proxy.base_url, None), stream=stream)

    async def heard() -> Heard:
        async with open_client(known, proxy.key, 60.0) as client:
            body = request_body(known, MESSAGES, 0.0, 20)
            return await ask_once(client, body, proxy.key, known.errors)

    return asyncio.run(heard())


STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@STREAMED
def test_an_answer_comes_through(stream: bool, proxy: Proxy, api: MessagesApi) -> None:
    """Contents arrive as they were sent, and the answer as it was given."""
    said = "小明 said: “—”\n\n\t{x} 🜚 <|endoftext|>"
    api.script = lambda _: said
    asked, _ = ask_proxy(proxy, stream=stream)
    assert isinstance(asked.result, Reply)
    assert (asked.result.response, asked.result.finish_reason) == (said, "stop")
    assert asked.result.served_model == SERVED
    (body,) = api.bodies
    assert read_contents(body) == [message["content"] for message in MESSAGES]
    assert (body["model"], body["max_tokens"], body["temperature"]) == (SERVED, 20, 0)
    assert body.get("stream", False) == stream


@STREAMED
def test_usage_counts_cached_tokens_once(stream: bool, proxy: Proxy, api: MessagesApi) -> None:
    """The prompt's tokens are those read from the cache, written to it, and neither."""
    asked, _ = ask_proxy(proxy, stream=stream)
    usage = count_usage(api.bodies[0])
    assert isinstance(asked.result, Reply)
    assert usage["cache_read_input_tokens"] > 0
    assert asked.result.endpoint_prompt_tokens == sum(usage.values())
    assert asked.result.cached_tokens == usage["cache_read_input_tokens"]
    assert asked.result.completion_tokens == 7


@STREAMED
@pytest.mark.parametrize(
    ("said", "heard"),
    [("end_turn", "stop"), ("max_tokens", "length"), ("refusal", "content_filter")],
)
def test_why_an_answer_ended(
    said: str, heard: str, stream: bool, proxy: Proxy, api: MessagesApi
) -> None:
    """Anthropic's reason for an answer's end arrives as OpenAI's word for it."""
    api.stop_reason = said
    asked, _ = ask_proxy(proxy, stream=stream)
    assert isinstance(asked.result, Reply)
    assert asked.result.finish_reason == heard


PASSING, PERMANENT, CONDEMNS = (False, False), (True, False), (False, True)
REFUSED = "invalid_request_error"
FAULTS = {
    "long prompt": (
        Fault(400, REFUSED, "prompt is too long: 208310 tokens > 200000 maximum"),
        ("overflow", PERMANENT),
    ),
    "no room for the reply": (
        Fault(400, REFUSED, "input length and `max_tokens` exceed context limit: 199000 + 8192"),
        ("overflow", PERMANENT),
    ),
    "too many bytes": (
        Fault(413, "request_too_large", "Request exceeds the maximum size"),
        ("overflow", PERMANENT),
    ),
    "filter": (
        Fault(400, REFUSED, "Output blocked by content filtering policy"),
        ("filter", PERMANENT),
    ),
    "parameter": (
        Fault(400, REFUSED, "`temperature` is deprecated for this model."),
        ("bad_request", PERMANENT),
    ),
    "no money": (
        Fault(400, REFUSED, "Your credit balance is too low to access the Anthropic API."),
        ("no_balance", CONDEMNS),
    ),
    "key": (Fault(401, "authentication_error", "invalid x-api-key"), ("bad_key", CONDEMNS)),
    "permission": (
        Fault(403, "permission_error", "Your API key does not have permission to use it."),
        ("forbidden", CONDEMNS),
    ),
    "model": (Fault(404, "not_found_error", "model: claude"), ("unknown_model", CONDEMNS)),
    "broken": (Fault(500, "api_error", "Internal server error"), ("server", PASSING)),
    "overload": (Fault(529, "overloaded_error", "Overloaded"), ("server", PASSING)),
    "too fast": (Fault(429, "rate_limit_error", "slow down"), ("rate_limit", PASSING)),
}
"""What Anthropic says, and what it means: its kind, whether it is permanent or condemns."""


@pytest.mark.parametrize("name", FAULTS)
@STREAMED
def test_an_error_keeps_its_meaning(
    name: str, stream: bool, proxy: Proxy, api: MessagesApi
) -> None:
    """What Anthropic refuses is known through the proxy for what it is, at the first request."""
    fault, meaning = FAULTS[name]
    api.script = lambda _: fault
    failure = fail(proxy, stream=stream)
    assert (failure.kind, (failure.permanent, failure.condemns)) == meaning
    assert fault.message.split(":")[0] in failure.message
    assert len(api.bodies) == 1


def test_a_broken_stream_is_no_answer(proxy: Proxy, api: MessagesApi) -> None:
    """An overload told of within a stream that had begun is asked again, and half is not stored."""
    broken = Fault(BEGUN, "overloaded_error", "Overloaded")
    api.script = lambda number: broken if number == 0 else "Shanghai."
    asked, _ = ask_proxy(proxy, stream=True)
    assert isinstance(asked.result, Reply)
    assert (asked.result.response, asked.attempts, len(api.bodies)) == ("Shanghai.", 2, 2)


def test_another_vendors_model_is_unknown(proxy: Proxy, api: MessagesApi) -> None:
    """A model that the proxy does not serve is known as that, and Anthropic is not asked."""
    failure = fail(proxy, model="litellm/gpt-4-turbo")
    assert (failure.kind, failure.condemns, api.bodies) == ("unknown_model", True, [])


def test_what_a_model_does_not_take_is_told(proxy: Proxy, api: MessagesApi) -> None:
    """A temperature that a model does not take is refused, and not left out in silence."""
    failure = fail(proxy, model="litellm/claude-opus-5")
    assert (failure.kind, failure.permanent, api.bodies) == ("bad_request", True, [])
    assert "temperature" in failure.message


def test_an_overload_passes(proxy: Proxy, api: MessagesApi) -> None:
    """An overload is tried again, by needle alone, and is not counted as perhaps charged."""
    api.script = lambda number: Fault(529, "overloaded_error", "Overloaded") if number < 2 else None
    asked, waits = ask_proxy(proxy)
    assert isinstance(asked.result, Reply)
    assert (asked.attempts, asked.lost_attempts, len(api.bodies)) == (3, 0, 3)
    assert len(waits) == 2


def test_the_vendors_wait_is_kept(proxy: Proxy, api: MessagesApi) -> None:
    """The wait that Anthropic asks for arrives through the proxy's own header, and is waited."""
    busy = Fault(429, "rate_limit_error", "slow down", {"retry-after": "7"})
    api.script = lambda number: busy if number < 2 else None
    asked, waits = ask_proxy(proxy)
    assert isinstance(asked.result, Reply)
    assert (waits, asked.attempts, len(api.bodies)) == ([7.0, 7.0], 3, 3)


@STREAMED
@pytest.mark.parametrize("refused", [False, True], ids=["answer", "429"])
def test_the_vendors_limits_are_read(
    refused: bool, stream: bool, proxy: Proxy, api: MessagesApi
) -> None:
    """What Anthropic says is left of its limits arrives with an answer and with a refusal."""
    ahead = (datetime.now(UTC) + timedelta(seconds=40)).isoformat(timespec="seconds")
    api.limits = {
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": ahead,
        "anthropic-ratelimit-input-tokens-remaining": "12000",
        "anthropic-ratelimit-input-tokens-reset": ahead,
    }
    if refused:
        api.script = lambda _: Fault(429, "rate_limit_error", "slow down")
    allowance = listen(proxy, stream).allowance
    assert allowance is not None
    assert (allowance.requests_left, allowance.tokens_left) == (49, 12_000)
    assert 30 < (allowance.requests_reset_s or 0) <= 40
    assert 30 < (allowance.tokens_reset_s or 0) <= 40


def run(start: Start, proxy: Proxy, *said: str, figures: bool = False) -> tuple[int, str, Path]:
    """Run needle in a process of its own; return its status, its errors and its run folder."""
    asked = ("run", "--model", CLAUDE, "--base-url", proxy.base_url, "--yes")
    out = Path(said[said.index("--out") + 1] if "--out" in said else "runs")
    called = finish(start(*asked, "--controls", "none", *said, figures=figures), RUN_S)
    return called.status, called.err, only_folder(out)


def test_a_whole_run(
    proxy: Proxy, api: MessagesApi, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of both languages gives a figure of each, with the endpoint's counts, and no key."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", proxy.key)
    status, errors, folder = run(start, proxy, *WHOLE_RUN, figures=True)
    assert status == 0, errors
    outcomes = read_log(folder / "outcomes.jsonl")
    counts = sorted(sum(count_usage(body).values()) for body in api.bodies)
    assert len(outcomes) == 12
    assert counts == sorted(line["endpoint_prompt_tokens"] for line in outcomes)
    assert [line["score"] for line in read_log(folder / "scores.jsonl")] == [1.0] * 12
    for language in ("en", "zh"):
        assert (folder / f"heatmap-single-{language}.png").stat().st_size > 10_000
    written = [path.read_bytes() for path in (*folder.rglob("*"), proxy.log) if path.is_file()]
    for key in (proxy.key, ANTHROPIC_KEY):
        assert not any(key.encode() in data for data in written)
        assert key not in errors
    assert {headers["x-api-key"] for headers in api.headers} == {ANTHROPIC_KEY}


def test_marks_arrive(
    proxy: Proxy, api: MessagesApi, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be kept is marked for Anthropic, in the same text, and what it wrote is stored."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", proxy.key)
    texts: list[list[str]] = []
    marks: list[list[int]] = []
    for cache in ((), ("--cache", "none")):
        api.reset()
        said = ("--language", "en", "--lengths", "6k,8k", "--depths", "40,90,100", *cache)
        status, errors, folder = run(start, proxy, *said, "--out", f"runs{len(texts)}")
        assert status == 0, errors
        outcomes = read_log(folder / "outcomes.jsonl")
        written = [count_usage(body)["cache_creation_input_tokens"] for body in api.bodies]
        assert sorted(line["cache_write_tokens"] for line in outcomes) == sorted(written)
        texts.append(sorted("".join(read_contents(body)) for body in api.bodies))
        marks.append([_count_marks(body) for body in api.bodies])
    assert texts[0] == texts[1]
    assert set(marks[1]) == {0}
    assert min(marks[0]) == 0  # two fifths of it are too short to be kept
    assert 1 <= max(marks[0]) <= 4


def _count_marks(body: Body) -> int:
    parts = [*body.get("system", ()), *(p for m in body["messages"] for p in m["content"])]
    return sum(part.get("cache_control") == {"type": "ephemeral"} for part in parts)


THOUSANDS = ("--lengths", "1k,2k", "--depth-count", "35", "--replicates", "8")
"""A grid of 1,120 trials in both languages."""


def test_a_bad_key_of_the_proxy_ends_the_run(
    proxy: Proxy, api: MessagesApi, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy's 400 for a wrong key ends a run of a thousand trials after a handful."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-wrong")
    status, errors, folder = run(start, proxy, *THOUSANDS)
    assert status == 3
    assert "No connected db" in errors
    assert len(read_log(folder / "outcomes.jsonl")) <= 8
    assert api.bodies == []


def test_a_bad_key_of_anthropic_ends_the_run(
    proxy: Proxy, api: MessagesApi, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anthropic's 401 for the proxy's own key ends a run of a thousand trials after a handful."""
    monkeypatch.setenv("LITELLM_MASTER_KEY", proxy.key)
    monkeypatch.setattr(api, "key", "another")
    status, errors, _ = run(start, proxy, *THOUSANDS)
    assert status == 3
    assert "invalid x-api-key" in errors
    assert 1 <= len(api.bodies) <= 8
