"""Calibration: how an endpoint counts a run's prompts, learnt from a few small ones. Pure.

Three tiny prompts tell whether the endpoint counts as a tokenizer at hand does, whatever its
chat format adds: lengths are then exact. Any other count is read off along the very passage
that the run will use. The ratio of two tokenizers' counts wanders along a text, by 1-4% of
200 tokens, so that no single small sample gives it to within 0.5%; short contexts are
therefore read whole, and of what only long ones hold, an ever thinner sample.
docs/counting.md holds the measured errors.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from needle.contexts.context import find_cut
from needle.contexts.counting import Counting, Measured
from needle.contexts.prompts import fill_template
from needle.words.counts import Knot
from needle.words.errors import UsageError
from needle.words.types import Language, Message, Needle, Template

FINGERPRINT = (
    "Quixotic zephyrs jinxed 1,048,576 vexed wolfhounds; antidisestablishmentarianism "
    "costs $3.14159e-27. for (i = 0x7FFF; i-- > 0;) { buf[i] ^= ~mask; }\n"
    "氤氲齑粉，饕餮耄耋；二〇二六年十一月，程序员在数据库里发现了一个漏洞。\n"
    "ひらがなとカタカナ。안녕하세요, 반갑습니다. Съешь ещё этих мягких булок. "
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ข้าวผัดอร่อยมาก नमस्ते دنیا 🦔🧵🪗 ½ ≈ ∞ …"
)
"""A text that no two tokenizers count alike."""

WHOLE_TO: dict[Language, int] = {"en": 9_000, "zh": 20_000}
"""Tokens of a passage up to which all of its text is read; beyond, twice as far takes 0.7 times
as much more. With so many no error of more than 0.5% was measured (docs/counting.md)."""

_FIRST = 1_000  # vendor's tokens that the first stretch ends at, at the most
_STEP, _STEP_FREE = 1.15, 1.04  # how far apart, in proportion, are the places that are read
_ROOM = 24  # tokens below which a stretch is not worth a request
_PIECE: dict[Language, int] = {"en": 200, "zh": 60}  # characters of a sample's pieces
_SHORT = 0.75  # of what was to be expected: a count below it is no local deviation
_LEAST_CUT = 256  # no window is smaller
_BETTER = 0.8  # by so much less must another counting wander to be taken instead of our own
_PLAUSIBLE = (0.05, 20.0)  # an endpoint's tokens for one of ours


@dataclass(frozen=True, slots=True)
class Scale:
    """From our count of a whole request to an endpoint's and back: straight between knots."""

    knots: tuple[Knot, ...]

    def to_theirs(self, ours: float) -> float:
        """Return the endpoint's count of a request that is so long by ours."""
        (x0, y0), (x1, y1) = self._around([x for x, _ in self.knots], ours)
        return y0 + (ours - x0) * (y1 - y0) / (x1 - x0)

    def to_ours(self, theirs: int) -> int:
        """Return the most of ours that the endpoint counts as no more than so many."""
        (x0, y0), (x1, y1) = self._around([y for _, y in self.knots], theirs)
        return math.floor(x0 + (theirs - y0) * (x1 - x0) / (y1 - y0) + 1e-6)

    def _around(self, places: list[float], value: float) -> tuple[Knot, Knot]:
        index = min(max(bisect_right(places, value), 1), len(places) - 1)
        return self.knots[index - 1], self.knots[index]


ASSUMED = Scale(((0.0, 0.0), (1.0, 1.0)))
"""What an endpoint's count is taken to be until it is known: the same as ours."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt whose count is asked for; ``tokens`` is our own count of its contents."""

    messages: list[Message]
    tokens: int


@dataclass(frozen=True, slots=True)
class Subject:
    """One replicate's prompts, as far as they are the same in all of its trials.

    ``read`` returns at least so many characters of its passage. ``countings`` are the ways to
    count that are at hand, the run's own first. ``free`` says that asking costs nothing: then
    the whole passage is read.
    """

    language: Language
    template: Template
    needle: Needle
    read: Callable[[int], str]
    lengths: tuple[int, ...]
    countings: tuple[Counting, ...]
    free: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a passage: our counts of it, and of what of it was read, and theirs of that."""

    ours: tuple[int, ...]
    read: tuple[int, ...]
    theirs: int

    def ratio(self, index: int) -> float:
        """Return an endpoint's tokens for one of a counting's."""
        return self.theirs / max(self.read[index], 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a replicate's probes told.

    ``frame`` counts the request without its haystack. ``overhead`` is what the endpoint adds
    to the count of the tokenizer ``recognised`` (an index of the countings), if it is one.
    """

    frame: tuple[int, ...]
    frame_theirs: int
    stretches: tuple[Stretch, ...]
    recognised: int | None = None

    @property
    def overhead(self) -> int:
        """Return what the endpoint counts besides the contents, where their count is known."""
        return self.frame_theirs - self.frame[self.recognised or 0]


