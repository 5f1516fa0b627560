"""The built-in simulated endpoint: OpenAI's chat endpoint on loopback, in a process of its own.

Its models read the prompt for real (reader.py), lose what their declared surfaces say
(surfaces.py) and answer in OpenAI's shapes (replies.py). Its faults (faults.py) are drawn
from a seed, so that a run against it can be repeated.
This is an edge: the one module that imports starlette and uvicorn.
"""

import asyncio
import contextlib
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from needle.caching.played import Prompt, PromptCache, measure
from needle.edges.caches import NO_CACHE, find_cache
from needle.edges.tokens import load_counting, load_encoder
from needle.runs.replies import ENCODING, MODELS, Question, Refused, Sent, read_request, reply
from needle.simulated.faults import NO_FAULTS, Faults, draw_fault, parse_faults
from needle.words.errors import UsageError
from needle.words.tariffs import CacheRules

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

HOST = "127.0.0.1"
READY = "serving on "
_ENDING_S = 10.0


async def _drop(_scope: "Scope", _receive: "Receive", send: "Send") -> None:
    """Begin a reply and end before it is whole, on which the server closes the connection."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"id": "chatc', "more_body": True})


async def _stall(_scope: "Scope", receive: "Receive", _send: "Send") -> None:
    """Say nothing until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def create_app(
    seed: int = 0,
    window: int | None = None,
    faults: Faults = NO_FAULTS,
    key: str | None = None,
    latency_s: float = 0,
    cache: CacheRules = NO_CACHE,
    clock: Callable[[], float] = time.monotonic,
    names: Mapping[str, str] | None = None,
) -> "Starlette":
    """Return the endpoint as an ASGI application.

    ``seed`` shapes faults and surfaces; ``window`` is every model's, in tokens, instead of
    its own; with a ``key`` any other is turned down; ``latency_s`` is waited before each
    reply. ``cache`` are the rules that its prompt cache plays, by the seconds of ``clock``;
    ``names`` are other names by which models answer.
    """
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response
    from starlette.routing import Route

    times_asked: Counter[str] = Counter()
    kept = PromptCache(cache)

    def respond(sent: Sent) -> Response:
        return Response(sent.body, sent.status, sent.headers, media_type="application/json")

    async def models(request: "Request") -> Response:
        try:
            _check_key(request, key)
        except Refused as refused:
            return respond(refused.sent)
        return respond(Sent(200, json.dumps(_list_models(window, names or {}))))

    async def complete(request: "Request") -> Any:
        try:
            _check_key(request, key)
            question = await run_in_threadpool(read_request, await request.body(), names)
            fault = draw_fault(faults, seed, question.digest, times_asked[question.digest])
            times_asked[question.digest] += 1
            if fault in _SILENT:
                return _SILENT[fault]
            room = window or MODELS[question.model].window
            prompt = await run_in_threadpool(_measure, question, cache)
            served = kept.look(prompt, clock())
            await asyncio.sleep(latency_s)
            sent = await run_in_threadpool(reply, question, fault, seed, room, served, cache.name)
            if sent.status == _OK:
                kept.keep(prompt, clock())
            return respond(sent)
        except Refused as refused:
            return respond(refused.sent)

    return Starlette(
        routes=[
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/chat/completions", complete, methods=["POST"]),
        ]
    )


_SILENT = {"drop": _drop, "stall": _stall}
_OK = 200


def _measure(question: Question, rules: CacheRules) -> Prompt:
    """Return a request's prompt as a cache of these rules knows it, of each model by itself."""
    if rules.kind == "none":
        return Prompt(0, ())
    (role, parts), *others = question.messages
    messages = ((f"{question.model} {role}", parts), *others)
    return measure(messages, rules, load_encoder(ENCODING), question.told)


def _check_key(request: "Request", key: str | None) -> None:
    given = request.headers.get("authorization", "")
    if key is not None and not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
        raise Refused(401, "Incorrect API key provided.", "invalid_api_key")


def _list_models(window: int | None, names: Mapping[str, str]) -> dict[str, Any]:
    listed = [
        {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": "needle",
            "context_window": window or model.window,
        }
        for name, model in (*MODELS.items(), *((x, MODELS[own]) for x, own in names.items()))
    ]
    return {"object": "list", "data": listed}


def serve(
    port: int,
    seed: int,
    window: int | None,
    faults: Faults,
    key: str | None,
    with_parent: bool,
    latency_s: float = 0,
    cache: str = "none",
    names: Mapping[str, str] | None = None,
) -> None:
    """Serve on loopback until interrupted; print one line with the address once it is ready.

    Port 0 is any free one. ``with_parent`` ends the server when its standard input closes,
    and so with the process that started it, however that ends. ``cache`` names whose rules its
    prompt cache plays.

    Raises UsageError if the port can't be had.
    """
    import uvicorn

    rules = find_cache(cache)

    class Server(uvicorn.Server):
        """Says where it listens once it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"{READY}{address}", flush=True)  # noqa: T201 - what starts it reads this line

    with contextlib.suppress(KeyboardInterrupt), _bind(port) as listening:
        address = f"http://{HOST}:{listening.getsockname()[1]}/v1"
        load_counting(ENCODING)  # now, so that the first request need not wait for it
        config = uvicorn.Config(
            create_app(seed, window, faults, key, latency_s, rules, names=names),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=0,  # a stalled request would never end
        )
        server = Server(config)
        if with_parent:
            threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
        server.run(sockets=[listening])


def _bind(port: int) -> socket.socket:
    listening = socket.socket()
    if os.name == "posix":  # elsewhere this would let two servers share a port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise UsageError(
            f"port {port} can't be had on {HOST} ({error}) (--port): use another, or 0 for any"
        ) from error
    return listening


def _end_with_input(server: "uvicorn.Server") -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):  # not sys.stdin, whose lock would be held as Python ends
            pass
    server.should_exit = True


SIMULATE = (sys.executable, "-m", "needle", "simulate")


@contextlib.contextmanager
def running(
    seed: int = 0,
    window: int | None = None,
    faults: str = "",
    key: str | None = None,
    latency_s: float = 0,
    cache: str = "",
    command: Sequence[str] = SIMULATE,
) -> Iterator[str]:
    """Run the endpoint in a process of its own, yield its base URL, and end it afterwards.

    ``faults`` is text as parse_faults reads it; ``command`` is what to start, before its
    options.

    Raises UsageError if it does not start.
    """
    parse_faults(faults)
    options: dict[str, object] = {
        "port": 0,
        "seed": seed,
        "window": window,
        "faults": faults or None,
        "key": key,
        "latency": latency_s or None,
        "cache": cache or None,
    }
    said = [f"--{name}={value}" for name, value in options.items() if value is not None]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--with-parent", *said],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C is for the run, which then ends this in its turn
        )
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            line = process.stdout.readline().decode().strip()
            if not line.startswith(READY):
                _end(process)
                errors.seek(0)
                words = " ".join(errors.read().decode(errors="replace").split())
                raise UsageError(f"the simulated endpoint did not start: {words}")
            yield line.removeprefix(READY)
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
