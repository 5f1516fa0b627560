"""Asking: the one module that talks to a model, by the openai client, with tenacity's retries.

The client's own retries are off: they would stack with these.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from needle.failures import classify_status, may_pass, read_wait, redact
from needle.types import Asked, Failure, Message, Model, Reply

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI
    from tenacity import RetryCallState

ATTEMPTS = 8
_FIRST_WAIT = 1.0  # seconds; doubles up to the longest
_LONGEST_WAIT = 60.0
_CONNECT_S = 20.0
_MESSAGE_LENGTH = 1_000  # characters of a vendor's words that are kept

Sleep = Callable[[float], Awaitable[None]]


class _Failed(Exception):  # noqa: N818 - carries a failure through tenacity
    def __init__(self, failure: Failure, wait: float | None = None) -> None:
        super().__init__(failure.kind)
        self.failure = failure
        self.wait = wait


class Interrupted(Exception):  # noqa: N818 - a stop, not an error
    """Raised by a sleep when the run is stopping, so that no further attempt is made."""


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
    local = httpx2.URL(model.base_url).host in ("127.0.0.1", "localhost", "::1")
    return AsyncOpenAI(
        api_key=key or "none",
        base_url=model.base_url,
        max_retries=0,
        timeout=timeout,
        http_client=httpx2.AsyncClient(
            timeout=timeout,
            limits=limits,
            transport=transport,
            trust_env=not local,
            follow_redirects=True,
        ),
    )


def request_body(
    model: Model, messages: Sequence[Message], temperature: float | None, reply_tokens: int
) -> dict[str, Any]:
    """Return the arguments of the chat completion call."""
    body: dict[str, Any] = {
        "model": model.name,
        "messages": list(messages),
        model.max_tokens_parameter: reply_tokens,
    }
    if temperature is not None:
        body["temperature"] = temperature
    return body


async def ask(
    client: "AsyncOpenAI",
    body: dict[str, Any],
    key: str | None,
    sleep: Sleep = asyncio.sleep,
    attempts: int = ATTEMPTS,
) -> Asked:
    """Ask once, and again while the failure may pass; return what came back in the end.

    Waits what the vendor says, else exponentially with jitter. Never raises for what an
    endpoint does; ``Interrupted`` from the sleep ends the attempts with the last failure.
    """
    from tenacity import AsyncRetrying, RetryError, retry_if_exception, stop_after_attempt

    started_at, began, made = _now(), time.monotonic(), 0
    last: Failure | None = None
    try:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, _Failed) and may_pass(e.failure)),
            wait=_wait,
            stop=stop_after_attempt(attempts),
            sleep=sleep,
            reraise=True,
        ):
            with attempt:
                made += 1
                started_at, began = _now(), time.monotonic()
                try:
                    reply = await _ask_once(client, body, key)
                except _Failed as failed:
                    last = failed.failure
                    raise
                return Asked(reply, made, time.monotonic() - began, started_at)
    except (_Failed, Interrupted, RetryError):
        pass
    if last is None:
        raise Interrupted
    return Asked(last, made, time.monotonic() - began, started_at)


def _wait(state: "RetryCallState") -> float:
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Failed) and error.wait is not None:
        return error.wait
    return wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)(state)


async def _ask_once(client: "AsyncOpenAI", body: dict[str, Any], key: str | None) -> Reply:
    import openai

    try:
        raw = await client.chat.completions.with_raw_response.create(**body)
        return _read_reply(raw.text, raw.headers.get("x-request-id"))
    except openai.APIStatusError as error:
        message = redact(_describe(error), key)[:_MESSAGE_LENGTH]
        failure = classify_status(error.status_code, message)
        wait = read_wait(error.response.headers, message, datetime.now(UTC))
        raise _Failed(failure, wait) from error
    except openai.APITimeoutError as error:
        raise _Failed(Failure("timeout", None, "no answer in time", permanent=False)) from error
    except openai.APIConnectionError as error:
        message = redact(str(error.__cause__ or error), key)[:_MESSAGE_LENGTH]
        raise _Failed(Failure("connection", None, message, permanent=False)) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        message = redact(f"not a chat completion: {error}", key)[:_MESSAGE_LENGTH]
        raise _Failed(Failure("malformed", 200, message, permanent=False)) from error


def _describe(error: Any) -> str:
    """Return a vendor's code and words, whatever shape its error body has."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict):
            parts = [inner.get("code"), inner.get("type"), inner.get("message")]
            return " ".join(str(part) for part in parts if part) or json.dumps(inner)
        return str(inner)
    return str(body or error.message)


def _read_reply(text: str, request_id: str | None) -> Reply:
    """Read a chat completion; raise ValueError or its like if it is none.

    Reasoning is kept apart from the answer and never scored. Vendors place it, and the
    counts of cached tokens, in different fields.
    """
    data = json.loads(text)
    choices = data["choices"]
    if not choices:
        raise ValueError("no choices")
    choice = choices[0]
    message = choice["message"]
    usage = data.get("usage") or {}
    prompt_details = usage.get("prompt_tokens_details") or {}
    reply_details = usage.get("completion_tokens_details") or {}
    return Reply(
        response=_read_content(message.get("content")),
        reasoning=message.get("reasoning_content") or message.get("reasoning") or None,
        finish_reason=choice.get("finish_reason"),
        endpoint_prompt_tokens=usage.get("prompt_tokens"),
        cached_tokens=_first(
            prompt_details.get("cached_tokens"),
            usage.get("cached_tokens"),
            usage.get("prompt_cache_hit_tokens"),
        ),
        completion_tokens=usage.get("completion_tokens"),
        reasoning_tokens=reply_details.get("reasoning_tokens"),
        served_model=data.get("model"),
        request_id=request_id or data.get("id"),
    )


def _read_content(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
