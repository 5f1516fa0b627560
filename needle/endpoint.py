"""Asking: the one module that talks to a model, by the openai client, with tenacity's retries.

The client's own retries are off: they would stack with these.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from needle.errors import known
from needle.failures import classify_status, may_be_charged, may_pass, read_wait, redact
from needle.types import Asked, Failure, Message, Model, Reply

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI
    from tenacity import RetryCallState

ATTEMPTS = 8
_FIRST_WAIT = 1.0  # seconds; doubles up to the longest
_LONGEST_WAIT = 60.0
_CONNECT_S = 20.0
_ABSURD = 10**12  # tokens that no endpoint can have counted
_MESSAGE_LENGTH = 1_000  # characters of a vendor's words that are kept

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Failed:
    """A failed attempt, and what the vendor asks to wait before the next."""

    failure: Failure
    wait: float | None = None


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
    local = httpx2.URL(known(model.base_url)).host in ("127.0.0.1", "localhost", "::1")
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
    lost: Callable[[], None] = lambda: None,
) -> Asked:
    """Ask once, and again while the failure may pass; return what came back in the end.

    Waits what the vendor says, else exponentially with jitter. ``lost`` is told of each
    attempt that may have been charged though no answer came, before another one is made.
    Never raises for what an endpoint does; ``Interrupted``, from the sleep or from ``lost``,
    ends the attempts with the last failure.
    """
    from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

    made, lost_attempts, latency_s, started_at = 0, 0, 0.0, _now()
    last: Reply | _Failed | None = None

    async def attempt() -> Reply | _Failed:
        nonlocal made, lost_attempts, latency_s, started_at, last
        began, started_at = time.monotonic(), _now()
        made += 1
        last = await _ask_once(client, body, key)
        latency_s = time.monotonic() - began
        if isinstance(last, _Failed) and may_be_charged(last.failure):
            lost_attempts += 1
            if made < attempts:
                lost()
        return last

    # Failures are results here, not exceptions: a traceback would keep the prompt in memory.
    with suppress(Interrupted):
        await AsyncRetrying(
            retry=retry_if_result(_is_passing),
            wait=_wait,
            stop=stop_after_attempt(attempts),
            sleep=sleep,
            retry_error_callback=lambda _: None,
        )(attempt)
    if last is None:
        raise Interrupted
    result = last.failure if isinstance(last, _Failed) else last
    return Asked(result, made, lost_attempts, latency_s, started_at)


def _is_passing(result: Reply | _Failed) -> bool:
    return isinstance(result, _Failed) and may_pass(result.failure)


def _wait(state: "RetryCallState") -> float:
    from tenacity import wait_random_exponential

    last = state.outcome.result() if state.outcome else None
    if isinstance(last, _Failed) and last.wait is not None:
        return last.wait
    return wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)(state)


async def _ask_once(
    client: "AsyncOpenAI", body: dict[str, Any], key: str | None
) -> Reply | _Failed:
    import openai

    try:
        raw = await client.chat.completions.with_raw_response.create(**body)
        return _read_reply(raw.text, raw.headers.get("x-request-id"))
    except openai.APIStatusError as error:
        message = redact(_describe(error), key)[:_MESSAGE_LENGTH]
        failure = classify_status(error.status_code, message)
        wait = read_wait(error.response.headers, message, datetime.now(UTC))
        return _Failed(failure, wait)
    except openai.APITimeoutError:
        return _Failed(Failure("timeout", None, "no answer in time", permanent=False))
    except openai.APIConnectionError as error:
        message = redact(str(error.__cause__ or error), key)[:_MESSAGE_LENGTH]
        return _Failed(Failure("connection", None, message, permanent=False))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        message = redact(f"not a chat completion: {error}", key)[:_MESSAGE_LENGTH]
        return _Failed(Failure("malformed", 200, message, permanent=False))


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
    usage = _read_part(data, "usage")
    prompt_details = _read_part(usage, "prompt_tokens_details")
    reply_details = _read_part(usage, "completion_tokens_details")
    return Reply(
        response=_read_content(message.get("content")),
        reasoning=_read_content(message.get("reasoning_content") or message.get("reasoning"))
        or None,
        finish_reason=_read_name(choice.get("finish_reason")),
        endpoint_prompt_tokens=_read_count(usage.get("prompt_tokens")),
        cached_tokens=_first(
            _read_count(prompt_details.get("cached_tokens")),
            _read_count(usage.get("cached_tokens")),
            _read_count(usage.get("prompt_cache_hit_tokens")),
        ),
        completion_tokens=_read_count(usage.get("completion_tokens")),
        reasoning_tokens=_read_count(reply_details.get("reasoning_tokens")),
        served_model=_read_name(data.get("model")),
        request_id=request_id or _read_name(data.get("id")),
    )


def _read_content(content: Any) -> str:
    """Return a text, whole or in parts; half a surrogate pair can be neither stored nor scored."""
    if content is None:
        return ""
    if not isinstance(content, str):
        content = "".join(part.get("text", "") for part in content if part.get("type") == "text")
    text: str = content
    return text.encode(errors="replace").decode()


def _read_part(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a part of what lies around an answer: one of another shape is as good as none."""
    part = data.get(name)
    return part if isinstance(part, dict) else {}


def _read_count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _ABSURD else None


def _read_name(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
