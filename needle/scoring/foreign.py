"""Others' results, record by record, read into rows of one shape. Pure.

The formats: ``kamradt`` are the result files of the first needle-in-a-haystack tests and of the
many tools that write the same keys; ``kamradt-v2`` the JSONL rows of that repository's second
version (2026); ``evalscope`` the reports and reviews of EvalScope's needle_haystack (1.x).
Each reader raises ValueError with what is wrong; who calls it knows the file and the row.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from needle.scoring.judge import FOUND_FROM, HIGHEST, LOWEST, map_grade
from needle.scoring.scorers import Mark
from needle.words.types import UNKNOWN, Language, Verdict

FORMATS = ("kamradt", "evalscope", "kamradt-v2")
_PARTIAL_FROM = 5
_SUBSETS: Mapping[str, tuple[Language, str]] = {
    "english": ("en", "PaulGraham_Essays.txt"),
    "chinese": ("zh", "Journey_to_the_West.txt"),
}
_TASKS_V2 = {"single": "single", "multi": "multi", "uuid": "uuid", "uuid_chain": "chain"}
_CELL = re.compile(r"Context#(\d+) Depth#(\d+(?:\.\d+)?)")
_STOPS = {"max_tokens": "length", "model_length": "length"}  # EvalScope's words
_LONGEST_QUESTION = 500  # characters; what is longer is a whole prompt

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One imported result. ``mark`` is the score that it came with, mapped to 0-1.

    ``facts``, ``question`` and ``answers`` are what it says of its needle; ``response`` is
    None where only the score was kept.
    """

    context_length: int
    depth_percent: float
    model: str | None = None
    task: str = "single"
    language: Language | None = None
    actual_depths: tuple[float | None, ...] = ()
    facts: tuple[str, ...] = ()
    question: str = ""
    answers: tuple[tuple[str, ...], ...] = ()
    haystack: str = UNKNOWN
    tokenizer: str = UNKNOWN
    seed: int | None = None
    response: str | None = None
    finish_reason: str | None = None
    failure: str | None = None
    mark: Mark | None = None
    started_at: str | None = None
    latency_s: float | None = None
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    cost_usd: float | None = None
    served_model: str | None = None


def read_kamradt(record: Record) -> Row:
    """Read a result of the first version: length, depth, and an answer, a score or both."""
    length = _first(record, "context_length", "token_limit")
    response = _first(record, "model_response", "response")
    score = record.get("score")
    if response is None and score in (None, ""):
        raise ValueError("it has neither score nor model_response")
    needle = record.get("needle")
    facts = tuple(map(str, needle)) if isinstance(needle, list) else (str(needle),) * bool(needle)
    return Row(
        context_length=_read_length(length),
        depth_percent=_read_depth(record.get("depth_percent")),
        model=_text(record.get("model")),
        task="multi" if len(facts) > 1 else "single",
        facts=tuple(fact.strip() for fact in facts),
        response=None if response is None else str(response),
        mark=None if score in (None, "") else _mark_grade(score),
        started_at=_read_moment(record.get("test_timestamp_utc")),
        latency_s=_number_or_none(record.get("test_duration_seconds")),
    )


