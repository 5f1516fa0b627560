"""The gate: attempts pass in order, when the pace allows, and none once the run is stopping."""

import asyncio

import pytest

from needle.asking.pace import Pace
from needle.edges.endpoint import Heard, Interrupted
from needle.runs.gate import Gate
from needle.runs.stopping import Stop
from needle.words.errors import Stopped
from needle.words.tariffs import Limits
from needle.words.types import Failure, Reply


class Clock(Stop):
    """A stop whose sleeps pass on a clock of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    async def sleep(  # noqa: D102 - that of Stop
        self, seconds: float | None, other: asyncio.Event | None = None
    ) -> None:
        if seconds is None:
            await super().sleep(None, other)
            return
        self.now += seconds
        await super().sleep(0.0)


def slowed(wait_s: float | None = None) -> Heard:
    """Return what a 429 sounds like."""
    return Heard(Failure("rate_limit", 429, "too fast", permanent=False), wait_s)


def test_requests_pass_in_the_order_in_which_they_came() -> None:
    """A long prompt is not overtaken by short ones that would fit at once."""

    async def go() -> list[int]:
        clock, passed = Clock(), []
        gate = Gate(Pace(Limits(tokens_a_minute=1_000), 8), clock, lambda: clock.now)

        async def send(tokens: int) -> None:
            turn = gate.turn(tokens)
            await turn.enter()
            passed.append(tokens)
            turn.leave(Heard(Reply("x")))

        await asyncio.gather(*map(send, (600, 900, 100, 50)))
        return passed

    assert asyncio.run(go()) == [600, 900, 100, 50]


def test_concurrency_waits_for_an_answer() -> None:
    """At full concurrency a request waits until one in flight has ended."""

    async def go() -> None:
        clock = Clock()
        gate = Gate(Pace(Limits(), 1), clock, lambda: clock.now)
        first, second = gate.turn(1), gate.turn(1)
        await first.enter()
        entering = asyncio.ensure_future(second.enter())
        await asyncio.sleep(0)
        assert not entering.done()
        first.leave(Heard(Reply("x")))
        await entering

    asyncio.run(go())


def test_a_429s_wait_is_everyones() -> None:
    """What the vendor asks one request to wait, all others wait too."""

    async def go() -> float:
        clock = Clock()
        gate = Gate(Pace(Limits(), 4), clock, lambda: clock.now)
        first, second = gate.turn(1), gate.turn(1)
        await first.enter()
        first.leave(slowed(20.0))
        await second.enter()
        return clock.now

    assert asyncio.run(go()) == pytest.approx(1_020)


def test_nothing_passes_once_the_run_is_stopping() -> None:
    """A request that waits at the gate is turned back when the run stops."""

    async def go() -> None:
        clock = Clock()
        gate = Gate(Pace(Limits(), 1), clock, lambda: clock.now)
        await gate.turn(1).enter()
        entering = asyncio.ensure_future(gate.turn(1).enter())
        await asyncio.sleep(0)
        clock.event.set()
        with pytest.raises(Interrupted):
            await entering

    asyncio.run(go())


def test_a_limit_that_blocks_for_long_stops_the_run() -> None:
    """Where a day's tokens are used up the run ends, resumable, rather than sleep for hours."""

    async def go() -> Clock:
        clock = Clock()
        gate = Gate(Pace(Limits(tokens_a_day=10), 4), clock, lambda: clock.now)
        await gate.turn(10).enter()
        with pytest.raises(Interrupted):
            await gate.turn(1).enter()
        return clock

    reason = asyncio.run(go()).reason
    assert isinstance(reason, Stopped)
    assert "1,440 minutes" in str(reason)
