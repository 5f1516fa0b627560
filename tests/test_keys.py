"""Law 4: a key is the sha256 of everything that shapes a request."""

from dataclasses import fields, replace
from typing import Any

import pytest

from needle.contexts.keys import TextKey, digest, make_keys
from needle.words.types import Distractor, Needle, Template

NEEDLE = Needle("kite", "en", ("The kite is here.",), "Where is the kite?", (("here",),))
TEMPLATE = Template(
    "plain", "en", (("system", "Answer."), ("user", "{context}\n\n{question}")), " "
)
TEXT = TextKey(
    task="single",
    language="en",
    layout="classic",
    template=TEMPLATE,
    needle=NEEDLE,
    haystack_sha256="0" * 64,
    haystack_offset=0,
    unit="tokens",
    tokenizer="o200k_base",
    ratio=None,
    context_length=1_000,
    depth_percent=50.0,
    replicate=0,
    control=None,
)
SENT: tuple[str, str, float | None, int] = ("model", "http://127.0.0.1:1/v1", 0.0, 256)

OTHER_TEXTS: list[tuple[str, Any]] = [
    ("task", "multi"),
    ("language", "zh"),
    ("layout", "question-first"),
    ("template", replace(TEMPLATE, separator="\n")),
    ("template", replace(TEMPLATE, messages=TEMPLATE.messages[1:])),
    ("template", replace(TEMPLATE, messages=(("user", "Answer."), TEMPLATE.messages[1]))),
    ("template", replace(TEMPLATE, messages=(("system", "Answer!"), TEMPLATE.messages[1]))),
    ("needle", replace(NEEDLE, facts=("The kite is there.",))),
    ("needle", replace(NEEDLE, facts=("The kite", " is here."))),
    ("needle", replace(NEEDLE, distractors=(Distractor("A bee is here.", 40.0),))),
    ("needle", replace(NEEDLE, question="Where's the kite?")),
    ("haystack_sha256", "1" * 64),
    ("haystack_offset", 1),
    ("unit", "hanzi"),
    ("tokenizer", "cl100k_base"),
    ("ratio", 1.07),
    ("context_length", 1_001),
    ("depth_percent", 50.1),
    ("replicate", 1),
    ("control", "no_needle"),
]


@pytest.mark.parametrize(("field", "value"), OTHER_TEXTS)
def test_text_changes_both_keys(field: str, value: Any) -> None:
    """Whatever shapes a prompt's text changes the trial's key and its pair key."""
    key, pair = make_keys(TEXT, *SENT)
    other_key, other_pair = make_keys(replace(TEXT, **{field: value}), *SENT)
    assert other_key != key
    assert other_pair != pair


def test_distractors_change_both_keys() -> None:
    """A distractor's text and the depth asked for it are each part of the keys."""
    needles = [
        replace(NEEDLE, distractors=(Distractor(text, depth),))
        for text, depth in (("A bee.", 40.0), ("A bee.", 41.0), ("A fly.", 40.0))
    ]
    keys = {key for needle in needles for key in make_keys(replace(TEXT, needle=needle), *SENT)}
    assert len(keys) == 6


def test_every_field_is_tried() -> None:
    """The test above leaves out no part of a text's key."""
    assert {name for name, _ in OTHER_TEXTS} == {field.name for field in fields(TextKey)}


@pytest.mark.parametrize(
    "sent",
    [
        ("other", *SENT[1:]),
        (SENT[0], "http://127.0.0.1:2/v1", *SENT[2:]),
        (*SENT[:2], None, 256),
        (*SENT[:2], 0.7, 256),
        (*SENT[:3], 257),
    ],
)
def test_pair_key_is_without_the_model(sent: tuple[str, str, float | None, int]) -> None:
    """Model, endpoint and sampling change the key and not the pair key."""
    key, pair = make_keys(TEXT, *SENT)
    other_key, other_pair = make_keys(TEXT, *sent)
    assert other_key != key
    assert other_pair == pair


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("needle", replace(NEEDLE, answers=(("there",),))),
        ("needle", replace(NEEDLE, name="another name")),
        ("template", replace(TEMPLATE, name="another name")),
        ("depth_percent", 50),
    ],
)
def test_what_shapes_no_request_changes_no_key(field: str, value: Any) -> None:
    """Names, accepted answers and the way a number is written leave keys as they are."""
    assert make_keys(replace(TEXT, **{field: value}), *SENT) == make_keys(TEXT, *SENT)


def test_keys_are_sha256() -> None:
    """A key is the sha256 of canonical JSON: the order of fields is nothing, the text all."""
    keys = make_keys(TEXT, *SENT)
    assert all(len(key) == 64 and int(key, 16) >= 0 for key in keys)
    assert keys[0] != keys[1]
    record = {"b": [1, "针"], "a": None}
    assert digest(record) == digest(dict(reversed(record.items())))
    # printf '{"a":null,"b":[1,"针"]}' | sha256sum
    assert digest(record) == "f59a6edb0dafc300056049838320174ca9797446ec8b5ed0c3c75fa04020866c"


def test_what_else_a_request_holds_changes_the_key_alone() -> None:
    """What a model's request holds besides shapes its reply, and not the text that pairs runs."""
    key, pair = make_keys(TEXT, *SENT)
    other_key, other_pair = make_keys(TEXT, *SENT, besides={"extra": {"thinking": False}})
    assert other_key != key
    assert other_pair == pair