def read_kamradt_v2(record: Record) -> Row:
    """Read a row of the second version (schema_version 2), failed cells included."""
    if record.get("schema_version") != 2:  # noqa: PLR2004 - the format's own number
        raise ValueError(f"schema_version must be 2, got {record.get('schema_version')!r}")
    recipe, score = _part(record, "recipe"), _part(record, "score")
    placements = [p for p in recipe.get("needle_placements") or () if isinstance(p, dict)]
    usage, haystack = _part(record, "usage"), _part(recipe, "haystack")
    fragments = _part(record, "needle_metadata").get("expected_fragments")
    wanted = fragments if isinstance(fragments, list) else [record.get("expected_answer")]
    failed = record.get("status") == "error"
    return Row(
        context_length=_read_length(record.get("context_length")),
        depth_percent=_read_depth(record.get("target_depth_percent")),
        model=_text(record.get("model_id")),
        task=_TASKS_V2.get(str(record.get("task_type")), str(record.get("task_type") or "single")),
        actual_depths=tuple(_number_or_none(p.get("actual_depth_percent")) for p in placements),
        facts=tuple(str(p.get("text", "")).strip() for p in placements),
        question=_text(record.get("prompt_question")) or "",
        answers=tuple((str(answer),) for answer in wanted if answer),
        haystack=_text(haystack.get("path")) or _text(haystack.get("type")) or UNKNOWN,
        tokenizer="cl100k_base",
        seed=record["seed"] if isinstance(record.get("seed"), int) else None,
        response=None if failed else _text(record.get("response")) or "",
        failure=(_text(record.get("error")) or "not said") if failed else None,
        mark=_mark_share(score.get("value")) if score else None,
        started_at=_read_moment(record.get("timestamp_utc")),
        latency_s=_number_or_none(record.get("duration_seconds")),
        prompt_tokens=_count_or_none(usage.get("input_tokens")),
        reply_tokens=_count_or_none(usage.get("output_tokens")),
        cost_usd=_number_or_none(record.get("cost_usd")),
        served_model=_text(record.get("model_request_name")),
    )


def read_evalscope_review(
    record: Record, prediction: Record, subset: str, model: str | None
) -> Row:
    """Read a line of EvalScope's reviews, with the line of its predictions if there is one.

    A judge's value is its grade over 10. Where its judge gave no legal grade EvalScope once
    wrote 0, which is no grade of the scale, so that score is null here; newer ones say it.
    """
    sample = _part(record, "sample_score")
    score, metadata = _part(sample, "score"), _part(sample, "sample_metadata")
    values = _part(score, "value")
    name = score.get("main_score_name") or next(iter(values), None)
    cell = _CELL.fullmatch(str(name)) if name else None
    length = metadata.get("context_length", cell[1] if cell else None)
    depth = metadata.get("depth_percent", cell[2] if cell else None)
    target = record.get("target")
    facts = target if isinstance(target, list) else [target] if target else []
    question = _text(record.get("input")) or ""
    output = _part(prediction, "model_output")
    judged = _part(score, "metadata").get("source") == "llm_judge"
    natively = bool(score.get("judge_summary"))
    response = _text(score.get("prediction"))
    if response is None:
        response = _read_output(output)[0]
    return Row(
        context_length=_read_length(length),
        depth_percent=_read_depth(depth),
        model=model or _text(prediction.get("model")),
        facts=tuple(str(fact).strip() for fact in facts),
        question=question if len(question) <= _LONGEST_QUESTION else "",
        response=response or "",
        finish_reason=_read_output(output)[1],
        mark=_mark_evalscope(values.get(name), judged=judged, natively=natively),
        latency_s=_number_or_none(output.get("time")),
        prompt_tokens=_count_or_none(_part(output, "usage").get("input_tokens")),
        reply_tokens=_count_or_none(_part(output, "usage").get("output_tokens")),
        **_read_subset(subset),
    )


def read_evalscope_report(report: Record) -> list[Row]:
    """Read a report's cells: one a metric and subset, the mean where a cell was asked often.

    A report does not say whether a judge scored: one of values 0 and 1 alone is taken as
    exact match's, any other as a judge's.
    """
    cells = []
    for metric in _part(report, "metrics", list):
        if not isinstance(metric, dict):
            raise ValueError("a metric must be a JSON object")  # noqa: TRY004 - its place is added
        dimensions = _part(_part(metric, "identity"), "dimensions")
        cell = _CELL.fullmatch(str(metric.get("name") or metric.get("legacy_name") or ""))
        length = dimensions.get("context_length", cell[1] if cell else None)
        depth = dimensions.get("depth_percent", cell[2] if cell else None)
        if length is None or depth is None:
            continue
        cells += [
            (_read_length(length), _read_depth(depth), subset)
            for category in _part(metric, "categories", list)
            if isinstance(category, dict)
            for subset in _part(category, "subsets", list)
            if isinstance(subset, dict) and not subset.get("is_aggregate") and subset.get("num")
        ]
    judged = any(subset.get("score") not in (0, 1) for _, _, subset in cells)
    natively = report.get("schema_version") is not None
    return [
        Row(
            context_length=length,
            depth_percent=depth,
            model=_text(report.get("model_name")),
            mark=_mark_evalscope(subset.get("score"), judged=judged, natively=natively),
            **_read_subset(str(subset.get("name"))),
        )
        for length, depth, subset in cells
    ]


