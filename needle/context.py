"""Contexts: a haystack as one replicate reads it, measured, cut to length, with a needle in it.

Pure: texts and counts in, places and counts out. Places are characters of the passage.
"""

import hashlib
import random
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from needle.types import Haystack

FILE_GAP = "\n\n"
SHORTFALL = 8
"""The most tokens by which a prompt may stay below its context length (law 1)."""

_STRIDE = 160  # characters between anchors: short enough to encode in microseconds


@dataclass(frozen=True, slots=True)
class Counting:
    """A way to count: tokens of an encoding, or hanzi.

    ``cut`` matches at places where counts add up wherever both neighbours are in the text;
    None where no such place is known, and texts are counted whole. ``join_room`` is what is
    kept free for units that differ with the needle's place, where its ends merge with their
    neighbours; most places differ by none or one.
    """

    name: str
    count: Callable[[str], int]
    cut: re.Pattern[str] | None = None
    join_room: int = 3


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of the passage, by characters, as a part of a spliced text."""

    start: int
    end: int


class Measured:
    """A text with its running count, kept at anchors, so that any slice is counted fast."""

    def __init__(self, text: str, counting: Counting, enough: int | None = None) -> None:
        """Measure a text, no further than ``enough`` units from its start."""
        self.text = text
        self.counting = counting
        self._places = array("Q")
        self._counts = array("Q")
        self.total = self._measure(enough)
        self.before = lru_cache(maxsize=4096)(self._before)

    def _measure(self, enough: int | None) -> int:
        cut, count = self.counting.cut, self.counting.count
        if cut is None:
            return count(self.text)
        text, last, running = self.text, 0, 0
        while match := cut.search(text, last + _STRIDE):
            place = match.start()
            if place >= len(text):
                break
            running += count(text[last:place])
            self._places.append(place)
            self._counts.append(running)
            last = place
            if enough is not None and running >= enough:
                break
        if enough is None or running < enough:
            return running + count(text[last:])
        self.text = text[:last]
        return running

    def _before(self, place: int) -> int:
        """Count the text before a place, as if it stood alone."""
        index = bisect_left(self._places, place) - 1
        if index < 0:
            return self.counting.count(self.text[:place])
        start = self._places[index]
        return self._counts[index] + self.counting.count(self.text[start:place])

    def between(self, low: int, high: int) -> tuple[int, int]:
        """Return places around the text whose count before it is within low and high."""
        if not self._places:
            return 0, len(self.text)
        first = bisect_left(self._counts, low) - 1
        last = bisect_right(self._counts, high)
        start = self._places[first] if first >= 0 else 0
        end = self._places[last] if last < len(self._places) else len(self.text)
        return start, end

    def count(self, parts: Sequence[str | Slice]) -> int:
        """Count literal strings and slices of this text put together, exactly.

        Inside a slice the stretch between its first and last anchor is already counted; only
        what is around it is encoded, together with its neighbours.
        """
        total, pending = 0, ""
        for part in parts:
            if isinstance(part, str):
                pending += part
                continue
            first = bisect_right(self._places, part.start)
            last = bisect_left(self._places, part.end) - 1
            if first > last:
                pending += self.text[part.start : part.end]
                continue
            total += self.counting.count(pending + self.text[part.start : self._places[first]])
            total += self._counts[last] - self._counts[first]
            pending = self.text[self._places[last] : part.end]
        return total + (self.counting.count(pending) if pending else 0)


def draw_offset(haystack: Haystack, seed: int, replicate: int) -> int:
    """Draw where in the haystack a replicate begins to read, in characters.

    The first replicate begins at the beginning. Others begin at a paragraph drawn from
    the seed and the replicate.
    """
    if replicate == 0:
        return 0
    text = FILE_GAP.join(text for _, text in haystack.files)
    starts = [match.end() for match in re.finditer(r"\n\s*\n\s*(?=\S)", text)]
    starts = starts or [match.end() for match in re.finditer(r"\n(?=\S)", text)]
    return random.Random(f"offset {seed} {replicate}").choice(starts) if starts else 0


def read_passes(haystack: Haystack, offset: int) -> Iterator[str]:
    """Yield the haystack from its offset round to it again, then in ever fresh orders.

    The order of each further pass is drawn from the haystack's sha256, the offset and the
    pass, so that these alone determine the text.
    """
    texts = [text for _, text in haystack.files]
    whole = FILE_GAP.join(texts)
    yield whole[offset:]
    if offset:
        yield whole[:offset].rstrip()
    number = 1
    while True:
        order = list(texts)
        seed = hashlib.sha256(f"{haystack.sha256} {offset} {number}".encode()).hexdigest()
        random.Random(seed).shuffle(order)
        yield FILE_GAP.join(order)
        number += 1


def read_passage(haystack: Haystack, offset: int, characters: int) -> str:
    """Return at least so many characters of a haystack as read from its offset."""
    read: list[str] = []
    length = 0
    for text in read_passes(haystack, offset):
        read.append(text)
        length += len(text) + len(FILE_GAP)
        if length - len(FILE_GAP) >= characters:
            break
    return FILE_GAP.join(read)


_SENTENCE_END = re.compile(r"[.!?]+[\"')\]”’]*(?=\s)|[。！？…]+[”’」』）》〉】\"']*")
_GOES_ON = "，、；：,;:.!?。！？…—）》〉)]"
_NO_END_AFTER = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Mt|vs|etc|cf|e\.g|i\.e|al|No|Fig|Jr|Sr|[A-Z])\.)$"
)


def find_boundaries(text: str) -> "array[int]":
    """Return every place between two sentences: just after an end and its closing quotes.

    A full stop of an abbreviation or initial ends no sentence, nor does any sign before a
    small letter, a comma or another such sign (“好！”，他说).
    """
    places = array("Q")
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        if end < len(text) and _ends_sentence(text, match.start(), end):
            places.append(end)
    return places


def _ends_sentence(text: str, start: int, end: int) -> bool:
    following = text[end : end + 40].lstrip()
    if following[:1].islower() or text[end] in _GOES_ON:
        return False
    return text[start] != "." or not _NO_END_AFTER.search(text[max(0, start - 6) : start + 1])


def find_place(passage: Measured, boundaries: Sequence[int], depth_percent: float, cut: int) -> int:
    """Return the place nearest to a depth: a boundary, or the haystack's own ends."""
    if depth_percent <= 0:
        return 0
    if depth_percent >= 100:  # noqa: PLR2004 - percent
        return cut
    target = depth_percent / 100 * passage.before(cut)
    start, end = passage.between(int(target), int(target) + 1)
    last = bisect_left(boundaries, cut)
    first = bisect_left(
        boundaries,
        target,
        min(bisect_left(boundaries, start), last),
        min(bisect_right(boundaries, end), last),
        key=passage.before,
    )
    candidates = [0, *boundaries[max(first - 2, 0) : min(first + 2, last)], cut]
    return min(candidates, key=lambda place: (abs(passage.before(place) - target), place))


