"""Carrying out a plan: bounded concurrency, each outcome stored inside the task that asked.

A run may be stopped at any instant and goes on where it was.
"""

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from needle.asking.batches import find_waiting
from needle.asking.budget import Budget, Purse
from needle.asking.outcomes import (
    count_lost,
    find_todo,
    is_reply,
    read_result,
    settle_states,
    write_line,
)
from needle.caching.chains import Step
from needle.caching.ordering import arrange
from needle.caching.prefixes import count_billed
from needle.caching.warmth import Warmth
from needle.contexts.truncation import PromptCounts, remember_lines
from needle.edges.endpoint import Heard, Interrupted, ask_by
from needle.edges.store import (
    OUTCOMES,
    SCORES,
    Log,
    has_room,
    read_batches,
    read_lines,
    read_scores,
    score_line,
)
from needle.runs.beside import Beside, Flights, Sender
from needle.runs.gate import Gate
from needle.runs.prepare import Prepared
from needle.runs.rounds import choose_round, list_due
from needle.runs.sending import Sending, open_gate, remember_kept, work_together
from needle.runs.stopping import Stop, catch_signals
from needle.scoring.scorers import score_outcome
from needle.words.errors import NeedleError, Stopped, StoreError, known
from needle.words.tariffs import Limits
from needle.words.types import Asked, Failure, Reply, Score, Trial


class Watch(Protocol):
    """Who is told of a run's progress; never before the outcome is on disk."""

    def begin(self, todo: Sequence[Trial], before: Sequence[tuple[Trial, Score]]) -> None:
        """Be told which trials are to be asked, and what came of those asked before."""

    def go_on(self, todo: Sequence[Trial]) -> None:
        """Be told of further trials that are to be asked."""

    def show(
        self, trial: Trial, asked: Asked, score: Score, cost: Mapping[str, Any] | None
    ) -> None:
        """Be told of one outcome."""

    def say(self, sentence: str) -> None:
        """Be told of something that concerns the whole run."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: what is done, and why it stopped early if it did.

    ``spent`` is what all its outcomes cost, and what open batches may still cost at their worst,
    in what the budget is of; tokens without one.
    ``waiting`` counts the trials that an open batch may still answer: not among ``not_run``,
    nor is what an adaptive run leaves unasked; ``ended`` says why one asks no more.
    """

    replies: int
    failures: int
    not_run: int
    stopped: NeedleError | None
    interrupted: bool
    spent: float = 0.0
    waiting: int = 0
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """How a run is to be carried out: nothing that shapes its requests.

    ``concurrency`` and ``limits`` replace the run's own. ``failed`` asks again what can't pass
    by itself, ``batched`` what an open batch may still answer.
    """

    budget: Budget | None = None
    concurrency: int | None = None
    limits: Limits | None = None
    failed: bool = False
    batched: bool = False


def carry_out(
    prepared: Prepared, folder: Path, key: str | None, watch: Watch, orders: Orders
) -> Ending:
    """Ask every trial that has no reply yet, store and score what comes back, say how it ended.

    A StoreError comes through once what is in flight has ended.
    """
    return asyncio.run(_carry_out(prepared, folder, key, watch, orders))


async def _carry_out(
    prepared: Prepared, folder: Path, key: str | None, watch: Watch, orders: Orders
) -> Ending:
    stop = Stop()
    alone = Beside(stop, guard=catch_signals(watch.say, stop))
    return await carry_on(prepared, folder, key, watch, orders, alone)


