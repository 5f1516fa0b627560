"""Submitting batch files: nothing is paid twice, wherever a process ends or an answer is lost."""

import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest
from batch_runs import TRIALS, count, each_once, finish_batches, read_inputs, said, submit, write
from batch_serving import Vendor
from driving import KEY, Call, Start, finish, read_log
from serving import Answer, refuse

from needle.asking.outcomes import Line
from needle.edges import store
from needle.edges.store import Log

LOST = Answer(text=None)
PLACES = ("POST /files", "GET /batches", "POST /batches")


def made_of(vendor: Vendor) -> Counter[str]:
    """Count the batches of each file of requests, by its content."""
    files = (vendor.files[batch["input_file_id"]][1] for batch in vendor.batches.values())
    return Counter(data.decode() for data in files)


def once_each(vendor: Vendor, folder: Path) -> bool:
    """Tell whether each of a run's files has become one batch, by the vendor and by the record."""
    written = {path.read_bytes().decode(): 1 for path in (folder / "batch").glob("input-*.jsonl")}
    created = [line for line in read_log(folder / "batches.jsonl") if line["event"] == "created"]
    return made_of(vendor) == written and len(created) == len(written)


def test_files_become_batches(vendor: Vendor, call: Call) -> None:
    """Each file is uploaded once as it was written, and one batch is made of it."""
    folder = write(vendor, call, "--file-tokens", "4k")
    ended = call("batch", "submit", folder, "--yes")
    assert ended.status == 0
    assert once_each(vendor, folder)
    assert all(name.endswith(".jsonl") for name, _ in vendor.files.values())
    assert ended.out.count("batch_") == len(read_inputs(folder))
    assert f"needle batch collect {folder}" in ended.err
    assert set(vendor.keys) == {KEY}


