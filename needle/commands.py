"""What the commands that run, resume, score and draw do."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from needle.budget import Budget, convert, parse_budget, parse_rates
from needle.config import Card, Recipe, draw_needles, load_needle_source, read_recipe
from needle.credentials import find_key
from needle.drawing import draw_run
from needle.errors import NeedleError, UsageError
from needle.models import find_model
from needle.outcomes import is_settled, read_result, settle_states
from needle.prepare import (
    Prepared,
    choose_limits,
    prepare,
    prepare_again,
    refuse_beyond_limits,
    with_ratio,
)
from needle.probing import calibrate, fit_from_earlier, is_assumed
from needle.progress import LiveWatch, PlainWatch
from needle.runner import Ending, Orders, carry_out, count_spent
from needle.scoring import KEYWORD, score_keyword
from needle.store import (
    OUTCOMES,
    create_run,
    find_run,
    load_run,
    own_run,
    read_lines,
    read_scores,
    score_line,
    write_scores,
)
from needle.summary import describe_counts, describe_fit, describe_plan, describe_recall
from needle.types import Heatmap, Language, Model, Needle, Run

DONE, SOME_FAILED, STOPPED, INTERRUPTED = 0, 1, 3, 130


def prepare_models(config: Path | None, said: Mapping[str, Any]) -> tuple[Recipe, list[Prepared]]:
    """Prepare a run for each model asked for, so that every error comes before any request."""
    recipe = read_recipe(config, said)
    if not recipe.model:
        raise UsageError("which model? (--model): needle models lists those known")
    told = "language" in said
    today = datetime.now(UTC).astimezone().date().isoformat()
    return recipe, [prepare(recipe, told, name, today) for name in dict.fromkeys(recipe.model)]


def run_models(
    config: Path | None,
    said: Mapping[str, Any],
    out: Path,
    budget: str | None,
    rate: tuple[str, ...],
    again: bool,
    faults: str | None,
    yes: bool,
) -> int:
    """Carry out a run for each model; return the exit status."""
    recipe, ready = prepare_models(config, said)
    if not again:
        ready = [fit_from_earlier(prepared, out) for prepared in ready]
    whole = parse_budget(budget) if budget else None
    rates = parse_rates(rate)
    for prepared in ready:
        model = prepared.run.model
        find_key(model)
        if whole is not None:
            convert(whole, model.price, rates, model.name)
        if faults and not model.simulated:
            raise UsageError(f"{model.name} is not simulated (--faults): use a sim/ model")
    found = [None if again else find_run(out, p.run.model.name, p.run.digest) for p in ready]
    to_pay = [p for p, f in zip(ready, found, strict=True) if _to_pay(p, f)]
    if to_pay and not (yes or budget):
        _ask_leave(to_pay, recipe.card)
        ready = [replace(prepared, notes=()) for prepared in ready]  # they are said
    status, left = DONE, whole
    for prepared, folder in zip(ready, found, strict=True):
        model = prepared.run.model
        cap = convert(left, model.price, rates, model.name) if left is not None else None
        orders = Orders(cap, limits=prepared.run.limits, concurrency=prepared.run.concurrency)
        ended, spent = _run_one(prepared, folder, out, orders, again, faults)
        status = max(status, ended)
        if ended in (STOPPED, INTERRUPTED):
            break
        if left is not None and cap is not None:  # one budget is for all of them together
            share = 1 - spent / cap.amount if cap.amount else 0.0
            left = Budget(max(left.amount * share, 0.0), left.of)
    return status


def _to_pay(prepared: Prepared, folder: Path | None) -> bool:
    """Tell whether a run has trials left that cost money."""
    return not prepared.run.model.simulated and bool(_left(prepared, folder))


def _left(prepared: Prepared, folder: Path | None) -> int:
    states = settle_states(read_lines(folder / OUTCOMES)) if folder else {}
    return sum(not is_settled(states.get(trial.key)) for trial in prepared.plan.trials)


def _ask_leave(to_pay: list[Prepared], card: Card | None) -> None:
    """Ask once, on a terminal, before anything that may cost money is sent."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("this sends requests that may cost money: say --yes, or give a --budget")
    for prepared in to_pay:
        click.echo(describe_plan(prepared, card), err=True)
        _say_notes(prepared)
    click.confirm("send them?", abort=True, err=True)


