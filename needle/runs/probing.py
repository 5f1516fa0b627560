"""Asking an endpoint how it counts, before a run whose lengths are in its own tokens.

What it told is kept in run.yaml: the same run is planned from it again without asking.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from needle.asking.budget import Budget, Purse
from needle.asking.money import cost
from needle.asking.pace import Pace
from needle.contexts.calibration import Probe, Reading, Scale, Subject, foresee, read_counts, settle
from needle.contexts.passages import draw_offset, read_passage
from needle.contexts.prompts import choose_template
from needle.contexts.tasks import text_language
from needle.contexts.truncation import count_whole
from needle.edges.endpoint import Interrupted, ask, open_client, request_body
from needle.edges.store import RUN, load_run
from needle.edges.tokens import countings_at_hand, load_counting
from needle.runs.gate import Gate
from needle.runs.prepare import Prepared, Ratio, with_ratio
from needle.runs.stopping import Stop
from needle.words.counts import VendorCount
from needle.words.errors import NeedleError, Stopped, UsageError, known
from needle.words.tariffs import Limits
from needle.words.types import Failure, Language, Message, Reply, Run

REPLY_TOKENS = 16
"""The reply budget of a probe: some endpoints refuse a smaller one."""

_LOST = 3.2  # of our count: what an attempt without an answer may have been charged for
_FRAME = 150  # tokens of a template, a question and a needle, about
_HELLO: list[Message] = [{"role": "user", "content": "Hello"}]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What asking an endpoint how it counts takes at the most, by our count.

    ``free`` says that the vendor has an endpoint for counts: only one tiny request is charged.
    """

    requests: int
    tokens: int
    money: float | None
    free: bool


def is_assumed(run: Run) -> bool:
    """Tell whether a run's endpoint is still to be asked how it counts."""
    return any(count.source == "assumed" for count in (run.ratio or {}).values())


def foresee_probes(run: Run) -> Foreseen:
    """Return what asking a run's endpoint how it counts will take."""
    price, free = run.model.price, run.model.estimate_path is not None
    requests = tokens = 0
    for language in run.haystacks:
        number, each = foresee(run.grid.lengths, language, _FRAME, free)
        requests, tokens = requests + run.replicates * number, tokens + run.replicates * each
    charged, sent = (
        (len(run.haystacks), len(run.haystacks) * _FRAME) if free else (requests, tokens)
    )
    money = charged * cost(price, sent / charged, REPLY_TOKENS) if price else None
    return Foreseen(requests, tokens, money, free)


def fit_from_earlier(prepared: Prepared, out: Path) -> Prepared:
    """Fit a run to its endpoint's count where an earlier run in a folder has asked for it."""
    if not is_assumed(prepared.run):
        return prepared
    ratio = _find_ratio(out, prepared.run)
    return with_ratio(prepared, ratio) if ratio else prepared


def _find_ratio(out: Path, run: Run) -> Ratio | None:
    """Return how an endpoint counts by the latest run of the same texts and lengths, if any."""
    found = None
    for folder in sorted(out.iterdir()) if out.is_dir() else ():
        with suppress(NeedleError, OSError):
            if b"\nratio: null\n" in (folder / RUN).read_bytes():
                continue
            earlier = load_run(folder)
            if earlier.ratio and not is_assumed(earlier) and _covers(earlier, run):
                found = {language: earlier.ratio[language] for language in run.haystacks}
    return found


def _covers(earlier: Run, run: Run) -> bool:
    """Tell whether an earlier run asked at all the places that a run is to be fitted at."""
    same = ("seed", "tokenizer", "tasks")
    if any(getattr(earlier, name) != getattr(run, name) for name in same):
        return False
    if (earlier.model.name, earlier.model.endpoint) != (run.model.name, run.model.endpoint):
        return False
    return (
        set(run.grid.lengths) <= set(earlier.grid.lengths)
        and all(earlier.templates.get(one) == template for one, template in run.templates.items())
        and all(
            one in earlier.haystacks and earlier.haystacks[one].sha256 == note.sha256
            for one, note in run.haystacks.items()
        )
        and all(
            earlier.needles[task].get(one, ())[: len(needles)] == needles
            for task, by_language in run.needles.items()
            for one, needles in by_language.items()
        )
    )