def test_money_is_shown_before_leave_is_asked(vendor: Vendor, call: Call) -> None:
    """Tokens and half the live price are told before anything is sent; without leave nothing is."""
    folder = write(vendor, call)
    ended = call("batch", "submit", folder)
    assert ended.status == 2
    assert "--yes" in ended.faults[0]
    told = re.search(r"about ([\d.]+) USD in batches \(([\d.]+) USD live", ended.err)
    assert told is not None
    cheap, live = map(float, told.groups())
    assert cheap == pytest.approx(live / 2, rel=0.01)
    assert not vendor.asked


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("done", [False, True])
def test_a_killed_submission_goes_on(
    place: str, done: bool, vendor: Vendor, start: Start, call: Call
) -> None:
    """After kill -9 at any request, heard or not, the same command ends with one batch a file."""
    folder = write(vendor, call, "--file-tokens", "4k")
    process = start("batch", "submit", folder, "--yes")
    vendor.interrupt(place, lambda: os.kill(process.pid, signal.SIGKILL), done)
    assert finish(process).status == -signal.SIGKILL
    submit(folder, call)
    assert once_each(vendor, folder)
    finish_batches(vendor, folder, call)
    assert call("batch", "collect", folder).status == 0
    assert each_once(folder)


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("torn", [False, True])
def test_an_end_before_a_line_of_the_record_costs_nothing(
    step: int, torn: bool, vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever event was not written, or half of it, there is no second batch of any file."""
    folder = write(vendor, call, "--file-tokens", "4k")
    steps = 0
    append = Log.append

    def end(log: Log, *lines: Line, sync: bool = True) -> None:
        nonlocal steps
        if steps == step:
            if torn:
                with log.path.open("ab") as file:
                    file.write(b'{"event": "crea')
            raise Killed
        steps += 1
        append(log, *lines, sync=sync)

    monkeypatch.setattr(Log, "append", end)
    with pytest.raises(Killed):
        call("batch", "submit", folder, "--yes")
    monkeypatch.setattr(Log, "append", append)
    submit(folder, call)
    assert once_each(vendor, folder)


@pytest.mark.parametrize(
    "answer", [LOST, refuse(500, "oops"), refuse(429, "slow down"), Answer(text="<html>")]
)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("done", [False, True])
def test_a_lost_answer_makes_no_second_batch(
    answer: Answer, place: str, done: bool, vendor: Vendor, call: Call
) -> None:
    """Where an answer is lost or broken the attempt is made again, and there is one batch."""
    folder = write(vendor, call)
    vendor.fail(place, answer, done)
    submit(folder, call)
    assert once_each(vendor, folder)
    assert not vendor.faults


def test_a_batch_is_found_on_any_page_of_the_list(vendor: Vendor, call: Call) -> None:
    """Others' batches, however many, hide none: every page is looked through."""
    folder = write(vendor, call)
    vendor.page = 2
    vendor.fail("POST /batches", LOST, done=True)
    other = vendor.keep_file("other.jsonl", b"{}\n")["id"]
    for _ in range(5):
        vendor.make_batch(other, {})
    vendor.script = count
    original = vendor._create  # noqa: SLF001

    def create_and_bury(asked: dict[str, object]) -> Answer:
        answer = original(asked)
        for _ in range(5):
            vendor.make_batch(other, {})
        return answer

    vendor._create = create_and_bury  # type: ignore[method-assign] # noqa: SLF001
    submit(folder, call)
    (created,) = [line for line in read_log(folder / "batches.jsonl") if line["event"] == "created"]
    assert created["batch"] == "batch_6"
    assert made_of(vendor)[next((folder / "batch").iterdir()).read_bytes().decode()] == 1


def test_another_folders_batch_is_not_taken_for_ones_own(vendor: Vendor, call: Call) -> None:
    """Two runs of one configuration that are paid for apart have a batch each."""
    folder = write(vendor, call)
    submit(folder, call)
    assert call("batch", "write", *said(vendor), "--again").status == 0
    (other,) = [path for path in Path("runs").iterdir() if path != folder]
    submit(other, call)
    assert len(vendor.batches) == 2
    assert sum(made_of(vendor).values()) == 2


def test_an_unknown_outcome_is_told_and_gone_on_with(vendor: Vendor, call: Call) -> None:
    """Where it can't be learnt whether a batch was made, the command says so and looks later."""
    folder = write(vendor, call)

    def break_down() -> None:
        for _ in range(7):
            vendor.fail("GET /batches", refuse(500, "oops"))

    vendor.interrupt("POST /batches", break_down, done=True)
    ended = call("batch", "submit", folder, "--yes")
    assert ended.status == 3
    assert len(ended.faults) == 1
    assert "not known whether a batch was made" in ended.faults[0]
    assert len(vendor.batches) == 1
    assert call("resume", folder).status == 1
    assert not vendor.bodies
    submit(folder, call)
    assert once_each(vendor, folder)


@pytest.mark.parametrize(
    ("place", "answer", "named"),
    [
        ("POST /files", refuse(401, f"bad key {KEY}"), "does not take the key"),
        ("POST /files", refuse(413, "file too large"), "could not be uploaded"),
        ("POST /batches", refuse(400, "unknown model"), "no batch was made"),
        ("POST /batches", refuse(429, "x", "insufficient_quota"), "no balance left"),
        ("GET /batches", refuse(404, "no such path"), "takes no batches"),
    ],
)
def test_a_refusal_is_one_line_and_can_be_gone_on_with(
    place: str, answer: Answer, named: str, vendor: Vendor, call: Call
) -> None:
    """A refusal stops with status 3 and the vendor's words, no key among them; then it goes on."""
    folder = write(vendor, call)
    vendor.fail(place, answer)
    ended = call("batch", "submit", folder, "--yes")
    assert ended.status == 3
    assert len(ended.faults) == 1
    assert named in ended.faults[0]
    assert "needle batch submit" in ended.faults[0]
    assert KEY not in ended.err + ended.out
    assert not vendor.batches
    submit(folder, call)
    assert once_each(vendor, folder)
    assert KEY.encode() not in (folder / "batches.jsonl").read_bytes()


def test_a_file_that_was_changed_is_not_sent(vendor: Vendor, call: Call) -> None:
    """A file that is not byte for byte what was written is refused before anything is sent."""
    folder = write(vendor, call)
    (path,) = (folder / "batch").iterdir()
    whole = path.read_bytes()
    for data in (whole[:-10], whole + whole, None):
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
        ended = call("batch", "submit", folder, "--yes")
        assert ended.status == 2
        assert "needle batch write" in ended.faults[0]
    assert not vendor.asked


def test_what_was_answered_meanwhile_is_not_sent(vendor: Vendor, call: Call) -> None:
    """A file whose trials have been answered live since is refused: it would be paid for twice."""
    folder = write(vendor, call)
    assert call("resume", folder).status == 0
    ended = call("batch", "submit", folder, "--yes")
    assert ended.status == 2
    assert f"{TRIALS} of the {TRIALS} trials" in ended.faults[0]
    assert not vendor.asked


def test_a_budget_is_kept_whatever_comes_back(vendor: Vendor, call: Call) -> None:
    """A file is sent only where a budget bears its worst case beside all that is under way."""
    folder = write(vendor, call, "--file-tokens", "4k")
    assert call("batch", "submit", folder, "--budget", "10ktok").status == 3
    assert not vendor.asked
    first, *_ = read_inputs(folder)
    assert call("batch", "submit", folder, first, "--budget", "10ktok").status == 0
    ended = call("batch", "submit", folder, "--budget", "10ktok")
    assert ended.status == 3
    assert "--file-tokens" in ended.faults[0]
    assert len(vendor.batches) == 1
    live = call("resume", folder, "--budget", "10ktok")
    assert live.status == 3
    assert "budget" in live.faults[0]
    assert call("batch", "submit", folder, "--budget", "100ktok").status == 0
    assert once_each(vendor, folder)


def test_an_open_batch_is_paid_before_the_next_model(vendor: Vendor, call: Call) -> None:
    """One budget for several models holds what the first one's open batches may still cost."""
    folder = write(vendor, call)
    submit(folder, call)
    both = ("run", *said(vendor), "--model", "gpt-4o", "--budget", "25ktok")
    assert call(*both).status == 3
    assert len(vendor.bodies) < TRIALS
    assert len(vendor.batches) == 1


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("input-009.jsonl",), "input-001.jsonl"),
        (("--budget", "5CNY"), "--rate"),
        (("--budget", "much"), "--budget"),
        (("--api-key", KEY), "--api-key"),
    ],
)
def test_wrong_use_is_one_line(
    wrong: tuple[str, ...], named: str, vendor: Vendor, call: Call
) -> None:
    """Wrong names and options are one line that names the remedy; nothing is sent."""
    folder = write(vendor, call)
    ended = call("batch", "submit", folder, "--yes", *wrong)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert named in ended.faults[0]
    assert KEY not in ended.err
    assert not vendor.asked


