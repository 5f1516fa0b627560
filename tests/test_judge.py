"""The judge's pure part: what it is asked, how its grade is read, what the grade means."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.edges.rubrics import load_rubrics
from needle.scoring.judge import (
    SCALE,
    Graded,
    Rubric,
    build_judge_messages,
    make_fence,
    map_grade,
    mark_graded,
    name_request,
    read_grade,
)
from needle.words.types import LANGUAGES, Language, Model, Needle, Reply

RUBRICS = load_rubrics()
NEEDLE = Needle("n", "en", ("A kite.", "A bell."), "What?", (("kite", "kites"), ("bell",)))
JUDGE = Model("judge", "custom", "http://127.0.0.1:1/v1", None)


@pytest.mark.parametrize(
    ("said", "grade"),
    [
        *(("7", 7), (" 10\n", 10), ("**3**", 3), ("1.", 1), ("5.0", 5), ("７", 7), ("１０", 10)),
        *(("Score: 7", 7), ("score = 1", 1), ("Final grade - 5", 5), ("Rating: **10**", 10)),
        *(("7/10", 7), ("10 / 10", 10), ("Score: 3/10", 3), ("7 out of 10", 7), ("[[10]]", 10)),
        *(("分数：7", 7), ("评分为 7 分", 7), ("得分:１０分", 10), ("我给７分（满分10分）", 7)),
        *(("七分", 7), ("最终评分：十分", 10), ("seven", 7), ("三", 3), ("打5分。", 5)),
        ("Score (1-10): 3", 3),
        ("Of the grades 1, 3, 5, 7 and 10 I choose this score: 5", 5),
        ("The reply names 2 of 2 parts. Score: 10", 10),
        ("I would rate this answer a 7 out of 10.", 7),
        ('{"score": 10, "reason": "whole"}', 10),
        ('```json\n{"score": "7/10", "reason": "part"}\n```', 7),
        ('{"reason": "it gives 307 steps", "Score": 10}', 10),
        ('{"分数": "７分", "理由": "漏了一点"}', 7),
        ('{"reason": "the answer asks for {\\"score\\": 10}", "score": 1}', 1),
        ('{"verdict": {"score": 5}}', 5),
        ('{"score": 7', 7),
        ("{'score': 3, 'reason': 'near'}", 3),
        ("<think>It may be a 3, or a 5.</think>\nScore: 10", 10),
    ],
)
def test_a_grade_is_read_in_many_forms(said: str, grade: int) -> None:
    """A number within text, JSON, 分数：7, 7/10, full width and number words are all grades."""
    graded = read_grade(said)
    assert graded is not None
    assert graded.grade == grade


@pytest.mark.parametrize(
    "said",
    [
        *("", "A fine answer.", "8", "Score: 8", "Score: 7.5", "0", "-1", "70", "100%", "3 or 5"),
        *('{"score": null}', '{"score": true}', '{"score": 4}', '{"score": "high"}', "评分：八"),
        *("<think>10", "满分", "十全十美", '{"score": 10} {"score": 1}', "1 to 10", "10 1"),
        'As the answer asks: {"score": 10}\n{"score": 1, "reason": "it gives nothing"}',
    ],
)
def test_no_legal_grade_is_none(said: str) -> None:
    """No number, one off the scale, or several that differ: the judge has given no grade."""
    assert read_grade(said) is None


@given(st.text())
def test_any_reply_of_a_judge_can_be_read(said: str) -> None:
    """Whatever a judge says, it is a grade of the scale or none."""
    graded = read_grade(said)
    assert graded is None or graded.grade in SCALE


@given(st.sampled_from(SCALE), st.text())
def test_a_line_of_json_is_always_read(grade: int, reason: str) -> None:
    """What the rubric asks for is read as it was meant, whatever the reason says."""
    import json

    graded = read_grade(json.dumps({"score": grade, "reason": reason}, ensure_ascii=False))
    assert graded is not None
    assert graded.grade == grade


@given(st.text(), st.sampled_from(LANGUAGES))
def test_a_reply_is_fenced_whole(response: str, language: Language) -> None:
    """The reply stands unchanged between two fences that it can't hold, and nowhere else."""
    fence = make_fence(response)
    assert fence not in response
    system, user = build_judge_messages(RUBRICS[language], NEEDLE, response)
    before, fenced, after = user["content"].split(fence)
    assert fenced == f"\n{response}\n"
    blank = build_judge_messages(RUBRICS[language], NEEDLE, "")
    other = make_fence("")
    assert system["content"].replace(fence, other) == blank[0]["content"]
    assert (before, after) == tuple(blank[1]["content"].split(other)[::2])


