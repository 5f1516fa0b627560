"""From run folders to statistics and comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from needle.cells import Scored, join_scores
from needle.claims import Comparison, Estimate, PairedCell, Statistics
from needle.drawing import collect_heatmaps
from needle.errors import UsageError
from needle.outcomes import settle_states
from needle.pairing import adjust, compare
from needle.stats import make_statistics, place_scores
from needle.store import OUTCOMES, load_run, read_lines, read_scores
from needle.types import Language, Run

_NOTHING = Estimate(None, None, None, 0, 0, "draw")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run folder's trials with their scores: states and scores by trial."""

    run: Run
    states: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, Any]]


def load(folder: Path, scorer: str | None = None) -> Loaded:
    """Read a run folder's outcomes, and its scores by its primary scorer or the one named."""
    run = load_run(folder)
    by = scorer or run.primary_scorer
    known = read_scores(folder)
    return Loaded(
        run,
        settle_states(read_lines(folder / OUTCOMES)),
        {trial: line for (trial, name), line in known.items() if name == by},
    )


def read_statistics(folder: Path, scorer: str | None = None) -> list[Statistics]:
    """Return a run's statistics, one a task and language, in the order of its heatmaps."""
    loaded = load(folder, scorer)
    return [
        make_statistics(
            loaded.run,
            heatmap,
            join_scores(heatmap.task, heatmap.language, loaded.states, loaded.scores),
        )
        for heatmap in collect_heatmaps(folder, loaded.run, scorer)
    ]


def compare_runs(folders: Sequence[Path], scorer: str | None = None) -> list[Comparison]:
    """Compare each two runs on the trials that both have, by pair key: one a task and language.

    Whether they may be compared at all is for who calls it to see (comparing.find_differences).
    P-values are adjusted over all comparisons. Runs that have no trial in common have none.
    """
    everything = [load(folder, scorer) for folder in folders]
    compared = [
        _compare_models(first, second, task, language)
        for first, second in combinations(everything, 2)
        for task in first.run.tasks
        for language in first.run.languages
        if task in second.run.tasks and language in second.run.languages
    ]
    return adjust([each for each in compared if each.pairs])


def compare_languages(folder: Path, scorer: str | None = None) -> list[Comparison]:
    """Compare a run's English with its Chinese, cell by cell of each replicate: one a task.

    The pairs share needle (the same fact in both languages) and cell, not the words of the text.
    """
    loaded = load(folder, scorer)
    run = loaded.run
    if set(run.languages) != {"en", "zh"}:
        return []
    compared = []
    for task in run.tasks:
        english, chinese = (
            _place(run, join_scores(task, language, loaded.states, loaded.scores), run.grid.lengths)
            for language in ("en", "zh")
        )
        named = _name("languages", (run.model.name, run.model.name), task, None)
        named = replace(named, cells=_name_cells(run.grid.lengths, run.grid.depths))
        one_draw = run.replicates == 1 or run.imported is not None
        compared.append(compare(named, chinese, english, one_draw=one_draw))
    return adjust([each for each in compared if each.pairs])


def _compare_models(first: Loaded, second: Loaded, task: str, language: Language) -> Comparison:
    """Compare two runs' trials of one task and language that have the same pair key."""
    mine, theirs = (_by_pair(loaded, task, language) for loaded in (first, second))
    shared = mine.keys() & theirs.keys()
    lengths = sorted({mine[pair].context_length for pair in shared})
    depths = sorted({mine[pair].depth_percent for pair in shared})
    replicates = max(first.run.replicates, second.run.replicates)
    scores = [
        place_scores([by[pair] for pair in shared], replicates, lengths, depths)
        for by in (mine, theirs)
    ]
    named = _name("models", (first.run.model.name, second.run.model.name), task, language)
    named = replace(named, cells=_name_cells(lengths, depths))
    return compare(named, *scores, one_draw=replicates == 1)


def _by_pair(loaded: Loaded, task: str, language: Language) -> dict[str, Scored]:
    """Return the scored trials of a grid by their pair key."""
    states = {
        trial: line
        for trial, line in loaded.states.items()
        if (line["task"], line["language"], line["control"]) == (task, language, None)
        and line["context_length"] in loaded.run.grid.lengths
        and loaded.scores.get(trial, {}).get("score") is not None
    }
    joined = join_scores(task, language, states, loaded.scores)
    return {line["pair"]: each for line, each in zip(states.values(), joined, strict=True)}


def _place(run: Run, scored: Sequence[Scored], lengths: Sequence[int]) -> Any:
    return place_scores(scored, run.replicates, lengths, run.grid.depths)


def _name(of: Any, models: tuple[str, str], task: str, language: Language | None) -> Comparison:
    return Comparison(
        of, *models, task, language, 0, 0, _NOTHING, 0, 0, "mcnemar", 1.0, 1.0, None, ()
    )


def _name_cells(lengths: Sequence[int], depths: Sequence[float]) -> tuple[PairedCell, ...]:
    return tuple(
        PairedCell(length, depth, None, 0, None, beyond_chance=False)
        for length in lengths
        for depth in depths
    )


def require_scorer(folder: Path, scorer: str | None) -> None:
    """Raise UsageError where a scorer that was named has scored nothing in a run."""
    if scorer is not None and not load(folder, scorer).scores:
        raise UsageError(
            f"no scores by {scorer!r} in {folder} (--scorer): "
            f"make them with needle score {folder} --scorer {scorer}"
        )
