import json
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from driving import Call, Start, finish, only_folder, read_log
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import Answer, Server, refuse, reply

from needle.asking.outcomes import is_settled, settle_states

TRIALS = 6
OUTCOMES = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12)


def said(server: Server, concurrency: int = 2) -> list[str]:
    return [
        *("run", "--model", "moonshot-v1-8k", "--base-url", server.base_url, "--yes"),
        *("--language", "en", "--lengths", "1k,2k", "--depths", "0,50,100"),
        *("--concurrency", str(concurrency), "--out", "runs", "--controls", "none"),
        *("--cache", "none"),
    ]


def replies(folder: Path) -> Counter[str]:
    """Count the replies of each trial; a line that can't be read fails the test."""
    lines = read_log(folder / "outcomes.jsonl")
    return Counter(line["trial"] for line in lines if line["failure"] is None)


def each_once(folder: Path) -> bool:
    """Tell whether every trial has one reply and a score."""
    scored = {line["trial"] for line in read_log(folder / "scores.jsonl")}
    counted = replies(folder)
    return len(counted) == TRIALS and set(counted.values()) == {1} and scored == set(counted)


def hear_of_stop(process: "subprocess.Popen[str]") -> str:
    """Read what a process says until it says that it is stopping."""
    assert process.stderr is not None
    heard = ""
    for line in process.stderr:
        heard += line
        if "stopping" in line:
            break
    return heard


@pytest.mark.parametrize("stored", [0, 1, 4])
def test_a_killed_run_goes_on_without_asking_twice(
    stored: int, server: Server, start: Start, call: Call
) -> None:
    """After kill -9 no stored trial is sent again, and each trial ends with one reply."""
    server.let(stored)
    process = start(*said(server))
    server.wait_for(stored + 2)  # both workers ask again only once they have stored
    process.kill()
    process.wait()
    folder = only_folder(Path("runs"))
    assert replies(folder).total() == stored
    kept = set(server.answered)
    asked = len(server.bodies)
    server.let(None)
    assert call("resume", folder).status == 0
    again = server.prompts(asked)
    assert len(again) == TRIALS - stored
    assert not kept & set(again)
    assert len(set(again) | kept) == TRIALS
    assert each_once(folder)


def test_the_first_interrupt_waits_for_what_is_in_flight(
    server: Server, start: Start, call: Call
) -> None:
    """The first Ctrl-C sends nothing more, stores what is in flight, and says how to resume."""
    server.let(1)
    process = start(*said(server))
    server.wait_for(3)
    process.send_signal(signal.SIGINT)
    assert "in flight" in hear_of_stop(process)
    server.let(None)
    ended = finish(process)
    folder = only_folder(Path("runs"))
    assert ended.status == 130
    assert f"needle resume {Path('runs') / folder.name}" in ended.err
    assert "Traceback" not in ended.err
    assert len(server.bodies) == 3
    assert replies(folder).total() == 3
    assert call("resume", folder).status == 0
    assert len(server.bodies) == TRIALS
    assert len(set(server.prompts())) == TRIALS
    assert each_once(folder)


def test_the_second_interrupt_drops_what_is_in_flight(
    server: Server, start: Start, call: Call
) -> None:
    """The second Ctrl-C ends the run at once, what is stored is kept, the rest is asked anew."""
    server.let(1)
    process = start(*said(server))
    server.wait_for(3)
    process.send_signal(signal.SIGINT)
    hear_of_stop(process)
    process.send_signal(signal.SIGINT)
    ended = finish(process)  # the server still holds both requests
    folder = only_folder(Path("runs"))
    assert ended.status == 130
    assert "needle resume" in ended.err
    assert "Traceback" not in ended.err
    assert replies(folder).total() == 1
    server.let(None)
    assert call("resume", folder).status == 0
    assert len(server.prompts(3)) == TRIALS - 1
    assert not set(server.answered[:1]) & set(server.prompts(3))
    assert each_once(folder)


def test_an_interrupt_ends_a_wait_between_attempts(
    server: Server, start: Start, call: Call
) -> None:
    """A run that waits as a vendor asked ends on Ctrl-C, and asks those trials on resume."""
    server.script = lambda _body, _number: refuse(429, "slow down", retry_after="600")
    process = start(*said(server))
    server.wait_for(2)
    process.send_signal(signal.SIGINT)
    hear_of_stop(process)
    ended = finish(process)
    assert ended.status == 130
    folder = only_folder(Path("runs"))
    assert not replies(folder)
    server.script = lambda _body, _number: reply()
    assert call("resume", folder).status == 0
    assert each_once(folder)


@pytest.mark.parametrize("left", [0, 1, 100, -1])
def test_a_torn_last_line_is_mended(left: int, server: Server, call: Call) -> None:
    """A run whose last line was torn asks that trial again, and no other."""
    assert call(*said(server, concurrency=1)).status == 0
    folder = only_folder(Path("runs"))
    path = folder / "outcomes.jsonl"
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(whole[:last] + whole[last:][:left])
    asked = len(server.bodies)
    assert call("resume", folder).status == 0
    assert server.prompts(asked) == server.prompts()[asked - 1 : asked]
    assert each_once(folder)
    assert path.read_bytes()[:last] == whole[:last]


def test_a_torn_score_is_made_anew_without_a_call(server: Server, call: Call) -> None:
    """A torn line of scores.jsonl is mended on the next start without asking anything."""
    call(*said(server))
    folder = only_folder(Path("runs"))
    path = folder / "scores.jsonl"
    before = {line["trial"]: line for line in read_log(path)}
    path.write_bytes(path.read_bytes()[:-40])
    asked = len(server.bodies)
    assert call("resume", folder).status == 0
    assert len(server.bodies) == asked
    assert {line["trial"]: line for line in read_log(path)} == before


