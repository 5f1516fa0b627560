"""Whole sweeps: many runs side by side, from one file."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import KEY, Call, Start, finish, list_files, read_log
from serving import Server, refuse, serving
from sweeps import bill, find_folder, read_replies, write_sweep

from needle.edges.store import own_run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as started:
        yield started


def at(server: Server, model: str, **more: object) -> dict[str, object]:
    """Return a model of a sweep at a server."""
    return {"model": model, "base_url": server.base_url, "window": "8k", **more}


def test_the_shipped_sweep_runs_as_it_is(call: Call) -> None:
    """configs/runs/sweep.yaml needs no key and no network, and shows all its runs in one table."""
    ended = call("sweep", ROOT / "configs" / "runs" / "sweep.yaml")
    assert ended.status == 0, ended.err
    assert len([path for path in Path("runs").iterdir() if path.is_dir()]) == 5
    rows = [line.split() for line in ended.out.splitlines() if "(simulated)" in line]
    assert len(rows) == 11
    assert {row[0] for row in rows} == {
        f"sim/{name}" for name in ("reader", "middle", "window", "distracted", "oracle")
    }


def test_an_endpoint_does_not_wait_for_another(server: Server, other: Server, start: Start) -> None:
    """A run is done while another endpoint has not answered the first request of its own."""
    server.let(0)
    file = write_sweep([at(server, "slow"), at(other, "fast")])
    process = start("sweep", file, "--yes")
    other.wait_for(6)
    server.wait_for(1)
    assert not server.answered
    server.let(None)
    assert finish(process).status == 0
    assert (len(read_replies("slow")), len(read_replies("fast"))) == (6, 6)


@pytest.mark.parametrize(("apart", "most"), [(False, 2), (True, 4)])
def test_runs_at_one_endpoint_share_its_concurrency(
    apart: bool, most: int, server: Server, call: Call
) -> None:
    """The requests of all runs at one endpoint together are no more than one may have."""
    held: list[int] = []

    def look() -> None:
        held.append(len(server.bodies) - len(server.answered))
        if held[-1] == most:
            server.let(None)

    server.watch = look
    server.let(0)
    file = write_sweep(
        [at(server, name, apart=apart) for name in "ab"], concurrency=2, cache="none"
    )
    assert call("sweep", file, "--yes").status == 0
    assert len(server.answered) == 12
    assert max(held) == most


def test_the_strictest_limits_hold_for_all_runs_at_an_endpoint(
    server: Server, start: Start
) -> None:
    """Runs at one endpoint send no more a minute together than the least that one of them names."""
    models = [at(server, "a"), at(server, "b", limits={"requests_a_minute": 3})]
    process = start("sweep", write_sweep(models), "--yes")
    server.wait_for(3)
    with pytest.raises(AssertionError, match="waited for 4"):
        server.wait_for(4, longest_s=0.5)
    process.send_signal(signal.SIGINT)
    assert finish(process).status == 130
    assert len(server.bodies) == 3


def test_a_request_beyond_the_limits_of_its_endpoint_is_refused_in_the_plan(
    server: Server, call: Call
) -> None:
    """What another run's limit at the same endpoint would never let through is told beforehand."""
    models = [at(server, "a"), at(server, "b", grid={"lengths": ["1k"]})]
    models[1]["limits"] = {"tokens_a_minute": "2k"}
    ended = call("sweep", write_sweep(models), "--yes")
    assert ended.status == 2
    assert "models[0]" in ended.faults[0]
    assert not server.bodies


