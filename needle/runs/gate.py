"""The gate that every attempt passes: one after the other, when the pace allows it.

Attempts pass in the order in which they came, so that a long prompt is not overtaken for ever
by short ones.
"""

import asyncio
import copy
import math
import time
from collections.abc import Callable

from needle.asking.failures import is_overload
from needle.asking.pace import Pace, Sent
from needle.edges.endpoint import Heard, Interrupted
from needle.runs.stopping import Stop
from needle.words.errors import Stopped
from needle.words.types import Failure

_LONGEST_WAIT_S = 900.0
_SLOWED = "rate_limit"


class Gate:
    """The door of an endpoint, as one run passes it; ``clock`` gives seconds since the epoch."""

    def __init__(self, pace: Pace, stop: Stop, clock: Callable[[], float] = time.time) -> None:
        """Open the gate for a run that may be stopped."""
        self.pace = pace
        self._stop = stop
        self._clock = clock
        self._door = asyncio.Lock()
        self._freed = asyncio.Event()

    def as_seen_by(self, stop: Stop) -> "Gate":
        """Return the same gate for another run, whose stop holds back its own attempts alone."""
        gate = copy.copy(self)
        gate._stop = stop  # noqa: SLF001 - it is a gate of this class
        return gate

    def turn(self, tokens: int) -> "_Turn":
        """Return the turn of a request of so many tokens, prompt and reserved reply."""
        return _Turn(self, tokens)

    async def enter(self, tokens: int) -> Sent:
        """Return once a request may be sent; raise Interrupted if the run is stopping."""
        async with self._door:
            while (wait := self.pace.wait_s(tokens, self._clock())) > 0:
                if _LONGEST_WAIT_S < wait < math.inf:
                    self._stop.because(
                        Stopped(
                            f"the limits let nothing through for {wait / 60:,.0f} minutes "
                            f"(--tpd, --tpm): resume then, or raise them"
                        )
                    )
                self._freed.clear()
                await self._stop.sleep(None if wait == math.inf else wait, self._freed)
            if self._stop.event.is_set():
                raise Interrupted
            return self.pace.begin(tokens, self._clock())

    def leave(self, sent: Sent, heard: Heard | None) -> None:
        """Let the pace know how a request ended, and the next one look again."""
        now = self._clock()
        failure = heard.result if heard and isinstance(heard.result, Failure) else None
        slowed = failure is not None and (failure.kind == _SLOWED or is_overload(failure))
        self.pace.end(sent, now, slowed=slowed, wait_s=heard.wait_s if heard else None)
        if heard and heard.allowance:
            self.pace.learn(heard.allowance, sent.tokens, now)
        self._freed.set()


class _Turn:
    """One request's turns at the gate, attempt after attempt."""

    def __init__(self, gate: Gate, tokens: int) -> None:
        self._gate = gate
        self._tokens = tokens
        self._sent: Sent | None = None

    async def enter(self) -> None:
        self._sent = await self._gate.enter(self._tokens)

    def leave(self, heard: Heard | None) -> None:
        if self._sent is not None:
            self._gate.leave(self._sent, heard)
            self._sent = None
