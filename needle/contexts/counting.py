"""Counting: how a text is counted, and a text with its running count. Pure."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

_STRIDE = 160  # characters between anchors: short enough to encode in microseconds
_STRETCHES = 1 << 16  # stretches whose counts are kept: some twenty megabytes
_LONG = 4 * _STRIDE  # characters of a piece that is not kept


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


@lru_cache(maxsize=_STRETCHES)
def _count_stretch(count: Callable[[str], int], text: str) -> int:
    """Count a short stretch that is counted again: other replicates read it, and other prompts.

    Wherever two replicates begin to read, their anchors soon fall on the same places.
    """
    return count(text)


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
            stretch = text[last:place]
            running += _count_stretch(count, stretch) if len(stretch) <= _LONG else count(stretch)
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
        return self._counts[index] + self._count_piece(self.text[start:place])

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
            total += self._count_piece(pending + self.text[part.start : self._places[first]])
            total += self._counts[last] - self._counts[first]
            pending = self.text[self._places[last] : part.end]
        return total + (self._count_piece(pending) if pending else 0)

    def _count_piece(self, text: str) -> int:
        count = self.counting.count
        return _count_stretch(count, text) if len(text) <= _LONG else count(text)
