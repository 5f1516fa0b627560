"""Laws 1-3 in the small: counts, cuts and places on any text, however hostile."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from needle.context import (
    FILE_GAP,
    SHORTFALL,
    Counting,
    Fitted,
    Frame,
    Measured,
    Slice,
    draw_offset,
    find_boundaries,
    fit,
    read_passage,
    read_passes,
    share_cut,
)
from needle.tokens import HANZI, load_counting
from needle.types import Haystack

DEPTHS = (0, 0.5, 13, 37.5, 50, 88.8, 97, 99.9, 100)
FRAGMENTS = (
    *("The cat sat on the mat. ", "He said “No.” Then he left. ", "No! Yes! ", "it's ", "DON'T "),
    *(
        "你好吗？",
        "“好！”，他说。",
        "他走了……然后回来。",
        "《书》、",
        "。",
        "\u3000",
        "𠮷野家",
        "Ｆｕｌｌ",
    ),
    *(
        "https://example.com/a/b?c=d&e=f#g ",
        "def f(x):\n    return x**2\n\n",
        "1234567890",
        "3.14 ",
    ),
    *(
        "3.14 ",
        "😀",
        "👩‍👩‍👧‍👦",
        "🇨🇳",
        "a\u0301",
        "\u202eabc",
        "\u200b",
        "ﬁ",
        "ʰ",
        "ª º ",
        "ǅ ",
        "\u00a0",
    ),
    *("नमस्ते दुनिया। ", "สวัสดีชาวโลก", "한국어 문장. ", "שלום. ", "слово. ", "Zürich, ", "かな"),
    *("\n", "   ", "\t", " \n \n ", "<|endoftext|>", "'s", "’s", "—", "...", "x" * 60, "isn't,"),
)
MIXED = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=12), min_size=1, max_size=60)
COUNTINGS = st.sampled_from(("o200k_base", "cl100k_base", "hanzi"))
COUNTED_IN_TOKENS = st.sampled_from(("o200k_base", "cl100k_base"))
FRAMES = st.builds(
    Frame,
    needle=st.sampled_from(("The blue teapot stands here.", "蓝茶壶在这里。", "<|endoftext|> 7!")),
    separator=st.sampled_from((" ", "", "\n")),
    before=st.sampled_from(("", "Text:\n", "文：", "'", "x")),
    after=st.sampled_from(("\n\nWhat?", "什么？", "'s it", "")),
    apart=st.sampled_from((0, 40)),
)


def counting_of(name: str) -> Counting:
    return HANZI if name == "hanzi" else load_counting(name)


def haystack_of(*texts: str) -> Haystack:
    files = tuple((f"{number}.txt", text) for number, text in enumerate(texts))
    return Haystack("h", "en", files, "0" * 64, "h")


def measure(text: str, counting: Counting, length: int) -> Measured:
    """Measure a text, read over and over, a little further than a length."""
    haystack, characters = haystack_of(text), length
    while counting.count(read := read_passage(haystack, 0, characters)) < length + 300:
        characters *= 2
    return Measured(read, counting, length + 200)


def lay_out(frame: Frame, text: str, fitted: Fitted) -> str:
    """Put a message together as law 2 says, without the code under test."""
    hay = text[: fitted.cut]
    if fitted.position == 0:
        context = frame.needle + frame.separator + hay
    else:
        context = hay[: fitted.position] + frame.separator + frame.needle + hay[fitted.position :]
    return frame.before + context + frame.after


def fit_all(passage: Measured, frame: Frame, length: int) -> list[Fitted]:
    boundaries = find_boundaries(passage.text)
    shared = share_cut(passage, frame, length)
    return [fit(passage, boundaries, frame, length, depth, shared) for depth in DEPTHS]


def check(passage: Measured, frame: Frame, length: int, fits: Sequence[Fitted]) -> None:
    """Check laws 1 and 2 on one length's prompts at all depths."""
    boundaries = set(find_boundaries(passage.text))
    for depth, fitted in zip(DEPTHS, fits, strict=True):
        total = frame.apart + passage.counting.count(lay_out(frame, passage.text, fitted))
        assert fitted.total == total
        assert 0 <= length - total <= SHORTFALL
        assert fitted.position in {0, fitted.cut} | boundaries
        assert fitted.position <= fitted.cut
        if depth in (0, 100):
            assert fitted.position == (0 if depth == 0 else fitted.cut)
            assert fitted.actual_depth_percent == depth
    places = [fitted.position for fitted in fits]
    assert places == sorted(places)


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
    frame = Frame("The blue teapot stands here.", " ", "", "\n\nWhat stands here?", 25)
    for encoding in ("o200k_base", "cl100k_base"):
        passage = measure(hostile(name), load_counting(encoding), 700)
        check(passage, frame, 700, fit_all(passage, frame, 700))


