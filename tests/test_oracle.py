"""The oracle: a perfect reader of every shipped needle, handed nothing but their wordings."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.contexts.needles import Form, draw_needle
from needle.contexts.tasks import FAMILIES, TASKS
from needle.edges.needlefiles import choose_sources, list_needles, load_needle_source
from needle.scoring.scorers import recall_answers
from needle.simulated.oracle import answer, learn
from needle.simulated.reader import NOT_SAID
from needle.simulated.reader import answer as answer_by_words
from needle.words.types import LANGUAGES, Language, Needle

LESSONS = learn(map(load_needle_source, list_needles()))
FILLER = {
    "en": "The tide comes in. Moss grows on the wall, and nobody minds. So it goes.",
    "zh": "潮水涨了。墙上长了青苔，谁也不在意。日子就这么过。",
}


def draw(task: str, language: Language, seed: int, replicate: int, count: int) -> Needle:
    family = FAMILIES[task]
    (source,) = choose_sources((task,), None).values()
    count = min(max(count, family.least), family.most)
    return draw_needle(source, language, seed, replicate, Form(task, count))


DRAWN = st.builds(
    draw,
    st.sampled_from(TASKS),
    st.sampled_from(LANGUAGES),
    st.integers(0, 9),
    st.integers(0, 200),
    st.integers(1, 10),
)


def ask(needle: Needle, *texts: str) -> str:
    """Return a prompt with texts spread over a context of a few sentences each."""
    filler = FILLER[needle.language]
    gap = " " if needle.language == "en" else ""
    context = gap.join((filler, *(f"{text}{gap}{filler}" for text in texts)))
    return f"{context}\n\n{needle.question}"


@settings(max_examples=200, deadline=None)
@given(DRAWN)
def test_a_perfect_reader_finds_every_fact(needle: Needle) -> None:
    """Whatever is drawn, in either language, all facts are found, among distractors too."""
    others = [each.text for each in needle.distractors]
    said = answer(ask(needle, *others, *needle.facts), LESSONS)
    assert recall_answers(needle, said.text).share == 1
    assert said.start is not None


@settings(max_examples=200, deadline=None)
@given(DRAWN, st.data())
def test_only_what_is_there_and_seen_is_said(needle: Needle, data: st.DataObject) -> None:
    """Without a fact its share is lost, a chain is broken, and a distractor is no answer."""
    lost = data.draw(st.integers(0, len(needle.facts) - 1))
    left = [fact for number, fact in enumerate(needle.facts) if number != lost]
    others = [each.text for each in needle.distractors]
    said = answer(ask(needle, *others, *left), LESSONS)
    share = len(left) / len(needle.facts) if needle.task == "multi" else 0
    assert recall_answers(needle, said.text).share == pytest.approx(share)
    if not share:
        assert said.text == NOT_SAID[needle.language]
    hidden = needle.facts[lost]
    prompt = ask(needle, *others, *needle.facts)
    context = prompt.rpartition("\n\n")[0]
    place = 100 * context.index(hidden) / len(context)
    unseen = answer(prompt, LESSONS, lambda depth: abs(depth - place) > 1e-9)
    assert recall_answers(needle, unseen.text).share == pytest.approx(share)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_classic_needles_too(language: Language) -> None:
    """Needles without slots are read by their wording as well."""
    for name in ("san-francisco", "xiaoming"):
        needle = draw_needle(load_needle_source(name), language, 0, 0)
        assert answer(ask(needle, *needle.facts), LESSONS).text == needle.facts[0]
        assert answer(ask(needle), LESSONS).start is None


def test_no_text_at_all() -> None:
    """A question without a context is answered by nothing."""
    for task in TASKS:
        for language in LANGUAGES:
            needle = draw(task, language, 0, 0, 3)
            assert answer(needle.question, LESSONS).text == NOT_SAID[language]


def test_a_question_of_ones_own_is_read_by_words() -> None:
    """What no wording fits is read as the lexical reader reads it."""
    prompt = "Rain fell. The kettle of Velmora sings.\n\nWhat does the kettle of Velmora do?"
    assert answer(prompt, LESSONS) == answer_by_words(prompt)
    assert "sings" in answer(prompt, LESSONS).text
