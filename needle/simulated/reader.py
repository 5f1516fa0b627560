"""Reading a prompt as a simulated model does: the sentence nearest the question, by its words.

Pure, and without any knowledge of needles: the terms of the question (English words without
their endings, pairs of Chinese characters) are weighed by how rare they are in this very
prompt, and the sentence that holds the greatest share of that weight is the answer.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from needle.contexts.passages import find_boundaries
from needle.contexts.terms import FUNCTION_HAN, HAN_RUN, WORD, find_terms, stem
from needle.words.types import Language

NEAR = 0.5
"""The share of the question's weight that a sentence must hold to be an answer."""

NOT_SAID: dict[Language, str] = {
    "en": "The document does not mention this.",
    "zh": "文中没有提到。",
}

_MOST_PLACES = 20_000  # occurrences looked at: a commoner term tells no sentence from another
_MOST_SENTENCES = 32  # sentences weighed exactly
_SPAN = 300  # characters within which terms may belong to one sentence
_REACH = 800  # characters to look for a sentence's ends on either side
_FAINT = 0.25  # of its weight is left to a pair with a Chinese function character

_QUESTION_MARK = re.compile(r"[?？][\"'”’」』）)]*")
_GAP = re.compile(r"\n[ \t\u3000]*\n")
_LABEL = re.compile(r"^\s*(?:question|q|问题|问)\s*[:：]\s*", re.IGNORECASE)
_SENTENCE_SIGNS = ".!?。！？"

