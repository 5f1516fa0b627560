"""Laws 1-3 in the small: cuts and places on any text, however hostile."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from texts import COUNTED_IN_TOKENS, COUNTINGS, MIXED, counting_of, measure

from needle.contexts.context import SHORTFALL, Fitted, Frame, fit, plant, share_cut
from needle.contexts.counting import Counting, Measured
from needle.contexts.passages import find_boundaries
from needle.edges.tokens import load_counting

DEPTHS = (0, 0.5, 13, 37.5, 50, 88.8, 97, 99.9, 100)
FACTS = ("The blue teapot stands here.", "蓝茶壶在这里。", "<|endoftext|> 7!", "A", "“The end.”")
FRAMES = st.builds(
    Frame,
    inserts=st.lists(st.sampled_from(FACTS), max_size=9).map(tuple),
    separator=st.sampled_from((" ", "", "\n")),
    before=st.sampled_from(("", "Text:\n", "文：", "'", "x")),
    after=st.sampled_from(("\n\nWhat?", "什么？", "'s it", "")),
    apart=st.sampled_from((0, 40)),
)


def one(insert: str, separator: str = " ", after: str = "\n\nWhere?") -> Frame:
    return Frame((insert,), separator, "", after, 0)


def lay_out(frame: Frame, text: str, fitted: Fitted) -> str:
    """Put a message together as law 2 says, without the code under test: from the end on."""
    context = text[: fitted.cut]
    for position, insert in zip(reversed(fitted.positions), reversed(frame.inserts), strict=True):
        joined = frame.separator + insert if position else insert + frame.separator
        context = context[:position] + joined + context[position:]
    return frame.before + context + frame.after


def spread(frame: Frame, depth: float) -> list[float]:
    number = max(1, len(frame.inserts))
    return [depth + i * (100 - depth) / number for i in range(len(frame.inserts))]


def fit_all(passage: Measured, frame: Frame, length: int) -> list[Fitted]:
    boundaries = find_boundaries(passage.text)
    shared = share_cut(passage, frame, length)
    return [
        fit(passage, boundaries, frame, length, spread(frame, depth), shared) for depth in DEPTHS
    ]


def check(passage: Measured, frame: Frame, length: int, fits: Sequence[Fitted]) -> None:
    """Check laws 1 and 2 on one length's prompts at all depths."""
    boundaries = set(find_boundaries(passage.text))
    for depth, fitted in zip(DEPTHS, fits, strict=True):
        total = frame.apart + passage.counting.count(lay_out(frame, passage.text, fitted))
        assert fitted.total == total
        assert 0 <= length - total <= SHORTFALL
        assert set(fitted.positions) <= {0, fitted.cut} | boundaries
        assert list(fitted.positions) == sorted(fitted.positions)
        assert all(position <= fitted.cut for position in fitted.positions)
        if depth in (0, 100) and frame.inserts:
            assert fitted.positions[0] == (0 if depth == 0 else fitted.cut)
            assert fitted.actual_depths[0] == depth
        joined = "".join(
            passage.text[part.start : part.end] if not isinstance(part, str) else part
            for part in frame.lay_out(fitted.positions, fitted.cut)
        )
        assert joined == lay_out(frame, passage.text, fitted)
    firsts = [fitted.positions[:1] for fitted in fits]
    assert firsts == sorted(firsts)


@settings(max_examples=120, deadline=None)
@given(MIXED, FRAMES, COUNTINGS, st.integers(500, 3_000))
def test_exact_length(parts: list[str], frame: Frame, name: str, length: int) -> None:
    """Laws 1 and 2 hold for any mixture of scripts, code, addresses, emoji and odd Unicode."""
    text, counting = "".join(parts).strip(), counting_of(name)
    assume(counting.count(text) > 0)
    passage = measure(text, counting, length)
    check(passage, frame, length, fit_all(passage, frame, length))


def hostile(name: str) -> str:
    """Return a text that no haystack should be."""
    rng = random.Random(name)
    return {
        "one long word": "a" * 5_000,
        "random letters": "".join(rng.choice("abcdefgh") for _ in range(5_000)),
        "one sentence": "The tide comes in and the tide goes out " * 300 + "for ever.",
        "only new lines": "\n".join(rng.choice(("cat", "sat.", "Dog")) for _ in range(2_000)),
        "wide gaps": "".join(rng.choice(("cat", "Sat. ", " " * 150)) for _ in range(900)),
        "one character": "x",
        "one stop": "。",
        "special tokens": "<|endoftext|>" * 300,
        "two-token sentences": "Hi! No! Go! " * 300,
        "one-character sentences": "好！不！去！" * 300,
        "emoji alone": "".join(rng.choice("😀👩‍👩‍👧‍👦🇨🇳🫠") for _ in range(1_500)),
        "rare characters": "".join(chr(rng.randint(0x20000, 0x2A000)) for _ in range(900)),
        "piled accents": "a" + "\u0301" * 1_500,
        "digits": "".join(rng.choice("0123456789") for _ in range(3_000)),
        "unspaced Chinese": "".join(rng.choice("天地玄黄宇宙洪荒") for _ in range(2_000)),
        "unseen marks": "".join(rng.choice("\u202e\u200b\u200d\ufeffa") for _ in range(2_000)),
    }[name]


HOSTILE = (
    *("one long word", "random letters", "one sentence", "only new lines", "wide gaps"),
    *("one character", "one stop", "special tokens", "two-token sentences"),
    *("one-character sentences", "emoji alone", "rare characters", "piled accents", "digits"),
    *("unspaced Chinese", "unseen marks"),
)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_haystacks(name: str) -> None:
    """Laws 1 and 2 hold in both encodings for haystacks without spaces, ends or even letters."""
    two = ("The blue teapot stands here.", "The red one stands there.")
    frame = Frame(two, " ", "", "\n\nWhat stands here?", 25)
    for encoding in ("o200k_base", "cl100k_base"):
        passage = measure(hostile(name), load_counting(encoding), 700)
        check(passage, frame, 700, fit_all(passage, frame, 700))


