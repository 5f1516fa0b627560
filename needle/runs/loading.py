"""A run folder read once: what its figures, statistics and comparisons are made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from needle.asking.outcomes import settle_states
from needle.edges.store import OUTCOMES, load_run, read_lines, read_scores
from needle.scoring.scorers import KEYWORD
from needle.words.errors import UsageError
from needle.words.types import Run


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run folder's trials by key: their states, their scores, and those by keyword recall.

    ``scorer`` is whose scores count.
    """

    folder: Path
    run: Run
    scorer: str
    states: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, Any]]
    by_keyword: dict[str, dict[str, Any]]


def load(folder: Path, scorer: str | None = None) -> Loaded:
    """Read a run folder's outcomes, and its scores by its primary scorer or the one named.

    Raises UsageError for a scorer that was named and has scored nothing there.
    """
    run = load_run(folder)
    by = scorer or run.primary_scorer
    states = settle_states(read_lines(folder / OUTCOMES))
    known = read_scores(folder)
    scores = {trial: line for (trial, name), line in known.items() if name == by}
    if scorer is not None and not scores:
        there = ", ".join(sorted({name for _, name in known})) or "none"
        raise UsageError(
            f"no scores by {scorer!r} in {folder} (--scorer; there are: {there}): "
            f"make them with needle score {folder} --scorer {scorer}"
        )
    by_keyword = {trial: line for (trial, name), line in known.items() if name == KEYWORD}
    return Loaded(folder, run, by, states, scores, by_keyword)


def require_scorer(folder: Path, scorer: str | None) -> None:
    """Raise UsageError where a scorer that was named has scored nothing in a run."""
    if scorer is not None:
        load(folder, scorer)
