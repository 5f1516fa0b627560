"""Prompts a second beside the package needlehaystack (PyPI, 0.1.0), with how exact the counts are.

    python benchmarks/rivals.py [--rival /path/to/its/python] [--rounds 5]

needlehaystack is no part of this project, and its old requirements want an environment of its
own: ``python -m venv /tmp/rival && /tmp/rival/bin/pip install needlehaystack``, then
``--rival /tmp/rival/bin/python``. Without it our numbers stand alone.

Both read the shipped essays, count in o200k_base and use one core, in turns; figures are medians.
Ours is a column of 35 depths made from the haystack's text, the measuring of the text included.
Theirs is what it does for each prompt: "as it is" reads its files anew, "text kept" is given the
text that it read, and only cuts it and plants the needle. It goes back from the depth to a full
stop token by token, which in Chinese text is never there: it then ends at the very beginning, in
quadratic time, so that at 1M its Chinese prompts are timed at a depth of 10 percent alone.

"short by" is what the messages of a prompt lack of the tokens asked for, all contents encoded
whole; "depth off by" is by how many percent of the text the needle misses the depth asked for.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from needle.contexts.context import Fitted, Frame, fit, plant, share_cut
from needle.contexts.counting import Counting, Measured, Slice
from needle.contexts.passages import find_boundaries, read_passage
from needle.contexts.prompts import split_template
from needle.edges.config import load_template
from needle.edges.corpus import find_haystacks
from needle.edges.needlefiles import draw_needles, load_needle_source
from needle.edges.tokens import load_counting
from needle.words.types import LANGUAGES, Haystack, Language, Needle

ESSAYS = Path(__file__).resolve().parents[1] / "haystacks" / "essays"
LENGTHS = (8_000, 128_000, 1_000_000)
COLUMN = tuple(100 * number / 34 for number in range(35))
DEPTHS = (10, 50, 90)
SHALLOW = (10,)
CHARACTERS_A_TOKEN = 6

RIVAL = """
import asyncio, json, sys, time
from needlehaystack.llm_needle_haystack_tester import LLMNeedleHaystackTester
from needlehaystack.providers import OpenAI

model = OpenAI("gpt-4o")
count = lambda text: len(model.encode_text_to_tokens(text))
print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    maker = LLMNeedleHaystackTester(
        model_to_test=model, evaluator=object(), needle=job["needle"],
        haystack_dir=job["folder"], retrieval_question=job["question"],
        context_lengths=[job["length"]], document_depth_percents=job["depths"])
    text = maker.read_context_files()
    whole, kept, short, off = [], [], [], []
    for depth in job["depths"]:
        began = time.perf_counter()
        context = asyncio.run(maker.generate_context(job["length"], depth))
        whole.append(time.perf_counter() - began)
        began = time.perf_counter()
        trimmed = maker.encode_and_trim(text, job["length"])
        maker.insert_needle(trimmed, depth, job["length"])
        kept.append(time.perf_counter() - began)
        prompt = model.generate_prompt(context, job["question"])
        short.append(job["length"] - sum(count(part["content"]) for part in prompt))
        before, _, after = context.partition(job["needle"])
        before, after = count(before), count(after)
        off.append(abs(100 * before / (before + after) - depth))
    print(json.dumps({"whole": whole, "kept": kept, "short": short, "off": off}), flush=True)
"""


@dataclass
class Made:
    """Prompts of one language and length: rates a second, tokens short, percent off in depth."""

    rates: list[float]
    short: list[int]
    off: list[float]


def make_column(
    haystack: Haystack, needle: Needle, length: int, counting: Counting
) -> tuple[list[Fitted], list[str]]:
    """Return 35 prompts of a length, the text measured on the way, with what each is fitted to."""
    template = load_template("plain", needle.language)
    text = read_passage(haystack, 0, length * CHARACTERS_A_TOKEN)
    passage = Measured(text, counting, length + 1_000)
    boundaries = find_boundaries(passage.text)
    (before, after), others = split_template(template, needle.question)
    apart = sum(map(counting.count, others))
    frame = Frame(needle.facts, template.separator, before, after, apart)
    shared = share_cut(passage, frame, length)
    fits, prompts = [], []
    for depth in COLUMN:
        fitted = fit(passage, boundaries, frame, length, (depth,), shared)
        parts = plant(fitted.positions, frame.inserts, fitted.cut, frame.separator)
        prompts.append(
            "".join(
                passage.text[part.start : part.end] if isinstance(part, Slice) else part
                for part in (before, *parts, after)
            )
        )
        fits.append(fitted)
    return fits, prompts


def make_ours(
    haystack: Haystack, needle: Needle, length: int, counting: Counting, made: Made
) -> None:
    """Time one column; the first time hold every prompt's count against encoding it whole."""
    began = time.perf_counter()
    fits, prompts = make_column(haystack, needle, length, counting)
    made.rates.append(len(prompts) / (time.perf_counter() - began))
    if made.short:
        return
    _, others = split_template(load_template("plain", needle.language), needle.question)
    apart = sum(map(counting.count, others))
    for fitted, prompt, depth in zip(fits, prompts, COLUMN, strict=True):
        whole = counting.count(prompt) + apart
        if whole != fitted.total:
            raise SystemExit(f"a prompt of {whole} tokens was counted as {fitted.total}")
        made.short.append(length - whole)
        made.off.append(abs(fitted.actual_depths[0] - depth))


