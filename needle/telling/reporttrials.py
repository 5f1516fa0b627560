"""What the report page holds of a run's trials: columns, one entry a trial. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from needle.words.figures import Heatmap
from needle.words.types import Language, Run

Line = Mapping[str, Any]

_KEY = 12  # hexadecimal digits of a trial's key: enough to find its line in outcomes.jsonl
_PLAIN = (
    *("control", "replicate", "context_length", "depth_percent", "actual_depth_percent"),
    *("prompt_tokens", "endpoint_prompt_tokens", "cached_tokens", "completion_tokens"),
    *("reasoning_tokens", "finish_reason", "failure", "attempts", "latency_s"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """The most characters that a page has room for; None is all of them.

    Of an answer, of its reasoning, and of the text to either side of a needle.
    """

    answer: int | None = None
    reasoning: int | None = None
    around: int | None = None


Sides = tuple[str, str]
"""The text before an inserted sentence, and the text after it."""


class Pool:
    """Texts around inserted sentences, each kept once: runs that are compared share theirs."""

    def __init__(self) -> None:
        """Begin with none."""
        self.texts: list[Sides] = []
        self._places: dict[Sides, int] = {}

    def add(self, text: Sides) -> int:
        """Return a text's place among those kept, with it added if it is new."""
        place = self._places.setdefault(text, len(self.texts))
        if place == len(self.texts):
            self.texts.append(text)
        return place


def gather_trials(
    states: Mapping[str, Line], task: str, language: Language
) -> list[tuple[str, Line]]:
    """Return a task's and language's trials, controls last, in the order of a reader's eye."""

    def order(trial: tuple[str, Line]) -> tuple[Any, ...]:
        line = trial[1]
        depth = line["depth_percent"]
        place = (line["replicate"], line["context_length"], -1.0 if depth is None else depth)
        return (line["control"] or "", *place, trial[0])

    chosen = ((t, x) for t, x in states.items() if (x["task"], x["language"]) == (task, language))
    return sorted(chosen, key=order)


def lay_out(
    trials: Sequence[tuple[str, Line]],
    scores: Mapping[tuple[str, str], Line],
    scorer: str,
    around: Mapping[str, Sequence[Sides]],
    pool: Pool,
    room: Room,
) -> dict[str, list[Any]]:
    """Return trials as columns of plain data.

    ``scores`` are by trial and scorer; those of others than ``scorer`` stand beside. What is
    cut off for want of room is counted in ``answer_cut`` and ``reasoning_cut``.
    """
    names = sorted({name for _, name in scores} - {scorer})
    columns: dict[str, list[Any]] = {name: [line[name] for _, line in trials] for name in _PLAIN}
    columns["key"] = [trial[:_KEY] for trial, _ in trials]
    columns["needle"] = [line["needle"] for _, line in trials]
    columns["places"] = [
        _lay_places(line["needles"], around.get(trial, ()), pool, room) for trial, line in trials
    ]
    columns["amount"] = [(line["cost"] or {}).get("amount") for _, line in trials]
    columns["currency"] = [(line["cost"] or {}).get("currency") for _, line in trials]
    for name, most in (("answer", room.answer), ("reasoning", room.reasoning)):
        texts = [line["response" if name == "answer" else name] for _, line in trials]
        cut = [_cut(text, most) for text in texts]
        columns[name] = [text for text, _ in cut]
        columns[f"{name}_cut"] = [left for _, left in cut]
    own = [scores.get((trial, scorer), {}) for trial, _ in trials]
    columns["score"] = [line.get("score") for line in own]
    columns["verdict"] = [line.get("verdict", "not_run") for line in own]
    columns["explanation"] = [line.get("explanation") for line in own]
    columns["others"] = [_lay_others(trial, scores, names) for trial, _ in trials]
    return columns


def _lay_places(
    places: Sequence[Line], around: Sequence[Sides], pool: Pool, room: Room
) -> list[list[Any]]:
    """Lay out inserted sentences: text, depths, whether it is a distractor, and its sides.

    The sides are a number in the pool, None where they are not known.
    """
    kept = [pool.add(_shorten(sides, room.around)) for sides in around]
    known: Sequence[int | None] = kept if len(kept) == len(places) else [None] * len(places)
    return [
        [
            *(place["text"], place["depth_percent"], place["actual_depth_percent"]),
            *(bool(place.get("distractor")), sides),
        ]
        for place, sides in zip(places, known, strict=True)
    ]


def _lay_others(
    trial: str, scores: Mapping[tuple[str, str], Line], names: Iterable[str]
) -> list[list[Any]]:
    there = ((name, scores.get((trial, name))) for name in names)
    return [
        [name, line["score"], line["verdict"], line["explanation"]] for name, line in there if line
    ]


def _cut(text: str | None, most: int | None) -> tuple[str | None, int]:
    """Return the beginning of a text that there is room for, and how much is left out."""
    if text is None or most is None or len(text) <= most:
        return text, 0
    return text[:most], len(text) - most


def _shorten(sides: Sides, most: int | None) -> Sides:
    """Return what there is room for on either side of an inserted sentence."""
    before, after = sides
    if most is None:
        return sides
    if len(before) > most:
        before = "…" + before[len(before) - most :]
    return before, after if len(after) <= most else after[:most] + "…"


def place_trials(run: Run, heatmap: Heatmap, trials: Sequence[tuple[str, Line]]) -> list[list[int]]:
    """Return which trials stand in each cell of a heatmap, in the order of its cells.

    A trial whose place is that of several cells stands in each of them.
    """
    by_place = {
        (line["replicate"], line["context_length"], line["depth_percent"]): number
        for number, (_, line) in enumerate(trials)
        if line["control"] is None
    }
    drawn_as = {
        (same.replicate, same.context_length, same.depth_percent): same.drawn_as
        for same in run.same_place
        if (same.task, same.language) == (heatmap.task, heatmap.language)
    }
    placed = []
    for cell in heatmap.cells:
        length, depth = cell.context_length, cell.depth_percent
        there = (
            by_place.get((number, length, drawn_as.get((number, length, depth), depth)))
            for number in range(run.replicates)
        )
        placed.append([number for number in there if number is not None])
    return placed
