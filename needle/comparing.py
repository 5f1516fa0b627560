"""Run folders compared in pairs of trials: two models, or the two languages of one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

from needle.cells import Scored, join_scores
from needle.claims import Comparison, Estimate, PairedCell
from needle.evidence import Loaded, load
from needle.pairing import adjust, compare
from needle.stats import place_scores
from needle.types import LANGUAGES, Language

_NOTHING = Estimate(None, None, None, 0, 0, "draw")


def compare_runs(folders: Sequence[Path], scorer: str | None = None) -> list[Comparison]:
    """Compare each two runs on the trials that both have, by pair key: one a task and language.

    Whether they may be compared at all is for who calls it to see (comparable.find_differences).
    P-values are adjusted over the pairs of runs of a task and language. Runs that have no trial
    in common have none.
    """
    everything = [load(folder, scorer) for folder in folders]
    families: dict[tuple[str, Language], list[Comparison]] = {}
    for first, second in combinations(everything, 2):
        for task in first.run.tasks:
            for language in first.run.languages:
                if task in second.run.tasks and language in second.run.languages:
                    compared = _compare_models(first, second, task, language)
                    families.setdefault((task, language), []).append(compared)
    return [each for family in families.values() for each in adjust([c for c in family if c.pairs])]


def compare_languages(folder: Path, scorer: str | None = None) -> list[Comparison]:
    """Compare a run's English with its Chinese, cell by cell of each replicate: one a task.

    The pairs share needle (the same fact in both languages) and cell, not the words of the text.
    """
    loaded = load(folder, scorer)
    run = loaded.run
    if set(run.languages) != set(LANGUAGES):
        return []
    compared = []
    for task in run.tasks:
        english, chinese = (
            place_scores(
                join_scores(task, language, loaded.states, loaded.scores),
                run.replicates,
                run.grid.lengths,
                run.grid.depths,
            )
            for language in LANGUAGES
        )
        named = _name("languages", (run.model.name, run.model.name), task, None)
        named = replace(named, cells=_name_cells(run.grid.lengths, run.grid.depths))
        one_draw = run.replicates == 1 or run.imported is not None
        compared += adjust([compare(named, chinese, english, one_draw=one_draw)])
    return [each for each in compared if each.pairs]


def _compare_models(first: Loaded, second: Loaded, task: str, language: Language) -> Comparison:
    """Compare two runs' trials of one task and language that have the same pair key."""
    mine, theirs = (_by_pair(loaded, task, language) for loaded in (first, second))
    shared = mine.keys() & theirs.keys()
    lengths = sorted({mine[pair].context_length for pair in shared})
    depths = sorted({mine[pair].depth_percent for pair in shared})
    replicates = sorted({mine[pair].replicate for pair in shared})
    scores = [
        place_scores([by[pair] for pair in shared], 1 + max(replicates, default=0), lengths, depths)
        for by in (mine, theirs)
    ]
    named = _name("models", _tell_apart(first, second), task, language)
    named = replace(named, cells=_name_cells(lengths, depths))
    return compare(named, *scores, one_draw=len(replicates) <= 1)


def _tell_apart(first: Loaded, second: Loaded) -> tuple[str, str]:
    """Return the models' names, or the runs' where it is one model twice."""
    if first.run.model.name != second.run.model.name:
        return first.run.model.name, second.run.model.name
    return first.folder.name, second.folder.name


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


def _name(
    of: Literal["models", "languages"],
    models: tuple[str, str],
    task: str,
    language: Language | None,
) -> Comparison:
    return Comparison(
        of, *models, task, language, 0, 0, _NOTHING, 0, 0, "mcnemar", 1.0, 1.0, None, ()
    )


def _name_cells(lengths: Sequence[int], depths: Sequence[float]) -> tuple[PairedCell, ...]:
    return tuple(
        PairedCell(length, depth, None, 0, None, beyond_chance=False)
        for length in lengths
        for depth in depths
    )