def test_a_score_of_an_earlier_failure_does_not_outlive_the_reply(
    server: Server, call: Call
) -> None:
    """A reply stored just before a kill is scored on the next start, whatever stood there."""
    call(*said(server))
    folder = only_folder(Path("runs"))
    path = folder / "scores.jsonl"
    before = {line["trial"]: line for line in read_log(path)}
    trial = next(iter(before))
    stale = {**before[trial], "score": None, "verdict": "failed", "explanation": "no reply"}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(stale) + "\n")
    assert call("resume", folder).status == 0
    assert {line["trial"]: line for line in read_log(path)} == before


def test_damage_within_a_log_is_told_and_left_alone(server: Server, call: Call) -> None:
    """A line damaged elsewhere than at the end is one error line, and nothing is changed."""
    call(*said(server))
    folder = only_folder(Path("runs"))
    path = folder / "outcomes.jsonl"
    data = path.read_bytes()
    damaged = b"{!" + data[2:]
    path.write_bytes(damaged)
    asked = len(server.bodies)
    ended = call("resume", folder)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert "outcomes.jsonl:1" in ended.faults[0]
    assert path.read_bytes() == damaged
    assert len(server.bodies) == asked


def test_one_process_owns_a_run_folder(server: Server, start: Start, call: Call) -> None:
    """While a run is at work every other command that would write its folder is refused."""
    server.let(0)
    process = start(*said(server))
    server.wait_for(2)
    folder = only_folder(Path("runs"))
    for other in (["resume", folder], ["score", folder], said(server)):
        ended = call(*other)
        assert ended.status == 2, other
        assert len(ended.faults) == 1
        assert "another process" in ended.faults[0]
    assert len(server.bodies) == 2
    server.let(None)
    assert finish(process).status == 0
    assert len(server.bodies) == TRIALS
    assert each_once(folder)


def test_the_same_command_goes_on_with_its_unfinished_run(
    server: Server, start: Start, call: Call
) -> None:
    """The same command finds its unfinished run by its configuration and asks only the rest."""
    server.let(3)
    process = start(*said(server))
    server.wait_for(5)
    process.kill()
    process.wait()
    folder = only_folder(Path("runs"))
    older = folder.with_name("2024-03-01" + folder.name[10:])
    folder.rename(older)  # begun on another day
    server.let(None)
    ended = call(*said(server))
    assert ended.status == 0
    assert str(older) in ended.err
    assert only_folder(Path("runs")).name == older.name
    assert len(server.prompts(5)) == TRIALS - 3
    assert each_once(older)


def test_a_finished_run_is_not_paid_for_twice(server: Server, call: Call) -> None:
    """The same command on a finished run sends nothing; --again makes a new folder."""
    call(*said(server))
    folder = only_folder(Path("runs"))
    before = (folder / "outcomes.jsonl").read_bytes()
    ended = call(*said(server))
    assert ended.status == 0
    assert "finished" in ended.err
    assert len(server.bodies) == TRIALS
    for number in (2, 3):
        assert call(*said(server), "--again").status == 0
        assert len(server.bodies) == number * TRIALS
        assert len(list(Path("runs").iterdir())) == number
    assert (folder / "outcomes.jsonl").read_bytes() == before
    assert all(each_once(path) for path in Path("runs").iterdir())
    assert call(*said(server)).status == 0
    assert len(server.bodies) == 3 * TRIALS


@given(OUTCOMES)
@settings(max_examples=60)
def test_a_trials_state_is_its_reply_else_its_last_failure(drawn: list[tuple[str, bool]]) -> None:
    """Whatever order outcomes were stored in, a reply settles its trial and is never replaced."""
    lines = [
        {"trial": trial, "number": number, "failure": None if good else {"permanent": False}}
        for number, (trial, good) in enumerate(drawn)
    ]
    states = settle_states(lines)
    assert states.keys() == {trial for trial, _ in drawn}
    for trial, state in states.items():
        mine = [line for line in lines if line["trial"] == trial]
        good = [line for line in mine if line["failure"] is None]
        assert state == (good[0] if good else mine[-1])
        assert is_settled(state) == bool(good)


def test_another_question_is_another_run(server: Server, call: Call) -> None:
    """What shapes the requests shapes the run's folder: a changed seed is a new run."""
    call(*said(server))
    call(*said(server), "--seed", "1")
    assert len(list(Path("runs").iterdir())) == 2
    assert len(set(server.prompts())) == 2 * TRIALS


def test_a_changed_haystack_stops_a_resume(server: Server, call: Call) -> None:
    """A run whose haystack is no longer the same text is not gone on with."""
    essay = Path("text/essay.txt")
    essay.parent.mkdir()
    sentences = (f"The {n}th hill of the island was green and quiet that year." for n in range(300))
    essay.write_text(" ".join(sentences), encoding="utf-8")
    server.script = lambda _body, _number: Answer(500, "{}")
    assert call(*said(server), "--haystack", "text").status == 1
    folder = only_folder(Path("runs"))
    asked = len(server.bodies)
    essay.write_text("Another text. " * 900, encoding="utf-8")
    ended = call("resume", folder)
    assert ended.status == 2
    assert "haystack" in ended.faults[0]
    assert len(server.bodies) == asked
