"""Asking: the one module that talks to a model, by the openai client, with tenacity's retries.

The client's own retries are off: they would stack with these.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from needle.asking.completions import hide_key, read_estimate
from needle.asking.failures import (
    classify_status,
    describe_error,
    may_be_charged,
    may_pass,
    read_allowance,
    read_wait,
    redact,
)
from needle.edges.posting import post_streamed, post_whole
from needle.words.errors import known
from needle.words.types import Allowance, Asked, Failure, Message, Model, Reply

if TYPE_CHECKING:
    import ssl

    import httpx2
    from openai import AsyncOpenAI
    from tenacity import RetryCallState

ATTEMPTS = 8
_FIRST_WAIT = 1.0  # seconds; doubles up to the longest
_LONGEST_WAIT = 60.0
_CONNECT_S = 20.0
_MESSAGE_LENGTH = 1_000  # characters of a vendor's words that are kept
_CUT_SHORT = (ValueError, LookupError, TypeError, AttributeError, RecursionError)

Value = TypeVar("Value")
Sleep = Callable[[float], Awaitable[None]]
MakeBody = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Heard:
    """What one attempt brought: a reply or a failure, and what the vendor says besides.

    ``wait_s`` is the wait it asks for, in seconds; ``date`` is its clock, as HTTP writes it.
    """

    result: Reply | Failure
    wait_s: float | None = None
    allowance: Allowance | None = None
    date: str | None = None


class Turn(Protocol):
    """Who lets attempts through, one by one, and hears what each brought."""

    async def enter(self) -> None:
        """Return once an attempt may be sent; raise Interrupted if none may be any more."""

    def leave(self, heard: Heard | None) -> None:
        """Be told how an attempt ended; None if it was dropped."""


class _Open:
    """A turn that is always anyone's."""

    async def enter(self) -> None:
        pass

    def leave(self, heard: Heard | None) -> None:
        pass


class Interrupted(Exception):  # noqa: N818 - a stop, not an error
    """Raised by a sleep or a turn when the run is stopping, so that no attempt is made."""


def open_client(
    model: Model,
    key: str | None,
    timeout_s: float,
    transport: "httpx2.AsyncBaseTransport | None" = None,
) -> "AsyncOpenAI":
    """Open a client for a model's endpoint; close it with ``await client.close()``.

    A server on this machine is reached directly, whatever proxy the environment names.
    """
    import httpx2
    from openai import AsyncOpenAI

    timeout = httpx2.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s))
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=64)
    local = httpx2.URL(known(model.base_url)).host in ("127.0.0.1", "localhost", "::1")
    return AsyncOpenAI(
        api_key=key or "none",
        base_url=model.base_url,
        max_retries=0,
        timeout=timeout,
        http_client=httpx2.AsyncClient(
            timeout=timeout,
            limits=limits,
            verify=_read_certificates(not local),
            transport=transport,
            trust_env=not local,
            follow_redirects=True,
        ),
    )


