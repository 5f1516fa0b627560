"""Marks in a request: its text in parts, of which some end what a cache is to keep. Pure.

The parts put together are the text, byte for byte: a trial's key knows nothing of them.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from needle.caching.chains import Step, mark_places
from needle.contexts.prompts import CONTEXT, split_template
from needle.words.tariffs import CacheRules
from needle.words.types import Template

Part = dict[str, Any]
_NAME = 32  # characters of a group's name that tell it from others


def part_text(
    text: str, cuts: Sequence[int], marked: Sequence[int], mark: Mapping[str, Any]
) -> list[Part]:
    """Return a text in parts that end at the cuts, those with a mark whose cut is marked."""
    bounds = [0, *(cut for cut in cuts if 0 < cut < len(text)), len(text)]
    chosen = set(marked)
    return [
        {"type": "text", "text": text[start:end], **(mark if end in chosen else {})}
        for start, end in pairwise(bounds)
        if end > start
    ]


def place_cuts(step: Step, template: Template, places: Sequence[int]) -> list[int]:
    """Return where places of a trial's haystack stand in the message that holds it."""
    trial = step.trial
    (before, _), _ = split_template(template, trial.needle.question)
    inserted = len(template.separator)
    return [
        len(before)
        + place
        + sum(inserted + len(each.text) for each in trial.places if each.position < place)
        for place in places
    ]


def mark_body(
    body: dict[str, Any], step: Step, template: Template, rules: CacheRules
) -> dict[str, Any]:
    """Return a request as the endpoint's cache wants it: with marks, and with its group's name.

    Nothing changes where it wants neither.
    """
    marked, besides = dict(body), dict(rules.besides)
    if rules.key is not None and step.group:
        besides[rules.key] = step.group[:_NAME]
    if besides:
        marked["extra_body"] = {**body.get("extra_body", {}), **besides}
    if rules.kind == "marked" and step.places:
        index = next(i for i, (_, text) in enumerate(template.messages) if CONTEXT in text)
        messages = list(body["messages"])
        messages[index] = _part_message(messages[index], step, template, rules)
        marked["messages"] = messages
    return marked


def _part_message(
    message: Mapping[str, Any], step: Step, template: Template, rules: CacheRules
) -> dict[str, Any]:
    content = message["content"]
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    cuts = place_cuts(step, template, step.places)
    ends = place_cuts(step, template, mark_places(step, rules))
    return {**message, "content": part_text(text, cuts, ends, rules.mark)}
