"""The lines of batch files: requests as OpenAI's batch format has them, and what comes back. Pure.

Vendors and ``vllm run-batch`` write results in one shape with small differences: errors stand
in ``response.body``, or in ``error`` as a record, within another one, or as a sentence.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from needle.asking.completions import hide_key, read_reply
from needle.asking.failures import classify_status, describe_error, redact
from needle.words.types import Failure, Reply

URL: Final = "/v1/chat/completions"

_MESSAGE_LENGTH = 1_000  # characters of a vendor's words that are kept
_NOT_RUN = frozenset({"batch_expired", "batch_cancelled"})
_TIMED_OUT = "request_timeout"
_OK, _LEAST_ERROR = 200, 400
_CUT_SHORT = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of a batch's results.

    ``trial`` is the trial's key; ``request`` the batch's own name for the request, which tells
    one answer from another. ``result`` is None for a request that was never run, since the
    batch expired or was cancelled. ``created`` is when it was answered, in seconds since the
    epoch, None where that is not said.
    """

    trial: str
    request: str
    result: Reply | Failure | None
    created: int | None = None


def write_request(trial: str, body: Mapping[str, Any]) -> bytes:
    """Return a request's line, with Chinese as it is, so that a file holds twice as much of it."""
    line = {"custom_id": trial, "method": "POST", "url": URL, "body": body}
    text = json.dumps(line, ensure_ascii=False)
    for mark in "\x85\u2028\u2029":  # a line's end to some readers of lines
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text.encode(errors="replace") + b"\n"


def read_answer(
    data: bytes, key: str | None, errors: Mapping[str, Sequence[str]] | None = None
) -> Answer:
    """Read a line of results; raise ValueError for what is none.

    ``key`` is taken out of whatever is kept of the vendor's words; ``errors`` are the vendor's
    own texts by kind of failure.
    """
    try:
        line = json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    line = line if isinstance(line, dict) else {}
    trial, name = _read_name(line.get("custom_id")), _read_name(line.get("id"))
    if trial is None or (line.get("response") is None and line.get("error") is None):
        raise ValueError("neither a response nor an error, or no custom_id")
    name = name or f"sha256-{sha256(data.strip()).hexdigest()[:16]}"
    result = _read_result(line)
    if isinstance(result, Failure):
        result = _classify(result, key, errors or {})
    elif result is not None:
        result = hide_key(result, key)
    return Answer(trial, name, result, _read_created(line))


def _read_name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _read_result(line: Mapping[str, Any]) -> Reply | Failure | None:
    """Return a reply, or a failure that holds no more than the status and the vendor's words."""
    response, error = line.get("response"), line.get("error")
    if isinstance(error, Mapping) and error.get("code") in _NOT_RUN:
        return None
    response = response if isinstance(response, Mapping) else {}
    status, body = response.get("status_code"), response.get("body")
    if status == _OK and not error:
        return _read_completion(body, response.get("request_id"))
    if isinstance(error, Mapping) and error.get("code") == _TIMED_OUT:
        return Failure("timeout", None, describe_error(error), permanent=False)
    status = status if isinstance(status, int) and status >= _LEAST_ERROR else None
    return Failure("server", status, describe_error(error or body), permanent=False)


def _read_completion(body: Any, request_id: Any) -> Reply | Failure:
    try:
        return read_reply(body, request_id if isinstance(request_id, str) else None)
    except _CUT_SHORT as error:
        message = f"not a chat completion: {error}"
        return Failure("malformed", _OK, message, permanent=False)


def _classify(failure: Failure, key: str | None, errors: Mapping[str, Sequence[str]]) -> Failure:
    """Return a failure with its kind; what no HTTP status goes with may pass."""
    message = redact(failure.message, key)[:_MESSAGE_LENGTH]
    if failure.kind == "server" and failure.status is not None:
        return classify_status(failure.status, message, errors)
    return replace(failure, message=message)


def _read_created(line: Mapping[str, Any]) -> int | None:
    """Return when a completion was made, by the endpoint's clock."""
    try:
        created = line["response"]["body"]["created"]
    except (LookupError, TypeError):
        return None
    return created if type(created) is int and 0 < created < 10**11 else None
