"""Judging a run's replies: each verdict is on disk before it is counted.

A verdict that is there is paid for once: it is asked for again only where the judge, the
rubric, the needle or the reply has changed, or where the judge gave no grade.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from needle.asking.budget import TOKENS, Budget, Purse
from needle.asking.money import cost
from needle.asking.outcomes import find_needle, is_recorded, read_result
from needle.asking.pace import Pace
from needle.edges.endpoint import Interrupted, MakeBody, Turn, ask, open_client, request_body
from needle.edges.models import find_model
from needle.edges.store import SCORES, Log, read_lines, score_line
from needle.edges.tokens import load_counting
from needle.runs.gate import Gate
from needle.runs.stopping import Stop, catch_signals
from needle.scoring.judge import Rubric, build_judge_messages, mark_graded, name_request, read_grade
from needle.scoring.scorers import JUDGE, Mark, make_score, take_reply
from needle.words.errors import NeedleError, Stopped, StoreError, UsageError
from needle.words.tariffs import Limits
from needle.words.types import Asked, Failure, Language, Message, Model, Needle, Reply, Score

JUDGE_TOKENS = 512
"""Tokens for a judge's reply, where its preset asks for fewer: a grade and a sentence."""
_TIMEOUT_S = 300.0
_ENCODING = "o200k_base"
_SHOWN = 200  # characters of a judge's reply without a grade that are kept


class JudgeWatch(Protocol):
    """Who is told of verdicts; never before they are on disk."""

    def show(self, score: Score) -> None:
        """Be told of one verdict, or of one failure of the judge."""

    def say(self, sentence: str) -> None:
        """Be told of something that concerns the whole judging."""