def _read_subset(name: str) -> dict[str, Any]:
    language, haystack = _SUBSETS.get(name, (None, UNKNOWN))
    return {"language": language, "haystack": haystack}


def _read_output(output: Record) -> tuple[str | None, str | None]:
    """Return the text and the finish reason of EvalScope's model output."""
    choices = output.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None, None
    content = _part(choices[0], "message").get("content")
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        content = "".join(str(p.get("text") or "") for p in parts if p.get("type") == "text")
    reason = choices[0].get("stop_reason")
    return _text(content), _STOPS.get(str(reason), _text(reason))


def _mark_grade(value: object) -> Mark:
    """Mark a grade of the published scale, 1 to 10."""
    grade = _read_number(value, "score")
    if not LOWEST <= grade <= HIGHEST:
        raise ValueError(f"score must be within {LOWEST}-{HIGHEST}, got {value!r}")
    return _graded(grade, f"published grade {grade:g} of {LOWEST}-{HIGHEST}")


def _graded(grade: float, explanation: str) -> Mark:
    verdict: Verdict = "missed"
    if grade >= FOUND_FROM:
        verdict = "found"
    elif grade >= _PARTIAL_FROM:
        verdict = "partial"
    return Mark(map_grade(max(grade, LOWEST)), verdict, explanation)


def _mark_share(value: object) -> Mark:
    """Mark a score that is a share of what was asked, 0 to 1."""
    share = _read_number(value, "score.value")
    if not 0 <= share <= 1:
        raise ValueError(f"score.value must be within 0-1, got {value!r}")
    verdict: Verdict = "found" if share == 1 else "partial" if share > 0 else "missed"
    return Mark(round(share, 6), verdict, f"published score {share:g}")


def _mark_evalscope(value: object, *, judged: bool, natively: bool) -> Mark:
    if value is None:
        return Mark(None, "failed", "EvalScope has no score of it")
    if not judged and not natively:
        return _mark_share(value)
    share = _read_number(value, "score")
    if not 0 <= share <= 1:
        raise ValueError(f"score must be within 0-1, got {value!r}")
    if share == 0 and not natively:
        return Mark(None, "failed", "0: EvalScope's judge gave no legal grade")
    return _graded(share * 10, f"EvalScope's judge gave {share * 10:g} of 10")


def _first(record: Record, *names: str) -> object:
    return next((record[name] for name in names if record.get(name) is not None), None)


def _part(record: Record, name: str, kind: type = dict) -> Any:
    part = record.get(name)
    return part if isinstance(part, kind) else kind()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_number(value: object, name: str) -> float:
    if value is None or isinstance(value, bool):
        raise ValueError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a number, got {value!r}") from error
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return number


def _read_length(value: object) -> int:
    number = _read_number(value, "context_length")
    if number < 1 or number != int(number):
        raise ValueError(f"context_length must be a whole number from 1 up, got {value!r}")
    return int(number)


def _read_depth(value: object) -> float:
    depth = _read_number(value, "depth_percent")
    if not 0 <= depth <= 100:  # noqa: PLR2004 - percent
        raise ValueError(f"depth_percent must be within 0-100, got {value!r}")
    return depth


def _number_or_none(value: object) -> float | None:
    try:
        return _read_number(value, "")
    except ValueError:
        return None


def _count_or_none(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _read_moment(value: object) -> str | None:
    """Return a moment as ISO 8601 in UTC; one without a zone is in UTC already."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
