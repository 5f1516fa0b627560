"""What ``needle sweep`` does: many runs side by side, from one file."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import click

from needle.asking.budget import Purse, parse_budget, parse_rates
from needle.commands.closing import INTERRUPTED, finish
from needle.commands.options import DEFAULT_OUT
from needle.commands.planning import show_plan
from needle.commands.running import (
    ask_leave,
    ask_ratio,
    check_askable,
    has_to_pay,
    is_whole,
    judge_run,
    reachable,
    say_notes,
    settled_ending,
)
from needle.commands.showing import DONE
from needle.commands.versus import print_long_table
from needle.edges.credentials import find_key
from needle.edges.store import create_run, find_run, own_run
from needle.edges.sweepfile import Entry, Sweep, read_sweep
from needle.runs.ahead import count_left
from needle.runs.beside import OpenSender, send_here
from needle.runs.board import Board
from needle.runs.contest import stand_alone
from needle.runs.judging import Judged
from needle.runs.loading import load
from needle.runs.prepare import Prepared, prepare
from needle.runs.probing import fit_from_earlier, is_assumed
from needle.runs.runner import Ending, Orders
from needle.runs.summary import describe_all
from needle.runs.together import Account, Endpoint, Member, carry_out_all, find_endpoints
from needle.statistics.standings import Standing
from needle.words.errors import NeedleError, UsageError, known


@dataclass(frozen=True, slots=True)
class Workers:
    """Who is to ask: this process, or so many workers of a Ray cluster at an address."""

    engine: str = "local"
    number: int | None = None
    address: str | None = None


@dataclass(slots=True)
class _Run:
    """One run of a sweep, from its plan to how it ended."""

    entry: Entry
    prepared: Prepared
    endpoint: Endpoint
    folder: Path | None
    name: str
    purse: Purse | None = None
    judging: Purse | None = None
    ended: Ending | NeedleError | None = None
    standings: list[Standing] = field(default_factory=list)


def run_sweep(
    file: Path,
    out: Path,
    budget: str | None,
    rate: tuple[str, ...],
    only_plan: bool,
    yes: bool,
    workers: Workers,
) -> int:
    """Carry out all runs of a sweep's file; return the exit status."""
    _check_workers(workers)
    sweep = read_sweep(file)
    runs = _prepare_runs(sweep, out)
    ready = [run.prepared for run in runs]
    amount = budget or sweep.budget
    whole = parse_budget(amount) if amount else None
    account = Account(whole, parse_rates((*sweep.rate, *rate)), len(runs))
    if only_plan:
        for run in runs:
            show_plan(run.prepared, run.entry.recipe.card)
        click.echo(describe_all(ready))
        return DONE
    for prepared in ready:
        check_askable(prepared.run, whole, account.rates, None)
    to_pay = [run.prepared for run in runs if has_to_pay(run.prepared, run.folder)]
    if to_pay and not (yes or budget):
        ask_leave(to_pay, None, describe_all(to_pay))
        for run in runs:
            run.prepared = replace(run.prepared, notes=())  # they are said
    _ask(runs, account, out, workers)
    elsewhere = "" if out == DEFAULT_OUT else f" --out {shlex.quote(str(out))}"
    return _finish(runs, account, f"needle sweep {shlex.quote(str(file))}{elsewhere}")


def _prepare_runs(sweep: Sweep, out: Path) -> list[_Run]:
    """Prepare each run, so that every error comes before any request."""
    today = datetime.now(UTC).astimezone().date().isoformat()
    entries = sweep.entries
    ready = [fit_from_earlier(_prepare(entry, today), out) for entry in entries]
    digests: dict[tuple[str, str], str] = {}
    for entry, prepared in zip(entries, ready, strict=True):
        named = (prepared.run.model.name, prepared.run.digest)
        if named in digests:
            raise UsageError(
                f"the same run twice ({digests[named]} and {entry.place}): take one out"
            )
        digests[named] = entry.place
    endpoints = find_endpoints(
        ready, [entry.apart for entry in entries], [entry.place for entry in entries]
    )
    often = Counter(entry.model for entry in entries)
    return [
        _Run(
            entry,
            prepared,
            endpoint,
            find_run(out, entry.model, prepared.run.digest),
            entry.model if often[entry.model] == 1 else f"{entry.model} {prepared.run.digest[:8]}",
        )
        for entry, prepared, endpoint in zip(entries, ready, endpoints, strict=True)
    ]


def _prepare(entry: Entry, today: str) -> Prepared:
    try:
        prepared = prepare(entry.recipe, entry.told, entry.model, today)
    except UsageError as error:
        raise UsageError(f"{error} ({entry.place})") from error
    if entry.key is None:
        return prepared
    model = replace(prepared.run.model, key_variable=entry.key)
    return replace(prepared, run=replace(prepared.run, model=model))


