"""Answers that one's own server has written: files as vllm run-batch writes them, and worse."""

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from batch_runs import (
    TRIALS,
    each_once,
    read_inputs,
    read_outcomes,
    replies,
    vllm_answer,
    vllm_error,
    write_answers,
)
from driving import Call, list_files, only_folder
from serving import Server

Lines = list[dict[str, Any]]


@pytest.fixture
def folder(server: Server, call: Call) -> Path:
    """Return a run of one's own model whose files are written."""
    ended = call(
        *("batch", "write", "--model", "my/qwen", "--base-url", server.base_url),
        *("--window", "32k", "--language", "en", "--lengths", "1k,2k", "--depths", "0,50,100"),
        *("--controls", "none"),
    )
    assert ended.status == 0
    return only_folder(Path("runs"))


@pytest.fixture
def lines(folder: Path) -> Lines:
    """Return an answer to each trial, in the order in which they were asked."""
    (trials,) = read_inputs(folder).values()
    return [vllm_answer(trial, number) for number, trial in enumerate(trials)]


def test_answers_are_joined_by_key_in_any_order(folder: Path, lines: Lines, call: Call) -> None:
    """Whatever order answers stand in, and in however many files, each finds its trial."""
    for number, line in enumerate(lines):
        line["response"]["body"]["choices"][0]["message"]["content"] = f"answer {number}"
    random.Random(1).shuffle(lines)
    paths = [
        write_answers(Path("one.jsonl"), lines[:4]),
        write_answers(Path("two.jsonl"), lines[4:]),
    ]
    ended = call("batch", "collect", folder, *paths)
    assert ended.status == 0
    assert f"{TRIALS} replies and 0 failures stored" in ended.err
    assert each_once(folder)
    (trials,) = read_inputs(folder).values()
    told = {line["trial"]: line["response"] for line in read_outcomes(folder)}
    assert told == {trial: f"answer {number}" for number, trial in enumerate(trials)}
    assert {line["batch"] for line in read_outcomes(folder)} == {"one.jsonl", "two.jsonl"}


def test_a_file_half_written_is_taken_as_far_as_it_goes(
    folder: Path, lines: Lines, call: Call, server: Server
) -> None:
    """A torn last line is named and asked again; the whole file collected later adds the rest."""
    path = write_answers(Path("out.jsonl"), lines)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    ended = call("batch", "collect", folder, path)
    assert ended.status == 1
    assert f"lines that are no answers: 1 (out.jsonl:{TRIALS})" in ended.err
    assert replies(folder).total() == TRIALS - 1
    path.write_bytes(whole)
    ended = call("batch", "collect", folder, path)
    assert ended.status == 0
    assert f"{TRIALS - 1} answers were stored before" in ended.err
    assert each_once(folder)
    assert not server.bodies


def test_the_same_file_twice_is_stored_once(folder: Path, lines: Lines, call: Call) -> None:
    """Collecting what is stored, failures among it, changes nothing but what is drawn."""
    lines[0] = vllm_error(lines[0]["custom_id"], 0, "This model's maximum context length is 10")
    lines[1] = vllm_error(lines[1]["custom_id"], 1, "engine is dead")
    path = write_answers(Path("out.jsonl"), [*lines, lines[2]])
    assert call("batch", "collect", folder, path).status == 1
    before = list_files(folder)
    assert call("batch", "collect", folder, path).status == 1
    path.rename("renamed.jsonl")
    assert call("batch", "collect", folder, "renamed.jsonl").status == 1
    assert list_files(folder) == before
    assert len(read_outcomes(folder)) == TRIALS


def test_failed_lines_are_asked_again_as_ever(
    folder: Path, lines: Lines, call: Call, server: Server
) -> None:
    """What failed for good is left, what may pass is asked live, and the run ends whole."""
    lines[0] = vllm_error(lines[0]["custom_id"], 0, "This model's maximum context length is 10")
    lines[1]["response"] = None
    lines[1]["error"] = {"code": "internal", "message": "oops"}
    ended = call("batch", "collect", folder, write_answers(Path("out.jsonl"), lines))
    assert ended.status == 1
    kinds = [line["failure"]["kind"] for line in read_outcomes(folder) if line["failure"]]
    assert kinds == ["overflow", "server"]
    assert call("resume", folder).status == 1
    assert len(server.bodies) == 1
    assert call("resume", folder, "--failed").status == 0
    assert len(server.bodies) == 2
    assert each_once(folder)


