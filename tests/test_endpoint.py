"""Law 8 over the real openai client: one retrier, which waits what the vendor says."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from needle.asking.completions import hide_key
from needle.edges.endpoint import ATTEMPTS, Heard, Interrupted, ask, open_client, request_body
from needle.words.types import Asked, Failure, Model, Reply

KEY = "sk-secret-0123456789abcdef"
MODEL = Model("m", "v", "http://vendor.example/v1", "KEY")
Handle = Callable[[httpx2.Request], httpx2.Response]


def completion(**changes: Any) -> dict[str, Any]:
    """Return a chat completion as OpenAI shapes it."""
    message = {"role": "assistant", "content": "an enamel flute", **changes.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": changes.pop("finish", "stop")}
    return {"id": "c1", "model": "m-2026", "choices": [choice], **changes}


def ask_through(handle: Handle, model: Model = MODEL) -> tuple[Asked, list[float], list[Any]]:
    """Ask once through a mock transport; return the outcome, the waits and the bodies sent."""
    waits: list[float] = []
    bodies: list[Any] = []

    def record(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        return handle(request)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def go() -> Asked:
        client = open_client(model, KEY, 5.0, httpx2.MockTransport(record))
        body = request_body(model, [{"role": "user", "content": "哪里？"}], 0.0, 256)
        try:
            return await ask(client, lambda: body, KEY, sleep=sleep)
        finally:
            await client.close()

    return asyncio.run(go()), waits, bodies


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-ratelimit-remaining-tokens", "9" * 5_000),
        ("retry-after", "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"),
        ("retry-after", "nan"),
    ],
)
@pytest.mark.parametrize("status", [200, 429])
def test_no_header_ends_a_run(status: int, name: str, value: str) -> None:
    """Whatever a header says, a reply is kept, and a failure waits for a while as any other."""
    body = completion() if status == 200 else {"error": {"message": "slow down"}}
    asked, waits, bodies = ask_through(answer(status, body, {name: value}))
    assert isinstance(asked.result, Reply) == (status == 200)
    assert len(bodies) == asked.attempts == (1 if status == 200 else ATTEMPTS)
    assert all(0 <= wait <= 60 for wait in waits)


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Handle:
    """Return what answers every request alike."""
    return lambda _: httpx2.Response(status, json=body, headers=headers)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 529])
def test_what_may_pass_is_tried_again_by_tenacity_alone(status: int) -> None:
    """A failure that may pass is tried exactly as often as needle says, by nobody else."""
    asked, waits, bodies = ask_through(answer(status, {"error": {"message": "busy"}}))
    assert isinstance(asked.result, Failure)
    assert not asked.result.permanent
    assert len(bodies) == asked.attempts == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
def test_what_cannot_pass_is_tried_once(status: int) -> None:
    """A refusal, a bad key, an unknown model and an empty balance are not tried again."""
    asked, waits, bodies = ask_through(answer(status, {"error": {"message": "no"}}))
    assert isinstance(asked.result, Failure)
    assert asked.result.permanent or asked.result.condemns
    assert (len(bodies), waits) == (1, [])


def test_an_empty_balance_is_not_tried_again_though_it_is_a_429() -> None:
    """Moonshot's 429 without money condemns the run at the first attempt."""
    error = {"type": "exceeded_current_quota_error", "message": "Your account has no balance"}
    asked, _, bodies = ask_through(answer(429, {"error": error}))
    assert isinstance(asked.result, Failure)
    assert asked.result.kind == "no_balance"
    assert asked.result.condemns
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("headers", "message", "wait"),
    [
        ({"retry-after": "7"}, "busy", 7.0),
        ({"retry-after-ms": "250"}, "busy", 0.25),
        ({"llm_provider-retry-after": "3"}, "busy", 3.0),
        ({}, "please try again after 1 seconds", 1.0),
        ({}, "Please try again in 20s.", 20.0),
        ({}, "Please try again in 6ms.", 0.006),
        ({}, "Please try again in 1m30s.", 90.0),
        ({"retry-after": "86400"}, "busy", 600.0),
    ],
)
def test_waits_what_the_vendor_says(headers: dict[str, str], message: str, wait: float) -> None:
    """Between attempts passes what the vendor's header or words ask for, ten minutes at most."""
    answers = [
        httpx2.Response(429, json={"error": {"message": message}}, headers=headers),
        httpx2.Response(200, json=completion()),
    ]
    asked, waits, _ = ask_through(lambda _: answers.pop(0))
    assert isinstance(asked.result, Reply)
    assert waits == [pytest.approx(wait)]
    assert asked.attempts == 2


