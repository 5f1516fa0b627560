"""Needles' files: what is taken, and each fault told in one line."""

import re
from pathlib import Path

import pytest
from driving import Call

from needle.edges.needlefiles import choose_form, draw_needles, load_needle_source
from needle.words.errors import UsageError
from needle.words.types import LANGUAGES


def write(folder: Path, text: str) -> Path:
    """Write a needle's file and return its path."""
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return path


NEEDLE = """
name: mine
source: me
variants:
  - en: {facts: ["The cat of Oz is blue."], question: "What colour is it?", answers: [[blue]]}
"""


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("[[blue]]", "[]", ("answers is empty", "variants[0].en")),
        ("[[blue]]", "[[]]", ("answers is empty",)),
        ('["The cat of Oz is blue."]', "[]", ("facts is empty",)),
        ('["The cat of Oz is blue."]', '[" "]', ("facts is empty",)),
        ("is blue", "is {hue.en}", ("{hue.en}", "slots")),
        ("question", "questoin", ("questoin", "did you mean 'question'")),
        ("name: mine\n", "", ("'name' is missing",)),
        ("answers: [[blue]]", "answers: blue", ("answers",)),
        ("- en", "- de", ("de",)),
        ("[[blue]]", '[["", blue]]', ("accepted answer is empty",)),
        ('"What colour is it?"', '" "', ("question is empty",)),
        ("blue.", 'blue.", "So is the dog.', ("has one fact, got 2",)),
        ("source: me", "source: me\ntask: singel", ("'singel'", "single")),
        ("source: me", "source: me\nslots: {hue: []}", ("'hue' is empty", "slots.hue")),
        ("source: me", "source: me\nslots: [hue]", ("slots",)),
        ("source: me", "source: me\nnumbers: {code: 0}", ("1 to 30 digits, got 0",)),
        ("source: me", "source: me\nnumbers: {code: many}", ("numbers.code", "many")),
        ("source: me", "source: me\nnumbers: {code: 3}\nuuids: [code]", ("'code' is named twice",)),
        ("source: me", "source: me\nslots_of: {fictional: [colour]}", ("'colour'", "start, end")),
        ("source: me", "source: me\nslots_of: {none: [start]}", ("'start'", "'none'")),
        ("source: me", "source: me\nslots_of: [start]", ("slots_of",)),
        ("is blue", "is {code}", ("{code}", "slots")),
    ],
)
def test_a_malformed_needle_is_told_in_one_line(
    tmp_path: Path, old: str, new: str, parts: tuple[str, ...]
) -> None:
    """Each fault of a needle's file is one line that says what is wrong where."""
    assert load_needle_source(str(write(tmp_path, NEEDLE))).name == "mine"
    assert old in NEEDLE
    path = write(tmp_path, NEEDLE.replace(old, new))
    with pytest.raises(UsageError) as fault:
        load_needle_source(str(path))
    assert "\n" not in str(fault.value)
    for part in (*parts, "x.yaml"):
        assert part in str(fault.value)


SEVERAL = """
name: cats
source: me
task: multi
variants:
  - en:
      facts: [Ada is a cat., Bo is a cat., Cy is a cat.]
      question: "What are all the cats called?"
      answers: [[Ada], [Bo], [Cy]]
"""
EACH = """
name: cats
source: me
task: multi
slots: {cat: [{en: Ada}, {en: Bo}, {en: Cy}]}
each: [cat]
variants:
  - en: {facts: ["{cat.en} is a cat."], question: "Who are all the cats?", answers: [["{cat.en}"]]}
"""


CHAIN = """
name: cats
source: me
task: chain
slots: {cat: [{en: Ada}, {en: Bo}, {en: Cy}, {en: Di}]}
each: [cat]
variants:
  - en:
      facts: ["{cat.en} is fond of {next_cat.en}."]
      question: "Who is {count.en} steps from {cat.en}?"
      answers: [["{cat.en}"]]
"""
WRITTEN = """
name: cats
source: me
task: distractors
variants:
  - en:
      facts: [Ada the cat is blue.]
      distractors: [Bo the cat is red., Cy the cat is green.]
      question: "What colour is Ada?"
      answers: [[blue]]
"""


