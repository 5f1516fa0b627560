"""Terms: what question and fact share, in words alone; and that nonliteral needles share none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.contexts.needles import NeedleSource, Wording, count_draws, draw_needle
from needle.contexts.soundness import find_faults
from needle.contexts.terms import FUNCTION_HAN, HAN_RUN, STOP_HAN, STOP_WORDS, WORD, share_terms
from needle.edges.needlefiles import load_needle_source
from needle.words.types import LANGUAGES, Language


@pytest.mark.parametrize(
    ("question", "fact", "shared"),
    [
        ("Who works in Kenya?", "Ada counts elephants in the Masai Mara.", []),
        ("Who worked here?", "Ada works there.", ["work"]),
        ("Who has keys?", "Ada owns one key.", ["key"]),
        ("Who is it?", "Who is it, and is it so?", []),
        ("谁在维也纳工作？", "阿达是美泉宫的园丁。", []),
        ("谁在维也纳工作？", "阿达的工作是浇花。", ["工作"]),
        ("谁了解的？", "阿达了解了的。", []),  # 了 joins: no content
        ("谁有 piano？", "阿达有一架 piano。", ["piano"]),
    ],
)
def test_what_is_shared(question: str, fact: str, shared: list[str]) -> None:
    """Words count without their endings, Chinese pairs where neither character only joins."""
    assert share_terms(question, fact) == shared


@given(st.text("the keys 钥匙在哪里，of. "), st.text("key 钥匙的 locks. "))
def test_a_shared_term_is_in_both(question: str, fact: str) -> None:
    """Whatever is named as shared stands in the fact and in the question."""
    for term in share_terms(question, fact):
        assert term in question.lower()
        assert term in fact.lower()


def characters(text: str) -> set[str]:
    return set("".join(HAN_RUN.findall(STOP_HAN.sub("", text)))) - FUNCTION_HAN


@pytest.mark.parametrize("language", LANGUAGES)
def test_nonliteral_needles_share_nothing(language: Language) -> None:
    """No nonliteral needle's question has a content word or Chinese character of its fact's."""
    source = load_needle_source("nonliteral")
    assert count_draws(source) == 16 * 24 * 16
    joining = {"过", "有", "家", "个"}  # an aspect, a verb, and measure words
    for replicate in range(0, count_draws(source), 7):
        needle = draw_needle(source, language, 0, replicate)
        (fact,), question = needle.facts, needle.question
        assert share_terms(question, fact) == []
        asked = set(WORD.findall(question.lower())) - STOP_WORDS - {"a"}
        if language == "en":
            assert not asked & set(WORD.findall(fact.lower()))
        name = needle.answers[0][0]
        assert not (characters(question) & characters(fact.replace(name, ""))) - joining
        assert name in fact
        assert name not in question


def test_a_fact_that_gives_itself_away() -> None:
    """A nonliteral file whose question has a word of its fact's, in any draw, is refused."""
    slots: dict[str, tuple[dict[str, str], ...]] = {"who": ({"en": "Ada"}, {"en": "Kenya"})}

    def faults(question: str) -> list[str]:
        wording = Wording(("{who.en} counts elephants.",), question, (("{who.en}",),))
        source = NeedleSource("n", "me", ({"en": wording},), "nonliteral", slots)
        return [fault for fault, _ in find_faults(source)]

    assert faults("Whose zoo is it?") == []
    assert "share 'elephant'" in faults("Who likes an elephant?")[0]
    assert "share 'kenya'" in faults("Who works in Kenya?")[0]
