"""From trials and their scores to the cells of a heatmap, with law 7's counting. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from needle.contexts.needles import form_of
from needle.contexts.tasks import BASE_TASKS, text_language
from needle.statistics.adapting import Spot, find_core
from needle.words.figures import Adaptive, Cell, Heatmap
from needle.words.types import VERDICTS, Language, Run, Verdict

_NO_SCORE: Mapping[str, Any] = {"score": None, "verdict": "not_run"}
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
    """Join a run's outcomes with their scores by trial, for one task and language.

    An outcome that the scorer has not scored yet counts as not run.
    """
    return join_each(states, scores).get((task, language), [])


def join_each(
    states: Mapping[str, Mapping[str, Any]], scores: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, Language], list[Scored]]:
    """Join a run's outcomes with their scores by trial, for every task and language at once.

    Controls stand in no cell, and are left out.
    """
    joined: dict[tuple[str, Language], list[Scored]] = {}
    for trial, line in states.items():
        if line["control"] is None:
            score = scores.get(trial, _NO_SCORE)
            place = line["replicate"], line["context_length"], line["depth_percent"]
            scored = Scored(*place, score["score"], score["verdict"])
            joined.setdefault((line["task"], line["language"]), []).append(scored)
    return joined


def make_cells(
    run: Run, task: str, language: Language, scored: Iterable[Scored]
) -> tuple[Cell, ...]:
    """Make every cell of a task's grid, those not run among them.

    A trial that stands for several cells, since they fall on the same place, is drawn in
    each of them. Imported results were not planned here: their cells lack no replicate. Those of
    an adaptive run lack only what its core has there.
    """
    by_place = {(s.replicate, s.context_length, s.depth_percent): s for s in scored}
    drawn_as = {
        (same.replicate, same.context_length, same.depth_percent): same.drawn_as
        for same in run.same_place
        if (same.task, same.language) == (task, language)
    }
    core = find_core(run, task, language) if run.adaptive else frozenset()
    cells = []
    for length in run.grid.lengths:
        for depth in run.grid.depths:
            trials: list[Scored | None] = []
            for replicate in range(run.replicates):
                drawn = drawn_as.get((replicate, length, depth), depth)
                spot = (replicate, length, drawn)
                if spot in by_place or spot in core or not (run.imported or run.adaptive):
                    trials.append(by_place.get(spot))
            cells.append(_make_cell(length, depth, trials or [None]))
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


def name_spot(line: Mapping[str, Any]) -> Spot:
    """Return where a line's trial stands; a control's depth is None, and it stands nowhere."""
    return line["replicate"], line["context_length"], line["depth_percent"]


def make_heatmap(
    run: Run,
    task: str,
    language: Language,
    scored: Iterable[Scored],
    planned: int,
    scorer: str = "keyword",
) -> Heatmap:
    """Make all that a heatmap's figure says. ``planned`` counts its trials, run or not."""
    every = tuple(scored)
    in_grid = [s for s in every if s.context_length in run.grid.lengths]
    text = run.haystacks[text_language(task, language)]
    scored = keep_core(run, task, language, in_grid) if run.adaptive else in_grid
    scores = [s.score for s in scored if s.score is not None]
    left_out: Counter[Verdict] = Counter(s.verdict for s in scored if s.score is None)
    left_out["not_run"] += planned - len(scored)
    return Heatmap(
        model=run.model.name,
        task=task,
        language=language,
        unit=run.unit,
        grid=run.grid,
        cells=make_cells(run, task, language, in_grid),
        needle=run.needles[task][language][0].name,
        haystack=text.name,
        tokenizer=run.tokenizer,
        replicates=run.replicates,
        date=run.date,
        recall=sum(scores) / len(scores) if scores else None,
        scored=len(scores),
        left_out={verdict: left_out[verdict] for verdict in UNSCORED if left_out[verdict] > 0},
        passes=text.passes,
        simulated=run.model.simulated,
        base=score_base(run.base_lengths, every) if task in BASE_TASKS else None,
        base_lengths=run.base_lengths,
        count=form_of(run.needles[task][language][0]).count,
        scorer=scorer,
        judge=run.judge.name if run.judge and scorer == "judge" else None,
        imported=run.imported,
        vendor_count=run.ratio is not None,
        layout=run.layout,
        adaptive=Adaptive(len(in_grid), _count_grid(run, task, language)) if run.adaptive else None,
    )


def keep_core(run: Run, task: str, language: Language, scored: Iterable[Scored]) -> list[Scored]:
    """Return those of an adaptive run's trials of a task and language that are its core's."""
    core = find_core(run, task, language)
    return [s for s in scored if (s.replicate, s.context_length, s.depth_percent) in core]


def score_base(lengths: Iterable[int], scored: Iterable[Scored]) -> float | None:
    """Return the mean of the recalls at the base lengths; None where one has no score yet."""
    by_length: dict[int, list[float]] = {length: [] for length in lengths}
    for each in scored:
        if each.context_length in by_length and each.score is not None:
            by_length[each.context_length].append(each.score)
    if not by_length or not all(by_length.values()):
        return None
    return sum(sum(scores) / len(scores) for scores in by_length.values()) / len(by_length)


def count_planned(run: Run, task: str, language: Language) -> int:
    """Return how many trials the cells of a task and language have, in an adaptive run its core."""
    if run.adaptive:
        return len(find_core(run, task, language))
    return _count_grid(run, task, language)


def _count_grid(run: Run, task: str, language: Language) -> int:
    merged = sum((same.task, same.language) == (task, language) for same in run.same_place)
    return len(run.grid.lengths) * len(run.grid.depths) * run.replicates - merged


def count_recorded(run: Run, scored: Iterable[Scored]) -> int:
    """Return how many trials an imported run has, a cell of its grid without any being one."""
    places = [(trial.context_length, trial.depth_percent) for trial in scored]
    return len(places) + len(run.grid.lengths) * len(run.grid.depths) - len(set(places))
