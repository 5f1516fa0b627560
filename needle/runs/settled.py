"""A run that is finished, told by its log alone: nothing is planned to find that nothing is left.

run.yaml's digest is of the keys of all trials in the order of the plan. What a line says of its
trial gives that order, so the keys of a log can be held against the digest.
"""

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from needle.asking.outcomes import Line, is_reply, is_settled
from needle.contexts.tasks import text_language
from needle.edges.store import OUTCOMES, SCORES, Log
from needle.runs.loading import read_states
from needle.runs.marking import score_stored
from needle.runs.prepare import digest_keys, find_texts
from needle.runs.runner import Ending
from needle.words.types import Language, Run


def is_settled_whole(
    run: Run, states: Mapping[str, Mapping[str, Any]], again_permanent: bool = False
) -> bool:
    """Tell whether every trial of a run's plan is there and not to be asked again.

    False where the log alone can't tell: what an adaptive run asks next follows from its scores.
    """
    if run.adaptive or run.imported is not None or len(states) != run.trials:
        return False
    if not all(is_settled(line, again_permanent) for line in states.values()):
        return False
    streams = {(line["task"], line["language"]) for line in states.values()}
    if not streams <= {(task, language) for task in run.tasks for language in run.languages}:
        return False
    return digest_keys(_list_keys(run, states), run.grid, run.layout) == run.digest


def _list_keys(run: Run, states: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the keys of a log's trials in the order of ``plan.make_plan``."""
    streams = [(task, language) for task in run.tasks for language in run.languages]
    texts = list(dict.fromkeys(text_language(*stream) for stream in streams))
    turns = {
        (task, language): (texts.index(text_language(task, language)), number)
        for number, (task, language) in enumerate(streams)
    }

    def turn(line: Mapping[str, Any]) -> tuple[Any, ...]:
        stream: tuple[str, Language] = line["task"], line["language"]
        where = (*turns[stream], line["control"] != "no_haystack")
        if line["control"] == "no_haystack":
            return line["replicate"], *where, line.get("needle_index", 0), 0
        depth = line["depth_percent"]
        return line["replicate"], *where, line["context_length"], inf if depth is None else depth

    return [line["trial"] for line in sorted(states.values(), key=turn)]


def conclude_settled(
    run: Run, folder: Path, again_permanent: bool = False
) -> tuple[Ending, dict[str, Line]] | None:
    """Mend a finished run's logs and score what is stored; return how it ended, and its states.

    None, with nothing done, where something may be left to ask (``is_settled_whole``). Raises
    UsageError where a haystack has changed.
    """
    find_texts(run)
    states = read_states(folder)
    if not is_settled_whole(run, states, again_permanent):
        return None
    for name in (OUTCOMES, SCORES):
        Log(folder / name).close()
    score_stored(folder, run.scorers, run.needles, states)
    replies = sum(map(is_reply, states.values()))
    return Ending(replies, len(states) - replies, 0, None, interrupted=False), states