def _ask(runs: Sequence[_Run], account: Account, out: Path, workers: Workers) -> None:
    """Ask what is left of all runs, side by side."""
    for run in runs:
        run.purse = account.open_purse(run.prepared, run.folder)
        run.judging = account.open_judging(run.prepared, run.folder)
    with ExitStack() as stack:
        board = Board()
        addresses: dict[object, str] = {}
        members = []
        for run in runs:
            try:
                member = _begin(run, account, out, stack, board, addresses)
            except NeedleError as error:
                run.ended = error
                continue
            if member is not None:
                members.append((run, member))
        if not members:
            return
        with _at_work(workers) as open_sender, board:
            endings = carry_out_all([m for _, m in members], open_sender, account, board.say)
        for (run, _), ending in zip(members, endings, strict=True):
            run.ended = ending


def _begin(
    run: _Run,
    account: Account,
    out: Path,
    stack: ExitStack,
    board: Board,
    addresses: dict[object, str],
) -> Member | None:
    """Make or find a run's folder, and hold it; None where nothing is left to ask."""
    purse = known(run.purse)
    if run.folder is not None and not count_left(run.prepared, run.folder, purse.budget):
        run.ended = settled_ending(run.prepared, run.folder, Orders(purse.budget))
        if not (run.ended.waiting or run.ended.ended):
            click.echo(f"{run.folder} is finished", err=True)
        return None
    if run.folder is None:
        if is_assumed(run.prepared.run):
            orders = Orders(account.leave_for(purse))
            run.prepared = ask_ratio(run.prepared, orders, None)
            account.pool.free(purse)  # what was asked is paid for out of the one that follows
            run.purse = purse = account.open_purse(run.prepared, None)
        run.folder = create_run(out, run.prepared.run)
    else:
        click.echo(f"going on with {run.folder}", err=True)
    stack.enter_context(own_run(run.folder))
    say_notes(run.prepared)
    there = run.prepared.run
    model, name = there.model, run.endpoint.name
    if name not in addresses:  # runs at one endpoint share it, the simulated one too
        addresses[name] = stack.enter_context(reachable(model, known(there.seed), None))
    there = replace(there, model=replace(model, base_url=addresses[name]))
    return Member(
        replace(run.prepared, run=there),
        run.folder,
        find_key(model),
        board.add_row(run.name, there),
        purse,
        run.endpoint,
    )


def _check_workers(workers: Workers) -> None:
    """Raise UsageError for what an engine can't do, before anything else is."""
    if workers.engine == "local":
        if workers.number is not None or workers.address is not None:
            raise UsageError("--workers and --address are for a cluster: say --engine ray")
        return
    from needle.runs.cluster import require_ray

    require_ray(workers.address)


@contextmanager
def _at_work(workers: Workers) -> Iterator[OpenSender]:
    """Yield what opens a run's sender, here or on a cluster, whose workers are ended afterwards."""
    if workers.engine == "local":
        yield send_here
        return
    from needle.runs.cluster import working

    with working(workers.address, workers.number) as open_sender:
        yield open_sender


def _finish(runs: Sequence[_Run], account: Account, again: str) -> int:
    """Judge, draw and say how each run ended, then show all in one table."""
    statuses = []
    for run in runs:
        try:
            statuses.append(_finish_one(run, account, judge=INTERRUPTED not in statuses))
        except NeedleError as error:
            click.echo(f"needle: {run.name}: {' '.join(str(error).split())}", err=True)
            statuses.append(error.exit_status)
    standings = [each for run in runs for each in run.standings]
    if standings:
        print_long_table(standings, "en")
    unfinished = sum(status >= UsageError.exit_status for status in statuses)
    if unfinished:
        click.echo(
            f"needle: {unfinished} of {len(runs)} runs are not finished; go on with: {again}",
            err=True,
        )
    return max(statuses)


def _finish_one(run: _Run, account: Account, *, judge: bool) -> int:
    ending, judged = run.ended, None
    if not isinstance(ending, Ending) or run.folder is None:
        raise ending if isinstance(ending, NeedleError) else UsageError("it was not begun")
    if judge and is_whole(ending):
        cap = account.leave_for(run.judging) if run.judging is not None else None
        judged = judge_run(run.folder, run.prepared.run, cap)
        _pay(run, judged)
    loaded = load(run.folder)
    if ending.replies or ending.failures:
        run.standings = stand_alone(loaded)
    return finish(loaded, ending, judged)


def _pay(run: _Run, judged: Judged | None) -> None:
    if run.judging is not None and judged is not None:
        run.judging.spent = judged.spent
