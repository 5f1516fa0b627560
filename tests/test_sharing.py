"""Laws 1 and 2 in shared contexts, in the small: any text, any sentences, any questions."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_context import HOSTILE, hostile
from texts import COUNTINGS, MIXED, counting_of, measure

from needle.contexts.context import SHORTFALL, Frame
from needle.contexts.counting import Counting, Measured
from needle.contexts.passages import find_boundaries
from needle.contexts.sharing import fit_together
from needle.edges.tokens import load_counting

FACTS = ("The blue teapot stands here.", "蓝茶壶在这里。", "<|endoftext|> 7!", "A", "“The end.”")
AFTERS = ("\n\nWhat?", "什么？", "'s it", "", "\n\nWhat is it that stands by the blue teapot here?")
SHARED = st.lists(
    st.tuples(st.sampled_from(AFTERS), st.sampled_from((0, 5, 40))), min_size=1, max_size=6
)


def frames_of(
    inserts: Sequence[str], separator: str, ends: Sequence[tuple[str, int]]
) -> list[Frame]:
    return [Frame(tuple(inserts), separator, "Text:\n", after, apart) for after, apart in ends]


def check_fit(
    passage: Measured, frames: Sequence[Frame], length: int, depths: Sequence[float]
) -> None:
    """Check laws 1 and 2 on one context and all that it is asked, put together from the end on."""
    boundaries = find_boundaries(passage.text)
    fitted, totals = fit_together(passage, boundaries, frames, length, depths)
    context = passage.text[: fitted.cut]
    for position, insert in zip(
        reversed(fitted.positions), reversed(frames[0].inserts), strict=True
    ):
        gap = frames[0].separator
        joined = gap + insert if position else insert + gap
        context = context[:position] + joined + context[position:]
    count = passage.counting.count
    assert totals == [f.apart + count(f"{f.before}{context}{f.after}") for f in frames]
    assert fitted.total == max(totals)
    assert 0 <= length - fitted.total <= SHORTFALL
    assert set(fitted.positions) <= {0, fitted.cut, *boundaries}
    assert list(fitted.positions) == sorted(fitted.positions)
    assert fitted.positions[-1] <= fitted.cut
    for depth, position in zip(depths, fitted.positions, strict=True):
        if depth in (0, 100):
            assert position == (0 if depth == 0 else fitted.cut)


@settings(max_examples=120, deadline=None)
@given(
    MIXED,
    st.lists(st.tuples(st.sampled_from(FACTS), st.floats(0, 100)), min_size=1, max_size=9),
    st.sampled_from((" ", "", "\n")),
    SHARED,
    COUNTINGS,
    st.integers(700, 3_000),
)
def test_exact_length(
    parts: list[str],
    planted: list[tuple[str, float]],
    separator: str,
    ends: list[tuple[str, int]],
    name: str,
    length: int,
) -> None:
    """Laws 1 and 2 hold for one context and all its questions, on any mixture of scripts."""
    text, counting = "".join(parts).strip(), counting_of(name)
    assume(counting.count(text) > 0)
    frames = frames_of([fact for fact, _ in planted], separator, ends)
    depths = sorted(depth for _, depth in planted)
    check_fit(measure(text, counting, length), frames, length, depths)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_haystacks(name: str) -> None:
    """Laws 1 and 2 hold for haystacks without spaces, ends or even letters."""
    frames = frames_of(FACTS[:3] * 3, " ", [(after, 25) for after in AFTERS])
    depths = [0, 0, 12, 12.5, 50, 77, 99, 100, 100]
    for encoding in ("o200k_base", "cl100k_base"):
        check_fit(measure(hostile(name), load_counting(encoding), 700), frames, 700, depths)


def test_a_counting_without_places_to_cut_at() -> None:
    """A tokenizer of which no place is known where counts add up is counted whole."""
    whole = replace(load_counting("o200k_base"), cut=None)
    text = "The tide comes in. Moss grows? Bread, and ink: yes! " * 60
    frames = frames_of(FACTS[:2], " ", [(after, 3) for after in AFTERS])
    check_fit(Measured(text, whole), frames, 400, [30, 100])


def test_joins_that_cost() -> None:
    """No question's prompt is too long where the joins of its own beginning cost units."""
    counting = Counting("joins", lambda text: len(text) + 6 * text.count(".?"))
    frames = [Frame(("n.",), " ", "", after, 0) for after in ("?", "!!!", "")]
    passage = Measured("So it is. " * 40, counting)
    for length in range(80, 100):
        check_fit(passage, frames, length, [100])


SENTENCES = st.lists(
    st.lists(st.sampled_from(("tide", "moss", "bread", "umbrellas")), min_size=1, max_size=9),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(SENTENCES, st.lists(st.floats(0.1, 99.9), min_size=1, max_size=8), st.integers(300, 900))
def test_nearest_boundary(sentences: list[list[str]], depths: list[float], length: int) -> None:
    """Each needle is at the sentence end nearest to its depth, whatever the others do."""
    counting, depths = load_counting("o200k_base"), sorted(depths)
    text, ends = "", []
    while counting.count(text) < length + 100:
        for sentence in sentences:
            text += " ".join(("Then", *sentence)) + "."
            ends.append(len(text))
            text += " "
    passage = Measured(text.rstrip(), counting)
    frames = frames_of(["A pewter kite is here."] * len(depths), " ", [("\n\nWhere?", 0)])
    fitted, _ = fit_together(passage, find_boundaries(passage.text), frames, length, depths)

    def tokens_before(place: int) -> int:
        return counting.count(text[:place])

    whole = tokens_before(fitted.cut)
    candidates = [0, *(end for end in ends if end < fitted.cut), fitted.cut]
    for depth, position, actual in zip(depths, fitted.positions, fitted.actual_depths, strict=True):
        off = [abs(tokens_before(place) - depth / 100 * whole) for place in candidates]
        assert abs(tokens_before(position) - depth / 100 * whole) == pytest.approx(min(off))
        assert actual == pytest.approx(100 * tokens_before(position) / whole, abs=0.001)
