"""Counts in the small: exact on any text, however hostile."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from texts import COUNTINGS, MIXED, counting_of

from needle.contexts.counting import Measured, Slice
from needle.edges.tokens import load_counting


@settings(max_examples=300, deadline=None)
@given(MIXED, st.integers(1, 12), COUNTINGS, st.data())
@example(["it's ", "x" * 60], 6, "o200k_base", None)
def test_counts_add_up(parts: list[str], times: int, name: str, data: st.DataObject | None) -> None:
    """A count put together from anchors equals encoding the whole text, for any text."""
    text, counting = "".join(parts) * times, counting_of(name)
    measured = Measured(text, counting)
    assert measured.total == counting.count(text)
    places = [len(text) // 3, 2 * len(text) // 3]
    if data is not None:
        places = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    for place in places:
        assert measured.before(place) == counting.count(text[:place])
    laid: list[str | Slice] = [
        "'s, ",
        Slice(0, places[0]),
        " The fact.",
        Slice(places[0], places[1]),
        "\n\nWhat?",
    ]
    joined = "'s, " + text[: places[0]] + " The fact." + text[places[0] : places[1]] + "\n\nWhat?"
    assert measured.count(laid) == counting.count(joined)


@settings(max_examples=40, deadline=None)
@given(MIXED, st.integers(1, 300), COUNTINGS)
def test_measuring_no_further_than_enough(parts: list[str], enough: int, name: str) -> None:
    """A text measured in part is a prefix that holds enough, and its total is exact."""
    text, counting = "".join(parts) * 5, counting_of(name)
    measured = Measured(text, counting, enough)
    assert text.startswith(measured.text)
    assert measured.total == counting.count(measured.text)
    assert measured.text == text or measured.total >= enough


def test_joins_at_an_anchor() -> None:
    """A count is exact where a slice begins or ends just where the running count is known."""
    counting = load_counting("o200k_base")
    text = "word,word." * 300
    measured = Measured(text, counting)
    start, end = measured.between(measured.total // 3, measured.total // 2)
    assert 0 < start < end < len(text)
    for literal in (",", ".", "s", " "):
        laid: list[str | Slice] = [Slice(0, start), literal, Slice(start, end), literal]
        joined = text[:start] + literal + text[start:end] + literal
        assert measured.count(laid) == counting.count(joined)
