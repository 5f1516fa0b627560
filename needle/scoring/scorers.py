"""Scorers that need no model: keyword recall and exact match, and law 7's verdicts. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from needle.scoring.folding import fold, holds
from needle.scoring.verdicts import classify_reply
from needle.words.types import Failure, Needle, Reply, Score, Verdict

KEYWORD, EXACT, JUDGE, PUBLISHED = "keyword", "exact", "judge", "published"
"""Scorers' names; ``published`` are the scores that came with imported results."""
SCORERS = (KEYWORD, EXACT, JUDGE)
"""Those that a user can ask for."""

_PARTS = re.compile(r"[\n,;，；、]+|\s+(?:and|und|&)\s+|以及|[和与及跟]|\s*[/|]\s*")
_LIST_MARK = re.compile(r"^\s*(?:[-*•·]|\(?\d{1,2}[.):、．]|[一二三四五六七八九十]、)\s*")
_ARTICLE = re.compile(r"^(?:an?|the) ")
_LATELY = 4096  # replies whose marks are kept: at temperature 0 many are the same
_MOST_PARTS = 40  # a reply of more parts is no list of answers: its parts are taken singly


@dataclass(frozen=True, slots=True)
class Mark:
    """What a scorer says of one outcome: a score (0-1 or None), a verdict, and why."""

    score: float | None
    verdict: Verdict
    explanation: str


_MarkReply = Callable[[Needle, Reply], Mark]


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of a needle's answers that a reply gives, and which it lacks."""

    share: float
    lacking: tuple[str, ...]


def recall_answers(needle: Needle, response: str) -> Recall:
    """Return which of a needle's answers a reply gives, anywhere in it."""
    folded = fold(response)
    return _recall(needle, [any(holds(folded, a) for a in group) for group in needle.answers])


def match_answers(needle: Needle, response: str) -> Recall:
    """Return which of a needle's answers a reply is: the whole of it, or a whole part of it.

    With one group the folded reply equals one of its answers. With several, the reply is
    split at line breaks, commas, semicolons and words for "and", and each group wants a part,
    or several parts in a row, that equal one of its answers. A leading English article is
    left out on both sides, as in SQuAD (Rajpurkar et al. 2016).
    """
    given = {_bare(response)}
    if len(needle.answers) > 1:
        given |= _list_parts(response)
    return _recall(
        needle, [any(_bare(answer) in given for answer in group) for group in needle.answers]
    )


def _recall(needle: Needle, found: Sequence[bool]) -> Recall:
    lacking = tuple(
        group[0] for group, there in zip(needle.answers, found, strict=True) if not there
    )
    return Recall(1 - len(lacking) / len(needle.answers), lacking)


def _bare(text: str) -> str:
    return _ARTICLE.sub("", fold(_LIST_MARK.sub("", text)))


def _list_parts(response: str) -> set[str]:
    """Return a reply's parts and, since an answer may hold a comma itself, those in a row."""
    ends = [(match.start(), match.end()) for match in _PARTS.finditer(response)]
    starts = [0, *(end for _, end in ends)]
    stops = [*(start for start, _ in ends), len(response)]
    whole = len(starts) <= _MOST_PARTS
    return {
        _bare(response[start:stop])
        for first, start in enumerate(starts)
        for stop in (stops[first:] if whole else stops[first : first + 1])
    } - {""}


def take_reply(result: Reply | Failure) -> Reply | Mark:
    """Return the complete reply of an outcome, or the mark of one that has none (law 7)."""
    if isinstance(result, Failure):
        if result.kind == "filter":
            return Mark(None, "filtered", "the endpoint's filter refused the request")
        return Mark(None, "failed", f"no reply: {result.kind}")
    if result.finish_reason == "content_filter":
        return Mark(None, "filtered", "the endpoint's filter cut the reply")
    return result


def mark_without_answer(reply: Reply, lacking: str) -> Mark:
    """Mark a reply that gives nothing of the answer; ``lacking`` says what it lacks."""
    if reply.finish_reason == "length":
        return Mark(None, "truncated", "the reply was cut off before an answer")
    kind = classify_reply(reply.response)
    if kind == "empty":
        return Mark(0.0, "missed", "the reply is empty")
    if kind == "refused":
        return Mark(0.0, "refused", "declined on policy")
    if kind == "not_said":
        return Mark(0.0, "missed", f"{lacking}; it gives no answer")
    return Mark(0.0, "missed", lacking)


def _mark(recall: Recall, reply: Reply, lacks: str, whole: str) -> Mark:
    if not recall.lacking:
        return Mark(1.0, "found", whole)
    lacking = f"{lacks}: {'; '.join(recall.lacking)}"
    if recall.share > 0:
        return Mark(round(recall.share, 6), "partial", lacking)
    return mark_without_answer(reply, lacking)


def mark_keyword(needle: Needle, result: Reply | Failure) -> Mark:
    """Mark an outcome by keyword recall: the share of answers named anywhere in the reply."""
    return _mark_once(_mark_recall, needle, result)


def mark_exact(needle: Needle, result: Reply | Failure) -> Mark:
    """Mark an outcome by exact match: the reply must be the answer and nothing else."""
    return _mark_once(_mark_match, needle, result)


def _mark_once(mark: _MarkReply, needle: Needle, result: Reply | Failure) -> Mark:
    """Mark an outcome; what has been marked lately, word for word, need not be read again."""
    reply = take_reply(result)
    if isinstance(reply, Mark):
        return reply
    return _mark_said(mark, needle, reply.response, reply.finish_reason)


@lru_cache(maxsize=_LATELY)
def _mark_said(mark: _MarkReply, needle: Needle, response: str, reason: str | None) -> Mark:
    return mark(needle, Reply(response, finish_reason=reason))


def _mark_recall(needle: Needle, reply: Reply) -> Mark:
    recall = recall_answers(needle, reply.response)
    return _mark(recall, reply, "not there", "every accepted answer is there")


def _mark_match(needle: Needle, reply: Reply) -> Mark:
    recall = match_answers(needle, reply.response)
    if not recall.share and recall_answers(needle, reply.response).share:
        return Mark(0.0, "missed", "it names an accepted answer, but says more than that")
    return _mark(recall, reply, "not equal to", "equal to an accepted answer of each group")


def score_outcome(
    scorers: Sequence[str], trial: str, needle: Needle, result: Reply | Failure
) -> tuple[Score, ...]:
    """Score one outcome by those of a run's scorers that need no model, keyword recall always.

    The first is the primary one where that needs no model.
    """
    marks = {KEYWORD: mark_keyword, EXACT: mark_exact}
    asked = [scorer for scorer in scorers if scorer in marks]
    return tuple(
        make_score(trial, scorer, marks[scorer](needle, result))
        for scorer in dict.fromkeys([*asked, KEYWORD])
    )


def make_score(trial: str, scorer: str, mark: Mark) -> Score:
    """Put a trial's and a scorer's names on a mark."""
    return Score(trial, scorer, mark.score, mark.verdict, mark.explanation)