def test_foreign_lines_are_counted_and_named(folder: Path, lines: Lines, call: Call) -> None:
    """Lines of other runs are named and passed over, whatever their names hold."""
    others = ["request-1", "\ud800\n[31m", "x" * 300, *(f"other-{n}" for n in range(9))]
    foreign = [vllm_answer(name, 100 + n) for n, name in enumerate(others)]
    ended = call("batch", "collect", folder, write_answers(Path("o.jsonl"), [*foreign, *lines]))
    assert ended.status == 0
    assert "lines of no trial of this run: 12 ('request-1', '\\ud800\\n" in ended.err
    assert each_once(folder)
    assert len(read_outcomes(folder)) == TRIALS


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"custom_id": "a", "method": "POST", "body": {}}\n', "no answers in"),
        ("not JSON at all\n", "no answers in"),
        ("\n\n", "no answers in"),
        (None, "can't read"),
    ],
)
def test_a_file_of_something_else_is_one_line(
    text: str | None, named: str, folder: Path, call: Call
) -> None:
    """A file of requests, of anything else, or that is not there, is told and changes nothing."""
    before = list_files(folder)
    if text is not None:
        Path("out.jsonl").write_text(text, encoding="utf-8")
    ended = call("batch", "collect", folder, "out.jsonl")
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert named in ended.faults[0]
    assert "out.jsonl" in ended.faults[0]
    added = set(list_files(folder)) - set(before)
    assert added <= {"outcomes.jsonl", ".lock"}
    assert not read_outcomes(folder)


def test_a_folder_is_no_file_of_answers(folder: Path, call: Call) -> None:
    """A folder in a file's place is one line."""
    Path("out.jsonl").mkdir()
    ended = call("batch", "collect", folder, "out.jsonl")
    assert ended.status == 2
    assert "can't read out.jsonl" in ended.faults[0]


def test_reasoning_and_counts_are_kept(folder: Path, lines: Lines, call: Call) -> None:
    """What a reasoning parser and a prefix cache add to an answer is kept apart from it."""
    body = lines[0]["response"]["body"]
    body["choices"][0]["message"]["reasoning_content"] = "The flute was..."
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": 512}
    assert call("batch", "collect", folder, write_answers(Path("o.jsonl"), lines)).status == 0
    line = next(line for line in read_outcomes(folder) if line["reasoning"])
    assert line["reasoning"] == "The flute was..."
    assert line["cached_tokens"] == 512
    assert line["cost"] is None
    assert line["response"] == "I do not know."


def test_another_answer_to_an_answered_trial_is_kept_beside_it(
    folder: Path, lines: Lines, call: Call, server: Server
) -> None:
    """Of two answers to one trial the first is its reply, and the other one is kept unscored."""
    assert call("resume", folder).status == 0
    ended = call("batch", "collect", folder, write_answers(Path("o.jsonl"), lines))
    assert ended.status == 0
    assert f"{TRIALS} came for trials that had their reply" in ended.err
    assert len(read_outcomes(folder)) == 2 * TRIALS
    assert call("table", folder).out.count("single,en") == TRIALS
    assert len(server.bodies) == TRIALS


def test_an_imported_run_collects_nothing(call: Call, alone: Path) -> None:
    """A run of others' results has no requests, and is told so in one line."""
    sample = {"model": "m", "context_length": 1_000, "depth_percent": 50.0, "score": 10}
    record = {**sample, "model_response": "x", "needle": "n", "version": 1}
    (alone / "r.json").write_text(json.dumps(record), encoding="utf-8")
    ended = call("import", "r.json", "--format", "kamradt", "--language", "en")
    assert ended.status == 0, ended.err
    run = only_folder(Path("runs"))
    for command in ("write", "submit", "status", "collect"):
        refused = call("batch", command, run)
        assert refused.status == 2
        assert len(refused.faults) == 1
        assert "imported" in refused.faults[0]


def test_answers_larger_than_memory_are_read_line_by_line(
    folder: Path, lines: Lines, call: Call
) -> None:
    """A file of any size takes no more memory than its lines do one by one."""
    call("batch", "collect", folder, write_answers(Path("o.jsonl"), lines[:1]))
    with Path("large.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps(vllm_answer(f"other-{number}", number, "x" * 1_000_000)) + "\n"
            for number in range(40)
        )
        file.writelines(json.dumps(line) + "\n" for line in lines)
    tracemalloc.start()
    try:
        assert call("batch", "collect", folder, "large.jsonl").status == 0
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()
    assert each_once(folder)
