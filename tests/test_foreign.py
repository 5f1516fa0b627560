"""Kamradt's second version and EvalScope's outputs of both kinds, in files of their shape."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import Call, only_folder, read_log

from needle.runs.drawing import collect_heatmaps
from needle.words.types import Language

NEEDLE = "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day."  # noqa: E501 - one sentence
Row = dict[str, Any]


def write_lines(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def cells(folder: Path, language: Language = "en", scorer: str | None = None) -> list[float | None]:
    heatmaps = {h.language: h for h in collect_heatmaps(folder, scorer=scorer)}
    return [cell.score for cell in heatmaps[language].cells]


def v2_row(depth: float, response: str | None, value: float | None, **more: Any) -> Row:
    return {
        "schema_version": 2,
        "run_name": "single",
        "model_id": "model-medium",
        "model_request_name": "model",
        "task_type": "single",
        "context_length": 2_000,
        "target_depth_percent": depth,
        "recipe": {
            "haystack": {"type": "files", "path": "PaulGrahamEssays"},
            "inserter": "single_depth",
            "needle_placements": [
                {"text": NEEDLE, "insertion_token_index": 9, "actual_depth_percent": depth * 0.99}
            ],
            "final_context_token_count": 2_020,
        },
        "needle_metadata": {},
        "expected_answer": "eat a sandwich and sit in Dolores Park",
        "prompt_question": "What is the best thing to do in San Francisco?",
        "response": response,
        "score": None if value is None else {"value": value, "details": {}},
        "usage": None if response is None else {"input_tokens": 2_100, "output_tokens": 12},
        "cost_usd": None if response is None else 0.0123,
        "duration_seconds": 1.5,
        "status": "error" if response is None else "ok",
        "error": "Connection error." if response is None else None,
        "timestamp_utc": "2026-06-05T04:03:02.123456+00:00",
        "seed": None,
        **more,
    }


def test_the_second_version(call: Call, alone: Path) -> None:
    """A v2 row keeps its question, depth, usage, cost and score; a failed cell is a failure."""
    rows = [
        v2_row(0, "You should eat a sandwich and sit in Dolores Park.", 1.0),
        v2_row(50, "I do not know.", 0.0),
        v2_row(100, None, None),
    ]
    ended = call("import", "--format", "kamradt-v2", write_lines(alone / "r.jsonl", rows))
    assert ended.status == 0, ended.err
    folder = only_folder(Path("runs"))
    assert cells(folder) == cells(folder, scorer="keyword") == [1.0, 0.0, None]
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert settled["imported"]["date"] == "2026-06-05"
    assert settled["tokenizer"] == "cl100k_base"
    assert settled["haystacks"]["en"]["name"] == "PaulGrahamEssays"
    first, _, failed = read_log(folder / "outcomes.jsonl")
    assert first["actual_depth_percent"] == 0.0
    assert first["endpoint_prompt_tokens"] == 2_100
    assert first["cost"] == {"amount": 0.0123, "currency": "USD"}
    assert first["started_at"] == "2026-06-05T04:03:02.123Z"
    assert first["served_model"] == "model"
    assert failed["failure"]["message"] == "Connection error."
    assert failed["response"] is None
    (heatmap,) = collect_heatmaps(folder)
    assert heatmap.left_out == {"failed": 1}


def test_each_draw_of_the_second_version_is_a_replicate(call: Call, alone: Path) -> None:
    """A task whose needle is drawn anew by seed has a replicate a seed, each with its answer."""
    rows = [
        v2_row(
            depth,
            f"It is {seed}-abc.",
            1.0,
            task_type="uuid",
            seed=seed,
            expected_answer=f"{seed}-abc",
            prompt_question="Which?",
        )
        for seed in (1, 2)
        for depth in (0, 100)
    ]
    assert (
        call("import", "--format", "kamradt-v2", write_lines(alone / "r.jsonl", rows)).status == 0
    )
    folder = only_folder(Path("runs"))
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert settled["replicates"] == 2
    answers = [needle["answers"] for needle in settled["needles"]["uuid"]["en"]]
    assert answers == [[["1-abc"]], [["2-abc"]]]
    assert cells(folder, scorer="keyword") == [1.0, 1.0]


def test_a_share_of_the_second_version_is_kept(call: Call, alone: Path) -> None:
    """Of several facts the share found is kept, and keyword recall finds the same fragments."""
    row = v2_row(
        40,
        "Figs and goat cheese.",
        2 / 3,
        task_type="multi",
        needle_metadata={"expected_fragments": ["figs", "prosciutto", "goat cheese"]},
    )
    assert (
        call("import", "--format", "kamradt-v2", write_lines(alone / "r.jsonl", [row])).status == 0
    )
    folder = only_folder(Path("runs"))
    assert cells(folder) == cells(folder, scorer="keyword") == [pytest.approx(2 / 3, abs=1e-5)]


def test_another_schema_is_refused(call: Call, alone: Path) -> None:
    """Rows of another version than the one known are refused by line."""
    path = write_lines(
        alone / "r.jsonl", [v2_row(0, "x", 1.0), v2_row(0, "x", 1.0, schema_version=3)]
    )
    ended = call("import", "--format", "kamradt-v2", path)
    assert ended.status == 2
    assert "schema_version must be 2, got 3" in ended.faults[0]
    assert "r.jsonl:2" in ended.faults[0]


def old_review(index: int, depth: int, value: float, said: str, judged: bool = True) -> Row:
    name = f"Context#1000 Depth#{depth}"
    return {
        "index": index,
        "input": "What is the best thing to do in San Francisco?",
        "target": f"\n{NEEDLE}\n",
        "sample_score": {
            "score": {
                "value": {name: value},
                "prediction": said,
                "extracted_prediction": said,
                "explanation": "LLM judge: [[10]]",
                "metadata": {"source": "llm_judge", "model": "j"} if judged else {},
                "main_score_name": name,
            },
            "sample_id": index,
            "sample_metadata": {"context_length": 1_000, "depth_percent": depth},
        },
    }


def new_review(index: int, depth: int, value: float | None, said: str) -> Row:
    return {
        "index": index,
        "target": [NEEDLE],
        "messages": [{"role": "user", "content": "..."}],
        "sample_score": {
            "score": {
                "value": {} if value is None else {"acc": value},
                "status": "success" if value is not None else "failed",
                "judge_summary": {"scored": 1, "judge_models": ["j"]},
                "prediction": said,
                "main_score_name": "acc",
            },
            "sample_metadata": {"context_length": 1_000, "depth_percent": depth},
        },
    }


def prediction(index: int) -> Row:
    return {
        "index": index,
        "model": "qwen",
        "model_output": {
            "choices": [
                {"message": {"content": "..."}, "stop_reason": "stop" if index else "max_tokens"}
            ],
            "usage": {"input_tokens": 990, "output_tokens": 64},
            "time": 2.5,
        },
    }


def test_evalscope_reviews_of_its_first_kind(call: Call, alone: Path) -> None:
    """Reviews with predictions keep answers, usage and grades; 0 of a judge is no grade at all."""
    root = alone / "outputs" / "20260101"
    for subset in ("english", "chinese"):
        name = f"needle_haystack_{subset}.jsonl"
        reviews = [
            old_review(0, 0, 1.0, "Eat a sandwich in Dolores Park."),
            old_review(1, 50, 0.1, "It does not say."),
            old_review(2, 100, 0.0, "Eat a sandwich in Dolores Park."),
        ]
        write_lines(root / "reviews" / "qwen" / name, reviews)
        write_lines(root / "predictions" / "qwen" / name, [prediction(n) for n in range(3)])
    write(root / "reports" / "qwen" / "needle_haystack.json", report({}))
    ended = call("import", "--format", "evalscope", root)
    assert ended.status == 0, ended.err
    folder = only_folder(Path("runs"))
    for language in ("en", "zh"):
        assert cells(folder, language) == [1.0, 0.0, None]
        assert cells(folder, language, "keyword") == [1.0, 0.0, 1.0]
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert settled["model"]["name"] == "qwen"
    assert settled["haystacks"]["zh"]["name"] == "Journey_to_the_West.txt"
    assert len(settled["imported"]["files"]) == 4  # the report says nothing more
    line = read_log(folder / "outcomes.jsonl")[0]
    assert (line["endpoint_prompt_tokens"], line["finish_reason"]) == (990, "length")


def test_evalscope_reviews_of_its_second_kind(call: Call, alone: Path) -> None:
    """Reviews of 1.14 tell their cell beside the score; without a score they have none."""
    reviews = [
        new_review(0, 0, 1.0, "A sandwich in Dolores Park"),
        new_review(1, 50, 0.7, "A sandwich"),
        new_review(2, 100, None, "A sandwich"),
    ]
    path = alone / "reviews" / "qwen" / "needle_haystack_english.jsonl"
    assert call("import", "--format", "evalscope", write_lines(path, reviews)).status == 0
    folder = only_folder(Path("runs"))
    assert cells(folder) == [1.0, pytest.approx(6 / 9, abs=1e-6), None]


def report(scores: dict[int, float], new: bool = False) -> Row:
    def metric(depth: int, score: float) -> Row:
        identity = {
            "name": "accuracy",
            "aggregation": "mean",
            "dimensions": {"context_length": 1_000, "depth_percent": depth},
        }
        named = {"identity": identity} if new else {"name": f"Context#1000 Depth#{depth}"}
        subsets = [{"name": "english", "score": score, "num": 1}]
        return {**named, "score": score, "categories": [{"name": ["default"], "subsets": subsets}]}

    overall = {
        "identity": {"name": "accuracy", "aggregation": "mean", "dimensions": {"scope": "overall"}},
        "categories": [
            {"name": ["default"], "subsets": [{"name": "english", "score": 1, "num": 9}]}
        ],
    }
    return {
        **({"schema_version": 2} if new else {}),
        "name": "qwen@needle_haystack",
        "dataset_name": "needle_haystack",
        "model_name": "qwen",
        "metrics": [*([overall] if new else []), *(metric(d, s) for d, s in scores.items())],
    }


@pytest.mark.parametrize(
    ("scores", "new", "wanted"),
    [
        ({0: 1.0, 50: 0.7, 100: 0.1}, False, [1.0, 6 / 9, 0.0]),
        ({0: 1.0, 50: 0.7, 100: 0.0}, False, [1.0, 6 / 9, None]),
        ({0: 1.0, 50: 0.0, 100: 1.0}, False, [1.0, 0.0, 1.0]),
        ({0: 1.0, 50: 0.7, 100: 0.0}, True, [1.0, 6 / 9, 0.0]),
    ],
)
def test_evalscope_reports(
    scores: dict[int, float], new: bool, wanted: list[float | None], call: Call, alone: Path
) -> None:
    """A report's cells are a judge's grades over 10, or exact match's where all are 0 or 1."""
    path = write(alone / "needle_haystack.json", report(scores, new))
    assert call("import", "--format", "evalscope", path).status == 0
    assert cells(only_folder(Path("runs"))) == [
        None if score is None else pytest.approx(score, abs=1e-6) for score in wanted
    ]


def test_evalscope_without_scores_is_refused(call: Call, alone: Path) -> None:
    """Predictions alone, and another dataset's report, end in one line."""
    path = write_lines(
        alone / "predictions" / "q" / "needle_haystack_english.jsonl", [prediction(0)]
    )
    ended = call("import", "--format", "evalscope", path)
    assert ended.status == 2
    assert "name the folder with reviews/" in ended.faults[0]
    other = write(alone / "gsm8k.json", {**report({0: 1.0}), "dataset_name": "gsm8k"})
    ended = call("import", "--format", "evalscope", other)
    assert ended.status == 2
    assert "no results" in ended.faults[0]
