"""Marks in a request: the text is the same, in parts."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsing import MARKS, prepare_grid

from needle.caching.breakpoints import mark_body, part_text
from needle.caching.ordering import arrange
from needle.contexts.prompts import build_messages, choose_template
from needle.edges.caches import find_cache
from needle.edges.endpoint import request_body
from needle.runs.writing import passage_reader
from needle.words.tariffs import CacheRules

ALL = ("none", "openai", "kimi", "anthropic", "openai-explicit")


@given(st.text(), st.lists(st.integers(-5, 200)), st.lists(st.integers(-5, 200)))
def test_parts_put_together_are_the_text(text: str, cuts: list[int], marked: list[int]) -> None:
    """Wherever a text is cut, its parts are the text, none is empty, and only ends are marked."""
    parts = part_text(text, sorted(cuts), marked, {"mark": True})
    assert "".join(part["text"] for part in parts) == text
    assert all(part["text"] and part["type"] == "text" for part in parts)
    ends = [sum(len(part["text"]) for part in parts[: index + 1]) for index in range(len(parts))]
    for part, end in zip(parts, ends, strict=True):
        assert ("mark" in part) == (end in marked)


def bodies(name: str, content: str = "string") -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return a small run's requests without and with what its cache wants."""
    prepared = prepare_grid("6k,20k", 5, language="both", controls="all", task="single,multi")
    read, run, rules = passage_reader(prepared), prepared.run, find_cache(name)
    made = []
    for step in arrange(prepared.plan.trials, run.templates, rules, 4):
        template = choose_template(run.templates, step.trial.task, step.trial.language)
        messages = build_messages(step.trial, template, read(step.trial))
        plain = request_body(run.model, messages, 0.0, 256)
        if content == "list":
            plain["messages"] = [
                {**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages
            ]
        made.append((plain, mark_body(plain, step, template, rules)))
    return made


def join(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("content", ["string", "list"])
@pytest.mark.parametrize("name", ALL)
def test_a_marked_request_says_the_same(name: str, content: str) -> None:
    """Roles, texts and parameters are those of the request without marks, byte for byte."""
    for plain, marked in bodies(name, content):
        for one, other in zip(plain["messages"], marked["messages"], strict=True):
            assert other["role"] == one["role"]
            assert join(other["content"]) == join(one["content"])
        for part in ("model", "max_tokens", "temperature"):
            assert marked[part] == plain[part]


@pytest.mark.parametrize("name", ["anthropic", "openai-explicit"])
def test_marks_are_where_the_vendor_takes_them(name: str) -> None:
    """No request has more than four marks, none inside a word, and long ones have some."""
    marked = [body for _, body in bodies(name)]
    counts = []
    for body in marked:
        contents = [message["content"] for message in body["messages"]]
        parts = [part for each in contents if isinstance(each, list) for part in each]
        counts.append(sum(any(mark in part for mark in MARKS) for part in parts))
        for part, after in pairwise(parts):
            ends = (part["text"][-1], after["text"][0])
            assert not all(sign.isascii() and sign.isalnum() for sign in ends)
        assert not any(mark in part for part in parts[-1:] for mark in MARKS)
    assert max(counts) == 4
    assert sum(count > 0 for count in counts) > len(counts) / 2


def test_a_vendors_fields_are_added_to_those_of_the_model() -> None:
    """A text's prompts are all sent to one machine, and what the model's file says stays."""
    rules = CacheRules("automatic", key="prompt_cache_key", besides={"keep": True})
    prepared = prepare_grid("1k,2k", 3, language="both", controls="all")
    steps = arrange(prepared.plan.trials, prepared.run.templates, rules, 4)
    names: dict[str, set[str]] = {}
    for step in steps:
        template = choose_template(prepared.run.templates, "single", step.trial.language)
        plain = {"messages": [], "extra_body": {"thinking": False}}
        added = mark_body(plain, step, template, rules)["extra_body"]
        assert plain["extra_body"] == {"thinking": False}
        assert (added["thinking"], added["keep"]) == (False, True)
        if step.group:
            names.setdefault(step.trial.language, set()).add(added["prompt_cache_key"])
        else:
            assert "prompt_cache_key" not in added
    assert [len(each) for each in names.values()] == [1, 1]
    assert names["en"] != names["zh"]