def describe_ratio(run: Run) -> dict[Language, dict[str, Any]]:
    """Return in figures how a run's endpoint counts, by language; nothing under the common count.

    ``ratio`` is its tokens for one of ``counting``'s over the longest context.
    """
    said: dict[Language, dict[str, Any]] = {}
    for language, count in (run.ratio or {}).items():
        scale = Scale(count.knots[0])
        ours = max(scale.to_ours(run.grid.lengths[-1]), 1)
        said[language] = {
            "source": count.source,
            "counting": count.counting,
            "ratio": round(scale.to_theirs(ours) / ours, 4),
            "requests": count.requests,
            "prompt_tokens": count.prompt_tokens,
            "cost": count.cost,
        }
    return said


def calibrate(
    prepared: Prepared, key: str | None, budget: Budget | None, say: Callable[[str], None]
) -> Ratio:
    """Ask a run's endpoint how it counts.

    Raises Stopped where it gives no answer or the budget forbids it, and UsageError where its
    answers can't be used.
    """
    return asyncio.run(_calibrate(prepared, key, budget, say))


async def _calibrate(
    prepared: Prepared, key: str | None, budget: Budget | None, say: Callable[[str], None]
) -> Ratio:
    run = prepared.run
    stop = Stop()
    asking = _Asking(
        run=run,
        client=open_client(run.model, key, known(run.timeout_s)),
        key=key,
        stop=stop,
        gate=Gate(Pace(run.limits or Limits(), 1), stop),
        purse=Purse(budget, run.model.price, REPLY_TOKENS),
    )
    try:
        free = await asking.is_free(say)
        ratio = {}
        for language in run.haystacks:
            ratio[language] = await _ask_language(asking, prepared, language, free)
        return ratio
    finally:
        await asking.client.close()


async def _ask_language(
    asking: "_Asking", prepared: Prepared, language: Language, free: bool
) -> VendorCount:
    """Learn how an endpoint counts a language's passages, one after the other."""
    run = prepared.run
    countings = countings_at_hand(load_counting(run.tokenizer_file or run.tokenizer))
    before = replace(asking.taken)
    readings: list[Reading] = []
    shift = 0
    for subject in _subjects(prepared, language, free):
        if readings and readings[0].recognised is not None:
            readings.append(readings[0])
            continue
        reader = read_counts(replace(subject, countings=countings))
        try:
            probe = next(reader)
            if free and not readings:
                shift = await asking.compare(language, probe)
            while True:
                probe = reader.send(await asking.count(language, probe, free) + shift)
        except StopIteration as done:
            readings.append(done.value)
    name, knots = settle(readings, countings)
    recognised = readings[0].recognised is not None
    taken = asking.taken
    return VendorCount(
        counting=name,
        knots=tuple(knots),
        source="recognised" if recognised else "estimate" if free else "probes",
        requests=taken.requests - before.requests,
        prompt_tokens=taken.prompt - before.prompt,
        completion_tokens=taken.completion - before.completion,
        cost=round(taken.money - before.money, 9) if run.model.price else None,
    )


def _subjects(prepared: Prepared, language: Language, free: bool) -> Iterator[Subject]:
    """Yield each replicate's passage of a text, in the frame of the first needle asked in it."""
    run, haystack = prepared.run, prepared.haystacks[language]
    needles, template = next(
        (needles, choose_template(run.templates, task, one))
        for task, by_language in run.needles.items()
        for one, needles in by_language.items()
        if text_language(task, one) == language
    )
    each = len(needles) // run.replicates  # in the shared layout a replicate has several
    for number, needle in enumerate(needles[::each]):
        offset = draw_offset(haystack, known(run.seed), number)
        yield Subject(
            language=language,
            template=template,
            needle=needle,
            read=partial(read_passage, haystack, offset),
            lengths=run.grid.lengths,
            countings=(),
            free=free,
        )


