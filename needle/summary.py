"""Plans and results in words and numbers, for the terminal."""

from typing import Any

from needle.errors import known
from needle.grid import format_length
from needle.money import cost
from needle.prepare import Prepared
from needle.types import Heatmap

_LANGUAGE = {"en": "English", "zh": "Chinese"}


def plan_record(prepared: Prepared) -> dict[str, Any]:
    """Return a plan's figures: trials, tokens (ours), and the most that they can cost."""
    run, trials = prepared.run, prepared.plan.trials
    sent = sum(trial.prompt_tokens for trial in trials)
    reply_tokens = known(run.reply_tokens)
    reply = reply_tokens * len(trials)
    price = run.model.price
    money = None
    if price is not None:
        amount = sum(cost(price, trial.prompt_tokens, reply_tokens) for trial in trials)
        money = {"at_most": round(amount, 4), "currency": price.currency}
    return {
        "model": run.model.name,
        "endpoint": run.model.endpoint,
        "window": run.model.window,
        "run_id": run.run_id,
        "languages": list(run.languages),
        "lengths": list(run.grid.lengths),
        "depths": list(run.grid.depths),
        "unit": run.unit,
        "tokenizer": run.tokenizer,
        "replicates": run.replicates,
        "trials": len(trials),
        "same_place": len(run.same_place),
        "prompt_tokens": sent,
        "reply_tokens_at_most": reply,
        "money": money,
        "passes": {language: note.passes for language, note in run.haystacks.items()},
        "notes": list(prepared.notes),
    }


def describe_plan(prepared: Prepared) -> str:
    """Describe a plan in a few lines."""
    record, run = plan_record(prepared), prepared.run
    window = f"window {run.model.window:,} tokens" if run.model.window else "window not known"
    lengths = [format_length(length) for length in run.grid.lengths]
    merged = f" ({record['same_place']} cells share a place)" if record["same_place"] else ""
    money = "price not known"
    if run.model.simulated:
        money = "costs nothing"
    elif record["money"]:
        money = f"at most {record['money']['at_most']:,.2f} {record['money']['currency']}"
    texts = ", ".join(f"{note.name} ({language})" for language, note in run.haystacks.items())
    grid = (
        f"  {len(lengths)} lengths ({_shorten(lengths)} {run.unit}) x "
        f"{len(run.grid.depths)} depths x {' and '.join(_LANGUAGE[x] for x in run.languages)}"
        f" x {_count(run.replicates, 'replicate')}"
    )
    size = (
        f"  {record['trials']:,} trials{merged}: {record['prompt_tokens']:,} tokens in "
        f"({run.tokenizer}), at most {record['reply_tokens_at_most']:,} out; {money}"
    )
    needle = f"  needle {run.needles[run.tasks[0]][run.languages[0]][0].name}, haystack {texts}"
    return "\n".join((f"{run.model.name} at {run.model.endpoint}, {window}", grid, needle, size))


def _shorten(lengths: list[str]) -> str:
    if len(lengths) <= 8:  # noqa: PLR2004 - fits a line
        return ", ".join(lengths)
    return f"{', '.join(lengths[:3])}, ... {lengths[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def describe_recall(heatmap: Heatmap) -> str:
    """Describe a heatmap's recall and what is left out of it, in one line."""
    recall = "no scored reply" if heatmap.recall is None else f"recall {heatmap.recall:.1%}"
    left = ", ".join(f"{count} {verdict}" for verdict, count in heatmap.left_out.items())
    simulated = " (simulated endpoint)" if heatmap.simulated else ""
    if heatmap.imported is not None:
        simulated = f" (imported, {heatmap.imported.format})"
    scorer = "" if heatmap.scorer == "keyword" else f" by {heatmap.judge or heatmap.scorer}"
    return (
        f"{heatmap.model} {_LANGUAGE[heatmap.language]}{simulated}: {recall}{scorer} of "
        f"{heatmap.scored} scored replies; left out: {left or 'none'}"
    )
