"""The laws of a shared flush: on disk before told, and nothing told that was lost."""

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from needle.edges.store import Log
from needle.words.errors import StoreError


def read_names(path: Path) -> list[str]:
    """Return the trials of a log's lines, in order."""
    return [json.loads(line)["trial"] for line in path.read_bytes().splitlines()]


async def test_a_line_is_kept_by_a_flush_that_began_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told that a line is kept is told after a flush that began with it written."""
    path = tmp_path / "o.jsonl"
    flushed: set[str] = set()
    flushes = 0
    real = os.fsync

    def look(descriptor: int) -> None:
        nonlocal flushes
        there = read_names(path)
        real(descriptor)
        flushes += 1
        flushed.update(there)

    monkeypatch.setattr(os, "fsync", look)
    log = Log(path)

    async def keep(name: str, ticks: int) -> None:
        for _ in range(ticks):
            await asyncio.sleep(0)
        await log.keep({"trial": name})
        assert name in flushed

    await asyncio.gather(*(keep(f"{number}", number % 7) for number in range(60)))
    log.close()
    assert sorted(read_names(path), key=int) == [f"{number}" for number in range(60)]
    assert flushes < 60


async def test_what_a_failed_flush_loses_is_told_to_all_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a flush fails, each line that no flush has kept is gone, and who wrote it knows."""
    path = tmp_path / "o.jsonl"
    log = Log(path)
    await log.keep({"trial": "kept"})
    began, go_on = threading.Event(), threading.Event()

    def fail(_: int) -> None:
        began.set()
        assert go_on.wait(10)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        first = asyncio.ensure_future(log.keep({"trial": "first"}))
        assert await asyncio.to_thread(began.wait, 10)
        second = asyncio.ensure_future(log.keep({"trial": "second"}))  # waits for the next flush
        await asyncio.sleep(0)
        assert read_names(path) == ["kept", "first", "second"]
        go_on.set()
        results = await asyncio.gather(first, second, return_exceptions=True)
    assert all(isinstance(each, StoreError) for each in results)
    with pytest.raises(StoreError, match="no space left"):
        await log.keep({"trial": "later"})
    log.close()
    assert read_names(path) == ["kept"]


async def test_a_line_whose_writer_is_cancelled_is_flushed_before_the_log_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second Ctrl-C drops who waits, never the flush that has begun: its file stays open."""
    path = tmp_path / "o.jsonl"
    began, go_on = threading.Event(), threading.Event()
    done: list[int] = []
    real = os.fsync

    def slow(descriptor: int) -> None:
        began.set()
        assert go_on.wait(10)
        real(descriptor)
        done.append(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    log = Log(path)
    keeping = asyncio.ensure_future(log.keep({"trial": "a"}))
    assert await asyncio.to_thread(began.wait, 10)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    threading.Timer(0.05, go_on.set).start()
    log.close()
    assert len(done) == 1
    assert read_names(path) == ["a"]
