"""How tests write a sweep's file, and what they find of its runs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from driving import read_log
from serving import Answer, Body, reply

CELLS = {"language": "en", "controls": "none", "grid": {"lengths": ["1k", "2k"]}}
CELLS["grid"]["depths"] = [0, 50, 100]  # type: ignore[index]  # six trials a run


def write_sweep(models: Sequence[Mapping[str, Any]], **common: Any) -> Path:
    """Write a sweep's file of small runs; JSON is YAML."""
    path = Path("sweep.yaml")
    path.write_text(json.dumps({**CELLS, **common, "models": list(models)}), encoding="utf-8")
    return path


def bill(body: Body, _number: int) -> Answer:
    """Answer with usage that costs as many tokens as there are words, about."""
    tokens = sum(len(message["content"].split()) for message in body["messages"])
    return reply(usage={"prompt_tokens": tokens, "completion_tokens": 100})


def find_folder(model: str, out: str = "runs") -> Path:
    """Return the one run folder of a model."""
    (folder,) = Path(out).glob(f"*-{model}-*")
    return folder


def read_replies(model: str, out: str = "runs") -> list[str]:
    """Return the trials of a model that have a reply, in the order in which they came."""
    lines = read_log(find_folder(model, out) / "outcomes.jsonl")
    return [line["trial"] for line in lines if line["failure"] is None]