@dataclass(slots=True)
class _Taken:
    """What probes have taken, by the endpoint's own count, and cost."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    money: float = 0.0


@dataclass(slots=True)
class _Asking:
    """One run's way to its endpoint, and what it has taken so far."""

    run: Run
    client: Any
    key: str | None
    stop: Stop
    gate: Gate
    purse: Purse
    taken: _Taken = field(default_factory=_Taken)
    reply_tokens: int = REPLY_TOKENS

    async def is_free(self, say: Callable[[str], None]) -> bool:
        """Tell whether the vendor's endpoint for counts is there, where it should be."""
        if self.run.model.estimate_path is None:
            return False
        if isinstance(await self._send(_HELLO, 1, estimate=True), Reply):
            return True
        say("the endpoint for counts does not answer: small requests stand in for it")
        return False

    async def compare(self, language: Language, probe: Probe) -> int:
        """Return by how much usage is more than the vendor's estimate of the same prompt."""
        estimated = await self.count(language, probe, free=True)
        return await self.count(language, probe, free=False) - estimated

    async def count(self, language: Language, probe: Probe, free: bool) -> int:
        """Return an endpoint's count of a probe."""
        if not free:
            self._check_budget(language, probe)
        result = await self._send(probe.messages, probe.tokens, free)
        name = self.run.model.name
        if isinstance(result, Failure):
            raise Stopped(
                f"{name} can't be asked how it counts ({result.kind}): {result.message}: "
                f"try again, or use --count common"
            )
        theirs = count_whole(result)
        if not theirs:
            raise UsageError(
                f"{name} reports no usage.prompt_tokens, so lengths can't be in its own tokens "
                f"(--count vendor): use --count common"
            )
        if not free:
            said = result.completion_tokens
            self._take(theirs, self.reply_tokens if said is None else said, 1)
        return theirs

    def _check_budget(self, language: Language, probe: Probe) -> None:
        budget = self.purse.budget
        worst = self.purse.worst_of(language, probe.tokens)
        if budget is not None and self.purse.spent + worst > budget.amount:
            raise Stopped(
                f"the budget of {budget} does not bear asking {self.run.model.name} how it "
                f"counts (--budget): raise it, or use --count common"
            )

    def _take(self, prompt: int, completion: int, requests: int) -> None:
        """Count what requests have taken: attempts without an answer at their worst."""
        self.taken.requests += requests
        self.taken.prompt += prompt
        self.taken.completion += completion
        if self.run.model.price:
            self.taken.money += cost(self.run.model.price, prompt, completion)
        self.purse.pay(prompt, completion)

    async def _send(self, messages: list[Message], tokens: int, estimate: bool) -> Reply | Failure:
        """Ask once more with the run's own reply budget where so small a one is refused."""
        while True:
            result = await self._send_once(messages, tokens, estimate)
            refused = isinstance(result, Failure) and result.kind == "bad_request"
            longest = known(self.run.reply_tokens)
            if not refused or estimate or self.reply_tokens >= longest:
                return result
            self.reply_tokens = longest

    async def _send_once(
        self, messages: list[Message], tokens: int, estimate: bool
    ) -> Reply | Failure:
        run = self.run
        body = request_body(run.model, messages, run.temperature, self.reply_tokens)
        if estimate:
            body = {name: body[name] for name in ("model", "messages")}
        try:
            asked = await ask(
                self.client,
                lambda: body,
                self.key,
                sleep=self.stop.sleep,
                turn=self.gate.turn(tokens + self.reply_tokens),
                errors=run.model.errors,
                count_path=run.model.estimate_path if estimate else None,
            )
        except Interrupted as error:
            raise self.stop.reason or Stopped("interrupted") from error
        if not estimate and asked.lost_attempts:
            lost = asked.lost_attempts
            self._take(round(_LOST * tokens) * lost, self.reply_tokens * lost, lost)
        return asked.result
