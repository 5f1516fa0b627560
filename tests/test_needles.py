"""Needles: drawn by seed and replicate, the same fact in both languages."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.config import draw_needles, load_needle_source, repeats_needles
from needle.errors import UsageError
from needle.needles import NeedleSource, Wording, count_draws, draw_needle, find_unknown_marks
from needle.scoring import mark_keyword, recall_answers
from needle.types import LANGUAGES, Language, Needle, Reply

SHIPPED = ("fictional", "san-francisco", "xiaoming")
WORDING = Wording(("It is {a.en} {b.en}.",), "What is it?", (("{a.en} {b.en}",),))


def source_of(variants: int, *slots: int) -> NeedleSource:
    """Make a source with so many variants, and slots of so many options."""
    return NeedleSource(
        "made",
        "a test",
        tuple(
            {"en": Wording((f"{number} {{a.en}} {{b.en}}.",), "What?", (("{a.en}",),))}
            for number in range(variants)
        ),
        {
            name: tuple({"en": f"{name}{number}"} for number in range(size))
            for name, size in zip(string.ascii_lowercase, slots, strict=False)
        },
    )


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_no_needle_comes_twice_before_all_came_once(
    variants: int, first: int, second: int, seed: int
) -> None:
    """The draws of one seed walk through every needle of a source before any comes again."""
    source = source_of(variants, first, second)
    total = count_draws(source)
    assert total == variants * first * second
    facts = [draw_needle(source, "en", seed, number).facts for number in range(2 * total)]
    assert len(set(facts[:total])) == total
    assert facts[total:] == facts[:total]


@pytest.mark.parametrize("language", LANGUAGES)
def test_fictional_needles_differ_by_replicate_and_seed(language: Language) -> None:
    """Replicates draw different facts and answers; another seed draws others."""
    source = load_needle_source("fictional")
    drawn = draw_needles(source, language, 0, 60)
    assert len({needle.facts for needle in drawn}) == 60
    assert len({needle.answers for needle in drawn}) > 30
    assert drawn == draw_needles(source, language, 0, 60)
    other = draw_needles(source, language, 1, 60)
    assert len({n.facts for n in drawn} & {n.facts for n in other}) < 3
    assert draw_needles(source, language, 0, 3) == drawn[:3]


def test_every_variant_and_option_is_drawn() -> None:
    """No variant and no option of the fictional needle is out of the draws' reach."""
    source = load_needle_source("fictional")
    drawn = draw_needles(source, "en", 0, 2_000)
    for slot, options in source.slots.items():
        for option in options:
            assert any(option["en"] in n.facts[0] or option["en"] in str(n) for n in drawn), slot
    openings = {fact.split("{")[0] for variant in source.variants for fact in variant["en"].facts}
    assert all(any(opening in needle.facts[0] for needle in drawn) for opening in openings)


def test_languages_are_parallel() -> None:
    """A replicate's needle is the same fact in both languages, part by part."""
    source = load_needle_source("fictional")
    slots = source.slots
    for seed in range(60):
        english, chinese = (draw_needle(source, one, seed, 3 * seed) for one in LANGUAGES)
        assert any(
            english.answers[0][0] == f"{material['en']} {thing['en']}"
            and chinese.answers[0][0] == f"{material['zh']}{thing['zh']}"
            for material in slots["material"]
            for thing in slots["thing"]
        )
        assert any(
            start["en"] + end["en"] in english.facts[0]
            and start["zh"] + end["zh"] in chinese.facts[0]
            for start in slots["start"]
            for end in slots["end"]
        )


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_shipped_needles_answer_their_question(name: str, language: Language) -> None:
    """A shipped fact gives every accepted answer, its question none, and it is one sentence."""
    for needle in draw_needles(load_needle_source(name), language, 0, 40):
        fact = "".join(needle.facts)
        assert mark_keyword(needle, Reply(fact)).verdict == "found"
        assert recall_answers(needle, needle.question).share == 0
        assert "{" not in repr(needle)
        assert fact[-1] == (".。"[language == "zh"])
        assert needle.question[-1] == ("?？"[language == "zh"])
        assert fact == fact.strip()
        for group in needle.answers:
            for answer in group:
                reply = Reply("; ".join((answer, *(other[0] for other in needle.answers))))
                assert mark_keyword(needle, reply).verdict == "found"


def test_another_replicates_fact_is_no_answer() -> None:
    """One replicate's fact does not pass for another's whose material or thing differs."""
    for language in LANGUAGES:
        drawn = draw_needles(load_needle_source("fictional"), language, 0, 40)
        for one in drawn:
            for other in drawn:
                share = recall_answers(one, other.facts[0]).share
                assert share == (1 if one.answers == other.answers else 0)


def test_draws_are_local() -> None:
    """Drawing a needle neither reads nor moves the global random state."""
    source = load_needle_source("fictional")
    state = random.getstate()
    one = draw_needle(source, "en", 5, 5)
    assert random.getstate() == state
    random.seed(1)
    assert draw_needle(source, "en", 5, 5) == one


def test_classic_needles_do_not_vary() -> None:
    """A needle without slots is the same for all replicates and seeds, and is said to repeat."""
    source = load_needle_source("san-francisco")
    drawn: set[Needle] = {draw_needle(source, "zh", s, r) for s in range(5) for r in range(5)}
    assert len(drawn) == 1
    assert repeats_needles(source, 2)
    assert not repeats_needles(source, 1)


def test_unknown_marks_are_found() -> None:
    """A mark that no slot fills, or that lacks a language in some option, is named."""
    slots: dict[str, tuple[dict[str, str], ...]]
    slots = {"a": ({"en": "red"}, {"en": "blue"}), "b": ({"en": "kite"}, {"zh": "风筝"})}
    source = NeedleSource("n", "a test", ({"en": WORDING},), slots)
    assert set(find_unknown_marks(source)) == {"{b.en}"}
    assert find_unknown_marks(source_of(2, 3, 3)) == []
    assert set(find_unknown_marks(source_of(1, 2))) == {"{b.en}"}


def test_language_that_a_needle_lacks() -> None:
    """A needle without a wording in the language asked for is refused in one line."""
    with pytest.raises(UsageError, match="'made' has no zh wording"):
        draw_needles(source_of(1, 1, 1), "zh", 0, 1)
