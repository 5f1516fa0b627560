"""Starting the real parts, each in its own environment, and ending them whatever happens."""

import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LLAMA = ROOT / ".venv-llama" / "bin" / "python"
ANTHROPIC_KEY = "anthropic/secret+key=0815"  # like no vendor's: only care hides it
START_S = 120.0  # seconds within which a part answers, on a machine that does other work too
RUN_S = 120.0  # seconds within which a whole run ends
_END_S = 10.0
_OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")


@dataclass(frozen=True)
class Proxy:
    """LiteLLM's proxy as started for tests."""

    base_url: str
    key: str
    log: Path


@dataclass(frozen=True)
class Llama:
    """llama.cpp's server as started for tests; ``window`` is each slot's, in tokens."""

    base_url: str
    tokenizer: Path
    window: int
    slots: int


@contextmanager
def started(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process in a group of its own; end the group, by its id, on leaving."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=dict(environment),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        for ending in (signal.SIGTERM, signal.SIGKILL):
            _signal_group(process.pid, ending)
            try:
                process.communicate(timeout=_END_S)
                break
            except subprocess.TimeoutExpired:
                continue
        _signal_group(process.pid, signal.SIGKILL)


def _signal_group(group: int, ending: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, ending)


def wait_for(process: "subprocess.Popen[bytes]", log: Path, address: str) -> None:
    """Wait until an address answers; fail with what the process said if it ends or is late."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer:\n{log.read_text(errors='replace')[-3_000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def proxying(api_base: str, folder: Path) -> Iterator[Proxy]:
    """Start LiteLLM's proxy by ``make proxy``, in front of an address."""
    port, key = _free_port(), f"sk-{secrets.token_hex(32)}"
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    environment = {
        **inherited,
        "ANTHROPIC_API_BASE": api_base,
        "ANTHROPIC_API_KEY": ANTHROPIC_KEY,
        "LITELLM_MASTER_KEY": key,
        "NO_PROXY": "127.0.0.1",
        "PORT": str(port),
    }
    log = folder / "proxy.log"
    with started(("make", "proxy"), log, environment) as process:
        wait_for(process, log, f"http://127.0.0.1:{port}/health/liveliness")
        yield Proxy(f"http://127.0.0.1:{port}/v1", key, log)


@contextmanager
def serving_llama(folder: Path, window: int, slots: int) -> Iterator[Llama]:
    """Make a tiny model and serve it by llama.cpp's own server."""
    subprocess.run((LLAMA, HERE / "make_model.py", folder), check=True, timeout=START_S)
    log = folder / "llama.log"
    command = (
        *(LLAMA, HERE / "serve_model.py", folder / "model.gguf"),
        *(str(window), str(slots)),
    )
    with started(command, log, os.environ) as process:
        address = _read_address(process, log)
        wait_for(process, log, f"{address}/health")
        yield Llama(f"{address}/v1", folder / "tokenizer.json", window, slots)


def _read_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text(errors="replace").splitlines(keepends=True):
            if line.startswith("serving on ") and line.endswith("\n"):
                return line.removeprefix("serving on ").strip()
        time.sleep(0.05)
    raise AssertionError(f"the model is not served:\n{log.read_text(errors='replace')[-3_000:]}")
