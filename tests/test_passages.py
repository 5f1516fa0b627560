"""Passages: how a haystack is read, and where its sentences end."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import haystack_of

from needle.contexts.passages import (
    FILE_GAP,
    draw_offset,
    find_boundaries,
    read_passage,
    read_passes,
)


@pytest.mark.parametrize(
    "marked",
    [
        "He sat.| She stood.| “Is it?” he asked.| Then nothing",
        "“Go.”| Then he left!|\n\nA new paragraph?| (So it is.)| End",
        "Mr. Hill met Dr. F. Lee at 3.15 p.m. on St. Ann's Day.| They sat",
        "See e.g. the file x.txt, or www.example.com.| End",
        "“你好吗？”|他走了。|“好！”，他说。|后来……|他又来了！！|真的？！|完",
        "他说：「好。」|她说：『不。』|（完。）|再见",
        "真的？!他想……，然后（为什么？）、走了。|完",
        "Wait... what?| Well…|Then 好。|Yes.| 不",
    ],
)
def test_boundaries(marked: str) -> None:
    """A boundary is after an end and its closing quotes, and nowhere inside a sentence."""
    text, expected, place = marked.replace("|", ""), [], 0
    for part in marked.split("|")[:-1]:
        place += len(part)
        expected.append(place)
    assert list(find_boundaries(text)) == expected


TEXTS = st.lists(
    st.text("ab.\n ", min_size=1, max_size=40).map(str.strip).filter(bool), min_size=1, max_size=6
)


@settings(max_examples=60)
@given(TEXTS, st.integers(0, 5), st.integers(0, 3), st.integers(1, 500), st.integers(1, 500))
def test_longer_passages_begin_alike(
    texts: list[str], replicate: int, seed: int, one: int, other: int
) -> None:
    """Law 3: a longer reading of a haystack begins with the shorter one."""
    haystack = haystack_of(*texts)
    offset = draw_offset(haystack, seed, replicate)
    short, long = sorted((one, other))
    assert len(read_passage(haystack, offset, short)) >= short
    assert read_passage(haystack, offset, long).startswith(read_passage(haystack, offset, short))


def test_passes_hold_every_file_in_fresh_orders() -> None:
    """Each further pass reads every file once, in an order of its own, the same each time."""
    texts = [f"File number {number}." for number in range(12)]
    haystack = haystack_of(*texts)
    passes = read_passes(haystack, 0)
    read = [next(passes).split(FILE_GAP) for _ in range(5)]
    assert read[0] == texts
    assert all(sorted(one) == sorted(texts) for one in read)
    assert len({tuple(one) for one in read}) == 5
    again = read_passes(haystack, 0)
    assert [next(again).split(FILE_GAP) for _ in range(5)] == read


def test_offsets() -> None:
    """The first replicate reads from the start, others from paragraphs of their own draws."""
    text = "\n\n".join(f"Paragraph {number} is here." for number in range(300))
    haystack = haystack_of(text)
    state = random.getstate()
    drawn = [draw_offset(haystack, 7, replicate) for replicate in range(20)]
    assert random.getstate() == state
    assert drawn[0] == 0
    assert all(text[place:].startswith("Paragraph ") for place in drawn)
    assert len(set(drawn)) > 15
    assert drawn == [draw_offset(haystack, 7, replicate) for replicate in range(20)]
    assert drawn[1:] != [draw_offset(haystack, 8, replicate) for replicate in range(1, 20)]
    round_again = read_passage(haystack, drawn[1], len(text) - 5)
    assert round_again.startswith(text[drawn[1] :] + FILE_GAP + text[:50])
