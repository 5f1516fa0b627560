"""Carrying out a plan: bounded concurrency, each outcome stored inside the task that asked.

A run may be stopped at any instant and goes on where it was.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from needle.budget import Budget, Purse
from needle.context import read_passage
from needle.endpoint import Interrupted, ask, open_client, request_body
from needle.errors import NeedleError, Stopped, StoreError, known
from needle.failures import same_refusal
from needle.outcomes import count_lost, is_reply, is_settled, read_result, settle_states, write_line
from needle.prepare import Prepared
from needle.prompts import build_messages
from needle.scoring import score_outcome
from needle.store import (
    OUTCOMES,
    SCORES,
    Log,
    has_room,
    read_lines,
    read_scores,
    score_line,
)
from needle.types import Asked, Failure, Language, Message, Score, Trial

REFUSALS_IN_A_ROW = 5
_SAME_PASSAGES = 4  # passages kept at once: a few languages and replicates are in flight

AskModel = Callable[[Sequence[Message], Callable[[], None]], Awaitable[Asked]]


class Watch(Protocol):
    """Who is told of a run's progress; never before the outcome is on disk."""

    def begin(self, todo: Sequence[Trial], before: Sequence[tuple[Trial, Score]]) -> None:
        """Be told which trials are to be asked, and what came of those asked before."""

    def show(
        self, trial: Trial, asked: Asked, score: Score, cost: Mapping[str, Any] | None
    ) -> None:
        """Be told of one outcome."""

    def say(self, sentence: str) -> None:
        """Be told of something that concerns the whole run."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: what is done, and why it stopped early if it did."""

    replies: int
    failures: int
    not_run: int
    stopped: NeedleError | None
    interrupted: bool


class _Stop:
    """Whether the run is to stop, and why: said by a signal, a refusal or an empty purse."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.reason: NeedleError | None = None
        self.interrupted = False
        self._refusal: str | None = None
        self._in_a_row = 0

    def because(self, reason: NeedleError) -> None:
        self.reason = self.reason or reason
        self.event.set()

    def look_at(self, failure: Failure | None, model: str) -> None:
        """Stop the run where a failure would befall every trial."""
        if failure is None:
            self._in_a_row = 0
            return
        if failure.condemns:
            self.because(Stopped(f"{_CONDEMNED[failure.kind]} ({model}): {failure.message}"))
        refusal = same_refusal(failure)
        if refusal is None:
            return
        self._in_a_row = self._in_a_row + 1 if refusal == self._refusal else 1
        self._refusal = refusal
        if self._in_a_row >= REFUSALS_IN_A_ROW:
            self.because(
                Stopped(
                    f"{model} refused {REFUSALS_IN_A_ROW} requests running in the same words "
                    f"(HTTP {failure.status}): {failure.message}"
                )
            )

    async def sleep(self, seconds: float) -> None:
        """Sleep between attempts, but no longer than the run goes on."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.event.wait(), seconds)
            raise Interrupted


_CONDEMNED = {
    "bad_key": "the endpoint does not take the key",
    "forbidden": "the endpoint forbids the request",
    "unknown_model": "the endpoint has no such model or address",
    "no_balance": "the account has no balance left",
}


def carry_out(
    prepared: Prepared,
    folder: Path,
    key: str | None,
    watch: Watch,
    budget: Budget | None = None,
    concurrency: int | None = None,
    again_permanent: bool = False,
) -> Ending:
    """Ask every trial that has no reply yet, and store and score what comes back.

    Returns how it ended; a StoreError comes through once what is in flight has ended.
    """
    return asyncio.run(
        _carry_out(prepared, folder, key, watch, budget, concurrency, again_permanent)
    )


async def _carry_out(
    prepared: Prepared,
    folder: Path,
    key: str | None,
    watch: Watch,
    budget: Budget | None,
    concurrency: int | None,
    again_permanent: bool,
) -> Ending:
    run, plan = prepared.run, prepared.plan
    with closing(Log(folder / OUTCOMES)) as outcomes, closing(Log(folder / SCORES)) as scores:
        lines = list(read_lines(folder / OUTCOMES))
        states = settle_states(lines)
        todo = [t for t in plan.trials if not is_settled(states.get(t.key), again_permanent)]
        before = _score_stored(prepared, states, folder, scores)
        purse = Purse(budget, run.model.price, known(run.reply_tokens))
        by_key = {trial.key: trial for trial in plan.trials}
        for line in lines:
            if line["trial"] in by_key:
                purse.count(by_key[line["trial"]], read_result(line), count_lost(line))
        stop = _Stop()
        client = open_client(run.model, key, known(run.timeout_s))

        async def ask_model(messages: Sequence[Message], lost: Callable[[], None]) -> Asked:
            body = request_body(run.model, messages, run.temperature, known(run.reply_tokens))
            return await ask(client, body, key, sleep=stop.sleep, lost=lost)

        asking = {trial.key for trial in todo}
        watch.begin(todo, [(trial, score) for trial, score in before if trial.key not in asking])
        workers = max(1, min(concurrency or known(run.concurrency), len(todo)))
        work = _Work(
            prepared=prepared,
            folder=folder,
            todo=iter(todo),
            read=passage_reader(prepared),
            ask_model=ask_model,
            outcomes=outcomes,
            scores=scores,
            purse=purse,
            stop=stop,
            watch=watch,
        )
        try:
            with _signals(stop, watch):
                await _work_together([work.ask_on() for _ in range(workers)])
        finally:
            await client.close()
        return _conclude(plan.trials, folder, stop)


