"""Folding: the one form in which replies and accepted answers are compared. Pure.

Unicode compatibility forms and widths, case, traditional characters, numbers however written,
punctuation and spacing are folded away on both sides.
"""

import functools
import re
import unicodedata
from decimal import Decimal
from typing import TypeVar

_DIGITS = {
    **dict(zip("零〇一二三四五六七八九", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)),
    **dict(zip("壹贰叁肆伍陆柒捌玖两", (1, 2, 3, 4, 5, 6, 7, 8, 9, 2), strict=True)),
}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1_000, "仟": 1_000}
_MYRIADS = {"万": 10_000, "亿": 100_000_000}
_MIXED_PART = re.compile(r"(零?)(\d+(?:\.\d+)?)([百千万亿]*)")
_MIXED_NUMBER = re.compile(  # 3千万, 1.5万, 2亿3000万, 1万5000
    r"\d+(?:\.\d+)?[百千万亿]+(?:零?\d+(?:\.\d+)?[百千万亿]+)*(?:零?\d+(?!\d|\.\d))?"
)
_CHINESE_NUMBER = re.compile(  # 两 after a digit is the weight: 15000两
    rf"(?!(?<=\d)两)[{''.join([*_DIGITS, *_UNITS, *_MYRIADS])}]+"
)

_SMALL = {
    **dict(zip(("zero", "one", "two", "three", "four", "five"), range(6), strict=True)),
    **dict(zip(("six", "seven", "eight", "nine", "ten", "eleven"), range(6, 12), strict=True)),
    **dict(zip(("twelve", "thirteen", "fourteen", "fifteen"), range(12, 16), strict=True)),
    **dict(zip(("sixteen", "seventeen", "eighteen", "nineteen"), range(16, 20), strict=True)),
}
_TENS = {
    **dict(zip(("twenty", "thirty", "forty", "fifty"), range(20, 60, 10), strict=True)),
    **dict(zip(("sixty", "seventy", "eighty", "ninety"), range(60, 100, 10), strict=True)),
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_NUMBER_WORD = "|".join([*_SMALL, *_TENS, *_SCALES])
_GROUPED = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?!\d)")
_HAN_ONE = "\u3400-\u4dbf\u4e00-\u9fff"
_ENGLISH_NUMBER = re.compile(
    rf"(?<![^\W{_HAN_ONE}])(?:{_NUMBER_WORD})(?:(?:\s+and\s+|[\s-]+)(?:{_NUMBER_WORD}))*"
    rf"(?![^\W{_HAN_ONE}])"
)
_NO_LETTER = re.compile(r"[^\w ]|_")  # neither a letter nor a digit: the others stay as they are
_NO_LATIN_BEFORE = r"(?<![^\W_\u3400-\u9fff])"
_NO_LATIN_AFTER = r"(?:e?s)?(?![^\W_\u3400-\u9fff])"
_HAN_GAP = re.compile(rf"(?<=[{_HAN_ONE}]) +| +(?=[{_HAN_ONE}])")
_VARIANTS = str.maketrans("瑯", "琅")  # which OpenCC takes for a character of its own


@functools.cache
def _simplify() -> "functools.partial[str]":
    from opencc import OpenCC

    return functools.partial(OpenCC("t2s").convert)


