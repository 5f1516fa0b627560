"""Sweeps on a real Ray cluster: two workers, of which one is killed, and so is the driver."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from driving import KEY, Call, Start, finish, list_files, read_log
from real.parts import RUN_S, RayCluster
from serving import Answer, Body, Server, reply, serving
from sweeps import find_folder, read_replies, write_sweep

AT_ONCE = 4
TRIALS = 40


@pytest.fixture
def other() -> Iterator[Server]:
    with serving() as started:
        yield started


def quote(body: Body, _number: int) -> Answer:
    """Answer by what was asked, so that the same question has the same answer."""
    return reply(body["messages"][-1]["content"][-80:])


def at(server: Server, model: str, **more: Any) -> dict[str, Any]:
    """Return a model of a sweep at a server: so many trials of it, so many at once."""
    grid = {"lengths": ["1k", "2k"], "depth_count": 10}
    said = {"model": model, "base_url": server.base_url, "window": "8k", "cache": "none"}
    return {**said, "grid": grid, "replicates": 2, "concurrency": AT_ONCE, **more}


def count_held(server: Server) -> list[int]:
    """Count, at each request, how many the server holds."""
    held: list[int] = []
    server.watch = lambda: held.append(len(server.bodies) - len(server.answered))
    return held


def on(cluster: RayCluster, file: Path) -> tuple[object, ...]:
    """Return the words of a sweep on a cluster."""
    return ("sweep", file, "--yes", "--engine", "ray", "--address", cluster.address)


def wait_until(true: Any, longest_s: float = RUN_S) -> None:
    """Wait until something is true."""
    end = time.monotonic() + longest_s
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def find_in(folder: Path, secret: str) -> list[str]:
    """Return the files that hold a secret."""
    found = []
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file() and secret.encode() in path.read_bytes():
                found.append(str(path))
    return found


def test_a_cluster_asks_what_one_machine_asks(
    ray_cluster: RayCluster,
    server: Server,
    start: Start,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both engines send the same prompts with the same key and store the same keys and scores.

    Two workers share an endpoint's limit of requests at once, and no file holds the key.
    """
    monkeypatch.setenv("OWN_KEY", KEY)
    server.script = quote
    file = write_sweep([at(server, "a", key="OWN_KEY"), at(server, "b", key="OWN_KEY")])
    file.write_text(file.read_text().replace('"en"', '"both"'))
    assert call("sweep", file, "--yes", "--out", "here").status == 0
    here = sorted(server.prompts())
    held = count_held(server)
    ended = finish(start(*on(ray_cluster, file), "--out", "there"), RUN_S)
    assert ended.status == 0, ended.err
    assert sorted(server.prompts(len(here))) == here
    assert set(server.keys) == {KEY}
    assert 2 <= max(held) <= AT_ONCE
    for model in "ab":
        for name in ("outcomes.jsonl", "scores.jsonl"):
            told = [
                sorted(
                    (line["trial"], line.get("score"), line.get("response"), line.get("pair"))
                    for line in read_log(find_folder(model, out) / name)
                )
                for out in ("here", "there")
            ]
            assert told[0] == told[1]
    assert find_in(ray_cluster.folder, KEY) == []
    assert all(KEY.encode() not in data for data in list_files(Path()).values())
    assert "Traceback" not in ended.err


def test_a_driver_that_is_killed_goes_on(
    ray_cluster: RayCluster, server: Server, other: Server, start: Start
) -> None:
    """After kill -9 of the driver its workers end; the same command asks nothing stored again."""
    server.script = other.script = quote
    server.let(10)
    other.let(10)
    file = write_sweep([at(server, "a"), at(other, "b")])
    driver = start(*on(ray_cluster, file))
    for each in (server, other):
        each.wait_for(10 + AT_ONCE, RUN_S)  # so ten are stored
    wait_until(lambda: len(ray_cluster.workers()) == len(ray_cluster.raylets))
    driver.kill()
    driver.wait()
    stored = {model: read_replies(model) for model in "ab"}
    assert [len(trials) for trials in stored.values()] == [10, 10]
    wait_until(lambda: not ray_cluster.workers())
    for each in (server, other):
        each.let(None)
    ended = finish(start(*on(ray_cluster, file)), RUN_S)
    assert ended.status == 0, ended.err
    for model, each in (("a", server), ("b", other)):
        replies = read_replies(model)
        assert replies[:10] == stored[model]
        assert len(set(replies)) == len(replies) == TRIALS
        # Each of the ten was sent once; what was in flight with the driver once more.
        assert len(each.bodies) == TRIALS + AT_ONCE


