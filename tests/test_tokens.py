"""Counting tokenizers: as exact as the libraries, and cut only where counts add up."""

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.contexts.context import SHORTFALL, Frame, fit, share_cut
from needle.contexts.counting import Measured, Slice
from needle.contexts.passages import find_boundaries
from needle.edges.files import shipped
from needle.edges.tokens import ENCODINGS, HANZI, count_hanzi, load_counting
from needle.words.errors import UsageError

tokenizers: Any = pytest.importorskip("tokenizers")
PRE = tokenizers.pre_tokenizers
NORM = tokenizers.normalizers

PROSE = "".join(
    shipped("haystacks", "essays", language, name).read_text(encoding="utf-8")
    for language in ("en", "zh")
    for name in ("01-soil.txt", "19-ink.txt")
)
ODD_LINES = (
    "“No!” said the baker's boy; it's 3.14 o'clock.\n\nZürich слово かな 한글 😀\n"
    "https://example.com/a?b=c#d def f(x): return x\n"
)
ODD = st.lists(
    st.text(max_size=8)
    | st.sampled_from(("word", " ", ", ", "我们", "。", "<|endoftext|>", "'s ")),
    min_size=1,
    max_size=80,
).map("".join)


@settings(max_examples=100, deadline=None)
@given(ODD, st.sampled_from(ENCODINGS))
def test_counts_are_tiktokens(text: str, name: str) -> None:
    """A count is that of tiktoken itself, special tokens read as plain text."""
    counted = load_counting(name).count(text)  # first: it brings the ranks for tiktoken too
    assert counted == len(tiktoken.get_encoding(name).encode_ordinary(text))


@settings(max_examples=200, deadline=None)
@given(ODD, st.sampled_from(("o200k_base", "cl100k_base")))
def test_encodings_cut_where_they_say(text: str, name: str) -> None:
    """At every place where counts are said to add up, the tokens before and after do."""
    counting, encode = load_counting(name), tiktoken.get_encoding(name).encode_ordinary
    assert counting.cut is not None
    for match in counting.cut.finditer(text):
        place = match.start()
        assert encode(text) == encode(text[:place]) + encode(text[place:])


def test_encodings_are_cut_often() -> None:
    """English and Chinese prose hold a place to cut at in every few dozen characters."""
    for text in (
        "The tide comes in, and it goes out. " * 30,
        "潮水涨了又退了，石头还在。" * 30,
    ):
        cut = load_counting("o200k_base").cut
        assert cut is not None
        places = [match.start() for match in cut.finditer(text)]
        assert max(b - a for a, b in itertools.pairwise(places)) < 30


def test_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading an encoding leaves the environment as it was."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    load_counting.cache_clear()
    before = dict(os.environ)
    load_counting("cl100k_base")
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("潮水涨了，又退了。", 9),
        ("〇、“好”……", 7),
        ("3 words, and 2 marks!", 2),
        ("𠮷野家", 3),
        ("（ＡＢＣ１２３）", 2),
        ("かな カナ 한글", 0),
        ("a b\n\tc\u3000d", 0),
        ("《红楼梦》——第一回", 10),
        ("$ + < > = ^ ` | ~", 0),
    ],
)
def test_hanzi(text: str, count: int) -> None:
    """Hanzi are Han characters and punctuation; no letter, digit, space or sum sign is one."""
    assert count_hanzi(text) == HANZI.count(text) == count


