"""How tests see a call of needle, and what it leaves on disk."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving import SAFETY_S

KEY = "qTz9/secret+key=4711"  # like no vendor's, so that only needle's own care hides it


@dataclass(frozen=True)
class Called:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def faults(self) -> list[str]:
        """The lines that say what is wrong."""
        return [line for line in self.err.splitlines() if line.startswith("needle: ")]


Call = Callable[..., Called]
Start = Callable[..., "subprocess.Popen[str]"]


def only_folder(out: Path) -> Path:
    """Return the one run folder in a folder of runs."""
    (folder,) = [path for path in out.iterdir() if path.is_dir()]
    return folder


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read a log's lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def list_files(folder: Path) -> dict[str, bytes]:
    """Return all that is in a folder: files with their bytes, and folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def finish(process: "subprocess.Popen[str]", longest_s: float = SAFETY_S) -> Called:
    """Wait for a process, so many seconds at the longest, and return how it ended."""
    out, err = process.communicate(timeout=longest_s)
    return Called(process.returncode, out, err)