def test_one_budget_is_for_all_runs_together(
    server: Server, other: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs side by side, in two currencies, never spend more than one budget; more goes on."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script = other.script = bill
    models = [
        {"model": "moonshot-v1-8k", "base_url": server.base_url},
        {"model": "gpt-4-turbo", "base_url": other.base_url},
    ]
    file = write_sweep(models, rate="USD/CNY=8")
    assert call("sweep", file, "--budget", "0.5CNY").status == 3
    spent = {"CNY": 0.0, "USD": 0.0}
    for model in ("moonshot-v1-8k", "gpt-4-turbo"):
        for line in read_log(find_folder(model) / "outcomes.jsonl"):
            spent[line["cost"]["currency"]] += line["cost"]["amount"]
    assert 0.1 < spent["CNY"] + 8 * spent["USD"] <= 0.5
    assert call("sweep", file, "--budget", "10CNY").status == 0
    assert (len(server.bodies), len(other.bodies)) == (6, 6)


def test_an_adaptive_run_keeps_its_share_of_the_budget(call: Call) -> None:
    """What an adaptive run may spend does not depend on how fast the runs beside it are."""
    adaptive = {"model": "sim/middle", "adaptive": True, "replicates": 4}
    greedy = {"model": "sim/reader", "replicates": 40}
    grid = {"lengths": ["1k", "2k", "4k", "8k"], "depths": [0, 50, 100]}
    file = write_sweep([adaptive, greedy], grid=grid, budget="600ktok")
    assert call("sweep", file).status == 3
    asked = {line["trial"] for line in read_log(find_folder("sim-middle") / "outcomes.jsonl")}
    alone = write_sweep([adaptive], grid=grid, budget="300ktok")
    assert call("sweep", alone, "--out", "alone").status in (0, 3)
    lines = read_log(find_folder("sim-middle", "alone") / "outcomes.jsonl")
    assert {line["trial"] for line in lines} == asked


def test_a_finished_sweep_costs_nothing_on_a_later_day(server: Server, call: Call) -> None:
    """The same sweep finds its runs by what they are, of whatever day, and asks nothing."""
    file = write_sweep([at(server, "a"), at(server, "b")])
    assert call("sweep", file, "--yes").status == 0
    for folder in list(Path("runs").iterdir()):
        folder.rename(folder.with_name("2025-01-01" + folder.name[10:]))
    before = {name: data for name, data in list_files(Path("runs")).items() if "table" not in name}
    ended = call("sweep", file)  # nothing is to be paid, so nothing is asked of the user either
    assert ended.status == 0, ended.err
    assert len(server.bodies) == 12
    assert {n: d for n, d in list_files(Path("runs")).items() if "table" not in n} == before
    assert call("sweep", write_sweep([at(server, "a"), at(server, "b"), at(server, "c")]), "--yes")
    assert len(server.bodies) == 18


def test_a_killed_sweep_asks_only_what_is_missing(
    server: Server, other: Server, start: Start, call: Call
) -> None:
    """After a kill -9 the same command asks nothing again that was stored, and loses nothing."""
    for each in (server, other):
        each.let(3)
    file = write_sweep([at(server, "a"), at(other, "b")], concurrency=1)
    process = start("sweep", file, "--yes")
    for each in (server, other):
        each.wait_for(4)  # so three are stored
    process.kill()
    process.wait()
    stored = {name: read_replies(name) for name in "ab"}
    assert [len(trials) for trials in stored.values()] == [3, 3]
    for each in (server, other):
        each.let(None)
    ended = call("sweep", file, "--yes")
    assert ended.status == 0, ended.err
    for name, each in (("a", server), ("b", other)):
        assert read_replies(name)[:3] == stored[name]
        assert len(set(read_replies(name))) == len(read_replies(name)) == 6
        assert len(each.bodies) == 7  # the one in flight was asked again


def test_one_run_that_is_refused_does_not_end_the_others(
    server: Server, other: Server, call: Call
) -> None:
    """A wrong key stops its own run, is told at the end, and the rest goes on the next time."""
    server.script = lambda _body, _number: refuse(401, "wrong key")
    file = write_sweep([at(server, "locked"), at(other, "open")])
    said = ("sweep", file, "--yes", "--out", "other runs")
    ended = call(*said)
    assert ended.status == 3
    assert len(read_replies("open", "other runs")) == 6
    assert any("does not take the key (locked)" in line for line in ended.faults)
    again = f"needle sweep {file} --out 'other runs'"
    assert ended.faults[-1] == f"needle: 1 of 2 runs are not finished; go on with: {again}"
    server.script = bill
    refused = len(server.bodies)
    assert call(*said).status == 0
    assert (len(server.bodies), len(other.bodies)) == (refused + 6, 6)


def test_a_run_that_another_process_has_does_not_end_the_others(server: Server, call: Call) -> None:
    """Where another process is at work in one run's folder, the other runs are carried out."""
    file = write_sweep([at(server, "a")])
    assert call("sweep", file, "--yes").status == 0
    outcomes = find_folder("a") / "outcomes.jsonl"
    outcomes.write_bytes(b"")
    with own_run(find_folder("a")):
        ended = call("sweep", write_sweep([at(server, "a"), at(server, "b")]), "--yes")
    assert ended.status == 2
    assert any("another process is at work" in line for line in ended.faults)
    assert outcomes.read_bytes() == b""
    assert len(read_replies("b")) == 6


def test_ctrl_c_keeps_what_is_in_flight_of_all_runs(
    server: Server, other: Server, start: Start, call: Call
) -> None:
    """One Ctrl-C sends nothing more, stores what is in flight in every run, and can be gone on."""
    for each in (server, other):
        each.let(0)
    file = write_sweep([at(server, "a"), at(other, "b")], concurrency=2)
    process = start("sweep", file, "--yes")
    for each in (server, other):
        each.wait_for(1)  # the first goes alone where a cache may be warmed by it
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "stopping" in process.stderr.readline()
    for each in (server, other):
        each.let(None)
    ended = finish(process)
    assert ended.status == 130
    sent = {name: len(each.bodies) for name, each in (("a", server), ("b", other))}
    assert {name: len(read_replies(name)) for name in "ab"} == sent
    assert f"go on with: needle sweep {file}" in ended.err
    assert call("sweep", file, "--yes").status == 0
    assert (len(server.bodies), len(other.bodies)) == (6, 6)


def test_ctrl_c_twice_drops_what_is_in_flight(server: Server, other: Server, start: Start) -> None:
    """A second Ctrl-C waits for no answer of any run."""
    for each in (server, other):
        each.let(0)
    process = start("sweep", write_sweep([at(server, "a"), at(other, "b")]), "--yes")
    for each in (server, other):
        each.wait_for(1)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "stopping" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.status == 130
    assert "Traceback" not in ended.err
    assert read_log(find_folder("a") / "outcomes.jsonl") == []


def test_each_endpoint_has_its_own_key(
    server: Server, other: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model's key is in the variable that its entry names, and is written nowhere."""
    monkeypatch.setenv("FIRST_KEY", KEY)
    monkeypatch.setenv("SECOND_KEY", f"{KEY}-2")
    models = [at(server, "a", key="FIRST_KEY"), at(other, "b", key="SECOND_KEY")]
    assert call("sweep", write_sweep(models), "--yes").status == 0
    assert (set(server.keys), set(other.keys)) == ({KEY}, {f"{KEY}-2"})
    for name, data in list_files(Path()).items():
        assert KEY.encode() not in data, name


def test_a_plan_shows_each_run_and_all_together(server: Server, call: Call) -> None:
    """--plan tells trials, tokens and money of each and in all, and sends nothing."""
    models = [{"model": "moonshot-v1-8k", "base_url": server.base_url}, {"model": "sim/reader"}]
    ended = call("sweep", write_sweep(models), "--plan")
    assert ended.status == 0
    last = ended.out.splitlines()[-1]
    assert last.startswith("all together: 2 runs, 12 trials: ")
    assert "CNY" in last
    assert "moonshot-v1-8k at" in ended.out
    assert not server.bodies
    assert not Path("runs").exists()


def test_nothing_is_paid_for_without_leave(server: Server, call: Call) -> None:
    """Without a terminal a sweep that costs money needs --yes or --budget, file or not."""
    file = write_sweep([at(server, "a")], budget="1Mtok")
    ended = call("sweep", file)
    assert (ended.status, len(ended.faults)) == (2, 1)
    assert not server.bodies


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--workers", "2"], "--engine ray"),
        (["--address", "auto"], "--engine ray"),
        (["--engine", "spark"], "'spark'"),
        (["--budget", "much"], "--budget"),
        (["--budget", "much", "--plan"], "--budget"),
    ],
)
def test_wrong_use_is_one_line(more: list[str], told: str, call: Call) -> None:
    """A fault of the command line ends in one line before anything is written."""
    ended = call("sweep", write_sweep([{"model": "sim/reader"}]), *more)
    assert ended.status == 2
    (fault,) = ended.faults
    assert told in fault
    assert not Path("runs").exists()


def test_the_same_run_twice_is_refused(call: Call) -> None:
    """Two entries that make one run are told by their places."""
    ended = call("sweep", write_sweep([{"model": "sim/reader"}] * 2))
    assert ended.status == 2
    assert "models[0] and sweep.yaml: models[1]" in ended.faults[0]


def test_without_ray_the_engine_is_refused_in_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error without the extra says how to install it, and an address of a client is refused."""
    file = write_sweep([{"model": "sim/reader"}])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    ended = call("sweep", file, "--engine", "ray")
    assert ended.status == 2
    assert "pip install 'needle[ray]'" in ended.faults[0]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    assert "Ray client" in call("sweep", file, "--engine", "ray", "--address", "ray://x").err