def _say_notes(prepared: Prepared) -> None:
    for note in prepared.notes:
        click.echo(f"note: {note}", err=True)


def _run_one(
    prepared: Prepared,
    folder: Path | None,
    out: Path,
    orders: Orders,
    again: bool,
    faults: str | None,
) -> tuple[int, float]:
    """Carry out one model's run; return the exit status and what it has spent in all."""
    if folder is not None and not _left(prepared, folder):
        click.echo(f"{folder} is finished; --again would pay for it anew", err=True)
        ending = _settled_ending(prepared, folder, orders)
        return _finish(folder, ending), ending.spent
    if folder is None:
        if is_assumed(prepared.run):
            prepared = _ask_ratio(prepared, orders, faults)
        folder = create_run(out, prepared.run, again)
    else:
        click.echo(f"going on with {folder}", err=True)
    with own_run(folder):
        _say_notes(prepared)
        ending = _carry_out(prepared, folder, orders, faults)
        return _finish(folder, ending), ending.spent


def _settled_ending(prepared: Prepared, folder: Path, orders: Orders) -> Ending:
    lines = list(read_lines(folder / OUTCOMES))
    states = settle_states(lines)
    failures = sum(states[trial.key].get("failure") is not None for trial in prepared.plan.trials)
    return Ending(
        replies=len(prepared.plan.trials) - failures,
        failures=failures,
        not_run=0,
        stopped=None,
        interrupted=False,
        spent=count_spent(prepared, orders.budget, lines).spent,
    )


def resume_run(
    folder: Path,
    said: Mapping[str, Any],
    concurrency: int | None,
    budget: str | None,
    rate: tuple[str, ...],
    failed: bool,
    base_url: str | None,
) -> int:
    """Go on with a run folder; return the exit status. ``said`` may hold other limits."""
    run = load_run(folder)
    find_key(run.model)
    cap = parse_budget(budget) if budget else None
    if cap is not None:
        cap = convert(cap, run.model.price, parse_rates(rate), run.model.name)
    limits = choose_limits(read_recipe(None, said), run.model) or run.limits
    with own_run(folder):
        prepared = prepare_again(run)
        refuse_beyond_limits(prepared.plan, run.reply_tokens, limits)
        if base_url:
            moved = find_model(run.model.name, base_url, run.model.window)
            run_there = replace(run, model=replace(run.model, base_url=moved.base_url))
            prepared = replace(prepared, run=run_there)
        ending = _carry_out(prepared, folder, Orders(cap, concurrency, limits, failed))
        return _finish(folder, ending)


def _carry_out(
    prepared: Prepared, folder: Path, orders: Orders, faults: str | None = None
) -> Ending:
    model = prepared.run.model
    live = sys.stderr.isatty()
    with reachable(model, prepared.run.seed, faults) as base_url:
        there = replace(prepared.run, model=replace(model, base_url=base_url))
        watch = LiveWatch(there) if live else PlainWatch(there)
        with watch:
            return carry_out(replace(prepared, run=there), folder, find_key(model), watch, orders)


def _ask_ratio(prepared: Prepared, orders: Orders, faults: str | None) -> Prepared:
    """Ask a run's endpoint how it counts, and fit the run to that."""
    run = prepared.run
    _say(f"asking {run.model.name} how it counts")
    with reachable(run.model, run.seed, faults) as base_url:
        there = replace(run, model=replace(run.model, base_url=base_url))
        ratio = calibrate(replace(prepared, run=there), find_key(run.model), orders.budget, _say)
    fitted = with_ratio(prepared, ratio)
    _say(describe_fit(fitted.run) or "")
    return fitted


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


@contextmanager
def reachable(model: Model, seed: int, faults: str | None) -> Iterator[str]:
    """Yield the address of a model's endpoint; the simulated one is started for the run."""
    if not model.simulated or model.base_url != find_model(model.name, None, None).base_url:
        yield model.base_url
        return
    from needle.simulator import running

    with running(seed=seed, window=model.window, faults=faults or "") as base_url:
        yield base_url


