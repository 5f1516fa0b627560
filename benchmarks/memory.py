"""The client's resident memory with 16 requests of 1M tokens each in flight.

    python benchmarks/memory.py

The server is another process: it reads every request whole and answers none until all 16
are there, so that they are in flight together for certain.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

IN_FLIGHT = 16

SERVER = """
import asyncio, json, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

waiting, gate = 0, asyncio.Event()

async def chat(request):
    global waiting
    async for _ in request.stream():
        pass
    waiting += 1
    if waiting >= int(sys.argv[2]):
        gate.set()
    await gate.wait()
    message = {"role": "assistant", "content": "It is not said."}
    return JSONResponse({"choices": [{"message": message, "finish_reason": "stop"}]})

app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peak_mb(language: str) -> float:
    """Return the client's peak resident memory in MB over a whole run, figures included."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port), str(IN_FLIGHT)])
    try:
        _wait_for(port)
        with tempfile.TemporaryDirectory() as out:
            command = [
                *(sys.executable, "-m", "needle", "run", "--model", "any", "--yes"),
                *("--base-url", f"http://127.0.0.1:{port}/v1", "--language", language),
                *("--lengths", "1M", "--depth-count", str(IN_FLIGHT), "--window", "2M"),
                *("--concurrency", str(IN_FLIGHT), "--out", out, "--controls", "none"),
            ]
            client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(client.pid, 0)
            lines = next(Path(out).glob("*/outcomes.jsonl")).read_text().count("\n")
        if status or lines != IN_FLIGHT:
            raise SystemExit(f"the run failed: status {status}, {lines} outcomes")
        return usage.ru_maxrss / 1024
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    pause = threading.Event()
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        pause.wait(0.1)
    raise SystemExit("the server did not start")


def main() -> None:
    """Print the table."""
    print("| language | in flight | tokens each | client's peak resident memory, MB |")
    print("|---|---|---|---|")
    for language in ("en", "zh"):
        print(f"| {language} | {IN_FLIGHT} | 1,000,000 | {peak_mb(language):.0f} |")


if __name__ == "__main__":
    main()