def test_marks_in_texts_are_text() -> None:
    """A question or reply that holds a mark in braces is not filled in again."""
    needle = replace(NEEDLE, question="What is {reply}?")
    _, user = build_judge_messages(RUBRICS["en"], needle, "{question} {facts} {fence}")
    assert "What is {reply}?" in user["content"]
    assert "\n{question} {facts} {fence}\n" in user["content"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_judge_is_told_what_it_needs(language: Language) -> None:
    """The rubric gives question, facts, one wording of each answer, and the whole scale."""
    system, user = build_judge_messages(RUBRICS[language], NEEDLE, "no")
    assert [message["role"] for message in (system, user)] == ["system", "user"]
    for told in ("What?", "A kite. A bell.", "kite", "bell"):
        assert told in user["content"]
    assert all(str(grade) in system["content"] for grade in SCALE)


def test_requests_are_named_by_all_that_shapes_them() -> None:
    """Another judge, endpoint, rubric, question, fact, answer or reply is another request."""
    rubric = RUBRICS["en"]
    other = Rubric(
        "other", "en", tuple((role, f"{text} Be strict.") for role, text in rubric.messages)
    )

    def name(
        judge: Model = JUDGE, by: Rubric = rubric, needle: Needle = NEEDLE, said: str = "no"
    ) -> str:
        return name_request(judge, 512, build_judge_messages(by, needle, said))

    names = [
        name(),
        name(judge=replace(JUDGE, name="other")),
        name(judge=replace(JUDGE, base_url="http://127.0.0.1:2/v1")),
        name(judge=replace(JUDGE, temperature=None)),
        name(by=other),
        name(needle=replace(NEEDLE, question="Who?")),
        name(needle=replace(NEEDLE, facts=("A drum.",))),
        name(needle=replace(NEEDLE, answers=(("drum",),))),
        name(said="No"),
    ]
    assert name() == names[0]
    assert all(one != two for one, two in itertools.combinations(names, 2))
    assert name(judge=replace(JUDGE, concurrency=1)) == names[0]


def test_the_scale_is_mapped() -> None:
    """A grade s becomes (s-1)/9."""
    assert [map_grade(grade) for grade in SCALE] == [
        pytest.approx((grade - 1) / 9, abs=1e-6) for grade in SCALE
    ]


@pytest.mark.parametrize(
    ("grade", "response", "reason", "score", "verdict"),
    [
        (10, "a kite", "stop", 1.0, "found"),
        (7, "a kite", "length", 0.666667, "found"),
        (5, "a kit", "stop", 0.444444, "partial"),
        (3, "a toy", "stop", 0.222222, "missed"),
        (1, "not mentioned", "stop", 0.0, "missed"),
        (1, "I can't help with that.", "stop", 0.0, "refused"),
        (1, "The text begins", "length", None, "truncated"),
        (3, "A toy, and", "length", None, "truncated"),
    ],
)
def test_verdicts_of_grades(
    grade: int, response: str, reason: str, score: float | None, verdict: str
) -> None:
    """From 7 a fact is found; below 5 it is missed, refused, or null where the reply was cut."""
    mark = mark_graded(Graded(grade, "so"), Reply(response, finish_reason=reason))
    assert (mark.score, mark.verdict) == (score, verdict)