def test_waits_longer_each_time_where_the_vendor_says_nothing() -> None:
    """Without a word from the vendor waits stay under bounds that double, to a minute."""
    _, waits, _ = ask_through(answer(503, {"error": {"message": "busy"}}))
    assert all(0 <= wait <= min(2**n, 60) for n, wait in enumerate(waits))


@pytest.mark.parametrize(
    "fault",
    [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow"), httpx2.RemoteProtocolError("cut")],
)
def test_a_broken_connection_is_tried_again(fault: Exception) -> None:
    """A connection that fails, stalls or breaks off is tried again and then answered."""
    faults = [fault]

    def handle(_: httpx2.Request) -> httpx2.Response:
        if faults:
            raise faults.pop()
        return httpx2.Response(200, json=completion())

    asked, _, _ = ask_through(handle)
    assert isinstance(asked.result, Reply)
    assert asked.attempts == 2


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"<html>Bad gateway</html>",
        b"[]",
        b"null",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}',
        b'{"error": "x"}',
        b"",
    ],
)
def test_what_is_no_completion_is_a_failure_never_an_answer(body: bytes) -> None:
    """A 200 that holds no chat completion is a failure that may pass."""
    asked, _, bodies = ask_through(
        lambda _: httpx2.Response(200, content=body, headers={"content-type": "application/json"})
    )
    assert isinstance(asked.result, Failure)
    assert asked.result.kind == "malformed"
    assert not asked.result.permanent
    assert len(bodies) == ATTEMPTS


def test_a_stop_ends_the_attempts() -> None:
    """When the run stops while a trial waits, its last failure is what is kept of it."""

    async def go() -> Asked:
        transport = httpx2.MockTransport(answer(503, {"error": {"message": "busy"}}))
        client = open_client(MODEL, KEY, 5.0, transport)

        async def sleep(_: float) -> None:
            raise Interrupted

        try:
            body = request_body(MODEL, [], None, 8)
            return await ask(client, lambda: body, KEY, sleep=sleep)
        finally:
            await client.close()

    asked = asyncio.run(go())
    assert isinstance(asked.result, Failure)
    assert asked.attempts == 1


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_the_key_is_in_no_outcome(status: int) -> None:
    """A vendor that echoes the key in its error does not get it into an outcome (law 11)."""
    said = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": KEY}}
    asked, _, _ = ask_through(answer(status, said))
    assert KEY not in repr(asked)
    assert "sk-secret" not in repr(asked)


def test_the_key_is_in_no_reply() -> None:
    """An endpoint that echoes the key in its reply does not get it into an outcome (law 11)."""
    message = {"content": f"You said Bearer {KEY}.", "reasoning_content": KEY}
    asked, _, _ = ask_through(answer(200, completion(message=message) | {"model": KEY}))
    assert KEY not in repr(asked)
    assert isinstance(asked.result, Reply)
    assert asked.result.response == "You said Bearer [key]."


@pytest.mark.parametrize("key", [None, "none", "EMPTY", "ollama-key", "abc12"])
def test_a_placeholder_is_a_word_like_any_other(key: str | None) -> None:
    """A reply is left as it came where the key is a local server's placeholder."""
    reply = Reply("none: EMPTY, ollama-key, abc12", request_id=key)
    assert hide_key(reply, key) is reply


