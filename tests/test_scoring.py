"""Keyword recall, exact match, and law 7's verdicts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.edges.needlefiles import draw_needles, load_needle_source
from needle.scoring.agreement import FOUND_AT
from needle.scoring.judge import FOUND_FROM
from needle.scoring.scorers import mark_exact, mark_keyword, recall_answers, score_outcome
from needle.words.types import LANGUAGES, Failure, Language, Needle, Reply

PUBLISHED = Path(__file__).resolve().parents[1].parent / "shared" / "published"
TWO = Needle("two", "en", ("f",), "q", (("sandwich", "三明治"), ("Dolores Park", "多洛雷斯公园")))
KITE = Needle("kite", "zh", ("f",), "q", (("锡茶壶", "pewter teapot"),))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["fictional", "san-francisco", "xiaoming"])
def test_shipped_answers_survive_rewriting(name: str, language: Language) -> None:
    """A quoted fact is found in capitals, full width or traditional characters too."""
    import opencc

    traditional = opencc.OpenCC("s2t").convert
    wide = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
    for needle in draw_needles(load_needle_source(name), language, 0, 30):
        fact = needle.facts[0]
        for written in (fact.upper(), fact.translate(wide), traditional(fact), f"**{fact}**"):
            assert recall_answers(needle, f"The text says: {written}").lacking == (), written


@pytest.mark.parametrize(
    ("response", "score", "verdict"),
    [
        ("Eat a sandwich in Dolores Park.", 1.0, "found"),
        ("三明治，多洛雷斯公园", 1.0, "found"),
        ("I can't help with that, but: a sandwich, Dolores Park.", 1.0, "found"),
        ("Eat a sandwich.", 0.5, "partial"),
        ("I can't say where, but: a sandwich.", 0.5, "partial"),
        ("Ride a cable car.", 0.0, "missed"),
        ("The document does not mention San Francisco.", 0.0, "missed"),
        ("I cannot find this information in the document.", 0.0, "missed"),
        ("I'm unable to answer: the text does not say.", 0.0, "missed"),
        ("I'm sorry, but I can't help you find that, as the context does not say.", 0.0, "missed"),
        ("文中没有提到。", 0.0, "missed"),
        ("抱歉，我无法从文档中找到答案。", 0.0, "missed"),
        ("很抱歉，根据提供的文档，无法提供该信息。", 0.0, "missed"),
        ("", 0.0, "missed"),
        (" \n", 0.0, "missed"),
        ("I'm sorry, but I can't assist with that request.", 0.0, "refused"),
        ("I cannot help with this.", 0.0, "refused"),
        ("This request violates our usage policies.", 0.0, "refused"),
        ("That is against my guidelines, whatever the document says.", 0.0, "refused"),
        ("抱歉，我无法协助您完成这个请求。", 0.0, "refused"),
        ("該內容違反相關規定，我不能提供協助。", 0.0, "refused"),
    ],
)
def test_verdicts_of_complete_replies(response: str, score: float, verdict: str) -> None:
    """Law 7: every complete reply is scored; not finding is missed, declining is refused."""
    (scored,) = score_outcome(("keyword",), "t", TWO, Reply(response, finish_reason="stop"))
    assert (scored.score, scored.verdict) == (score, verdict)
    assert (scored.trial, scored.scorer) == ("t", "keyword")


@pytest.mark.parametrize(
    ("response", "reason", "score", "verdict"),
    [
        ("Let me see, the text", "length", None, "truncated"),
        ("", "length", None, "truncated"),
        ("I can't help with that, since", "length", None, "truncated"),
        ("A sandwich in Dolores Park, on", "length", 1.0, "found"),
        ("A sandwich, on", "length", 0.5, "partial"),
        ("", "content_filter", None, "filtered"),
        ("A sandwich in Dolores Park", "content_filter", None, "filtered"),
        ("A cable car", None, 0.0, "missed"),
    ],
)
def test_verdicts_of_cut_replies(
    response: str, reason: str | None, score: float | None, verdict: str
) -> None:
    """Law 7: truncated without an answer, and filtered, are null; an answer given counts."""
    scored = mark_keyword(TWO, Reply(response, finish_reason=reason))
    assert (scored.score, scored.verdict) == (score, verdict)


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("filter", "filtered"), ("overflow", "failed"), ("timeout", "failed"), ("server", "failed")],
)
def test_failures_are_missing(kind: str, verdict: str) -> None:
    """Law 7: a failure is missing, never zero."""
    scored = mark_keyword(TWO, Failure(kind, 400, "said the vendor", permanent=True))
    assert scored.score is None
    assert scored.verdict == verdict


@given(st.text(), st.sampled_from((None, "stop", "length", "content_filter")))
def test_reasoning_is_never_scored(reasoning: str, reason: str | None) -> None:
    """What a model thought, even the answer itself, changes neither score nor verdict."""
    bare = mark_keyword(KITE, Reply("好的", finish_reason=reason))
    thought = Reply("好的", reasoning=reasoning + "锡茶壶", finish_reason=reason)
    assert mark_keyword(KITE, thought) == bare


@given(st.text(), st.text())
def test_words_around_an_answer_hide_it_not(before: str, after: str) -> None:
    """A quoted answer that stands by itself is found whatever is said before and after."""
    response = f"{before}\n“Pewter teapot”。\n{after}"
    assert mark_keyword(KITE, Reply(response)).score == 1.0


def test_agreement_with_the_published_judge() -> None:
    """On Claude 2.1's published answers keyword recall agrees with the judge in 99 of 100."""
    path = PUBLISHED / "claude-2.1-half.jsonl"
    if not path.exists():
        pytest.skip("the published results are not at hand")
    needle = draw_needles(load_needle_source("san-francisco"), "en", 0, 1)[0]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    marks = [mark_keyword(needle, Reply(row["model_response"])) for row in rows]
    agreed = sum(
        ((mark.score or 0) >= FOUND_AT) == (row["score"] >= FOUND_FROM)
        for mark, row in zip(marks, rows, strict=True)
    )
    assert agreed / len(rows) >= 0.99
    assert {mark.verdict for mark in marks} == {"found", "missed"}


