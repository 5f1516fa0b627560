"""A loopback server that reads each chat completion request whole and answers at once.

    python benchmarks/answering.py

It prints its port. Other benchmarks start it, in a process of its own; it knows no more of HTTP
than the openai client needs: a content-length, and connections that stay open.
"""

import asyncio
import json

MESSAGE = {"role": "assistant", "content": "It is not said."}
REPLY = json.dumps(
    {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "any",
        "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}],
    }
).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(REPLY)
) + REPLY


class Answering(asyncio.Protocol):
    """One connection: request after request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing read."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head = b""
        self.left = 0

    def data_received(self, data: bytes) -> None:
        """Read on; answer where a request ends."""
        while data:
            if not self.left:
                head, mark, data = (self.head + data).partition(b"\r\n\r\n")
                if not mark:
                    self.head = head
                    return
                self.head = b""
                fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
                self.left = int(fields[b"content-length"])
            taken = min(self.left, len(data))
            self.left, data = self.left - taken, data[taken:]
            if not self.left:
                self.transport.write(ANSWER)


async def serve() -> None:
    """Serve on a free port, for ever."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