@pytest.mark.parametrize(
    ("text", "old", "new", "part"),
    [
        (CHAIN, "task: chain", "task: single", "no slot fills {next_cat.en}"),
        (CHAIN, "each: [cat]", "each: []", "no slot fills {next_cat.en}"),
        (CHAIN, "Who is", "Who is {next_cat.en}", "no slot fills {next_cat.en}"),
        (CHAIN, "cat: [", "count: [{en: x}], cat: [", "the names count and next_... are taken"),
        (WRITTEN, "[Bo the cat is red., Cy the cat is green.]", "[]", "distractors is empty"),
        (WRITTEN, "Bo the cat is red.", '" "', "a distractor is empty"),
        (WRITTEN, "Bo the cat is red.", ", ".join("abcdefgh"), "at most 8 distractors, got 9"),
        (
            WRITTEN,
            "task: dis",
            "each: [x]\nslots: {x: [{en: y}]}\ntask: dis",
            "take one of the two",
        ),
        (SEVERAL, "[Cy]", "[Cy], [Di]", "each of the 3 facts a group of answers, got 4"),
        (SEVERAL, ", Bo is a cat., Cy is a cat.", "", "multi has 2 to 10 facts, got 1"),
        (SEVERAL, "task: multi", "task: single", "task single has one fact, got 3"),
        (EACH, "each: [cat]", "each: [dog]", "nothing is drawn for 'dog': use cat"),
        (EACH, "is a cat.", 'is a cat.", "Di is a cat.', "one wording, got 2"),
    ],
)
def test_a_malformed_needle_of_several_facts(
    tmp_path: Path, text: str, old: str, new: str, part: str
) -> None:
    """Each fault of a needle of several facts is one line that says what is wrong where."""
    assert load_needle_source(str(write(tmp_path, text))).name == "cats"
    assert old in text
    with pytest.raises(UsageError) as fault:
        load_needle_source(str(write(tmp_path, text.replace(old, new))))
    assert "\n" not in str(fault.value)
    assert part in str(fault.value)
    assert "x.yaml" in str(fault.value)


def test_how_many_facts_a_needle_can_have(tmp_path: Path) -> None:
    """A count is the file's own where its facts are written out, else what can be drawn apart."""
    several = load_needle_source(str(write(tmp_path, SEVERAL)))
    assert choose_form(several, "multi", None) == choose_form(several, "multi", 3)
    with pytest.raises(UsageError, match="has 3 facts of its own, not 2"):
        choose_form(several, "multi", 2)
    each = load_needle_source(str(write(tmp_path, EACH)))
    assert choose_form(each, "multi", None).count == 3  # the default of 4 is more than there are
    assert choose_form(each, "multi", 2).count == 2
    with pytest.raises(UsageError, match="no more than 3 different facts, got 4"):
        choose_form(each, "multi", 4)


def test_how_long_a_chain_can_be(tmp_path: Path) -> None:
    """A chain of n facts needs n + 1 options, so that it never comes back to where it was."""
    source = load_needle_source(str(write(tmp_path, CHAIN)))
    assert choose_form(source, "chain", None).count == 3
    with pytest.raises(UsageError, match="no more than 3 different hops, got 4"):
        choose_form(source, "chain", 4)
    (needle,) = draw_needles(source, "en", 0, 1, choose_form(source, "chain", 2))
    assert len(needle.facts) == 2
    assert "two steps" in needle.question


def test_distractors_that_are_written_out(tmp_path: Path) -> None:
    """Written distractors are taken from the first on; the same file serves the task single."""
    source = load_needle_source(str(write(tmp_path, WRITTEN.replace("task: distractors\n", ""))))
    assert choose_form(source, "distractors", None).count == 2
    (needle,) = draw_needles(source, "en", 0, 1, choose_form(source, "distractors", 1))
    assert [each.text for each in needle.distractors] == ["Bo the cat is red."]
    assert draw_needles(source, "en", 0, 1)[0].distractors == ()
    with pytest.raises(UsageError, match="has 2 distractors, not 3"):
        choose_form(source, "distractors", 3)
    with pytest.raises(UsageError, match="'xiaoming' has no distractors"):
        choose_form(load_needle_source("xiaoming"), "distractors", None)


def test_check_says_what_a_needle_is(call: Call, tmp_path: Path) -> None:
    """``needle check`` names a sound needle and its task, and ends a faulty one in one line."""
    ended = call("check", write(tmp_path, NEEDLE))
    assert ended.status == 0
    assert "the needle 'mine', task single" in ended.out
    ended = call("check", write(tmp_path, NEEDLE.replace("[[blue]]", "[]")))
    assert ended.status == 2
    assert len(ended.faults) == 1


@pytest.mark.parametrize("page", ["tasks.md", "tasks.zh.md"])
def test_the_documented_needle_is_sound(page: str, tmp_path: Path) -> None:
    """The example in the documentation is a needle, drawn as the page says."""
    docs = Path(__file__).resolve().parents[1] / "docs" / page
    (example,) = re.findall(r"```yaml\n(.*?)```", docs.read_text(encoding="utf-8"), re.DOTALL)
    source = load_needle_source(str(write(tmp_path, example)))
    form = choose_form(source, "multi", 3)
    for language in LANGUAGES:
        (needle,) = draw_needles(source, language, 0, 1, form)
        assert len(set(needle.facts)) == len(needle.answers) == 3
