"""What the terminal shows of a run: the cells so far, counts, money and the time left."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from needle.edges.config import read_recipe
from needle.runs.prepare import Prepared, prepare
from needle.runs.progress import LiveWatch, PlainWatch, Tally, mix_colour
from needle.words.types import Asked, Failure, Reply, Score, Trial

GRID = {"lengths": "1k,2k", "depths": "0,50,100"}
SAID = {"model": "sim/reader", "grid": GRID, "controls": "none"}


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """Prepare a small run in both languages."""
    return prepare(read_recipe(None, SAID), told_language=False, model_name="sim/reader", date="d")


def found(trial: Trial) -> tuple[Asked, Score]:
    """Return an answer that was found, and its score."""
    reply = Reply("x", endpoint_prompt_tokens=1_000, completion_tokens=10)
    return Asked(reply, 1, 0, 0.1, "t"), Score(trial.key, "keyword", 1.0, "found", "")


def test_the_tally_counts_what_came(prepared: Prepared) -> None:
    """Trials, tokens, money and failures are counted as they come, those before included."""
    first, second, third, *rest = prepared.plan.trials
    tally = Tally(prepared.run)
    tally.begin([second, third, *rest], [(first, found(first)[1])])
    tally.add(second, *found(second), {"amount": 0.5, "currency": "CNY"})
    lost = Asked(Failure("timeout", None, "", permanent=False), 8, 8, 1.0, "t")
    tally.add(third, lost, Score(third.key, "keyword", None, "failed", ""), None)
    said = tally.describe()
    assert said.startswith(f"3/{len(prepared.plan.trials)} trials · 1,010 tokens · 0.5 CNY")
    assert "failed: 1 timeout" in said
    assert "left" in said
    assert len(tally.scored["single", "en"]) == 3


def test_the_time_left_goes_by_tokens(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a tenth of the tokens nine times as long is left, whatever the share of trials."""
    clock = [0.0]
    monkeypatch.setattr("needle.runs.progress.time.monotonic", lambda: clock[0])
    small, large = (replace(prepared.plan.trials[0], prompt_tokens=n) for n in (1_000, 9_000))
    tally = Tally(prepared.run)
    tally.begin([small, large], [])
    assert tally.remaining_s() is None
    clock[0] = 2.0
    tally.add(small, *found(small), None)
    assert tally.remaining_s() == pytest.approx(18.0)


def test_plain_lines_off_a_terminal(prepared: Prepared) -> None:
    """Off a terminal each line is plain text, and the last trial always has one."""
    stream = io.StringIO()
    trials = prepared.plan.trials
    with PlainWatch(prepared.run, stream) as watch:
        watch.begin(trials, [])
        for trial in trials:
            watch.show(trial, *found(trial), None)
    lines = stream.getvalue().splitlines()
    assert lines[-1].startswith(f"{len(trials)}/{len(trials)} trials")
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (30, 24), (20, 10)])
def test_the_heatmaps_fill_in_and_fit(prepared: Prepared, size: tuple[int, int]) -> None:
    """On a terminal of any size the counts stay in sight under both languages' maps."""
    console = Console(width=size[0], height=size[1], force_terminal=True, file=io.StringIO())
    watch = LiveWatch(prepared.run, console)
    first = prepared.plan.trials[0]
    watch.begin(prepared.plan.trials, [])
    watch.show(first, *found(first), None)
    watch.say("stopping")
    with console.capture() as captured:
        console.print(watch.render())
    lines = captured.get().splitlines()
    text = "".join(lines)
    assert "English" in text
    assert "Chinese" in text
    assert "simulated" in text
    assert text.count("█") in (1, 2)
    assert "stopping" in text
    if size[0] >= 80:
        assert len(lines) <= size[1]


def test_colours_are_the_published_ones() -> None:
    """0, a half and 1 are the published colours, in the terminal as in the figure."""
    assert [mix_colour(score) for score in (0, 0.5, 1)] == ["#f0496e", "#ebb839", "#0cd79f"]


def test_nothing_is_told_to_standard_output(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    """Progress goes to standard error: standard output is for what a command is asked for."""
    PlainWatch(prepared.run).say("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_the_maps_are_those_of_the_task_at_work() -> None:
    """With several tasks the terminal shows that of the latest trial, and says which it is."""
    said = {**SAID, "task": "single,multi", "controls": "all"}
    ready = prepare(read_recipe(None, said), told_language=False, model_name="sim/reader", date="d")
    watch = LiveWatch(ready.run, Console(file=io.StringIO(), width=120, height=40))
    watch.begin(ready.plan.trials, [])
    for task in ("single", "multi"):
        trial = next(t for t in ready.plan.trials if t.task == task and t.control is None)
        watch.show(trial, *found(trial), None)
        control = next(t for t in ready.plan.trials if t.task != task and t.control is not None)
        watch.show(control, *found(control), None)
        shown = io.StringIO()
        Console(file=shown, width=120, height=40).print(watch.render())
        assert f"sim/reader · {task} · English" in shown.getvalue()
    assert sum(map(len, watch.tally.scored.values())) == 2
