"""Numbers however written: 3, 三, ３ and three are one, and none stands inside another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.scoring.folding import fold, holds

DIGITS = "零一二三四五六七八九"
FORMAL = str.maketrans("零一二三四五六七八九十百千", "〇壹贰叁肆伍陆柒捌玖拾佰仟")
SMALL = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def say_chinese(number: int) -> str:
    """Say a number under a million million in Chinese, the whole of it written out."""
    if number == 0:
        return "零"
    said, gap = "", False
    for unit, name in (
        (10**8, "亿"),
        (10_000, "万"),
        (1_000, "千"),
        (100, "百"),
        (10, "十"),
        (1, ""),
    ):
        count, number = divmod(number, unit)
        if not count:
            gap = bool(said)
            continue
        said += "零" if gap else ""
        said += (say_chinese(count) if count > 9 else DIGITS[count]) + name
        gap = False
    return said


def say_english(number: int, joined: str = " and ") -> str:
    """Say a number under a thousand million in English."""
    for unit, name in ((1_000_000, "million"), (1_000, "thousand")):
        if number >= unit:
            count, rest = divmod(number, unit)
            tail = (joined if rest < 100 else " ") + say_english(rest, joined) if rest else ""
            return f"{say_english(count, joined)} {name}{tail}"
    if number >= 100:
        count, rest = divmod(number, 100)
        return f"{SMALL[count]} hundred" + (joined + say_english(rest) if rest else "")
    if number >= 20:
        tens, rest = divmod(number, 10)
        return TENS[tens - 2] + (f"-{SMALL[rest]}" if rest else "")
    return SMALL[number]


def ways(number: int) -> list[str]:
    """Return the ways in which people write a number."""
    digits = str(number)
    chinese = say_chinese(number)
    myriads, rest = divmod(number, 10_000)
    return [
        digits,
        digits.translate({ord(str(d)): chr(0xFF10 + d) for d in range(10)}),
        f"{number:,}",
        f"{number:,}".replace(",", "，"),
        chinese,
        chinese.translate(FORMAL),
        chinese.replace("万", "萬").replace("亿", "億"),
        say_english(number),
        say_english(number, " ").upper(),
        say_english(number).replace("-", " "),
        *([f"{myriads}万{rest}"] if myriads and rest >= 1_000 else []),
        *([f"{myriads}万"] if myriads and not rest else []),
    ]


NUMBERS = (
    st.integers(0, 99)
    | st.integers(0, 9_999)
    | st.integers(0, 10**9 - 1)
    | st.integers(1, 99_999).map(lambda n: n * 10_000)
)


@given(NUMBERS)
def test_every_way_is_one(number: int) -> None:
    """However a number is written, it folds to the same digits and is held by every other."""
    for one in ways(number):
        assert fold(one) == str(number), one
        for other in ways(number):
            assert holds(fold(f"It is {one}."), other)
            assert holds(fold(f"一共是{one}个。"), other)


@given(NUMBERS, NUMBERS)
def test_another_number_is_not_held(number: int, other: int) -> None:
    """No number is found in another, in any way of writing either, nor inside a longer one."""
    if number == other:
        other += 1
    for one in ways(number):
        folded = fold(f"There are {one} of them.")
        assert not any(holds(folded, answer) for answer in ways(other))


@given(st.integers(1, 9_999), st.integers(1, 999))
def test_numbers_inside_longer_numbers(number: int, more: int) -> None:
    """Digits before, after or past a decimal point make another number of it."""
    for longer in (f"{more}{number}", f"{number}{more}", f"{more}.{number}", f"{number}.{more}"):
        assert not holds(fold(f"It is {longer} here."), str(number)), longer
        assert not holds(fold(f"共{longer}个"), say_chinese(number)), longer


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        *(("3", "三"), ("三", "3"), ("３", "three"), ("three", "３"), ("叁", "3"), ("3。", "三")),
        *(("共三座桥", "3"), ("第3章", "三"), ("3, 5 and 7", "three"), ("(3)", "3")),
        *(("二百零三", "203"), ("203座", "二百零三"), ("兩百零三", "203"), ("二〇三", "203")),
        *(("two hundred and three", "203"), ("2百零3", "203"), ("1万5千", "15000")),
        *(("3千万", "三千万"), ("2亿3000万", "230000000"), ("二亿三千万", "230,000,000")),
        *(("三万亿", "3000000000000"), ("1万5", "15000"), ("共three个", "3"), ("0.5万", "5000")),
        *(("二〇二四年", "2024"), ("２０２４年", "二〇二四"), ("1.5万", "15000"), ("3.50", "3.50")),
        *(
            ("十", "10"),
            ("十二", "12"),
            ("二十", "twenty"),
            ("一万", "10,000"),
            ("3亿", "300000000"),
        ),
        *(("二百五", "250"), ("三万二", "32000"), ("三万零二", "30002"), ("fifty-three.", "53")),
        *(
            ("one thousand two hundred", "一千二百"),
            ("a score of 7.", "seven"),
            ("七十 years", "70"),
        ),
    ],
)
def test_same_number(reply: str, answer: str) -> None:
    """A number is the same in digits of either width, Chinese numerals and number words."""
    assert holds(fold(reply), answer)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        *(
            ("13", "3"),
            ("31", "3"),
            ("3.5", "3"),
            ("0.3", "3"),
            ("1,203", "203"),
            ("203,000", "203"),
        ),
        *(
            ("十三", "三"),
            ("三十", "三"),
            ("三百", "三"),
            ("203,000", "203"),
            ("二百零三", "三"),
            ("thirty-three", "3"),
        ),
        *(
            ("three hundred", "three"),
            ("threefold", "three"),
            ("v3", "3"),
            ("3d", "3"),
            ("h3o", "3"),
        ),
        *(("203万", "203"), ("二〇二四", "二"), ("twenty-three", "twenty"), ("03", "3")),
        *(("3, 5", "35"), ("two three", "23"), ("2.03", "203")),
    ],
)
def test_other_number(reply: str, answer: str) -> None:
    """A number inside a longer number or word is not that number."""
    assert not holds(fold(reply), answer)


@pytest.mark.parametrize("word", ["万一", "千万别", "百货", "亿万"])
def test_words_that_look_like_numbers(word: str) -> None:
    """A Chinese word that begins with a bare unit is a word, not a number."""
    assert not any(sign.isdigit() for sign in fold(word))
