import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from needle.edges.tokens import load_counting
from needle.runs.replies import MODELS
from needle.runs.simulator import create_app, running, serve
from needle.simulated.faults import Faults, parse_faults
from needle.simulated.surfaces import draw, recall
from needle.words.errors import UsageError

FACT = "The harbour clock of Velmora strikes the hour on a pewter teapot."
QUESTION = "What does the harbour clock of Velmora strike to mark the hour?"
NOT_SAID = "The document does not mention this."
FILLER = "It rained on the old road all day, and nobody came by. "

# What `needle simulate` does, for the tests of the process itself.
PROGRAM = """
import sys
from needle.simulated.faults import parse_faults
from needle.runs.simulator import serve
said = dict(option.removeprefix("--").partition("=")[::2] for option in sys.argv[1:])
window = int(said["window"]) if "window" in said else None
faults = parse_faults(said.get("faults", ""))
serve(int(said["port"]), int(said["seed"]), window, faults, said.get("key"), "with-parent" in said)
"""
SIMULATE = (sys.executable, "-c", PROGRAM)
PARENT = """
import subprocess, sys
subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()
"""


def body(text: str = f"{FACT}\n\n{QUESTION}", model: Any = "sim/reader", **more: Any) -> Any:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


@asynccontextmanager
async def client(**options: Any) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(**options))
    async with httpx2.AsyncClient(transport=transport, base_url="http://sim/v1") as opened:
        yield opened


async def ask(given: Any, **options: Any) -> httpx2.Response:
    async with client(**options) as opened:
        return await opened.post("/chat/completions", json=given)


def said(response: httpx2.Response) -> str:
    content = response.json()["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


async def test_a_reply_has_openais_shape() -> None:
    """A reply is a chat.completion whose usage counts contents by o200k_base, and the overhead."""
    messages = [
        {"role": "system", "content": "Answer from the text."},
        {"role": "user", "content": f"{FILLER}{FACT}\n\n{QUESTION}"},
    ]
    response = await ask({"model": "sim/reader", "messages": messages, "max_tokens": 64})
    reply = response.json()
    count = load_counting("o200k_base").count
    contents = sum(count(message["content"]) for message in messages)
    assert response.status_code == 200
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "sim/reader"
    assert reply["id"].startswith("chatcmpl-")
    assert isinstance(reply["created"], int)
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert said(response) == FACT
    assert reply["usage"] == {
        "prompt_tokens": contents + 2 * 4 + 3,
        "completion_tokens": count(FACT),
        "total_tokens": contents + 2 * 4 + 3 + count(FACT),
        "prompt_tokens_details": {"cached_tokens": 0},
    }


async def test_content_may_come_in_parts() -> None:
    """A list of text parts is read and counted as the text that they make together."""
    parts = [{"type": "text", "text": FACT}, {"type": "text", "text": f"\n\n{QUESTION}"}]
    given = {"model": "sim/reader", "messages": [{"role": "user", "content": parts}]}
    in_parts, whole = await ask(given), await ask(body())
    assert said(in_parts) == FACT
    assert in_parts.json()["usage"] == whole.json()["usage"]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("tokens", [1, 5, 12])
async def test_a_reply_obeys_its_budget(name: str, tokens: int) -> None:
    """A reply longer than the tokens asked for is cut to them, and says so."""
    response = await ask(body() | {name: tokens})
    assert response.json()["choices"][0]["finish_reason"] == "length"
    assert FACT.startswith(said(response))
    assert response.json()["usage"]["completion_tokens"] == tokens


async def test_lists_its_models() -> None:
    """The list of models holds each one with its window; the option changes all of them."""
    async with client() as opened:
        listed = (await opened.get("/models")).json()["data"]
    assert {each["id"]: each["context_window"] for each in listed} == {
        "sim/reader": 2_097_152,
        "sim/blind": 131_072,
        "sim/middle": 131_072,
        "sim/window": 131_072,
        "sim/oracle": 131_072,
        "sim/distracted": 131_072,
    }
    async with client(window=9_000) as opened:
        listed = (await opened.get("/models")).json()["data"]
    assert {each["context_window"] for each in listed} == {9_000}


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (body(model="gpt-4"), 404, "'gpt-4' does not exist: use sim/reader, sim/blind"),
        (body(model=["sim/reader"]), 404, "does not exist"),
        ({"model": "sim/reader"}, 400, "'messages'"),
        ({"model": "sim/reader", "messages": []}, 400, "'messages'"),
        ({"model": "sim/reader", "messages": ["hello"]}, 400, "'content'"),
        ({"model": "sim/reader", "messages": [{"content": [{"text": 1}]}]}, 400, "'content'"),
        (body(stream=True), 400, "Streaming is not supported"),
        (body(max_tokens=0), 400, "'max_tokens' must be a whole number of at least 1, got 0"),
        ([], 400, "JSON object"),
    ],
)
async def test_refuses_what_it_cannot_answer(given: Any, status: int, words: str) -> None:
    """A wrong request is refused with OpenAI's status and error, which names what is wrong."""
    response = await ask(given)
    assert response.status_code == status
    assert words in response.json()["error"]["message"]
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_refuses_bad_json(data: bytes) -> None:
    """A body that is not JSON is a 400."""
    async with client() as opened:
        response = await opened.post("/chat/completions", content=data)
    assert response.status_code == 400
    assert "JSON" in response.json()["error"]["message"]


