"""Run folders compared in pairs of trials: two models, or the two languages of one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

from needle.runs.loading import Loaded, load, name_runs
from needle.statistics.adapting import find_core
from needle.statistics.cells import Scored, join_scores, keep_core, name_spot
from needle.statistics.pairing import adjust, compare
from needle.statistics.stats import place_scores, show_everywhere
from needle.words.claims import Comparison, Estimate, PairedCell
from needle.words.types import LANGUAGES, Grid, Language

_NOTHING = Estimate(None, None, None, 0, 0, "draw")


def compare_runs(folders: Sequence[Path], scorer: str | None = None) -> list[Comparison]:
    """Compare each two runs on the trials that both have, by pair key: one a task and language.

    Whether they may be compared at all is for who calls it to see (comparable.find_differences).
    P-values are adjusted over the pairs of runs of a task and language. Runs that have no trial
    in common have none.
    """
    return compare_each([load(folder, scorer) for folder in folders])


def compare_each(everything: Sequence[Loaded]) -> list[Comparison]:
    """Compare each two runs that are read, as compare_runs does."""
    families: dict[tuple[str, Language], list[Comparison]] = {}
    names = name_runs(everything)
    for (one, first), (other, second) in combinations(zip(names, everything, strict=True), 2):
        for task in first.run.tasks:
            for language in first.run.languages:
                if task in second.run.tasks and language in second.run.languages:
                    named = _name("models", (one, other), task, language)
                    compared = _compare_models(named, first, second, language)
                    families.setdefault((task, language), []).append(compared)
    return [each for family in families.values() for each in adjust([c for c in family if c.pairs])]


def compare_languages(folder: Path, scorer: str | None = None) -> list[Comparison]:
    """Compare a run's English with its Chinese, cell by cell of each replicate: one a task.

    The pairs share needle (the same fact in both languages) and cell, not the words of the text.
    """
    loaded = load(folder, scorer)
    return compare_own_languages(loaded, loaded.run.model.name)


def compare_own_languages(loaded: Loaded, name: str) -> list[Comparison]:
    """Compare the languages of a run that is read, as compare_languages does, under a name."""
    run = loaded.run
    if set(run.languages) != set(LANGUAGES):
        return []
    one_draw = run.replicates == 1 or run.imported is not None
    compared = []
    for task in run.tasks:
        sides: list[Side] = [
            (loaded, language, _list_even(loaded, task, language)) for language in ("zh", "en")
        ]
        named = _name("languages", (name, name), task, None)
        compared += adjust([_hold(named, sides, run.grid, run.replicates, one_draw=one_draw)])
    return [each for each in compared if each.pairs]


def _list_even(loaded: Loaded, task: str, language: Language) -> list[Scored]:
    """Return a run's trials of a task and language, of an adaptive run its core's."""
    scored = loaded.joined.get((task, language), [])
    return keep_core(loaded.run, task, language, scored) if loaded.run.adaptive else scored


def _compare_models(
    named: Comparison, first: Loaded, second: Loaded, language: Language
) -> Comparison:
    """Compare two runs' trials of one task and language that have the same pair key."""
    mine, theirs = (_by_pair(loaded, named.task, language) for loaded in (first, second))
    shared = mine.keys() & theirs.keys()
    grids = first.run.grid, second.run.grid
    grid = Grid(
        "compared",
        tuple(sorted(set(grids[0].lengths) & set(grids[1].lengths))),
        tuple(sorted(set(grids[0].depths) & set(grids[1].depths))),
    )
    replicates = {mine[pair].replicate for pair in shared}
    sides: list[Side] = [
        (first, language, [mine[pair] for pair in shared]),
        (second, language, [theirs[pair] for pair in shared]),
    ]
    number = 1 + max(replicates, default=0)
    return _hold(named, sides, grid, number, one_draw=False)


Side = tuple[Loaded, Language, Sequence[Scored]]
"""One side of a comparison: its run, the language of its trials, and the trials with scores."""


def _hold(
    named: Comparison, sides: Sequence[Side], grid: Grid, replicates: int, *, one_draw: bool
) -> Comparison:
    """Hold one side's scores against the other's: each trial once, but in each of its squares."""
    lengths, depths = grid.lengths, grid.depths
    own = [place_scores(scored, replicates, lengths, depths) for _, _, scored in sides]
    shown = [
        show_everywhere(scores, loaded.run, named.task, language, lengths, depths)
        for scores, (loaded, language, _) in zip(own, sides, strict=True)
    ]
    named = replace(named, cells=_name_cells(lengths, depths))
    return compare(named, *own, squares=shown[1] - shown[0], one_draw=one_draw)


def _by_pair(loaded: Loaded, task: str, language: Language) -> dict[str, Scored]:
    """Return the scored trials of a grid by their pair key, of an adaptive run its core's.

    Only the core is fixed before anything is known: the lengths that are chosen are those where a
    model begins to fail, and would weigh more in a difference.
    """
    core = find_core(loaded.run, task, language) if loaded.run.adaptive else None
    states = {
        trial: line
        for trial, line in loaded.states.items()
        if (line["task"], line["language"], line["control"]) == (task, language, None)
        and line["context_length"] in loaded.run.grid.lengths
        and loaded.scores.get(trial, {}).get("score") is not None
        and (core is None or name_spot(line) in core)
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
        of, *models, task, language, 0, 0, _NOTHING, 0, 0, "mcnemar", 1.0, 1.0, None, 0, ()
    )


def _name_cells(lengths: Sequence[int], depths: Sequence[float]) -> tuple[PairedCell, ...]:
    return tuple(
        PairedCell(length, depth, None, 0, None, beyond_chance=False)
        for length in lengths
        for depth in depths
    )
