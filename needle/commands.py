"""What the commands that run, resume, score and draw do."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from needle.budget import parse_budget
from needle.config import Recipe, read_recipe
from needle.drawing import draw_run
from needle.errors import NeedleError, UsageError, known
from needle.models import find_model
from needle.outcomes import is_settled, settle_states
from needle.prepare import Prepared, prepare, prepare_again
from needle.progress import LiveWatch, PlainWatch
from needle.runner import Ending, carry_out
from needle.store import OUTCOMES, create_run, find_run, load_run, own_run, read_lines
from needle.summary import describe_plan, describe_recall
from needle.types import Heatmap, Language, Model

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
    again: bool,
    faults: str | None,
    yes: bool,
) -> int:
    """Carry out a run for each model; return the exit status."""
    _, ready = prepare_models(config, said)
    for prepared in ready:
        model = prepared.run.model
        find_key(model)
        if budget:
            parse_budget(budget, model.price)
        if faults and not model.simulated:
            raise UsageError(f"{model.name} is not simulated (--faults): use a sim/ model")
    found = [None if again else find_run(out, p.run.model.name, p.run.digest) for p in ready]
    to_pay = [p for p, f in zip(ready, found, strict=True) if _to_pay(p, f)]
    if to_pay and not (yes or budget):
        _ask_leave(to_pay)
        ready = [replace(prepared, notes=()) for prepared in ready]  # they are said
    status = DONE
    for prepared, folder in zip(ready, found, strict=True):
        ended = _run_one(prepared, folder, out, budget, again, faults)
        status = max(status, ended)
        if ended in (STOPPED, INTERRUPTED):
            break
    return status


def _to_pay(prepared: Prepared, folder: Path | None) -> bool:
    """Tell whether a run has trials left that cost money."""
    return not prepared.run.model.simulated and bool(_left(prepared, folder))


def _left(prepared: Prepared, folder: Path | None) -> int:
    states = settle_states(read_lines(folder / OUTCOMES)) if folder else {}
    return sum(not is_settled(states.get(trial.key)) for trial in prepared.plan.trials)


def _ask_leave(to_pay: list[Prepared]) -> None:
    """Ask once, on a terminal, before anything that may cost money is sent."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("this sends requests that may cost money: say --yes, or give a --budget")
    for prepared in to_pay:
        click.echo(describe_plan(prepared), err=True)
        _say_notes(prepared)
    click.confirm("send them?", abort=True, err=True)


def _say_notes(prepared: Prepared) -> None:
    for note in prepared.notes:
        click.echo(f"note: {note}", err=True)


def _run_one(
    prepared: Prepared,
    folder: Path | None,
    out: Path,
    budget: str | None,
    again: bool,
    faults: str | None,
) -> int:
    if folder is not None and not _left(prepared, folder):
        click.echo(f"{folder} is finished; --again would pay for it anew", err=True)
        return _finish(folder, _settled_ending(prepared, folder))
    if folder is None:
        folder = create_run(out, prepared.run, again)
    else:
        click.echo(f"going on with {folder}", err=True)
    with own_run(folder):
        _say_notes(prepared)
        ending = _carry_out(prepared, folder, budget, faults=faults)
        return _finish(folder, ending)


def _settled_ending(prepared: Prepared, folder: Path) -> Ending:
    states = settle_states(read_lines(folder / OUTCOMES))
    failures = sum(states[trial.key].get("failure") is not None for trial in prepared.plan.trials)
    return Ending(len(prepared.plan.trials) - failures, failures, 0, None, interrupted=False)


def resume_run(
    folder: Path, concurrency: int | None, budget: str | None, failed: bool, base_url: str | None
) -> int:
    """Go on with a run folder; return the exit status."""
    run = load_run(folder)
    find_key(run.model)
    with own_run(folder):
        prepared = prepare_again(run)
        if base_url:
            moved = find_model(run.model.name, base_url, run.model.window)
            run_there = replace(run, model=replace(run.model, base_url=moved.base_url))
            prepared = replace(prepared, run=run_there)
        ending = _carry_out(prepared, folder, budget, concurrency, failed)
        return _finish(folder, ending)


def _carry_out(
    prepared: Prepared,
    folder: Path,
    budget: str | None,
    concurrency: int | None = None,
    failed: bool = False,
    faults: str | None = None,
) -> Ending:
    model = prepared.run.model
    cap = parse_budget(budget, model.price) if budget else None
    live = sys.stderr.isatty()
    with _reachable(model, known(prepared.run.seed), faults) as base_url:
        there = replace(prepared.run, model=replace(model, base_url=base_url))
        watch = LiveWatch(there) if live else PlainWatch(there)
        with watch:
            return carry_out(
                replace(prepared, run=there),
                folder,
                find_key(model),
                watch,
                cap,
                concurrency,
                failed,
            )


@contextmanager
def _reachable(model: Model, seed: int, faults: str | None) -> Iterator[str]:
    """Yield the address of a model's endpoint; the simulated one is started for the run."""
    if not model.simulated or model.base_url != find_model(model.name, None, None).base_url:
        yield known(model.base_url)
        return
    from needle.simulator import running

    with running(seed=seed, window=model.window, faults=faults or "") as base_url:
        yield base_url


def find_key(model: Model) -> str | None:
    """Return a model's API key from its variable; raise UsageError if it is not set."""
    if model.key_variable is None:
        return None
    key = os.environ.get(model.key_variable, "").strip()
    if not key and model.known:
        raise UsageError(
            f"{model.key_variable} is not set: export {model.key_variable}=... with your key for "
            f"{model.name} ({model.vendor})"
        )
    return key or None


def _finish(folder: Path, ending: Ending) -> int:
    """Draw what there is, say how it ended, and return the exit status."""
    early = ending.interrupted or ending.stopped is not None
    if ending.replies or ending.failures:
        try:
            print_drawn(*draw_run(folder))
        except NeedleError as error:
            if not early:
                raise
            click.echo(f"note: {error}", err=True)  # why it stopped is what the user must read
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


def print_drawn(
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


def show_plans(config: Path | None, said: Mapping[str, Any], as_json: bool) -> int:
    """Print each model's plan; nothing is sent."""
    import json

    from needle.summary import plan_record

    _, ready = prepare_models(config, said)
    if as_json:
        click.echo(json.dumps([plan_record(p) for p in ready], ensure_ascii=False, indent=1))
        return DONE
    for prepared in ready:
        click.echo(describe_plan(prepared))
        for note in prepared.notes:
            click.echo(f"note: {note}")
    return DONE


def draw_again(folders: tuple[Path, ...], labels: str | None, scorer: str | None) -> int:
    """Draw the figures of run folders anew, by their primary scorer or the one named."""
    for folder in folders:
        load_run(folder)
        language: Language | None = "zh" if labels == "zh" else "en" if labels == "en" else None
        drawn, heatmaps = draw_run(folder, language, scorer)
        print_drawn(drawn, heatmaps, language)
    return DONE


def print_table(folder: Path, form: str, output: Path | None) -> int:
    """Print or write a run's tidy table."""
    from needle.tables import write_table

    load_run(folder)
    text = write_table(folder, form, output)
    if text is not None:
        click.echo(text, nl=False)
    return DONE
