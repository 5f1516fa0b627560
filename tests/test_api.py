"""needle from Python does what the commands do, in a notebook too, and imports lightly."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from driving import KEY, only_folder, read_log
from serving import Server, refuse, reply

import needle
from needle.commands import cli_asking
from needle.commands.api import Options
from needle.drawing.fonts import find_chinese_family
from needle.runs.evidence import read_statistics
from needle.statistics.estimates import STATISTICS, TESTS
from needle.words.claims import Statistics

SAMPLE = Path(__file__).resolve().parents[1] / "runs" / "sample"
NOT_OF_PYTHON = {"model", "yes", "card_tflops", "card_utilisation"}  # its own, and of plans alone
SMALL: dict[str, Any] = {
    "lengths": [1_000],
    "depths": [0, 100],
    "language": "en",
    "controls": "none",
}

pytestmark = pytest.mark.usefixtures("call")  # draws no figures into run folders


def run_small(model: str = "sim/reader", **more: Any) -> needle.Results:
    return needle.run(model, **{**SMALL, **more})


def test_importing_needle_loads_nothing_heavy() -> None:
    """``import needle`` and asking what it has load neither pandas nor any other big library."""
    heavy = ["click", "matplotlib", "numpy", "openai", "pandas", "pydantic", "scipy", "yaml"]
    script = f"import sys, needle; dir(needle); print(sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_public_names() -> None:
    """What needle says that it has is all there, and nothing else is."""
    assert all(hasattr(needle, name) for name in needle.__all__)
    assert dir(needle) == sorted(needle.__all__)
    with pytest.raises(AttributeError, match="no attribute 'running'"):
        _ = needle.running
    assert issubclass(needle.UsageError, needle.NeedleError)
    assert issubclass(needle.Stopped, needle.NeedleError)


def test_its_options_are_the_command_lines() -> None:
    """``needle.run`` takes every option of ``needle run``, under its name, and no other."""
    there = {
        option.removeprefix("--").replace("-", "_")
        for param in cli_asking.run.params
        for option in param.opts
        if option.startswith("--") and not getattr(param, "hidden", False)
    }
    assert set(Options.__annotations__) == there - NOT_OF_PYTHON


def test_a_run_is_the_command_lines(alone: Path) -> None:
    """A run from Python is the one that the command line makes, trial by trial."""
    results = run_small(task="single,multi", facts=3, replicates=2, out=Path("here"), seed=3)
    assert results.folder == only_folder(alone / "here").relative_to(alone)
    said = "run --model sim/reader --lengths 1k --depths 0,100 --language en --controls none"
    said += " --task single,multi --facts 3 --replicates 2 --seed 3"
    from test_reproduce import prepare_said

    assert prepare_said(*said.split()[1:]).digest == results.config.digest
    assert len(results.table) == results.config.trials == 8


def test_the_same_call_pays_for_nothing_twice(server: Server, alone: Path) -> None:
    """The same call finds its finished run; ``again`` pays for a new one."""
    more: dict[str, Any] = {"base_url": server.base_url, "concurrency": 1}
    first = run_small("moonshot-v1-8k", **more)
    assert run_small("moonshot-v1-8k", **more).folder == first.folder
    assert len(server.bodies) == 2
    assert run_small("moonshot-v1-8k", again=True, **more).folder != first.folder
    assert len(server.bodies) == 4
    assert set(server.keys) == {KEY}
    assert len(list((alone / "runs").iterdir())) == 2


def test_the_budget_is_never_exceeded(server: Server) -> None:
    """A budget that is used up stops a run with what is done kept, and says where it is."""
    said: dict[str, Any] = {
        "base_url": server.base_url,
        "concurrency": 1,
        "depths": [0, 20, 40, 60, 80, 100],
    }
    with pytest.raises(needle.UsageError, match="budget"):
        run_small("moonshot-v1-8k", budget="3 apples", **said)
    assert not server.bodies
    with pytest.raises(needle.Stopped, match=r"budget .* what is done is in runs/"):
        run_small("moonshot-v1-8k", budget="0.004Mtok", **said)
    assert 0 < len(server.bodies) < 4
    stored = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    assert len(stored) == len(server.bodies)


def test_a_failed_trial_is_a_row(server: Server) -> None:
    """A trial without a reply is a row of the table with its verdict, and no error."""
    server.script = lambda _, number: reply() if number else refuse(400, "content_filter")
    results = run_small("moonshot-v1-8k", base_url=server.base_url, concurrency=1)
    assert sorted(results.table["verdict"]) == ["filtered", "missed"]
    assert results.table["score"].isna().sum() == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"lenghts": [1]}, "did you mean lengths"),
        ({"lengths": ["900M"]}, "past the window"),
        ({"task": ["nothing"]}, "unknown task"),
        ({"depths": [101]}, "within 0-100"),
        ({"haystack": "nowhere"}, "no haystack"),
        ({"config": "nowhere.yaml"}, "can't read"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_sent(
    said: dict[str, Any], told: str, alone: Path
) -> None:
    """What is wrong with a call is a UsageError of one line, and leaves nothing behind."""
    with pytest.raises(needle.UsageError, match=told) as raised:
        run_small(**said)
    assert "\n" not in str(raised.value)
    assert not (alone / "runs").exists()


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A run's progress goes to standard error: standard output is the caller's."""
    run_small()
    assert capsys.readouterr().out == ""


async def test_it_runs_where_a_loop_runs_already() -> None:
    """Within a running event loop, as in a notebook, a run is carried out to its end."""
    assert asyncio.get_running_loop().is_running()
    assert len(run_small().table) == 2
    with pytest.raises(needle.UsageError, match="unknown task"):
        run_small(task="nothing")
    assert not [thread for thread in threading.enumerate() if thread.name == "needle.run"]


