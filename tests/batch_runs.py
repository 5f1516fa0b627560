"""What tests of batch files share: a run to be written, and how to look at what came of it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from batch_serving import Vendor
from driving import Call, only_folder, read_log
from serving import Answer, Body, reply

TRIALS = 6
USAGE = {"prompt_tokens": 1_000, "completion_tokens": 10, "total_tokens": 1_010}


def said(vendor: Vendor, *more: object) -> list[object]:
    """Return the options of a run of six trials."""
    return [
        *("--model", "gpt-4o-mini", "--base-url", vendor.base_url, "--language", "en"),
        *("--lengths", "1k,2k", "--depths", "0,50,100", "--controls", "none", *more),
    ]


def count(body: Body, number: int) -> Answer:
    """Answer with the count of tokens that there are, about, and the number of the request."""
    words = sum(len(message["content"]) for message in body["messages"])
    usage = {"prompt_tokens": words // 4, "completion_tokens": 10}
    return reply(f"answer {number}", usage=usage, created=1_790_000_000 + number)


def write(vendor: Vendor, call: Call, *more: object) -> Path:
    """Write a run's files; return its folder."""
    ended = call("batch", "write", *said(vendor), *more)
    assert ended.status == 0, ended.err
    return only_folder(Path("runs"))


def submit(folder: Path, call: Call) -> None:
    """Submit all of a run's files."""
    ended = call("batch", "submit", folder, "--yes")
    assert ended.status == 0, ended.err


def finish_batches(vendor: Vendor, folder: Path, call: Call) -> None:
    """Look until every batch has ended."""
    for _ in vendor.states:
        assert call("batch", "status", folder).status == 0


def read_outcomes(folder: Path) -> list[dict[str, Any]]:
    """Read a run's outcomes; none where there are none yet."""
    path = folder / "outcomes.jsonl"
    return read_log(path) if path.exists() else []


def replies(folder: Path) -> Counter[str]:
    """Count the replies of each trial."""
    return Counter(line["trial"] for line in read_outcomes(folder) if line["failure"] is None)


def each_once(folder: Path, trials: int = TRIALS) -> bool:
    """Tell whether every trial has one reply and a score."""
    scored = {line["trial"] for line in read_log(folder / "scores.jsonl")}
    counted = replies(folder)
    return len(counted) == trials and set(counted.values()) == {1} and scored == set(counted)


def read_inputs(folder: Path) -> dict[str, list[str]]:
    """Return the trials of each file of requests that lies in a run folder."""
    return {
        path.name: [json.loads(line)["custom_id"] for line in path.read_bytes().split(b"\n")[:-1]]
        for path in sorted((folder / "batch").glob("input-*.jsonl"))
    }


def write_answers(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Write a file as vllm run-batch does."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def vllm_answer(trial: str, number: int, text: str = "I do not know.") -> dict[str, Any]:
    """Return a line of a reply as vllm run-batch writes it."""
    body = json.loads(reply(text, usage=USAGE).text or "")
    return {
        "id": f"vllm-{number:032x}",
        "custom_id": trial,
        "response": {"status_code": 200, "request_id": f"vllm-batch-{number:032x}", "body": body},
        "error": None,
    }


def vllm_error(trial: str, number: int, message: str) -> dict[str, Any]:
    """Return a line of a failure as vllm run-batch writes it."""
    error = {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}
    response = {"status_code": 400, "request_id": f"vllm-batch-{number:032x}", "body": None}
    return {
        "id": f"vllm-{number:032x}",
        "custom_id": trial,
        "response": response,
        "error": error,
    }