def test_a_machine_that_is_killed_loses_nothing_that_was_stored(
    ray_cluster: RayCluster, server: Server, start: Start
) -> None:
    """One of two machines is killed with requests in flight: these alone are asked again."""
    server.script = quote
    server.let(10)
    held = count_held(server)
    file = write_sweep([at(server, "a")])
    driver = start(*on(ray_cluster, file))
    server.wait_for(10 + AT_ONCE, RUN_S)
    wait_until(lambda: len(ray_cluster.workers()) == len(ray_cluster.raylets))
    (worker, machine), (_, other_machine) = ray_cluster.parents().items()
    assert machine != other_machine
    before = set(read_replies("a"))
    for each in (machine, worker):
        os.kill(each, signal.SIGKILL)
    server.let(None)
    ended = finish(driver, RUN_S)
    assert ended.status == 0, ended.err
    replies = read_replies("a")
    assert before <= set(replies)
    assert len(set(replies)) == len(replies) == TRIALS
    lost = len(server.bodies) - TRIALS
    assert 1 <= lost <= AT_ONCE  # the dead machine's, and none of the other's
    lines = read_log(find_folder("a") / "outcomes.jsonl")
    assert sum(line["attempts"] - 1 for line in lines) == lost
    assert max(held) <= AT_ONCE + lost  # the server still held the dead machine's


def test_a_cluster_of_its_own_ends_with_the_driver(
    server: Server, start: Start, call: Call
) -> None:
    """Without an address a cluster is started on this machine; Ctrl-C and kill -9 leave none.

    What it has stored the other engine goes on with.
    """
    server.script = quote
    file = write_sweep([at(server, "a")])
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as own:
        environment = {**os.environ, "RAY_TMPDIR": own}
        words = ("sweep", file, "--yes", "--engine", "ray")

        def left() -> list[str]:
            listed = subprocess.run(
                ("ps", "-eo", "args", "-ww"), capture_output=True, text=True, check=True
            )
            return [line for line in listed.stdout.splitlines() if own in line]

        for ending, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
            server.let(5)
            number = len(server.bodies)
            driver = start(*words, env=environment, start_new_session=True)
            server.wait_for(number + 5 + AT_ONCE, RUN_S)
            assert left()
            if ending == signal.SIGINT:
                os.killpg(driver.pid, ending)  # as a terminal does
            else:
                os.kill(driver.pid, ending)
            server.let(None)
            assert finish(driver, RUN_S).status == status
            wait_until(lambda: not left())
    assert call("sweep", file, "--yes").status == 0
    replies = read_replies("a")
    assert len(set(replies)) == len(replies) == TRIALS


def test_what_is_wrong_with_a_cluster_is_one_line(
    ray_cluster: RayCluster, server: Server, start: Start, alone: Path
) -> None:
    """No cluster, and workers with another needle, end in one line before anything is sent."""
    file = write_sweep([at(server, "a")])
    nowhere = finish(
        start("sweep", file, "--yes", "--engine", "ray", "--address", "127.0.0.1:9"), RUN_S
    )
    assert nowhere.status == 2
    assert len(nowhere.faults) == 1
    assert "127.0.0.1:9" in nowhere.faults[0]
    program = (
        "import needle, sys; needle.__version__ = '99.0'\n"
        "from needle.commands.cli import main\nmain()"
    )
    words = [sys.executable, "-c", program, *map(str, on(ray_cluster, file))]
    done = subprocess.run(
        words, cwd=alone, capture_output=True, text=True, check=False, timeout=RUN_S
    )
    assert done.returncode == 2
    (fault,) = [line for line in done.stderr.splitlines() if line.startswith("needle: ")]
    assert "99.0" in fault
    assert "install the same on each machine" in fault
    assert not server.bodies