def plain(text: str) -> str:
    """Return a text in one width, one case and simplified characters, its punctuation kept."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return text if text.isascii() else str(_simplify()(text)).translate(_VARIANTS)


def fold(text: str) -> str:
    """Fold a text to the form in which answers are compared.

    Numbers become digits (three, 三, ３ and 叁 are 3; 1,234 is 1234), punctuation and
    spaces become single spaces, and spaces beside Chinese characters go.
    """
    text = plain(text)
    text = _GROUPED.sub(lambda match: match[0].replace(",", ""), text)
    text = _MIXED_NUMBER.sub(lambda match: _read_mixed(match[0]), text)
    text = _CHINESE_NUMBER.sub(lambda match: _read_chinese(match[0]), text)
    text = _ENGLISH_NUMBER.sub(lambda match: _read_english(match[0]), text)
    text = _NO_LETTER.sub(lambda match: _fold_mark(match.string, match.start()), text)
    return _HAN_GAP.sub("", " ".join(text.split()))


def _fold_mark(text: str, index: int) -> str:
    """Turn what is neither letter, digit nor mark into a space; keep a decimal point.

    Format characters (soft hyphens, zero-width spaces) can't be seen, and go.
    """
    character = text[index]
    if (
        character in ".:"
        and text[index - 1 : index].isdigit()
        and text[index + 1 : index + 2].isdigit()
    ):
        return character
    if character in "'’" and text[index - 1 : index].isalpha():
        return ""
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return character if category[0] in "LNM" else " "


def _read_mixed(run: str) -> str:
    """Read digits with Chinese units: 1.5万 is 15000, 2亿3000万 is 230000000."""
    total = section = Decimal(0)
    scale = 1
    for zero, number, units in _MIXED_PART.findall(run):
        value = Decimal(number)
        if not units and not zero and len(number) == 1:
            value *= scale // 10  # 3万2 is 32,000
        for unit in units:
            scale = {**_UNITS, **_MYRIADS}[unit]
            if unit in _UNITS:
                value *= scale
            else:
                total = _raise(total, section + value, scale)
                section = value = Decimal(0)
        section += value
    written = f"{total + section:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


Amount = TypeVar("Amount", int, Decimal)


def _raise(total: Amount, section: Amount, scale: int) -> Amount:
    """Raise what was read to 万 or 亿: all of it (三万亿), or what follows 亿 (二亿三千万)."""
    return total + section * scale if total > scale else (total + section) * scale


def _read_chinese(run: str) -> str:
    """Read a run of Chinese numerals: 二百零三 is 203, 二〇二四 is 2024.

    A run that begins with a bare 百, 千, 万 or 亿 (万一, 百) is a word, not a number. 两 at
    the end of a number is the weight, since as a digit it stands before a unit (两百).
    """
    if run[0] in "百佰千仟万亿":
        return run
    if run[-1] == "两" and len(run) > 1:
        return _read_chinese(run[:-1]) + "两"
    if all(sign in _DIGITS for sign in run):
        return "".join(str(_DIGITS[sign]) for sign in run)
    total = section = digit = 0
    for sign in run:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _UNITS:
            section += (digit or 1) * _UNITS[sign]
            digit = 0
        else:
            total = _raise(total, section + digit, _MYRIADS[sign])
            section = digit = 0
    if run[-1] in _DIGITS and len(run) > 1 and run[-2] in "百千万亿":
        # 二百五 is 250 and 三万二 is 32,000: the last digit counts the next unit down.
        digit *= {**_UNITS, **_MYRIADS}[run[-2]] // 10
    return str(total + section + digit)


def _read_english(run: str) -> str:
    """Read number words: three hundred and four is 304; digits in a row stay apart."""
    numbers: list[int] = []
    total = current = 0
    last = ""
    for word in re.findall(r"[a-z]+", run):
        if word == "and":
            continue
        if word in _SCALES:
            scale = _SCALES[word]
            if scale == 100:  # noqa: PLR2004 - a hundred
                current = (current or 1) * scale
            else:
                total, current = total + (current or 1) * scale, 0
        elif last and last not in _SCALES and not (last in _TENS and 0 < _SMALL.get(word, 0) < 10):  # noqa: PLR2004
            numbers.append(total + current)
            total, current = 0, _SMALL.get(word, _TENS.get(word, 0))
        else:
            current += _SMALL.get(word, _TENS.get(word, 0))
        last = word
    return " ".join(map(str, [*numbers, total + current]))


def holds(folded: str, answer: str) -> bool:
    """Tell whether a folded text holds an answer, as words of its own.

    A Latin word or a number is not found inside a longer one (3 in 13, cat in scatter);
    a plural s may follow. Chinese is found anywhere, but not in the middle of a number.
    """
    wanted, before, after = _find_wording(answer)
    place = folded.find(wanted) if wanted else -1
    while place >= 0:
        if before.match(folded, place) and after.match(folded, place + len(wanted)):
            return True
        place = folded.find(wanted, place + 1)
    return False


@functools.lru_cache(maxsize=1024)
def _find_wording(answer: str) -> tuple[str, re.Pattern[str], re.Pattern[str]]:
    """Return an answer folded, and what must hold before it and after it in a text."""
    wanted = fold(answer)
    latin = bool(wanted) and _is_latin(wanted[0])
    before, after = (_NO_LATIN_BEFORE if latin else ""), ""
    if wanted[-1:].isdigit():
        after = r"(?![\d])(?!\.\d)"
        if latin:
            after += r"(?![a-z])"
    elif wanted and _is_latin(wanted[-1]):
        after = _NO_LATIN_AFTER
    if wanted[:1].isdigit():
        before = r"(?<!\d)(?<!\d\.)(?<![a-z])"
    return wanted, re.compile(before), re.compile(after)


def _is_latin(character: str) -> bool:
    return character.isalnum() and not "\u2e80" <= character <= "\uffff"
