"""Keys: the sha256 of everything that shapes a trial's request (law 4). Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from needle.words.types import Control, Language, Needle, Template, Unit


@dataclass(frozen=True, slots=True)
class TextKey:
    """What shapes a trial's text. Runs of different models are paired by it.

    ``ratio`` is None for lengths in the common count, else the counting that they were fitted
    by and its units for one of the endpoint's tokens, at this length.
    """

    task: str
    language: Language
    layout: str
    template: Template
    needle: Needle
    haystack_sha256: str
    haystack_offset: int
    unit: Unit
    tokenizer: str
    ratio: tuple[str, float] | None
    context_length: int
    depth_percent: float | None
    replicate: int
    control: Control | None


_write = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def digest(record: Mapping[str, Any]) -> str:
    """Return the sha256 of a record written as canonical JSON, in hexadecimal."""
    return hashlib.sha256(_write(record).encode()).hexdigest()


def make_keys(
    text: TextKey,
    model: str,
    endpoint: str,
    temperature: float | None,
    reply_tokens: int,
    besides: Mapping[str, Any] | None = None,
) -> tuple[str, str]:
    """Return a trial's key and its pair key (the same without model, endpoint and sampling).

    ``besides`` is what else of the request is the model's own. A needle's accepted answers are
    left out: they shape its score, not its request.
    """
    shaping: dict[str, Any] = {
        "task": text.task,
        "language": text.language,
        "layout": text.layout,
        "template": [*text.template.messages, text.template.separator],
        "needle": text.needle.facts,
        "question": text.needle.question,
        "haystack": text.haystack_sha256,
        "haystack_offset": text.haystack_offset,
        "unit": text.unit,
        "tokenizer": text.tokenizer,
        "ratio": text.ratio,
        "context_length": text.context_length,
        "depth_percent": None if text.depth_percent is None else float(text.depth_percent),
        "replicate": text.replicate,
        "control": text.control,
    }
    if text.needle.distractors:  # others keep the keys that they had before there were any
        shaping["distractors"] = [
            [distractor.text, float(distractor.depth_percent)]
            for distractor in text.needle.distractors
        ]
    sampling = {"temperature": temperature, "reply_tokens": reply_tokens, **(besides or {})}
    pair = digest(shaping)
    key = digest({"pair": pair, "model": model, "endpoint": endpoint, "sampling": sampling})
    return key, pair
