"""How long a plan takes: 35 x 35 to 128k and other grids, the whole command, cold start included.

python benchmarks/planning.py
"""

import statistics
import subprocess
import sys
import time

GRIDS = (
    ("35 x 35 to 128k, English", ["--grid", "full", "--language", "en", "--window", "128288"]),
    ("35 x 35 to 128k, both languages", ["--grid", "full", "--window", "128288"]),
    ("15 x 15 to 128k, both languages", ["--grid", "published"]),
    ("11 depths to 1M, both languages", ["--lengths", "128k,256k,512k,1M", "--window", "2M"]),
)


def time_plan(options: list[str], times: int = 5) -> float:
    """Return the median seconds of ``needle plan`` with these options."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        command = [sys.executable, "-m", "needle", "plan", "--model", "sim/reader", *options]
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    """Print the table."""
    print("| plan | seconds, median of 5 |\n|---|---|")
    for name, options in GRIDS:
        print(f"| {name} | {time_plan(options):.2f} |")


if __name__ == "__main__":
    main()
