"""Outcomes as lines of outcomes.jsonl, and a trial's state from its lines. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from needle.asking.failures import may_be_charged
from needle.asking.money import cost
from needle.words.tariffs import Price
from needle.words.types import Asked, Failure, Language, Needle, Place, Reply, Trial

Line = dict[str, Any]

SIMULATED = "sim/"
"""What the built-in endpoint's models are called in its replies, however they were asked."""

_FROM_REPLY = (
    "endpoint_prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "response",
    "reasoning",
    "finish_reason",
    "served_model",
    "request_id",
)


def describe_trial(trial: Trial) -> Line:
    """Return what an outcome's line says of its trial."""
    without_text = trial.control == "no_haystack"
    return {
        "trial": trial.key,
        "pair": trial.pair,
        "model": trial.model,
        "task": trial.task,
        "language": trial.language,
        "layout": trial.layout,
        "control": trial.control,
        "needle": trial.needle.name,
        **({} if trial.needle_index is None else {"needle_index": trial.needle_index}),
        "needles": [_describe_place(place) for place in trial.places],
        "replicate": trial.replicate,
        "haystack": None if without_text else trial.haystack,
        "haystack_offset": None if without_text else trial.haystack_offset,
        "unit": trial.unit,
        "tokenizer": trial.tokenizer,
        "context_length": trial.context_length,
        "depth_percent": trial.depth_percent,
        "actual_depth_percent": trial.actual_depth_percent,
        "prompt_tokens": trial.prompt_tokens,
    }


def _describe_place(place: Place) -> Line:
    """Return where an inserted sentence stands; what is no fact of the needle's says so."""
    return {
        "text": place.text,
        "depth_percent": place.depth_percent,
        "actual_depth_percent": place.actual_depth_percent,
        **({"distractor": True} if place.distractor else {}),
        **({"other": True} if place.other else {}),
    }


def find_needle(
    needles: Mapping[str, Mapping[Language, Sequence[Needle]]], line: Mapping[str, Any]
) -> Needle:
    """Return the needle that a line's trial asks for, out of its run's.

    It stands at ``needle_index`` of its task's and language's, or where there is none at the
    number of the replicate.
    """
    index: int = line.get("needle_index", line["replicate"])
    return needles[line["task"]][line["language"]][index]


def write_line(
    trial: Trial, asked: Asked, price: Price | None, batch: tuple[str, str] | None = None
) -> Line:
    """Return an outcome's line, with every field of outcomes.jsonl.

    ``batch`` is given for what came in a batch file: the batch, and its own name for the
    request. Such a line has both in fields that no other has, and costs what batches cost.
    """
    result = asked.result
    came = result if isinstance(result, Reply) else result.reply
    reply = asdict(came) if came is not None else {}
    failure = None
    if isinstance(result, Failure):
        failure = {
            "kind": result.kind,
            "status": result.status,
            "message": result.message,
            "permanent": result.permanent,
        }
    return {
        **describe_trial(trial),
        **{name: reply.get(name) for name in _FROM_REPLY},
        "failure": failure,
        "attempts": asked.attempts,
        "latency_s": None if asked.latency_s is None else round(asked.latency_s, 3),
        "started_at": asked.started_at,
        "cost": price_reply(trial, result, price, in_batch=batch is not None),
        **({"batch": batch[0], "batch_request": batch[1]} if batch else {}),
    }


def price_reply(
    trial: Trial, result: Reply | Failure, price: Price | None, in_batch: bool = False
) -> Line | None:
    """Return what a reply cost, by the endpoint's own token counts where it gives them."""
    reply = result.reply if isinstance(result, Failure) else result
    if price is None or reply is None:
        return None
    prompt = reply.endpoint_prompt_tokens
    amount = cost(
        price,
        trial.prompt_tokens if prompt is None else prompt,
        reply.completion_tokens or 0,
        reply.cached_tokens or 0,
        batch=in_batch,
        written=reply.cache_write_tokens or 0,
    )
    return {"amount": round(amount, 9), "currency": price.currency}


def read_result(line: Mapping[str, Any]) -> Reply | Failure:
    """Return the reply or failure that a line holds."""
    failure = line.get("failure")
    values: dict[str, Any] = {name: line.get(name) for name in _FROM_REPLY}
    values["response"] = values["response"] or ""
    reply = Reply(**values)
    if failure is None:
        return reply
    return Failure(
        failure["kind"],
        failure.get("status"),
        failure["message"],
        failure["permanent"],
        reply=None if line.get("response") is None else reply,
    )


def count_lost(line: Mapping[str, Any]) -> int:
    """Return how many of a line's attempts may have been charged without an answer, at most.

    A line does not say how its earlier attempts failed, so all of them count.
    """
    result = read_result(line)
    answered = isinstance(result, Reply) or not may_be_charged(result)
    return int(line["attempts"]) - answered


def is_recorded(line: Mapping[str, Any]) -> bool:
    """Tell whether a line says what came back; imported results may hold a score alone."""
    return line.get("response") is not None or line.get("failure") is not None


def is_reply(line: Mapping[str, Any]) -> bool:
    """Tell whether a line holds a reply."""
    return line.get("failure") is None


def settle_states(lines: Iterable[Line]) -> dict[str, Line]:
    """Return each trial's state: its first reply if it has one, else its last failure."""
    states: dict[str, Line] = {}
    for line in lines:
        known = states.get(line["trial"])
        if known is None or not is_reply(known):
            states[line["trial"]] = line
    return states


def find_todo(
    trials: Iterable[Trial],
    states: Mapping[str, Mapping[str, Any]],
    waiting: Container[str] = (),
    again_permanent: bool = False,
) -> list[Trial]:
    """Return the trials that are to be asked: not settled, and waiting in no open batch."""
    return [
        trial
        for trial in trials
        if trial.key not in waiting and not is_settled(states.get(trial.key), again_permanent)
    ]


def is_settled(line: Mapping[str, Any] | None, again_permanent: bool = False) -> bool:
    """Tell whether a trial in this state is not to be asked again.

    One with a reply never is; one that can't pass by itself only when the user says so.
    """
    if line is None:
        return False
    if is_reply(line):
        return True
    return bool(line["failure"]["permanent"]) and not again_permanent


def is_simulated(lines: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether the built-in endpoint answered, by whatever name it was asked."""
    return any(str(line.get("served_model")).startswith(SIMULATED) for line in lines)
