"""Usage: what each vendor and server says of a prompt's tokens, wherever it says it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.asking.completions import join_chunks, read_completion, read_reply

CHOICE = {"message": {"content": "x"}, "finish_reason": "stop"}
SAID: dict[str, tuple[dict[str, Any], tuple[int | None, int | None, int | None]]] = {
    "nothing": ({"usage": {"prompt_tokens": 100}}, (100, None, None)),
    "OpenAI": (
        {"usage": {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 64}}},
        (100, 64, None),
    ),
    "OpenAI from 5.6 on": (
        {
            "usage": {
                "prompt_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 20},
            }
        },
        (100, 64, 20),
    ),
    "Kimi": ({"usage": {"prompt_tokens": 100, "cached_tokens": 64}}, (100, 64, None)),
    "DeepSeek": (
        {
            "usage": {
                "prompt_tokens": 100,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 36,
            }
        },
        (100, 64, None),
    ),
    "DeepSeek without the sum": (
        {"usage": {"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36}},
        (100, 64, None),
    ),
    "LiteLLM for Claude": (
        {
            "usage": {
                "prompt_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_creation_tokens": 20},
                "cache_creation_input_tokens": 20,
                "cache_read_input_tokens": 64,
            }
        },
        (100, 64, 20),
    ),
    "Qwen with marks": (
        {
            "usage": {
                "prompt_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_input_tokens": 80},
            }
        },
        (100, 0, 80),
    ),
    "llama.cpp": (
        {
            "usage": {"prompt_tokens": 100, "completion_tokens": 1},
            "timings": {"cache_n": 64, "prompt_n": 36, "prompt_ms": 1.5},
        },
        (100, 64, None),
    ),
    "llama.cpp's timings alone": (
        {"timings": {"cache_n": 64, "prompt_n": 36}},
        (100, 64, None),
    ),
}


@pytest.mark.parametrize("vendor", SAID)
@pytest.mark.parametrize("streamed", [False, True])
def test_each_vendors_usage_is_read(vendor: str, streamed: bool) -> None:
    """Prompt tokens, cached ones and written ones are read from each vendor's own fields."""
    said, counts = SAID[vendor]
    if streamed:
        delta = {"delta": {"content": "x"}, "finish_reason": "stop"}
        data = join_chunks([{"id": "c", "choices": [delta]}, {"choices": [], **said}])
    else:
        data = {"id": "c", "choices": [CHOICE], **said}
    reply = read_completion(json.dumps(data), None)
    told = (reply.endpoint_prompt_tokens, reply.cached_tokens, reply.cache_write_tokens)
    assert told == counts


ODD = st.none() | st.booleans() | st.text(max_size=3) | st.floats() | st.lists(st.integers())


@pytest.mark.parametrize(
    ("cached", "written", "expected"),
    [(100, 0, (100, 0)), (101, 0, (None, 0)), (64, 37, (64, None)), (900, 101, (None, None))],
)
def test_no_part_is_more_than_the_whole(
    cached: int, written: int, expected: tuple[int | None, int | None]
) -> None:
    """What was cached and written is within the prompt: a count beyond it tells nothing."""
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    usage = {"prompt_tokens": 100, "prompt_tokens_details": details}
    reply = read_reply({"choices": [CHOICE], "usage": usage}, None)
    assert (reply.cached_tokens, reply.cache_write_tokens) == expected


FIELDS = ("prompt_tokens", "cached_tokens", "cache_creation_input_tokens", "prompt_tokens_details")


@given(st.dictionaries(st.sampled_from(FIELDS), ODD), ODD)
def test_odd_usage_is_no_usage(usage: dict[str, Any], timings: Any) -> None:
    """A count of another shape is none, and never an error."""
    reply = read_reply({"choices": [CHOICE], "usage": usage, "timings": timings}, None)
    assert reply.endpoint_prompt_tokens is None
    assert reply.cached_tokens is None
    assert reply.cache_write_tokens is None
