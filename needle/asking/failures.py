"""What a failed request means: its kind, whether it may pass, and how long to wait. Pure.

Vendors say the same thing in many words: the table of texts is needle's own, since a
library's generic detector misses Moonshot's and Qwen's.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from needle.words.types import Allowance, Failure

_OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|exceeded model token limit"
    r"|prompt is too long|exceeds the available context size|range of input length should be"
    r"|contextwindowexceeded|input length and .{0,20}max_tokens.{0,20} exceed"
    r"|exceeds? the (?:maximum|model'?s?) .{0,30}(?:tokens|context)|input is too long"
    r"|request_too_large",
    re.IGNORECASE,
)
_FILTER = re.compile(
    r"content_filter|content_policy|content management policy|data_inspection_failed"
    r"|considered high risk|inappropriate content|sensitive (?:content|words?)|敏感"
    r"|content exists risk",
    re.IGNORECASE,
)
_NO_BALANCE = re.compile(
    r"exceeded_current_quota|insufficient_quota|insufficient.{0,12}balance"
    r"|balance is (?:too low|not)|credit balance|arrearage|欠费|余额不足"
    r"|account is suspended|billing_hard_limit",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(
    r"no connected db|invalid.{0,12}api.?key|incorrect api key|invalid_authentication"
    r"|invalid authentication",
    re.IGNORECASE,
)
_UNKNOWN_MODEL = re.compile(
    r"model_not_found|model.{0,80}(?:does not exist|not found)|invalid model name"
    r"|no healthy deployments for this model",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(  # than a minute's allowance: it would be turned down for ever
    r"request too large for .{0,120}tokens per min|must be reduced in order to run successfully",
    re.IGNORECASE | re.DOTALL,
)
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LASTING = ("overflow", "filter")
_UNANSWERED = ("timeout", "connection", "malformed")
_BROKEN_STATUS = (500, 502, 504)  # broke in the middle
_OVERLOADED_STATUS = (503, 529)
_OVERLOADED = re.compile(r"\boverloaded_error\b")  # a proxy passes it on as a 500
_PASSING_STATUS = frozenset({408, 409, 425, 429})
_WAIT_WORDS = re.compile(
    r"(?:try again|retry) (?:after|in) "
    r"(?:(?P<minutes>\d+)m(?!s))? ?(?P<number>\d+(?:\.\d+)?) ?(?P<unit>ms|millisecond|s|m)",
    re.IGNORECASE,
)
LONGEST_WAIT = 600.0
"""Seconds beyond which a vendor's wait is no longer taken at its word."""


def classify_status(
    status: int, message: str, texts: Mapping[str, Sequence[str]] | None = None
) -> Failure:
    """Classify an HTTP error by its status and the vendor's words, its code among them.

    ``texts`` are words by which this vendor says a kind of failure (overflow, filter,
    no_balance, rate_limit); they come before the general ones.
    ``condemns`` marks what would befall every trial: a bad key, no such model, no money.
    """

    def make(kind: str, *, permanent: bool = False, condemns: bool = False) -> Failure:
        return Failure(kind, status, message, permanent, condemns)

    own = _find_own(message, texts or {})
    if own is not None:
        return make(own, permanent=own in _LASTING, condemns=own == "no_balance")
    if _TOO_LARGE.search(message):
        return make("too_large", permanent=True)
    if _NO_BALANCE.search(message) or status == 402:  # noqa: PLR2004 - Payment Required
        return make("no_balance", condemns=True)
    return _classify_general(status, message, make)


def _classify_general(status: int, message: str, make: Callable[..., Failure]) -> Failure:
    """Classify by the status, and a refusal of the request by the general texts."""
    if status in (401, 403):
        return make("bad_key" if status == 401 else "forbidden", condemns=True)  # noqa: PLR2004
    if status == 404:  # noqa: PLR2004 - Not Found
        return make("unknown_model", condemns=True)
    if status in _PASSING_STATUS or status >= 500:  # noqa: PLR2004 - a server's fault
        return make("rate_limit" if status == 429 else "server")  # noqa: PLR2004
    if _OVERFLOW.search(message) or status == 413:  # noqa: PLR2004 - Content Too Large
        return make("overflow", permanent=True)
    if _FILTER.search(message):
        return make("filter", permanent=True)
    if _BAD_KEY.search(message):
        return make("bad_key", condemns=True)
    if _UNKNOWN_MODEL.search(message):
        return make("unknown_model", condemns=True)
    return make("bad_request", permanent=True)


def _find_own(message: str, texts: Mapping[str, Sequence[str]]) -> str | None:
    """Return the kind of failure that a vendor's own words say, if they are among its texts."""
    lower = message.lower()
    for kind, words in texts.items():
        if any(word.lower() in lower for word in words):
            return kind
    return None