async def test_an_interrupt_stops_it_there_too(server: Server, alone: Path) -> None:
    """Ctrl-C within a running loop lets what is in flight come back and sends nothing more."""
    server.let(1)
    waiting = threading.Event()

    def interrupt() -> None:
        server.wait_for(2)
        os.kill(os.getpid(), signal.SIGINT)
        waiting.wait(0.2)
        server.let(None)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=interrupt)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_small(
                "moonshot-v1-8k",
                base_url=server.base_url,
                concurrency=1,
                depths=[0, 20, 40, 60, 80, 100],
            )
    finally:
        other.join()
        signal.signal(signal.SIGINT, before)
    assert len(read_log(only_folder(alone / "runs") / "outcomes.jsonl")) == len(server.bodies) == 2


def test_statistics_are_the_records() -> None:
    """The frame of statistics has a row for every estimate of the records, with its numbers."""
    results = needle.load(SAMPLE)
    frame = results.statistics
    assert list(frame.columns) == list(STATISTICS)
    for told in read_statistics(SAMPLE):
        own = frame[(frame["task"] == told.task) & (frame["language"] == told.language)]
        assert own["kind"].value_counts().to_dict() == count_kinds(told)
        overall = own[own["kind"] == "overall"].iloc[0]
        assert (overall["value"], overall["low"]) == (told.overall.value, told.overall.low)
        cells = own[own["kind"] == "cell"]
        assert list(zip(cells["length"], cells["depth"], strict=True)) == [
            cell[:2] for cell in told.cells
        ]
        absolute = own[own["kind"] == "effective_absolute"].iloc[0]
        assert absolute["value"] == told.effective[0].length
        assert absolute["state"] == told.effective[0].state


def count_kinds(told: Statistics) -> dict[str, int]:
    kinds = {"overall": 1, "base": int(told.base is not None)}
    kinds |= {"length": len(told.lengths), "depth": len(told.depths), "cell": len(told.cells)}
    kinds |= {f"effective_{each.definition}": 1 for each in told.effective}
    return {kind: number for kind, number in kinds.items() if number}


def test_figures_show_themselves() -> None:
    """A heatmap and a sheet are matplotlib figures that a notebook can show."""
    results = needle.load(SAMPLE)
    drawn = [results.heatmap(), results.heatmap("zh", palette="safe", words="en")]
    drawn.append(needle.compare(results).sheet(words="zh"))
    for figure in drawn:
        assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    said = {text.get_text() for text in drawn[2].texts}
    assert find_chinese_family() is None or any("大海捞针" in text for text in said)


def test_what_is_not_there_is_said() -> None:
    """A folder without a run, a task or language that it has not, and scores that no one made."""
    with pytest.raises(needle.UsageError, match="no run in"):
        needle.load("nowhere")
    with pytest.raises(needle.UsageError, match="no scores by 'judge'"):
        needle.load(SAMPLE, scorer="judge")
    with pytest.raises(needle.UsageError, match="it has single in en, zh"):
        needle.load(SAMPLE).heatmap(task="multi")
    with pytest.raises(needle.UsageError, match="no task 'multi'"):
        needle.compare(SAMPLE).sheet("multi")
    with pytest.raises(needle.UsageError, match="no palette 'red': use published or safe"):
        needle.load(SAMPLE).heatmap(palette="red")  # type: ignore[arg-type]
    with pytest.raises(needle.UsageError, match="no words in 'fr': use en or zh"):
        needle.compare(SAMPLE).sheet(words="fr")  # type: ignore[arg-type]
    with pytest.raises(needle.UsageError, match="which runs"):
        needle.compare()


def test_comparing_is_tested_in_pairs() -> None:
    """Two runs of the same text are tested in pairs; the frame has a row a comparison."""
    both = needle.compare(run_small("sim/middle"), run_small().folder)
    assert list(both.tests.columns) == list(TESTS)
    assert both.tests[["first", "second", "pairs"]].to_numpy().tolist() == [
        ["sim/middle", "sim/reader", 2]
    ]
    assert both.obstacles == ()
    assert both.table.columns[0] == "run"
    assert len(both.table) == 4
    assert set(both.statistics["model"]) == {"sim/middle", "sim/reader"}
    assert len(both.conclusions("zh")) == 3
    assert both.difference(0, words="zh")._repr_png_()  # type: ignore[attr-defined]
    with pytest.raises(needle.UsageError, match="no row 1 in tests"):
        both.difference(1)


def test_comparing_takes_the_scorer_that_a_run_was_loaded_with() -> None:
    """What was loaded by another scorer is compared by it, unless the call names one."""
    folder = run_small(scorer=["keyword", "exact"]).folder
    told = {
        scorer: needle.compare(needle.load(folder, scorer="exact"), scorer=scorer).statistics
        for scorer in (None, "exact", "keyword")
    }
    assert told[None].equals(told["exact"])
    assert not told[None].equals(told["keyword"])


def test_what_may_not_be_compared_is_refused() -> None:
    """Runs of different needles are refused, or shown without tests where asked to."""
    runs = (SAMPLE, run_small(seed=9))
    with pytest.raises(needle.UsageError, match="may not be compared"):
        needle.compare(*runs)
    shown = needle.compare(*runs, side_by_side=True)
    assert shown.obstacles
    assert "models" not in set(shown.tests["of"])


def test_every_public_name_says_what_it_is() -> None:
    """All that a user meets from Python has a docstring."""
    for thing in (needle.run, needle.load, needle.compare, needle.Results, needle.Compared):
        assert inspect.getdoc(thing)
        for name, member in inspect.getmembers(thing):
            assert name.startswith("_") or not callable(member) or inspect.getdoc(member)
