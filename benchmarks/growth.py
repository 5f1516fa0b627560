"""Memory of the client as the grid grows, from 100 trials to 100,000.

    python benchmarks/growth.py [--trials 100,1000,10000,100000] [--budget 5Mtok]

The whole command ``needle run``, figures included, against a server in another process that
answers at once. A budget of tokens ends it after some 900 requests, the same for every grid, so
that what grows is what is kept of each trial: where its needle stands, and its keys.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from needle.edges.store import load_run

SERVER = Path(__file__).with_name("answering.py")
LENGTHS = ",".join(str(length) for length in range(1_000, 11_000, 1_000))
SIDE = 10  # so many lengths, and so many depths
STOPPED = 3


def measure(url: str, trials: int, budget: str) -> tuple[int, int, float]:
    """Return a run's trials, its outcomes, and the client's peak resident memory in MB."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            *(sys.executable, "-m", "needle", "run", "--model", "any", "--base-url", url),
            *("--language", "en", "--lengths", LENGTHS, "--depth-count", str(SIDE)),
            *("--replicates", str(max(1, trials // SIDE**2)), "--window", "1M"),
            *("--controls", "none", "--concurrency", "16", "--budget", budget, "--out", out),
        ]
        client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(client.pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, STOPPED):
            raise SystemExit(f"needle run failed: {os.waitstatus_to_exitcode(status)}")
        folder = next(Path(out).glob("*/outcomes.jsonl")).parent
        outcomes = (folder / "outcomes.jsonl").read_bytes().count(b"\n")
        return load_run(folder).trials, outcomes, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", default="100,1000,10000,100000")
    parser.add_argument("--budget", default="5Mtok")
    said = parser.parse_args()
    server = subprocess.Popen([sys.executable, str(SERVER)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        print("| trials | asked | client's peak memory, MB | more a further trial, kB |")
        print("|---|---|---|---|")
        before: tuple[int, float] | None = None
        for wanted in map(int, said.trials.split(",")):
            trials, asked, peak = measure(url, wanted, said.budget)
            more = (
                "" if before is None else f"{1024 * (peak - before[1]) / (trials - before[0]):.1f}"
            )
            print(f"| {trials:,} | {asked:,} | {peak:,.0f} | {more} |", flush=True)
            before = trials, peak
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