def may_pass(failure: Failure) -> bool:
    """Tell whether the same request may be answered when sent again."""
    return not failure.permanent and not failure.condemns


def may_be_charged(failure: Failure) -> bool:
    """Tell whether a request that failed so may have been served, and charged, all the same."""
    broken = failure.status in _BROKEN_STATUS and not is_overload(failure)
    return failure.kind in _UNANSWERED or broken


def is_overload(failure: Failure) -> bool:
    """Tell whether a server turned a request away, unserved, for want of room."""
    told = failure.kind == "server" and _OVERLOADED.search(failure.message) is not None
    return told or failure.status in _OVERLOADED_STATUS


def same_refusal(failure: Failure) -> str | None:
    """Return what tells one refusal of the request from another; None if it is none.

    An overflow or a filter concerns one trial's text; anything else that a 400 says
    concerns how all requests are made. Numbers in it may differ.
    """
    if failure.kind != "bad_request":
        return None
    return re.sub(r"\d+", "#", failure.message)[:300]


def read_wait(headers: Mapping[str, str], message: str, now: datetime) -> float | None:
    """Return the seconds that the vendor asks to wait, from its headers or its words."""
    lower = {name.lower(): value for name, value in headers.items()}
    for name, scale in (
        ("retry-after-ms", 0.001),
        ("retry-after", 1.0),
        ("llm_provider-retry-after", 1.0),
    ):
        if name in lower:
            wait = _read_number(lower[name], now)
            if wait is not None:
                return min(max(wait * scale, 0.0), LONGEST_WAIT)
    match = _WAIT_WORDS.search(message)
    if not match:
        return None
    unit = match["unit"].lower()
    scale = 0.001 if unit.startswith("ms") or unit == "millisecond" else 60 if unit == "m" else 1
    return min(60 * float(match["minutes"] or 0) + float(match["number"]) * scale, LONGEST_WAIT)


def _read_number(text: str, now: datetime) -> float | None:
    try:
        number = float(text)
        return None if math.isnan(number) else number
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year that no calendar has is the latter
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()


_LEFT = ("x-ratelimit-remaining-{}", "anthropic-ratelimit-{}-remaining")
_RESET = ("x-ratelimit-reset-{}", "anthropic-ratelimit-{}-reset")
_LONGEST_NUMBER = 15  # digits: Python itself refuses to read some thousands of them
_PASSED_ON = "llm_provider-"  # LiteLLM's mark on headers of the provider behind it
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def read_allowance(headers: Mapping[str, str], now: datetime) -> Allowance | None:
    """Return what a vendor's headers say may still be sent, and when it is whole again.

    OpenAI's x-ratelimit-* and Anthropic's anthropic-ratelimit-*; None where there are none.
    """
    lower = {name.lower().removeprefix(_PASSED_ON): value for name, value in headers.items()}
    requests, tokens = (
        (
            _find_number(lower, [name.format(kind) for name in _LEFT for kind in kinds]),
            _find_reset(lower, [name.format(kind) for name in _RESET for kind in kinds], now),
        )
        for kinds in (("requests",), ("tokens", "input-tokens"))
    )
    if requests[0] is None and tokens[0] is None:
        return None
    return Allowance(requests[0], requests[1], tokens[0], tokens[1])


def _find_number(headers: Mapping[str, str], names: Sequence[str]) -> int | None:
    for name in names:
        text = headers.get(name, "").strip()
        if text.isdecimal() and len(text) <= _LONGEST_NUMBER:
            return int(text)
    return None


def _find_reset(headers: Mapping[str, str], names: Sequence[str], now: datetime) -> float | None:
    """Return the seconds until a moment that is written as 6m0s, 20ms, 1.5 or RFC 3339."""
    text = next((headers[name].strip() for name in names if name in headers), "")
    if re.fullmatch(r"\d+(?:\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


def describe_error(error: Any, otherwise: str = "no reason given") -> str:
    """Return a vendor's code and words, whatever shape its error has."""
    if isinstance(error, Mapping):
        inner = error.get("error", error)
        if isinstance(inner, Mapping):
            parts = [inner.get("code"), inner.get("type"), inner.get("message")]
            return " ".join(str(part) for part in parts if part) or json.dumps(inner)
        error = inner
    return str(error) if error else otherwise


def redact(text: str, key: str | None) -> str:
    """Take a key, and whatever looks like one, out of a text that will be written down.

    So are characters that steer a terminal, and half a surrogate pair, which can't be printed.
    """
    text = _STEERING.sub(" ", text).encode(errors="replace").decode()
    if key and len(key) > 3:  # noqa: PLR2004 - shorter ones are placeholders for local servers
        text = text.replace(key, "[key]")
    return re.sub(r"\b(?:sk|ak|key|Bearer)[-_ ][A-Za-z0-9_*.-]{8,}", "[key]", text)
