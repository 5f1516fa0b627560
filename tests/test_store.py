"""The run folder's laws: whole lines on disk or none, one owner, nothing lost."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.asking.outcomes import settle_states
from needle.edges.store import Log, find_run, name_run, own_run, read_lines, write_whole
from needle.words.errors import StoreError

LINES = [{"trial": "a", "response": "一支珐琅长笛"}, {"trial": "b", "response": "x\ny"}]


def write_lines(path: Path) -> bytes:
    """Write two lines through the log and return the file's bytes."""
    log = Log(path)
    log.append(*LINES)
    log.close()
    return path.read_bytes()


def test_a_line_is_whole_and_on_disk_before_append_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When append returns, the line has been written whole and fsynced (law 5)."""
    path = tmp_path / "o.jsonl"
    synced: list[bytes] = []
    real = os.fsync

    def look(descriptor: int) -> None:
        real(descriptor)
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", look)
    log = Log(path)
    log.append(LINES[0])
    assert [json.loads(line) for line in synced[-1].splitlines()] == [LINES[0]]
    log.close()


@pytest.mark.parametrize("torn", [1, 65_536, 200_000])
@pytest.mark.parametrize("kept", [0, 1, 70_000])
def test_a_torn_line_is_mended_whatever_its_length(torn: int, kept: int, tmp_path: Path) -> None:
    """A torn line that is longer than what is read at once is cut off as a short one is."""
    path = tmp_path / "o.jsonl"
    whole = b"x" * (kept - 1) + b"\n" if kept else b""
    path.write_bytes(whole + b"y" * torn)
    Log(path).close()
    assert path.read_bytes() == whole


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(deadline=None)
@given(VALUES)
def test_a_line_is_read_as_python_reads_it(value: object) -> None:
    """Whatever JSON a line holds, escapes of half a character among it, json.loads agrees."""
    for ascii_only in (True, False):
        text = json.dumps({"trial": "a", "value": value}, ensure_ascii=ascii_only)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "o.jsonl"
            path.write_bytes(text.encode(errors="replace") + b"\n")
            assert list(read_lines(path)) == [json.loads(text.encode(errors="replace"))]


def test_a_torn_last_line_is_mended_at_every_byte(tmp_path: Path) -> None:
    """Wherever a last line was torn, the next start keeps the whole lines and only them."""
    path = tmp_path / "o.jsonl"
    whole = write_lines(path)
    first = whole.index(b"\n") + 1
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        expected = LINES[: whole[:cut].count(b"\n")]
        assert list(read_lines(path)) == expected
        Log(path).close()
        assert (
            path.read_bytes() == whole[: 0 if cut < first else first if cut < len(whole) else cut]
        )
        log = Log(path)
        log.append({"trial": "c"})
        log.close()
        assert list(read_lines(path)) == [*expected, {"trial": "c"}]


def test_kill_in_the_middle_leaves_whole_lines(tmp_path: Path) -> None:
    """A process killed with SIGKILL while it writes loses no line that it told of."""
    path = tmp_path / "o.jsonl"
    writer = (
        "import sys; from pathlib import Path; from needle.edges.store import Log\n"
        "log = Log(Path(sys.argv[1]))\n"
        "for n in range(100000):\n"
        "    log.append({'trial': n, 'response': 'x' * 5000})\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", writer, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    told = -1
    while told < 25:
        told = int(process.stdout.readline())
    process.kill()
    rest = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    told = max([told, *map(int, rest)])
    Log(path).close()
    numbers = [line["trial"] for line in read_lines(path)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > told


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A line that does not fit on the disk ends in one StoreError and leaves no trace."""
    path = tmp_path / "o.jsonl"
    whole = write_lines(path)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = Log(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 100, limit[1]))
    try:
        with pytest.raises(StoreError, match=r"can't write to .*o\.jsonl") as fault:
            log.append({"trial": "c", "response": "x" * 500})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "\n" not in str(fault.value)
    assert path.read_bytes() == whole
    log.append({"trial": "c"})
    log.close()
    assert len(list(read_lines(path))) == 3


def test_a_damaged_middle_line_is_named(tmp_path: Path) -> None:
    """Damage before the last line is an error that names file and line, and destroys nothing."""
    path = tmp_path / "o.jsonl"
    whole = write_lines(path).replace(b'{"trial": "a"', b'{"trial" "a"')
    path.write_bytes(whole)
    with pytest.raises(StoreError, match=r"o\.jsonl:1"):
        list(read_lines(path))
    assert path.read_bytes() == whole


def test_one_process_owns_a_run_folder(tmp_path: Path) -> None:
    """While one process holds a run folder, another is refused in one line that names it."""
    holder = (
        "import sys; from pathlib import Path; from needle.edges.store import own_run\n"
        "with own_run(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(StoreError, match="another process") as fault, own_run(tmp_path):
        pass
    assert str(tmp_path) in str(fault.value)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    with own_run(tmp_path):
        pass


@given(st.text(max_size=60))
def test_a_run_is_named_by_what_a_file_name_can_hold(model: str) -> None:
    """Whatever a model is called, its run-id is one plain file name."""
    name = name_run("2026-11-24", model, "ab" * 32)
    assert name.startswith("2026-11-24-")
    assert name.endswith("-abababab")
    assert not set(name) & set('/\\:*?"<>|\0 \n')


def test_write_whole_leaves_nothing_behind_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that can't be written whole keeps its old content, and no part of it stays."""
    path = tmp_path / "f"
    write_whole(path, b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["f"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["reply", "passing", "permanent"])))
)
@settings(deadline=None)
def test_a_state_is_the_first_reply_or_the_last_failure(outcomes: list[tuple[str, str]]) -> None:
    """A trial's state is its reply if it ever had one, else its last failure (law 6)."""
    lines = [
        {
            "trial": trial,
            "number": number,
            "failure": None if kind == "reply" else {"permanent": kind == "permanent"},
        }
        for number, (trial, kind) in enumerate(outcomes)
    ]
    states = settle_states(lines)
    for trial in {trial for trial, _ in outcomes}:
        mine = [line for line in lines if line["trial"] == trial]
        replies = [line for line in mine if line["failure"] is None]
        assert states[trial] == (replies[0] if replies else mine[-1])


def test_no_run_is_found_where_there_is_none(tmp_path: Path) -> None:
    """A folder that does not exist, or holds other things, holds no run."""
    assert find_run(tmp_path / "nowhere", "m", "d" * 64) is None
    (tmp_path / "2026-11-24-m-dddddddd").mkdir()
    assert find_run(tmp_path, "m", "d" * 64) is None


@given(st.text(min_size=1, max_size=120), st.sampled_from(["模" * 200, "m" * 200, ""]))
def test_any_models_name_fits_a_folders(name: str, more: str) -> None:
    """A run folder of any model has a name that a file system takes, with room for an ending."""
    folder = name_run("2026-11-24", name + more, "0123456789abcdef")
    assert len(folder.encode()) <= 255 - len("-distractors-en.parquet")
    assert "/" not in folder
    assert folder == folder.strip()
