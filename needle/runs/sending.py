"""Which trial is sent next: the first in order that need not wait for another one's reply."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from needle.asking.outcomes import is_reply
from needle.asking.pace import DAY_S, Pace
from needle.caching.chains import Step
from needle.caching.warmth import Warmth
from needle.runs.gate import Gate
from needle.runs.stopping import Stop
from needle.words.tariffs import Limits
from needle.words.types import Trial


class Sending:
    """The trials that are left, in their order; ``clock`` gives seconds since the epoch.

    ``allows`` tells whether there are means for a trial now. ``settled`` is set whenever a trial
    has ended: who waits for that looks again.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        warmth: Warmth,
        stop: Stop,
        allows: Callable[[Trial], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin with all of them left."""
        self.settled = asyncio.Event()
        self._left = deque(steps)
        self._aside: list[Step] = []
        self._learned = False
        self._warmth = warmth
        self._stop = stop
        self._allows = allows
        self._clock = clock
        self._door = asyncio.Lock()

    @property
    def unmet(self) -> bool:
        """Whether trials were put aside that there were never means for."""
        return bool(self._aside)

    def add(self, steps: Iterable[Step]) -> None:
        """Add further trials, once the others have ended."""
        self._left.extend(steps)

    async def take(self) -> Step | None:
        """Take the next one, once what it would find in the endpoint's cache is there.

        Returns None when none is left that there are means for. Raises Interrupted where the run
        is to stop.
        """
        async with self._door:
            while self._left or self._take_up_again():
                if self._warmth.may_go(self._left[0], self._clock()):
                    step = self._left.popleft()
                    self._warmth.begin(step, self._clock())
                    return step
                self.settled.clear()
                await self._stop.sleep(None, self.settled)
            return None

    def _take_up_again(self) -> bool:
        """Take up what was put aside, where there are means for it by now.

        What the others told of the endpoint's counts may have freed some.
        """
        if self._learned:
            self._learned = False
            aside, self._aside = self._aside, []
            for step in aside:
                (self._left if self._allows(step.trial) else self._aside).append(step)
        return bool(self._left)

    def put_aside(self, step: Step) -> None:
        """Send one later: there are no means for it now, but may be for one after it."""
        self._warmth.end(step, self._clock(), replied=False)
        self._aside.append(step)
        self.settled.set()

    def release(self, step: Step) -> None:
        """Let the others wait no longer for one whose reply is slow to come."""
        self._warmth.release(step)
        self.settled.set()

    def end(self, step: Step, *, replied: bool) -> None:
        """Note that one has ended, with a reply or without."""
        self._learned = True
        self._warmth.end(step, self._clock(), replied=replied)
        self.settled.set()


def remember_kept(
    warmth: Warmth, steps: Iterable[Step], lines: Iterable[Mapping[str, Any]]
) -> Warmth:
    """Let a cache's warmth know what earlier processes' outcomes left in it; return it."""
    by_key = {step.trial.key: step for step in steps}
    for line in lines:
        if is_reply(line) and line["trial"] in by_key and line["latency_s"] is not None:
            began = datetime.fromisoformat(line["started_at"]).timestamp()
            warmth.remember(by_key[line["trial"]], began + line["latency_s"])
    return warmth


def open_gate(
    limits: Limits | None,
    most: int,
    sent: Iterable[tuple[Iterable[Mapping[str, Any]], int]],
    stop: Stop,
) -> Gate:
    """Open an endpoint's gate, whose pace knows what earlier processes sent within the last day.

    ``sent`` are the outcomes of each of its runs, and the tokens reserved for each reply.
    """
    pace = Pace(limits or Limits(), most)
    since = time.time() - DAY_S
    known_of = [
        (at, line["prompt_tokens"] + reply_tokens)
        for lines, reply_tokens in sent
        for line in lines
        if "batch" not in line  # batches have limits of their own
        and (at := datetime.fromisoformat(line["started_at"]).timestamp()) > since
    ]
    for at, tokens in sorted(known_of):
        pace.remember(tokens, at)
    return Gate(pace, stop)


async def work_together(jobs: list[Any]) -> None:
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
