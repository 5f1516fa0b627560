"""No long stretch of a haystack is left in a text, and nothing else is taken out of it."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from needle.edges.corpus import find_haystacks
from needle.telling.quotes import LONGEST, index_texts, leave_out

TEXTS = {
    language: [text for _, text in haystack.files]
    for language, haystack in find_haystacks(("essays",)).items()
}
BLOCKS = index_texts(text for texts in TEXTS.values() for text in texts)
SHORT = st.text(max_size=60)
PIECES = st.one_of(
    SHORT,
    st.tuples(
        st.sampled_from([text for texts in TEXTS.values() for text in texts]),
        st.integers(0, 3_000),
        st.integers(0, 900),
    ).map(lambda cut: cut[0][cut[1] : cut[1] + cut[2]]),
)


def holds_long(text: str) -> bool:
    """Tell by plain search, place by place, whether a text holds a long stretch."""
    return any(
        text[start : start + LONGEST] in whole
        for start in range(len(text) - LONGEST + 1)
        for whole in BLOCKS.texts
    )


@given(st.lists(PIECES, max_size=4).map("".join))
def test_no_long_stretch_is_left(text: str) -> None:
    """Whatever pieces of a haystack a text holds, no long stretch is left of them."""
    assert not holds_long(leave_out(text, BLOCKS))


@given(st.lists(PIECES, max_size=4).map("".join))
def test_the_rest_stays(text: str) -> None:
    """What is left out is a stretch of a haystack; all around it stays as it was."""
    cut = leave_out(text, BLOCKS)
    if not holds_long(text):
        assert cut == text
        return
    rest = text
    for kept, number in re.findall(r"(.*?)\[… ([\d,]+) …\]", cut, re.DOTALL):
        length = int(number.replace(",", ""))
        assert length >= LONGEST
        assert rest.startswith(kept)
        gone, rest = rest[len(kept) : len(kept) + length], rest[len(kept) + length :]
        assert any(gone in whole for whole in BLOCKS.texts)
    assert cut.endswith(rest)


def test_it_is_quick_on_long_texts() -> None:
    """A text as long as a context, all of it quoted or none, takes a moment and not minutes."""
    whole = "\n\n".join(TEXTS["en"])
    started = time.perf_counter()
    assert len(leave_out(whole, BLOCKS)) < 5_000
    same = leave_out("x" * len(whole), index_texts(["x" * 10_000, *TEXTS["en"]]))
    assert len(same) < 5_000
    assert time.perf_counter() - started < 10
