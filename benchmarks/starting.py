"""How long needle takes to start: its help, its version, and the list of models.

python benchmarks/starting.py
"""

import statistics
import subprocess
import sys
import time

COMMANDS = (["--help"], ["--version"], ["models"])
ROUNDS = 15


def time_command(command: list[str]) -> float:
    """Return the milliseconds that a command takes, interpreter and all."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "needle", *command], check=True, capture_output=True)
    return 1_000 * (time.perf_counter() - began)


def main() -> None:
    """Print the table."""
    taken: list[list[float]] = [[] for _ in COMMANDS]
    for _ in range(ROUNDS):
        for times, command in zip(taken, COMMANDS, strict=True):
            times.append(time_command(command))
    print(f"| command | ms, median of {ROUNDS} | least |\n|---|---|---|")
    for command, times in zip(COMMANDS, taken, strict=True):
        name = " ".join(["needle", *command])
        print(f"| `{name}` | {statistics.median(times):.0f} | {min(times):.0f} |")


if __name__ == "__main__":
    main()
