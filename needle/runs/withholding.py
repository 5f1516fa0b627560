"""Copies of run folders without what is not to be published: keys, and long parts of the text.

Everything that a publication holds is made from such a copy, so that none of it can leak by a way
of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from needle.asking.failures import redact
from needle.edges.corpus import find_haystacks
from needle.edges.credentials import read_secrets
from needle.edges.models import load_vendors
from needle.edges.store import copy_run, load_run
from needle.telling.cover import MOST_UNCHECKED
from needle.telling.quotes import Blocks, index_texts, leave_out
from needle.words.errors import UsageError
from needle.words.types import Run

_TOKEN = re.compile(r"\b(?:sk-|Bearer )(?=[A-Za-z0-9_.-]*\d)[A-Za-z0-9_.-]{16,}")


@dataclass(frozen=True, slots=True)
class Withheld:
    """A run's copy, what changed its texts, and whether these were held against the haystack."""

    folder: Path
    run: Run
    change: Callable[[str], str]
    checked: bool


def withhold(folder: Path, copy: Path) -> Withheld:
    """Copy a run folder without keys, and without any long stretch of its haystack.

    Keys are those of the environment and .env, and what looks like one. Where the haystack is
    not at hand as it was, every text is cut to ``MOST_UNCHECKED`` characters.
    """
    run = load_run(folder)
    hide, blocks = hide_keys(run), _index(run)

    def change(text: str) -> str:
        return _cut(hide(text), blocks)

    copy_run(folder, copy, partial(_change_line, change=change), hide)
    return Withheld(copy, load_run(copy), change, blocks is not None)


def hide_keys(run: Run) -> Callable[[str], str]:
    """Return what takes all keys at hand, and what looks like one, out of a text."""
    models = [model for model in (run.model, run.judge) if model is not None]
    names = {model.key_variable for model in models} | {vendor.key for vendor in load_vendors()}
    secrets = read_secrets(name for name in names if name)
    forms = dict.fromkeys(form for key in secrets for form in (key, quote(key, safe="")))
    known = re.compile("|".join(map(re.escape, forms))) if forms else None

    def hide(text: str) -> str:
        if known is not None:
            text = known.sub("[key]", text)
        return _TOKEN.sub("[key]", text)

    return hide


def _index(run: Run) -> Blocks | None:
    """Index the texts of a run's haystacks; None where one is not at hand as it was."""
    notes = run.haystacks.values()
    try:
        there = find_haystacks(tuple(dict.fromkeys(note.source for note in notes)))
    except UsageError:
        return None
    if any(
        language not in there or there[language].sha256 != note.sha256
        for language, note in run.haystacks.items()
    ):
        return None
    return index_texts(text for haystack in there.values() for _, text in haystack.files)


def _change_line(line: Mapping[str, Any], *, change: Callable[[str], str]) -> dict[str, Any]:
    """Return a line with all its texts changed; a failure's message is an endpoint's own words."""

    def change_all(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        if isinstance(value, dict):
            return {name: change_all(each) for name, each in value.items()}
        return [change_all(each) for each in value] if isinstance(value, list) else value

    changed: dict[str, Any] = change_all(line)
    if isinstance(changed.get("failure"), dict):
        message = redact(str(changed["failure"].get("message", "")), None)
        changed["failure"] = {**changed["failure"], "message": message}
    return changed


def _cut(text: str, blocks: Blocks | None) -> str:
    if blocks is not None:
        return leave_out(text, blocks)
    if len(text) <= MOST_UNCHECKED:
        return text
    return f"{text[:MOST_UNCHECKED]} [… {len(text) - MOST_UNCHECKED:,} …]"
