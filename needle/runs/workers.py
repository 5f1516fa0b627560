"""What a worker of a cluster does: it writes the prompts of runs and sends each once.

It decides nothing, and knows nothing of what came of other requests.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import needle
from needle.caching.chains import Step
from needle.edges.endpoint import Heard
from needle.runs.beside import SenderHere
from needle.runs.writing import Texts
from needle.words.types import Haystack, Language, Run

Shipped = Mapping[Language, tuple[str, Sequence[Any]]]
"""A run's haystacks: the sha256 of each, and a list with the reference to where it is kept."""


class Asker:
    """What a worker does: it opens what a run's prompts are written from, and sends them."""

    def __init__(self) -> None:
        """Begin with nothing open."""
        self._senders: dict[int, SenderHere] = {}
        self._haystacks: dict[str, Haystack] = {}

    async def describe(self) -> str:
        """Return which needle the worker has."""
        return describe_code()

    async def open(
        self,
        number: int,
        run: Run,
        longest: Mapping[tuple[Language, int], int],
        shipped: Shipped,
        key: str | None,
    ) -> None:
        """Be ready to send the prompts of a run."""
        if number in self._senders:
            return
        haystacks = {}
        for language, (sha256, (reference,)) in shipped.items():
            if sha256 not in self._haystacks:
                self._haystacks[sha256] = await reference
            haystacks[language] = self._haystacks[sha256]
        self._senders[number] = SenderHere(Texts(run, haystacks, longest), key)

    async def send(self, number: int, step: Step) -> Heard:
        """Send a step of a run once; return what came of it."""
        return await self._senders[number].send(step)

    async def close(self, number: int) -> None:
        """End what was open for a run."""
        sender = self._senders.pop(number, None)
        if sender is not None:
            await sender.close()


def describe_code() -> str:
    """Return needle's version with a digest of its code, which shapes prompts and answers."""
    folder = Path(needle.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return f"{needle.__version__} ({digest.hexdigest()[:8]})"
