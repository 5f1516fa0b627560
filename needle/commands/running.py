"""What the commands that run, resume, score and draw do."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from needle.asking.batches import find_waiting
from needle.asking.budget import Budget, Rates, convert, parse_budget, parse_rates
from needle.commands.closing import INTERRUPTED, STOPPED, finish
from needle.commands.showing import DONE
from needle.edges.config import Card, Recipe, read_recipe
from needle.edges.credentials import find_key
from needle.edges.models import find_model
from needle.edges.store import (
    OUTCOMES,
    create_run,
    find_run,
    load_run,
    own_run,
    read_batches,
    read_lines,
    rewrite_run,
)
from needle.runs.ahead import count_left, divide, look_ahead
from needle.runs.asked import choose_limits, refuse_beyond_limits
from needle.runs.judging import Judged, judge_replies
from needle.runs.loading import load
from needle.runs.marking import (
    describe_judging_ahead,
    name_scorers,
    plan_run_judging,
    score_stored,
)
from needle.runs.prepare import (
    Prepared,
    prepare,
    prepare_again,
    with_ratio,
)
from needle.runs.probing import calibrate, fit_from_earlier, is_assumed
from needle.runs.progress import JudgeProgress, LiveWatch, PlainWatch, show_whole
from needle.runs.runner import Ending, Orders, carry_out, conclude, count_spent
from needle.runs.settled import conclude_settled
from needle.runs.summary import describe_fit, describe_plan
from needle.scoring.scorers import KEYWORD
from needle.words.errors import UsageError, known
from needle.words.types import Model, Run


def prepare_models(config: Path | None, said: Mapping[str, Any]) -> tuple[Recipe, list[Prepared]]:
    """Prepare a run for each model asked for, so that every error comes before any request."""
    recipe = read_recipe(config, said)
    if not recipe.model:
        raise UsageError("which model? (--model): needle models lists those known")
    told = "language" in said
    today = datetime.now(UTC).astimezone().date().isoformat()
    return recipe, [prepare(recipe, told, name, today) for name in dict.fromkeys(recipe.model)]


def make_runs(
    config: Path | None,
    said: Mapping[str, Any],
    out: Path,
    budget: str | None,
    rate: tuple[str, ...],
    again: bool,
    faults: str | None,
    yes: bool,
) -> tuple[int, list[tuple[Path, Ending]]]:
    """Carry out a run for each model; return the exit status, and each folder with its ending."""
    recipe, ready = prepare_models(config, said)
    if not again:
        ready = [fit_from_earlier(prepared, out) for prepared in ready]
    whole = parse_budget(budget) if budget else None
    rates = parse_rates(rate)
    for prepared in ready:
        check_askable(prepared.run, whole, rates, faults)
    found = [None if again else find_run(out, p.run.model.name, p.run.digest) for p in ready]
    to_pay = [p for p, f in zip(ready, found, strict=True) if has_to_pay(p, f)]
    if to_pay and not (yes or budget):
        ask_leave(to_pay, recipe.card)
        ready = [replace(prepared, notes=()) for prepared in ready]  # they are said
    status, left = DONE, whole
    everything: list[tuple[Path, Ending]] = []
    for number, (prepared, folder) in enumerate(zip(ready, found, strict=True)):
        model = prepared.run.model
        cap = convert(left, model.price, rates, model.name) if left is not None else None
        own = divide(cap, prepared, len(ready) - number)
        orders = Orders(own, limits=prepared.run.limits, concurrency=prepared.run.concurrency)
        made, ending = _run_one(prepared, folder, out, orders, again, faults)
        everything.append((made, ending))
        left = _spend(left, cap, ending.spent)  # one budget is for all of them together
        judged = None
        if is_whole(ending):
            judge = prepared.run.judge
            cap = convert(left, judge.price, rates, judge.name) if judge and left else None
            judged = judge_run(made, prepared.run, cap)
            left = _spend(left, cap, judged.spent if judged else 0.0)
        ended = finish(load(made), ending, judged)
        status = max(status, ended)
        if ended in (STOPPED, INTERRUPTED):
            break
    return status, everything


def check_askable(run: Run, whole: Budget | None, rates: Rates, faults: str | None) -> None:
    """Raise UsageError where a run's model or judge has no key, or the budget means nothing."""
    for asked in (run.model, run.judge):
        if asked is None:
            continue
        find_key(asked)
        if whole is not None:
            convert(whole, asked.price, rates, asked.name)
    if faults and not run.model.simulated:
        raise UsageError(f"{run.model.name} is not simulated (--faults): use a sim/ model")


def _spend(left: Budget | None, cap: Budget | None, spent: float) -> Budget | None:
    """Return what is left of a budget; ``cap`` is the same one in what ``spent`` is in."""
    if left is None or cap is None:
        return left
    share = 1 - spent / cap.amount if cap.amount else 0.0
    return Budget(max(left.amount * share, 0.0), left.of)


def is_whole(ending: Ending) -> bool:
    """Tell whether a run has come to its end, so that its replies can be judged."""
    early = ending.interrupted or ending.stopped is not None
    return bool(ending.replies) and not (early or ending.waiting)


def judge_run(folder: Path, asked: Run, cap: Budget | None) -> Judged | None:
    """Judge the replies of a run that asks for it; a finished run takes on scorers asked now."""
    run = load_run(folder)
    if asked.scorers not in (run.scorers, (KEYWORD,)):
        run = name_scorers(run, asked.scorers, asked.judge)
        rewrite_run(folder, run)
        score_stored(folder, run.scorers, run.needles)
    if asked.judge is None or run.judge is None:
        return None
    with own_run(folder):
        plan = plan_run_judging(folder, run, run.needles)
        watch = JudgeProgress(len(plan.cases))
        return judge_replies(plan, folder, find_key(run.judge), cap, watch=watch)


