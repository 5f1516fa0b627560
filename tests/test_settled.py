"""Finished runs: that nothing is left is told by the log, in every layout, and never wrongly."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from driving import Call, only_folder

from needle.asking.outcomes import Line, describe_trial
from needle.commands import running
from needle.commands.running import prepare_models
from needle.edges.store import load_run
from needle.runs.loading import read_states
from needle.runs.prepare import Prepared
from needle.runs.settled import is_settled_whole
from needle.words.types import Run

SMALL = ("--lengths", "1k,2k", "--depths", "0,50,100", "--replicates", "2", "--yes")
KINDS = (
    (),
    ("--layout", "shared"),
    ("--task", "single,cross,nonliteral"),
    ("--controls", "none", "--language", "zh", "--unit", "hanzi"),
    ("--count", "vendor", "--language", "en"),
)


def prepare_run(**said: object) -> Prepared:
    grid = {"lengths": "1k,2k", "depths": "0,50,100"}
    recipe = {"model": ["sim/reader"], "grid": grid, "replicates": "2", **said}
    _, (prepared,) = prepare_models(None, recipe)
    return prepared


def answer_all(prepared: Prepared) -> tuple[Run, dict[str, Line]]:
    """Return a run with a reply to each of its trials, in no order."""
    trials = list(prepared.plan.trials)
    random.Random(0).shuffle(trials)
    return prepared.run, {t.key: {**describe_trial(t), "failure": None} for t in trials}


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_run_is_not_planned_again(
    kind: tuple[str, ...], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resuming a run with all its replies plans and sends nothing, and says what it said."""
    first = call("run", "--model", "sim/reader", *SMALL, *kind)
    assert first.status == 0, first.err
    folder = only_folder(Path("runs"))
    before = (folder / "outcomes.jsonl").read_bytes()

    def refuse(_: Run) -> Prepared:
        raise AssertionError

    monkeypatch.setattr(running, "prepare_again", refuse)
    ended = call("resume", folder)
    assert ended.status == 0, ended.err
    assert ended.err.splitlines()[-1] == first.err.splitlines()[-1]
    assert (folder / "outcomes.jsonl").read_bytes() == before


def test_what_a_killed_process_left_is_mended(call: Call) -> None:
    """A finished run whose scores are gone and whose log is torn has both whole again."""
    assert call("run", "--model", "sim/reader", *SMALL).status == 0
    folder = only_folder(Path("runs"))
    outcomes, scores = folder / "outcomes.jsonl", folder / "scores.jsonl"
    whole, marked = outcomes.read_bytes(), set(scores.read_bytes().splitlines())
    outcomes.write_bytes(whole + whole[:400])
    scores.write_bytes(b"".join(scores.read_bytes().splitlines(keepends=True)[:3]) + b'{"tri')
    assert call("resume", folder).status == 0
    assert outcomes.read_bytes() == whole
    assert set(scores.read_bytes().splitlines()) == marked


def test_a_run_that_lacks_anything_is_planned() -> None:
    """A trial that is missing, is another plan's, or is to be asked again makes a run unfinished.

    So does a run of which not all is asked, though all of it is there.
    """
    run, states = answer_all(prepare_run())
    assert is_settled_whole(run, states)
    key, *others = states
    assert not is_settled_whole(run, {other: states[other] for other in others})
    other = {**states[key], "trial": "0" * 64}
    assert not is_settled_whole(run, {**{k: states[k] for k in others}, "0" * 64: other})
    for permanent, again, settled in (
        (False, False, False),
        (True, False, True),
        (True, True, False),
    ):
        failed = {**states[key], "failure": {"kind": "timeout", "permanent": permanent}}
        assert is_settled_whole(run, {**states, key: failed}, again) is settled
    assert not is_settled_whole(replace(run, adaptive=True), states)


def test_a_finished_run_of_a_text_that_has_changed_is_refused(call: Call) -> None:
    """A haystack that is not what it was is told of, though nothing is left to send."""
    text = Path("mine")
    text.mkdir()
    (text / "a.txt").write_text("A sentence of many. " * 4_000, encoding="utf-8")
    said = ("--haystack", text, "--language", "en")
    assert call("run", "--model", "sim/reader", *SMALL, *said).status == 0
    folder = only_folder(Path("runs"))
    assert is_settled_whole(load_run(folder), read_states(folder))
    (text / "a.txt").write_text("Another sentence. " * 4_000, encoding="utf-8")
    ended = call("resume", folder)
    assert ended.status == 2
    assert "not what it was" in ended.err
