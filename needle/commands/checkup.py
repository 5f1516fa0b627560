"""``needle check --model``: one tiny request, and in plain words what works at an endpoint."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import click

from needle.asking.money import cost
from needle.commands.running import reachable
from needle.edges.config import read_recipe
from needle.edges.credentials import find_key
from needle.edges.endpoint import Heard, ask_once, list_models, open_client, request_body
from needle.edges.tokens import load_counting
from needle.runs.asked import choose_model
from needle.words.errors import Stopped, UsageError
from needle.words.types import Failure, Message, Model, Reply

_MESSAGES: list[Message] = [{"role": "user", "content": "Reply with the word OK."}]
_REPLY_TOKENS = 64
_MOST_TRIES = 4  # each drops one parameter that was rejected
_OTHER = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_WINDOW_NAMES = ("context_length", "context_window", "max_model_len", "max_context_length")
_SKEW_S = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found: the last attempt, the parameters rejected, the list of models."""

    heard: Heard
    rejected: tuple[str, ...]
    listed: Mapping[str, Any] | None


def check_models(said: Mapping[str, Any]) -> int:
    """Check each model named; return 0 if all answered, 1 if one did not.

    Raises Stopped where the endpoint takes no request at all: a bad key, no such model, no
    balance.
    """
    recipe = read_recipe(None, said)
    if not recipe.model:
        raise UsageError("which model? (--model): needle models lists those known")
    today = datetime.now(UTC).astimezone().date().isoformat()
    status = 0
    for name in recipe.model:
        model = choose_model(recipe, name, today)
        key = find_key(model)
        with reachable(model, 0, None) as base_url:
            found = asyncio.run(_look(model, base_url, key, recipe.timeout_s))
        for line in describe(model, found):
            click.echo(line)
        if isinstance(found.heard.result, Failure):
            if found.heard.result.condemns:
                raise Stopped(f"{model.name} can't be asked: {found.heard.result.message}")
            status = 1
    return status


async def _look(model: Model, base_url: str, key: str | None, timeout_s: float) -> Found:
    """Send the tiny request, without what is rejected of it; ask for the list of models."""
    client = open_client(replace(model, base_url=base_url), key, min(timeout_s, 120.0))
    body = request_body(model, _MESSAGES, model.temperature, _REPLY_TOKENS)
    rejected: list[str] = []
    try:
        for _ in range(_MOST_TRIES):
            heard = await ask_once(client, body, key, model.errors)
            name = _find_rejected(heard, body)
            if name is None:
                break
            rejected.append(name)
            value = body.pop(name)
            if name in _OTHER:
                body[_OTHER[name]] = value
        return Found(
            heard, tuple(rejected), await list_models(client, model.served_as or model.name)
        )
    finally:
        await client.close()


def _find_rejected(heard: Heard, body: Mapping[str, Any]) -> str | None:
    """Return the parameter that a refusal of the request names, if it names one."""
    failure = heard.result
    if not isinstance(failure, Failure) or failure.kind != "bad_request":
        return None
    extra = body.get("extra_body") or {}
    optional = [
        name for name in (*_OTHER, "temperature", "stream_options", "stream") if name in body
    ]
    places = [
        (match.start(), name)
        for name in (*optional, *extra)
        if (match := re.search(rf"\b{re.escape(name)}\b", failure.message))
    ]
    if not places:
        return None
    name = min(places)[1]
    return "extra_body" if name in extra else name


def describe(model: Model, found: Found) -> list[str]:
    """Describe in plain words what works."""
    result = found.heard.result
    lines = [f"{model.name} at {model.endpoint}"]
    if isinstance(result, Failure):
        lines.append(f"  answer: none; {result.kind}: {' '.join(result.message.split())}")
    else:
        shown = result.served_model or "no name"
        lines.append(f"  answer: yes, served as {shown}; finish reason {result.finish_reason}")
        lines.append(f"  key: {_describe_key(model)}")
    lines.append(f"  window: {_describe_window(model, found.listed)}")
    if isinstance(result, Reply):
        lines += [f"  {line}" for line in _describe_usage(model, result)]
    lines.append(f"  parameters: {_describe_rejected(found.rejected)}")
    lines.append(f"  clock: {_describe_clock(found.heard.date)}")
    return lines


def _describe_key(model: Model) -> str:
    return "none needed" if model.key_variable is None else f"taken ({model.key_variable})"


def _describe_window(model: Model, listed: Mapping[str, Any] | None) -> str:
    known = "not in the catalogue"
    if model.window:
        known = f"{model.window:,} tokens by the catalogue"
    elif model.window_characters:
        known = f"{model.window_characters:,} characters by the catalogue"
    if listed is None:
        return f"{known}; the endpoint does not list this model"
    told = next((listed[name] for name in _WINDOW_NAMES if listed.get(name)), None)
    if told is None:
        return f"{known}; the endpoint's list of models does not say it"
    return f"{known}; {told:,} tokens by the endpoint's list of models"


def _describe_usage(model: Model, reply: Reply) -> list[str]:
    ours = load_counting("o200k_base").count(_MESSAGES[0]["content"])
    theirs = reply.endpoint_prompt_tokens
    usage = "not reported: costs and lengths rest on our own count alone"
    if theirs is not None:
        usage = f"reported: {theirs} prompt tokens where the text alone is {ours} in o200k_base"
    lines = [f"usage: {usage}"]
    cached = "not reported" if reply.cached_tokens is None else "reported"
    lines.append(f"cached tokens: {cached}")
    if reply.reasoning or reply.reasoning_tokens:
        lines.append("thinking: yes, kept apart from the answer; give it room by --reply-tokens")
    if model.price is not None and theirs is not None:
        amount = cost(model.price, theirs, reply.completion_tokens or 0)
        lines.append(f"cost: {amount:.6f} {model.price.currency}")
    return lines


def _describe_rejected(rejected: tuple[str, ...]) -> str:
    if not rejected:
        return "all that needle sends are taken"
    names = ", ".join(rejected)
    return (
        f"rejects {names}, which needle would send: change the model's entry in a file of your "
        f"own (docs/vendors.md)"
    )


def _describe_clock(date: str | None) -> str:
    if date is None:
        return "the endpoint tells no time"
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return f"the endpoint's date can't be read: {date!r}"
    skew = (datetime.now(UTC) - theirs).total_seconds()
    if abs(skew) < _SKEW_S:
        return "agrees with the endpoint's"
    way = "ahead of" if skew > 0 else "behind"
    return f"{abs(skew):,.0f} s {way} the endpoint's: set it, or waits will be wrong"