async def carry_on(
    prepared: Prepared,
    folder: Path,
    key: str | None,
    watch: Watch,
    orders: Orders,
    beside: Beside,
) -> Ending:
    """Carry a run out as ``carry_out`` does, beside others, in a loop that is at work."""
    run, stop = prepared.run, beside.stop
    with closing(Log(folder / OUTCOMES)) as outcomes, closing(Log(folder / SCORES)) as scores:
        lines = list(read_lines(folder / OUTCOMES))
        states = settle_states(lines)
        waiting = find_waiting(read_batches(folder).values())
        passed_over = () if orders.batched else waiting
        count = orders.concurrency or known(run.concurrency)
        limits = orders.limits or run.limits
        trials = prepared.plan.trials
        ordered = arrange(trials, run.templates, run.model.cache, count, limits)
        steps = {step.trial.key: step for step in ordered}
        due = {trial.key for trial in list_due(prepared, states)}
        in_order = [step.trial for step in ordered if step.trial.key in due]
        todo = find_todo(in_order, states, passed_over, orders.failed)
        scored = _score_stored(prepared, states, folder, scores)
        purse = beside.purse or count_spent(prepared, orders.budget, lines, waiting)
        warmth = remember_kept(Warmth(run.model.cache), ordered, lines)
        asking = {trial.key for trial in todo}
        before = [(trial, score) for trial, score in scored if trial.key not in asking]
        watch.begin(todo, before)
        most = count if run.adaptive else max(1, min(count, len(todo)))
        gate = beside.gate or open_gate(limits, most, [(lines, known(run.reply_tokens))], stop)
        sender = beside.open_sender(prepared, key)
        work = _Work(
            prepared=prepared,
            folder=folder,
            sending=Sending([steps[t.key] for t in todo], warmth, stop, purse.allows),
            sender=sender,
            outcomes=outcomes,
            scores=scores,
            purse=purse,
            counts=remember_lines(lines),
            gate=gate,
            flights=beside.flights,
            stop=stop,
            watch=watch,
        )
        beside.flights.tell(work.sending.settled)
        try:
            with beside.guard:
                await work_together([work.ask_on() for _ in range(most)])
                ended = await _ask_rounds(work, steps, most)
        finally:
            await sender.close()
        if work.sending.unmet and purse.budget is not None:
            stop.because(_used_up(purse.budget))
        ending = conclude(prepared, folder, waiting, purse.spent + purse.set_aside)
        return replace(ending, stopped=stop.reason, interrupted=stop.interrupted, ended=ended)


async def _ask_rounds(work: "_Work", steps: Mapping[str, Step], most: int) -> str | None:
    """Ask an adaptive run's further rounds, each once the last has come back; say why they end."""
    while not (work.stop.event.is_set() or work.sending.unmet):
        states = settle_states(read_lines(work.folder / OUTCOMES))
        affords = work.purse.allows_all if work.purse.budget else None
        chosen = choose_round(work.prepared, states, read_scores(work.folder), affords)
        if not chosen.trials:
            return chosen.ended
        work.watch.go_on(chosen.trials)
        wanted = {trial.key for trial in chosen.trials}
        work.sending.add(step for key, step in steps.items() if key in wanted)
        await work_together([work.ask_on() for _ in range(most)])
    return None


def count_spent(
    prepared: Prepared,
    budget: Budget | None,
    lines: Iterable[Mapping[str, Any]],
    waiting: Container[str] = (),
) -> Purse:
    """Return a purse out of which all that a run's outcomes have cost is paid.

    What open batches may cost is set aside.
    """
    purse = Purse(budget, prepared.run.model.price, known(prepared.run.reply_tokens))
    for asked in (prepared.run.ratio or {}).values():
        purse.pay(asked.prompt_tokens, asked.completion_tokens)
    by_key = {trial.key: trial for trial in prepared.plan.trials}
    for line in lines:
        if line["trial"] in by_key:
            lost, in_batch = count_lost(line), "batch" in line
            purse.count(by_key[line["trial"]], read_result(line), lost, in_batch=in_batch)
    purse.set_aside = sum(
        purse.worst(trial, in_batch=True) for trial in by_key.values() if trial.key in waiting
    )
    return purse


