"""Putting a growing file on disk beside a loop: what is written meanwhile shares the next flush.

A disk takes milliseconds for a flush, whatever it holds. In a thread of its own it keeps no
request waiting that has nothing to do with it.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor


class Flushes:
    """The flushes of one file, one at a time."""

    def __init__(self, descriptor: int) -> None:
        """Flush the file of a descriptor, which stays open until ``close``."""
        self._descriptor = descriptor
        self._thread: ThreadPoolExecutor | None = None
        self._door = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Return once all that is written by now is on disk; raise OSError if it can't be.

        A flush that has begun may have passed over it, so only one that begins later counts.
        Who is cancelled waits no longer; the flush goes on.
        """
        if self._following is None:
            self._following = asyncio.ensure_future(self._flush())
        await asyncio.shield(self._following)

    async def _flush(self) -> None:
        async with self._door:
            self._following = None
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "needle.flush")
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, os.fsync, self._descriptor)

    def close(self) -> None:
        """Wait for a flush that has begun: the descriptor may be closed then."""
        if self._thread is not None:
            self._thread.shutdown()
