"""What the simulated models say: a request read, answered or refused, in OpenAI's shapes."""

import functools
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from needle.caching.played import TOKENS_A_MESSAGE, TOKENS_A_REQUEST, Part, Served
from needle.edges.needlefiles import list_needles, load_needle_source
from needle.edges.tokens import load_counting
from needle.simulated import oracle
from needle.simulated.reader import answer
from needle.simulated.surfaces import draw, recall, take
from needle.words.errors import UsageError

ENCODING = "o200k_base"


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """A model of the endpoint: the surface it sees by, its window in tokens, and how it reads.

    One that knows needles reads by the wordings of the shipped ones, the others by words. A
    distracted one may take a sentence like the nearest for it.
    """

    surface: str
    window: int
    knows_needles: bool = False
    distracted: bool = False


MODELS = {
    "sim/reader": SimulatedModel("full", 2_097_152),
    "sim/blind": SimulatedModel("none", 131_072),
    "sim/middle": SimulatedModel("middle", 131_072),
    "sim/window": SimulatedModel("window", 131_072),
    "sim/oracle": SimulatedModel("full", 131_072, knows_needles=True),
    "sim/distracted": SimulatedModel("full", 131_072, distracted=True),
}


def read_names(told: Sequence[str]) -> dict[str, str]:
    """Read other names for models, each ``NAME=MODEL``; raise UsageError for any other text."""
    names = {}
    for text in told:
        name, equals, model = text.rpartition("=")
        if not (name and equals and model in MODELS):
            known = ", ".join(MODELS)
            raise UsageError(f"not a name for a model: {text!r} (--as): use NAME=MODEL, of {known}")
        names[name] = model
    return names


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes back for a request: the HTTP status, the body's text, and headers of its own."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


def refuse(
    status: int, message: str, code: str | None = None, kind: str = "invalid_request_error"
) -> Sent:
    """Return an error in OpenAI's shape."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Sent(status, json.dumps({"error": error}))


class Refused(Exception):  # noqa: N818 - it is a reply with an error in it
    """A request that the endpoint turns down."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.sent = refuse(status, message, code)


@dataclass(frozen=True, slots=True)
class Question:
    """A request, checked: ``contents`` are all messages', ``prompt`` the user's own.

    ``messages`` are their roles and parts, and ``told`` says that a cache is to keep them only
    up to their marks.
    """

    model: str
    contents: tuple[str, ...]
    prompt: str
    reply_tokens: int | None
    digest: str
    messages: tuple[tuple[str, tuple[Part, ...]], ...] = ()
    told: bool = False


def read_request(data: bytes, names: Mapping[str, str] | None = None) -> Question:
    """Check a request's body and return what it asks; ``names`` are other names for models.

    Raises Refused for one that is not OpenAI's chat request to a model of this endpoint.
    """
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise Refused(400, "The body of your request must be a JSON object.")
    model = body.get("model")
    if isinstance(model, str):
        model = (names or {}).get(model, model)
    if not isinstance(model, str) or model not in MODELS:
        known = ", ".join(MODELS)
        message = f"The model {model!r} does not exist: use {known}."
        raise Refused(404, message, "model_not_found")
    if body.get("stream"):
        raise Refused(400, "Streaming is not supported: leave out 'stream'.", "unsupported_value")
    messages = _read_messages(body.get("messages"))
    said = [(role, "".join(part.text for part in parts)) for role, parts in messages]
    contents = tuple(content for _, content in said)
    asked = [content for role, content in said if role == "user"] or list(contents)
    salted = json.dumps([model, said]).encode()
    return Question(
        model=model,
        contents=contents,
        prompt="\n\n".join(asked),
        reply_tokens=_read_reply_tokens(body),
        digest=hashlib.sha256(salted).hexdigest(),
        messages=tuple(messages),
        told=_read_cache_mode(body.get("prompt_cache_options")) == "explicit",
    )


def _read_cache_mode(options: object) -> object:
    return options.get("mode") if isinstance(options, dict) else None


def _read_messages(messages: object) -> list[tuple[str, tuple[Part, ...]]]:
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "'messages' must be a list of at least one message.")
    said = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        parts = _read_parts(content if isinstance(content, list) else [{"text": content}])
        if parts is None:
            raise Refused(400, "Each message needs a 'content' that is text or parts of text.")
        said.append((str(message.get("role")), parts))
    return said


_MARKS = ("cache_control", "prompt_cache_breakpoint")


def _read_parts(parts: list[object]) -> tuple[Part, ...] | None:
    """Return the parts of a content with their marks; None if one of them is no text."""
    texts = [part for part in parts if isinstance(part, dict)]
    read = tuple(
        Part(part["text"], marked=any(part.get(mark) for mark in _MARKS))
        for part in texts
        if isinstance(part.get("text"), str)
    )
    return read if len(read) == len(parts) else None


