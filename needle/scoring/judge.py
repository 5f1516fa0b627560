"""The judge: what it is asked, how its grade is read, and what the grade means. Pure.

The scale is that of the first published tests: 1 unrelated, 3 minor relevance, 5 moderate
with inaccuracies, 7 aligned with minor omissions, 10 accurate (gkamradt/needle-in-a-haystack).
A reply under test is text that nobody vouches for: it is fenced by a word that it can't know.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from needle.contexts.keys import digest
from needle.scoring.scorers import Mark
from needle.scoring.verdicts import classify_reply
from needle.words.types import Language, Message, Model, Needle, Reply

SCALE = (1, 3, 5, 7, 10)
FOUND_FROM = 7
"""The grade from which the published figures count the fact as found."""
MARKS = ("{question}", "{facts}", "{answers}", "{fence}", "{reply}")
LOWEST, HIGHEST = SCALE[0], SCALE[-1]

_PARTIAL = 5
_NOT_RECORDED: dict[Language, str] = {"en": "(not recorded)", "zh": "（没有记录）"}
_REASON_LENGTH = 300  # characters of a judge's reason that are kept


@dataclass(frozen=True, slots=True)
class Rubric:
    """How a judge is asked, in one language: (role, content) with each of MARKS filled in."""

    name: str
    language: Language
    messages: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Graded:
    """A judge's grade, one of SCALE, and the reason it gave."""

    grade: int
    reason: str


def map_grade(grade: float) -> float:
    """Map a grade of the published scale, 1 to 10, to a score of 0 to 1."""
    return round((grade - LOWEST) / (HIGHEST - LOWEST), 6)


def make_fence(response: str) -> str:
    """Return a word to fence a reply with: drawn from the reply itself, and not in it."""
    seed = response
    while True:
        word = "ANSWER-" + hashlib.sha256(seed.encode(errors="replace")).hexdigest()[:12]
        if word not in response:
            return word
        seed += word


def build_judge_messages(rubric: Rubric, needle: Needle, response: str) -> list[Message]:
    """Build what a judge is asked about one reply. Marks within the texts filled in are text."""
    joined = "；" if rubric.language == "zh" else "; "
    fill = {
        "{question}": needle.question or _NOT_RECORDED[rubric.language],
        "{facts}": " ".join(f.strip() for f in needle.facts) or _NOT_RECORDED[rubric.language],
        "{answers}": joined.join(group[0] for group in needle.answers),
        "{fence}": make_fence(response),
        "{reply}": response,
    }
    marks = re.compile("|".join(map(re.escape, MARKS)))
    return [
        {"role": role, "content": marks.sub(lambda match: fill[match[0]], content)}
        for role, content in rubric.messages
    ]


def name_request(model: Model, reply_tokens: int, messages: Sequence[Message]) -> str:
    """Return the sha256 of all that shapes a verdict: the judge, the rubric, needle and reply."""
    return digest(
        {
            "model": model.name,
            "endpoint": model.endpoint,
            "temperature": model.temperature,
            "reply_tokens": reply_tokens,
            "messages": list(messages),
        }
    )


def mark_graded(graded: Graded, reply: Reply) -> Mark:
    """Turn a grade into a score and a verdict, by law 7.

    From 7 on the fact is found, 5 is partial, 3 and 1 are none of it: refused where the reply
    declines on policy, null where it was cut off before an answer.
    """
    score, reason = map_grade(graded.grade), graded.reason
    if graded.grade >= FOUND_FROM:
        return Mark(score, "found", reason)
    if graded.grade == _PARTIAL:
        return Mark(score, "partial", reason)
    if reply.finish_reason == "length":
        return Mark(None, "truncated", f"cut off before an answer; {reason}")
    if graded.grade == LOWEST and classify_reply(reply.response) == "refused":
        return Mark(0.0, "refused", reason)
    return Mark(score, "missed", reason)


