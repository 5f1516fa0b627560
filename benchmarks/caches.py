"""What a grid costs with a prompt cache: sent as needle sends it, and row by row.

    python benchmarks/caches.py [LONGEST]

1. Whole runs of a 15 x 15 English grid up to LONGEST tokens (32k unless told) against the
   built-in endpoint, which plays each vendor's rules: 8 requests at once, each answered after
   0.2 s. "Row by row" is the usual order, short contexts first and each by depth, with nothing
   waited for and nothing marked.
2. The same grid sent slowly, one request a minute, in time that is only reckoned.
3. Arrangements of marks, by Anthropic's rules and in reckoned time.
4. llama.cpp's own server with a tiny model, where it is at hand (make test-real sets it up): the
   prompt tokens that it evaluated.

The ideal cache keeps every token of every prompt from the moment that it is sent: whatever the
order, it has to read each distinct beginning once. What that comes to is counted on the prompts'
own tokens. "Worth" is what is billed in input tokens, a read one at a tenth.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from needle.caching.chains import Step, serve
from needle.caching.ordering import arrange, fan_out
from needle.caching.prefixes import count_shared, group_trials, share, sort_ascending
from needle.edges.caches import CACHES, NO_CACHE, find_cache
from needle.edges.tokens import load_encoder
from needle.runs.prepare import Prepared
from needle.runs.simulator import running
from needle.words.tariffs import CacheRules, Limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from bounds import Encode, count_ideal, encode_prompts, load_tokenizer
from real.parts import LLAMA, serving_llama
from rehearsing import measure_prompts, prepare_grid, rehearse

AT_ONCE = 8
LATENCY_S = 0.2
MINUTE_S = 60.0
READ_RATE = 0.1
COUNT = 15
LLAMA_WINDOW = 8_192
LLAMA_GRID = ("--length-count", "8", "--depth-count", "11", "--reply-tokens", "8")


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

    def worth(self, rules: CacheRules) -> float:
        """Return what they cost, in input tokens."""
        return self.full + self.written * (rules.write_rate - 1) + self.read * READ_RATE


def carry_out(*said: str) -> Bill:
    """Carry out a run in a process of its own; return its bill."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "needle",
            "run",
            "--yes",
            "--controls",
            "none",
            "--out",
            out,
        ]
        done = subprocess.run([*command, *said], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        (log,) = Path(out).glob("*/outcomes.jsonl")
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return Bill(
        prompts=sum(line["endpoint_prompt_tokens"] for line in lines),
        read=sum(line["cached_tokens"] or 0 for line in lines),
        written=sum(line["cache_write_tokens"] or 0 for line in lines),
    )


def print_table(*rows: Sequence[object]) -> None:
    """Print a table in Markdown, figures with commas and shares as percentages."""
    written = [
        [
            f"{c:+.1%}" if isinstance(c, float) else f"{c:,}" if isinstance(c, int) else str(c)
            for c in row
        ]
        for row in rows
    ]
    for number, row in enumerate(written):
        print(f"| {' | '.join(row)} |")
        if number == 0:
            print("|" + "---|" * len(row))
    print(flush=True)


def make_grid(longest: str, encode: Encode) -> tuple[Prepared, int, int]:
    """Return the grid, and what an ideal cache has to read of it, once and twice."""
    prepared = prepare_grid(COUNT, COUNT, window=longest)
    prompts = encode_prompts(prepared, encode)
    return prepared, count_ideal(prompts), count_ideal(prompts, readings=2)


def count_unserved(prepared: Prepared, rules: CacheRules) -> int:
    """Return how many tokens that prompts share a cache can't serve: by its minimum and steps."""
    (group,), _ = group_trials(prepared.plan.trials, prepared.run.templates)
    if rules.kind == "none":
        return round(sum(tokens for _, tokens in count_shared(group)))
    order = sort_ascending(group.trials)
    places = [(trial, share(before, trial)) for before, trial in pairwise(order)]
    return round(sum(group.before(p) - serve(group, t, p, rules) for t, p in places))


def compare_rules(prepared: Prepared, longest: str, ideal: int, twice: int) -> None:
    """Print the bills of whole runs by each vendor's rules, and the least that these allow."""
    said = ("--model", "sim/blind", "--language", "en", "--window", longest)
    grid = (
        "--length-count",
        str(COUNT),
        "--depth-count",
        str(COUNT),
        "--concurrency",
        str(AT_ONCE),
    )
    head = ("row by row: in full", "over ideal", "worth", "needle's order: in full", "over ideal")
    rows: list[Sequence[object]] = [("rules", "least over ideal", *head, "written", "worth")]
    for name in CACHES:
        rules, bills = find_cache(name), []
        least = twice if rules.on_third else ideal + count_unserved(prepared, rules)
        for own in ("none", name):
            with running(cache=name, latency_s=LATENCY_S) as url:
                bills.append(carry_out(*said, *grid, "--cache", own, "--base-url", url))
        plain, aware = bills
        rows.append(
            (
                *(
                    name,
                    least / ideal - 1,
                    plain.full,
                    plain.full / ideal - 1,
                    round(plain.worth(rules)),
                ),
                *(aware.full, aware.full / ideal - 1, aware.written, round(aware.worth(rules))),
            )
        )
        print(rows[-1], file=sys.stderr)
    print(
        f"Of {plain.prompts:,} tokens the ideal cache has {ideal:,} to read; one that serves what"
    )
    print(f"two prompts before have shared, {twice:,} ({twice / ideal - 1:+.1%}).\n")
    print_table(*rows)


def bill_in_time(
    prepared: Prepared,
    steps: Sequence[Step],
    sender: CacheRules,
    playing: CacheRules,
    every_s: float = 0.0,
) -> Bill:
    """Return the bill of a run in reckoned time: 5 s and 20,000 tokens read a second a reply."""
    prompts = measure_prompts(prepared, steps, sender, playing)
    turns = rehearse(
        *(steps, sender, AT_ONCE, prompts, playing), lambda tokens: 5 + tokens / 20_000, every_s
    )
    return Bill(
        prompts=sum(prompt.tokens for prompt in prompts),
        read=sum(turn.served.read for turn in turns),
        written=sum(turn.served.written for turn in turns),
    )


def compare_slow_runs(prepared: Prepared, ideal: int) -> None:
    """Print what cools in a run of one request a minute."""
    trials, templates = prepared.plan.trials, prepared.run.templates
    head = ("row by row: in full", "over ideal", "needle's order: in full", "over ideal")
    rows: list[Sequence[object]] = [("rules", "lifetime", *head)]
    for name in ("openai", "kimi", "gemini", "anthropic", "openai-explicit", "deepseek"):
        rules, cells = find_cache(name), []
        for sender in (NO_CACHE, rules):
            steps = arrange(trials, templates, sender, AT_ONCE, Limits(requests_a_minute=1))
            bill = bill_in_time(prepared, steps, sender, rules, MINUTE_S)
            cells += [bill.full, bill.full / ideal - 1]
        rows.append((name, f"{(rules.lifetime_s or 0) / MINUTE_S:g} min", *cells))
    print_table(*rows)


def compare_marks(prepared: Prepared) -> None:
    """Print what arrangements of marks come to, by Anthropic's rules."""
    rules = find_cache("anthropic")
    trials, templates = prepared.plan.trials, prepared.run.templates
    (group,), _ = group_trials(trials, templates)
    first, *others = fan_out(group, rules)
    spread = [round(first.trial.cut * part / rules.marks) for part in range(1, rules.marks + 1)]
    places = [
        tuple(place for place in spread if place <= share(first.trial, step.trial))
        for step in (first, *others)
    ]
    four = [replace(s, places=p) for s, p in zip((first, *others), places, strict=True)]
    ends = [Step(trial, places=(trial.cut,)) for trial in trials]
    rows: list[Sequence[object]] = [("arrangement", "read", "written", "in full", "worth")]
    for words, steps, sender in (
        ("no marks", [Step(trial) for trial in trials], NO_CACHE),
        ("a mark at each context's end, row by row", ends, replace(rules, lifetime_s=None)),
        ("the longest first, four marks spread over it", four, rules),
        (
            "beginnings that grow, in lanes (needle)",
            arrange(trials, templates, rules, AT_ONCE),
            rules,
        ),
    ):
        bill = bill_in_time(prepared, steps, sender, rules)
        rows.append((words, bill.read, bill.written, bill.full, round(bill.worth(rules))))
    print_table(*rows)


def compare_on_llama() -> None:
    """Print the prompt tokens that llama.cpp's server evaluated."""
    if not LLAMA.exists():
        print("llama.cpp is not at hand: make test-real sets it up.")
        return
    head = ("ideal", "row by row", "over ideal", "needle's order", "over ideal")
    rows: list[Sequence[object]] = [("slots", "at once", "prompts", *head)]
    for slots, at_once in ((1, 1), (4, 4)):
        bills = []
        for cache in (("--cache", "none"), ()):
            with tempfile.TemporaryDirectory() as folder:  # a server with nothing in its slots
                with serving_llama(Path(folder), LLAMA_WINDOW, slots) as llama:
                    said = ("--model", "llama.cpp/needle-random", "--base-url", llama.base_url)
                    counted = ("--tokenizer", str(llama.tokenizer), "--window", str(LLAMA_WINDOW))
                    more = ("--concurrency", str(at_once), "--language", "en", *LLAMA_GRID)
                    bills.append(carry_out(*said, *counted, *more, *cache))
                ideal = count_ideal_of_llama(llama.tokenizer)
        plain, aware = bills
        rows.append(
            (
                *(slots, at_once, plain.prompts, ideal, plain.full, plain.full / ideal - 1),
                *(aware.full, aware.full / ideal - 1),
            )
        )
    print_table(*rows)


def count_ideal_of_llama(tokenizer: Path) -> int:
    """Return what an ideal cache has to read of llama.cpp's grid, in its model's tokens."""
    said = {"window": LLAMA_WINDOW, "tokenizer": str(tokenizer), "reply_tokens": 8}
    prepared = prepare_grid(8, 11, **said)
    return count_ideal(encode_prompts(prepared, load_tokenizer(tokenizer)))


if __name__ == "__main__":
    longest = sys.argv[1] if len(sys.argv) > 1 else "32k"
    prepared, ideal, twice = make_grid(longest, load_encoder("o200k_base"))
    print(f"## Vendors' rules, 15 x 15 to {longest}\n")
    compare_rules(prepared, longest, ideal, twice)
    print("## One request a minute\n")
    compare_slow_runs(prepared, ideal)
    print("## Where to set marks (Anthropic)\n")
    compare_marks(prepared)
    print("## llama.cpp\n")
    compare_on_llama()
