"""The record of batch files: each file's state, and which trials it holds back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.asking.batches import (
    Batch,
    BatchFile,
    describe_file,
    find_waiting,
    follow_files,
    is_of,
    last_number,
    name_file,
    read_batch,
    read_number,
)

FILES = [
    BatchFile(name_file(n), "origin", f"sum{n}", 10, 100, (f"{n}a", f"{n}b")) for n in range(1, 4)
]
WRITTEN = {"event": "written", "id": "origin", "files": [describe_file(file) for file in FILES]}
STEPS: list[dict[str, Any]] = [
    {"event": "uploaded", "file_id": "file-1"},
    {"event": "created", "batch": "batch_1"},
    {"event": "ended", "status": "completed", "batch": "batch_1"},
]


def steps_of(file: BatchFile, number: int) -> list[dict[str, Any]]:
    return [{**step, "file": file.name} for step in STEPS[:number]]


@given(st.tuples(*(st.integers(0, 3) for _ in FILES)))
def test_a_file_holds_its_trials_back_while_a_batch_may_exist(taken: tuple[int, ...]) -> None:
    """From its upload to its end, and at no other time, a file's trials wait for its batch."""
    record: list[dict[str, Any]] = [WRITTEN]
    for file, number in zip(FILES, taken, strict=True):
        record += steps_of(file, number)
    files = follow_files(record)
    waiting = find_waiting(files.values())
    for file, number in zip(FILES, taken, strict=True):
        assert files[file.name].state == ("written", "uploaded", "created", "ended")[number]
        for trial in file.trials:
            assert (trial in waiting) == (number in (1, 2))


@given(st.tuples(*(st.integers(0, 3) for _ in FILES)))
def test_files_written_anew_replace_those_not_sent(taken: tuple[int, ...]) -> None:
    """Files written later take the place of those not uploaded, and of no others."""
    record: list[dict[str, Any]] = [WRITTEN]
    for file, number in zip(FILES, taken, strict=True):
        record += steps_of(file, number)
    new = BatchFile(name_file(4), "other", "sum", 10, 100, ("z",))
    record.append({"event": "written", "id": "other", "files": [describe_file(new)]})
    kept = [file.name for file, number in zip(FILES, taken, strict=True) if number]
    assert list(follow_files(record)) == [*kept, new.name]
    assert follow_files(record)[new.name] == new
    assert last_number(record) == 4


def test_a_refused_batch_leaves_its_file_to_be_sent() -> None:
    """A batch that was not made for certain holds nothing back, and its file may be sent again."""
    refused = {"event": "refused", "file": FILES[0].name, "message": "no"}
    files = follow_files([WRITTEN, *steps_of(FILES[0], 1), refused])
    assert files[FILES[0].name] == FILES[0]
    assert not find_waiting(files.values())


@given(st.integers(1, 99_999), st.sampled_from(["input", "output", "errors"]))
def test_a_number_is_read_from_its_name(number: int, part: str) -> None:
    """A file's number can be read from its name, however many files there are."""
    assert read_number(name_file(number, part)) == number


def test_a_batch_is_known_by_its_file_or_its_marks() -> None:
    """A batch is a file's by the upload it was made of, or else by origin and name together."""
    uploaded = follow_files([WRITTEN, *steps_of(FILES[0], 1)])[FILES[0].name]

    def made(input_file: str, **metadata: str) -> Batch:
        return read_batch(
            {"id": "b", "status": "x", "input_file_id": input_file, "metadata": metadata}
        )

    mine = {"needle_id": "origin", "needle_file": FILES[0].name}
    assert is_of(made("file-1"), uploaded)
    assert is_of(made("file-9", **mine), uploaded)
    assert is_of(made("file-9", **mine), FILES[0])
    assert not is_of(made("file-9"), uploaded)
    assert not is_of(made("file-9", **{**mine, "needle_id": "other"}), uploaded)
    assert not is_of(made("file-9", **{**mine, "needle_file": "input-002.jsonl"}), uploaded)
    assert not is_of(read_batch({"id": "b", "status": "x"}), FILES[0])


def test_a_batch_of_few_words_is_read() -> None:
    """A vendor may leave out, null or empty all but a batch's name and state."""
    bare = read_batch({"id": "b", "status": "in_progress"})
    empty = {"output_file_id": "", "error_file_id": None, "errors": None, "metadata": None}
    assert read_batch({**empty, "id": "b", "status": "in_progress", "expires_at": None}) == bare
    assert (bare.output_file, bare.total, bare.expires_at, bare.errors) == (None, 0, None, ())
    assert not bare.over


@pytest.mark.parametrize("moment", [0, -1, 10**12, "tomorrow", True, 1.5])
def test_a_moment_that_is_none_is_not_told(moment: object) -> None:
    """A batch's end that no calendar has, such as one in milliseconds, is as good as none."""
    data = {"id": "b", "status": "in_progress", "expires_at": moment}
    assert read_batch(data).expires_at is None


@pytest.mark.parametrize("state", ["completed", "failed", "expired", "cancelled"])
def test_a_batch_is_over_in_four_states(state: str) -> None:
    """A batch goes on in every state but the four that OpenAI and Moonshot end in."""
    assert read_batch({"id": "b", "status": state}).over


@pytest.mark.parametrize(
    "data", [{}, {"id": "b"}, {"id": "", "status": "x"}, {"id": 1, "status": "x"}, [], "text", None]
)
def test_what_is_no_batch_is_told(data: Any) -> None:
    """An answer that is no batch is never taken for one."""
    with pytest.raises((ValueError, LookupError, TypeError)):
        read_batch(data)
