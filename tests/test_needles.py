"""Needles: drawn by seed and replicate, the same fact in both languages."""

import itertools
import random
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.contexts.needles import (
    Form,
    NeedleSource,
    Wording,
    count_draws,
    draw_needle,
    find_unknown_marks,
    form_of,
    spread,
)
from needle.edges.needlefiles import draw_needles, load_needle_source, repeats_needles
from needle.scoring.scorers import mark_keyword, recall_answers
from needle.words.errors import UsageError
from needle.words.types import LANGUAGES, Distractor, Language, Needle, Reply

SHIPPED = ("fictional", "nonliteral", "number", "uuid", "san-francisco", "xiaoming")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
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
        slots={
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


@pytest.mark.parametrize(("name", "form"), [("number", r"[1-9]\d{6}"), ("uuid", UUID)])
def test_drawn_whole(name: str, form: str) -> None:
    """A number has its digits and a UUID its form, the same in both languages."""
    drawn = [draw_needles(load_needle_source(name), one, 3, 50) for one in LANGUAGES]
    values = [[needle.answers[0][0] for needle in needles] for needles in drawn]
    assert values[0] == values[1]
    assert len(set(values[0])) == 50
    assert all(re.fullmatch(form, value) for value in values[0])
    for needle, other in zip(drawn[0], drawn[0][1:], strict=False):
        answer = needle.answers[0][0]
        assert recall_answers(needle, answer.upper().replace("-", " ")).share == 1
        assert recall_answers(needle, other.facts[0]).share == 0
        assert recall_answers(needle, answer[:-1]).share == 0
    assert len({value[0] for value in values[0]}) > 5


@pytest.mark.parametrize("count", [2, 4, 10])
def test_several_facts_are_told_apart(count: int) -> None:
    """A multi needle names so many different things, one in each fact, in both languages."""
    source = load_needle_source("multi")
    for language in LANGUAGES:
        for needle in draw_needles(source, language, 0, 20, Form("multi", count)):
            assert len(set(needle.facts)) == len(needle.answers) == count
            assert form_of(needle) == Form("multi", count)
            for number, fact in enumerate(needle.facts):
                recall = recall_answers(needle, fact)
                assert recall.share == pytest.approx(1 / count)
                assert needle.answers[number][0] not in recall.lacking
            assert recall_answers(needle, " ".join(needle.facts)).share == 1
            assert recall_answers(needle, needle.question).share == 0


def test_facts_more_and_fewer_begin_alike() -> None:
    """A needle of fewer facts has the first ones of a longer one, and the same question."""
    source = load_needle_source("multi")
    few, many = (draw_needle(source, "en", 1, 2, Form("multi", count)) for count in (3, 5))
    assert few.facts == many.facts[:3]
    assert few.question == many.question


def test_facts_spread_by_the_published_rule() -> None:
    """Fact i of n is asked for at d + i(100 - d)/n: none before the cell's depth, all at 100."""
    (needle,) = draw_needles(load_needle_source("multi"), "en", 0, 1, Form("multi", 4))
    assert [insert.depth_percent for insert in spread(needle, 20)] == [20, 40, 60, 80]
    assert [insert.depth_percent for insert in spread(needle, 0)] == [0, 25, 50, 75]
    assert {insert.depth_percent for insert in spread(needle, 100)} == {100}
    assert [insert.text for insert in spread(needle, 55)] == list(needle.facts)


@pytest.mark.parametrize("hops", [2, 3, 5])
def test_a_chain_leads_from_one_town_to_the_last(hops: int) -> None:
    """Each fact leads on to the next one's town; only the last gives the answer, none both ends."""
    source = load_needle_source("chain")
    places = {
        language: {
            start[language] + end[language]
            for start in source.slots["start"]
            for end in source.slots["end"]
        }
        for language in LANGUAGES
    }
    for replicate in range(16):
        for language in LANGUAGES:
            needle = draw_needle(source, language, 0, replicate, Form("chain", hops))
            assert form_of(needle) == Form("chain", hops)
            named = [sorted_places(fact, places[language]) for fact in needle.facts]
            assert all(len(towns) == 2 for towns in named)
            assert sorted_places(needle.question, places[language]) == [named[0][0]]
            for one, other in itertools.pairwise(named):
                assert one[1] == other[0]
            assert len({town for towns in named for town in towns}) == hops + 1
            assert needle.answers == ((named[-1][1],),)
            shares = [recall_answers(needle, fact).share for fact in needle.facts]
            assert shares == [0] * (hops - 1) + [1]
            word = dict(zip((2, 3, 5), ("two 两", "three 三", "five 五"), strict=True))[hops]
            assert word.split()[language == "zh"] in needle.question


def sorted_places(text: str, places: set[str]) -> list[str]:
    """Return the places that a text names, in its order; of two in one the longer."""
    found = {place for place in places if place in text}
    whole = {p for p in found if not any(p in other and p != other for other in found)}
    return sorted(whole, key=text.index)


@pytest.mark.parametrize("count", [1, 4, 8])
def test_distractors_are_about_other_things(count: int) -> None:
    """Distractors are the fact's own sentence of other places and things, never its answer."""
    source = load_needle_source("fictional")
    for replicate in range(20):
        drawn = [
            draw_needle(source, one, 0, replicate, Form("distractors", count)) for one in LANGUAGES
        ]
        depths = [[each.depth_percent for each in needle.distractors] for needle in drawn]
        assert depths[0] == depths[1]
        for part, depth in enumerate(depths[0]):
            assert 100 * part / count <= depth <= 100 * (part + 1) / count
        for needle in drawn:
            texts = [each.text for each in needle.distractors]
            assert len({*texts, *needle.facts}) == count + 1
            assert form_of(needle) == Form("distractors", count)
            assert all(recall_answers(needle, text).share == 0 for text in texts)
            single = draw_needle(source, needle.language, 0, replicate)
            assert (needle.facts, needle.question) == (single.facts, single.question)
            assert needle.answers == single.answers


def test_distractors_stand_on_no_pattern() -> None:
    """Distractors' depths are drawn anew for each replicate, and stay while the needle moves."""
    source = load_needle_source("fictional")
    form = Form("distractors", 3)
    drawn = draw_needles(source, "en", 0, 9, form)
    assert len({needle.distractors[0].depth_percent for needle in drawn}) == 9
    for needle in drawn:
        for depth in (0, 33, 100):
            inserts = spread(needle, depth)
            assert [i.depth_percent for i in inserts] == sorted(i.depth_percent for i in inserts)
            others = tuple(Distractor(i.text, i.depth_percent) for i in inserts if i.distractor)
            assert others == needle.distractors
            assert [i.text for i in inserts if not i.distractor] == list(needle.facts)


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
    source = NeedleSource("n", "a test", ({"en": WORDING},), slots=slots)
    assert set(find_unknown_marks(source)) == {"{b.en}"}
    assert not list(find_unknown_marks(source_of(2, 3, 3)))
    assert set(find_unknown_marks(source_of(1, 2))) == {"{b.en}"}


def test_language_that_a_needle_lacks() -> None:
    """A needle without a wording in the language asked for is refused in one line."""
    with pytest.raises(UsageError, match="'made' has no zh wording"):
        draw_needles(source_of(1, 1, 1), "zh", 0, 1)
