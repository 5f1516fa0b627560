"""What a failed request means: its kind, whether it may pass, and how long to wait. Pure.

Vendors say the same thing in many words: the table of texts is needle's own, since a
library's generic detector misses Moonshot's and Qwen's.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from needle.types import Failure

_OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|exceeded model token limit"
    r"|prompt is too long|exceeds the available context size|range of input length should be"
    r"|contextwindowexceeded|input length and .{0,20}max_tokens.{0,20} exceed"
    r"|exceeds? the (?:maximum|model'?s?) .{0,30}(?:tokens|context)|input is too long",
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
    r"model_not_found|model.{0,80}(?:does not exist|not found)|invalid model name", re.IGNORECASE
)
_UNANSWERED = ("timeout", "connection", "malformed")
_BROKEN_STATUS = (500, 502, 504)  # broke in the middle; an overload (503, 529) serves nothing
_PASSING_STATUS = frozenset({408, 409, 425, 429})
_WAIT_WORDS = re.compile(
    r"(?:try again|retry) (?:after|in) "
    r"(?:(?P<minutes>\d+)m(?!s))? ?(?P<number>\d+(?:\.\d+)?) ?(?P<unit>ms|millisecond|s|m)",
    re.IGNORECASE,
)
LONGEST_WAIT = 600.0
"""Seconds beyond which a vendor's wait is no longer taken at its word."""


def classify_status(status: int, message: str) -> Failure:
    """Classify an HTTP error by its status and the vendor's words, its code among them.

    ``condemns`` marks what would befall every trial: a bad key, no such model, no money.
    """

    def make(kind: str, *, permanent: bool = False, condemns: bool = False) -> Failure:
        return Failure(kind, status, message, permanent, condemns)

    if _NO_BALANCE.search(message) or status == 402:  # noqa: PLR2004 - Payment Required
        return make("no_balance", condemns=True)
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


def may_pass(failure: Failure) -> bool:
    """Tell whether the same request may be answered when sent again."""
    return not failure.permanent and not failure.condemns


def may_be_charged(failure: Failure) -> bool:
    """Tell whether a request that failed so may have been served, and charged, all the same."""
    return failure.kind in _UNANSWERED or failure.status in _BROKEN_STATUS


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
        return float(text)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()


def redact(text: str, key: str | None) -> str:
    """Take a key, and whatever looks like one, out of a text that will be written down."""
    if key and len(key) > 3:  # noqa: PLR2004 - shorter ones are placeholders for local servers
        text = text.replace(key, "[key]")
    return re.sub(r"\b(?:sk|ak|key|Bearer)[-_ ][A-Za-z0-9_*.-]{8,}", "[key]", text)
