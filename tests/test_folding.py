"""Folding: the one form that replies and answers go through, and finding one in the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.scoring.folding import fold, holds, plain


@given(st.text())
def test_folding_is_settled(text: str) -> None:
    """A folded text has no upper case, no doubled space and no punctuation but in numbers."""
    folded = fold(text)
    assert "  " not in folded
    assert folded == folded.strip()
    assert not set(folded) & set("，。！？；“”（）,;!?\"'()[]{}*_")


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        *(("A PEWTER TEAPOT!", "pewter teapot"), ("**pewter** _teapot_", "Pewter Teapot")),
        *(("pewter\nteapot", "pewter teapot"), ("pewter-teapot", "pewter teapot")),
        *(("“pewter teapot”", "pewter teapot"), ("ｐｅｗｔｅｒ　ｔｅａｐｏｔ", "pewter teapot")),
        *(("pewter teapots", "pewter teapot"), ("sandwiches", "sandwich")),
        *(("caf\u00e9", "cafe\u0301"), ("ﬁsh", "fish"), ("STRASSE", "Straße")),
        *(("tea\u00adpot", "teapot"), ("tea\u200bpot", "teapot"), ("\ufeffteapot", "teapot")),
        *(("Xiaoming’s lab", "Xiaoming's lab"), ("the O'Hara kite", "O’Hara kite")),
        *(("錫茶壺", "锡茶壶"), ("是一把錫茶壺。", "锡茶壶"), ("锡茶壶", "錫茶壺")),
        *(("锡 茶 壶", "锡茶壶"), ("“锡茶壶”。", "锡茶壶"), ("他带着锡茶壶走", "锡茶壶")),
        *(("吃三明治", "三明治"), ("3明治", "三明治"), ("上海ＡＩ实验室", "上海AI实验室")),
        *(
            ("多洛雷斯公園", "多洛雷斯公园"),
            ("一支琺瑯長笛", "珐琅长笛"),
            ("這裏的風向標", "风向标"),
        ),
        *(("答：teapot。", "teapot"), ("是teapot吗", "teapot")),
    ],
)
def test_held(reply: str, answer: str) -> None:
    """An answer is found whatever its case, width, punctuation, spacing or characters' form."""
    assert holds(fold(reply), answer)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        *(("scatter", "cat"), ("cathedral", "cat"), ("concatenate", "cat"), ("kitef", "kite")),
        *(("teapotted", "teapot"), ("a cat8", "cat"), ("8cat", "cat"), ("bécat", "cat")),
        *(("teapot pewter", "pewter teapot"), ("pewter and teapot", "pewter teapot")),
        *(("锡的茶壶", "锡茶壶"), ("锡茶", "锡茶壶"), ("", "teapot"), ("...", "teapot")),
        *(("anything at all", ""), ("anything at all", "...")),
    ],
)
def test_not_held(reply: str, answer: str) -> None:
    """A Latin word inside a longer one, words in another order or apart, are no answer."""
    assert not holds(fold(reply), answer)


@pytest.mark.parametrize(
    ("reply", "answer", "held"),
    [
        *(("一万五千两", "15000两", True), ("1.5万两", "15000两", True), ("三两", "3两", True)),
        *(("15000两银子", "15000两", True), ("两百两", "200两", True), ("两千", "2000", True)),
        *(("一百两", "102", False), ("15000两", "150002", False), ("两个", "2个", True)),
    ],
)
def test_a_weight_is_no_digit(reply: str, answer: str, held: bool) -> None:
    """两 is two before a unit or a thing, and the weight behind a number."""
    assert holds(fold(reply), answer) is held


@given(st.text())
def test_plain_keeps_punctuation(text: str) -> None:
    """A plain text has one case and width, and folds to what the text itself folds to."""
    assert plain(text) == plain(plain(text))
    assert fold(plain(text)) == fold(text)