@given(st.text(), st.text())
def test_hanzi_add_up(one: str, other: str) -> None:
    """Hanzi add up wherever a text is cut."""
    assert count_hanzi(one + other) == count_hanzi(one) + count_hanzi(other)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt2", "unknown tokenizer 'gpt2'.*--tokenizer.*o200k_base"),
        ("nowhere/tokenizer.json", "no such file.*--tokenizer"),
        ("bad.json", "not a Hugging Face tokenizer.json"),
    ],
)
def test_unknown_tokenizers(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tokenizer that can't be had ends in one line that names it and the option."""
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{"not": "one"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load_counting(name)
    assert "\n" not in str(caught.value)


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    """Train a tiny tokenizer, and save it."""

    def train(pre: Any, norm: Any = None, size: int = 500) -> Path:
        tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        if pre is not None:
            tokenizer.pre_tokenizer = pre
        if norm is not None:
            tokenizer.normalizer = norm
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=PRE.ByteLevel.alphabet(),
            show_progress=False,
            max_token_length=16,
        )
        tokenizer.train_from_iterator(re.findall(r"[^\n]{1,200}\n*", PROSE), trainer)
        path = tmp_path / "tokenizer.json"
        tokenizer.save(str(path))
        return path

    return train


KINDS = {
    "byte level": (lambda: PRE.ByteLevel(add_prefix_space=False), lambda: None),
    "byte level, prefix space": (lambda: PRE.ByteLevel(add_prefix_space=True), lambda: None),
    "no pre-tokenizer": (lambda: None, lambda: None),
    "metaspace": (PRE.Metaspace, lambda: None),
    "punctuation, first metaspace": (
        lambda: PRE.Sequence([PRE.Punctuation(), PRE.Metaspace(prepend_scheme="first")]),
        lambda: None,
    ),
    "whitespace": (PRE.Whitespace, lambda: None),
    "lower-case": (lambda: PRE.ByteLevel(add_prefix_space=False), NORM.Lowercase),
    "stripped": (lambda: PRE.ByteLevel(add_prefix_space=False), NORM.Strip),
    "prefixed": (lambda: PRE.ByteLevel(add_prefix_space=False), lambda: NORM.Prepend("_")),
    "bert": (PRE.BertPreTokenizer, NORM.BertNormalizer),
}


@pytest.mark.parametrize("kind", KINDS)
def test_hugging_face(kind: str, train: Callable[..., Path]) -> None:
    """Law 1 holds for any tokenizer.json: with or without a pre-tokenizer or normalizer."""
    make_pre, make_norm = KINDS[kind]
    path = train(make_pre(), make_norm())
    encode = tokenizers.Tokenizer.from_file(str(path)).encode
    counting = load_counting(str(path))

    def count(text: str) -> int:
        return len(encode(text, add_special_tokens=False).ids)

    text = PROSE[:1_500] + ODD_LINES + "A <|endoftext|> B. " + PROSE[-4_000:]
    measured = Measured(text, counting)
    assert measured.total == count(text)
    frame = Frame(("The blue teapot stands here.",), " ", "Text:\n", "\n\nWhat?", 0)
    length = measured.total // 2
    boundaries, shared = find_boundaries(text), share_cut(measured, frame, length)
    for depth in (0, 20, 50, 77, 100):
        fitted = fit(measured, boundaries, frame, length, (depth,), shared)
        parts = frame.lay_out(fitted.positions, fitted.cut)
        joined = "".join(
            text[part.start : part.end] if isinstance(part, Slice) else part for part in parts
        )
        assert fitted.total == count(joined)
        assert 0 <= length - fitted.total <= SHORTFALL


def test_hugging_face_is_fast_where_it_may(train: Callable[..., Path]) -> None:
    """Counts are put together where the pre-tokenizer cuts as tiktoken's do, and only there."""
    assert load_counting(str(train(PRE.ByteLevel(add_prefix_space=False)))).cut is not None
    load_counting.cache_clear()
    assert load_counting(str(train(None))).cut is None


def test_hugging_face_names_tell_files_apart(train: Callable[..., Path]) -> None:
    """A tokenizer.json's name changes with its content: it goes into every key."""
    pre = PRE.ByteLevel(add_prefix_space=False)
    one = load_counting(str(train(pre))).name
    load_counting.cache_clear()
    other = load_counting(str(train(pre, size=400))).name
    assert one != other
    assert re.fullmatch(r"[^/]+/tokenizer\.json@[0-9a-f]{12}", one)


def test_a_hugging_face_name_is_the_same_from_anywhere(
    train: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tokenizer.json has one name, however its path is written and wherever it is read from."""
    path = train(None)
    named = load_counting(str(path)).name
    load_counting.cache_clear()
    monkeypatch.chdir(path.parent)
    assert load_counting(path.name).name == named