async def test_the_window_holds_prompt_and_reply() -> None:
    """Prompt and reply together may fill the window and not a token more."""
    tokens = (await ask(body())).json()["usage"]["prompt_tokens"]
    assert (await ask(body(max_tokens=50), window=tokens + 50)).status_code == 200
    response = await ask(body(max_tokens=51), window=tokens + 50)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert response.json()["error"]["message"] == (
        f"This model's maximum context length is {tokens + 50} tokens. However, you requested "
        f"{tokens + 51} tokens ({tokens} in the messages, 51 in the completion). "
        "Please reduce the length of the messages or completion."
    )


async def test_a_key_is_asked_for_when_set() -> None:
    """With a key set, any other bearer key is a 401 that repeats no key."""
    async with client(key="sesame") as opened:
        for path, headers, status in [
            ("/models", {}, 401),
            ("/models", {"authorization": "Bearer wrong-one"}, 401),
            ("/models", {"authorization": "Bearer sesame"}, 200),
        ]:
            response = await opened.get(path, headers=headers)
            assert response.status_code == status
            assert "wrong-one" not in response.text
        response = await opened.post("/chat/completions", json=body())
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert "sesame" not in response.text


async def test_blind_sees_nothing() -> None:
    """sim/blind says that the document does not say, whatever it says."""
    assert said(await ask(body(model="sim/blind"))) == NOT_SAID


@pytest.mark.parametrize(("depth", "seen"), [(0, False), (50, False), (80, True), (100, True)])
async def test_window_loses_what_is_far_from_the_end(depth: int, seen: bool) -> None:
    """sim/window answers from the last 32,000 tokens of the prompt and from nothing before."""
    before = 50 * depth
    prompt = f"{FILLER * before}{FACT} {FILLER * (5_000 - before)}\n\n{QUESTION}"
    assert said(await ask(body(prompt, model="sim/window"))) == (FACT if seen else NOT_SAID)


async def test_middle_finds_as_its_surface_declares() -> None:
    """What sim/middle finds is what its draws and its declared recall say, cell by cell."""
    count = load_counting("o200k_base").count
    found = 0
    async with client(seed=3) as opened:
        for number in range(60):
            before = FILLER * (500 + 40 * number)
            context = f"{before}{FACT} {FILLER * (2_900 - 40 * number)}".rstrip()
            prompt = f"{context}\n\n{QUESTION}"
            declared = recall("middle", count(prompt), 100 * len(before) / len(context), 131_072)
            seen = draw(3, "middle", prompt) < declared
            response = await opened.post("/chat/completions", json=body(prompt, "sim/middle"))
            assert said(response) == (FACT if seen else NOT_SAID)
            found += seen
    assert 0 < found < 60


async def test_a_retry_may_pass() -> None:
    """A prompt that met a passing fault is answered when it is asked often enough."""
    async with client(faults=Faults(error_503=0.9), seed=1) as opened:
        replies = [await opened.post("/chat/completions", json=body()) for _ in range(60)]
    assert {reply.status_code for reply in replies} == {200, 503}


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("rate_limit", 429, "engine_overloaded_error"),
        ("rate_limit_wait", 429, "please try again after 1 seconds"),
        ("error_500", 500, "server_error"),
        ("error_503", 503, "server_error"),
        ("filter_400", 400, '"code": "content_filter"'),
        ("empty_choices", 200, '"choices": []'),
        ("filter", 200, '"finish_reason": "content_filter"'),
    ],
)
async def test_a_fault_has_its_shape(fault: str, status: int, words: str) -> None:
    """Each fault looks as it does at a real endpoint."""
    response = await ask(body(), faults=parse_faults(f"{fault}=1"))
    assert response.status_code == status
    assert words in response.text
    assert FACT not in response.text
    assert response.headers.get("retry-after") == ("1" if fault == "rate_limit_wait" else None)