def has_to_pay(prepared: Prepared, folder: Path | None) -> bool:
    """Tell whether a run has trials left that cost money, or replies to be judged."""
    if not prepared.run.model.simulated and count_left(prepared, folder):
        return True
    if prepared.run.judge is None:
        return False
    if folder is None or count_left(prepared, folder):
        return True
    there = load_run(folder)
    run = name_scorers(there, prepared.run.scorers, prepared.run.judge)
    return bool(plan_run_judging(folder, run, run.needles).cases)


def ask_leave(to_pay: list[Prepared], card: Card | None, besides: str | None = None) -> None:
    """Ask once, on a terminal, before anything that may cost money is sent.

    ``besides`` is what else is said before it is asked.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("this sends requests that may cost money: say --yes, or give a --budget")
    for prepared in to_pay:
        click.echo(describe_plan(prepared, card), err=True)
        say_judging(prepared, err=True)
        say_notes(prepared)
    if besides:
        click.echo(besides, err=True)
    click.confirm("send them?", abort=True, err=True)


def say_judging(prepared: Prepared, err: bool) -> None:
    """Say what judging a run would take, where it asks for that."""
    line = describe_judging_ahead(prepared)
    if line is not None:
        click.echo(f"  {line}", err=err)


def say_notes(prepared: Prepared) -> None:
    """Say what the user should know of a run before it is carried out."""
    for note in prepared.notes:
        click.echo(f"note: {note}", err=True)


def _run_one(
    prepared: Prepared,
    folder: Path | None,
    out: Path,
    orders: Orders,
    again: bool,
    faults: str | None,
) -> tuple[Path, Ending]:
    """Carry out one model's run; return its folder and how it ended."""
    if folder is not None and not count_left(prepared, folder, orders.budget):
        ending = settled_ending(prepared, folder, orders)
        if not (ending.waiting or ending.ended):
            click.echo(f"{folder} is finished; --again would pay for it anew", err=True)
        return folder, ending
    if folder is None:
        if is_assumed(prepared.run):
            prepared = ask_ratio(prepared, orders, faults)
        folder = create_run(out, prepared.run, again)
    else:
        click.echo(f"going on with {folder}", err=True)
    with own_run(folder):
        say_notes(prepared)
        return folder, _carry_out(prepared, folder, orders, faults)


def settled_ending(prepared: Prepared, folder: Path, orders: Orders) -> Ending:
    """Return how a run stands that has nothing left to ask."""
    waiting = find_waiting(read_batches(folder).values())
    lines = list(read_lines(folder / OUTCOMES))
    purse = count_spent(prepared, orders.budget, lines, waiting)
    ended = look_ahead(prepared, folder, lines, orders.budget).ended
    spent = purse.spent + purse.set_aside
    return replace(conclude(prepared, folder, waiting, spent), ended=ended)


def resume_run(
    folder: Path,
    said: Mapping[str, Any],
    concurrency: int | None,
    budget: str | None,
    rate: tuple[str, ...],
    failed: bool,
    batched: bool,
    base_url: str | None,
) -> int:
    """Go on with a run folder; return the exit status. ``said`` may hold other limits."""
    run = load_run(folder)
    find_key(run.model)
    left, rates = parse_budget(budget) if budget else None, parse_rates(rate)
    cap = convert(left, run.model.price, rates, run.model.name) if left else None
    limits = choose_limits(read_recipe(None, said), run.model) or run.limits
    settled = None
    with own_run(folder):
        if cap is None:
            settled = conclude_settled(run, folder, failed)
        if settled is None:
            prepared = prepare_again(run)
            refuse_beyond_limits(prepared.plan, known(run.reply_tokens), limits)
            if base_url:
                moved = find_model(run.model.name, base_url, run.model.window)
                run_there = replace(run, model=replace(run.model, base_url=moved.base_url))
                prepared = replace(prepared, run=run_there)
            orders = Orders(cap, concurrency, limits, failed, batched)
            ending, states = _carry_out(prepared, folder, orders), None
        else:
            ending, states = settled
    left = _spend(left, cap, ending.spent)
    judge = run.judge
    cap = convert(left, judge.price, rates, judge.name) if judge and left else None
    judged = judge_run(folder, run, cap) if is_whole(ending) else None
    loaded = load(folder, states=states)
    if settled is not None and sys.stderr.isatty():
        show_whole(loaded)
    return finish(loaded, ending, judged)


def _carry_out(
    prepared: Prepared, folder: Path, orders: Orders, faults: str | None = None
) -> Ending:
    model = prepared.run.model
    live = sys.stderr.isatty()
    with reachable(model, known(prepared.run.seed), faults) as base_url:
        there = replace(prepared.run, model=replace(model, base_url=base_url))
        watch = LiveWatch(there) if live else PlainWatch(there)
        with watch:
            return carry_out(replace(prepared, run=there), folder, find_key(model), watch, orders)


def ask_ratio(prepared: Prepared, orders: Orders, faults: str | None) -> Prepared:
    """Ask a run's endpoint how it counts, and fit the run to that."""
    run = prepared.run
    _say(f"asking {run.model.name} how it counts")
    with reachable(run.model, known(run.seed), faults) as base_url:
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
        yield known(model.base_url)
        return
    from needle.runs.simulator import running

    with running(
        seed=seed, window=model.window, faults=faults or "", cache=model.cache.name
    ) as base_url:
        yield base_url
