"""A server that knows no streams, asked for them by a whole command."""

from pathlib import Path

from driving import Call, only_folder, read_log
from serving import Server


def test_an_answer_in_one_piece_is_the_reply(server: Server, call: Call) -> None:
    """What a server answers in one piece to a request for a stream is kept: it is paid for."""
    said = ("--base-url", server.base_url, "--window", "8k", "--lengths", "1k", "--depths", "0,100")
    assert call("run", "--model", "any/x", *said, "--stream", "--yes").status == 0
    lines = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    assert all(body["stream"] for body in server.bodies)
    assert len(server.bodies) == len(lines)
    assert {line["response"] for line in lines} == {"I do not know."}
    assert {line["endpoint_prompt_tokens"] for line in lines} == {1_000}
