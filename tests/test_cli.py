import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from driving import Call, Called, Start, finish, list_files, only_folder, read_log
from serving import Server

LOCAL = ("--base-url", "http://127.0.0.1:9/v1")

WRONG = {
    "a depth past 100": ["--depths", "0,120"],
    "a depth below 0": ["--depths=-1"],
    "a depth that is none": ["--depths", "nan"],
    "no depth at all": ["--depths", ","],
    "a length that is none": ["--lengths", "1k,long"],
    "a length of nothing": ["--lengths", "0"],
    "a length past the window": ["--lengths", "1k,200k"],
    "a length just past the room": ["--lengths", "131072"],
    "a length too short for the needle": ["--lengths", "20"],
    "no replicates": ["--replicates", "0"],
    "a seed that is none": ["--seed", "one"],
    "an unknown language": ["--language", "fr"],
    "an unknown unit": ["--unit", "words"],
    "hanzi of English": ["--unit", "hanzi", "--language", "en"],
    "an unknown grid": ["--grid", "fullest"],
    "an unknown spacing": ["--spacing", "wide"],
    "more trials than can be": ["--replicates", "99999999"],
    "more lengths than can be": ["--length-count", "99999999"],
    "an unknown task": ["--task", "double"],
    "an unknown needle": ["--needle", "pin"],
    "an unknown prompt": ["--prompt", "rude"],
    "an unknown haystack": ["--haystack", "nowhere"],
    "an unknown tokenizer": ["--tokenizer", "words"],
    "a tokenizer that is none": ["--tokenizer", "broken.json"],
    "lengths twice": ["--lengths", "1k", "--length-count", "3"],
    "an empty haystack": ["--haystack", "empty"],
    "a haystack of blanks": ["--haystack", "blank"],
    "a binary haystack": ["--haystack", "binary"],
    "a haystack in another encoding": ["--haystack", "latin"],
    "a haystack with its needle": ["--haystack", "taken", "--needle", "san-francisco"],
    "two haystacks in one language": ["--haystack", "essays", "--haystack", "taken"],
    "a recipe that is not there": ["--config", "none.yaml"],
    "a recipe that is a folder": ["--config", "empty"],
    "bad YAML": ["--config", "bad.yaml"],
    "a list for a recipe": ["--config", "list.yaml"],
    "a misspelt key": ["--config", "misspelt.yaml"],
    "a misspelt key within": ["--config", "within.yaml"],
    "a depth past 100 in a recipe": ["--config", "deep.yaml"],
    "a binary recipe": ["--config", "binary/noise.txt"],
    "a budget that is none": ["--budget", "much"],
    "a budget in another currency": ["--budget", "5USD"],
    "faults where none can be": ["--faults", "drop=0.1"],
    "an address that is none": ["--base-url", "localhost"],
    "an address cut short": ["--base-url", "http://[::1/v1"],
    "a port that can't be": ["--base-url", "http://127.0.0.1:99999/v1"],
    "a port that is none": ["--base-url", "http://127.0.0.1:http/v1"],
    "a key in the address": ["--base-url", "http://me:secret@127.0.0.1/v1"],
    "a time-out of nothing": ["--timeout", "0"],
    "a time-out that is none": ["--timeout", "nan"],
    "a temperature that is none": ["--temperature", "nan"],
    "a concurrency of nothing": ["--concurrency", "0"],
    "a reply of nothing": ["--reply-tokens", "0"],
    "a reply past the window": ["--reply-tokens", "200000"],
    "a window without room": ["--window", "100"],
    "a file in the way": ["--out", "way"],
    "a file further up in the way": ["--out", "way/runs"],
    "no place for folders": ["--out", "/proc/needle"],
    "a misspelt option": ["--dephts", "0"],
    "an option without its value": ["--depths"],
    "an argument too many": ["runs"],
}

SAYS = {
    "a depth past 100": "got 120 (command line: grid.depths[1])",
    "a length past the window": "200k",
    "a misspelt key": "'lenguage' (misspelt.yaml: lenguage): did you mean 'language'?",
    "a misspelt key within": "did you mean 'depths'?",
    "a depth past 100 in a recipe": "got 120 (deep.yaml: grid.depths[3])",
    "bad YAML": "bad.yaml:",
    "an empty haystack": "empty",
    "a binary haystack": "noise.txt",
    "a misspelt option": "--depths",
    "a file in the way": "way",
    "an unknown needle": "fictional",
}