def _finish(folder: Path, ending: Ending) -> int:
    """Draw what there is, say how it ended, and return the exit status."""
    early = ending.interrupted or ending.stopped is not None
    if ending.replies or ending.failures:
        try:
            _print_drawn(*draw_run(folder))
        except NeedleError as error:
            if not early:
                raise
            click.echo(f"note: {error}", err=True)  # why it stopped is what the user must read
    counts = describe_counts(
        load_run(folder), settle_states(read_lines(folder / OUTCOMES)).values()
    )
    if counts:
        click.echo(counts, err=True)
    left = f"{ending.replies} replies, {ending.failures} failed, {ending.not_run} not run"
    click.echo(f"{folder}: {left}", err=True)
    if early:
        why = f"{' '.join(str(ending.stopped).split())}; " if ending.stopped else ""
        click.echo(f"needle: {why}go on with: needle resume {folder}", err=True)
        return INTERRUPTED if ending.interrupted else STOPPED
    if ending.failures or ending.not_run:
        click.echo(
            f"ask the failed ones again with: needle resume {folder} "
            f"(--failed for those that can't pass by themselves, too)",
            err=True,
        )
        return SOME_FAILED
    return DONE


def _print_drawn(
    drawn: list[Path], heatmaps: list[Heatmap], labels: Language | None = None
) -> None:
    from needle.fonts import chinese_font_advice

    for heatmap in heatmaps:
        click.echo(describe_recall(heatmap))
    for path in drawn:
        click.echo(str(path))
    advice = chinese_font_advice()
    if advice and any((labels or heatmap.language) == "zh" for heatmap in heatmaps):
        click.echo(f"note: {advice}", err=True)


def show_plans(config: Path | None, said: Mapping[str, Any], as_json: bool, out: Path) -> int:
    """Print each model's plan; nothing is sent."""
    import json

    from needle.summary import plan_record

    recipe, ready = prepare_models(config, said)
    ready = [fit_from_earlier(prepared, out) for prepared in ready]
    if as_json:
        records = [plan_record(prepared, recipe.card) for prepared in ready]
        click.echo(json.dumps(records, ensure_ascii=False, indent=1))
        return DONE
    for prepared in ready:
        click.echo(describe_plan(prepared, recipe.card))
        for note in prepared.notes:
            click.echo(f"note: {note}")
    return DONE


def score_again(folder: Path, needle: str | None) -> int:
    """Score every stored outcome anew, without a call; only what changed is appended."""
    run = load_run(folder)
    needles = run.needles
    if needle:
        needles = _needles_now(run, needle)
    with own_run(folder):
        known = read_scores(folder)
        fresh = []
        for trial, line in settle_states(read_lines(folder / OUTCOMES)).items():
            asked = needles[line["task"]][line["language"]][line["replicate"]]
            score = score_keyword(trial, asked, read_result(line))
            if known.get((trial, KEYWORD)) != score_line(score):
                fresh.append(score)
        write_scores(folder, fresh)
        click.echo(f"{len(fresh)} scores changed", err=True)
        drawn, heatmaps = draw_run(folder)
    _print_drawn(drawn, heatmaps)
    return DONE


def _needles_now(run: Run, needle: str) -> dict[str, dict[Language, tuple[Needle, ...]]]:
    """Return a run's needles with the accepted answers that their file has now."""
    source = load_needle_source(needle)
    if source.task not in run.needles:
        raise UsageError(
            f"{needle} is of the task {source.task}, which {run.run_id} did not ask (--needle)"
        )
    needles: dict[Language, tuple[Needle, ...]] = {}
    for language in run.languages:
        now = draw_needles(source, language, run.seed, run.replicates)
        for before, after in zip(run.needles[source.task][language], now, strict=True):
            if (before.facts, before.question) != (after.facts, after.question):
                raise UsageError(
                    f"{needle} asks something else than {run.run_id} did (--needle): "
                    f"only its answers may differ"
                )
        needles[language] = now
    return {**run.needles, source.task: needles}


def draw_again(folders: tuple[Path, ...], labels: str | None) -> int:
    """Draw the figures of run folders anew."""
    for folder in folders:
        load_run(folder)
        language: Language | None = "zh" if labels == "zh" else "en" if labels == "en" else None
        drawn, heatmaps = draw_run(folder, language)
        _print_drawn(drawn, heatmaps, language)
    return DONE


def print_table(folder: Path, form: str, output: Path | None) -> int:
    """Print or write a run's tidy table."""
    from needle.tables import write_table

    load_run(folder)
    text = write_table(folder, form, output)
    if text is not None:
        click.echo(text, nl=False)
    return DONE