class _Quiet:
    def show(self, score: Score) -> None:
        pass

    def say(self, sentence: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Case:
    """One reply to be judged, and what is asked about it."""

    trial: str
    language: Language
    reply: Reply
    messages: tuple[Message, ...]
    request: str
    prompt_tokens: int

    @property
    def text_language(self) -> Language:
        """The language that it is written in."""
        return self.language


@dataclass(frozen=True, slots=True)
class JudgingPlan:
    """What judging a run takes: the cases to be asked, and what needs no judge."""

    judge: Model
    cases: tuple[Case, ...]
    settled: tuple[Score, ...]
    standing: int

    @property
    def prompt_tokens(self) -> int:
        """The tokens of all requests, in needle's own count."""
        return sum(case.prompt_tokens for case in self.cases)


@dataclass(frozen=True, slots=True)
class Judged:
    """How judging ended: replies graded, judge's failures, replies left, and why it stopped.

    ``spent`` is what all of the run's verdicts cost, in what the budget is of.
    """

    graded: int
    failed: int
    left: int
    stopped: NeedleError | None
    interrupted: bool
    spent: float


def find_judge(name: str, base_url: str | None, date: str) -> Model:
    """Return the model that judges; raise UsageError for one that can't."""
    judge = find_model(name, base_url, None, date, role="judge-")
    if judge.simulated:
        raise UsageError(f"{name} is simulated and can't judge (--judge-model): name a real model")
    return replace(judge, reply_tokens=max(judge.reply_tokens, JUDGE_TOKENS))


def choose_judge(
    scorers: Sequence[str], name: str | None, base_url: str | None, date: str
) -> Model | None:
    """Return the judge that scorers ask for; raise UsageError where it is not named, or idle."""
    if JUDGE not in scorers:
        if name or base_url:
            raise UsageError("a judge is named but not asked (--judge-model): say --scorer judge")
        return None
    if not name:
        raise UsageError("which model judges? (--judge-model): needle models lists those known")
    return find_judge(name, base_url, date)


def plan_judging(
    judge: Model,
    rubrics: Mapping[Language, Rubric],
    needles: Mapping[str, Mapping[Language, Sequence[Needle]]],
    states: Mapping[str, Mapping[str, Any]],
    known: Mapping[tuple[str, str], Mapping[str, Any]],
) -> JudgingPlan:
    """Find what is to be asked: every complete reply whose verdict is not there or is stale.

    Controls have no fact in their text to be judged by: they are scored by keywords alone.
    """
    count = load_counting(_ENCODING).count
    cases, settled, standing = [], [], 0
    for trial, line in states.items():
        needle = find_needle(needles, line)
        if not is_recorded(line) or not needle.answers or line["control"] is not None:
            continue
        verdict = known.get((trial, JUDGE), {})
        reply = take_reply(read_result(line))
        if not isinstance(reply, Mark) and not reply.response.strip():
            reply = Mark(0.0, "missed", "the reply is empty")
        if isinstance(reply, Mark):
            score = _write(trial, reply, model=None)
            if verdict != score_line(score):
                settled.append(score)
            continue
        messages = build_judge_messages(rubrics[line["language"]], needle, reply.response)
        request = name_request(judge, judge.reply_tokens, messages)
        if verdict.get("request") == request and verdict.get("failure") is None:
            standing += 1
            continue
        size = sum(count(message["content"]) for message in messages)
        cases.append(Case(trial, line["language"], reply, tuple(messages), request, size))
    return JudgingPlan(judge, tuple(cases), tuple(settled), standing)


def _write(
    trial: str,
    mark: Mark,
    model: str | None,
    request: str | None = None,
    tokens: int = 0,
    spent: Mapping[str, Any] | None = None,
    failure: Mapping[str, Any] | None = None,
) -> Score:
    """Return a judge's score, with all fields of its line."""
    extra: dict[str, object] = {
        "model": model,
        "cost": spent,
        "failure": failure,
        "request": request,
        "tokens": tokens,
    }
    return replace(make_score(trial, JUDGE, mark), extra=extra)


def judge_replies(
    plan: JudgingPlan,
    folder: Path,
    key: str | None,
    budget: Budget | None = None,
    concurrency: int | None = None,
    watch: JudgeWatch | None = None,
) -> Judged:
    """Ask the judge about every case, and write each verdict as it comes.

    Raises StoreError where a verdict can't be written. ``budget`` covers what has been spent
    on this run's verdicts before.
    """
    return asyncio.run(_judge_replies(plan, folder, key, budget, concurrency, watch or _Quiet()))


async def _judge_replies(
    plan: JudgingPlan,
    folder: Path,
    key: str | None,
    budget: Budget | None,
    concurrency: int | None,
    watch: JudgeWatch,
) -> Judged:
    judge, stop = plan.judge, Stop()
    purse = Purse(budget, judge.price, judge.reply_tokens)
    purse.spent = count_spent(folder, budget)
    workers = max(1, min(concurrency or judge.concurrency, len(plan.cases)))
    client = open_client(judge, key, _TIMEOUT_S)
    with closing(Log(folder / SCORES)) as scores:
        scores.append(*map(score_line, plan.settled), sync=False)
        bench = _Bench(
            judge=judge,
            todo=iter(plan.cases),
            ask_judge=lambda make_body, turn, lost: ask(
                client, make_body, key, stop.sleep, lost=lost, turn=turn, errors=judge.errors
            ),
            scores=scores,
            purse=purse,
            gate=Gate(Pace(Limits(), workers), stop),
            stop=stop,
            watch=watch,
        )
        try:
            with catch_signals(watch.say, stop), suppress(asyncio.CancelledError):
                await asyncio.gather(*(bench.judge_on() for _ in range(workers)))
        finally:
            await client.close()
    left = len(plan.cases) - bench.graded - bench.failed
    return Judged(bench.graded, bench.failed, left, stop.reason, stop.interrupted, purse.spent)


def count_spent(folder: Path, budget: Budget | None) -> float:
    """Return what a run's verdicts have cost so far, in the money or tokens of a budget."""
    if budget is None:
        return 0.0
    lines = [line for line in read_lines(folder / SCORES) if line["scorer"] == JUDGE]
    if budget.of == TOKENS:
        return float(sum(line.get("tokens") or 0 for line in lines))
    costs = [line["cost"] for line in lines if line.get("cost")]
    return float(sum(paid["amount"] for paid in costs if paid["currency"] == budget.of))


@dataclass(slots=True)
class _Bench:
    """What the workers of one judging share."""

    judge: Model
    todo: Iterator[Case]
    ask_judge: Callable[[MakeBody, Turn, Callable[[], None]], Awaitable[Asked]]
    scores: Log
    purse: Purse
    gate: Gate
    stop: Stop
    watch: JudgeWatch
    graded: int = 0
    failed: int = 0

    async def judge_on(self) -> None:
        """Judge case after case until none is left or the judging is to stop."""
        with suppress(Interrupted):
            while not self.stop.event.is_set():
                case = next(self.todo, None)
                if case is None:
                    return
                await self._judge(case)

    def _reserve(self, case: Case) -> float:
        """Set a request's worst case aside; raise Interrupted where the budget can't bear it."""
        if not self.purse.allows(case):
            self.stop.because(Stopped(f"the budget of {self.purse.budget} is used up (--budget)"))
            raise Interrupted
        return self.purse.reserve(case)

    async def _judge(self, case: Case) -> None:
        set_aside = [self._reserve(case)]
        judge = self.judge
        turn = self.gate.turn(case.prompt_tokens + judge.reply_tokens)
        try:
            asked = await self.ask_judge(
                lambda: request_body(judge, case.messages, judge.temperature, judge.reply_tokens),
                turn,
                lambda: set_aside.append(self._reserve(case)),
            )
        finally:
            self.purse.release(sum(set_aside))
        self.purse.count(case, asked.result, asked.lost_attempts)
        await self._keep(case, asked)

    async def _keep(self, case: Case, asked: Asked) -> None:
        """Write a verdict, then tell of it."""
        score = score_verdict(self.judge, case, asked)
        try:
            await self.scores.keep(score_line(score))
        except StoreError as error:
            self.stop.because(error)
            return
        if score.extra["failure"] is None:
            self.graded += 1
        else:
            self.failed += 1
        failure = asked.result if isinstance(asked.result, Failure) else None
        self.stop.look_at(failure, f"the judge {self.judge.name}")
        self.watch.show(score)


def score_verdict(judge: Model, case: Case, asked: Asked) -> Score:
    """Return the score of one case: its verdict, or a null score with the judge's failure."""
    result = asked.result
    failure: dict[str, Any] | None = None
    mark = Mark(None, "failed", "the judge gave no grade")
    if isinstance(result, Failure):
        failure = {"kind": result.kind, "status": result.status, "message": result.message}
    else:
        graded = read_grade(result.response)
        if graded is not None:
            mark = mark_graded(graded, case.reply)
        else:
            said = " ".join(result.response.split())[:_SHOWN] or "nothing"
            failure = {"kind": "no_grade", "status": None, "message": f"the judge said: {said}"}
    tokens, spent = _count_tokens(judge, case, asked)
    return _write(case.trial, mark, judge.name, case.request, tokens, spent, failure)


def _count_tokens(judge: Model, case: Case, asked: Asked) -> tuple[int, dict[str, object] | None]:
    """Return what a verdict took: its tokens, and its price where known.

    An attempt that may have been charged without an answer counts with its whole reply, and so
    does a verdict whose length is not told.
    """
    result, price = asked.result, judge.price
    sizes = [(case.prompt_tokens, judge.reply_tokens, 0, 0)] * asked.lost_attempts
    if isinstance(result, Reply):
        prompt, said = result.endpoint_prompt_tokens, result.completion_tokens
        sizes.append(
            (
                case.prompt_tokens if prompt is None else prompt,
                judge.reply_tokens if said is None else said,
                result.cached_tokens or 0,
                result.cache_write_tokens or 0,
            )
        )
    tokens = sum(prompt + reply for prompt, reply, _, _ in sizes)
    if price is None:
        return tokens, None
    amount = sum(
        cost(price, prompt, reply, cached, written=written)
        for prompt, reply, cached, written in sizes
    )
    return tokens, {"amount": round(amount, 9), "currency": price.currency}
