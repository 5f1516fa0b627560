"""Controls: how often a model answers without the needle, and knows it without a text. Pure.

A control is the same question asked without its needle in the text (``no_needle``: whatever
answers it is made up, or taken from a distractor) or without any text (``no_haystack``:
whatever is right is known already). Controls stand in no cell.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from needle.asking.outcomes import read_result
from needle.scoring.verdicts import classify_reply
from needle.words.figures import Controls
from needle.words.types import Control, Failure, Language


def tally_controls(
    task: str,
    language: Language,
    states: Mapping[str, Mapping[str, Any]],
    scores: Mapping[str, Mapping[str, Any]],
) -> Controls | None:
    """Count a task's and language's control replies; None where there is none.

    ``scores`` are by keyword recall. Replies without a score (failed, filtered, truncated) are
    left out. A reply without the needle is made up if it answers at all, be it right; one
    without the text shows knowledge if it gives any part of the accepted answers.
    """
    counts = {"no_needle": 0, "made_up": 0, "no_haystack": 0, "known": 0}
    for control, response, score in _find(task, language, states, scores):
        counts[control] += 1
        if control == "no_haystack":
            counts["known"] += score > 0
        else:
            counts["made_up"] += classify_reply(response, gives_fact=score > 0) == "answer"
    return Controls(**counts) if counts["no_needle"] or counts["no_haystack"] else None


def _find(
    task: str,
    language: Language,
    states: Mapping[str, Mapping[str, Any]],
    scores: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[Control, str, float]]:
    """Yield each scored control reply: which control it is, the reply, and its score."""
    for trial, line in states.items():
        if line["control"] is None or (line["task"], line["language"]) != (task, language):
            continue
        result, score = read_result(line), scores.get(trial, {}).get("score")
        if not isinstance(result, Failure) and score is not None:
            yield line["control"], result.response, score