async def _work_together(jobs: list[Any]) -> None:
    """Run workers to their ends: a fault in one does not drop what others have in flight."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
            raise result


@dataclass(slots=True)
class _Work:
    """What the workers of one run share."""

    prepared: Prepared
    folder: Path
    todo: Iterator[Trial]
    read: Callable[[Trial], str]
    ask_model: AskModel
    outcomes: Log
    scores: Log
    purse: Purse
    stop: _Stop
    watch: Watch
    in_flight: int = 0

    async def ask_on(self) -> None:
        """Ask trial after trial until none is left or the run is to stop."""
        while not self.stop.event.is_set():
            trial = next(self.todo, None)
            if trial is None or not self._may_send(trial):
                return
            self.in_flight += 1
            try:
                await self._ask(trial)
            except Interrupted:
                return
            finally:
                self.in_flight -= 1

    async def _ask(self, trial: Trial) -> None:
        """Ask a trial and keep what comes back; a lost attempt may cost as much as the last."""
        reserved = [self.purse.reserve(trial)]

        def lost() -> None:
            if not self._may_send(trial):
                raise Interrupted
            reserved.append(self.purse.reserve(trial))

        template = self.prepared.run.templates[trial.language]
        try:
            # Nothing keeps the messages here once the request is made: a prompt may be
            # megabytes long, and only those in flight are to be in memory (law 9).
            asked = await self.ask_model(build_messages(trial, template, self.read(trial)), lost)
        finally:
            self.purse.release(sum(reserved))
        self.purse.count(trial, asked.result, asked.lost_attempts)
        self._keep(trial, asked)

    def _may_send(self, trial: Trial) -> bool:
        if not self.purse.allows(trial):
            budget = self.purse.budget
            assert budget is not None  # noqa: S101 - only a budget forbids
            self.stop.because(
                Stopped(f"the budget of {budget.amount:g} {budget.of} is used up (--budget)")
            )
            return False
        if not has_room(self.folder, self.in_flight):
            self.stop.because(
                StoreError(
                    f"the disk of {self.folder} is nearly full: nothing more is sent whose "
                    f"reply could not be kept; make room and resume"
                )
            )
            return False
        return True

    def _keep(self, trial: Trial, asked: Asked) -> None:
        """Store an outcome, then score it, then tell of it: in one step, never cut short."""
        line = write_line(trial, asked, self.prepared.run.model.price)
        try:
            self.outcomes.append(line)
        except StoreError as error:
            self.stop.because(error)
            return
        scores = score_outcome(self.prepared.run.scorers, trial.key, trial.needle, asked.result)
        with suppress(StoreError):  # scores are made anew from the outcomes
            self.scores.append(*map(score_line, scores), sync=False)
        failure = asked.result if isinstance(asked.result, Failure) else None
        self.stop.look_at(failure, trial.model)
        self.watch.show(trial, asked, scores[0], line["cost"])


def passage_reader(prepared: Prepared) -> Callable[[Trial], str]:
    """Return what reads a trial's passage; those of a few replicates are kept at a time."""
    longest: dict[tuple[Language, int], int] = {}
    for trial in prepared.plan.trials:
        place = (trial.language, trial.haystack_offset)
        longest[place] = max(longest.get(place, 0), trial.cut)

    @lru_cache(maxsize=_SAME_PASSAGES)
    def read(language: Language, offset: int) -> str:
        cut = longest[language, offset]
        return read_passage(prepared.haystacks[language], offset, cut)[:cut]

    return lambda trial: read(trial.language, trial.haystack_offset)


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


def _conclude(trials: Sequence[Trial], folder: Path, stop: _Stop) -> Ending:
    states = settle_states(read_lines(folder / OUTCOMES))
    mine = [states[trial.key] for trial in trials if trial.key in states]
    replies = sum(map(is_reply, mine))
    return Ending(
        replies=replies,
        failures=len(mine) - replies,
        not_run=len(trials) - len(mine),
        stopped=stop.reason,
        interrupted=stop.interrupted,
    )


@contextmanager
def _signals(stop: _Stop, watch: Watch) -> Iterator[None]:
    """Take Ctrl-C twice: first send nothing more, then drop what is in flight."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupt() -> None:
        if stop.interrupted and task is not None:
            task.cancel()
            return
        stop.interrupted = True
        stop.event.set()
        watch.say(
            "stopping: waiting for the requests in flight, which are paid for; "
            "Ctrl-C again drops them"
        )

    caught = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in caught:
            loop.add_signal_handler(number, interrupt)
    except (NotImplementedError, ValueError, RuntimeError):
        yield  # not the main thread, or Windows: Ctrl-C ends the run at once, resumable
        return
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