def find_cut(passage: Measured, room: int) -> int:
    """Return the last place to cut the haystack at so that what is before it fits the room.

    Between words or Chinese characters where one such place is near enough; inside a run
    without spaces that is longer than the shortfall allowed, between its characters.
    """
    if room <= 0:
        return 0
    start, end = passage.between(room - SHORTFALL, room)
    best = _last_fitting(passage, _word_ends(passage.text, start, end), room)
    if passage.before(best) < room - SHORTFALL // 2:
        best = max(best, _last_fitting(passage, range(start, end + 1), room))
    return best


_WORD_END = re.compile(
    "(?<=\\S)(?=\\s)|(?<=[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef“”‘’…—])(?=\\S)"
    "|(?<=\\S)(?=[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef“”‘’…—])"
)


def _word_ends(text: str, start: int, end: int) -> list[int]:
    ends = [match.start() for match in _WORD_END.finditer(text, start, end + 1)]
    return [*ends, len(text)] if end >= len(text) else ends


def _last_fitting(passage: Measured, places: Sequence[int], room: int) -> int:
    """Return the last of ascending places before which no more than the room stands."""
    low, high = 0, len(places)
    while low < high:
        middle = (low + high) // 2
        if passage.before(places[middle]) <= room:
            low = middle + 1
        else:
            high = middle
    return places[low - 1] if low else 0


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands in a prompt beside the haystack: the needle, and the template's text.

    ``before`` and ``after`` are around the context in its message; ``apart`` is the count
    of the other messages' contents.
    """

    needle: str
    separator: str
    before: str
    after: str
    apart: int

    def lay_out(self, position: int, cut: int) -> list[str | Slice]:
        """Return the parts of the context's message, with the needle at a place."""
        planted = plant(position, cut, self.needle, self.separator)
        return [self.before, *planted, self.after]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Where the needle goes and the haystack ends, with the exact count of all contents."""

    position: int
    cut: int
    total: int
    actual_depth_percent: float


def plant(position: int, cut: int, needle: str, separator: str) -> list[str | Slice]:
    """Return a context's parts: the haystack to its cut with the needle at its place."""
    if position == 0:
        return [needle, separator, Slice(0, cut)]
    return [Slice(0, position), separator, needle, Slice(position, cut)]


def share_cut(passage: Measured, frame: Frame, length: int) -> int:
    """Return where the haystack ends for every depth of a length.

    Raises ValueError if the length has no room for any haystack.
    """
    counting = passage.counting
    fixed = frame.apart + counting.count(
        frame.before + frame.needle + frame.separator + frame.after
    )
    cut = find_cut(passage, length - fixed - counting.join_room)
    if cut <= 0:
        raise ValueError(f"no room for a haystack: the rest takes {fixed}")
    return cut


def fit(
    passage: Measured,
    boundaries: Sequence[int],
    frame: Frame,
    length: int,
    depth_percent: float,
    shared: int,
) -> Fitted:
    """Place a needle so that all contents are ``length`` units, or up to the shortfall less.

    The haystack ends at the cut that all depths of the length share, unless this place's
    joins need more or fewer units than usual; then its end alone is moved.

    Raises ValueError if no end makes it fit.
    """
    position, cut = find_place(passage, boundaries, depth_percent, shared), shared
    last = position >= shared  # the needle then follows the end, wherever it is moved
    room = passage.before(shared)
    for _ in range(16):
        total = frame.apart + passage.count(frame.lay_out(position, cut))
        if 0 <= length - total <= SHORTFALL:
            depth = round(100 * passage.before(position) / passage.before(cut), 3)
            return Fitted(position, cut, total, depth)
        room += length - total if total > length else length - total - SHORTFALL // 2
        cut = find_cut(passage, room)
        if cut <= 0:
            break
        last = last or cut < position
        position = cut if last else position
    raise ValueError(f"no end of the haystack gives {length}: the text can't be cut near enough")
