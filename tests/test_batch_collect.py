"""Collecting a vendor's answers: each stored once, joined by trial, at the price of batches."""

import os
import signal
from pathlib import Path

import pytest
from batch_runs import (
    TRIALS,
    count,
    each_once,
    finish_batches,
    read_inputs,
    read_outcomes,
    replies,
    said,
    submit,
    write,
)
from batch_serving import Vendor
from driving import KEY, Call, Start, finish, list_files, only_folder, read_log
from serving import Answer, Body, refuse, reply

from needle.asking.outcomes import Line
from needle.commands import batch_commands
from needle.edges.store import Log


def test_a_batch_becomes_a_run_like_any(sent: Path, vendor: Vendor, call: Call) -> None:
    """A batch and a live run of the same answers have the same outcomes but for time and price."""
    finish_batches(vendor, sent, call)
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)
    assert call("run", *said(vendor), "--yes", "--out", "live").status == 0
    live = {line["trial"]: line for line in read_outcomes(only_folder(Path("live")))}
    batched = {line["trial"]: line for line in read_outcomes(sent)}
    apart = {"response", "request_id", "started_at", "latency_s", "cost"}
    for trial, line in batched.items():
        other = live[trial]
        assert line.keys() - other.keys() == {"batch", "batch_request"}
        assert all(line[name] == other[name] for name in other if name not in apart)
        assert line["latency_s"] is None
        assert line["started_at"].startswith("2026-09-21")
        assert line["cost"]["amount"] == pytest.approx(other["cost"]["amount"] / 2, abs=2e-9)
        assert line["batch"] == "batch_1"
    assert "batch" in (sent / "outcomes.jsonl").read_text(encoding="utf-8")


def test_an_open_batch_is_waited_for(sent: Path, vendor: Vendor, call: Call) -> None:
    """While a batch is at work nothing is asked again, live or written, unless told to."""
    assert call("batch", "collect", sent).status == 3
    for command in (["resume", sent], ["run", *said(vendor), "--yes"]):
        ended = call(*command)
        assert ended.status == 1
        assert f"{TRIALS} in open batches" in ended.err
        assert f"needle batch collect {sent}" in ended.err
    assert f"{TRIALS} wait in open batches" in call("batch", "write", sent).err
    assert not vendor.bodies
    assert call("resume", sent, "--batched").status == 0
    assert len(vendor.bodies) == TRIALS
    assert set(replies(sent).values()) == {1}


def test_the_first_reply_counts(sent: Path, vendor: Vendor, call: Call) -> None:
    """A reply for a trial that was answered live is kept, since it is paid for, and not scored."""
    assert call("resume", sent, "--batched").status == 0
    first = {line["trial"]: line["response"] for line in read_outcomes(sent)}
    scores = (sent / "scores.jsonl").read_bytes()
    finish_batches(vendor, sent, call)
    ended = call("batch", "collect", sent)
    assert ended.status == 0
    assert f"{TRIALS} came for trials that had their reply" in ended.err
    lines = read_outcomes(sent)
    assert len(lines) == 2 * TRIALS
    assert {line["trial"]: line["response"] for line in reversed(lines)} == first
    assert (sent / "scores.jsonl").read_bytes() == scores
    ended = call("table", sent)
    assert ended.out.count("answer") == TRIALS
    assert call("resume", sent).status == 0
    assert len(vendor.bodies) == 2 * TRIALS


