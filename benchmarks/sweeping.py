"""Requests a second and CPU of a sweep: here, and on a Ray cluster of one and of two workers.

    python benchmarks/sweeping.py [--requests 1000] [--rounds 3] [--tokens 8000]

Four models at four servers on loopback, each a process that reads a request whole and answers
at once (answering.py), so that nothing but the asking takes time. Prompts are written, sent,
stored and scored as in any sweep; plans are made before the clock starts, and so is the cluster.
Engines take turns; figures are medians. CPU is that of the process that stores, a request; what
workers and servers use comes on top, on the same cores.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from needle.edges.config import read_recipe
from needle.edges.store import create_run
from needle.runs.beside import OpenSender, send_here
from needle.runs.board import Board
from needle.runs.cluster import working
from needle.runs.prepare import Prepared, prepare
from needle.runs.runner import Ending, count_spent
from needle.runs.together import Account, Member, carry_out_all, find_endpoints

SERVERS = 4
SERVER = Path(__file__).with_name("answering.py")


@contextmanager
def answering() -> Iterator[str]:
    """Yield the address of a server in a process of its own."""
    server = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    finally:
        server.terminate()
        server.wait()


def prepare_run(url: str, number: int, requests: int, tokens: int, concurrency: int) -> Prepared:
    """Prepare a run of so many English trials of one length."""
    name = f"any-{number}"
    depths = min(requests, 50)
    said = {
        "model": [name],
        "base_url": [url],
        "language": "en",
        "window": 1_000_000,
        "controls": "none",
        "cache": "none",
        "concurrency": concurrency,
        "grid": {"lengths": [tokens], "depth_count": depths},
        "replicates": -(-requests * 2 // depths),
    }
    prepared = prepare(read_recipe(None, said), True, name, datetime.now(UTC).date().isoformat())
    return replace(prepared, plan=replace(prepared.plan, trials=prepared.plan.trials[:requests]))


def sweep(ready: list[Prepared], open_sender: OpenSender) -> tuple[float, float]:
    """Carry the runs out in a fresh folder; return requests a second, and CPU ms a request."""
    endpoints = find_endpoints(ready, [False] * len(ready), [""] * len(ready))
    with (
        tempfile.TemporaryDirectory() as out,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
    ):
        board = Board(stream=nowhere)
        members = [
            Member(
                prepared,
                create_run(Path(out), prepared.run),
                None,
                board.add_row(prepared.run.model.name, prepared.run),
                count_spent(prepared, None, ()),
                endpoint,
            )
            for prepared, endpoint in zip(ready, endpoints, strict=True)
        ]
        began, busy = time.perf_counter(), time.process_time()
        account = Account(None, {}, len(ready))
        endings = carry_out_all(members, open_sender, account, board.say)
        seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    wanted = sum(len(prepared.plan.trials) for prepared in ready)
    replies = sum(each.replies for each in endings if isinstance(each, Ending))
    if replies != wanted:
        raise SystemExit(f"{replies} of {wanted} requests were answered: {endings}")
    return wanted / seconds, 1_000 * cpu / wanted


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=8_000)
    parser.add_argument("--concurrency", type=int, default=16)
    said = parser.parse_args()
    measured: dict[str, list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        each = said.requests // SERVERS
        ready = [
            prepare_run(stack.enter_context(answering()), n, each, said.tokens, said.concurrency)
            for n in range(SERVERS)
        ]
        for _ in range(said.rounds):
            for name, workers in (("here", 0), ("ray, 1 worker", 1), ("ray, 2 workers", 2)):
                engine = working("local", workers) if workers else nullcontext(send_here)
                with engine as open_sender:
                    sweep([shorten(prepared) for prepared in ready], open_sender)  # to warm up
                    measured.setdefault(name, []).append(sweep(ready, open_sender))
    print(f"{os.cpu_count()} cores, prompts of {said.tokens:,} tokens, {said.requests} requests")
    print("| engine | requests / s | prompt tokens / s | CPU ms of the storing process |")
    print("|---|---|---|---|")
    for name, figures in measured.items():
        rate, busy = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"| {name} | {rate:,.0f} | {rate * said.tokens:,.0f} | {busy:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the storing process: {peak:,.0f} MB")


def shorten(prepared: Prepared) -> Prepared:
    """Return a run with a few of its trials."""
    return replace(prepared, plan=replace(prepared.plan, trials=prepared.plan.trials[:8]))


if __name__ == "__main__":
    main()
