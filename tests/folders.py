"""Run folders made for tests, of any size and with any words, by the project's own store."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from needle.asking.outcomes import Line
from needle.edges.store import create_whole, load_run
from needle.words.types import Grid, Language, Score, Verdict

SAMPLE = Path(__file__).resolve().parents[1] / "runs" / "sample"

Answer = Callable[[int, float, int], str]
"""A reply's text by context length, depth and replicate."""


def answer_plainly(length: int, depth: float, replicate: int) -> str:
    """Answer in words that differ from trial to trial, as a model's do."""
    return f"It has an enamel flute in its last carriage ({length}, {depth}, {replicate})."


@dataclass(frozen=True)
class Made:
    """What a run folder is to hold. ``failing`` are cells whose requests failed.

    ``asked`` says which of the grid's trials were asked, by context length, depth and replicate.
    """

    model: str = "moonshot-v1-128k"
    languages: tuple[Language, ...] = ("en", "zh")
    lengths: Sequence[int] = (1_000, 8_000, 64_000)
    depths: Sequence[float] = (0.0, 50.0, 100.0)
    replicates: int = 1
    answer: Answer = answer_plainly
    verdict: Callable[[int, float, int], Verdict] = lambda length, depth, _: (
        "missed" if length > 8_000 and depth == 50 else "found"
    )
    failing: tuple[tuple[int, float], ...] = ()
    asked: Callable[[int, float, int], bool] = lambda _length, _depth, _replicate: True
    message: str = "the engine is overloaded"
    explanation: str = "every accepted answer is there"
    reasoning: str | None = None
    simulated: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def make_folder(out: Path, made: Made) -> Path:
    """Write a run folder as told: every trial of its grid, and two controls a language."""
    sample = load_run(SAMPLE)
    digest = hashlib.sha256(repr((made.model, made.lengths)).encode()).hexdigest()
    vendor = "sim" if made.simulated else "moonshot"
    needles = {
        "single": {
            language: sample.needles["single"][language] * made.replicates
            for language in made.languages
        }
    }
    run = replace(
        sample,
        run_id=f"2026-11-24-run-{digest[:8]}",
        digest=digest,
        model=replace(sample.model, name=made.model, vendor=vendor, base_url="https://a.test/v1"),
        languages=made.languages,
        grid=Grid("default", tuple(made.lengths), tuple(made.depths)),
        replicates=made.replicates,
        needles=needles,
        trials=len(made.languages) * len(made.lengths) * len(made.depths) * made.replicates,
        controls="all",
        **made.more,
    )
    lines: list[Line] = []
    scores: list[Score] = []
    for language in made.languages:
        for replicate in range(made.replicates):
            for length in made.lengths:
                for depth in made.depths:
                    if made.asked(length, depth, replicate):
                        _add(made, language, (replicate, length, depth), lines, scores)
        _add_controls(made, language, lines, scores)
    return create_whole(out, run, lines, scores)


def _add(
    made: Made,
    language: Language,
    place: tuple[int, int, float],
    lines: list[Line],
    scores: list[Score],
) -> None:
    replicate, length, depth = place
    line = _line(made, language, place)
    if (length, depth) in made.failing:
        line["failure"] = {
            "kind": "overloaded",
            "status": 503,
            "message": made.message,
            "permanent": False,
        }
        line["response"] = None
        scores.append(Score(line["trial"], "keyword", None, "failed", "no reply: overloaded"))
    else:
        line["response"] = made.answer(length, depth, replicate)
        verdict = made.verdict(length, depth, replicate)
        worth = {"found": 1.0, "missed": 0.0, "refused": 0.0, "partial": 0.5}.get(verdict)
        scores.append(Score(line["trial"], "keyword", worth, verdict, made.explanation))
    lines.append(line)


def _add_controls(made: Made, language: Language, lines: list[Line], scores: list[Score]) -> None:
    for control, length in (("no_needle", made.lengths[0]), ("no_haystack", 0)):
        line = _line(made, language, (0, length, -1.0))
        line |= {"control": control, "depth_percent": None, "actual_depth_percent": None}
        line |= {"needles": [], "response": "The document does not say."}
        lines.append(line)
        scores.append(Score(line["trial"], "keyword", 0.0, "missed", "not there: enamel flute"))


def _line(made: Made, language: Language, place: tuple[int, int, float]) -> Line:
    replicate, length, depth = place
    pair = hashlib.sha256(repr((language, place)).encode()).hexdigest()
    trial = hashlib.sha256(repr((made.model, pair)).encode()).hexdigest()
    fact = "The first train out of Yormarda has an enamel flute in its last carriage."
    return {
        "trial": trial,
        "pair": pair,
        "model": made.model,
        "task": "single",
        "language": language,
        "layout": "classic",
        "control": None,
        "needle": "fictional",
        "needles": [{"text": fact, "depth_percent": depth, "actual_depth_percent": depth}],
        "replicate": replicate,
        "haystack": "essays",
        "haystack_offset": 0,
        "unit": "tokens",
        "tokenizer": "o200k_base",
        "context_length": length,
        "depth_percent": depth,
        "actual_depth_percent": depth,
        "prompt_tokens": max(length - 3, 40),
        "endpoint_prompt_tokens": max(length + 8, 51),
        "cached_tokens": length // 2,
        "completion_tokens": 19,
        "reasoning_tokens": None,
        "response": None,
        "reasoning": made.reasoning,
        "finish_reason": "stop",
        "served_model": made.model,
        "request_id": f"chatcmpl-{trial[:24]}",
        "failure": None,
        "attempts": 1,
        "latency_s": round(0.5 + length / 64_000, 3),
        "started_at": "2026-11-24T05:12:22.087Z",
        "cost": {"amount": round(length * 12e-6, 9), "currency": "CNY"},
    }
