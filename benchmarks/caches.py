"""What a grid costs with a prompt cache: sent as needle sends it, and row by row.

    python benchmarks/caches.py [LONGEST]

Whole runs of a 15 x 15 English grid (LONGEST tokens, 32k unless told) against the built-in
endpoint, which plays each vendor's rules (docs/caches.md); 8 requests at once, each answered
after 0.2 s. "Row by row" is the usual order: short contexts first, each by depth, nothing waited
for, no marks. The ideal cache keeps every token of every prompt from the moment it is sent; what
it has to read is counted on the prompts' own tokens. Where llama.cpp's server is at hand
(make test-real sets it up) the same is done with it, one request at a time.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from subprocess import run

import numpy as np
from numpy.typing import NDArray

from needle.caches import CACHES, find_cache
from needle.config import read_recipe
from needle.prepare import prepare
from needle.prompts import build_messages, choose_template
from needle.runner import passage_reader
from needle.simulator import running
from needle.tokens import load_encoder

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))


AT_ONCE = 8
LATENCY_S = 0.2
READ_RATE = 0.1  # what a token read from a cache costs, in input tokens
GRID = ("--language", "en", "--controls", "none", "--length-count", "15", "--depth-count", "15")
LLAMA_WINDOW = 16_384


@dataclass(frozen=True)
class Bill:
    """A run's prompt tokens: all of them, those read from a cache, and those written to one."""

    prompts: int
    read: int
    written: int

    @property
    def full(self) -> int:
        """Tokens that no cache served."""
        return self.prompts - self.read

    def worth(self, write_rate: float) -> float:
        """Return what they cost, in input tokens."""
        return self.full + self.written * (write_rate - 1) + self.read * READ_RATE


def needle(*said: str) -> None:
    """Call needle in a process of its own; end here if it fails."""
    done = run((sys.executable, "-m", "needle", *said), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)


def carry_out(*said: str) -> Bill:
    """Carry out a run; return its bill."""
    with tempfile.TemporaryDirectory() as out:
        needle("run", "--yes", "--out", out, *GRID, *said)
        (log,) = Path(out).glob("*/outcomes.jsonl")
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return Bill(
        prompts=sum(line["endpoint_prompt_tokens"] for line in lines),
        read=sum(line["cached_tokens"] or 0 for line in lines),
        written=sum(line["cache_write_tokens"] or 0 for line in lines),
    )


def count_ideal(longest: str) -> int:
    """Return the tokens of a grid's prompts that an ideal prefix cache has to read."""
    grid = {"length_count": 15, "depth_count": 15, "lengths": None}
    said = {"model": ["sim/blind"], "language": "en", "controls": "none", "window": longest}
    recipe = read_recipe(None, {**said, "grid": {k: v for k, v in grid.items() if v}})
    prepared = prepare(recipe, told_language=True, model_name="sim/blind", date="2026-11-24")
    encode, read = load_encoder("o200k_base"), passage_reader(prepared)
    prompts: list[NDArray[np.int32]] = []
    for trial in prepared.plan.trials:
        template = choose_template(prepared.run.templates, trial.task, trial.language)
        messages = build_messages(trial, template, read(trial))
        ids = [token for message in messages for token in (-1, *encode(message["content"]))]
        prompts.append(np.array(ids, np.int32))
    prompts.sort(key=lambda ids: ids.astype(">i4").tobytes())
    shared = sum(count_common(one, other) for one, other in pairwise(prompts))
    return sum(map(len, prompts)) - shared


def count_common(one: NDArray[np.int32], other: NDArray[np.int32]) -> int:
    """Return with how many same tokens two prompts begin."""
    least = min(len(one), len(other))
    differ = np.flatnonzero(one[:least] != other[:least])
    return int(differ[0]) if len(differ) else least


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    head, *body = rows
    print("|", " | ".join(head), "|")
    print("|" + "---|" * len(head))
    for row in body:
        print("|", " | ".join(row), "|")


def compare_rules(longest: str) -> None:
    """Print the bills of each vendor's rules."""
    ideal = count_ideal(longest)
    rows = [("rules", "order", "prompts", "read", "written", "in full", "over ideal", "worth")]
    for name in CACHES:
        rules = find_cache(name)
        window = ("--window", longest, "--concurrency", str(AT_ONCE))
        with running(cache=name, latency_s=LATENCY_S) as url:
            aware = carry_out(
                *("--model", "sim/blind", *window, "--cache", name), "--base-url", url
            )
        with running(cache=name, latency_s=LATENCY_S) as url:
            plain = carry_out(
                *("--model", "sim/blind", *window, "--cache", "none"), "--base-url", url
            )
        for order, bill in (("row by row", plain), ("needle's", aware)):
            rows.append(
                (
                    *(name, order, f"{bill.prompts:,}", f"{bill.read:,}", f"{bill.written:,}"),
                    *(f"{bill.full:,}", f"{bill.full / ideal - 1:+.1%}"),
                    f"{bill.worth(rules.write_rate):,.0f}",
                )
            )
        print(rows[-2], rows[-1], file=sys.stderr)
    print(f"\nThe ideal cache has {ideal:,} tokens to read.\n")
    table(rows)


if __name__ == "__main__":
    compare_rules(sys.argv[1] if len(sys.argv) > 1 else "32k")
