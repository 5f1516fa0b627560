"""Seconds, those of the processor, and memory of each command on a finished run, as it grows.

    python benchmarks/archive.py [--trials 1000,10000,100000] [--language en] [--rounds 1]

Two runs of the same plan are written by the project's own store, with replies as a model gives
them: nothing is sent. Each command is a whole process: ``needle resume`` sees by the log that
nothing is left, scores what is stored and draws; ``score`` scores every reply anew and draws;
``table`` writes CSV; ``compare`` holds both runs against each other; ``report`` writes the page.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from needle.asking.outcomes import Line, write_line
from needle.edges.config import read_recipe
from needle.edges.store import create_whole
from needle.runs.prepare import Prepared, prepare
from needle.scoring.scorers import score_outcome
from needle.words.types import Asked, Reply, Score, Trial

LENGTHS = tuple(range(4_000, 84_000, 4_000))
DEPTHS = 25
AT = "2026-11-24T00:00:00.000Z"


def prepare_trials(model: str, language: str, trials: int) -> Prepared:
    """Prepare a run of about so many trials, that no one will answer."""
    languages = 2 if language == "both" else 1
    said = {
        "model": [model],
        "base_url": ["http://127.0.0.1:9/v1"],
        "language": language,
        "window": 1_000_000,
        "controls": "none",
        "grid": {"lengths": list(LENGTHS), "depth_count": DEPTHS},
        "replicates": max(1, round(trials / (languages * len(LENGTHS) * DEPTHS))),
    }
    return prepare(read_recipe(None, said), True, model, datetime.now(UTC).date().isoformat())


def answer(trial: Trial, rng: random.Random) -> Asked:
    """Answer as a model does that finds less the longer the text is."""
    found = rng.random() > trial.context_length / 200_000
    text = f"The text says: {trial.needle.facts[0]}" if found else "The text does not say so."
    reply = Reply(
        text,
        finish_reason="stop",
        endpoint_prompt_tokens=trial.prompt_tokens + 11,
        completion_tokens=rng.randrange(8, 40),
        served_model="any",
        request_id=f"chatcmpl-{rng.getrandbits(96):024x}",
    )
    return Asked(reply, 1, 0, rng.uniform(0.4, 9.0), AT)


def write_run(out: Path, model: str, language: str, trials: int) -> tuple[Path, int]:
    """Write a finished run's folder; return it with the number of its outcomes."""
    prepared, rng = prepare_trials(model, language, trials), random.Random(model)
    lines: list[Line] = []
    scores: list[Score] = []
    for trial in prepared.plan.trials:
        asked = answer(trial, rng)
        lines.append(write_line(trial, asked, None))
        scores += score_outcome(prepared.run.scorers, trial.key, trial.needle, asked.result)
    return create_whole(out, prepared.run, lines, scores), len(lines)


def measure(command: list[str]) -> tuple[float, float, float]:
    """Return a command's seconds, those of the processor, and its peak resident memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "needle", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"needle {' '.join(command)} failed: {said}")
    worked = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - began, worked, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", default="1000,10000,100000")
    parser.add_argument("--language", default="en", choices=("en", "zh", "both"))
    parser.add_argument("--rounds", type=int, default=1)
    said = parser.parse_args()
    names = ("resume", "score", "table", "compare", "report")
    print(f"| outcomes | {' | '.join(f'{name}, s / CPU s (MB)' for name in names)} | page, MB |")
    print(f"|{'---|' * (len(names) + 2)}")
    for trials in map(int, said.trials.split(",")):
        with tempfile.TemporaryDirectory() as temporary:
            print(row(Path(temporary), said.language, trials, said.rounds), flush=True)


def row(out: Path, language: str, trials: int, rounds: int) -> str:
    """Return a line of the table."""
    first, number = write_run(out, "one", language, trials)
    second, _ = write_run(out, "two", language, trials)
    page = out / "page.html"
    commands = (
        ["resume", str(first)],
        ["score", str(first)],
        ["table", str(first)],
        ["compare", str(first), str(second)],
        ["report", str(first), "--output", str(page)],
    )
    taken: list[list[tuple[float, float, float]]] = [[] for _ in commands]
    for _ in range(rounds):
        for times, command in zip(taken, commands, strict=True):
            times.append(measure(command))
    cells = [
        f"{statistics.median(seconds for seconds, _, _ in times):.1f} / "
        f"{statistics.median(worked for _, worked, _ in times):.1f} "
        f"({max(memory for _, _, memory in times):,.0f})"
        for times in taken
    ]
    return f"| {number:,} | {' | '.join(cells)} | {page.stat().st_size / 1e6:.1f} |"


if __name__ == "__main__":
    main()