_LABEL = (
    r"(?:score|grade|rating|mark|points?|"
    r"评分|分数|得分|打分|总分|分值|给分|评级|成绩|最终分|评为|给出|给|打)"
)
_NUMBER = r"(?<![\d.−-])(\d{1,3}(?:\.\d+)?)(?![\d]|\.\d)"
_CHINESE = {"一": 1, "三": 3, "五": 5, "七": 7, "十": 10}
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_SCALE_NAMED = re.compile(  # the scale itself, which is no grade
    r"[(\[]?\b1\s*(?:-|–|—|~|to|至|到)\s*10\b[)\]]?"
    r"|\b1\s*[,/|、]\s*3\s*[,/|、]\s*5\s*[,/|、]\s*7\s*(?:[,/|、]|or|and|或|和)?\s*10\b"
    r"|(?<=\d)\s*/\s*10\b|\bout of\s+(?:10|ten)\b"
    r"|满分(?:为|是|[:：])?\s*10\s*分?|10\s*分制|总分为?10分",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    rf"{_LABEL}[^\w\n]{{0,8}}(?:(?:is|of|would be|as|为|是|了|个|应为|定为)[^\w\n]{{0,6}})?"
    rf"(?:{_NUMBER}|([一三五七十])(?=\s*分|\W|\Z))",
    re.IGNORECASE,
)
_BOXED = re.compile(r"(?:\[\[|\\boxed\{)\s*(\d{1,3}(?:\.\d+)?)\s*(?:\]\]|\})")
_POINTS = re.compile(rf"{_NUMBER}\s*分|(?<![\w])([一三五七十])\s*分(?=\W|\Z)")
_WORDS = {"one": 1, "three": 3, "five": 5, "seven": 7, "ten": 10}
_KEYS = ("score", "grade", "rating", "评分", "分数", "得分")


def read_grade(text: str) -> Graded | None:
    """Read a judge's reply; None where it gives no grade of the scale, or more than one.

    Looked for in this order, the first that is there deciding: a JSON object, [[7]], a number
    behind a word such as score or 分数, a number before 分, and any number at all. What names
    the scale itself (7/10, out of 10, 满分10分, 1-10) is left out.
    """
    said = _THOUGHT.sub(" ", text).strip()
    written = unicodedata.normalize("NFKC", said)
    for source in (said, written):
        values, reason = _read_objects(source)
        if values:
            return _agree(values, reason or said)
    bare = _SCALE_NAMED.sub(" ", written)
    for pattern in (_BOXED, _LABELLED, _POINTS):
        values = [_read_number(match) for match in pattern.finditer(bare)]
        if values:
            return _agree(values, said)
    word = bare.strip(" \n.。!！*\"'`").casefold()
    if word in _WORDS or word in _CHINESE:
        return Graded({**_WORDS, **_CHINESE}[word], _shorten(said))
    return _agree([float(match[1]) for match in re.finditer(_NUMBER, bare)], said)


def _read_objects(text: str) -> tuple[list[float], str]:
    """Return the grades of the outermost JSON objects in a text, and the last one's reason."""
    values: list[float] = []
    reason, at = "", text.find("{")
    while at >= 0:
        try:
            data, end = json.JSONDecoder(strict=False).raw_decode(text, at)
        except (ValueError, RecursionError):
            data, end = {}, at + 1
        lower = {str(key).strip().casefold(): value for key, value in data.items()}
        graded = [lower[key] for key in _KEYS if key in lower]
        if graded:
            values.append(_read_value(graded[0]))
            reason = str(lower.get("reason") or lower.get("理由") or "")
        at = text.find("{", end)
    return values, reason


def _read_value(value: object) -> float:
    """Return a JSON value as a number, -1 where it is none; a text may say 7/10 or 7分."""
    if isinstance(value, bool) or value is None:
        return -1
    if isinstance(value, int | float):
        return float(value)
    written = unicodedata.normalize("NFKC", str(value))
    bare = _SCALE_NAMED.sub(" ", written).replace("分", " ").strip()
    if bare in _CHINESE:
        return _CHINESE[bare]
    return float(bare) if re.fullmatch(r"\d{1,3}(?:\.\d+)?", bare) else -1


def _read_number(match: re.Match[str]) -> float:
    number = match[1]
    return float(number) if number else float(_CHINESE[match[2]])


def _agree(values: Sequence[float], reason: str) -> Graded | None:
    """Return the one grade that all values are; None where they differ or are off the scale."""
    (value, *others) = set(values) or {-1.0}
    if others or value not in SCALE:
        return None
    return Graded(int(value), _shorten(reason))


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _REASON_LENGTH else line[: _REASON_LENGTH - 1] + "…"
