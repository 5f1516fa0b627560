"""An endpoint that cuts prompts without saying so, over whole commands."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from driving import Call, only_folder, read_log
from serving import Answer, Body, Server, reply

from needle.edges.tokens import load_counting
from needle.runs.drawing import collect_heatmaps

NUM_CTX = 2_048
O200K = load_counting("o200k_base").count


def cutting(ratio: float, window: int = NUM_CTX) -> Callable[[Body, int], Answer]:
    """Answer as Ollama does: what is past its window is cut, and only usage tells."""

    def script(body: Body, _number: int) -> Answer:
        true = round(ratio * sum(O200K(message["content"]) for message in body["messages"])) + 12
        return reply(usage={"prompt_tokens": min(true, window), "completion_tokens": 4})

    return script


def said(server: Server, *more: object) -> list[object]:
    return [
        *("run", "--model", "llama-local", "--base-url", server.base_url, "--window", "32k"),
        *("--lengths", "1k,1800,3k,6k", "--depths", "0,50,100", "--out", "runs", "--yes", *more),
        *("--controls", "none"),
    ]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_cut_prompts_are_failures_that_keep_their_reply(
    concurrency: int, server: Server, call: Call
) -> None:
    """Prompts past the window are failures of their own kind; their replies are kept, unscored."""
    server.script = cutting(1.0)
    ended = call(*said(server, "--concurrency", concurrency))
    assert ended.status == 1
    folder = only_folder(Path("runs"))
    lines = read_log(folder / "outcomes.jsonl")
    assert len(lines) == len(server.bodies) == 24
    verdicts = {line["trial"]: line for line in read_log(folder / "scores.jsonl")}
    for line in lines:
        cut = line["context_length"] > NUM_CTX
        assert (line["failure"] is not None) == cut
        assert line["response"] == "I do not know."
        score = verdicts[line["trial"]]
        assert (score["score"], score["verdict"]) == ((None, "failed") if cut else (0, "missed"))
        if cut:
            assert line["failure"]["kind"] == "truncated_by_server"
            assert line["failure"]["permanent"]
            assert "OLLAMA_CONTEXT_LENGTH" in line["failure"]["message"]
            assert line["endpoint_prompt_tokens"] == NUM_CTX
            assert line["completion_tokens"] == 4
    english, chinese = collect_heatmaps(folder)
    assert english.left_out == chinese.left_out == {"failed": 6}


def test_resume_knows_what_was_counted_before(server: Server, call: Call) -> None:
    """What is known of the endpoint is read from the outcomes; --failed asks again, and settles."""
    server.script = cutting(0.7)
    assert call(*said(server, "--lengths", "1k,2k")).status == 0
    folder = only_folder(Path("runs"))
    # Replies are stored as they come, so that any trial may stand last: one of 2k is to be lost.
    lines = (folder / "outcomes.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    lines.remove(max(lines, key=lambda line: json.loads(line)["context_length"]))
    (folder / "outcomes.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "scores.jsonl").unlink()
    server.script = cutting(0.7, window=700)  # the server was started anew with less
    assert call("resume", folder).status == 1
    kinds = [
        line["failure"] and line["failure"]["kind"] for line in read_log(folder / "outcomes.jsonl")
    ]
    assert kinds == [None] * 11 + ["truncated_by_server"]
    assert call("resume", folder).status == 1
    assert len(server.bodies) == 13
    server.script = cutting(0.7)
    assert call("resume", folder, "--failed").status == 0
    assert len(server.bodies) == 14


def test_a_calibrated_count_catches_what_is_cut_from_the_first(server: Server, call: Call) -> None:
    """With lengths in the endpoint's own tokens the very first prompt that is cut is caught."""
    server.script = cutting(1.0)
    said_vendor = said(server, "--lengths", "4k", "--count", "vendor", "--language", "en")
    ended = call(*said_vendor)
    assert ended.status == 1
    kinds = {
        line["failure"]["kind"] for line in read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    }
    assert kinds == {"truncated_by_server"}


def test_a_ratio_that_differs_is_no_cut(server: Server, call: Call) -> None:
    """A vendor that makes a third of our tokens, or three times as many, cuts nothing."""
    for ratio in (0.33, 3.0):
        server.script = cutting(ratio, window=10**9)
        assert call(*said(server, "--again")).status == 0
