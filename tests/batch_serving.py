"""A loopback Files and Batches API in OpenAI's documented shapes, with chats beside it.

A batch goes one state further each time it is looked at; its requests are answered by the
server's script, as chats are, and come back in another order.
"""

import email
import email.policy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from serving import Answer, Body, Requests, Server, refuse, serving_by

STATES = ("validating", "in_progress", "finalizing", "completed")


@dataclass
class Fault:
    """What goes wrong with one request: before it is done, or with its answer alone."""

    where: str
    answer: Answer
    done: bool = False
    act: Callable[[], None] = lambda: None


class Vendor(Server):
    """A vendor of batches: its files and batches, and what it is to do.

    ``states`` are those a batch goes through; ``errors`` those of one that fails; ``answered``
    is how many of its requests are run before it ends, None for all. ``page`` is the most that
    a list shows at once. ``mark`` is given each line of results before it is written.
    """

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, tuple[str, bytes]] = {}
        self.batches: dict[str, Body] = {}
        self.states: tuple[str, ...] = STATES
        self.errors: list[Body] = []
        self.answered_only: int | None = None
        self.page = 100
        self.mark: Callable[[Body], Body] = lambda line: line
        self.faults: list[Fault] = []
        self.only_key: str | None = None
        self.asked: list[str] = []
        self._lock = threading.RLock()

    def fail(self, where: str, answer: Answer, done: bool = False) -> None:
        """Let the next request to a place, such as "POST /batches", go wrong."""
        self.faults.append(Fault(where, answer, done))

    def interrupt(self, where: str, act: Callable[[], None], done: bool) -> None:
        """Act at the next request to a place, before or after it is done, and say nothing."""
        self.faults.append(Fault(where, Answer(text=None), done, act))

    def serve(self, method: str, target: str, key: str, data: bytes, kind: str) -> Answer:
        """Answer a request about a file or a batch."""
        with self._lock:
            parts = urlsplit(target)
            path = parts.path.removeprefix("/v1")
            place = f"{method} /{path.split('/')[1]}"
            self.asked.append(f"{method} {path}")
            self.keys.append(key)
            if self.only_key is not None and key != self.only_key:
                return refuse(401, f"Incorrect API key provided: {key}", "invalid_api_key")
            fault = next((each for each in self.faults if each.where == place), None)
            if fault is not None:
                self.faults.remove(fault)
                if not fault.done:
                    fault.act()
                    return fault.answer
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            answer = self._do(method, path.strip("/").split("/"), query, data, kind)
            if fault is None:
                return answer
            fault.act()
            return replace(answer, cut=True) if fault.answer.cut else fault.answer

    def _do(
        self, method: str, path: list[str], query: dict[str, str], data: bytes, kind: str
    ) -> Answer:
        match method, path:
            case "POST", ["files"]:
                return self._upload(data, kind)
            case "GET", ["files", file_id, "content"] if file_id in self.files:
                return Answer(text=self.files[file_id][1].decode())
            case "POST", ["batches"]:
                return self._create(json.loads(data))
            case "GET", ["batches"]:
                return self._list(query)
            case "GET", ["batches", name] if name in self.batches:
                return Answer(text=json.dumps(self._advance(self.batches[name])))
        return refuse(404, f"No such object: {'/'.join(path)}")

    def _upload(self, data: bytes, kind: str) -> Answer:
        head = f"content-type: {kind}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + data, policy=email.policy.HTTP).walk()
        fields = {part.get_param("name", header="content-disposition"): part for part in parts}
        assert fields["purpose"].get_payload() == "batch"
        sent = fields["file"].get_payload(decode=True)
        assert isinstance(sent, bytes)
        return Answer(text=json.dumps(self.keep_file(fields["file"].get_filename() or "", sent)))

    def keep_file(self, name: str, data: bytes) -> Body:
        """Keep a file; return its object."""
        file_id = f"file-{len(self.files) + 1}"
        self.files[file_id] = (name, data)
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(data),
            "created_at": 1_790_000_000,
            "filename": name,
            "purpose": "batch",
            "status": "processed",
        }

    def _create(self, asked: Body) -> Answer:
        if asked["input_file_id"] not in self.files:
            return refuse(400, f"Cannot find file {asked['input_file_id']}")
        assert asked["endpoint"] == "/v1/chat/completions"
        assert asked["completion_window"] == "24h"
        assert len(asked["metadata"]) <= 16
        assert all(len(k) <= 64 and len(v) <= 512 for k, v in asked["metadata"].items())
        batch = self.make_batch(asked["input_file_id"], asked["metadata"])
        return Answer(text=json.dumps(batch))

    def make_batch(self, file_id: str, metadata: dict[str, str]) -> Body:
        """Make a batch of a file."""
        name = f"batch_{len(self.batches) + 1}"
        self.batches[name] = {
            "id": name,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "errors": None,
            "input_file_id": file_id,
            "completion_window": "24h",
            "status": self.states[0],
            "output_file_id": None,
            "error_file_id": None,
            "created_at": 1_790_000_100,
            "in_progress_at": None,
            "expires_at": 1_790_086_500,
            "completed_at": None,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": metadata,
        }
        return self.batches[name]

    def _list(self, query: dict[str, str]) -> Answer:
        listed = list(self.batches.values())[::-1]
        if "after" in query:
            names = [batch["id"] for batch in listed]
            listed = listed[names.index(query["after"]) + 1 :]
        most = min(self.page, int(query.get("limit", "20")))
        page = {"object": "list", "data": listed[:most], "has_more": len(listed) > most}
        return Answer(text=json.dumps(page))

    def _advance(self, batch: Body) -> Body:
        """Take a batch one state further; the last one holds its results."""
        at = self.states.index(batch["status"]) if batch["status"] in self.states else -1
        if at < 0 or at + 1 == len(self.states):
            return batch
        batch["status"] = self.states[at + 1]
        if batch["status"] == "failed":
            batch["errors"] = {"object": "list", "data": self.errors}
        elif at + 2 == len(self.states):
            self._finish(batch)
        return batch

    def _finish(self, batch: Body) -> None:
        requests = read_requests(self.files[batch["input_file_id"]][1])
        output: list[Body] = []
        errors: list[Body] = []
        for number, request in enumerate(requests):
            if self.answered_only is not None and number >= self.answered_only:
                errors.append(
                    {
                        "id": f"{batch['id']}_{number}",
                        "custom_id": request["custom_id"],
                        "response": None,
                        "error": {
                            "code": f"batch_{batch['status']}",
                            "message": "This request could not be executed in time.",
                        },
                    }
                )
                continue
            self.bodies.append(request["body"])
            answer = self.script(request["body"], len(self.bodies) - 1)
            line = {
                "id": f"{batch['id']}_{number}",
                "custom_id": request["custom_id"],
                "response": {
                    "status_code": answer.status,
                    "request_id": f"{batch['id']}_request_{number}",
                    "body": json.loads(answer.text or "null"),
                },
                "error": None,
            }
            (output if answer.status == 200 else errors).append(line)
        counts = {"total": len(requests), "completed": len(output), "failed": len(errors)}
        batch["request_counts"] = counts
        for part, lines in (("output", output), ("error", errors)):
            if lines:
                text = "".join(
                    json.dumps(self.mark(line), ensure_ascii=False) + "\n" for line in lines[::-1]
                )
                kept = self.keep_file(f"{batch['id']}_{part}.jsonl", text.encode())
                batch[f"{part}_file_id"] = kept["id"]


