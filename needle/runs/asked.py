"""The model that a run asks, its cache and its limits: as the catalogue and the user say."""

from dataclasses import replace

from needle.edges.caches import find_cache
from needle.edges.config import Recipe, choose_base_url
from needle.edges.models import find_limits, find_model
from needle.words.errors import UsageError
from needle.words.tariffs import CacheRules, Limits
from needle.words.types import Model, Plan


def choose_model(recipe: Recipe, name: str, date: str) -> Model:
    """Return a recipe's model as the catalogue and the recipe together have it."""
    model = find_model(name, choose_base_url(recipe, name), recipe.window, date)
    return replace(
        model,
        cache=_choose_cache(recipe, model),
        stream=model.stream if recipe.stream is None else recipe.stream,
        params=recipe.params or model.params,
    )


def _choose_cache(recipe: Recipe, model: Model) -> CacheRules:
    """Return how a model's prompts are kept: its vendor's rules, unless a recipe says another."""
    if recipe.cache is None:
        return model.cache
    rules = find_cache(recipe.cache)
    if rules.kind != "none" and not model.simulated:
        raise UsageError(
            f"{model.name} has its vendor's own cache, not {recipe.cache!r} (--cache): use none, "
            f"or a sim/ model; other rules go into a vendor's file (docs/vendors.md)"
        )
    return rules


def choose_limits(recipe: Recipe, model: Model) -> Limits | None:
    """Return the limits that the user named, by tier or in figures; None if there are none."""
    said = recipe.limits
    named = find_limits(model, said.tier) if said.tier else Limits()
    limits = Limits(
        named.concurrency,
        said.requests_a_minute or named.requests_a_minute,
        said.tokens_a_minute or named.tokens_a_minute,
        said.tokens_a_day or named.tokens_a_day,
    )
    return None if limits == Limits() else limits


def refuse_beyond_limits(plan: Plan, reply_tokens: int, limits: Limits | None) -> None:
    """Raise UsageError for a request larger than a limit: it would be turned down for ever."""
    if limits is None:
        return
    largest = max(trial.prompt_tokens for trial in plan.trials) + reply_tokens
    for most, span, option in (
        (limits.tokens_a_minute, "minute", "--tpm"),
        (limits.tokens_a_day, "day", "--tpd"),
    ):
        if most is not None and largest > most:
            left = most - reply_tokens
            shorter = f"--lengths up to {left}" if left > 0 else "fewer --reply-tokens"
            raise UsageError(
                f"a request of {largest:,} tokens, {reply_tokens:,} of them kept for the reply, "
                f"is larger than the limit of {most:,} tokens a {span} ({option}, --tier) and "
                f"would be turned down for ever: use {shorter}"
            )