class Rival:
    """The other package at work in a process of its own environment."""

    def __init__(self, python: str) -> None:
        """Start it; it finds the encoding's ranks where needle keeps them."""
        ranks = Path(platformdirs.user_cache_dir("needle")) / "tiktoken"
        # Its provider wants a key to be there; nothing is sent.
        env = {"TIKTOKEN_CACHE_DIR": str(ranks), **os.environ, "NIAH_MODEL_API_KEY": "none"}
        env.pop("PYTHONPATH", None)
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-c", RIVAL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )
        self._hear()

    def make(self, needle: Needle, length: int, whole: Made, kept: Made) -> None:
        """Time its prompts of a length, one for each depth."""
        shallow = needle.language == "zh" and length > LENGTHS[1]
        job = {
            "needle": needle.facts[0],
            "question": needle.question,
            "folder": str(ESSAYS / needle.language),
            "length": length,
            "depths": SHALLOW if shallow else DEPTHS,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        told: dict[str, list[Any]] = json.loads(self._hear())
        whole.rates.append(len(told["whole"]) / sum(told["whole"]))
        kept.rates.append(len(told["kept"]) / sum(told["kept"]))
        whole.short += told["short"]
        whole.off += told["off"]

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                "needlehaystack failed (--rival): is it installed in that environment?"
            )
        return line

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def describe(ours: Made, whole: Made, kept: Made) -> str:
    """Return a row's columns behind language and length."""
    rate = statistics.median(ours.rates)
    cells = [f"{rate:,.1f}", f"{min(ours.short)} to {max(ours.short)}", f"{max(ours.off):.2f}"]
    if whole.rates:
        theirs = [statistics.median(each.rates) for each in (whole, kept)]
        cells += [f"{each:,.2f}" for each in theirs]
        cells += [f"{min(whole.short)} to {max(whole.short)}", f"{max(whole.off):.0f}"]
        cells += [f"{rate / max(theirs):,.0f}"]
    return " | ".join(cells)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rival", help="the Python of an environment with needlehaystack")
    parser.add_argument("--rounds", type=int, default=5)
    said = parser.parse_args()
    counting = load_counting("o200k_base")
    rival = Rival(said.rival) if said.rival else None
    head = ["language", "tokens", "needle /s", "short by", "depth off by, %"]
    if rival is not None:
        head += ["needlehaystack as it is /s", "text kept /s"]
        head += ["short by", "depth off by, %", "times as many"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    haystacks = find_haystacks(("essays",))
    for language in LANGUAGES:
        needle = draw_needles(load_needle_source("fictional"), language, 0, 1)[0]
        for length in LENGTHS:
            print(
                row(haystacks, language, needle, length, counting, rival, said.rounds), flush=True
            )
    if rival is None:
        print("\nneedlehaystack is left out: name an environment that has it with --rival")
        return
    rival.close()


def row(
    haystacks: dict[Language, Haystack],
    language: Language,
    needle: Needle,
    length: int,
    counting: Counting,
    rival: Rival | None,
    rounds: int,
) -> str:
    """Return a line of the table: both packages in turns."""
    ours, whole, kept = (Made([], [], []) for _ in range(3))
    for _ in range(rounds):
        make_ours(haystacks[language], needle, length, counting, ours)
        if rival is not None:
            rival.make(needle, length, whole, kept)
    return f"| {language} | {length:,} | {describe(ours, whole, kept)} |"


if __name__ == "__main__":
    main()