def test_failed_lines_are_failures_like_any(sent: Path, vendor: Vendor, call: Call) -> None:
    """Lines of the error file are failures: what may pass is asked again, the rest when told."""
    vendor.script = lambda body, number: (
        refuse(400, "x", "context_length_exceeded")
        if number == 0
        else refuse(500, "oops")
        if number == 1
        else count(body, number)
    )
    finish_batches(vendor, sent, call)
    ended = call("batch", "collect", sent)
    assert ended.status == 1
    assert "4 replies and 2 failures stored" in ended.err
    failures = [line["failure"] for line in read_outcomes(sent) if line["failure"]]
    assert {(each["kind"], each["permanent"]) for each in failures} == {
        ("overflow", True),
        ("server", False),
    }
    assert all(line["latency_s"] is None for line in read_outcomes(sent))
    vendor.script = count
    assert call("resume", sent).status == 1
    assert len(vendor.bodies) == TRIALS + 1
    assert call("batch", "write", sent, "--failed").status == 0
    assert sum(map(len, read_inputs(sent).values())) == TRIALS + 1
    submit(sent, call)
    finish_batches(vendor, sent, call)
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)


@pytest.mark.parametrize("ending", ["expired", "cancelled"])
def test_a_batch_that_ends_early_leaves_its_trials_unasked(
    ending: str, sent: Path, vendor: Vendor, call: Call
) -> None:
    """What expired or was cancelled keeps what was answered; the rest is free to be asked."""
    vendor.states = ("validating", "in_progress", ending)
    vendor.answered_only = 2
    finish_batches(vendor, sent, call)
    ended = call("batch", "collect", sent)
    assert ended.status == 1
    assert "2 replies and 0 failures stored" in ended.err
    assert "4 requests were never run" in ended.err
    assert len(read_outcomes(sent)) == 2
    assert call("resume", sent).status == 0
    assert len(vendor.bodies) == TRIALS
    assert each_once(sent)


def test_a_batch_that_failed_is_told_and_its_trials_are_free(
    sent: Path, vendor: Vendor, call: Call
) -> None:
    """A batch that failed validation shows the first of its errors, and may be written again."""
    vendor.states = ("validating", "failed")
    message = f"Enqueued token limit reached.\nLimit: 2,000,000 enqueued tokens ({KEY})."
    vendor.errors = [{"code": "token_limit_exceeded", "message": message, "line": None}] + [
        {"code": "invalid_json_line", "message": "not JSON", "line": number} for number in range(9)
    ]
    ended = call("batch", "status", sent)
    assert f"batch_1 failed, 0 of {TRIALS} answered" in ended.out
    assert "token_limit_exceeded Enqueued token limit reached. Limit: 2,000,000" in ended.out
    assert KEY not in ended.out
    assert "line 1: invalid_json_line" in ended.out
    assert "and 7 more" in ended.out
    assert call("batch", "collect", sent).status == 1
    assert not read_outcomes(sent)
    assert call("batch", "write", sent).status == 0
    vendor.states = ("validating", "in_progress", "completed")
    submit(sent, call)
    assert len(vendor.batches) == 2
    finish_batches(vendor, sent, call)
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)


def test_many_batches_are_collected_as_they_end(vendor: Vendor, call: Call) -> None:
    """Each batch is stored when it is over, and those at work are waited for."""
    vendor.script = count
    folder = write(vendor, call, "--file-tokens", "4k")
    submit(folder, call)
    number = len(vendor.batches)
    assert number > 1
    slow = vendor.batches["batch_2"]
    slow["status"] = "queued"
    finish_batches(vendor, folder, call)
    ended = call("batch", "collect", folder)
    assert ended.status == 3
    assert "batch_2 queued" in ended.out
    stored = len(read_outcomes(folder))
    assert 0 < stored < TRIALS
    slow["status"] = "validating"
    finish_batches(vendor, folder, call)
    assert call("batch", "collect", folder).status == 0
    assert each_once(folder)
    assert vendor.asked.count("GET /files/file-1/content") == 0