def read_requests(data: bytes) -> list[Body]:
    """Read a batch's input, and check that it is what OpenAI's format wants."""
    requests = [json.loads(line) for line in data.split(b"\n")[:-1]]
    assert data.endswith(b"\n")
    assert len({request["custom_id"] for request in requests}) == len(requests)
    assert len({request["body"]["model"] for request in requests}) <= 1
    for request in requests:
        assert request.keys() == {"custom_id", "method", "url", "body"}
        assert len(request["custom_id"]) <= 64
        assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
        assert "stream" not in request["body"]
    return requests


class _Requests(Requests):
    def do_POST(self) -> None:  # noqa: N802 - http.server's own name
        if self.path.startswith("/v1/chat/"):
            super().do_POST()
            return
        data = self.rfile.read(int(self.headers["content-length"]))
        self._answer("POST", data)

    def do_GET(self) -> None:  # noqa: N802 - http.server's own name
        if self.path.startswith(("/v1/files", "/v1/batches")):
            self._answer("GET", b"")
            return
        super().do_GET()

    def _answer(self, method: str, data: bytes) -> None:
        vendor = self.server_of_tests
        assert isinstance(vendor, Vendor)
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        self.send(vendor.serve(method, self.path, key, data, self.headers.get("content-type", "")))


@contextmanager
def serving_batches() -> Iterator[Vendor]:
    """Serve a vendor of batches on a free port of loopback."""
    vendor = Vendor()
    with serving_by(vendor, _Requests):
        yield vendor