EXACT_ONE = [
    ("Pewter teapot", 1.0),
    ("A pewter teapot.", 1.0),
    ("“锡茶壶”。", 1.0),
    ("錫茶壺", 1.0),
    ("1. Pewter teapot", 1.0),
    ("They carry a pewter teapot.", 0.0),
    ("pewter teapot, brass lantern", 0.0),
    ("lantern", 0.0),
]
EXACT_TWO = [
    ("sandwich, Dolores Park", 1.0),
    ("Dolores Park and a sandwich", 1.0),
    ("- a sandwich\n- Dolores Park", 1.0),
    ("三明治、多洛雷斯公园", 1.0),
    ("三明治和多洛雷斯公園。", 1.0),
    ("一、三明治；二、多洛雷斯公园", 1.0),
    ("a sandwich", 0.5),
    ("Eat a sandwich, Dolores Park", 0.5),
    ("Eat a sandwich in Dolores Park", 0.0),
]


@pytest.mark.parametrize(
    ("needle", "response", "score"),
    [*((KITE, *case) for case in EXACT_ONE), *((TWO, *case) for case in EXACT_TWO)],
)
def test_exact_match(needle: Needle, response: str, score: float) -> None:
    """One group must be the whole reply; of several each must be a whole part of it."""
    mark = mark_exact(needle, Reply(response))
    assert mark.score == score
    assert mark.verdict == {1.0: "found", 0.5: "partial", 0.0: "missed"}[score]


def test_an_answer_may_hold_what_parts_a_list() -> None:
    """An accepted answer with a comma or an "and" in it is matched across the parts."""
    needle = Needle("n", "en", ("f",), "q", (("salt, pepper and oil",), ("和平",)))
    assert mark_exact(needle, Reply("和平；salt, pepper and oil")).score == 1.0


@given(st.lists(st.text(max_size=12), max_size=60).map(",".join))
def test_exact_match_is_never_above_recall(response: str) -> None:
    """Whatever a reply says, exact match finds nothing that keyword recall does not."""
    exact, keyword = mark_exact(TWO, Reply(response)), mark_keyword(TWO, Reply(response))
    assert (exact.score or 0) <= (keyword.score or 0)


@given(st.sampled_from(["length", "stop", None]), st.sampled_from(["", "no idea", "sandwich"]))
def test_scorers_are_in_the_order_asked(reason: str | None, response: str) -> None:
    """Keyword recall scores always; the first scorer asked for comes first; a judge is not here."""
    reply = Reply(response, finish_reason=reason)

    def score(*scorers: str) -> list[str]:
        return [score.scorer for score in score_outcome(scorers, "t", TWO, reply)]

    assert score("keyword") == score("judge") == score() == ["keyword"]
    assert score("exact") == score("exact", "judge") == ["exact", "keyword"]
    assert score("judge", "keyword", "exact") == ["keyword", "exact"]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ("Not mentioned.", "it gives no answer"),
        ("文中没有提到。", "it gives no answer"),
        ("A cable car.", "not there: sandwich; Dolores Park"),
        ("", "the reply is empty"),
        ("…", "the reply is empty"),
    ],
)
def test_a_miss_says_why(response: str, words: str) -> None:
    """The explanation of a miss tells an answer that is wrong from none at all."""
    assert words in mark_keyword(TWO, Reply(response)).explanation
