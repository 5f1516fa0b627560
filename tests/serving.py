"""A loopback OpenAI-compatible server that records every request and answers by script."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

SAFETY_S = 30.0  # seconds after which a test that waits for ever fails instead

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the server sends back. Without text it closes the connection instead.

    One that is ``cut`` closes it in the middle of the text.
    """

    status: int = 200
    text: str | None = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def reply(content: Any = "I do not know.", **more: Any) -> Answer:
    """Return a chat completion; ``more`` replaces parts of it."""
    data = {
        "object": "chat.completion",
        "model": "served-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1_000, "completion_tokens": 10, "total_tokens": 1_010},
    }
    return Answer(text=json.dumps({**data, **more}))


def refuse(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    """Return an error in OpenAI's shape."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"message": message, "type": "invalid_request_error", "code": code}
    return Answer(status, json.dumps({"error": error}), named)


def name_prompt(body: Body) -> str:
    """Return what tells one prompt from another."""
    return hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()


Script = Callable[[Body, int], Answer]


class Server:
    """The server as tests see it: what it received, and what it is to say.

    ``script`` is given each body and its number, from 0; ``listed`` is what its list of models
    holds, None for no such list. ``leave`` is how many requests may
    still be answered; the others are held until ``let`` raises it.
    """

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.keys: list[str] = []
        self.answered: list[str] = []
        self.script: Script = lambda _body, _number: reply()
        self.watch: Callable[[], None] = lambda: None
        self.listed: list[Body] | None = None
        self.base_url = ""
        self._leave: int | None = None
        self._gone = False
        self._changed = threading.Condition()

    def let(self, number: int | None) -> None:
        """Answer so many requests more and hold the rest; None answers all."""
        with self._changed:
            self._leave = number
            self._changed.notify_all()

    def wait_for(self, number: int, longest_s: float = SAFETY_S) -> None:
        """Wait until so many requests have arrived in all."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.bodies) >= number, longest_s)
        assert arrived, f"{len(self.bodies)} requests came, waited for {number}"

    def prompts(self, start: int = 0) -> list[str]:
        """Return the names of the prompts received, from a number on."""
        return [name_prompt(body) for body in self.bodies[start:]]

    def take(self, body: Body, key: str) -> Answer | None:
        """Record a request and return its answer, once it may be answered."""
        with self._changed:
            number = len(self.bodies)
            self.bodies.append(body)
            self.keys.append(key)
            self.watch()
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._gone or self._leave != 0, SAFETY_S):
                self._gone = True  # a test has failed: let it end
            if self._gone:
                return None
            if self._leave is not None:
                self._leave -= 1
        answer = self.script(body, number)
        if answer.status == 200 and answer.text is not None:
            self.answered.append(name_prompt(body))
        headers = {"x-request-id": f"request-{number}", **answer.headers}
        return Answer(answer.status, answer.text, headers)

    def end(self) -> None:
        """Let go of whatever is held."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()


class Requests(BaseHTTPRequestHandler):
    """What the server does with each request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_of_tests: ClassVar[Server]

    def do_POST(self) -> None:
        """Answer a chat by the server's script."""
        data = self.rfile.read(int(self.headers["content-length"]))
        if len(data) < int(self.headers["content-length"]):
            self.close_connection = True
            return
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        answer = self.server_of_tests.take(json.loads(data), key)
        self.send(answer)

    def do_GET(self) -> None:
        """List the models."""
        listed = self.server_of_tests.listed
        text = json.dumps({"object": "list", "data": listed})
        self.send(Answer(404 if listed is None else 200, text))

    def send(self, answer: Answer | None) -> None:
        """Send an answer; without one the connection is closed instead."""
        if answer is None or answer.text is None:
            self.close_connection = True
            return
        sent = answer.text.encode(errors="replace")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent[: len(sent) // 2] if answer.cut else sent)
        self.close_connection = self.close_connection or answer.cut

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Threads(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Say nothing of a client that has gone away: tests kill it."""


@contextmanager
def serving() -> Iterator[Server]:
    """Serve on a free port of loopback."""
    server = Server()
    with serving_by(server, Requests):
        yield server


@contextmanager
def serving_by(server: Server, requests: type[Requests]) -> Iterator[None]:
    """Serve a server on a free port of loopback."""
    threads = _Threads(("127.0.0.1", 0), type("Requests", (requests,), {"server_of_tests": server}))
    server.base_url = f"http://127.0.0.1:{threads.server_address[1]}/v1"
    serving_thread = threading.Thread(target=threads.serve_forever, args=(0.01,))
    serving_thread.start()
    try:
        yield
    finally:
        server.end()
        threads.shutdown()
        serving_thread.join()
        threads.server_close()
