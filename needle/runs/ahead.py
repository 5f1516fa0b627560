"""What a run folder has left to ask, before anything is asked."""

from collections.abc import Sequence
from pathlib import Path

from needle.asking.batches import find_waiting
from needle.asking.budget import Budget
from needle.asking.outcomes import Line, find_todo, settle_states
from needle.edges.store import OUTCOMES, read_batches, read_lines, read_scores
from needle.runs.prepare import Prepared
from needle.runs.rounds import Round, choose_round, list_due
from needle.runs.runner import count_spent


def look_ahead(
    prepared: Prepared, folder: Path, lines: Sequence[Line], budget: Budget | None
) -> Round:
    """Return an adaptive run's next round, where all that was due has come back."""
    purse = count_spent(prepared, budget, lines)
    affords = None if budget is None else purse.allows_all
    return choose_round(prepared, settle_states(lines), read_scores(folder), affords)


def count_left(prepared: Prepared, folder: Path | None, budget: Budget | None = None) -> int:
    """Count the trials that are to be asked now; those that wait in open batches are not.

    Of an adaptive run these are the trials due, or the next round's.
    """
    if folder is None:
        return len(list_due(prepared, {}))
    lines = list(read_lines(folder / OUTCOMES))
    states = settle_states(lines)
    waiting = find_waiting(read_batches(folder).values())
    todo = find_todo(list_due(prepared, states), states, waiting)
    return len(todo) or len(look_ahead(prepared, folder, lines, budget).trials)


def divide(budget: Budget | None, prepared: Prepared, runs: int) -> Budget | None:
    """Return what one of so many runs that are still to come may spend of one budget.

    An adaptive run would take all that is left, so it has its even share.
    """
    if budget is None or not prepared.run.adaptive:
        return budget
    return Budget(budget.amount / runs, budget.of)
