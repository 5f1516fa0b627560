"""Plans and results in words and numbers, for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from needle.asking.estimate import Estimate, card_hours, estimate
from needle.caching.savings import describe_cache
from needle.contexts.grid import format_length
from needle.contexts.tasks import text_language
from needle.edges.config import Card
from needle.runs.prepare import Prepared
from needle.runs.probing import describe_ratio, foresee_probes, is_assumed
from needle.runs.rounds import list_due
from needle.telling.captions import describe_adaptive, describe_base, describe_controls
from needle.words.errors import known
from needle.words.figures import Heatmap
from needle.words.types import Language, Model, Run

_LANGUAGE = {"en": "English", "zh": "Chinese"}


def plan_record(prepared: Prepared, card: Card | None = None) -> dict[str, Any]:
    """Return a plan's figures: trials, tokens (ours), money, time, and where they are from."""
    run, trials = prepared.run, prepared.plan.trials
    price, limits = run.model.price, run.limits
    told = _estimate(prepared)
    money = price and {
        "amount": _round(told.money),
        "with_ideal_cache": _round(told.money_cached),
        "with_its_cache": _round(told.money_kept),
        "in_batches": _round(told.money_batch),
        "currency": price.currency,
        "input": price.input,
        "output": price.output,
        "source": price.source,
        "as_of": price.as_of,
    }
    return {
        "model": run.model.name,
        "endpoint": run.model.endpoint,
        "window": run.model.window,
        "window_characters": run.model.window_characters,
        "window_source": run.model.source or None,
        "run_id": run.run_id,
        "languages": list(run.languages),
        "tasks": {task: needles[run.languages[0]][0].name for task, needles in run.needles.items()},
        "lengths": list(run.grid.lengths),
        "depths": list(run.grid.depths),
        "unit": run.unit,
        "tokenizer": run.tokenizer,
        "count": "common" if run.ratio is None else "vendor",
        "vendor_count": describe_ratio(run),
        "probes": asdict(foresee_probes(run)) if is_assumed(run) else None,
        "replicates": run.replicates,
        "layout": run.layout,
        "adaptive": _record_core(prepared),
        "trials": len(trials),
        "controls": _count_controls(prepared),
        "base_score": _count_base(prepared),
        "same_place": len(run.same_place),
        "prompt_tokens": told.prompt_tokens,
        "reply_tokens_at_most": told.reply_tokens,
        "cached_share_at_best": round(told.cached_share, 4),
        "cache": {
            **asdict(run.model.cache),
            "cached_share": _round(told.kept_share),
            "written_share": _round(told.written_share),
        },
        "money": money,
        "limits": limits and asdict(limits),
        "minutes_at_least": _round(told.minutes),
        "flops": told.flops,
        "card_hours": card and told.flops and card_hours(told.flops, card.tflops, card.utilisation),
        "passes": {language: note.passes for language, note in run.haystacks.items()},
        "notes": list(prepared.notes),
    }


def _record_core(prepared: Prepared) -> dict[str, Any] | None:
    told = _estimate_core(prepared)
    if told is None:
        return None
    return {
        "trials": told.trials,
        "prompt_tokens": told.prompt_tokens,
        "reply_tokens_at_most": told.reply_tokens,
        "money": _round(told.money),
    }


def _count_controls(prepared: Prepared) -> dict[str, int]:
    """Count a plan's controls by what is left out of them."""
    controls = [trial.control for trial in prepared.plan.trials]
    return {name: controls.count(name) for name in ("no_needle", "no_haystack")}


def _count_base(prepared: Prepared) -> int:
    """Count the trials that a plan has beside grid and controls, for its base score."""
    lengths = prepared.run.grid.lengths
    return sum(t.control is None and t.context_length not in lengths for t in prepared.plan.trials)


def _describe_beside(prepared: Prepared) -> str:
    """Say which of a plan's trials stand in no cell."""
    controls, base = _count_controls(prepared), _count_base(prepared)
    parts = (
        (controls["no_needle"], "without the needle"),
        (controls["no_haystack"], "without any text"),
        (base, "at the base score's lengths"),
    )
    told = ", ".join(f"{number:,} {what}" for number, what in parts if number)
    return f", of these {told}" if told else ""


