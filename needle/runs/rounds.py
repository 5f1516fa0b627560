"""The rounds of an adaptive run: which trials are due, by what is stored and nothing else.

The first round is the core (statistics.adapting) with the controls and the base score's trials.
Each further one is one layer of each task and language, chosen by the scores of that task and
language alone, and no round begins before the last one has come back: a run that was killed
chooses what it would have chosen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from needle.runs.prepare import Prepared
from needle.scoring.scorers import EXACT, KEYWORD
from needle.statistics.adapting import (
    ENOUGH,
    Layers,
    arrange,
    choose_lengths,
    count_layers,
    measure_width,
)
from needle.statistics.cells import Scored, join_scores, make_heatmap
from needle.statistics.stats import follow_length
from needle.statistics.weakness import find_weak_region
from needle.words.errors import UsageError
from needle.words.types import Language, Run, Trial

States = Mapping[str, Mapping[str, Any]]
"""Outcomes by trial."""

Scores = Mapping[tuple[str, str], Mapping[str, Any]]
"""Scores by trial and scorer."""

NARROW = (
    f"no interval of an effective length that is wider than {ENOUGH:g} octaves can be narrowed "
    f"any further; what was not asked is not needed"
)
DECIDED = "nothing more would narrow an effective length; what was not asked is not needed"


@dataclass(frozen=True, slots=True)
class Round:
    """The trials of the next round; where there are none, why not."""

    trials: tuple[Trial, ...]
    ended: str | None = None


def list_due(prepared: Prepared, states: States) -> list[Trial]:
    """Return all trials that are due so far: the first round's, and those of layers begun.

    Of a run that is not adaptive these are all of the plan's.
    """
    if not prepared.run.adaptive:
        return list(prepared.plan.trials)
    later = {
        trial.key
        for _, _, layers in list_streams(prepared)
        for column, count in zip(layers, count_layers(layers, states), strict=True)
        for layer in column[count:]
        for trial in layer
    }
    return [trial for trial in prepared.plan.trials if trial.key not in later]


def choose_round(
    prepared: Prepared,
    states: States,
    scores: Scores,
    affords: Callable[[Sequence[Trial]], bool] | None,
) -> Round:
    """Return the next round of a run of which all that was due has come back.

    ``affords`` tells whether a budget holds so many trials at their worst. Without one a task and
    language has had enough where the interval of its effective length is within ENOUGH.
    """
    if not prepared.run.adaptive:
        return Round(())
    chosen: list[Trial] = []
    short = False
    for task, language, layers in list_streams(prepared):
        counts = count_layers(layers, states)
        scored = join_scores(task, language, states, _pick(prepared.run, scores))
        numbers = _choose(prepared.run, (task, language), scored, counts, affords is None)
        further = [layers[number][counts[number]] for number in numbers]
        held = [layer for layer in further if affords is None or affords((*chosen, *layer))]
        chosen += held[0] if held else ()
        short |= bool(further) and not held
    if chosen:
        return Round(tuple(chosen))
    if short:
        return Round((), "the budget holds no further layer (--budget); the rest is left unasked")
    return Round((), NARROW if affords is None else DECIDED)


def list_streams(prepared: Prepared) -> Iterator[tuple[str, Language, Layers]]:
    """Yield each task and language with its layers."""
    run = prepared.run
    for task in run.tasks:
        for language in run.languages:
            yield task, language, arrange(run, prepared.plan.trials, task, language)


def _pick(run: Run, scores: Scores) -> States:
    """Return the scores by which layers are chosen: the first scorer's that needs no model."""
    by = next((scorer for scorer in run.scorers if scorer in (KEYWORD, EXACT)), KEYWORD)
    return {trial: line for (trial, scorer), line in scores.items() if scorer == by}


def _choose(
    run: Run,
    of: tuple[str, Language],
    scored: Sequence[Scored],
    counts: Sequence[int],
    until_enough: bool,
) -> tuple[int, ...]:
    """Return the lengths that a task and language may ask a layer of next, the best first."""
    effective = follow_length(run, of[0], scored)
    if until_enough and measure_width(effective, run.grid) <= ENOUGH:
        return ()
    return choose_lengths(
        effective,
        lambda: find_weak_region(make_heatmap(run, *of, scored, 0)),
        run.grid,
        counts,
    )


def refuse_in_batches(run: Run) -> None:
    """Raise UsageError for an adaptive run: a batch file is written before anything is known."""
    if run.adaptive:
        raise UsageError(
            f"{run.run_id} is adaptive, and a batch file can't wait for what it says (--adaptive): "
            f"use needle run, or leave --adaptive out"
        )