def test_place_follows_a_moved_end() -> None:
    """A needle at the haystack's end stays there when the end is moved to fit the length."""
    counting = Counting("seven", lambda text: sum(7 if sign == "W" else 1 for sign in text))
    frame = Frame("n.", "", "", "", 0)
    for length in range(60, 90):
        passage = Measured("W" * 40 + ". " + "W" * 40, counting)
        fits = fit_all(passage, frame, length)
        assert {fitted.position for fitted in fits} <= {0, 41, fits[-1].cut}
        check(passage, frame, length, fits)


@pytest.mark.parametrize("cost", range(SHORTFALL))
def test_joins_that_cost(cost: int) -> None:
    """No length is exceeded where a needle's joins cost units at some places and not at others."""
    counting = Counting("joins", lambda text: len(text) + cost * text.count(". n"))
    frame = Frame("n.", " ", "", "", 0)
    passage = Measured("So it is. " * 40, counting)
    for length in range(80, 100):
        check(passage, frame, length, fit_all(passage, frame, length))


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


def test_no_room() -> None:
    """A length without room for any haystack is refused, not filled with nothing."""
    passage = measure("The cat sat. ", load_counting("o200k_base"), 100)
    with pytest.raises(ValueError, match="no room"):
        share_cut(passage, Frame("word " * 40, " ", "", "\n\nWhat?", 0), 30)


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
    frame = Frame("The pewter kite is here.", "" if chinese else " ", "", "\n\nWhere?", 0)
    shared = share_cut(passage, frame, length)
    fitted = fit(passage, find_boundaries(passage.text), frame, length, depth, shared)

    def tokens_before(place: int) -> int:
        return counting.count(text[:place])

    whole = tokens_before(fitted.cut)
    candidates = [0, *(end for end in ends if end < fitted.cut), fitted.cut]
    assert fitted.position in candidates
    target = depth / 100 * whole
    nearest = min(abs(tokens_before(place) - target) for place in candidates)
    assert abs(tokens_before(fitted.position) - target) == pytest.approx(nearest)
    assert fitted.actual_depth_percent == pytest.approx(
        100 * tokens_before(fitted.position) / whole, abs=0.001
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=2, max_size=12), COUNTINGS, st.integers(500, 1_500))
def test_actual_depth_is_monotone(depths: list[float], name: str, length: int) -> None:
    """A greater depth asked for never gives a lesser actual depth."""
    text = "The tide comes in. Moss grows? 潮水涨了。“好！”他说。 Bread, and ink: yes!\n\n" * 3
    passage = measure(text, counting_of(name), length)
    frame = Frame("The pewter kite is here.", " ", "", "\n\nWhere?", 0)
    boundaries, shared = find_boundaries(passage.text), share_cut(passage, frame, length)
    actual = [
        fit(passage, boundaries, frame, length, depth, shared).actual_depth_percent
        for depth in sorted(depths)
    ]
    assert actual == sorted(actual)


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


@pytest.mark.parametrize(
    ("text", "breaks"), [("plain words go on. " * 400, " "), ("潮水" * 900, "")]
)
def test_cut_between_words(text: str, breaks: str) -> None:
    """A haystack of plain words ends between two words, of Chinese between two characters."""
    passage = measure(text, load_counting("o200k_base"), 900)
    frame = Frame("The pewter kite is here.", " ", "", "\n\nWhere?", 0)
    for length in range(500, 900, 13):
        for fitted in fit_all(passage, frame, length):
            rest = passage.text[fitted.cut :]
            assert not breaks or rest[0].isspace()
            assert not passage.text[fitted.cut - 1].isspace()


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