def _estimate(prepared: Prepared) -> Estimate:
    run = prepared.run
    return estimate(
        prepared.plan.trials,
        run.model.price,
        known(run.reply_tokens),
        run.limits,
        run.model.params,
        templates=run.templates,
        rules=run.model.cache,
        concurrency=known(run.concurrency),
    )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def describe_plan(prepared: Prepared, card: Card | None = None) -> str:
    """Describe a plan in a few lines: grid, tokens, money, time."""
    run, told = prepared.run, _estimate(prepared)
    lengths = [format_length(length) for length in run.grid.lengths]
    merged = f" ({len(run.same_place)} cells share a place)" if run.same_place else ""
    texts = ", ".join(f"{note.name} ({language})" for language, note in run.haystacks.items())
    languages = " and ".join(_LANGUAGE[language] for language in run.languages)
    grid = (
        f"  {_count(len(lengths), 'length')} ({_shorten(lengths)} {run.unit}) x "
        f"{_count(len(run.grid.depths), 'depth')} x {languages}"
        f"{'' if len(run.tasks) == 1 else f' x {len(run.tasks)} tasks'}"
        f" x {_count(run.replicates, 'replicate')}"
    )
    whose = run.tokenizer if run.ratio is None else "by its own count"
    size = (
        f"  {told.trials:,} trials{_describe_beside(prepared)}{merged}: "
        f"{told.prompt_tokens:,} tokens in ({whose}), at most {told.reply_tokens:,} out"
    )
    asked = ", ".join(
        f"{task} (needle {run.needles[task][run.languages[0]][0].name})" for task in run.tasks
    )
    return "\n".join(
        (
            f"{run.model.name} at {run.model.endpoint}, {_describe_window(run.model)}",
            *_describe_source(run.model),
            grid,
            f"  {'task' if len(run.tasks) == 1 else 'tasks'} {asked}, haystack {texts}",
            size,
            *(
                f"  {line}"
                for line in (
                    _describe_layout(run, told),
                    _describe_core(prepared),
                    describe_fit(run),
                    *_describe_means(run, told, card),
                )
                if line
            ),
        )
    )


def describe_all(ready: Sequence[Prepared]) -> str:
    """Describe what several plans come to together, in one line."""
    told = [(prepared.run, _estimate(prepared)) for prepared in ready]
    money: dict[str, float] = {}
    unpriced = []
    for run, each in told:
        if run.model.price is not None and each.money is not None:
            currency = run.model.price.currency
            money[currency] = money.get(currency, 0.0) + each.money
        elif not run.model.simulated:
            unpriced.append(run.model.name)
    amounts = [f"about {amount:,.2f} {currency}" for currency, amount in money.items()]
    if unpriced:
        amounts.append(f"the price of {', '.join(dict.fromkeys(unpriced))} is unknown")
    return (
        f"all together: {_count(len(told), 'run')}, {sum(e.trials for _, e in told):,} trials: "
        f"{sum(e.prompt_tokens for _, e in told):,} tokens in, at most "
        f"{sum(e.reply_tokens for _, e in told):,} out; money: {' + '.join(amounts) or 'none'}"
    )


def _estimate_core(prepared: Prepared) -> Estimate | None:
    """Estimate the first round of an adaptive run; None for any other."""
    run = prepared.run
    if not run.adaptive:
        return None
    return estimate(list_due(prepared, {}), run.model.price, known(run.reply_tokens), None)


def _describe_core(prepared: Prepared) -> str | None:
    """Say what the first round of an adaptive run takes, of the whole that is told."""
    told, price = _estimate_core(prepared), prepared.run.model.price
    if told is None:
        return None
    beside = " with its controls" if prepared.run.controls == "all" else ""
    money = ""
    if price is not None and told.money is not None and not prepared.run.model.simulated:
        money = f", about {told.money:,.2f} {price.currency}"
    return (
        f"adaptive: first the core{beside}, {told.trials:,} trials, "
        f"{told.prompt_tokens:,} tokens in{money}; of the rest only what narrows the effective "
        f"length most, so the figures here are the most it can come to"
    )


def _describe_layout(run: Run, told: Estimate) -> str | None:
    """Say what shared contexts hold, and what they leave a prompt cache to serve."""
    if run.layout == "classic":
        return None
    return (
        f"layout shared: {_count(len(run.grid.depths), 'needle')} in each context, one question "
        f"a request; an ideal prompt cache serves {told.cached_share:.0%} of the input"
    )


def describe_fit(run: Run) -> str | None:
    """Describe how lengths are fitted to an endpoint's own count; None where they are not."""
    if run.ratio is None:
        return None
    if not is_assumed(run):
        each = "; ".join(
            f"{_LANGUAGE[language]} as {said['counting']} counts"
            if said["source"] == "recognised"
            else f"{_LANGUAGE[language]} {said['ratio']:.3f} for one of {said['counting']}"
            for language, said in describe_ratio(run).items()
        )
        return f"lengths in its own tokens: {each}"
    told = foresee_probes(run)
    money = "price unknown"
    if run.model.simulated or told.free:
        money = "free but for one a language" if told.free else "none, the endpoint is simulated"
    elif told.money is not None and run.model.price is not None:
        money = f"at most about {told.money:,.4f} {run.model.price.currency}"
    return (
        f"lengths in its own tokens: it is asked first how it counts, in 3 tiny requests a "
        f"language if its tokenizer is a known one, else in up to {told.requests} small ones of "
        f"{told.tokens:,} tokens together (money: {money}); until then it is taken to count as "
        f"{run.tokenizer} does"
    )


