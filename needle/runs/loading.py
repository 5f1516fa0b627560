"""A run folder read once: what its figures, statistics and comparisons are made from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from needle.asking.outcomes import Line, settle_states
from needle.edges.store import OUTCOMES, load_run, read_lines, read_scores
from needle.scoring.scorers import KEYWORD
from needle.statistics.cells import Scored, join_each
from needle.words.errors import UsageError
from needle.words.types import Language, Run


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run folder's trials by key: their states, their scores, and those by keyword recall.

    ``scorer`` is whose scores count; ``every`` holds all scores, by trial and scorer. ``joined``
    are the trials of each task and language with their scores, controls left out.
    """

    folder: Path
    run: Run
    scorer: str
    states: Mapping[str, Line]
    scores: Mapping[str, Line]
    by_keyword: Mapping[str, Line]
    every: Mapping[tuple[str, str], Line]
    joined: Mapping[tuple[str, Language], list[Scored]]


def read_states(folder: Path) -> dict[str, Line]:
    """Read the state of each trial that a run folder has an outcome of, by key."""
    return settle_states(read_lines(folder / OUTCOMES))


def load(
    folder: Path, scorer: str | None = None, states: Mapping[str, Line] | None = None
) -> Loaded:
    """Read a run folder's outcomes, and its scores by its primary scorer or the one named.

    ``states`` are given where they have been read already. Raises UsageError for a scorer that
    was named and has scored nothing there.
    """
    run = load_run(folder)
    by = scorer or run.primary_scorer
    states = read_states(folder) if states is None else states
    known = read_scores(folder)
    scores = {trial: line for (trial, name), line in known.items() if name == by}
    if scorer is not None and not scores:
        there = ", ".join(sorted({name for _, name in known})) or "none"
        raise UsageError(
            f"no scores by {scorer!r} in {folder} (--scorer; there are: {there}): "
            f"make them with needle score {folder} --scorer {scorer}"
        )
    by_keyword = scores
    if by != KEYWORD:
        by_keyword = {trial: line for (trial, name), line in known.items() if name == KEYWORD}
    joined = join_each(states, scores)
    return Loaded(folder, run, by, states, scores, by_keyword, known, joined)


def list_once(folders: Iterable[Path]) -> list[Path]:
    """Return run folders without those that are one of the earlier ones by another path."""
    once: dict[Path, Path] = {}
    for folder in folders:
        once.setdefault(folder.resolve(), folder)
    return list(once.values())


def name_folders(folders: Sequence[Path]) -> list[str]:
    """Name folders by the ends of their paths, of as many parts as tell them apart."""
    paths = [folder.resolve().parts for folder in folders]
    for parts in range(1, max(map(len, paths), default=0) + 1):
        names = ["/".join(path[-parts:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            return names
    return []


def name_runs(everything: Sequence[Loaded]) -> list[str]:
    """Name runs by their models, and by their folders where a model comes more than once."""
    models = Counter(loaded.run.model.name for loaded in everything)
    folders = name_folders([loaded.folder for loaded in everything])
    return [
        loaded.run.model.name if models[loaded.run.model.name] == 1 else folder
        for loaded, folder in zip(everything, folders, strict=True)
    ]


def require_scorer(folder: Path, scorer: str | None) -> None:
    """Raise UsageError where a scorer that was named has scored nothing in a run."""
    if scorer is not None:
        load(folder, scorer)
