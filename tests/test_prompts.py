"""Prompts: what is text stays text, and law 10, the same prompts on any machine."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.contexts.counting import Counting
from needle.contexts.grid import GridWish
from needle.contexts.materials import Material, Settings
from needle.contexts.passages import read_passage
from needle.contexts.plan import make_plan
from needle.contexts.prompts import build_messages, split_template
from needle.edges.config import load_template
from needle.edges.tokens import HANZI
from needle.words.types import LANGUAGES, Haystack, Language, Model, Needle, Template

SIGNS = Counting("signs", len)
TEMPLATE = Template(
    "t", "en", (("system", "Read."), ("user", "<{context}>\n\n{question}!"), ("user", "Go.")), " "
)
WORDS = st.lists(
    st.sampled_from(("{context}", "{question}", "{0}", "{{", "}", "%s", "\\1", "$x", "tide. ")),
    min_size=1,
    max_size=5,
).map("".join)


@given(WORDS, WORDS, WORDS)
def test_braces_are_text(hay: str, fact: str, question: str) -> None:
    """Marks and braces in a haystack, needle or question are text, and stand as they are."""
    haystack = Haystack("h", "en", (("a", f"Some {hay} more. " * 30),), "0" * 64, "h")
    needle = Needle("n", "en", (f"N: {fact}",), question, (("x",),))
    model = Model("m", "v", "http://127.0.0.1:1/v1", None)
    grid = GridWish(lengths=(300,), depths=(0, 50, 100))
    settings = Settings(model, grid, "tokens", SIGNS, HANZI, 0, 0.0, 256)
    one = Material("en", haystack, (needle,), TEMPLATE)
    for trial in make_plan(settings, [one]).trials:
        passage = read_passage(haystack, 0, trial.cut)
        messages = build_messages(trial, TEMPLATE, passage)
        assert [message["role"] for message in messages] == ["system", "user", "user"]
        assert messages[0]["content"] == "Read."
        assert messages[2]["content"] == "Go."
        at, cut, fact_text = trial.places[0].position, trial.cut, needle.facts[0]
        context = f"{passage[:at]} {fact_text}{passage[at:cut]}"
        if at == 0:
            context = f"{fact_text} {passage[:cut]}"
        assert messages[1]["content"] == f"<{context}>\n\n{question}!"


def test_several_facts_stand_apart() -> None:
    """Each fact stands at a place of its own; those that share one follow each other."""
    haystack = Haystack("h", "en", (("a", "The tide comes in. " * 30),), "0" * 64, "h")
    needle = Needle("n", "en", ("One here.", "Two there."), "Where?", (("x",),), "multi")
    model = Model("m", "v", "http://127.0.0.1:1/v1", None)
    grid = GridWish(lengths=(300,), depths=(0, 50, 100))
    settings = Settings(model, grid, "tokens", SIGNS, HANZI, 0, 0.0, 256)
    plan = make_plan(settings, [Material("en", haystack, (needle,), TEMPLATE)])
    contents = [
        build_messages(trial, TEMPLATE, read_passage(haystack, 0, trial.cut))[1]["content"]
        for trial in plan.trials
    ]
    assert contents[0].startswith("<One here. The tide")
    assert "in. Two there. The tide" in contents[0]
    assert "in. One here. The tide" in contents[1]
    assert "in. Two there. The tide" in contents[1]
    assert " One here. Two there.>" in contents[2]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["plain", "kamradt"])
def test_shipped_templates(name: str, language: Language) -> None:
    """A shipped prompt gives the context first and the question last, in its last message."""
    template = load_template(name, language)
    (before, after), others = split_template(template, "Q?")
    assert before == ""
    assert after.startswith("\n\nQ?")
    assert "{context}" in template.messages[-1][1]
    assert not any("{" in text for text in (after, *others))
    assert template.language == language


def test_template_with_the_question_elsewhere() -> None:
    """A question in a message of its own is filled in there."""
    template = replace(TEMPLATE, messages=(("user", "{context}"), ("user", "Q: {question}")))
    assert split_template(template, "Who?") == (("", ""), ["Q: Who?"])


LIST_BACKWARDS = """
import os, sys
if sys.argv[2] == "backwards":
    class Listing(list):
        __enter__ = lambda self: self
        __exit__ = lambda self, *_: None
        close = lambda self: None
    scandir, listdir = os.scandir, os.listdir
    def backwards(path="."):
        with scandir(path) as entries:
            return Listing(sorted(entries, key=lambda entry: entry.name, reverse=True))
    os.scandir = backwards
    os.listdir = lambda path=".": sorted(listdir(path), reverse=True)
import hashlib, json
from pathlib import Path
from needle.edges.config import read_recipe
from needle.contexts.passages import read_passage
from needle.runs.prepare import prepare
from needle.contexts.prompts import build_messages
grid = {"lengths": "1k,9k", "depths": "0,50,99"}
said = {"controls": "none", "replicates": 3, "haystack": sys.argv[1], "grid": grid}
ready = prepare(read_recipe(None, said), False, "moonshot-v1-32k", sys.argv[3])
prompts = hashlib.sha256()
for trial in ready.plan.trials:
    text = read_passage(ready.haystacks[trial.language], trial.haystack_offset, trial.cut)
    built = build_messages(trial, ready.run.templates[trial.language], text)
    prompts.update(json.dumps(built).encode())
print(json.dumps({
    "prompts": prompts.hexdigest(),
    "digest": ready.run.digest,
    "keys": [trial.key for trial in ready.plan.trials],
    "listed": [path.name for path in Path(sys.argv[1], "en").iterdir()],
    "hash": hash("needle"),
}))
"""


def prepare_elsewhere(folder: Path, order: str, seed: str, date: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", LIST_BACKWARDS, str(folder), order, date],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_same_prompts_in_any_process(tmp_path: Path) -> None:
    """Law 10: hash seed, order of files in a folder and date change no prompt and no key."""
    for language, text in (
        ("en", "Essay {} on the tide. It is so.\n\n"),
        ("zh", "第{}篇。潮水。"),
    ):
        (tmp_path / language / "more").mkdir(parents=True)
        for number in range(12):
            place = tmp_path / language / ("more" if number % 3 == 0 else ".")
            (place / f"{number}.txt").write_text(text.format(number) * 60, encoding="utf-8")
    one = prepare_elsewhere(tmp_path, "forwards", "1", "2024-03-01")
    other = prepare_elsewhere(tmp_path, "backwards", "2", "2025-12-31")
    assert one.pop("listed") != other.pop("listed")
    assert one.pop("hash") != other.pop("hash")
    assert one == other
    assert len(set(one["keys"])) == 36
