"""A loopback stand-in for Anthropic's Messages API.

It takes what that API takes and refuses what it refuses (docs.claude.com, "Messages" and
"Errors", November 2026): the version header, the key's header, ``max_tokens``, text contents.
It reads the prompt for real (needle.simulated.reader) and counts it in o200k_base.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from needle.edges.tokens import load_counting
from needle.simulated.reader import answer

Body = dict[str, Any]
BEGUN = 200


@dataclass(frozen=True)
class Fault:
    """An error in Anthropic's shape, in place of an answer; with status BEGUN, within a stream."""

    status: int
    kind: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[int], Fault | str | None]
"""Given a request's number, from 0: the fault, the answer, or None to read the prompt."""


def read_contents(body: Body) -> list[str]:
    """Return a request's texts in their order, the system's first."""
    contents = [body.get("system", []), *(message["content"] for message in body["messages"])]
    return ["".join(part["text"] for part in content) for content in contents if content]


def count_usage(body: Body) -> dict[str, int]:
    """Return what a request's prompt is billed as: half from the cache, a quarter into it."""
    count = load_counting("o200k_base").count
    tokens = sum(count(text) for text in read_contents(body))
    read, written = tokens // 2, tokens // 4
    return {
        "input_tokens": tokens - read - written,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
    }


class MessagesApi:
    """The stand-in as tests see it: what it received, and what it is to say."""

    def __init__(self) -> None:
        self.base_url = ""
        self.key = ""
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget what was received, and answer by reading again."""
        self.bodies: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.script: Script = lambda _: None
        self.limits: dict[str, str] = {}
        self.stop_reason = "end_turn"

    def take(self, path: str, headers: dict[str, str], body: Body) -> Fault | str:
        """Record a request; return its fault or its answer."""
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.headers.append(headers)
        if path != "/v1/messages":
            return Fault(404, "not_found_error", "Not Found")
        if headers.get("x-api-key") != self.key:
            return Fault(401, "authentication_error", "invalid x-api-key")
        if "anthropic-version" not in headers:
            return Fault(400, "invalid_request_error", "anthropic-version: header is required")
        if not isinstance(body.get("max_tokens"), int):
            return Fault(400, "invalid_request_error", "max_tokens: Field required")
        said = self.script(number)
        return answer("\n\n".join(read_contents(body))).text if said is None else said


def _error(fault: Fault) -> Body:
    return {"type": "error", "error": {"type": fault.kind, "message": fault.message}}


def _message(body: Body, text: str, stop_reason: str = "end_turn") -> Body:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": f"{body['model']}-20260101",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {**count_usage(body), "output_tokens": 7},
    }


def _events(message: Body) -> Iterator[Body]:
    """Yield a message as the events of a stream, its text in two pieces."""
    usage = message["usage"]
    (text,) = (part["text"] for part in message["content"])
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
        delta = {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {"output_tokens": usage["output_tokens"]},
    }
    yield {"type": "message_stop"}


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: ClassVar[MessagesApi]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        said = self.api.take(self.path, headers, body)
        if not isinstance(said, Fault):
            message = _message(body, said, self.api.stop_reason)
            self._stream(_events(message)) if body.get("stream") else self._send(200, message)
        elif said.status == BEGUN:
            begun = list(_events(_message(body, "The text says that")))[:4]
            self._stream([*begun, _error(said)])
        else:
            self._send(said.status, _error(said), **said.headers)

    def _stream(self, events: Iterable[Body]) -> None:
        lines = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
        self._send(200, lines, **{"content-type": "text/event-stream"})

    def _send(self, status: int, said: Body | str, **headers: str) -> None:
        sent = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response(status)
        for name, value in {
            "content-type": "application/json",
            **self.api.limits,
            **headers,
        }.items():
            self.send_header(name, value)
        self.send_header("request-id", "req_01")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving_messages(key: str) -> Iterator[MessagesApi]:
    """Serve on a free port of loopback; any other key than this is refused."""
    api = MessagesApi()
    api.key = key
    threads = ThreadingHTTPServer(("127.0.0.1", 0), type("Requests", (_Requests,), {"api": api}))
    threads.daemon_threads = True
    api.base_url = f"http://127.0.0.1:{threads.server_address[1]}"
    serving = threading.Thread(target=threads.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield api
    finally:
        threads.shutdown()
        serving.join()
        threads.server_close()