@dataclass(slots=True)
class _Work:
    """What the workers of one run share."""

    prepared: Prepared
    folder: Path
    sending: Sending
    sender: Sender
    outcomes: Log
    scores: Log
    purse: Purse
    counts: PromptCounts
    gate: Gate
    flights: Flights
    stop: Stop
    watch: Watch

    async def ask_on(self) -> None:
        """Ask trial after trial until none is left or the run is to stop."""
        with suppress(Interrupted):
            while not self.stop.event.is_set():
                step = await self.sending.take()
                if step is None:
                    return
                reserved = await self._reserve(step.trial)
                if reserved is None:
                    self.sending.put_aside(step)
                    continue
                replied = False
                self.flights.begin()
                try:
                    replied = await self._ask(step, reserved)
                finally:
                    self.flights.end()
                    self.sending.end(step, replied=replied)

    async def _reserve(self, trial: Trial) -> float | None:
        """Set a request's worst case aside, once what is in flight leaves room for it.

        Returns None where the budget has none even so. Raises Interrupted where the run is to
        stop, for want of room on the disk among others.
        """
        while not self.purse.allows(trial):
            if not self.flights.number:
                return None
            self.sending.settled.clear()
            await self.stop.sleep(None, self.sending.settled)
        self._check_means(trial)
        return self.purse.reserve(trial)

    async def _ask(self, step: Step, reserved: float) -> bool:
        """Ask a trial, keep what comes back, and tell whether it was a reply.

        A lost attempt may cost as much as the last.
        """
        trial, set_aside = step.trial, [reserved]
        reply_tokens = known(self.prepared.run.reply_tokens)

        def lost() -> None:
            self._check_means(trial)
            set_aside.append(self.purse.reserve(trial))
            self.sending.release(step)  # one that times out again and again must hold no other

        async def send() -> Heard:
            try:
                return await self.sender.send(step)
            except Stopped as reason:
                self.stop.because(reason)
                raise Interrupted from reason

        turn = self.gate.turn(count_billed(trial) + reply_tokens)
        try:
            asked = await ask_by(send, self.stop.sleep, lost=lost, turn=turn)
        finally:
            self.purse.release(sum(set_aside))
        self.purse.count(trial, asked.result, asked.lost_attempts)
        await self._keep(trial, self.counts.judge(trial, asked))
        return isinstance(asked.result, Reply)

    def _check_means(self, trial: Trial) -> None:
        """Raise Interrupted, with the run's stop set, where money or disk can't bear a request."""
        budget = self.purse.budget
        if budget is not None and not self.purse.allows(trial):
            self.stop.because(_used_up(budget))
            raise Interrupted
        if not has_room(self.folder, self.flights.number):
            self.stop.because(
                StoreError(
                    f"the disk of {self.folder} is nearly full: nothing more is sent whose "
                    f"reply could not be kept; make room and resume"
                )
            )
            raise Interrupted

    async def _keep(self, trial: Trial, asked: Asked) -> None:
        """Store an outcome, then score it, then tell of it.

        Cut short, it is stored at the least: a score is made anew from it.
        """
        line = write_line(trial, asked, self.prepared.run.model.price)
        try:
            await self.outcomes.keep(line)
        except StoreError as error:
            self.stop.because(error)
            return
        run = self.prepared.run
        scores = score_outcome(run.scorers, trial.key, trial.needle, asked.result)
        with suppress(StoreError):  # scores are made anew from the outcomes
            self.scores.append(*map(score_line, scores), sync=False)
        failure = asked.result if isinstance(asked.result, Failure) else None
        self.stop.look_at(failure, trial.model)
        self.watch.show(trial, asked, scores[0], line["cost"])


def _used_up(budget: Budget) -> Stopped:
    return Stopped(
        f"the budget of {budget} is used up (--budget): needle resume keeps to one only where "
        f"it is told one"
    )


def _score_stored(
    prepared: Prepared, states: Mapping[str, Mapping[str, Any]], folder: Path, scores: Log
) -> list[tuple[Trial, Score]]:
    """Score what is stored; write down what was not when the process ended."""
    written = read_scores(folder)
    stored = []
    for trial in prepared.plan.trials:
        line = states.get(trial.key)
        if line is None:
            continue
        fresh = score_outcome(prepared.run.scorers, trial.key, trial.needle, read_result(line))
        stored.append((trial, fresh[0]))
        for score in fresh:
            if written.get((trial.key, score.scorer)) != score_line(score):
                scores.append(score_line(score), sync=False)
    return stored


def conclude(
    prepared: Prepared, folder: Path, waiting: Container[str], spent: float = 0.0
) -> Ending:
    """Return where a run stands by what is stored of it."""
    states = settle_states(read_lines(folder / OUTCOMES))
    trials = list_due(prepared, states)
    mine = [states[trial.key] for trial in trials if trial.key in states]
    replies = sum(map(is_reply, mine))
    left = [trial for trial in trials if trial.key not in states]
    batched = sum(trial.key in waiting for trial in left)
    failures, not_run = len(mine) - replies, len(left) - batched
    return Ending(replies, failures, not_run, None, interrupted=False, spent=spent, waiting=batched)
