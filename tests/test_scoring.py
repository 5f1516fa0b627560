"""Keyword recall and verdicts: law 7, and the folding that both sides go through."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.needlefiles import draw_needles, load_needle_source
from needle.scoring import fold, holds, is_refusal, recall_answers, score_keyword
from needle.types import LANGUAGES, Failure, Language, Needle, Reply

PUBLISHED = Path(__file__).resolve().parents[1].parent / "shared" / "published"
TWO = Needle("two", "en", ("f",), "q", (("sandwich", "三明治"), ("Dolores Park", "多洛雷斯公园")))
KITE = Needle("kite", "zh", ("f",), "q", (("锡茶壶", "pewter teapot"),))


@given(st.text())
def test_folding_is_settled(text: str) -> None:
    """A folded text has no upper case, no doubled space and no punctuation but in numbers."""
    folded = fold(text)
    assert "  " not in folded
    assert folded == folded.strip()
    assert not set(folded) & set("，。！？；“”（）,;!?\"'()[]{}*_")


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        *(("A PEWTER TEAPOT!", "pewter teapot"), ("**pewter** _teapot_", "Pewter Teapot")),
        *(("pewter\nteapot", "pewter teapot"), ("pewter-teapot", "pewter teapot")),
        *(("“pewter teapot”", "pewter teapot"), ("ｐｅｗｔｅｒ　ｔｅａｐｏｔ", "pewter teapot")),
        *(("pewter teapots", "pewter teapot"), ("sandwiches", "sandwich")),
        *(("caf\u00e9", "cafe\u0301"), ("ﬁsh", "fish"), ("STRASSE", "Straße")),
        *(("tea\u00adpot", "teapot"), ("tea\u200bpot", "teapot"), ("\ufeffteapot", "teapot")),
        *(("Xiaoming’s lab", "Xiaoming's lab"), ("the O'Hara kite", "O’Hara kite")),
        *(("錫茶壺", "锡茶壶"), ("是一把錫茶壺。", "锡茶壶"), ("锡茶壶", "錫茶壺")),
        *(("锡 茶 壶", "锡茶壶"), ("“锡茶壶”。", "锡茶壶"), ("他带着锡茶壶走", "锡茶壶")),
        *(("吃三明治", "三明治"), ("3明治", "三明治"), ("上海ＡＩ实验室", "上海AI实验室")),
        *(("多洛雷斯公園", "多洛雷斯公园"), ("這裏的風向標", "风向标")),
        *(("答：teapot。", "teapot"), ("是teapot吗", "teapot")),
    ],
)
def test_held(reply: str, answer: str) -> None:
    """An answer is found whatever its case, width, punctuation, spacing or characters' form."""
    assert holds(fold(reply), answer)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        *(("scatter", "cat"), ("cathedral", "cat"), ("concatenate", "cat"), ("kitef", "kite")),
        *(("teapotted", "teapot"), ("a cat8", "cat"), ("8cat", "cat"), ("bécat", "cat")),
        *(("teapot pewter", "pewter teapot"), ("pewter and teapot", "pewter teapot")),
        *(("锡的茶壶", "锡茶壶"), ("锡茶", "锡茶壶"), ("", "teapot"), ("...", "teapot")),
        *(("anything at all", ""), ("anything at all", "...")),
    ],
)
def test_not_held(reply: str, answer: str) -> None:
    """A Latin word inside a longer one, words in another order or apart, are no answer."""
    assert not holds(fold(reply), answer)


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
    scored = score_keyword("t", TWO, Reply(response, finish_reason="stop"))
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
    scored = score_keyword("t", TWO, Reply(response, finish_reason=reason))
    assert (scored.score, scored.verdict) == (score, verdict)


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("filter", "filtered"), ("overflow", "failed"), ("timeout", "failed"), ("server", "failed")],
)
def test_failures_are_missing(kind: str, verdict: str) -> None:
    """Law 7: a failure is missing, never zero."""
    scored = score_keyword("t", TWO, Failure(kind, 400, "said the vendor", permanent=True))
    assert scored.score is None
    assert scored.verdict == verdict


@given(st.text(), st.sampled_from((None, "stop", "length", "content_filter")))
def test_reasoning_is_never_scored(reasoning: str, reason: str | None) -> None:
    """What a model thought, even the answer itself, changes neither score nor verdict."""
    bare = score_keyword("t", KITE, Reply("好的", finish_reason=reason))
    thought = Reply("好的", reasoning=reasoning + "锡茶壶", finish_reason=reason)
    assert score_keyword("t", KITE, thought) == bare


@given(st.text(), st.text())
def test_words_around_an_answer_hide_it_not(before: str, after: str) -> None:
    """A quoted answer that stands by itself is found whatever is said before and after."""
    response = f"{before}\n“Pewter teapot”。\n{after}"
    assert score_keyword("t", KITE, Reply(response)).score == 1.0


@given(st.text())
def test_refusals_need_words_of_refusal(text: str) -> None:
    """A text is told a refusal alike whatever its case and width."""
    assert is_refusal(fold(text)) == is_refusal(fold(text.upper().lower()))


def test_agreement_with_the_published_judge() -> None:
    """On Claude 2.1's published answers keyword recall agrees with the judge in 99 of 100."""
    path = PUBLISHED / "claude-2.1-half.jsonl"
    if not path.exists():
        pytest.skip("the published results are not at hand")
    needle = draw_needles(load_needle_source("san-francisco"), "en", 0, 1)[0]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    agreed = refused = 0
    for row in rows:
        scored = score_keyword("t", needle, Reply(row["model_response"]))
        agreed += ((scored.score or 0) > 0) == (row["score"] >= 7)
        refused += scored.verdict == "refused"
    assert agreed / len(rows) >= 0.99
    assert refused == 0