def describe_counts(run: Run, lines: Iterable[Mapping[str, Any]]) -> str | None:
    """Describe in one line how an endpoint's count of the prompts went with what was planned."""
    ratios: dict[Language, list[float]] = {language: [] for language in run.haystacks}
    off: list[float] = []
    for line in lines:
        theirs = line.get("endpoint_prompt_tokens")
        in_grid = line["context_length"] in run.grid.lengths
        if theirs and in_grid and line["failure"] is None and line["prompt_tokens"]:
            text = text_language(line["task"], line["language"])
            ratios[text].append(theirs / line["prompt_tokens"])
            off.append(abs(theirs / line["context_length"] - 1))
    if not off:
        return None
    if run.ratio is not None:
        return (
            f"lengths by the endpoint's own count: off by {sum(off) / len(off):.2%} on average, "
            f"{max(off):.2%} at most ({_count(len(off), 'reply', 'replies')})"
        )
    means = ", ".join(
        f"{sum(each) / len(each):.3f} in {_LANGUAGE[language]}"
        for language, each in ratios.items()
        if each
    )
    return f"the endpoint's tokens for one of {run.tokenizer}: {means} (the mean over its replies)"


def _describe_window(model: Model) -> str:
    if model.window:
        return f"window {model.window:,} tokens"
    if model.window_characters:
        return f"window {model.window_characters:,} characters"
    return "window unknown"


def _describe_source(model: Model) -> list[str]:
    """Say where what is known of a model is from, unless it is the user's or needle's own."""
    if not model.source or model.simulated:
        return []
    what = "window" if model.window or model.window_characters else "endpoint"
    return [f"  {what} from {', '.join(filter(None, (model.source, model.as_of)))}"]


def _describe_means(run: Run, told: Estimate, card: Card | None) -> list[str]:
    """Describe what a plan takes: money, time, and one's own cards."""
    kept = describe_cache(run.model.cache, told)
    lines = [_describe_money(run, told), *([kept] if kept else [])]
    if told.minutes is not None and run.limits is not None:
        named = {
            "requests a minute": run.limits.requests_a_minute,
            "tokens a minute": run.limits.tokens_a_minute,
            "tokens a day": run.limits.tokens_a_day,
        }
        most = ", ".join(f"{value:,} {name}" for name, value in named.items() if value)
        lines.append(f"time: at least {_write_minutes(told.minutes)} at {most}")
    if told.flops is not None:
        hours = ""
        if card is not None:
            reckoned = card_hours(told.flops, card.tflops, card.utilisation)
            hours = (
                f": {reckoned:,.3g} card-hours at {card.tflops:g} TFLOPS used to "
                f"{card.utilisation:.0%}"
            )
        lines.append(f"own cards: {told.flops:.3g} FLOPs (2 x parameters x tokens){hours}")
    return lines


def _describe_money(run: Run, told: Estimate) -> str:
    price = run.model.price
    if run.model.simulated:
        return "money: none, the endpoint is simulated"
    if price is None or told.money is None:
        return "money: price unknown"
    others = [
        f"{words} {amount:,.2f}"
        for words, amount in (
            (f"with its cache ({told.kept_share or 0:.0%} of the input)", told.money_kept),
            (
                f"with an ideal prompt cache ({told.cached_share:.0%} of the input)",
                told.money_cached,
            ),
            ("in batches", told.money_batch),
        )
        if amount is not None
    ]
    also = f"; {', '.join(others)}" if others else ""
    dated = f"{price.source}, {price.as_of}" if price.source else "your own price"
    return (
        f"money: about {told.money:,.2f} {price.currency} with every reply at its longest{also} "
        f"({price.input:g} in, {price.output:g} out a million; {dated})"
    )


def _write_minutes(minutes: float) -> str:
    if minutes < 120:  # noqa: PLR2004 - two hours
        return f"{minutes:,.0f} min"
    hours = minutes / 60
    return f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"  # noqa: PLR2004 - two days


def _shorten(lengths: list[str]) -> str:
    if len(lengths) <= 8:  # noqa: PLR2004 - fits a line
        return ", ".join(lengths)
    return f"{', '.join(lengths[:3])}, ... {lengths[-1]}"


def _count(number: int, noun: str, several: str | None = None) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {several or noun + 's'}"


def describe_recall(heatmap: Heatmap) -> str:
    """Describe a heatmap's recall and what is left out of it in one line, its controls below."""
    layout = "" if heatmap.layout == "classic" else f", {heatmap.layout} contexts"
    left = ", ".join(f"{count} {verdict}" for verdict, count in heatmap.left_out.items())
    simulated = " (simulated endpoint)" if heatmap.simulated else ""
    if heatmap.imported is not None:
        simulated = f" (imported, {heatmap.imported.format})"
    scorer = "" if heatmap.scorer == "keyword" else f" by {heatmap.judge or heatmap.scorer}"
    base = "".join(f"; {part}" for part in describe_base(heatmap, "en"))
    controls = "".join(f"\n  {part}" for part in describe_controls(heatmap, "en"))
    adaptive = "".join(f"; {part}" for part in describe_adaptive(heatmap, "en"))
    recall = "no scored reply"
    if heatmap.recall is not None:
        scored = _count(heatmap.scored, "scored reply", "scored replies")
        recall = f"recall {heatmap.recall:.1%}{scorer} of {scored}"
    return (
        f"{heatmap.model} {heatmap.task} {_LANGUAGE[heatmap.language]}{layout}{simulated}: "
        f"{recall}; left out: {left or 'none'}"
        f"{base}{adaptive}{controls}"
    )
