"""Vendors' words for the same failures, as FIELD's vendors write them."""

from datetime import UTC, datetime

import pytest

from needle.asking.failures import (
    classify_status,
    is_overload,
    may_be_charged,
    may_pass,
    read_allowance,
    read_wait,
    redact,
    same_refusal,
)
from needle.words.types import Allowance


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "context_length_exceeded This model's maximum context length is 128000", "overflow"),
        (
            400,
            "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)",
            "overflow",
        ),
        (400, "prompt is too long: 208310 tokens > 200000 maximum", "overflow"),
        (400, "the request exceeds the available context size", "overflow"),
        (400, "Range of input length should be [1, 30720]", "overflow"),
        (400, "litellm.ContextWindowExceededError: AnthropicException", "overflow"),
        (413, "Request entity too large", "overflow"),
        (400, "litellm.BadRequestError: AnthropicException - request_too_large", "overflow"),
        (400, "content_filter The response was filtered", "filter"),
        (400, "data_inspection_failed Input data may contain inappropriate content.", "filter"),
        (400, "The request was rejected because it was considered high risk", "filter"),
        (400, "Invalid value for 'temperature'", "bad_request"),
        (422, "field required", "bad_request"),
        (400, "No connected db.", "bad_key"),
        (401, "Incorrect API key provided", "bad_key"),
        (403, "Country, region, or territory not supported", "forbidden"),
        (404, "The model `x` does not exist", "unknown_model"),
        (
            400,
            "You passed in model=x. There are no healthy deployments for this model",
            "unknown_model",
        ),
        (429, "engine_overloaded_error The engine is currently overloaded", "rate_limit"),
        (429, "rate_limit_reached_error please try again after 1 seconds", "rate_limit"),
        (429, "exceeded_current_quota_error Your account is suspended", "no_balance"),
        (429, "insufficient_quota You exceeded your current quota", "no_balance"),
        (402, "Insufficient Balance", "no_balance"),
        (529, "overloaded_error", "server"),
        (
            429,
            "Request too large for gpt-4-turbo on tokens per min (TPM): Limit 30000, Requested 9",
            "too_large",
        ),
        (500, "internal error", "server"),
    ],
)
def test_vendors_words_are_understood(status: int, message: str, kind: str) -> None:
    """Each vendor's wording of a failure is told for what it is."""
    failure = classify_status(status, message)
    assert failure.kind == kind
    assert failure.status == status
    condemned = ("bad_key", "forbidden", "unknown_model", "no_balance")
    assert failure.condemns == (kind in condemned)
    assert failure.permanent == (kind in ("overflow", "filter", "bad_request", "too_large"))
    assert may_pass(failure) == (kind in ("rate_limit", "server"))


@pytest.mark.parametrize(
    ("status", "message", "overload"),
    [
        (529, "Overloaded", True),
        (503, "no room", True),
        (500, 'litellm.InternalServerError: {"type": "overloaded_error"}', True),
        (500, "internal error", False),
        (502, "bad gateway", False),
    ],
)
def test_an_overload_charges_nothing(status: int, message: str, overload: bool) -> None:
    """An overload passes and was not served, though a proxy passes it on as another status."""
    failure = classify_status(status, message)
    assert may_pass(failure)
    assert is_overload(failure) == overload
    assert may_be_charged(failure) == (not overload)


def test_only_a_refusal_of_the_request_is_compared() -> None:
    """Refusals that differ in their numbers alone are the same; overflows are never compared."""
    first, second = (classify_status(400, f"bad value {n} in field") for n in (7, 19))
    assert same_refusal(first) == same_refusal(second) is not None
    assert same_refusal(classify_status(400, "other")) != same_refusal(first)
    assert same_refusal(classify_status(400, "prompt is too long: 9 tokens")) is None
    assert same_refusal(classify_status(400, "content_filter")) is None


def test_a_wait_may_be_a_date() -> None:
    """A retry-after that is an HTTP date is the time until then, never less than nothing."""
    now = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
    assert read_wait({"Retry-After": "Tue, 24 Nov 2026 12:00:30 GMT"}, "", now) == 30
    assert read_wait({"Retry-After": "Tue, 24 Nov 2026 11:00:00 GMT"}, "", now) == 0
    assert read_wait({"Retry-After": "soon"}, "", now) is None
    assert read_wait({}, "overloaded", now) is None


def test_keys_are_taken_out() -> None:
    """The key in use, and whatever looks like one, is taken out of a vendor's words."""
    assert redact("bad key abcd1234", "abcd1234") == "bad key [key]"
    assert "proj" not in redact("Incorrect API key provided: sk-proj-1234567890abcdef.", None)
    assert redact("the temperature is too high", "none") == "the temperature is too high"


def test_a_vendors_words_can_be_printed() -> None:
    """No vendor's words steer a terminal, or can't be encoded; their lines and Chinese stay."""
    told = redact("bad\x00\x1b[31m \ud800\r\n敏感\x9b\t—", None)
    assert told == "bad  [31m ? \n敏感 \t—"


NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "allowance"),
    [
        (
            {
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            Allowance(59, 1.0, 149_984, 360.0),
        ),
        (
            {
                "Anthropic-RateLimit-Requests-Remaining": "0",
                "Anthropic-RateLimit-Requests-Reset": "2026-11-24T12:00:30Z",
                "Anthropic-RateLimit-Input-Tokens-Remaining": "7",
                "Anthropic-RateLimit-Input-Tokens-Reset": "2026-11-24T11:59:00Z",
            },
            Allowance(0, 30.0, 7, 0.0),
        ),
        (
            {
                "llm_provider-x-ratelimit-remaining-tokens": "10",
                "llm_provider-x-ratelimit-reset-tokens": "20ms",
            },
            Allowance(None, None, 10, 0.02),
        ),
        ({"x-ratelimit-remaining-requests": "many"}, None),
        (
            {"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "soon"},
            Allowance(None, None, 5, None),
        ),
        ({}, None),
    ],
)
def test_vendors_headers_say_what_is_left(
    headers: dict[str, str], allowance: Allowance | None
) -> None:
    """What may still be sent is read from each vendor's headers; what can't be read is not."""
    assert read_allowance(headers, NOW) == allowance
