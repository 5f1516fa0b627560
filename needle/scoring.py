"""Keyword recall: does a reply give the needle's accepted answers? Pure.

Both sides are folded to one form before they are compared: Unicode compatibility forms and
widths, case, traditional characters, numbers however written, punctuation and spacing.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from needle.types import Failure, Needle, Reply, Score, Verdict

KEYWORD = "keyword"

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
_CHINESE_NUMBER = re.compile(f"[{''.join([*_DIGITS, *_UNITS, *_MYRIADS])}]+")

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
_HAN_GAP = re.compile(rf"(?<=[{_HAN_ONE}]) +| +(?=[{_HAN_ONE}])")


@functools.cache
def _simplify() -> "functools.partial[str]":
    from opencc import OpenCC

    return functools.partial(OpenCC("t2s").convert)


def fold(text: str) -> str:
    """Fold a text to the form in which answers are compared.

    Numbers become digits (three, 三, ３ and 叁 are 3; 1,234 is 1234), punctuation and
    spaces become single spaces, and spaces beside Chinese characters go.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    if not text.isascii():
        text = _simplify()(text)
    text = _GROUPED.sub(lambda match: match[0].replace(",", ""), text)
    text = _MIXED_NUMBER.sub(lambda match: _read_mixed(match[0]), text)
    text = _CHINESE_NUMBER.sub(lambda match: _read_chinese(match[0]), text)
    text = _ENGLISH_NUMBER.sub(lambda match: _read_english(match[0]), text)
    text = "".join(_fold_mark(text, index) for index in range(len(text)))
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

    A run that begins with a bare 百, 千, 万 or 亿 (万一, 百) is a word, not a number.
    """
    if run[0] in "百佰千仟万亿":
        return run
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
    wanted = fold(answer)
    if not wanted:
        return False
    before = r"(?<![^\W_\u3400-\u9fff])" if _is_latin(wanted[0]) else ""
    after = ""
    if wanted[-1].isdigit():
        after = r"(?![\d])(?!\.\d)"
        if before:
            after += r"(?![a-z])"
    elif _is_latin(wanted[-1]):
        after = r"(?:e?s)?(?![^\W_\u3400-\u9fff])"
    if wanted[0].isdigit():
        before = r"(?<!\d)(?<!\d\.)(?<![a-z])"
    return re.search(before + re.escape(wanted) + after, folded) is not None


def _is_latin(character: str) -> bool:
    return character.isalnum() and not "\u2e80" <= character <= "\uffff"


_REFUSAL = re.compile(
    r"\b(?:i|we)(?: am| m|m| are)? ?(?:sorry,? )?(?:but )?(?:i |we )?"
    r"(?:can ?not|cant|can t|wont|won t|will not|unable to|not able to|not allowed to|"
    r"must decline to|decline to)\s+(?:help|assist|comply|fulfil|fulfill|discuss|engage|"
    r"participate|continue with)\b"
    r"|\b(?:against|violates?|breach(?:es)?|not permitted by|prohibited by) (?:my|our|the|usage|"
    r"content|safety)[a-z ]{0,24}(?:polic(?:y|ies)|guidelines?|rules)\b"
    r"|(?:我|本助手)?(?:无法|不能|不可以|拒绝)(?:为您|为你|向您|向你|对此|就此)*"
    r"(?:提供(?:协助|帮助|该|此|这)|协助|讨论|参与|满足|执行您|执行你|回应|处理)"
    r"|(?:违反|不符合|违背)[^，。]{0,16}(?:政策|规定|准则|规范|法律|法规)"
)
_NOT_IN_TEXT = re.compile(
    r"\b(?:document|context|text|passage|provided|mention(?:s|ed)?|information)\b"
    r"|文档|文中|上文|原文|文本|文章|提供的内容|材料|提及|提到"
)


def is_refusal(folded: str) -> bool:
    """Tell a refusal on policy from an answer that the text does not say."""
    match = _REFUSAL.search(folded)
    if not match:
        return False
    on_policy = re.search(r"polic|guideline|rules|政策|规定|准则|规范|法律|法规", match[0])
    return bool(on_policy) or not _NOT_IN_TEXT.search(folded)


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of a needle's answers that a reply gives, and which it lacks."""

    share: float
    lacking: tuple[str, ...]


def recall_answers(needle: Needle, response: str) -> Recall:
    """Return which of a needle's answers a reply gives."""
    folded = fold(response)
    lacking = [
        group[0] for group in needle.answers if not any(holds(folded, answer) for answer in group)
    ]
    return Recall(1 - len(lacking) / len(needle.answers), tuple(lacking))


def score_keyword(trial: str, needle: Needle, result: Reply | Failure) -> Score:
    """Score one outcome by keyword recall, with its verdict (law 7)."""

    def make(score: float | None, verdict: Verdict, explanation: str) -> Score:
        return Score(trial, KEYWORD, score, verdict, explanation)

    if isinstance(result, Failure):
        if result.kind == "filter":
            return make(None, "filtered", "the endpoint's filter refused the request")
        return make(None, "failed", f"no reply: {result.kind}")
    if result.finish_reason == "content_filter":
        return make(None, "filtered", "the endpoint's filter cut the reply")
    recall = recall_answers(needle, result.response)
    if not recall.lacking:
        return make(1.0, "found", "every accepted answer is there")
    lacking = "not there: " + "; ".join(recall.lacking)
    if recall.share > 0:
        return make(round(recall.share, 6), "partial", lacking)
    if result.finish_reason == "length":
        return make(None, "truncated", "the reply was cut off before an answer")
    if not result.response.strip():
        return make(0.0, "missed", "the reply is empty")
    if is_refusal(fold(result.response)):
        return make(0.0, "refused", "declined on policy")
    return make(0.0, "missed", lacking)
