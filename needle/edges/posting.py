"""Posting one prompt by the openai client: what an endpoint sends back, as a reply."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from needle.asking.completions import join_chunks, read_completion, read_reply
from needle.words.types import Reply

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI


async def post_whole(
    client: "AsyncOpenAI", body: Mapping[str, Any]
) -> "tuple[Reply, httpx2.Headers]":
    """Post a request whose answer comes in one piece; raises what the client raises.

    The client's own method for it looks through every field of a body for what it might write
    otherwise and makes a model of the answer, which together take as long as the sending.
    """
    import httpx2

    said = {name: value for name, value in body.items() if name != "extra_body"}
    whole = {**said, **body.get("extra_body", {})}
    response = await client.post("/chat/completions", body=whole, cast_to=httpx2.Response)
    return read_completion(response.text, response.headers.get("x-request-id")), response.headers


async def post_streamed(
    client: "AsyncOpenAI", body: dict[str, Any]
) -> "tuple[Reply, httpx2.Headers]":
    """Post a request whose answer comes in pieces; raises what the client raises.

    A server that knows no streams answers in one piece all the same, which has been paid for.
    """
    raw = await client.chat.completions.with_raw_response.create(**body)
    headers: httpx2.Headers = raw.headers
    request_id = headers.get("x-request-id")
    if "json" in headers.get("content-type", ""):
        text = (await raw.http_response.aread()).decode(errors="replace")
        return read_completion(text, request_id), headers
    chunks = [chunk.model_dump(warnings=False) async for chunk in raw.parse()]
    return read_reply(join_chunks(chunks), request_id), headers