@pytest.fixture
def materials(alone: Path) -> None:
    """Lay out what is wrong with files and folders."""
    texts = {
        "bad.yaml": "model: x\ngrid: [1,\nunit: {",
        "list.yaml": "- model\n",
        "misspelt.yaml": "lenguage: en\n",
        "within.yaml": "grid:\n  dephts: [0, 50]\n",
        "deep.yaml": "grid:\n  depths: [0, 50, 100, 120]\n",
        "broken.json": '{"model": ',
        "blank/a.txt": " \n\n",
        "taken/a.txt": "It was a day. "
        * 40
        + "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a "
        "sunny day. " + "It was a day. " * 9_000,
        "way": "a file",
    }
    for name, text in texts.items():
        (alone / name).parent.mkdir(exist_ok=True)
        (alone / name).write_text(text, encoding="utf-8")
    (alone / "empty").mkdir()
    for name, data in (("binary/noise.txt", b"\x89PNG\0\1\2"), ("latin/a.txt", b"caf\xe9 ole")):
        (alone / name).parent.mkdir()
        (alone / name).write_bytes(data)


def is_one_line(ended: Called, status: int = 2) -> bool:
    """Tell whether a call ended with its status and one line, and nothing else."""
    return (
        ended.status == status
        and not ended.out
        and ended.err.startswith("needle: ")
        and ended.err.count("\n") == 1
    )


@pytest.mark.usefixtures("materials")
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_use_is_one_line_and_harms_nothing(wrong: str, call: Call, alone: Path) -> None:
    """Wrong use ends with exit 2 and one line that names the fault; no file is changed."""
    before = list_files(alone)
    asked = ["run", "--model", "moonshot-v1-128k", *LOCAL, "--yes"]
    ended = call(*asked, *WRONG[wrong])
    assert is_one_line(ended), ended
    assert SAYS.get(wrong, "") in ended.err
    assert list_files(alone) == before


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (["run", "--model", "moonshot-v1-182k"], "moonshot-v1-128k"),
        (["run", "--model", "nothing-like-it"], "--base-url"),
        (["run"], "--model"),
        (["rnu", "--model", "sim/reader"], "'run'"),
        (["heatmpa", "x"], "'heatmap'"),
        (["plan", "--modle", "sim/reader"], "--model"),
        (["resume", "nowhere"], "nowhere"),
        (["resume"], "RUN"),
        (["score", "nowhere"], "nowhere"),
        (["heatmap", "nowhere"], "nowhere"),
        (["table", "nowhere"], "nowhere"),
        (["check", "nowhere.yaml"], "nowhere.yaml"),
        (["haystacks", "fetch", "odyssey"], "odyssey"),
        (["simulate", "--faults", "rain=0.1"], "rain"),
        (["simulate", "--port", "70000"], "70000"),
        (["prompt", "--length", "1k", "--depth", "120"], "120"),
        (["prompt", "--length", "1k"], "--depth"),
        (["prompt", "--length", "1k", "--depth", "0", "--language", "both"], "--language"),
    ],
)
def test_a_wrong_command_names_the_remedy(said: list[str], named: str, call: Call) -> None:
    """An unknown name, command or option is one line with the nearest, or what is lacking."""
    ended = call(*said)
    assert is_one_line(ended), ended
    assert named in ended.err


def test_a_missing_key_names_its_variable(
    call: Call, monkeypatch: pytest.MonkeyPatch, server: Server, alone: Path
) -> None:
    """Without a model's key one line names the variable; nothing is sent or written."""
    for model, variable in (
        ("moonshot-v1-128k", "MOONSHOT_API_KEY"),
        ("gpt-4-turbo", "OPENAI_API_KEY"),
        ("claude-2.1", "ANTHROPIC_API_KEY"),
    ):
        for value in (None, "", "  "):
            monkeypatch.delenv(variable, raising=False)
            if value is not None:
                monkeypatch.setenv(variable, value)
            said = ["run", "--model", model, "--base-url", server.base_url, "--yes"]
            ended = call(*said, "--lengths", "1k")
            assert is_one_line(ended)
            assert variable in ended.err
    assert not server.bodies
    assert not list(alone.iterdir())


