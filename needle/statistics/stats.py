"""What can be said of one run's task and language: every estimate with its interval. Pure."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from needle.contexts.tasks import BASE_TASKS
from needle.statistics.cells import Scored, keep_core
from needle.statistics.effective import reach_absolute, reach_relative
from needle.statistics.intervals import LEVEL, Scores, estimate, quantile
from needle.statistics.weakness import find_weak_region
from needle.words.claims import Along, EffectiveLength, Estimate, Statistics
from needle.words.figures import Heatmap
from needle.words.types import Language, Run

WANTED = 0.05
"""The half width of an interval that replicates_wanted is for: 5 points."""

PLANNED = 0.1
"""The spread between replicates that is planned with where a single one shows none."""


def make_statistics(run: Run, heatmap: Heatmap, scored: Iterable[Scored]) -> Statistics:
    """Return all estimates of a heatmap's trials; ``scored`` are those of its task and language.

    A trial that stands for several cells counts once, but in its cells. Imported results are
    of one draw: asking again is no new needle. What an adaptive run says overall and by depth is
    its core's: by length all depths are asked alike, but of lengths some are asked more.
    """
    every = tuple(scored)
    lengths, depths = heatmap.grid.lengths, heatmap.grid.depths
    own = place_scores(every, run.replicates, lengths, depths)
    even = own
    if run.adaptive:
        core = keep_core(run, heatmap.task, heatmap.language, every)
        even = place_scores(core, run.replicates, lengths, depths)
    one_draw = run.imported is not None or run.replicates == 1

    def take(scores: Scores) -> Estimate:
        return estimate(scores.reshape(1, 1, -1) if one_draw else scores)

    along = tuple(Along(at, take(own[:, [i], :])) for i, at in enumerate(lengths))
    base = _base_scores(run, heatmap.task, every, own)
    shown = show_everywhere(own, run, heatmap.task, heatmap.language, lengths, depths)
    held, short = own, base
    if one_draw:
        held = own.transpose(1, 0, 2).reshape(1, len(lengths), -1)
        short = base.reshape(1, 1, -1)
    return Statistics(
        model=heatmap.model,
        task=heatmap.task,
        language=heatmap.language,
        overall=take(even),
        base=take(base) if heatmap.task in BASE_TASKS and run.base_lengths else None,
        cells=tuple(
            (length, depth, take(shown[:, [i], :][:, :, [j]]))
            for i, length in enumerate(lengths)
            for j, depth in enumerate(depths)
        ),
        lengths=along,
        depths=tuple(Along(at, take(even[:, :, [j]])) for j, at in enumerate(depths)),
        effective=(reach_absolute(lengths, held), reach_relative(lengths, held, short)),
        weak=find_weak_region(heatmap),
        replicates=1 if one_draw else run.replicates,
        replicates_wanted=_want(even, one_draw=one_draw),
        adaptive=run.adaptive,
    )


def follow_length(run: Run, task: str, scored: Sequence[Scored]) -> EffectiveLength:
    """Return the effective length that an adaptive run follows: by the fixed threshold.

    By the share of the model's own score for a task that has a base score.
    """
    own = place_scores(scored, run.replicates, run.grid.lengths, run.grid.depths)
    if task in BASE_TASKS and run.base_lengths:
        return reach_relative(run.grid.lengths, own, _base_scores(run, task, scored, own))
    return reach_absolute(run.grid.lengths, own)


def place_scores(
    scored: Iterable[Scored], replicates: int, lengths: Sequence[int], depths: Sequence[float]
) -> Scores:
    """Return scores by replicate, length and depth; NaN where there is none."""
    rows = {length: i for i, length in enumerate(lengths)}
    columns = {depth: j for j, depth in enumerate(depths)}
    placed = np.full((replicates, len(lengths), len(depths)), np.nan)
    for each in scored:
        row, column = rows.get(each.context_length), columns.get(each.depth_percent)
        if row is not None and column is not None and each.score is not None:
            placed[each.replicate, row, column] = each.score
    return placed


def show_everywhere(
    own: Scores,
    run: Run,
    task: str,
    language: Language,
    lengths: Sequence[int],
    depths: Sequence[float],
) -> Scores:
    """Return the scores as the squares show them: a trial in each square that is its place."""
    rows = {length: i for i, length in enumerate(lengths)}
    columns = {depth: j for j, depth in enumerate(depths)}
    shown = own.copy()
    for same in run.same_place:
        row, to = rows.get(same.context_length), columns.get(same.depth_percent)
        place = columns.get(same.drawn_as)
        mine = (same.task, same.language) == (task, language) and same.replicate < len(own)
        if mine and row is not None and to is not None and place is not None:
            shown[same.replicate, row, to] = own[same.replicate, row, place]
    return shown


def _base_scores(run: Run, task: str, scored: Sequence[Scored], own: Scores) -> Scores:
    """Return the scores at short lengths: those of the base score, else at the shortest length."""
    if task in BASE_TASKS and run.base_lengths:
        depths = sorted({s.depth_percent for s in scored if s.context_length in run.base_lengths})
        return place_scores(scored, run.replicates, run.base_lengths, depths)
    return own[:, [0], :]


def _want(own: Scores, *, one_draw: bool) -> int:
    """Return how many replicates would narrow the overall interval to WANTED to either side."""
    spread = PLANNED
    if not one_draw:
        there = ~np.isnan(own)
        sizes = there.sum(axis=(1, 2))
        means = np.nansum(own, axis=(1, 2))[sizes > 0] / sizes[sizes > 0]
        if len(means) > 1:
            spread = max(float(means.std(ddof=1)), WANTED / 2)
    return max(math.ceil((quantile(1 - LEVEL / 2) * spread / WANTED) ** 2), 5)