async def test_malformed_is_broken_json() -> None:
    """A malformed reply has status 200 and a body that is not JSON."""
    response = await ask(body(), faults=Faults(malformed=1))
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


async def test_a_stall_ends_with_its_client() -> None:
    """A stalled request has no answer for as long as the client waits."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ask(body(), faults=Faults(stall=1)), timeout=0.05)


async def test_latency_is_waited() -> None:
    """A latency passes before the reply."""
    before = time.monotonic()
    assert said(await ask(body(), latency_s=0.05)) == FACT
    assert time.monotonic() - before >= 0.05


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with running(key="sesame", window=4_000_000, command=SIMULATE) as url:
        yield url


def post(url: str, given: Any, timeout: float = 20) -> httpx2.Response:
    headers = {"authorization": "Bearer sesame"}
    return httpx2.post(f"{url}/chat/completions", json=given, headers=headers, timeout=timeout)


def test_runs_in_a_process_of_its_own(base_url: str) -> None:
    """The endpoint answers on loopback with the options that it was started with."""
    assert base_url.startswith("http://127.0.0.1:")
    assert said(post(base_url, body())) == FACT
    assert post(base_url, body(max_tokens=4_000_000)).status_code == 400
    assert httpx2.get(f"{base_url}/models").status_code == 401


def test_a_request_of_ten_megabytes_is_answered(base_url: str) -> None:
    """A request of 10 MB is read and answered, and the list of models answers meanwhile."""
    given = body(f"{FILLER * 90_000}{FACT} {FILLER * 90_000}\n\n{QUESTION}")
    assert len(json.dumps(given)) > 9_800_000
    meanwhile = 0
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(post, base_url, given)
        while not asked.done():
            assert httpx2.get(f"{base_url}/models").status_code == 401
            meanwhile += not asked.done()
    assert said(asked.result()) == FACT
    assert meanwhile > 1


def test_a_taken_port_is_one_line(base_url: str) -> None:
    """A port that is in use is named in one line."""
    port = httpx2.URL(base_url).port
    assert port is not None
    with pytest.raises(UsageError, match=f"port {port} can't be had on 127.0.0.1") as caught:
        serve(port, 0, None, Faults(), None, with_parent=False)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="port 70000"):
        serve(70_000, 0, None, Faults(), None, with_parent=False)


def test_a_wrong_option_starts_nothing() -> None:
    """A wrong fault is said before anything is started, and so is a process that fails."""
    with pytest.raises(UsageError, match="unknown fault"), running(faults="dorp=1"):
        pass
    command = (sys.executable, "-c", "raise SystemExit('no such thing')")
    with pytest.raises(UsageError, match="did not start: no such thing"), running(command=command):
        pass


def test_a_drop_breaks_the_connection() -> None:
    """A dropped reply ends in the middle, which the client sees as an error of the connection."""
    with (
        running(faults="drop=1", command=SIMULATE) as url,
        pytest.raises(httpx2.RemoteProtocolError),
    ):
        post(url, body())


def test_a_stall_does_not_hold_up_the_end() -> None:
    """The endpoint ends at once while a request is stalled, and its port is free again."""
    with running(faults="stall=1", command=SIMULATE) as url:
        with pytest.raises(httpx2.ReadTimeout):
            post(url, body(), timeout=0.2)
        port = httpx2.URL(url).port
        stalled = socket.create_connection(("127.0.0.1", port or 0))
        data = json.dumps(body()).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n"
        stalled.sendall(head.encode() + b"\r\n" + data)
        before = time.monotonic()
    assert time.monotonic() - before < 5
    stalled.close()
    with pytest.raises(httpx2.ConnectError):
        post(url, body())


def start(*options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*SIMULATE, "--port=0", "--seed=0", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_prints_one_line_and_ends_quietly_on_interrupt() -> None:
    """The address is all it ever prints, also when it is interrupted."""
    process = start()
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("serving on http://127.0.0.1:")
    url = line.split()[-1]
    assert said(post(url, body())) == FACT
    assert post(url, []).status_code == 400
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0


def test_ends_with_the_process_that_started_it() -> None:
    """With its parent killed, the endpoint ends by itself."""
    options = ("--port=0", "--seed=0", "--with-parent")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *SIMULATE, *options], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert parent.stdout.readline().startswith(b"serving on ")
    parent.kill()
    rest, _ = parent.communicate(timeout=10)  # until the pipe's last holder, the endpoint, is gone
    assert rest == b""


def test_models_are_those_of_the_surfaces() -> None:
    """Every model's surface is declared, and so its recall is known at any cell."""
    for model in MODELS.values():
        assert 0 <= recall(model.surface, 1_000, 50, model.window) <= 1