def read_counts(subject: Subject) -> Generator[Probe, int, Reading]:
    """Yield probes, be sent the endpoint's count of each, and return the reading.

    Raises UsageError where the counts can't be those of whole prompts.
    """
    asking = _Asking(subject)
    frame = yield asking.probe("")
    marked = yield asking.probe(FINGERPRINT)
    bare = _count_all(subject, asking.messages(""))
    known = [
        index
        for index, ours in enumerate(_count_all(subject, asking.messages(FINGERPRINT)))
        if marked - ours == frame - bare[index] >= 0
    ]
    stretches: list[Stretch] = []
    start, theirs = 0, float(frame)
    for target in _targets(subject):
        if target - theirs < _ROOM:
            continue
        end = asking.find_end(start, (target - theirs) / _mean_ratio(stretches))
        text, probe = asking.draw(start, end)
        count = yield probe
        stretch = Stretch(
            ours=tuple(counting.count(text) for counting in subject.countings),
            read=_less(_count_all(subject, probe.messages), bare),
            theirs=count - frame,
        )
        _refuse_cut(stretch, stretches, count, probe)
        for index in known:
            if not stretches and stretch.theirs == stretch.read[index]:
                return Reading(bare, frame, (), index)
        stretches.append(stretch)
        start, theirs = end, theirs + stretch.ratio(0) * stretch.ours[0]
    return Reading(bare, frame, tuple(stretches))


def settle(
    readings: Sequence[Reading], countings: Sequence[Counting]
) -> tuple[str, list[tuple[Knot, ...]]]:
    """Return the counting that goes best with an endpoint's, and each reading's knots.

    The run's own counting is kept unless the ratio to another one wanders clearly less.
    """
    recognised = readings[0].recognised
    if recognised is not None:
        overhead = readings[0].overhead
        knots = ((0.0, float(overhead)), (1.0, float(overhead + 1)))
        return countings[recognised].name, [knots for _ in readings]
    spreads = [_spread(readings, index) for index in range(len(countings))]
    best = min(range(len(countings)), key=lambda index: spreads[index])
    if spreads[best] > _BETTER * spreads[0]:
        best = 0
    return countings[best].name, [_make_knots(reading, best) for reading in readings]


def _make_knots(reading: Reading, index: int) -> tuple[Knot, ...]:
    ours, theirs = float(reading.frame[index]), float(reading.frame_theirs)
    knots = [(ours, theirs)]
    for stretch in reading.stretches:
        ours += stretch.ours[index]
        theirs += stretch.ratio(index) * stretch.ours[index]
        knots.append((ours, round(theirs, 2)))
    if len(knots) == 1:
        ratio = theirs / max(ours, 1.0)
        knots.append((ours + 1_000, round(theirs + 1_000 * ratio, 2)))
    return tuple(knots)


def _spread(readings: Sequence[Reading], index: int) -> float:
    """Return by how much the ratio of the endpoint's count to a counting's wanders."""
    stretches = [stretch for reading in readings for stretch in reading.stretches]
    weights = [stretch.read[0] for stretch in stretches]
    ratios = [stretch.ratio(index) for stretch in stretches]
    if len(stretches) < 3 or not all(ratios):  # noqa: PLR2004 - two say nothing of a spread
        return 0.0 if index == 0 else math.inf
    mean = sum(w * r for w, r in zip(weights, ratios, strict=True)) / sum(weights)
    squares = sum(w * (r / mean - 1) ** 2 for w, r in zip(weights, ratios, strict=True))
    return math.sqrt(squares / sum(weights))


def foresee(lengths: Sequence[int], language: Language, frame: int, free: bool) -> tuple[int, int]:
    """Return how many probes a replicate takes at the most, and about how many tokens of ours."""
    step = _STEP_FREE if free else _STEP
    stretches = len(_thin(lengths, step)) + 1
    worth = lengths[-1] if free else _worth(lengths[-1], language)
    return stretches + 2, round(worth) + (stretches + 2) * frame + 300


