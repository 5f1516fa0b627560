"""Batch files of a run: what is in them, how they are split, and what a kill leaves behind."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batch_runs import TRIALS, count, read_inputs, replies, said, submit, write
from batch_serving import Vendor, read_requests
from driving import Call, Start, finish, only_folder, read_log
from serving import name_prompt, refuse

from needle.contexts.keys import digest


def limit(monkeypatch: pytest.MonkeyPatch, folder: Path, terms: str) -> None:
    """Let the vendor take smaller files, by a file of the user's own."""
    own = folder / "own"
    own.mkdir()
    (own / "openai.yaml").write_text(f"vendor: openai\nbatch: {{{terms}}}\n", encoding="utf-8")
    monkeypatch.setenv("NEEDLE_MODELS", str(own))


def test_a_file_asks_what_a_live_run_asks(vendor: Vendor, call: Call) -> None:
    """Written and live, a configuration asks the same prompts of the same body, each trial once."""
    folder = write(vendor, call)
    (path,) = (folder / "batch").glob("*.jsonl")
    requests = read_requests(path.read_bytes())
    assert len({request["custom_id"] for request in requests}) == TRIALS
    assert call("run", *said(vendor), "--yes", "--out", "live").status == 0
    for body in vendor.bodies:
        body.pop("prompt_cache_key", None)  # batches keep no cache warm
    live = {name_prompt(body): body for body in vendor.bodies}
    assert {name_prompt(each["body"]): each["body"] for each in requests} == live
    outcomes = read_log(only_folder(Path("live")) / "outcomes.jsonl")
    assert {line["trial"] for line in outcomes} == {each["custom_id"] for each in requests}


def test_a_trials_key_is_short_enough() -> None:
    """A key is no longer than the 64 characters that the strictest vendor lets a custom_id have."""
    assert len(digest({})) <= 64


def test_files_are_split_by_requests_and_bytes(
    vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No file holds more requests or bytes than its vendor takes, and all hold each trial once."""
    limit(monkeypatch, tmp_path, "most_requests: 4, most_bytes: 16000")
    folder = write(vendor, call)
    files = read_inputs(folder)
    assert list(files) == [f"input-{number:03d}.jsonl" for number in range(1, len(files) + 1)]
    assert len(files) > 2
    trials = [trial for asked in files.values() for trial in asked]
    assert len(trials) == len(set(trials)) == TRIALS
    for path in (folder / "batch").iterdir():
        assert path.stat().st_size <= 16_000
        assert len(read_requests(path.read_bytes())) <= 4


def test_files_are_split_by_tokens_where_asked(vendor: Vendor, call: Call) -> None:
    """With --file-tokens no file's prompts have more tokens, so that a queue's limit holds it."""
    folder = write(vendor, call, "--file-tokens", "3k")
    (line,) = read_log(folder / "batches.jsonl")
    assert len(line["files"]) > 1
    assert sum(len(file["trials"]) for file in line["files"]) == TRIALS
    assert all(file["tokens"] <= 3_000 for file in line["files"])


def test_a_request_larger_than_a_file_is_one_line(
    vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A request that fits no file is told with the remedy, and nothing is recorded."""
    limit(monkeypatch, tmp_path, "most_bytes: 6000")
    ended = call("batch", "write", *said(vendor))
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert "--lengths" in ended.faults[0]
    folder = only_folder(Path("runs"))
    assert not list((folder / "batch").iterdir())
    assert not (folder / "batches.jsonl").exists()


@pytest.mark.parametrize("tokens", ["0", "1k"])
def test_a_request_of_more_tokens_than_a_file_is_one_line(
    tokens: str, vendor: Vendor, call: Call
) -> None:
    """No file has more than --file-tokens, not even for one request: a queue would refuse it."""
    ended = call("batch", "write", *said(vendor), "--file-tokens", tokens)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert "--file-tokens" in ended.faults[0]
    assert not list((only_folder(Path("runs")) / "batch").iterdir())


def test_only_what_is_left_is_written(vendor: Vendor, call: Call) -> None:
    """A run begun live goes on in a file that asks its failed trials alone."""
    vendor.script = lambda body, number: (
        refuse(503, "busy") if "2" in name_prompt(body)[:4] else count(body, number)
    )
    assert call("run", *said(vendor), "--yes").status in (0, 1)
    folder = only_folder(Path("runs"))
    left = TRIALS - replies(folder).total()
    ended = call("batch", "write", folder)
    assert ended.status == 0
    written = [trial for asked in read_inputs(folder).values() for trial in asked]
    assert len(written) == left
    assert not set(written) & set(replies(folder))
    assert ("nothing is left to ask" in ended.err) == (not left)


def test_what_cant_pass_by_itself_is_written_only_when_told(vendor: Vendor, call: Call) -> None:
    """A permanent failure is left out of files until the user says --failed."""
    vendor.script = lambda _body, _number: refuse(400, "x", "context_length_exceeded")
    assert call("run", *said(vendor), "--yes").status == 1
    folder = only_folder(Path("runs"))
    assert "nothing is left to ask" in call("batch", "write", folder).err
    assert not read_inputs(folder)
    assert call("batch", "write", folder, "--failed").status == 0
    assert sum(map(len, read_inputs(folder).values())) == TRIALS


def test_files_not_sent_are_replaced_and_those_sent_are_kept(vendor: Vendor, call: Call) -> None:
    """Writing again takes the place of files not submitted; a number is never used twice."""
    folder = write(vendor, call)
    write(vendor, call, "--file-tokens", "4k")
    assert list(read_inputs(folder)) == [f"input-00{number}.jsonl" for number in (2, 3, 4)]
    assert call("batch", "submit", folder, "input-003.jsonl", "--yes").status == 0
    ended = call("batch", "write", folder)
    assert ended.status == 0
    files = read_inputs(folder)
    assert list(files) == ["input-003.jsonl", "input-005.jsonl"]
    assert not set(files["input-003.jsonl"]) & set(files["input-005.jsonl"])
    submit(folder, call)
    assert "6 wait in open batches" in call("batch", "write", folder).err


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--file-tokens", "many"), "--file-tokens"),
        (("--count", "vendor"), "--count common"),
        (("nowhere",), "nowhere"),
        (("--lengths", "1k,200k"), "200k"),
    ],
)
def test_wrong_use_is_one_line(
    wrong: tuple[str, ...], named: str, vendor: Vendor, call: Call
) -> None:
    """Wrong options name the value and the remedy; nothing is written or sent."""
    more = () if wrong == ("nowhere",) else said(vendor)
    ended = call("batch", "write", *more, *wrong)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert named in ended.faults[0]
    assert not Path("runs").exists()
    assert not vendor.asked


