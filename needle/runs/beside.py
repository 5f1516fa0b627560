"""What a run shares with the runs that are carried out beside it, and who sends its attempts.

A run that goes alone has all of it to itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from needle.asking.budget import Purse
from needle.caching.chains import Step
from needle.edges.endpoint import Heard, ask_once, open_client
from needle.runs.gate import Gate
from needle.runs.prepare import Prepared
from needle.runs.stopping import Stop
from needle.runs.writing import Texts, body_writer, gather_texts
from needle.words.errors import known


class Sender(Protocol):
    """Who sends the attempts of one run, one request each."""

    async def send(self, step: Step) -> Heard:
        """Write a step's prompt, send it once, and return what came of it.

        Never raises for what an endpoint does; raises Stopped where nothing can be sent any more.
        """

    async def close(self) -> None:
        """End, once nothing is in flight."""


OpenSender = Callable[[Prepared, str | None], Sender]
"""Opens a run's sender, given its key."""


class SenderHere:
    """Sends from this process."""

    def __init__(self, texts: Texts, key: str | None) -> None:
        """Open the client of a run's endpoint."""
        run = texts.run
        self._client = open_client(run.model, key, known(run.timeout_s))
        self._write = body_writer(texts)
        self._key, self._errors = key, run.model.errors

    async def send(self, step: Step) -> Heard:
        """See ``Sender``."""
        return await ask_once(self._client, self._write(step), self._key, self._errors)

    async def close(self) -> None:
        """See ``Sender``."""
        await self._client.close()


def send_here(prepared: Prepared, key: str | None) -> SenderHere:
    """Open a run's sender in this process."""
    return SenderHere(gather_texts(prepared), key)


class Flights:
    """How many trials of all runs are being asked; who waits for one to end is woken by any."""

    def __init__(self) -> None:
        """Begin with none."""
        self.number = 0
        self._waiting: list[asyncio.Event] = []

    def tell(self, event: asyncio.Event) -> None:
        """Let an event be set whenever one has ended."""
        self._waiting.append(event)

    def begin(self) -> None:
        """Note that one is asked."""
        self.number += 1

    def end(self) -> None:
        """Note that one has ended."""
        self.number -= 1
        for event in self._waiting:
            event.set()


@dataclass(slots=True)
class Beside:
    """What a run shares with others: the gate of its endpoint, its part of a budget, the disk.

    ``gate`` and ``purse`` are None where the run has its own. ``guard`` is entered while trials
    are asked: it catches the signals of a run that goes alone.
    """

    stop: Stop
    open_sender: OpenSender = send_here
    gate: Gate | None = None
    purse: Purse | None = None
    flights: Flights = field(default_factory=Flights)
    guard: AbstractContextManager[None] = field(default_factory=nullcontext)
