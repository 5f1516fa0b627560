"""What a plan will take, before anything is sent: tokens, money, time, own cards. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from needle.money import cost
from needle.pace import least_minutes
from needle.prefixes import count_billed
from needle.tariffs import Limits, Price
from needle.types import Trial


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens, replies at their longest; money in the price's currency.

    Prompts are counted by our own count, or by the endpoint's where lengths are in it.

    ``cached_share`` (0-1) is the share of the prompts' tokens that an ideal prompt cache would
    serve: within a replicate, what stands before the needle was sent before. ``minutes`` is
    the least time at the limits that were named. None is what can't be told.
    """

    trials: int
    prompt_tokens: int
    reply_tokens: int
    cached_share: float
    money: float | None = None
    money_cached: float | None = None
    money_batch: float | None = None
    minutes: float | None = None
    flops: float | None = None


def estimate(
    trials: Sequence[Trial],
    price: Price | None,
    reply_tokens: int,
    limits: Limits | None,
    params: float | None = None,
) -> Estimate:
    """Estimate a plan's trials, with so many tokens for each reply.

    FLOPs are 2 x parameters x (prompt + reply tokens), the forward pass alone, as the
    broker's report on Kimi reckons.
    """
    sent = sum(map(count_billed, trials))
    reply = reply_tokens * len(trials)
    cached = _count_cacheable(trials)
    money = money_cached = money_batch = None
    if price is not None:
        money = sum(cost(price, count_billed(trial), reply_tokens) for trial in trials)
        if price.cached is not None:
            money_cached = sum(
                cost(price, count_billed(trial), reply_tokens, tokens)
                for trial, tokens in zip(trials, cached, strict=True)
            )
        if price.batch_input is not None:
            money_batch = sum(
                cost(price, count_billed(trial), reply_tokens, batch=True) for trial in trials
            )
    return Estimate(
        trials=len(trials),
        prompt_tokens=sent,
        reply_tokens=reply,
        cached_share=sum(cached) / sent if sent else 0.0,
        money=money,
        money_cached=money_cached,
        money_batch=money_batch,
        minutes=least_minutes(limits, len(trials), sent + reply) if limits else None,
        flops=2 * params * (sent + reply) if params else None,
    )


def _count_cacheable(trials: Sequence[Trial]) -> list[float]:
    """Return for each trial the tokens that an ideal prefix cache would serve.

    The longest context with the needle at its end is sent first and warms the cache for the
    others of its replicate, language and task; each then hits up to what is inserted first.
    """
    tokens = [count_billed(trial) * _share_before(trial) for trial in trials]
    by_text = sorted(range(len(trials)), key=lambda i: _name_text(trials[i]))
    for _, group in groupby(by_text, key=lambda i: _name_text(trials[i])):
        first = max(group, key=lambda i: (tokens[i], count_billed(trials[i])))
        tokens[first] = 0.0
    return tokens


def _share_before(trial: Trial) -> float:
    """Return the share (0-1) of a prompt that stands before what is inserted; none without text."""
    if not trial.cut:
        return 0.0
    return min((place.actual_depth_percent for place in trial.places), default=100.0) / 100


def _name_text(trial: Trial) -> tuple[str, str, int]:
    return trial.task, trial.language, trial.replicate


def card_hours(flops: float, tflops: float, utilisation: float) -> float:
    """Return the hours of one card that so many FLOPs take, at its peak and utilisation (0-1)."""
    return flops / (tflops * 1e12 * utilisation) / 3_600