def test_a_key_that_is_not_set_is_told(
    vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing needs no key; submitting names the variable that lacks one."""
    monkeypatch.delenv("OPENAI_API_KEY")
    folder = write(vendor, call)
    ended = call("batch", "submit", folder, "--yes")
    assert ended.status == 2
    assert "OPENAI_API_KEY" in ended.faults[0]


def test_a_vendor_is_warned_of_for_a_model_that_it_does_not_name(
    vendor: Vendor, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that its vendor does not name for batches is submitted with a note, at no less."""
    monkeypatch.setenv("MOONSHOT_API_KEY", KEY)
    options = said(vendor)
    options[1] = "moonshot-v1-8k"
    assert call("batch", "write", *options).status == 0
    (folder,) = Path("runs").iterdir()
    ended = call("batch", "submit", folder, "--yes")
    assert ended.status == 0
    assert "names kimi-k2.5, kimi-k2.6 for batches" in ended.err
    assert "none for batches is known" in ended.err


def test_one_process_owns_the_folder(vendor: Vendor, call: Call) -> None:
    """While another process has the run, nothing is written, sent or collected."""
    folder = write(vendor, call)
    with store.own_run(folder):
        for command in ("write", "submit", "collect"):
            ended = call("batch", command, folder, *(["--yes"] if command == "submit" else []))
            assert ended.status == 2
            assert "another process" in ended.faults[0]
    assert not vendor.asked


def test_a_damaged_record_is_told(vendor: Vendor, call: Call) -> None:
    """A record with a line damaged within is one line, and nothing is sent or changed."""
    folder = write(vendor, call)
    submit(folder, call)
    path = folder / "batches.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    asked = len(vendor.asked)
    for damaged in ([*lines[:1], b"{!\n", *lines[2:]], [b'{"event": "written"}\n'], lines[1:]):
        path.write_bytes(b"".join(damaged))
        for command in (("batch", "status"), ("resume",)):
            ended = call(*command, folder)
            assert ended.status == 2, command
            assert len(ended.faults) == 1
            assert "batches.jsonl" in ended.faults[0]
        assert path.read_bytes() == b"".join(damaged)
    assert len(vendor.asked) == asked
