"""From trials and their scores to the cells of a heatmap, with law 7's counting. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from needle.types import VERDICTS, Cell, Heatmap, Language, Run, Verdict

UNSCORED: tuple[Verdict, ...] = ("truncated", "filtered", "failed", "not_run")


@dataclass(frozen=True, slots=True)
class Scored:
    """One trial's place in the grid, its score (0-1 or None) and its verdict."""

    replicate: int
    context_length: int
    depth_percent: float
    score: float | None
    verdict: Verdict


def join_scores(
    task: str,
    language: Language,
    states: Mapping[str, Mapping[str, Any]],
    scores: Mapping[str, Mapping[str, Any]],
) -> list[Scored]:
    """Join a run's outcomes with their scores by trial, for one task and language."""
    joined = []
    for trial, line in states.items():
        if (line["task"], line["language"], line["control"]) != (task, language, None):
            continue
        score = scores.get(trial)
        if score is None:
            continue
        joined.append(
            Scored(
                line["replicate"],
                line["context_length"],
                line["depth_percent"],
                score["score"],
                score["verdict"],
            )
        )
    return joined


def make_cells(run: Run, language: Language, scored: Iterable[Scored]) -> tuple[Cell, ...]:
    """Make every cell of the grid, those not run among them.

    A trial that stands for several cells, since they fall on the same place, is drawn in
    each of them.
    """
    by_place = {(s.replicate, s.context_length, s.depth_percent): s for s in scored}
    drawn_as = {
        (same.replicate, same.context_length, same.depth_percent): same.drawn_as
        for same in run.same_place
        if same.language == language
    }
    cells = []
    for length in run.grid.lengths:
        for depth in run.grid.depths:
            trials = []
            for replicate in range(run.replicates):
                drawn = drawn_as.get((replicate, length, depth), depth)
                trials.append(by_place.get((replicate, length, drawn)))
            cells.append(_make_cell(length, depth, trials))
    return tuple(cells)


def _make_cell(length: int, depth: float, trials: list[Scored | None]) -> Cell:
    verdicts: Counter[Verdict] = Counter(t.verdict if t else "not_run" for t in trials)
    scores = [t.score for t in trials if t is not None and t.score is not None]
    return Cell(
        context_length=length,
        depth_percent=depth,
        score=sum(scores) / len(scores) if scores else None,
        verdicts={verdict: verdicts[verdict] for verdict in VERDICTS if verdicts[verdict]},
    )


def make_heatmap(
    run: Run, task: str, language: Language, scored: Iterable[Scored], planned: int
) -> Heatmap:
    """Make all that a heatmap's figure says. ``planned`` counts its trials, run or not."""
    scored = tuple(scored)
    scores = [s.score for s in scored if s.score is not None]
    left_out: Counter[Verdict] = Counter(s.verdict for s in scored if s.score is None)
    left_out["not_run"] = planned - len(scored)
    return Heatmap(
        model=run.model.name,
        task=task,
        language=language,
        unit=run.unit,
        grid=run.grid,
        cells=make_cells(run, language, scored),
        needle=run.needles[task][language][0].name,
        haystack=run.haystacks[language].name,
        tokenizer=run.tokenizer,
        replicates=run.replicates,
        date=run.date,
        recall=sum(scores) / len(scores) if scores else None,
        scored=len(scores),
        left_out={verdict: left_out[verdict] for verdict in UNSCORED if left_out[verdict] > 0},
        passes=run.haystacks[language].passes,
        simulated=run.model.simulated,
        vendor_count=run.ratio is not None,
    )


def count_planned(run: Run, language: Language) -> int:
    """Return how many trials a run has in a language and task."""
    merged = sum(same.language == language for same in run.same_place)
    return len(run.grid.lengths) * len(run.grid.depths) * run.replicates - merged
