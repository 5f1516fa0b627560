"""Known truth: a perfect reader scores 1.0 and a blind one 0.0 in every family and language."""

from pathlib import Path
from typing import Any

import pytest
from driving import Call, only_folder, read_log
from serving import Answer, Body, Server, reply

from needle.contexts.tasks import TASKS
from needle.edges.needlefiles import choose_form, choose_sources, draw_needles
from needle.words.types import LANGUAGES, Needle

REPLICATES = 2
SAID = (
    *("--task", ",".join(TASKS), "--lengths", "1k", "--depths", "0,40,100", "--yes"),
    *("--replicates", str(REPLICATES), "--out", "runs"),
)


def scores_of(call: Call, *said: str) -> dict[tuple[str, str, str | None], set[float]]:
    """Run all families; return all scores by task, language and control."""
    ended = call("run", *SAID, *said)
    assert ended.status == 0, ended.err
    folder = only_folder(Path("runs"))
    lines = {line["trial"]: line for line in read_log(folder / "outcomes.jsonl")}
    scores: dict[tuple[str, str, str | None], set[float]] = {}
    for score in read_log(folder / "scores.jsonl"):
        line = lines[score["trial"]]
        kind = (line["task"], line["language"], line["control"])
        scores.setdefault(kind, set()).add(score["score"])
    assert {kind[:2] for kind in scores} == {(t, language) for t in TASKS for language in LANGUAGES}
    return scores


def only_in_cells(scores: dict[tuple[str, str, str | None], set[float]], cells: float) -> None:
    """Check that each cell has one score, and that no control found anything."""
    for (task, language, control), found in scores.items():
        assert found == {cells if control is None else 0.0}, (task, language, control)


@pytest.mark.parametrize(("model", "score"), [("sim/oracle", 1.0), ("sim/blind", 0.0)])
def test_simulated_readers(model: str, score: float, call: Call) -> None:
    """sim/oracle scores 1.0 in every cell of every family, and sim/blind 0.0."""
    only_in_cells(scores_of(call, "--model", model), score)


def test_a_reader_that_knows_the_needles(call: Call, server: Server) -> None:
    """A script with all needles in its hand, which checks the prompt for each fact, scores 1.0."""
    needles: dict[str, list[Needle]] = {}
    for task, source in choose_sources(TASKS, None).items():
        form = choose_form(source, task, None)
        for language in LANGUAGES:
            for needle in draw_needles(source, language, 0, REPLICATES, form):
                needles.setdefault(needle.question, []).append(needle)

    def read(body: Body, number: int) -> Answer:
        assert number >= 0
        text = body["messages"][-1]["content"]
        for needle in needles[text.rpartition("\n\n")[2]]:
            there = [text.count(fact) for fact in needle.facts]
            assert set(there) <= {0, 1}
            if all(there):
                return reply("; ".join(group[0] for group in needle.answers))
        return reply("The document does not mention this.")

    server.script = read
    scores = scores_of(call, "--model", "any", "--base-url", server.base_url, "--window", "32k")
    only_in_cells(scores, 1.0)


def test_a_lexical_reader_fails_what_is_not_lexical(call: Call) -> None:
    """sim/reader finds what its words lead to: all of some families, nothing of the others."""
    scores = scores_of(call, "--model", "sim/reader")
    for task in TASKS:
        for language in LANGUAGES:
            cells: set[Any] = scores[task, language, None]
            assert cells == ({0.0} if task in ("nonliteral", "chain") else {1.0}), (task, language)
