"""Many runs side by side: one gate an endpoint, one budget for all, one process that stores.

Runs of different endpoints don't wait for each other; those of one endpoint take turns at its
gate. What ends one of them, such as a wrong key, does not end the others.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from needle.asking.batches import find_waiting
from needle.asking.budget import Budget, Pool, Purse, Rates, convert
from needle.edges.store import OUTCOMES, read_batches, read_lines
from needle.runs.ahead import divide
from needle.runs.asked import refuse_beyond_limits
from needle.runs.beside import Beside, Flights, OpenSender
from needle.runs.gate import Gate
from needle.runs.judging import count_spent as count_judged
from needle.runs.prepare import Prepared
from needle.runs.runner import Ending, Orders, Watch, carry_on, conclude, count_spent
from needle.runs.sending import open_gate
from needle.runs.stopping import Stop, catch_signals
from needle.words.errors import NeedleError, known
from needle.words.tariffs import Limits
from needle.words.types import Run


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What runs share that ask at one endpoint: its strictest limits, and requests at once."""

    name: Hashable
    limits: Limits | None
    concurrency: int


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a sweep, ready to be carried out in a folder that this process owns."""

    prepared: Prepared
    folder: Path
    key: str | None
    watch: Watch
    purse: Purse
    endpoint: Endpoint


def find_endpoints(
    ready: Sequence[Prepared], apart: Sequence[bool], places: Sequence[str]
) -> list[Endpoint]:
    """Return the endpoint of each run: one for those of one address and key, unless kept apart.

    Its limits are the strictest that any of its runs names. Raises UsageError for a run with a
    request beyond them; ``places`` say where each run stands in the sweep's file.
    """
    names = [
        (_name_endpoint(prepared.run), number if alone else None)
        for number, (prepared, alone) in enumerate(zip(ready, apart, strict=True))
    ]
    endpoints = []
    for prepared, name, place in zip(ready, names, places, strict=True):
        runs = [other.run for other, known_as in zip(ready, names, strict=True) if known_as == name]
        limits = _join_limits([run.limits for run in runs if run.limits is not None])
        try:
            refuse_beyond_limits(prepared.plan, known(prepared.run.reply_tokens), limits)
        except NeedleError as error:
            raise type(error)(f"{error} ({place})") from error
        most = max(known(run.concurrency) for run in runs)
        endpoints.append(Endpoint(name, limits, most))
    return endpoints


def _name_endpoint(run: Run) -> Hashable:
    """Return what tells an endpoint and the account there from others."""
    model = run.model
    if model.simulated:
        return (model.base_url, run.seed, model.window, model.cache.name)
    return (model.base_url, model.key_variable)


def _join_limits(limits: Sequence[Limits]) -> Limits | None:
    """Return the strictest of limits; None without any."""

    def least(values: Iterable[int | None]) -> int | None:
        return min((value for value in values if value is not None), default=None)

    if not limits:
        return None
    return Limits(
        least(each.concurrency for each in limits),
        least(each.requests_a_minute for each in limits),
        least(each.tokens_a_minute for each in limits),
        least(each.tokens_a_day for each in limits),
    )


class Account:
    """One budget for a sweep: a purse for each run, and one for what its replies' judge takes."""

    def __init__(self, whole: Budget | None, rates: Rates, runs: int) -> None:
        """Open it for so many runs; without a budget everything may be spent."""
        self.whole, self.rates, self.runs = whole, rates, runs
        self.pool = Pool()

    def open_purse(self, prepared: Prepared, folder: Path | None) -> Purse:
        """Return a run's purse, out of which what it has cost so far is paid.

        An adaptive run would take all that is left, so an even share is kept for it.
        """
        model = prepared.run.model
        lines = list(read_lines(folder / OUTCOMES)) if folder else []
        waiting = find_waiting(read_batches(folder).values()) if folder else ()
        if self.whole is None:
            return count_spent(prepared, None, lines, waiting)
        cap = convert(self.whole, model.price, self.rates, model.name)
        purse = count_spent(prepared, divide(cap, prepared, self.runs), lines, waiting)
        self.pool.join(purse, cap, kept=prepared.run.adaptive)
        return purse

    def open_judging(self, prepared: Prepared, folder: Path | None) -> Purse | None:
        """Return the purse of what judging a run has cost so far; None where no judge is paid."""
        judge = prepared.run.judge
        if self.whole is None or judge is None:
            return None
        cap = convert(self.whole, judge.price, self.rates, judge.name)
        purse = Purse(cap, judge.price, judge.reply_tokens)
        purse.spent = count_judged(folder, cap) if folder else 0.0
        self.pool.join(purse, cap)
        return purse

    def leave_for(self, purse: Purse) -> Budget | None:
        """Return what the others leave to a purse, what it has spent already included."""
        if purse.budget is None:
            return None
        left = min(purse.budget.amount, self.pool.left(purse))
        return Budget(max(left, 0.0), purse.budget.of)


def carry_out_all(
    members: Sequence[Member],
    open_sender: OpenSender,
    account: Account,
    say: Callable[[str], None],
) -> list[Ending | NeedleError]:
    """Carry runs out side by side; return how each ended, or what went wrong with it.

    Ctrl-C stops all of them, as it stops one.
    """
    if not members:
        return []
    return asyncio.run(_carry_out_all(members, open_sender, account, say))


async def _carry_out_all(
    members: Sequence[Member],
    open_sender: OpenSender,
    account: Account,
    say: Callable[[str], None],
) -> list[Ending | NeedleError]:
    flights, gates = Flights(), _open_gates(members)
    stops = [Stop() for _ in members]

    async def go(member: Member, stop: Stop) -> Ending:
        gate = gates[member.endpoint.name].as_seen_by(stop)
        beside = Beside(stop, open_sender, gate, member.purse, flights)
        run = member.prepared.run
        orders = Orders(concurrency=run.concurrency, limits=member.endpoint.limits)
        try:
            return await carry_on(
                member.prepared, member.folder, member.key, member.watch, orders, beside
            )
        finally:
            account.pool.free(member.purse)

    tasks = [asyncio.ensure_future(go(*pair)) for pair in zip(members, stops, strict=True)]
    with catch_signals(say, *stops):
        await _wait(tasks)
    return [_conclude(member, task) for member, task in zip(members, tasks, strict=True)]


def _open_gates(members: Sequence[Member]) -> Mapping[Hashable, Gate]:
    """Open a gate for each endpoint, which knows what all runs there have sent lately."""
    there: dict[Hashable, list[Member]] = {}
    for member in members:
        there.setdefault(member.endpoint.name, []).append(member)
    return {
        name: open_gate(
            group[0].endpoint.limits,
            group[0].endpoint.concurrency,
            [
                (read_lines(each.folder / OUTCOMES), known(each.prepared.run.reply_tokens))
                for each in group
            ],
            Stop(),
        )
        for name, group in there.items()
    }


async def _wait(tasks: Sequence["asyncio.Task[Ending]"]) -> None:
    """Wait until all have ended; what drops this drops what they have in flight."""
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError:
            for task in left:
                task.cancel()


def _conclude(member: Member, task: "asyncio.Task[Ending]") -> Ending | NeedleError:
    """Return how a run ended. A fault of needle's own is raised."""
    if task.cancelled():
        waiting = find_waiting(read_batches(member.folder).values())
        spent = member.purse.spent + member.purse.set_aside
        ending = conclude(member.prepared, member.folder, waiting, spent)
        return replace(ending, interrupted=True)
    error = task.exception()
    if isinstance(error, NeedleError):
        return error
    if error is not None:
        raise error
    return task.result()
