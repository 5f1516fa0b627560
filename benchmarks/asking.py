"""Requests a second and CPU a request at zero latency, beside a bare loop over the openai client.

    python benchmarks/asking.py [--requests 400] [--rounds 5] [--concurrency 16]

The server is another process, on loopback: it reads each request whole and answers at once. The
bare loop has its prompts ready in memory, sends them with AsyncOpenAI at the same concurrency,
keeps each answer's text and stores nothing. needle builds each prompt when its turn comes, puts
each outcome on disk (fsync) before it counts as done, and scores it. Both run in the same
process, in turns; figures are medians.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from needle.edges.config import read_recipe
from needle.edges.endpoint import request_body
from needle.edges.store import create_run
from needle.runs.prepare import Prepared, prepare
from needle.runs.runner import Orders, carry_out
from needle.runs.writing import passage_reader, write_prompt
from needle.words.errors import known
from needle.words.types import Score, Trial

LENGTHS = (1_000, 8_000, 64_000)

SERVER = Path(__file__).with_name("answering.py")


class Unseen:
    """A watch that counts, and shows nothing."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.told = 0

    def begin(self, todo: Sequence[Trial], before: Sequence[tuple[Trial, Score]]) -> None:
        """See ``runner.Watch``."""

    def go_on(self, todo: Sequence[Trial]) -> None:
        """See ``runner.Watch``."""

    def show(self, *_: object) -> None:
        """See ``runner.Watch``."""
        self.told += 1

    def say(self, sentence: str) -> None:
        """See ``runner.Watch``."""


def prepare_trials(url: str, length: int, requests: int, concurrency: int) -> Prepared:
    """Prepare a run of at least so many English trials of one length, and keep so many of them."""
    depths = min(requests, 50)
    said = {
        "model": ["any"],
        "base_url": [url],
        "language": "en",
        "window": 1_000_000,
        "controls": "none",
        "concurrency": concurrency,
        "grid": {"lengths": [length], "depth_count": depths},
        "replicates": -(-requests * 2 // depths),  # depths that fall on one place are one trial
    }
    recipe = read_recipe(None, said)
    prepared = prepare(recipe, True, "any", datetime.now(UTC).date().isoformat())
    return replace(prepared, plan=replace(prepared.plan, trials=prepared.plan.trials[:requests]))


def measure(work: Callable[[], int], requests: int) -> tuple[float, float]:
    """Return requests a second, and CPU milliseconds a request, of some work."""
    began, busy = time.perf_counter(), time.process_time()
    answered = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    if answered != requests:
        raise SystemExit(f"{answered} of {requests} requests were answered")
    return requests / seconds, 1_000 * cpu / requests


def ask_with_needle(prepared: Prepared) -> int:
    """Carry a run out in a fresh folder; return how many replies are stored."""
    with tempfile.TemporaryDirectory() as out:
        folder = create_run(Path(out), prepared.run)
        return carry_out(prepared, folder, None, Unseen(), Orders()).replies


def ask_bare(bodies: Sequence[dict[str, Any]], url: str, concurrency: int) -> int:
    """Send prompts that are ready in a bare loop; return how many were answered."""
    answers: list[str | None] = []

    async def work() -> None:
        todo = iter(bodies)

        async def ask_on() -> None:
            for body in todo:
                made = await client.chat.completions.create(**body)
                answers.append(made.choices[0].message.content)

        async with AsyncOpenAI(api_key="none", base_url=url, max_retries=0) as client:
            await asyncio.gather(*(ask_on() for _ in range(concurrency)))

    asyncio.run(work())
    return len(answers)


def write_bodies(prepared: Prepared) -> list[dict[str, Any]]:
    """Return the bodies of all requests of a run."""
    run, read = prepared.run, passage_reader(prepared)
    return [
        request_body(
            run.model,
            write_prompt(run, trial, read(trial)),
            run.temperature,
            known(run.reply_tokens),
        )
        for trial in prepared.plan.trials
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=16)
    said = parser.parse_args()
    server = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        print("| tokens | needle /s | bare loop /s | needle / bare | needle CPU ms | bare CPU ms |")
        print("|---|---|---|---|---|---|")
        for length in LENGTHS:
            print(row(url, length, said.requests, said.rounds, said.concurrency), flush=True)
    finally:
        server.terminate()
        server.wait()


def row(url: str, length: int, requests: int, rounds: int, concurrency: int) -> str:
    """Return a line of the table: needle and the bare loop in turns."""
    prepared = prepare_trials(url, length, requests, concurrency)
    bodies = write_bodies(prepared)
    ask_bare(bodies[:concurrency], url, concurrency)  # what is imported once is not timed
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(measure(lambda: ask_with_needle(prepared), requests))
        bare.append(measure(lambda: ask_bare(bodies, url, concurrency), requests))
    rate, busy = (statistics.median(each) for each in zip(*ours, strict=True))
    bare_rate, bare_busy = (statistics.median(each) for each in zip(*bare, strict=True))
    share = statistics.median(one[0] / other[0] for one, other in zip(ours, bare, strict=True))
    return (
        f"| {length:,} | {rate:,.0f} | {bare_rate:,.0f} | {share:.2f} "
        f"| {busy:.2f} | {bare_busy:.2f} |"
    )


if __name__ == "__main__":
    main()