def _targets(subject: Subject) -> list[int]:
    step = _STEP_FREE if subject.free else _STEP
    return [min(subject.lengths[0] // 2, _FIRST), *_thin(subject.lengths, step)]


def _thin(lengths: Sequence[int], step: float) -> list[int]:
    """Return the lengths without those that are near the next longer one that is kept."""
    kept: list[int] = []
    for length in reversed(lengths):
        if not kept or kept[-1] >= step * length:
            kept.append(length)
    return kept[::-1]


def _worth(tokens: float, language: Language) -> float:
    """Return how much of a passage's first so many tokens is read."""
    whole = WHOLE_TO[language]
    return tokens if tokens <= whole else whole * (1 + math.log(tokens / whole))


def _mean_ratio(stretches: Sequence[Stretch]) -> float:
    """Return the endpoint's tokens for one of ours, so far."""
    if not stretches:
        return 1.0
    return sum(s.theirs for s in stretches) / sum(s.read[0] for s in stretches)


def _refuse_cut(stretch: Stretch, before: Sequence[Stretch], count: int, probe: Probe) -> None:
    """Raise UsageError for a count that stays behind the text: the prompt was cut, or no count."""
    low, high = _PLAUSIBLE
    if not low <= stretch.ratio(0) <= high:
        raise UsageError(
            f"the endpoint counts {count:,} tokens where ours are {probe.tokens:,}: lengths can't "
            f"be fitted to that (--count vendor): use --count common"
        )
    if before and count >= _LEAST_CUT and stretch.ratio(0) < _SHORT * _mean_ratio(before):
        expected = round(count + stretch.read[0] * _mean_ratio(before) - stretch.theirs)
        raise UsageError(
            f"the endpoint counts {count:,} tokens of a prompt of about {expected:,}: it cuts "
            f"prompts short without saying so. Raise its window (Ollama: OLLAMA_CONTEXT_LENGTH, "
            f"or num_ctx in a Modelfile), or ask for shorter --lengths"
        )


def _count_all(subject: Subject, messages: Sequence[Message]) -> tuple[int, ...]:
    return tuple(
        sum(counting.count(message["content"]) for message in messages)
        for counting in subject.countings
    )


def _less(counts: tuple[int, ...], others: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(one - other for one, other in zip(counts, others, strict=True))


class _Asking:
    """A subject's passage as it is read, and the prompts made of it."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.cut = next(c.cut for c in subject.countings if c.cut is not None)
        self._measured = Measured("", subject.countings[0])

    def messages(self, text: str) -> list[Message]:
        """Return a prompt's messages: its needle stands first, as at depth 0."""
        facts = "".join(self.subject.needle.facts)
        gap = self.subject.template.separator if text[:1].isalnum() else ""
        template, question = self.subject.template, self.subject.needle.question
        return fill_template(template, question, f"{facts}{gap}{text}")

    def probe(self, text: str) -> Probe:
        """Return the probe of a text."""
        messages = self.messages(text)
        count = self.subject.countings[0].count
        return Probe(messages, sum(count(message["content"]) for message in messages))

    def find_end(self, start: int, tokens: float) -> int:
        """Return where so many of our tokens after a place end, at a place where counts add up."""
        ahead = 4 * round(tokens) + 1_000
        while True:
            text = self.subject.read(start + ahead)
            enough = round(self._measured.before(start) + tokens) if start else round(tokens)
            if self._measured.total < enough + 1_000:
                self._measured = Measured(text, self.subject.countings[0])
            if self._measured.total >= enough + 1_000:
                break
            ahead *= 2
        place = find_cut(self._measured, enough)
        text = self._measured.text
        nearest = [m.start() for m in self.cut.finditer(text, max(start, place - 100), place)]
        return nearest[-1] if nearest and nearest[-1] > start else max(place, start + 1)

    def draw(self, start: int, end: int) -> tuple[str, Probe]:
        """Return a stretch's text and the probe of it, or of pieces drawn evenly from it."""
        text = self._measured.text[start:end]
        before, after = self._measured.before(start) if start else 0, self._measured.before(end)
        language = self.subject.language
        worth = _worth(after, language) - _worth(before, language)
        share = worth / max(after - before, 1)
        if self.subject.free or share > 0.9:  # noqa: PLR2004 - the rest is not worth leaving out
            return text, self.probe(text)
        return text, self.probe("".join(_sample(text, self.cut, _PIECE[language], share)))


def _sample(text: str, cut: re.Pattern[str], size: int, share: float) -> list[str]:
    """Return a share of a text's pieces, evenly spaced; they end where counts add up."""
    ends, last = [0], 0
    while (match := cut.search(text, last + size)) and match.start() < len(text):
        last = match.start()
        ends.append(last)
    pieces = [text[a:b] for a, b in pairwise([*ends, len(text)])]
    number = max(1, round(share * len(pieces)))
    return [pieces[int((index + 0.5) * len(pieces) / number)] for index in range(number)]
