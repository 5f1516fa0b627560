import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
KEYS = ("ANTHROPIC_API_KEY", "LITELLM_MASTER_KEY")
CONSTRAINTS = (
    "constraints.txt",
    "configs/proxy/constraints.txt",
    "tests/real/llama-constraints.txt",
)


def make(folder: Path, target: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Make a target in a folder, with these variables and none of the proxy's keys."""
    kept = {name: value for name, value in os.environ.items() if name not in KEYS}
    return subprocess.run(
        ("make", "-f", ROOT / "Makefile", target),
        cwd=folder,
        env={**kept, "MAKEFLAGS": "", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("missing", KEYS)
def test_a_key_that_is_not_set_is_named(missing: str, tmp_path: Path) -> None:
    """The proxy without a key ends in one line with its name, before anything is installed."""
    there = {name: "secret-4711" for name in KEYS if name != missing}
    made = make(tmp_path, "proxy", **there)
    (line,) = made.stderr.splitlines()
    assert made.returncode != 0
    assert f"{missing} is not set" in line
    assert "secret-4711" not in line + made.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_master_key_is_drawn_as_the_line_says(tmp_path: Path) -> None:
    """The command by which the line says to draw a master key draws another one each time."""
    line = make(tmp_path, "proxy", ANTHROPIC_API_KEY="x").stderr
    found = re.search(r"export (LITELLM_MASTER_KEY=.*\))\.", line)
    assert found
    script = f"{found[1]}; echo $LITELLM_MASTER_KEY"
    keys = {
        subprocess.run(script, shell=True, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(keys) == 2
    assert all(re.fullmatch(r"sk-[0-9a-f]{64}\n", key) for key in keys)


def test_keys_may_stand_in_env_files(tmp_path: Path) -> None:
    """Keys in .env are as good as in the environment; an empty one is none."""
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=x\nLITELLM_MASTER_KEY=\n")
    assert "LITELLM_MASTER_KEY is not set" in make(tmp_path, "proxy-keys").stderr
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=x\nLITELLM_MASTER_KEY=y\n")
    made = make(tmp_path, "proxy-keys")
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_are_plain(name: str) -> None:
    """Every environment is pinned by lines of name==version, one a package, and nothing else."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    names = [re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines]
    assert len(names) == len(set(names)) > 10


def test_the_proxy_holds_no_key() -> None:
    """The proxy's configuration names the variables of its keys, and leaves retries to needle."""
    config = yaml.safe_load((ROOT / "configs/proxy/litellm.yaml").read_text(encoding="utf-8"))
    keys = [model["litellm_params"]["api_key"] for model in config["model_list"]]
    keys.append(config["general_settings"]["master_key"])
    assert sorted(set(keys)) == [f"os.environ/{name}" for name in KEYS]
    assert config["router_settings"]["num_retries"] == 0
