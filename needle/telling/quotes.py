"""Long stretches of a haystack within other texts: found, and left out of what is published. Pure.

A model may recite the text that it was given, and an endpoint may send a whole request back in an
error message.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LONGEST = 300
"""Characters from which on a stretch of a haystack counts as long."""
_BLOCK = LONGEST // 2  # any stretch of LONGEST holds a whole block, wherever blocks begin


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where each block of some texts stands: (text, place) by the block's words."""

    texts: tuple[str, ...]
    places: Mapping[str, Sequence[tuple[int, int]]]


def index_texts(texts: Iterable[str]) -> Blocks:
    """Index texts by blocks of equal size, so that a stretch of one is found at once."""
    kept = tuple(texts)
    places: dict[str, list[tuple[int, int]]] = {}
    for number, text in enumerate(kept):
        for start in range(0, len(text) - _BLOCK + 1, _BLOCK):
            places.setdefault(text[start : start + _BLOCK], []).append((number, start))
    return Blocks(kept, places)


def leave_out(text: str, blocks: Blocks) -> str:
    """Return a text with every long stretch of the indexed texts replaced by its length.

    Line breaks and spaces count as they stand: a stretch is what equals the text throughout.
    """
    parts: list[str] = []
    done = 0
    at = 0
    while at <= len(text) - _BLOCK:
        start, end = _widen(text, at, done, blocks)
        if end - start < LONGEST:
            at += 1
            continue
        parts += [text[done:start], f"[… {end - start:,} …]"]
        done = at = end
    return "".join([*parts, text[done:]])


def _widen(text: str, at: int, done: int, blocks: Blocks) -> tuple[int, int]:
    """Return the longest stretch around a block that begins at a place; empty where there is none.

    It begins no earlier than ``done``, up to which the text is dealt with.
    """
    best = (at, at)
    for number, place in blocks.places.get(text[at : at + _BLOCK], ()):
        source = blocks.texts[number]
        before = 0
        while (
            at - before > done
            and place > before
            and text[at - before - 1] == source[place - before - 1]
        ):
            before += 1
        after = _BLOCK
        most = min(len(text) - at, len(source) - place)
        while after < most and text[at + after] == source[place + after]:
            after += 1
        if before + after > best[1] - best[0]:
            best = (at - before, at + after)
    return best