def test_one_wrong_model_stops_all_before_the_first_request(
    call: Call, server: Server, alone: Path
) -> None:
    """Of several models, each is found in order before anything is sent for any."""
    said = ["run", "--base-url", server.base_url, "--yes", "--lengths", "1k", "--depths", "0"]
    ended = call(*said, "--model", "moonshot-v1-8k", "--model", "gpt-4-turbo")
    assert is_one_line(ended)
    assert "OPENAI_API_KEY" in ended.err
    assert not server.bodies
    assert not list(alone.iterdir())


def test_nothing_is_sent_unasked_off_a_terminal(start: Start, server: Server, alone: Path) -> None:
    """Without --yes or a budget, and no terminal to ask on, one line is said and nothing sent."""
    said = ["run", "--model", "moonshot-v1-128k", "--base-url", server.base_url]
    ended = finish(start(*said, figures=True))
    assert is_one_line(ended), ended
    assert "--yes" in ended.err
    assert not server.bodies
    assert not list(alone.iterdir())


def said_small(server: Server, *more: str) -> list[str]:
    return [
        *("run", "--model", "moonshot-v1-8k", "--base-url", server.base_url, "--yes"),
        *("--language", "en", "--lengths", "1k", "--depth-count", "30", "--concurrency", "4"),
        *("--controls", "none"),
        *more,
    ]


def limit_files(size: int) -> dict[str, Any]:
    """Return what makes a process see every file as full at a size."""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


@pytest.mark.parametrize("figures", [False, True])
def test_a_full_disk_stops_a_run_that_can_be_resumed(
    figures: bool, server: Server, start: Start, call: Call
) -> None:
    """Where outcomes can't be written the run stops in one line, what is stored is whole."""
    ended = finish(start(*said_small(server), figures=figures, **limit_files(12_000)))
    folder = only_folder(Path("runs"))
    assert ended.status == 3
    assert len(ended.faults) == 1, ended
    assert "too large" in ended.faults[0]
    assert "needle resume" in ended.faults[0]
    assert "Traceback" not in ended.err
    stored = read_log(folder / "outcomes.jsonl")
    assert 0 < len(stored) < 30
    assert not list(folder.glob(".*.part"))
    sent = len(server.bodies)
    assert sent <= len(stored) + 4  # no more is sent once nothing can be kept
    assert call("resume", folder).status == 0
    trials = [line["trial"] for line in read_log(folder / "outcomes.jsonl")]
    assert len(trials) == len(set(trials))
    assert len(server.bodies) == sent + len(trials) - len(stored)


def test_a_full_disk_begins_no_run(server: Server, start: Start, alone: Path) -> None:
    """Where run.yaml can't be written nothing is sent, and nothing is left behind."""
    ended = finish(start(*said_small(server), **limit_files(100)))
    assert is_one_line(ended), ended
    assert not server.bodies
    assert [path for path in alone.rglob("*") if path.name != "runs"] == []


@pytest.fixture
def small_disk(alone: Path) -> Any:
    """Mount a disk of a few pages, where that is allowed."""
    folder = alone / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    size = ("-o", "size=512k")
    done = mount and subprocess.run([mount, "-t", "tmpfs", *size, "tmpfs", folder], check=False)
    if not done or done.returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_nearly_full_is_seen_beforehand(
    server: Server, call: Call, small_disk: Path
) -> None:
    """Nothing is sent whose reply might not be kept: the run stops in one line, resumable."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500 * 1024 - 128 * 1024))
    ended = call(*said_small(server, "--out", str(small_disk / "runs")))
    assert ended.status == 3
    assert len(ended.faults) == 1
    assert "full" in ended.faults[0]
    folder = only_folder(small_disk / "runs")
    stored = len(read_log(folder / "outcomes.jsonl"))
    assert len(server.bodies) == stored
    ballast.unlink()
    assert call("resume", folder).status == 0
    trials = {line["trial"] for line in read_log(folder / "outcomes.jsonl")}
    assert len(server.bodies) == len(trials) == 30 - _merged(folder)


def _merged(folder: Path) -> int:
    text = (folder / "run.yaml").read_text(encoding="utf-8")
    return text.count("drawn_as:")


def test_help_is_quick() -> None:
    """Help is printed without importing anything heavy."""
    program = (
        "import sys; from needle.commands.cli import cli; "
        "cli(['run', '--help'], standalone_mode=False); "
        "sys.exit(any(name in sys.modules for name in "
        "('openai', 'pandas', 'matplotlib', 'tiktoken', 'pydantic')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"--lengths" in done.stdout


def test_a_closed_pipe_is_no_error() -> None:
    """Output whose reader has gone away ends quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "needle", "models"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.stderr == b""
