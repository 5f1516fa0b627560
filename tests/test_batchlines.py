"""The lines of batch files: requests out, answers in, in every shape that vendors write."""

import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.asking.batchlines import read_answer, write_request
from needle.edges.endpoint import ask_once, batch_body, open_client, request_body
from needle.edges.models import find_model
from needle.words.types import Failure, Message, Reply

KEY = "qTz9/secret+key=4711"
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_200,
    "model": "served",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "一只珐琅笛"}}],
    "usage": {"prompt_tokens": 990, "completion_tokens": 5, "total_tokens": 995},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def line(**parts: Any) -> bytes:
    whole = {"id": "batch_req_1", "custom_id": "abc", "response": None, "error": None, **parts}
    return json.dumps(whole, ensure_ascii=False).encode()


def answered(status: int, body: Any, **more: Any) -> bytes:
    response = {"status_code": status, "request_id": "req_7", "body": body}
    return line(response=response, **more)


@given(st.text())
def test_a_request_is_one_line_that_holds_its_body(content: str) -> None:
    """Whatever a prompt holds, its line has no other line's end in it and gives it back."""
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    data = write_request("k", body)
    assert data.endswith(b"\n")
    text = data.decode()
    assert len(text.splitlines()) == 1
    asked = json.loads(text)
    assert asked.keys() == {"custom_id", "method", "url", "body"}
    assert asked["body"] == json.loads(json.dumps(body).encode(errors="replace"))


def test_chinese_stands_as_it_is() -> None:
    """Chinese takes three bytes a character in a file, not the six of an escape."""
    data = write_request("k", {"messages": [{"role": "user", "content": "针" * 1_000}]})
    assert "针".encode() * 1_000 in data


@pytest.mark.parametrize(
    "name", ["gpt-6.1-terra", "kimi-k2.6", "moonshot-v1-8k", "spark/lite", "vllm/Qwen/Qwen3-8B"]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_is_what_is_asked_live(name: str, stream: bool) -> None:
    """A batch asks what the client sends live, what it merges in included, and no stream."""
    model = replace(find_model(name, None, None), stream=stream)
    messages: list[Message] = [{"role": "user", "content": "Where is it?"}]
    sent: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        return httpx2.Response(500)

    client = open_client(model, KEY, 10, httpx2.MockTransport(answer))
    await ask_once(client, request_body(model, messages, model.temperature, 256), KEY, {})
    await client.close()
    (live,) = sent
    assert bool(live.pop("stream", None)) == stream
    live.pop("stream_options", None)
    assert batch_body(model, messages, model.temperature, 256) == live


def test_a_reply_is_read() -> None:
    """A completion is read as a live one is, with its request, counts and moment."""
    answer = read_answer(answered(200, COMPLETION), KEY)
    assert isinstance(answer.result, Reply)
    assert (answer.trial, answer.request, answer.created) == ("abc", "batch_req_1", 1_790_000_200)
    assert answer.result.response == "一只珐琅笛"
    assert answer.result.request_id == "req_7"
    assert (answer.result.endpoint_prompt_tokens, answer.result.completion_tokens) == (990, 5)


OVERFLOW = "This model's maximum context length is 8192 tokens. However, you requested 9000"


@pytest.mark.parametrize(
    ("data", "kind", "status", "permanent"),
    [
        # OpenAI writes errors into the body, whatever its reference says of `error`.
        (answered(400, {"error": {"code": "x", "message": OVERFLOW}}), "overflow", 400, True),
        (answered(429, {"error": {"message": "slow down"}}), "rate_limit", 429, False),
        (answered(500, {"error": {"message": "oops"}}), "server", 500, False),
        (answered(400, {"error": {"code": "content_filter"}}), "filter", 400, True),
        # vLLM's: a record within a record, a flat one, a sentence, and no body at all.
        (answered(400, None, error={"error": {"message": OVERFLOW}}), "overflow", 400, True),
        (
            answered(400, None, error={"object": "error", "message": OVERFLOW}),
            "overflow",
            400,
            True,
        ),
        (answered(400, None, error=OVERFLOW), "overflow", 400, True),
        (answered(400, None, error="engine is dead"), "bad_request", 400, True),
        # What no HTTP status goes with.
        (line(error={"code": "request_timeout", "message": "late"}), "timeout", None, False),
        (line(error={"code": "server_error", "message": "oops"}), "server", None, False),
        (answered(0, None), "server", None, False),
        # What is called a success and is none.
        (answered(200, None), "malformed", 200, False),
        (answered(200, {"choices": []}), "malformed", 200, False),
        (answered(200, "text"), "malformed", 200, False),
    ],
)
def test_a_failure_is_one_like_any(
    data: bytes, kind: str, status: int | None, permanent: bool
) -> None:
    """A failed line has the kind, status and permanence that a live request would have."""
    result = read_answer(data, KEY).result
    assert isinstance(result, Failure)
    assert (result.kind, result.status, result.permanent) == (kind, status, permanent)


def test_the_vendors_own_texts_come_first() -> None:
    """A vendor's own words say what kind of failure it is, as they do live."""
    data = answered(400, {"error": {"message": "Prompt 超长"}})
    result = read_answer(data, KEY, {"overflow": ["Prompt 超长"]}).result
    assert isinstance(result, Failure)
    assert result.kind == "overflow"


def test_a_request_that_never_ran_is_no_failure() -> None:
    """What expired or was cancelled with its batch was not asked at all."""
    for code in ("batch_expired", "batch_cancelled"):
        assert read_answer(line(error={"code": code, "message": "late"}), KEY).result is None


def test_no_key_is_kept() -> None:
    """A key in a vendor's words is taken out of them."""
    result = read_answer(answered(401, {"error": {"message": f"no {KEY}"}}), KEY).result
    assert isinstance(result, Failure)
    assert KEY not in result.message
    assert result.condemns


def test_no_key_is_kept_of_a_reply() -> None:
    """A key that an endpoint echoes in its answer is taken out of it."""
    echoing = json.loads(json.dumps(COMPLETION))
    echoing["choices"][0]["message"]["content"] = f"Bearer {KEY}"
    result = read_answer(answered(200, echoing), KEY).result
    assert isinstance(result, Reply)
    assert result.response == "Bearer [key]"


def test_a_line_without_a_name_has_its_digest() -> None:
    """Answers that a server gave no name are told apart by their bytes, the same ones not."""
    one, other = (answered(200, COMPLETION, id=None, custom_id=name) for name in "ab")
    assert read_answer(one, KEY).request == read_answer(one + b"\n", KEY).request
    assert read_answer(one, KEY).request != read_answer(other, KEY).request


@given(JSON | st.fixed_dictionaries({"custom_id": st.text(), "response": JSON, "error": JSON}))
def test_nothing_but_a_value_error_is_raised(data: Any) -> None:
    """Any JSON is an answer, or a ValueError says that it is none."""
    try:
        answer = read_answer(json.dumps(data).encode(), KEY)
    except ValueError:
        return
    assert answer.trial == data["custom_id"]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"custom_id": "a"}'])
def test_what_is_no_answer_is_told(data: bytes) -> None:
    """Torn, binary, endless and other lines are no answers."""
    with pytest.raises(ValueError, match=r"."):
        read_answer(data, KEY)
