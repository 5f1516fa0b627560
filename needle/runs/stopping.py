"""Whether a run is to stop, and why: said by a signal, a refusal, an empty purse or a full disk."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial

from needle.asking.failures import same_refusal
from needle.edges.endpoint import Interrupted
from needle.words.errors import NeedleError, Stopped
from needle.words.types import Failure

REFUSALS_IN_A_ROW = 5

_CONDEMNED = {
    "bad_key": "the endpoint does not take the key",
    "forbidden": "the endpoint forbids the request",
    "unknown_model": "the endpoint has no such model or address",
    "no_balance": "the account has no balance left",
}


class Stop:
    """A run's stop: set once, with the first reason kept."""

    def __init__(self) -> None:
        """Begin with nothing in the way."""
        self.event = asyncio.Event()
        self.reason: NeedleError | None = None
        self.interrupted = False
        self._refusal: str | None = None
        self._in_a_row = 0

    def because(self, reason: NeedleError) -> None:
        """Stop the run for a reason; the first one given is the one that is told."""
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

    async def sleep(self, seconds: float | None, other: asyncio.Event | None = None) -> None:
        """Sleep for so many seconds, None for no end, or until something else has come.

        Raises Interrupted once the run is stopping.
        """
        events = [event for event in (self.event, other) if event is not None]
        waited = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waited:
                each.cancel()
        if self.event.is_set():
            raise Interrupted


class Switch:
    """What stops a run in another thread, where no signal comes: as Ctrl-C would."""

    def __init__(self) -> None:
        """Begin with nothing to stop."""
        self._interrupt: Callable[[], object] | None = None
        self._pressed = False

    @contextmanager
    def wired(
        self, loop: asyncio.AbstractEventLoop, interrupt: Callable[[], None]
    ) -> Iterator[None]:
        """Lead to what is at work in a loop."""
        self._interrupt = partial(loop.call_soon_threadsafe, interrupt)
        if self._pressed:
            loop.call_soon(interrupt)
        try:
            yield
        finally:
            self._interrupt = None

    def press(self) -> None:
        """Stop what is at work: once to send nothing more, twice to drop what is in flight.

        What is not at work yet stops as soon as it is.
        """
        self._pressed = True
        if self._interrupt is not None:
            self._interrupt()


_SWITCH: ContextVar[Switch | None] = ContextVar("switch", default=None)


@contextmanager
def with_switch(switch: Switch) -> Iterator[None]:
    """Let a switch stop what is carried out in this thread meanwhile."""
    token = _SWITCH.set(switch)
    try:
        yield
    finally:
        _SWITCH.reset(token)


@contextmanager
def catch_signals(say: Callable[[str], None], *stops: Stop) -> Iterator[None]:
    """Take Ctrl-C twice: first send nothing more, then drop what is in flight.

    It stops all that are given.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def interrupt() -> None:
        if all(stop.interrupted for stop in stops) and task is not None:
            task.cancel()
            return
        for stop in stops:
            stop.interrupted = True
            stop.event.set()
        say(
            "stopping: waiting for the requests in flight, which are paid for; "
            "Ctrl-C again drops them"
        )

    caught = (signal.SIGINT, signal.SIGTERM)
    try:
        for number in caught:
            loop.add_signal_handler(number, interrupt)
    except (NotImplementedError, ValueError, RuntimeError):
        # Not the main thread, or Windows: without a switch Ctrl-C ends the run at once, resumable.
        switch = _SWITCH.get()
        with nullcontext() if switch is None else switch.wired(loop, interrupt):
            yield
        return
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