def test_place_follows_a_moved_end() -> None:
    """A needle at the haystack's end stays there when the end is moved to fit the length."""
    counting = Counting("seven", lambda text: sum(7 if sign == "W" else 1 for sign in text))
    frame = one("n.", "", "")
    for length in range(60, 90):
        passage = Measured("W" * 40 + ". " + "W" * 40, counting)
        fits = fit_all(passage, frame, length)
        assert {fitted.positions[0] for fitted in fits} <= {0, 41, fits[-1].cut}
        check(passage, frame, length, fits)


@pytest.mark.parametrize("cost", range(SHORTFALL))
def test_joins_that_cost(cost: int) -> None:
    """No length is exceeded where a needle's joins cost units at some places and not at others."""
    counting = Counting("joins", lambda text: len(text) + cost * text.count(". n"))
    frame = one("n.", " ", "")
    passage = Measured("So it is. " * 40, counting)
    for length in range(80, 100):
        check(passage, frame, length, fit_all(passage, frame, length))


@given(
    st.lists(st.integers(0, 9), max_size=6).map(sorted),
    st.sampled_from((" ", "", "\n")),
    st.integers(9, 12),
)
def test_taking_out_leaves_the_haystack(positions: list[int], separator: str, cut: int) -> None:
    """Law 2: each insert has one separator of its own; without both, the haystack is left."""
    text = "abcdefghijkl"
    inserts = [f"[{number}]" for number in range(len(positions))]
    parts = plant(positions, inserts, cut, separator)
    context = "".join(
        part if isinstance(part, str) else text[part.start : part.end] for part in parts
    )
    for insert in inserts:
        assert context.count(insert) == 1
        whole = separator + insert if separator + insert in context else insert + separator
        context = context.replace(whole, "", 1)
    assert context == text[:cut]


def test_no_room() -> None:
    """A length without room for any haystack is refused, not filled with nothing."""
    passage = measure("The cat sat. ", load_counting("o200k_base"), 100)
    with pytest.raises(ValueError, match="no room"):
        share_cut(passage, one("word " * 40), 30)


SENTENCES = st.lists(
    st.lists(st.sampled_from(("tide", "moss", "bread", "a", "ink, ", "umbrellas")), min_size=1),
    min_size=1,
    max_size=25,
)


@settings(max_examples=120, deadline=None)
@given(SENTENCES, st.booleans(), COUNTED_IN_TOKENS, st.integers(120, 700), st.floats(0.1, 99.9))
def test_nearest_boundary(
    sentences: list[list[str]], chinese: bool, encoding: str, length: int, depth: float
) -> None:
    """The needle is at the sentence end nearest to the depth, by a count of all of them."""
    counting = load_counting(encoding)
    sign, gap, word_gap = ("。", "", "") if chinese else (".", " ", " ")
    words = {"tide": "潮水", "moss": "苔藓", "bread": "面包", "a": "一", "ink, ": "墨，"}
    text = ""
    ends: list[int] = []
    while counting.count(text) < length + 100:
        for sentence in sentences:
            said = [words.get(word, "雨伞") if chinese else word for word in sentence]
            text += word_gap.join(("Then", *said)).rstrip() + sign
            ends.append(len(text))
            text += gap
    passage = Measured(text.rstrip(), counting)
    frame = one("The pewter kite is here.", "" if chinese else " ")
    shared = share_cut(passage, frame, length)
    fitted = fit(passage, find_boundaries(passage.text), frame, length, (depth,), shared)
    (position,) = fitted.positions

    def tokens_before(place: int) -> int:
        return counting.count(text[:place])

    whole = tokens_before(fitted.cut)
    candidates = [0, *(end for end in ends if end < fitted.cut), fitted.cut]
    assert position in candidates
    target = depth / 100 * whole
    nearest = min(abs(tokens_before(place) - target) for place in candidates)
    assert abs(tokens_before(position) - target) == pytest.approx(nearest)
    assert fitted.actual_depths[0] == pytest.approx(
        100 * tokens_before(position) / whole, abs=0.001
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=12), COUNTINGS, st.integers(500, 1_500))
def test_actual_depth_is_monotone(depths: list[float], name: str, length: int) -> None:
    """A greater depth asked for never gives a lesser actual depth."""
    text = "The tide comes in. Moss grows? 潮水涨了。“好！”他说。 Bread, and ink: yes!\n\n" * 3
    passage = measure(text, counting_of(name), length)
    frame = one("The pewter kite is here.")
    boundaries, shared = find_boundaries(passage.text), share_cut(passage, frame, length)
    actual = [
        fit(passage, boundaries, frame, length, (depth,), shared).actual_depths
        for depth in sorted(depths)
    ]
    assert actual == sorted(actual)


@pytest.mark.parametrize(
    ("text", "breaks"), [("plain words go on. " * 400, " "), ("潮水" * 900, "")]
)
def test_cut_between_words(text: str, breaks: str) -> None:
    """A haystack of plain words ends between two words, of Chinese between two characters."""
    passage = measure(text, load_counting("o200k_base"), 900)
    frame = one("The pewter kite is here.")
    for length in range(500, 900, 13):
        for fitted in fit_all(passage, frame, length):
            rest = passage.text[fitted.cut :]
            assert not breaks or rest[0].isspace()
            assert not passage.text[fitted.cut - 1].isspace()
