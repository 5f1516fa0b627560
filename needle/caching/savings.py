"""What a prompt cache is expected to do for a run, and what it did, in words. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from needle.asking.estimate import Estimate
from needle.asking.money import cost
from needle.words.tariffs import CacheRules, Price

_MINUTE_S = 60


def describe_cache(rules: CacheRules, told: Estimate) -> str | None:
    """Describe an endpoint's prompt cache, and how much it should serve; None where it has none."""
    if rules.kind == "none":
        return None
    if rules.kind == "unknown":
        return (
            f"prompt cache: not known; prompts go in an order that serves an ideal one "
            f"({told.cached_share:.0%} of the input)"
        )
    parts = [_describe_keeping(rules)]
    if told.kept_share is not None:
        written = ""
        if told.written_share:
            written = f", {told.written_share:.0%} written at {rules.write_rate:g} times its price"
        parts.append(
            f"about {told.kept_share:.0%} of the input read from it{written} "
            f"(an ideal one: {told.cached_share:.0%})"
        )
    return f"prompt cache: {'; '.join(parts)}"


def _describe_keeping(rules: CacheRules) -> str:
    """Say what is kept, from which length on, and for how long."""
    what = "up to marks that the prompts carry" if rules.kind == "marked" else "by itself"
    if rules.on_third:
        what = "what two prompts share, for the third"
    least = f", from {rules.minimum:,} tokens" if rules.minimum else ""
    step = f", in steps of {rules.step:,}" if rules.step > 1 else ""
    slots = ", each slot its own" if rules.apart else ""
    lasting = f", for {_write_time(rules.lifetime_s)}" if rules.lifetime_s else ""
    return f"kept {what}{least}{step}{slots}{lasting}"


def _write_time(seconds: float) -> str:
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:g} s"
    minutes = seconds / _MINUTE_S
    return f"{minutes:g} min" if minutes < _MINUTE_S else f"{minutes / _MINUTE_S:g} h"


def describe_savings(
    lines: Iterable[Mapping[str, Any]], price: Price | None, rules: CacheRules
) -> str | None:
    """Describe what a run's replies had from the endpoint's cache, and the money that it saved.

    Returns None where nothing was to be expected and nothing came.
    """
    prompts = cached = written = 0
    saved, reported = 0.0, False
    for line in lines:
        if line.get("response") is None:
            continue
        prompt = line.get("endpoint_prompt_tokens") or line.get("prompt_tokens") or 0
        read, wrote = line.get("cached_tokens"), line.get("cache_write_tokens") or 0
        reported = reported or read is not None
        prompts, cached, written = prompts + prompt, cached + (read or 0), written + wrote
        if price is not None:
            reply = line.get("completion_tokens") or 0
            saved += cost(price, prompt, reply)
            saved -= cost(price, prompt, reply, read or 0, written=wrote)
    if not prompts or (not cached and not written and rules.kind in ("none", "unknown")):
        return None
    if not reported:
        return "cached tokens: the endpoint reports none"
    wrote_too = f", wrote {written / prompts:.0%}" if written else ""
    told = f"cached {cached / prompts:.0%} of {prompts:,} prompt tokens{wrote_too}"
    if price is None or (price.cached is None and price.write is None):
        return told
    if saved < 0:
        return f"{told} (cost {-saved:,.2f} {price.currency} more than without a cache)"
    return f"{told} (saved {saved:,.2f} {price.currency})"
