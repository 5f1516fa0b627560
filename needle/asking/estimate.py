"""What a plan will take, before anything is sent: tokens, money, time, own cards. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from needle.asking.money import cost
from needle.asking.pace import least_minutes
from needle.caching.chains import Step
from needle.caching.ordering import arrange
from needle.caching.prefixes import count_billed, count_shared, group_trials
from needle.words.tariffs import CacheRules, Limits, Price
from needle.words.types import Language, Template, Trial


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens, replies at their longest; money in the price's currency.

    Prompts are counted by our own count, or by the endpoint's where lengths are in it.

    ``cached_share`` (0-1) is the share of the prompts' tokens that an ideal prompt cache would
    serve: what one of them has in common with those before it; of a shared context, all that
    stands before the question. ``kept_share`` and ``written_share`` are those that the endpoint's
    own cache should serve and be written, by its rules and if nothing fails, ``money_kept`` what
    that costs. ``minutes`` is the least time at the limits that were named. None is what can't be
    told.
    """

    trials: int
    prompt_tokens: int
    reply_tokens: int
    cached_share: float
    kept_share: float | None = None
    written_share: float | None = None
    money: float | None = None
    money_cached: float | None = None
    money_kept: float | None = None
    money_batch: float | None = None
    minutes: float | None = None
    flops: float | None = None


def estimate(
    trials: Sequence[Trial],
    price: Price | None,
    reply_tokens: int,
    limits: Limits | None,
    params: float | None = None,
    *,
    templates: Mapping[Language, Template] | None = None,
    rules: CacheRules | None = None,
    concurrency: int = 1,
) -> Estimate:
    """Estimate a plan's trials, with so many tokens for each reply.

    What prompts share is told by their ``templates``, and what the endpoint's own cache serves of
    it by its ``rules`` and by how many requests it is sent at once.

    FLOPs are 2 x parameters x (prompt + reply tokens), the forward pass alone, as the
    broker's report on Kimi reckons.
    """
    sent = sum(map(count_billed, trials))
    reply = reply_tokens * len(trials)
    cached = _count_cacheable(trials, templates) if templates else {}
    steps: Sequence[Step] = ()
    if templates and rules is not None and rules.kind in ("automatic", "marked"):
        steps = arrange(trials, templates, rules, concurrency, limits)
    money = money_cached = money_kept = money_batch = None
    if price is not None:
        money = sum(cost(price, count_billed(trial), reply_tokens) for trial in trials)
        if price.cached is not None and cached:
            money_cached = sum(
                cost(price, count_billed(trial), reply_tokens, cached.get(trial.key, 0.0))
                for trial in trials
            )
        if price.cached is not None and steps:
            money_kept = sum(
                cost(price, count_billed(s.trial), reply_tokens, s.cached, written=s.written)
                for s in steps
            )
        if price.batch_input is not None:
            money_batch = sum(
                cost(price, count_billed(trial), reply_tokens, batch=True) for trial in trials
            )
    return Estimate(
        trials=len(trials),
        prompt_tokens=sent,
        reply_tokens=reply,
        cached_share=sum(cached.values()) / sent if sent else 0.0,
        kept_share=sum(step.cached for step in steps) / sent if steps else None,
        written_share=sum(step.written for step in steps) / sent if steps else None,
        money=money,
        money_cached=money_cached,
        money_kept=money_kept,
        money_batch=money_batch,
        minutes=least_minutes(limits, len(trials), sent + reply) if limits else None,
        flops=2 * params * (sent + reply) if params else None,
    )


def _count_cacheable(
    trials: Sequence[Trial], templates: Mapping[Language, Template]
) -> dict[str, float]:
    """Return by key the tokens of each trial that an ideal prefix cache would serve."""
    groups, _ = group_trials(trials, templates)
    return {trial.key: tokens for group in groups for trial, tokens in count_shared(group)}


def card_hours(flops: float, tflops: float, utilisation: float) -> float:
    """Return the hours of one card that so many FLOPs take, at its peak and utilisation (0-1)."""
    return flops / (tflops * 1e12 * utilisation) / 3_600
