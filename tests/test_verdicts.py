"""Telling an answer, "the text does not say" and a refusal apart, on a labelled bilingual set."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from needle.scoring.scorers import recall_answers
from needle.scoring.verdicts import KINDS, classify_reply
from needle.words.types import Needle

ROOT = Path(__file__).resolve().parents[1]
DATA = yaml.safe_load((ROOT / "tests" / "data" / "answers.yaml").read_text(encoding="utf-8"))
PUBLISHED = ROOT.parent / "shared" / "published" / "claude-2.1-half.jsonl"
NEEDLES = {
    name: Needle(
        name,
        given["language"],
        ("f",),
        given["question"],
        tuple(tuple(group) for group in given["answers"]),
    )
    for name, given in DATA["needles"].items()
}
HELD_OUT = 1


def read_half(half: int) -> list[tuple[Needle, str, float, str]]:
    rows: list[list[Any]] = DATA["rows"][half::2]
    return [(NEEDLES[name], kind, share, reply) for name, kind, share, reply in rows]


def test_the_labelled_set() -> None:
    """At least 200 different answers, half of them Chinese, every kind in both languages."""
    rows = read_half(0) + read_half(1)
    assert len({reply for *_, reply in rows}) == len(rows) >= 200
    counts = Counter((needle.language, kind) for needle, kind, *_ in rows)
    assert all(counts[language, kind] >= 4 for language in ("en", "zh") for kind in KINDS)
    chinese = sum(count for (language, _), count in counts.items() if language == "zh")
    assert 0.4 <= chinese / len(rows) <= 0.6
    for kind in ("answer", "not_said", "refused"):
        assert counts["en", kind] >= 30
        assert counts["zh", kind] >= 30


@pytest.mark.parametrize("half", [0, HELD_OUT])
def test_kinds_are_told_apart(half: int) -> None:
    """At least 97 of 100 replies are told for what they are, and 9 of 10 of each kind."""
    right: Counter[tuple[str, str]] = Counter()
    whole: Counter[tuple[str, str]] = Counter()
    for needle, kind, _, reply in read_half(half):
        told = classify_reply(reply, recall_answers(needle, reply).share > 0)
        whole[needle.language, kind] += 1
        right[needle.language, kind] += told == kind
    assert right.total() / whole.total() >= 0.97
    assert all(right[each] / whole[each] >= 0.9 for each in whole)


@pytest.mark.parametrize("half", [0, HELD_OUT])
def test_shares_are_found(half: int) -> None:
    """At least 97 of 100 replies are credited with just the answers that they name."""
    rows = read_half(half)
    right = sum(
        abs(recall_answers(needle, reply).share - share) < 1e-5 for needle, _, share, reply in rows
    )
    assert right / len(rows) >= 0.97


def test_misses_of_the_record_are_no_refusals() -> None:
    """Claude 2.1's published misses say that the text does not say: none of them is a refusal."""
    if not PUBLISHED.exists():
        pytest.skip("the published results are not at hand")
    rows = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
    missed = [row["model_response"] for row in rows if "sandwich" not in row["model_response"]]
    told = Counter(map(classify_reply, missed))
    assert told["refused"] == 0
    assert told["not_said"] / len(missed) >= 0.98


@pytest.mark.parametrize("language", ["en", "zh"])
def test_prose_is_no_refusal(language: str) -> None:
    """Of the shipped essays' sentences, quoted as answers, hardly one is taken for a refusal."""
    files = sorted((ROOT / "haystacks" / "essays" / language).glob("*.txt"))[:12]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    sentences = [s for s in re.split(r"(?<=[.!?。！？])\s*", text) if len(s.strip()) > 8]
    told = Counter(map(classify_reply, sentences))
    assert told["refused"] / len(sentences) <= 0.005
    assert told["not_said"] / len(sentences) <= 0.05


@given(st.text())
def test_a_fact_makes_an_answer(text: str) -> None:
    """A reply that gives the fact is an answer, whatever it says beside, unless it is empty."""
    assert classify_reply(text, gives_fact=True) in ("answer", "empty")


@given(st.text(alphabet=" \n.,:;!?…—-*_#()[]{}\"'“”‘’。，、！？；：（）《》·"))
def test_no_letter_is_empty(text: str) -> None:
    """A reply without a letter or digit is empty, and only such a one is."""
    assert classify_reply(text) == "empty"
    assert classify_reply(text + "a") != "empty"


@pytest.mark.parametrize(
    "reply",
    [
        "I can’t help with that.",
        "I CANNOT SHARE PASSWORDS.",
        "Ｉ ｃａｎ＇ｔ ａｓｓｉｓｔ ｗｉｔｈ ｔｈａｔ．",
        "抱歉，我無法協助您。",
        "抱歉，我无法协助您。",
    ],
)
def test_form_does_not_matter(reply: str) -> None:
    """A refusal is told whatever its case, width, apostrophes or characters' form."""
    assert classify_reply(reply) == "refused"


def test_long_replies_are_told_in_time() -> None:
    """A reply of a hundred thousand characters takes no more than a moment."""
    for part in ("not a word of it ", "我不知道他们在哪里，", "no " * 50, "i cannot say "):
        assert classify_reply((part * 100_000)[:100_000]) in KINDS
