"""What tests of whole commands share: a server, and ways to call needle."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules that tests share

from batch_runs import count, submit, write
from batch_serving import Vendor, serving_batches
from driving import KEY, Call, Called, Start
from serving import Server, serving

# The command without its figures, which cost seconds that most laws have no need of.
WITHOUT_FIGURES = """
import needle.commands.closing
import needle.commands.rescoring
import needle.commands.showing
draw_nothing = lambda *_, **__: ([], [])
for module in ("closing", "rescoring", "showing"):
    getattr(needle.commands, module).draw_run = draw_nothing
from needle.commands.cli import main
main()
"""

# Plans and logs are many small objects that hold no cycles: collecting less often saves time.
gc.set_threshold(100_000, 20, 100)

REAL = Path(__file__).parent / "real"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests that need real parts, unless they are named: make test-real."""
    named = (Path(argument.split("::")[0]).resolve() for argument in config.args)
    if collection_path == REAL and not any(path.is_relative_to(REAL) for path in named):
        return True
    return None


@pytest.fixture(autouse=True, scope="session")
def no_vendors_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the vendors' files of whoever runs the tests out of them, in subprocesses too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NEEDLE_MODELS", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@pytest.fixture
def vendor(alone: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    """Serve a vendor of batches whose models are OpenAI's, with a key of its own."""
    assert alone.is_dir()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving_batches() as started:
        yield started


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stand in an empty folder, with one key in the environment."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOONSHOT_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call needle in this process, without figures and without waits between attempts."""
    from needle.commands import cli, closing, intake, rescoring, showing
    from needle.edges import endpoint

    assert alone.is_dir()
    for module in (closing, rescoring, intake, showing):
        monkeypatch.setattr(module, "draw_run", lambda *_, **__: ([], []))
    monkeypatch.setattr(endpoint, "_FIRST_WAIT", 0.0)

    def call(*said: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["needle", *map(str, said)])
        capsys.readouterr()
        status = cli._run()  # noqa: SLF001 - main without sys.exit
        return Called(status, *capsys.readouterr())

    return call


@pytest.fixture
def draw(call: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call needle in this process, with figures."""
    from needle.commands import closing, intake, rescoring, showing
    from needle.runs.drawing import draw_run

    for module in (closing, rescoring, intake, showing):
        monkeypatch.setattr(module, "draw_run", draw_run)
    return call


@pytest.fixture
def start(alone: Path) -> Iterator[Start]:
    """Start needle in a process of its own; one that a test leaves behind is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*said: object, figures: bool = False, **options: Any) -> "subprocess.Popen[str]":
        program = ["-m", "needle"] if figures else ["-c", WITHOUT_FIGURES]
        process = subprocess.Popen(
            [sys.executable, *program, *map(str, said)],
            cwd=alone,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def sent(vendor: Vendor, call: Call) -> Path:
    """Return a run whose one batch has just been submitted."""
    vendor.script = count
    folder = write(vendor, call)
    submit(folder, call)
    return folder
