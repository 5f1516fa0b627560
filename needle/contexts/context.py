"""Contexts: a passage cut to length, with sentences inserted at their depths.

Pure: texts and counts in, places and counts out. Places are characters of the passage.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from needle.contexts.counting import Measured, Slice

SHORTFALL = 8
"""The most tokens by which a prompt may stay below its context length (law 1)."""


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
    """What stands in a prompt beside the haystack: the inserted sentences, and the template's text.

    ``inserts`` are in the order of the depths that are asked for them. ``before`` and
    ``after`` are around the context in its message; ``apart`` is the count of the other
    messages' contents.
    """

    inserts: tuple[str, ...]
    separator: str
    before: str
    after: str
    apart: int

    def lay_out(self, positions: Sequence[int], cut: int) -> list[str | Slice]:
        """Return the parts of the context's message, with each insert at its place."""
        planted = plant(positions, self.inserts, cut, self.separator)
        return [self.before, *planted, self.after]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Where the inserts go and the haystack ends, with the exact count of all contents.

    ``positions`` and ``actual_depths`` (percent) are one for each insert, none less than
    the one before.
    """

    positions: tuple[int, ...]
    cut: int
    total: int
    actual_depths: tuple[float, ...]


def plant(
    positions: Sequence[int], inserts: Sequence[str], cut: int, separator: str
) -> list[str | Slice]:
    """Return a context's parts: the haystack to its cut with each insert at its place.

    Positions ascend. Those that share one follow each other, each with a separator of its
    own: before it, or after it where it stands before the haystack's first word.
    """
    parts: list[str | Slice] = []
    last = 0
    for position, insert in zip(positions, inserts, strict=True):
        if position > last:
            parts.append(Slice(last, position))
            last = position
        parts += (separator, insert) if position else (insert, separator)
    if cut > last:
        parts.append(Slice(last, cut))
    return parts


def share_cut(passage: Measured, frame: Frame, length: int) -> int:
    """Return where the haystack ends for every depth of a length.

    Raises ValueError if the length has no room for any haystack.
    """
    counting = passage.counting
    inserted = "".join(insert + frame.separator for insert in frame.inserts)
    fixed = frame.apart + counting.count(frame.before + inserted + frame.after)
    cut = find_cut(passage, length - fixed - counting.join_room)
    if cut <= 0:
        raise ValueError(f"no room for a haystack: the rest takes {fixed}")
    return cut


def fit(
    passage: Measured,
    boundaries: Sequence[int],
    frame: Frame,
    length: int,
    depths: Sequence[float],
    shared: int,
) -> Fitted:
    """Place the inserts so that all contents are ``length`` units, or up to the shortfall less.

    ``depths`` ascend, one for each insert. The haystack ends at the cut that all depths of
    the length share, unless these places' joins need more or fewer units than usual; then
    its end alone is moved.

    Raises ValueError if no end makes it fit.
    """
    cut = shared
    positions = tuple(find_place(passage, boundaries, depth, shared) for depth in depths)
    inside = sum(position < shared for position in positions)  # the others follow the end
    room = passage.before(shared)
    for _ in range(16):
        total = frame.apart + passage.count(frame.lay_out(positions, cut))
        if 0 <= length - total <= SHORTFALL:
            whole = passage.before(cut)
            actual = tuple(round(100 * passage.before(place) / whole, 3) for place in positions)
            return Fitted(positions, cut, total, actual)
        room += length - total if total > length else length - total - SHORTFALL // 2
        cut = find_cut(passage, room)
        if cut <= 0:
            break
        inside = min(inside, sum(position <= cut for position in positions))
        positions = positions[:inside] + (cut,) * (len(positions) - inside)
    raise ValueError(f"no end of the haystack gives {length}: the text can't be cut near enough")