def test_a_run_folder_says_all_of_its_run(vendor: Vendor, call: Call) -> None:
    """Options beside a run folder are refused: what it asks stands in its run.yaml."""
    folder = write(vendor, call)
    ended = call("batch", "write", folder, "--seed", "1")
    assert ended.status == 2
    assert "RUN" in ended.faults[0]


def test_any_endpoint_can_be_written_for(vendor: Vendor, call: Call) -> None:
    """A model of no vendor is written for too, and told how vLLM answers its files."""
    ended = call(
        *("batch", "write", "--model", "my/qwen", "--base-url", vendor.base_url),
        *("--window", "32k", "--language", "zh", "--lengths", "1k", "--depths", "0,100"),
    )
    assert ended.status == 0
    assert "vllm run-batch -i runs/" in ended.err
    folder = only_folder(Path("runs"))
    refused = call("batch", "submit", folder, "--yes")
    assert refused.status == 2
    assert "vllm run-batch" in refused.faults[0]
    assert not vendor.asked


LONG = """
import tracemalloc
from pathlib import Path
from needle.commands import batch_commands
from needle.edges import store
from needle.runs.batchfiles import choose_room, write_batches
from needle.edges.config import read_recipe
from needle.runs.prepare import prepare
said = {"model": "sim/reader", "language": "en", "controls": "none",
        "grid": {"lengths": "100k", "depth_count": "%d"}}
ready = prepare(read_recipe(None, said), True, "sim/reader", "d")
folder = store.create_run(Path("long"), ready.run)
tracemalloc.start()
write_batches(ready, folder, ready.plan.trials, choose_room(None, None), "now", print)
print(tracemalloc.get_traced_memory()[1])
"""


def test_one_prompt_is_in_memory_at_a_time(alone: Path) -> None:
    """Ten times the prompts take no more memory to write than a few do."""
    peaks = []
    for depths in (3, 30):
        done = subprocess.run(
            [sys.executable, "-c", LONG % depths],
            capture_output=True,
            text=True,
            check=True,
            cwd=alone,
        )
        peaks.append(int(done.stdout.splitlines()[-1]))
    assert peaks[1] < 1.5 * peaks[0]


def test_a_kill_while_writing_leaves_what_was(vendor: Vendor, start: Start, call: Call) -> None:
    """Files half written are no files: after kill -9 the same command writes them all anew."""
    folder = write(vendor, call)
    before = (folder / "batches.jsonl").read_bytes()
    process = start(
        *("batch", "write", *said(vendor), "--replicates", "60", "--out", "long"),
    )
    deadline = time.monotonic() + 30
    while not list(Path("long").glob("*/batch/.*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)
    long = only_folder(Path("long"))
    assert list((long / "batch").glob(".*.part"))
    assert not (long / "batches.jsonl").exists()
    again = call("batch", "write", *said(vendor), "--replicates", "60", "--out", "long")
    assert again.status == 0
    assert [path.name for path in (long / "batch").iterdir()] == ["input-001.jsonl"]
    (line,) = read_log(long / "batches.jsonl")
    assert len(line["files"][0]["trials"]) == 60 * TRIALS
    assert (folder / "batches.jsonl").read_bytes() == before


def test_a_full_disk_is_one_line(vendor: Vendor, start: Start) -> None:
    """Where a file can't be written whole there is one line, and nothing of it is left."""

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))

    ended = finish(start("batch", "write", *said(vendor), preexec_fn=fill))
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert "make room" in ended.faults[0]
    folder = only_folder(Path("runs"))
    assert not list((folder / "batch").iterdir())
    assert not (folder / "batches.jsonl").exists()


def test_no_key_is_written(vendor: Vendor, call: Call) -> None:
    """Neither the files nor their record hold a key."""
    folder = write(vendor, call)
    submit(folder, call)
    assert vendor.keys
    for path in folder.rglob("*"):
        if path.is_file():
            assert vendor.keys[0].encode() not in path.read_bytes()
    json.loads((folder / "batches.jsonl").read_bytes().splitlines()[-1])