def _read_reply_tokens(body: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise Refused(400, f"{name!r} must be a whole number of at least 1, got {value!r}.")
        return value
    return None


def reply(
    question: Question,
    fault: str | None,
    seed: int,
    window: int,
    served: Served | None = None,
    cache: str = "",
) -> Sent:
    """Read a prompt and answer it, within the window, unless a fault comes in between.

    ``served`` is what a cache did for it, told as the vendor of the ``cache`` does.

    Raises Refused if the prompt and the reply asked for are longer than the window.
    """
    if fault in _ERRORS:
        return _ERRORS[fault]
    count = load_counting(ENCODING).count
    tokens = sum(count(content) for content in question.contents)
    prompt_tokens = tokens + TOKENS_A_MESSAGE * len(question.contents) + TOKENS_A_REQUEST
    _check_window(prompt_tokens, question.reply_tokens or 0, window)
    model = MODELS[question.model]
    drawn = draw(seed, model.surface, question.prompt)

    def sees(depth: float) -> bool:
        return drawn < recall(model.surface, tokens, depth, window)

    def takes(near: int) -> int:
        return take(near, draw(seed, "distraction", question.prompt)) if model.distracted else 0

    if model.knows_needles:
        read = oracle.answer(question.prompt, _learn_needles(), sees)
    else:
        read = answer(question.prompt, sees, takes)
    text = _cut(read.text, question.reply_tokens or window - prompt_tokens)
    finish_reason = "stop" if text == read.text else "length"
    if fault == "filter":
        text, finish_reason = "", "content_filter"
    completion = _complete(question, text, finish_reason, prompt_tokens)
    completion["usage"] |= tell_served(served or Served(), prompt_tokens, cache)
    if fault == "empty_choices":
        completion["choices"] = []
    body = json.dumps(completion)
    if fault == "malformed":
        body = body[: len(body) // 2]
    return Sent(200, body, {"x-request-id": completion["id"]})


@functools.cache
def _learn_needles() -> tuple[oracle.Lesson, ...]:
    return oracle.learn(map(load_needle_source, list_needles()))


def _check_window(prompt_tokens: int, reply_tokens: int, window: int) -> None:
    if prompt_tokens + reply_tokens > window:
        raise Refused(
            400,
            f"This model's maximum context length is {window} tokens. However, you requested "
            f"{prompt_tokens + reply_tokens} tokens ({prompt_tokens} in the messages, "
            f"{reply_tokens} in the completion). Please reduce the length of the messages or "
            "completion.",
            "context_length_exceeded",
        )


def _cut(text: str, tokens: int) -> str:
    """Return as much of a text's beginning, by whole characters, as so many tokens hold."""
    count = load_counting(ENCODING).count
    while count(text) > tokens:
        text = text[: -max(1, (count(text) - tokens) // 4)]
    return text


def _complete(
    question: Question, text: str, finish_reason: str, prompt_tokens: int
) -> dict[str, Any]:
    """Return OpenAI's chat completion object."""
    reply_tokens = load_counting(ENCODING).count(text)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish_reason,
    }
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": reply_tokens,
        "total_tokens": prompt_tokens + reply_tokens,
    }
    return {
        "id": f"chatcmpl-{question.digest[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": question.model,
        "choices": [choice],
        "usage": usage,
    }


def tell_served(served: Served, prompt_tokens: int, cache: str) -> dict[str, Any]:
    """Return what a vendor's usage says of its cache, in the fields that it says it in."""
    read, written = served.read, served.written
    details: dict[str, Any] = {"cached_tokens": read}
    if cache == "kimi":
        return {"cached_tokens": read}
    if cache == "deepseek":
        return {
            "prompt_cache_hit_tokens": read,
            "prompt_cache_miss_tokens": prompt_tokens - read,
        }
    if cache == "openai-explicit":
        details["cache_write_tokens"] = written
    if cache == "anthropic":  # as LiteLLM tells it
        details["cache_creation_tokens"] = written
        own = {"cache_creation_input_tokens": written, "cache_read_input_tokens": read}
        return {"prompt_tokens_details": details, **own}
    return {"prompt_tokens_details": details}


_OVERLOADED = "The engine is currently overloaded, please try again later"
_TOO_FAST = "Your account has reached its max request rate, please try again after 1 seconds"
_ERRORS: dict[str | None, Sent] = {
    "rate_limit": refuse(429, _OVERLOADED, kind="engine_overloaded_error"),
    "rate_limit_wait": replace(
        refuse(429, _TOO_FAST, kind="rate_limit_reached_error"), headers={"retry-after": "1"}
    ),
    "error_500": refuse(500, "The server had an error.", kind="server_error"),
    "error_503": refuse(503, "The server is overloaded.", kind="server_error"),
    "filter_400": refuse(400, "The prompt was stopped by the content filter.", "content_filter"),
}