_ASKS_FOR_ALL = re.compile(r"\ball the\b|\ball of\b|哪些|全部|所有", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A sentence of the context: where it starts, in characters, and its share of the question.

    ``share`` is within 0-1: the weight of the question's terms that stand in the sentence.
    """

    sentence: str
    start: int
    share: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader says, and the place of the first sentence it took that from.

    ``start`` is in characters of the context, ``depth_percent`` the same in percent of its
    ``context_characters``; both None where the answer is that the document does not say.
    """

    text: str
    start: int | None
    depth_percent: float | None
    context_characters: int


def answer(
    prompt: str,
    sees: Callable[[float], bool] = lambda _: True,
    takes: Callable[[int], int] = lambda _: 0,
) -> Answer:
    """Answer the question at a prompt's end with the nearest sentence that the reader sees.

    ``sees`` tells of a depth, in percent, whether a sentence there is seen: one that is not
    is as if it were not in the text. A sentence far from the question is no answer. ``takes``
    tells which of so many near sentences that are seen, nearest first, is the answer. A
    question that asks for all of something is answered with every near sentence.
    """
    context, question = split_prompt(prompt)
    seen = [found for found in rank(context, question) if sees(100 * found.start / len(context))]
    if not seen:
        return Answer(NOT_SAID[find_language(question)], None, None, len(context))
    if _ASKS_FOR_ALL.search(question):
        seen.sort(key=lambda found: found.start)
    else:
        seen = [seen[takes(len(seen))]]
    gap = " " if find_language(question) == "en" else ""
    text = gap.join(dict.fromkeys(found.sentence for found in seen))
    return Answer(text, seen[0].start, 100 * seen[0].start / len(context), len(context))


def find_language(question: str) -> Language:
    """Return the language of a question: Chinese if any Chinese character is in it."""
    return "zh" if HAN_RUN.search(question) else "en"


def split_prompt(prompt: str) -> tuple[str, str]:
    """Return a prompt's context and its question.

    The question is the last sentence with a question mark in the last paragraph, or in a
    paragraph of one sentence before an instruction; without one, it is the last paragraph.
    """
    prompt = prompt.rstrip()
    start = _paragraph_start(prompt, len(prompt))
    question = _last_question(prompt, start, len(prompt))
    if question is None and start > 0:
        end = len(prompt[:start].rstrip())
        before = _paragraph_start(prompt, end)
        earlier = _last_question(prompt, before, end)
        question = earlier if earlier == (before, end) else None
    first, last = question or (start, len(prompt))
    return prompt[:first].rstrip(), _LABEL.sub("", prompt[first:last]).strip()


def _paragraph_start(prompt: str, end: int) -> int:
    for back in (4_000, end):
        tail_start = max(0, end - back)
        gaps = list(_GAP.finditer(prompt, tail_start, end))
        if gaps:
            return gaps[-1].end()
    return 0


def _last_question(prompt: str, start: int, end: int) -> tuple[int, int] | None:
    marks = list(_QUESTION_MARK.finditer(prompt, max(start, end - _REACH), end))
    if not marks:
        return None
    mark = marks[-1]
    first = max(start, mark.start() - _REACH)
    lines = prompt.rfind("\n", first, mark.start()) + 1
    ends = [first + place for place in find_boundaries(prompt[first : mark.start()])]
    first = max(first, lines, *ends)
    while prompt[first].isspace():
        first += 1
    return first, mark.end()


def rank(context: str, question: str) -> tuple[Found, ...]:
    """Return the sentences of a context that are near a question, the nearest first.

    A sentence's nearness is its share of the question's weight. A term weighs
    log(1 + N / (n + 0.5)), with n its occurrences and N the sentences of the context: a term
    that is nowhere in the context weighs most, so that a question about something else has
    no near sentence. Of two sentences with equal shares the shorter comes first.
    """
    text = context.replace("İ", "I").lower()  # the one capital that lower() makes longer
    places, weights = _locate(text, find_terms(question))
    total = sum(weights.values())
    if not total:
        return ()
    near = []
    for start, end in _sentences(context, places, weights):
        terms = _terms_of(text[start:end], weights)
        share = sum(weights[term] for term in terms) / total
        if share >= NEAR:
            near.append(Found(context[start:end], start, share))
    return tuple(sorted(near, key=lambda found: (-found.share, len(found.sentence), found.start)))


def _locate(text: str, terms: list[str]) -> tuple[list[tuple[int, str]], dict[str, float]]:
    """Return where a question's terms stand, in order, and what each weighs."""
    counts = {term: text.count(term) for term in terms}
    sentences = sum(text.count(sign) for sign in _SENTENCE_SIGNS) + 1
    places: list[tuple[int, str]] = []
    weights = {}
    for term, count in sorted(counts.items(), key=lambda pair: pair[1]):
        number = count
        if len(places) + count <= _MOST_PLACES:
            found = [(place, term) for place in _places(text, term)]
            number = len(found)
            places += found
        faint = _FAINT if HAN_RUN.match(term) and not FUNCTION_HAN.isdisjoint(term) else 1.0
        weights[term] = faint * math.log(1 + sentences / (number + 0.5))
    places.sort()
    return places, weights


def _places(text: str, term: str) -> Iterator[int]:
    """Yield where a term stands: a pair anywhere, a stem only as a whole word's."""
    whole = HAN_RUN.match(term) is None
    place = text.find(term)
    while place >= 0:
        if not whole or _is_word(text, place, term):
            yield place
        place = text.find(term, place + len(term))


def _is_word(text: str, place: int, wanted: str) -> bool:
    if place and WORD.match(text[place - 1]):
        return False
    word = WORD.match(text, place)
    return word is not None and stem(word[0]) == wanted


def _sentences(
    context: str, places: list[tuple[int, str]], weights: dict[str, float]
) -> Iterator[tuple[int, int]]:
    """Yield the starts and ends of the sentences where most weight stands close together."""
    taken: list[tuple[int, int]] = []
    for _, place in sorted(_clusters(places, weights)):
        if len(taken) == _MOST_SENTENCES:
            return
        if not any(start <= place < end for start, end in taken):
            taken.append(_sentence_around(context, place))
            yield taken[-1]


def _clusters(
    places: list[tuple[int, str]], weights: dict[str, float]
) -> Iterator[tuple[float, int]]:
    """Yield each place with the weight, made negative, of the terms from it to a span's end.

    Only what could hold the share that makes a sentence near is worth a closer look.
    """
    least = NEAR * sum(weights.values())
    inside = dict.fromkeys(weights, 0)
    last = len(places) - 1
    for place, term in reversed(places):
        inside[term] += 1
        while places[last][0] > place + _SPAN:
            inside[places[last][1]] -= 1
            last -= 1
        weight = sum(weights[each] for each, number in inside.items() if number)
        if weight >= least:
            yield -weight, place


def _sentence_around(context: str, place: int) -> tuple[int, int]:
    low = max(0, place - _REACH)
    window = context[low : place + _REACH]
    gaps = (gap.end() for gap in _GAP.finditer(window))
    ends = sorted({0, *find_boundaries(window), *gaps, len(window)})
    after = bisect_right(ends, place - low)
    start, end = low + ends[after - 1], low + ends[after]
    while context[start].isspace():
        start += 1
    while context[end - 1].isspace():
        end -= 1
    return start, end


def _terms_of(sentence: str, weights: dict[str, float]) -> list[str]:
    stems = {stem(word) for word in WORD.findall(sentence)}
    return [term for term in weights if term in (sentence if HAN_RUN.match(term) else stems)]