@pytest.mark.parametrize(
    ("message", "response", "reasoning"),
    [
        ({"content": "x", "reasoning_content": "hm"}, "x", "hm"),
        ({"content": None, "reasoning": "hm"}, "", "hm"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab", None),
        ({"content": ""}, "", None),
    ],
)
def test_reasoning_is_kept_apart(
    message: dict[str, Any], response: str, reasoning: str | None
) -> None:
    """What a model thinks is kept beside its answer and never as the answer."""
    asked, _, _ = ask_through(answer(200, completion(message=message)))
    assert isinstance(asked.result, Reply)
    assert (asked.result.response, asked.result.reasoning) == (response, reasoning)


@pytest.mark.parametrize(
    "cached",
    [
        {"prompt_tokens_details": {"cached_tokens": 12}},
        {"cached_tokens": 12},
        {"prompt_cache_hit_tokens": 12},
        {"cache_read_input_tokens": 12},
    ],
)
def test_usage_is_read_wherever_a_vendor_puts_it(cached: dict[str, Any]) -> None:
    """Prompt, reply and cached tokens are read from each vendor's fields."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 5, **cached}
    asked, _, _ = ask_through(answer(200, completion(usage=usage)))
    assert isinstance(asked.result, Reply)
    assert asked.result.endpoint_prompt_tokens == 1000
    assert asked.result.completion_tokens == 5
    assert asked.result.cached_tokens == 12
    assert asked.result.served_model == "m-2026"


def test_a_request_has_what_the_model_takes_and_no_more() -> None:
    """The reply's budget goes by the model's own parameter; a temperature only where taken."""
    thinking = Model("t", "v", "http://x/v1", None, max_tokens_parameter="max_completion_tokens")
    assert request_body(thinking, [], None, 9) == {
        "model": "t",
        "messages": [],
        "max_completion_tokens": 9,
    }
    _, _, bodies = ask_through(answer(200, completion()))
    assert bodies == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "哪里？"}],
            "max_tokens": 256,
            "temperature": 0.0,
        }
    ]


def test_a_request_has_what_its_vendor_wants_besides() -> None:
    """Contents go in parts, and further fields into the body, where the catalogue says so."""
    model = Model(
        "m", "v", "http://v.example/v1", "K", content="list", extra={"thinking": {"type": "off"}}
    )
    _, _, bodies = ask_through(answer(200, completion()), model)
    assert bodies[0]["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "哪里？"}]}
    ]
    assert bodies[0]["thinking"] == {"type": "off"}


STREAMING = Model("m", "v", "http://v.example/v1", "KEY", stream=True)


def stream(*chunks: object, end: str = "data: [DONE]\n\n") -> Handle:
    """Return what answers every request with server-sent events."""
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    headers = {"content-type": "text/event-stream", "x-request-id": "r-1"}
    return lambda _: httpx2.Response(200, content=(events + end).encode(), headers=headers)


def chunk(finish: str | None = None, **delta: str) -> dict[str, Any]:
    """Return one chunk of a stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m-2026", "choices": [choice]}


def test_a_stream_is_read_as_the_completion_that_it_is() -> None:
    """An answer in chunks, its reasoning and its usage are kept as those of a whole one."""
    usage = {"prompt_tokens": 900, "completion_tokens": 7, "cached_tokens": 512}
    last = {**chunk(), "choices": [], "usage": usage}
    parts = (chunk(reasoning_content="hm"), chunk(content="a "), chunk("stop", content="flute"))
    odd = {"choices": [], "usage": "none yet"}  # nothing is warned of: no user can act on it
    asked, _, bodies = ask_through(stream(*parts, odd, last), STREAMING)
    assert asked.result == Reply(
        response="a flute",
        reasoning="hm",
        finish_reason="stop",
        endpoint_prompt_tokens=900,
        cached_tokens=512,
        completion_tokens=7,
        served_model="m-2026",
        request_id="r-1",
    )
    assert (bodies[0]["stream"], bodies[0]["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize(
    "broken",
    [
        stream(chunk(content="a flu")),
        stream(chunk(content="a flu"), end=""),
        stream(chunk(content="a flu"), {"error": {"message": "overloaded", "code": 1}}),
        stream(end="data: {\n\n"),
        stream(),
    ],
)
def test_a_stream_that_breaks_off_is_no_answer(broken: Handle) -> None:
    """Half an answer is a failure that may pass, never an answer."""
    asked, _, bodies = ask_through(broken, STREAMING)
    assert isinstance(asked.result, Failure)
    assert not asked.result.permanent
    assert len(bodies) == ATTEMPTS


def test_a_vendors_own_words_come_first() -> None:
    """A text that the catalogue knows of a vendor says what kind of failure it is."""
    said = answer(400, {"error": {"message": "Zu lang, mein Freund"}})

    async def go() -> Asked:
        client = open_client(MODEL, KEY, 5.0, httpx2.MockTransport(said))
        body = request_body(MODEL, [], None, 8)
        try:
            return await ask(client, lambda: body, KEY, errors={"overflow": ("zu lang",)})
        finally:
            await client.close()

    result = asyncio.run(go()).result
    assert isinstance(result, Failure)
    assert (result.kind, result.permanent) == ("overflow", True)


def test_each_attempt_takes_its_turn() -> None:
    """Every attempt enters before it is sent and leaves with what it brought."""

    class Door:
        def __init__(self) -> None:
            self.steps: list[object] = []

        async def enter(self) -> None:
            self.steps.append("in")

        def leave(self, heard: Heard | None) -> None:
            assert heard is not None
            self.steps.append(heard.result.kind if isinstance(heard.result, Failure) else "ok")

    answers = [
        httpx2.Response(429, json={"error": {"message": "busy"}}),
        httpx2.Response(200, json=completion()),
    ]
    door = Door()

    async def go() -> Asked:
        transport = httpx2.MockTransport(lambda _: answers.pop(0))
        client = open_client(MODEL, KEY, 5.0, transport)

        async def sleep(_: float) -> None:
            door.steps.append("wait")

        body = request_body(MODEL, [], None, 8)
        try:
            return await ask(client, lambda: body, KEY, sleep=sleep, turn=door)
        finally:
            await client.close()

    assert asyncio.run(go()).attempts == 2
    assert door.steps == ["in", "rate_limit", "wait", "in", "ok"]
