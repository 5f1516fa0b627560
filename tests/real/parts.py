"""Starting the real parts, each in its own environment, and ending them whatever happens."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
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


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster as started for tests: ``raylets`` are the processes of its two machines."""

    address: str
    raylets: tuple[int, ...]
    folder: Path

    def workers(self) -> list[int]:
        """Return the processes of needle's workers."""
        return [pid for pid, said in self._list() if said.startswith(b"ray::Asker")]

    def parents(self) -> dict[int, int]:
        """Return the machine's process of each worker."""
        status = {pid: Path(f"/proc/{pid}/status").read_text("utf-8") for pid in self.workers()}
        return {pid: int(text.split("PPid:")[1].split()[0]) for pid, text in status.items()}

    def _list(self) -> list[tuple[int, bytes]]:
        """Return all processes that belong to one of the machines."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parent = int((path / "status").read_text("utf-8").split("PPid:")[1].split()[0])
                if parent in self.raylets:
                    found.append((int(path.name), (path / "cmdline").read_bytes()))
        return found


@contextmanager
def serving_ray(folder: Path) -> Iterator[RayCluster]:
    """Start a Ray cluster of two machines on loopback; its files are in a folder."""
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as own:  # sockets need short paths
        command = (sys.executable, HERE / "serve_ray.py", own)
        log = folder / "ray.log"
        with started(command, log, os.environ) as process:
            end = time.monotonic() + START_S
            while time.monotonic() < end and process.poll() is None:
                for line in log.read_text(errors="replace").splitlines(keepends=True):
                    if line.startswith("{") and line.endswith("\n"):
                        told = json.loads(line)
                        yield RayCluster(told["address"], tuple(told["raylets"]), Path(own))
                        return
                time.sleep(0.1)
            raise AssertionError(f"no Ray cluster:\n{log.read_text(errors='replace')[-3_000:]}")


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
