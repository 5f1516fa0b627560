"""What an endpoint sends back, read: a chat completion, whole or in the chunks of a stream. Pure.

Reasoning is kept apart from the answer and never scored. Vendors place it, and the counts of
cached tokens, in different fields.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from needle.words.types import Reply

_ABSURD = 10**12  # tokens that no endpoint can have counted
_SHORTEST_KEY = 8  # characters
_SAID = ("response", "reasoning", "finish_reason", "served_model", "request_id")
_TEXTS = ("content", "reasoning_content", "reasoning")


def read_completion(text: str, request_id: str | None) -> Reply:
    """Read a chat completion's JSON; raise ValueError or its like if it is none."""
    return read_reply(json.loads(text), request_id)


def read_reply(data: dict[str, Any], request_id: str | None) -> Reply:
    """Read a chat completion; raise ValueError or its like if it is none."""
    choices = data["choices"]
    if not choices:
        raise ValueError("no choices")
    choice = choices[0]
    message = choice["message"]
    usage = _read_part(data, "usage")
    reply_details = _read_part(usage, "completion_tokens_details")
    prompt, cached, written = _count_prompt(usage, _read_part(data, "timings"))
    return Reply(
        response=_read_content(message.get("content")),
        reasoning=_read_content(message.get("reasoning_content") or message.get("reasoning"))
        or None,
        finish_reason=_read_name(choice.get("finish_reason")),
        endpoint_prompt_tokens=prompt,
        cached_tokens=cached,
        cache_write_tokens=written,
        completion_tokens=_read_count(usage.get("completion_tokens")),
        reasoning_tokens=_read_count(reply_details.get("reasoning_tokens")),
        served_model=_read_name(data.get("model")),
        request_id=request_id or _read_name(data.get("id")),
    )


def hide_key(reply: Reply, key: str | None) -> Reply:
    """Return a reply without the key, which an endpoint may echo and nobody wants on disk.

    What is short or has no digit is a placeholder for a local server, and may be a word.
    """
    if key is None or len(key) < _SHORTEST_KEY or not any(map(str.isdigit, key)):
        return reply
    texts = {name: getattr(reply, name) for name in _SAID}
    echoed = {name: text for name, text in texts.items() if text is not None and key in text}
    hidden: dict[str, Any] = {name: text.replace(key, "[key]") for name, text in echoed.items()}
    return replace(reply, **hidden) if hidden else reply


def _count_prompt(
    usage: dict[str, Any], timings: dict[str, Any]
) -> tuple[int | None, int | None, int | None]:
    """Return a prompt's tokens, those that a cache served, and those written to one.

    OpenAI, vLLM, Gemini and others tell them in details; Kimi beside the sum; DeepSeek as hits
    and misses, which add up to the prompt; LiteLLM under Anthropic's names too; llama.cpp in its
    timings, whose ``prompt_n`` are those that it had to read.
    """
    details = _read_part(usage, "prompt_tokens_details")
    prompt = _read_count(usage.get("prompt_tokens"))
    cached = _first(
        _read_count(details.get("cached_tokens")),
        _read_count(usage.get("cached_tokens")),
        _read_count(usage.get("prompt_cache_hit_tokens")),
        _read_count(usage.get("cache_read_input_tokens")),
        _read_count(timings.get("cache_n")),
    )
    written = _first(
        _read_count(details.get("cache_write_tokens")),
        _read_count(details.get("cache_creation_tokens")),
        _read_count(details.get("cache_creation_input_tokens")),
        _read_count(usage.get("cache_creation_input_tokens")),
    )
    missed = _first(
        _read_count(usage.get("prompt_cache_miss_tokens")), _read_count(timings.get("prompt_n"))
    )
    if prompt is None and missed is not None:
        prompt = missed + (cached or 0)
    if prompt is not None:
        cached = _within(cached, prompt)
        written = _within(written, prompt - (cached or 0))
    return prompt, cached, written


def _within(part: int | None, whole: int) -> int | None:
    """Return a part's count; one beyond the whole tells nothing, and saves no money."""
    return part if part is None or part <= whole else None


def read_estimate(text: str) -> Reply:
    """Read Moonshot's count of a prompt as an empty reply that has it.

    Raises ValueError or its like if it is none.
    """
    total = _read_count(json.loads(text)["data"]["total_tokens"])
    if total is None:
        raise ValueError("no total_tokens")
    return Reply("", endpoint_prompt_tokens=total)


def join_chunks(chunks: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Join a stream's chunks into the completion that they are parts of.

    Usage is that of the last chunk that has one: some vendors send it in every chunk, some
    inside the choice, and llama.cpp adds its timings. Raises ValueError where the stream ended
    before the answer did.
    """
    whole: dict[str, Any] = {}
    message: dict[str, str] = {}
    finish_reason = None
    for chunk in chunks:
        for name in ("id", "model"):
            whole[name] = chunk.get(name) or whole.get(name)
        choices = chunk.get("choices") or []
        choice = choices[0] if choices else {}
        delta = choice.get("delta") or {}
        for name in _TEXTS:
            if delta.get(name):
                message[name] = message.get(name, "") + _read_content(delta[name])
        finish_reason = choice.get("finish_reason") or finish_reason
        whole["usage"] = chunk.get("usage") or choice.get("usage") or whole.get("usage")
        whole["timings"] = chunk.get("timings") or whole.get("timings")
    if finish_reason is None:
        raise ValueError("the stream ended before the answer did")
    return {**whole, "choices": [{"message": message, "finish_reason": finish_reason}]}


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
