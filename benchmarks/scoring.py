"""Measure the scorers: kinds of replies told apart, agreement with the record, kappa's interval.

What it prints stands in docs/scoring.md. The published results are no part of the repository:
name their file, else that part is left out.

    python benchmarks/scoring.py ../shared/published/claude-2.1-half.jsonl
"""

import json
import random
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from needle.edges.needlefiles import draw_needles, load_needle_source
from needle.runs.marking import describe_agreement
from needle.scoring.agreement import FOUND_AT, count_agreement, measure_agreement
from needle.scoring.judge import FOUND_FROM, map_grade
from needle.scoring.scorers import mark_keyword, recall_answers
from needle.scoring.verdicts import KINDS, classify_reply
from needle.words.types import Needle, Reply

ROOT = Path(__file__).resolve().parents[1]
HALVES = {"seen while the rules were made": 0, "held out": 1}
SAMPLES = 4_000


def measure_kinds() -> None:
    """Print how many replies of each kind and language are told for what they are."""
    data: dict[str, Any] = yaml.safe_load(
        (ROOT / "tests" / "data" / "answers.yaml").read_text(encoding="utf-8")
    )
    for half, start in HALVES.items():
        right: Counter[tuple[str, str]] = Counter()
        whole: Counter[tuple[str, str]] = Counter()
        told_as: Counter[tuple[str, str]] = Counter()
        shares = 0
        for name, kind, share, reply in data["rows"][start::2]:
            given = data["needles"][name]
            answers = tuple(tuple(group) for group in given["answers"])
            needle = Needle(name, given["language"], ("f",), given["question"], answers)
            recall = recall_answers(needle, reply).share
            told = classify_reply(reply, recall > 0)
            whole[needle.language, kind] += 1
            told_as[needle.language, told] += 1
            right[needle.language, kind] += told == kind
            shares += abs(recall - share) < 1e-5
        print(f"{half}: {right.total()}/{whole.total()}; shares right {shares}/{whole.total()}")
        for language in ("en", "zh"):
            cells = [
                f"{kind} {right[language, kind]}/{whole[language, kind]} "
                f"(told as it {told_as[language, kind]})"
                for kind in KINDS
            ]
            print(f"  {language}: {', '.join(cells)}")


def measure_prose() -> None:
    """Print how often a sentence of the essays, quoted as an answer, is taken for none."""
    for language in ("en", "zh"):
        files = sorted((ROOT / "haystacks" / "essays" / language).glob("*.txt"))
        text = "\n".join(path.read_text(encoding="utf-8") for path in files)
        sentences = [s for s in re.split(r"(?<=[.!?。！？])\s*", text) if len(s.strip()) > 8]
        told = Counter(map(classify_reply, sentences))
        print(f"{language}: of {len(sentences)} sentences {dict(told)}")


def measure_record(path: Path) -> None:
    """Print keyword recall's agreement with the published judge, and every disagreement."""
    needle = draw_needles(load_needle_source("san-francisco"), "en", 0, 1)[0]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = []
    kinds: Counter[str] = Counter()
    for row in rows:
        mark = mark_keyword(needle, Reply(row["model_response"]))
        pairs.append((mark.score or 0.0, map_grade(row["score"])))
        if not mark.score:
            kinds[classify_reply(row["model_response"])] += 1
        if ((mark.score or 0.0) >= FOUND_AT) != (row["score"] >= FOUND_FROM):
            print(f"{row['file']}: keyword {mark.verdict}, judge {row['score']}")
            print(f"    {' '.join(row['model_response'].split())}")
    agreement = measure_agreement(pairs)
    assert agreement is not None
    print(f"keyword recall and the published judge {describe_agreement(agreement)}")
    print(f"replies without the fact: {dict(kinds)}")


def measure_coverage() -> None:
    """Print how often kappa's interval holds the kappa that the samples are drawn from."""
    for replies in (40, 225, 650):
        for found in (0.5, 0.8, 0.95):
            line = []
            for kappa in (0.6, 0.9, 0.98):
                apart = found * (1 - found) * (1 - kappa)
                shares = (found - apart, apart, apart, 1 - found - apart)
                rng = random.Random(f"{replies} {found} {kappa}")
                covered = drawn = 0
                for _ in range(SAMPLES):
                    sample = Counter(rng.choices(range(4), shares, k=replies))
                    agreement = count_agreement(*(sample[cell] for cell in range(4)))
                    if agreement.low is not None and agreement.high is not None:
                        drawn += 1
                        covered += agreement.low <= kappa + 1e-9 <= agreement.high + 2e-9
                line.append(f"kappa {kappa}: {covered / drawn:.1%}")
            print(f"{replies} replies, {found:.0%} found: {', '.join(line)}")


if __name__ == "__main__":
    measure_kinds()
    measure_prose()
    if len(sys.argv) > 1:
        measure_record(Path(sys.argv[1]))
    measure_coverage()