@cache
def _read_certificates(trust_env: bool) -> "ssl.SSLContext":
    """Read the certificates once for all clients of a process: it takes 50 ms."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=trust_env)


def request_body(
    model: Model, messages: Sequence[Message], temperature: float | None, reply_tokens: int
) -> dict[str, Any]:
    """Return the arguments of the chat completion call, as the model takes them."""
    said: list[dict[str, Any]] = list(messages)
    if model.content == "list":
        said = [
            {**message, "content": [{"type": "text", "text": message["content"]}]}
            for message in messages
        ]
    body: dict[str, Any] = {
        "model": model.served_as or model.name,
        "messages": said,
        model.max_tokens_parameter: reply_tokens,
    }
    if temperature is not None:
        body["temperature"] = temperature
    if model.extra:
        body["extra_body"] = model.extra
    if model.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def batch_body(
    model: Model, messages: Sequence[Message], temperature: float | None, reply_tokens: int
) -> dict[str, Any]:
    """Return the same request as it stands in a batch file: as it is sent, and never a stream."""
    body = request_body(replace(model, stream=False), messages, temperature, reply_tokens)
    extra = body.pop("extra_body", {})
    return {**body, **extra}


async def ask(
    client: "AsyncOpenAI",
    make_body: MakeBody,
    key: str | None,
    sleep: Sleep = asyncio.sleep,
    attempts: int = ATTEMPTS,
    lost: Callable[[], None] = lambda: None,
    turn: Turn | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
    count_path: str | None = None,
) -> Asked:
    """Ask once, and again while the failure may pass; return what came back in the end.

    ``make_body`` is called for each attempt, so that a prompt is in memory only while it is in
    flight. ``errors`` are the vendor's own texts by kind of failure. With a ``count_path`` it is
    the prompt's count that is asked for, there. For the rest see ``ask_by``.
    """

    def send() -> Awaitable[Heard]:
        if count_path is None:
            return ask_once(client, make_body(), key, errors or {})
        return count_once(client, count_path, make_body(), key)

    return await ask_by(send, sleep, attempts, lost, turn)


async def ask_by(
    send: Callable[[], Awaitable[Heard]],
    sleep: Sleep = asyncio.sleep,
    attempts: int = ATTEMPTS,
    lost: Callable[[], None] = lambda: None,
    turn: Turn | None = None,
) -> Asked:
    """Ask by what sends one attempt, and again while its failure may pass.

    Waits what the vendor says, else exponentially with jitter; each attempt waits for
    its ``turn``. ``lost`` is told of each attempt that may have been charged though no answer
    came, before another one is made. Never raises for what an endpoint does; ``Interrupted``,
    from the sleep, the turn or ``lost``, ends the attempts with the last failure.
    """
    made, lost_attempts, latency_s, started_at = 0, 0, 0.0, _now()
    last: Heard | None = None
    turn = turn or _Open()

    async def attempt() -> Heard:
        nonlocal made, lost_attempts, latency_s, started_at, last
        await turn.enter()
        heard = None
        try:
            began, started_at = time.monotonic(), _now()
            made += 1
            heard = last = await send()
            latency_s = time.monotonic() - began
        finally:
            turn.leave(heard)
        if isinstance(last.result, Failure) and may_be_charged(last.result):
            lost_attempts += 1
            if made < attempts:
                lost()
        return last

    with suppress(Interrupted):
        await _insist(attempt, sleep, attempts)
    if last is None:
        raise Interrupted
    return Asked(last.result, made, lost_attempts, latency_s, started_at)


async def _insist(attempt: Callable[[], Awaitable[object]], sleep: Sleep, attempts: int) -> None:
    """Make attempts until one brings no failure that may pass, or so many are made.

    Failures are results here, not exceptions: a traceback would keep the prompt in memory.
    """
    from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

    await AsyncRetrying(
        retry=retry_if_result(_is_passing),
        wait=_wait,
        stop=stop_after_attempt(attempts),
        sleep=sleep,
        retry_error_callback=lambda _: None,
    )(attempt)


def _is_passing(heard: object) -> bool:
    return isinstance(heard, Heard) and isinstance(heard.result, Failure) and may_pass(heard.result)


def _wait(state: "RetryCallState") -> float:
    from tenacity import wait_random_exponential

    last = state.outcome.result() if state.outcome else None
    if isinstance(last, Heard) and last.wait_s is not None:
        return last.wait_s
    return wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)(state)


async def call(
    send: Callable[[], Awaitable[Value]],
    key: str | None,
    errors: Mapping[str, Sequence[str]] | None = None,
    sleep: Sleep = asyncio.sleep,
    attempts: int = ATTEMPTS,
) -> Value | Failure:
    """Make a request about a file or a batch, and again while its failure may pass.

    ``send`` makes it, and returns what it brought: whatever it raises for an endpoint's fault
    is a failure. Never raises for what an endpoint does.
    """
    last: Value | Failure = Failure("connection", None, "nothing was sent", permanent=False)

    async def attempt() -> object:
        nonlocal last
        try:
            last = await send()
        except _expected() as error:
            heard = _hear_failure(error, key, errors or {}, "file or batch")
            if isinstance(heard.result, Failure):
                last = heard.result
            return heard
        return last

    await _insist(attempt, sleep, attempts)
    return last


async def ask_once(
    client: "AsyncOpenAI",
    body: dict[str, Any],
    key: str | None,
    errors: Mapping[str, Sequence[str]],
) -> Heard:
    """Ask once, and return what came of it; never raises for what an endpoint does."""
    try:
        async with asyncio.timeout(_longest_s(client)):
            post = post_streamed if body.get("stream") else post_whole
            reply, headers = await post(client, body)
        allowance = read_allowance(headers, datetime.now(UTC))
        return Heard(hide_key(reply, key), allowance=allowance, date=headers.get("date"))
    except _expected() as error:
        return _hear_failure(error, key, errors)


async def count_once(
    client: "AsyncOpenAI", path: str, body: dict[str, Any], key: str | None
) -> Heard:
    """Ask a vendor's endpoint for counts, as Moonshot has one, how long a prompt is.

    Returns an empty reply with that count; never raises for what an endpoint does.
    """
    import httpx2

    try:
        async with asyncio.timeout(_longest_s(client)):
            raw = await client.post(path, body=body, cast_to=httpx2.Response)
        return Heard(read_estimate(raw.text), date=raw.headers.get("date"))
    except _expected() as error:
        return _hear_failure(error, key, {})


def _expected() -> tuple[type[Exception], ...]:
    """Return all that an endpoint can bring about."""
    import httpx2
    import openai

    return (openai.APIError, httpx2.TransportError, TimeoutError, *_CUT_SHORT)


def _hear_failure(
    error: Exception,
    key: str | None,
    errors: Mapping[str, Sequence[str]],
    wanted: str = "chat completion",
) -> Heard:
    """Return what a failure that an endpoint brought about means."""
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        now = datetime.now(UTC)
        message = redact(describe_error(error.body, error.message), key)[:_MESSAGE_LENGTH]
        failure = classify_status(error.status_code, message, errors)
        headers = error.response.headers
        wait_s, allowance = read_wait(headers, message, now), read_allowance(headers, now)
        return Heard(failure, wait_s, allowance, headers.get("date"))
    if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException | TimeoutError):
        return Heard(Failure("timeout", None, "no answer in time", permanent=False))
    if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
        message = redact(str(error.__cause__ or error), key)[:_MESSAGE_LENGTH]
        return Heard(Failure("connection", None, message, permanent=False))
    if isinstance(error, openai.APIError):  # told within a stream that had begun well
        message = redact(describe_error(error.body, error.message), key)[:_MESSAGE_LENGTH]
        return Heard(classify_status(500, message, errors))
    message = redact(f"not a {wanted}: {error}", key)[:_MESSAGE_LENGTH]
    return Heard(Failure("malformed", 200, message, permanent=False))


async def list_models(client: "AsyncOpenAI", name: str) -> dict[str, Any] | None:
    """Return what an endpoint's list of models says of one; None if it has no such list or name."""
    import openai

    try:
        raw = await client.models.with_raw_response.list()
        listed = json.loads(raw.text)["data"]
        return next((dict(each) for each in listed if each["id"] == name), None)
    except (openai.OpenAIError, *_CUT_SHORT):
        return None


def _longest_s(client: "AsyncOpenAI") -> float | None:
    """Return the seconds for a whole answer: the transport counts each byte's wait by itself."""
    return getattr(client.timeout, "read", None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
