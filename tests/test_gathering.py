"""Gathering: the needles of a shared context each have one question, one answer, and their turn."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.contexts.gathering import SHARED_TASKS, count_gathered, gather_needles, place_needles
from needle.contexts.needles import (
    Form,
    NeedleSource,
    Wording,
    count_draws,
    draw_needle,
    draw_options,
)
from needle.edges.needlefiles import choose_sources, draw_together, load_needle_source
from needle.edges.tokens import load_counting
from needle.scoring.scorers import match_answers, recall_answers
from needle.words.errors import UsageError
from needle.words.types import LANGUAGES, Language, Needle

SOURCES = choose_sources(SHARED_TASKS, None)
TASKS = st.sampled_from(SHARED_TASKS)


def gather(
    task: str, seed: int, replicates: int, depths: int
) -> dict[Language, list[list[Needle]]]:
    """Return each replicate's needles, by language."""
    count = count_gathered(depths)
    drawn = gather_needles(SOURCES[task], seed, replicates, count, Form(task))
    return {
        language: [list(needles[i * count : (i + 1) * count]) for i in range(replicates)]
        for language, needles in drawn.items()
    }


@settings(max_examples=40, deadline=None)
@given(TASKS, st.integers(0, 10_000), st.integers(1, 40))
def test_each_question_has_one_answer(task: str, seed: int, depths: int) -> None:
    """No needle's sentence, given for another's answer, scores; no question or fact comes twice."""
    for language, ((*needles,),) in gather(task, seed, 1, depths).items():
        assert len(needles) == depths + 1
        assert len({needle.question for needle in needles}) == len(needles)
        assert {(needle.language, needle.task) for needle in needles} == {(language, task)}
        for one in needles[:: max(1, depths // 8)]:  # each of a few against all: scoring takes time
            for other in needles:
                said = recall_answers(one, other.facts[0]).share
                assert said == (1.0 if other is one else 0.0)
                for group in other.answers:
                    assert match_answers(one, group[0]).share == said
                assert one is other or one.facts[0] not in other.facts[0]


@settings(max_examples=15, deadline=None)
@given(TASKS, st.integers(0, 10_000), st.integers(1, 20), st.integers(2, 5))
def test_no_needle_comes_twice(task: str, seed: int, depths: int, replicates: int) -> None:
    """All needles of a run differ, and fewer replicates are the first of more."""
    for language, drawn in gather(task, seed, replicates, depths).items():
        facts = [needle.facts for needles in drawn for needle in needles]
        assert len(set(facts)) == len(facts)
        assert gather(task, seed, replicates - 1, depths)[language] == drawn[:-1]


@pytest.mark.parametrize("task", ["number", "uuid"])
def test_languages_have_the_same_facts(task: str) -> None:
    """Needle for needle, both languages have the same answer."""
    drawn = gather(task, 3, 2, 11)
    answers = [[[n.answers for n in each] for each in drawn[one]] for one in LANGUAGES]
    assert answers[0] == answers[1]


@settings(max_examples=20, deadline=None)
@given(TASKS, st.integers(0, 10_000), st.integers(1, 30))
def test_wordings_take_turns(task: str, seed: int, depths: int) -> None:
    """Wordings come in one order, over and over, the same in every replicate of a seed."""
    source = SOURCES[task]
    number = len(source.variants)
    order = [draw_options(source, seed, index)[0] for index in range(number)]
    assert sorted(order) == list(range(number))
    for needles in gather(task, seed, 3, depths)["zh"]:
        for index, needle in enumerate(needles):
            wording = source.variants[order[index % number]]["zh"]
            last = wording.question.rpartition("}")[2]
            assert needle.question.endswith(last)


@given(st.integers(1, 40), st.integers(0, 10_000), st.integers(1, 2_000_000))
def test_every_needle_has_every_depth(depths: int, seed: int, length: int) -> None:
    """Over as many replicates as depths, each needle stands at each depth of a length once."""
    placed = [place_needles(depths, seed, replicate, length) for replicate in range(depths)]
    for order in placed:
        assert sorted(order) == list(range(depths))
    for at_depth in zip(*placed, strict=True):
        assert sorted(at_depth) == list(range(depths))


def test_no_depth_is_one_needles() -> None:
    """Within one replicate the lengths turn the needles, so that no row is one needle's alone."""
    placed = [place_needles(11, 0, 0, length) for length in range(1_000, 41_000, 1_000)]
    for at_depth in zip(*placed, strict=True):
        assert max(Counter(at_depth).values()) < len(placed) / 3


def written(*facts: str) -> NeedleSource:
    """Return a source of needles that are written out: the last word of each is its answer."""
    variants: list[dict[Language, Wording]] = [
        {"en": Wording((f"{fact}.",), f"{fact.split()[1]}?", ((fact.split()[-1],),))}
        for fact in facts
    ]
    return NeedleSource("own", "a test", tuple(variants))


@pytest.mark.parametrize(
    ("facts", "most"),
    [
        (("A bee is red", "A cow is blue", "A dog is green"), 3),
        (("A bee is red", "A cow is red", "A dog is green"), 1),  # one answer for two
        (("A bee is red", "A cow is blue beside a bee that is red", "A dog is green"), 1),
    ],
)
def test_what_cannot_stand_together(facts: tuple[str, ...], most: int) -> None:
    """Needles of which one's fact gives another's answer are not gathered, nor one twice."""
    source = written(*facts)
    seed = next(s for s in range(99) if [draw_options(source, s, i)[0] for i in (0, 1)] == [0, 1])
    gathered = gather_needles(source, seed, 2, most, Form())
    assert len(gathered["en"]) == 2 * most
    with pytest.raises(ValueError, match=f"no more than {most} can stand together"):
        gather_needles(source, seed, 1, most + 1, Form())


@pytest.mark.parametrize("task", SHARED_TASKS)
def test_no_two_are_of_one_town(task: str) -> None:
    """Needles of different wordings, too, have subjects of their own: no town comes twice."""
    slots = SOURCES[task].slots
    for language, (needles,) in gather(task, 0, 1, 60).items():
        towns = {f"{s[language]}{e[language]}" for s in slots["start"] for e in slots["end"]}
        asked = [max((t for t in towns if t in n.question), key=len) for n in needles]
        assert len(set(asked)) == len(asked) == 61


def test_shipped_questions_are_nearly_as_long() -> None:
    """Questions of one shipped needle differ by 15 tokens at the most: no request is shorter."""
    count = load_counting("o200k_base").count
    for task in SHARED_TASKS:
        for language in LANGUAGES:
            drawn = [draw_needle(SOURCES[task], language, 0, number) for number in range(1_500)]
            lengths = [count(needle.question) for needle in drawn]
            assert max(lengths) - min(lengths) <= 15


def test_too_few_are_refused_in_one_line() -> None:
    """What to do is said where a needle can't fill a context, or lacks a language."""
    source = load_needle_source("san-francisco")
    with pytest.raises(
        UsageError, match=r"12.*no more than 1.*--layout shared.*--layout classic"
    ) as e:
        draw_together(source, "en", 0, 1, Form(), 11)
    assert "\n" not in str(e.value)
    with pytest.raises(UsageError, match="no zh wording"):
        draw_together(written("A bee is red", "A cow is blue"), "zh", 0, 1, Form(), 1)


def test_a_source_that_runs_out_begins_again() -> None:
    """Where all needles have come once, further replicates have them again, in their own order."""
    source = written("A bee is red", "A cow is blue", "A dog is green")
    drawn = gather_needles(source, 0, 4, 3, Form())["en"]
    assert Counter(drawn) == dict.fromkeys(drawn[:3], 4)
    assert count_draws(replace(source, variants=source.variants[:2])) == 2