def test_collecting_twice_changes_nothing(sent: Path, vendor: Vendor, call: Call) -> None:
    """Once all is collected there is nothing to ask a vendor for, or to write."""
    finish_batches(vendor, sent, call)
    assert call("batch", "collect", sent).status == 0
    before, asked = list_files(sent), len(vendor.asked)
    ended = call("batch", "collect", sent)
    assert ended.status == 2
    assert "needle batch submit" in ended.faults[0]
    assert call("batch", "status", sent).out.count("collected") == 1
    assert list_files(sent) == before
    assert len(vendor.asked) == asked


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("step", range(4))
def test_an_end_before_a_line_is_stored_loses_nothing(
    step: int, sent: Path, vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever collecting ends, it goes on: each answer is stored once, and nothing asked again."""
    finish_batches(vendor, sent, call)
    monkeypatch.setattr("needle.runs.collecting._AT_ONCE", 3)
    append, steps = Log.append, 0

    def end(log: Log, *lines: Line, sync: bool = True) -> None:
        nonlocal steps
        if steps == step:
            with log.path.open("ab") as file:
                file.write(b'{"trial": "torn')
            raise Killed
        steps += 1
        append(log, *lines, sync=sync)

    monkeypatch.setattr(Log, "append", end)
    with pytest.raises(Killed):
        call("batch", "collect", sent)
    monkeypatch.setattr(Log, "append", append)
    assert call("resume", sent).status in (0, 1)
    assert len(vendor.bodies) == TRIALS
    if step < 3:  # the last one is the scores'
        assert call("batch", "collect", sent).status == 0
    assert each_once(sent)
    assert len(read_outcomes(sent)) == TRIALS
    assert len(vendor.bodies) == TRIALS


@pytest.mark.parametrize("done", [False, True])
def test_a_kill_while_fetching_leaves_no_half_file(
    done: bool, sent: Path, vendor: Vendor, start: Start, call: Call
) -> None:
    """After kill -9 while an output is fetched, the same command fetches it and stores it once."""
    finish_batches(vendor, sent, call)
    process = start("batch", "collect", sent)
    vendor.interrupt("GET /files", lambda: os.kill(process.pid, signal.SIGKILL), done)
    assert finish(process).status == -signal.SIGKILL
    assert not read_outcomes(sent)
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)
    assert len(vendor.bodies) == TRIALS


@pytest.mark.parametrize("place", ["GET /batches", "GET /files"])
@pytest.mark.parametrize(
    "answer",
    [Answer(text=None), Answer(cut=True), refuse(500, "oops"), refuse(429, "slow")],
)
def test_a_fault_in_between_is_tried_again(
    place: str, answer: Answer, sent: Path, vendor: Vendor, call: Call
) -> None:
    """A lost, torn or refused look at a batch or its file is made again."""
    finish_batches(vendor, sent, call)
    vendor.fail(place, answer, done=answer.cut)
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)


def test_what_can_not_be_fetched_keeps_no_other_batch_back(vendor: Vendor, call: Call) -> None:
    """A file that the vendor has deleted is told with what to do; other batches are stored."""
    vendor.script = count
    folder = write(vendor, call, "--file-tokens", "4k")
    submit(folder, call)
    finish_batches(vendor, folder, call)
    del vendor.files[vendor.batches["batch_1"]["output_file_id"]]
    ended = call("batch", "collect", folder)
    assert ended.status == 3
    assert len(ended.faults) == 1
    assert "output of batch_1 could not be fetched" in ended.faults[0]
    assert read_outcomes(folder)
    left = TRIALS - len(read_outcomes(folder))
    assert call("resume", folder).status == 1
    assert len(vendor.bodies) == TRIALS
    assert call("resume", folder, "--batched").status == 0
    assert len(vendor.bodies) == TRIALS + left
    assert each_once(folder)


def test_answers_without_a_file_are_not_given_up(sent: Path, vendor: Vendor, call: Call) -> None:
    """A completed batch that names no output keeps its trials from being paid for again."""
    finish_batches(vendor, sent, call)
    batch = vendor.batches["batch_1"]
    output, batch["output_file_id"] = batch["output_file_id"], None
    ended = call("batch", "collect", sent)
    assert ended.status == 3
    assert f"answered {TRIALS} requests, and names no file" in ended.faults[0]
    assert call("resume", sent).status == 1
    assert len(vendor.bodies) == TRIALS
    batch["output_file_id"] = output
    assert call("batch", "collect", sent).status == 0
    assert each_once(sent)


def test_a_batch_that_was_made_unheard_is_collected(
    vendor: Vendor, call: Call, start: Start
) -> None:
    """A batch whose making was not written down is found by its file and collected."""
    vendor.script = count
    folder = write(vendor, call)
    process = start("batch", "submit", folder, "--yes")
    vendor.interrupt("POST /batches", lambda: os.kill(process.pid, signal.SIGKILL), done=True)
    finish(process)
    assert "batch_1 in_progress" not in call("batch", "status", folder).out
    vendor.batches["batch_1"]["status"] = "finalizing"
    vendor._advance(vendor.batches["batch_1"])  # noqa: SLF001
    assert call("batch", "collect", folder).status == 0
    assert each_once(folder)


def test_a_batch_that_was_never_made_frees_its_trials(
    vendor: Vendor, call: Call, start: Start
) -> None:
    """A file that was uploaded, and no batch made of it, keeps no trial from being asked."""
    folder = write(vendor, call)
    process = start("batch", "submit", folder, "--yes")
    vendor.interrupt("POST /batches", lambda: os.kill(process.pid, signal.SIGKILL), done=False)
    finish(process)
    assert "no batch is made of it yet" in call("batch", "status", folder).out
    assert call("resume", folder).status == 1
    assert not vendor.bodies
    assert call("batch", "collect", folder).status == 1
    assert call("resume", folder).status == 0
    assert len(vendor.bodies) == TRIALS


def test_status_waits_until_all_have_ended(
    sent: Path, vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --wait each change is told once, and the command ends when nothing goes on."""
    slept: list[float] = []
    monkeypatch.setattr("needle.commands.batch_commands.time.sleep", slept.append)
    vendor.states = ("validating", "in_progress", "in_progress ", "finalizing", "completed")
    ended = call("batch", "status", sent, "--wait")
    assert ended.status == 0
    told = [line.split("batch_1 ")[1].split(",")[0] for line in ended.out.splitlines()]
    assert told == ["in_progress", "in_progress ", "finalizing", "completed"]
    assert slept == [batch_commands.WAIT_S] * 3
    assert "expires 2026-09-2" in ended.out
    assert "needle batch collect" in ended.err


def test_a_wrong_key_is_one_line(
    sent: Path, vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that the vendor does not take ends in status 3 and is shown nowhere."""
    vendor.only_key = "another"
    for command in ("status", "collect"):
        ended = call("batch", command, sent)
        assert ended.status == 3
        assert len(ended.faults) == 1
        assert "does not take the key" in ended.faults[0]
        assert KEY not in ended.err + ended.out
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "OPENAI_API_KEY" in call("batch", "collect", sent).faults[0]


def test_a_prompt_cut_short_is_void_in_any_order(vendor: Vendor, call: Call) -> None:
    """Prompts that a server cuts without a word are void in a batch, come first or last."""

    def cut(body: Body, _number: int) -> Answer:
        tokens = sum(len(message["content"]) for message in body["messages"]) // 4
        usage = {"prompt_tokens": min(tokens, 4_096), "completion_tokens": 10}
        return reply("An answer.", usage=usage)

    vendor.script = cut
    options = said(vendor)
    options[options.index("1k,2k")] = "1k,2k,4k,8k"
    assert call("batch", "write", *options).status == 0
    folder = only_folder(Path("runs"))
    submit(folder, call)
    finish_batches(vendor, folder, call)
    assert call("batch", "collect", folder).status == 1
    void = [line for line in read_outcomes(folder) if line["failure"]]
    assert {line["failure"]["kind"] for line in void} == {"truncated_by_server"}
    assert {line["context_length"] for line in void} == {8_000}
    assert len(void) == 3
    assert all(line["response"] and line["cost"] for line in void)
    assert {line["verdict"] for line in read_log(folder / "scores.jsonl")} >= {"failed"}
