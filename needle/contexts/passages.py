"""Passages: a haystack as one replicate reads it, and where its sentences end. Pure.

Places are characters of the passage.
"""

import hashlib
import random
import re
from array import array
from collections.abc import Iterator

from needle.words.types import Haystack

FILE_GAP = "\n\n"


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


_SENTENCE_END = re.compile(  # begins with a class of its own, which re looks for fast
    r"[.!?。！？…](?:(?<=[.!?])[.!?]*[\"')\]”’]*(?=\s)|(?<=[。！？…])[。！？…]*[”’」』）》〉】\"']*)"
)
_GOES_ON = "，、；：,;:.!?。！？…—）》〉)]"
_NO_END_AFTER = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|Mt|vs|etc|cf|e\.g|i\.e|al|No|Fig|Jr|Sr|[A-Z])\.)$"
)


def find_boundaries(text: str) -> "array[int]":
    """Return every place between two sentences: just after an end and its closing quotes.

    A full stop of an abbreviation or initial ends no sentence, nor does any sign before a
    small letter, a comma or another such sign (“好！”，他说).
    """
    return array("Q", list_boundaries(text))


def list_boundaries(text: str) -> Iterator[int]:
    """Yield the places of ``find_boundaries`` one after the other."""
    for match in _SENTENCE_END.finditer(text):
        end = match.end()
        if end < len(text) and _ends_sentence(text, match.start(), end):
            yield end


def _ends_sentence(text: str, start: int, end: int) -> bool:
    following = text[end : end + 40].lstrip()
    if following[:1].islower() or text[end] in _GOES_ON:
        return False
    return text[start] != "." or not _NO_END_AFTER.search(text[max(0, start - 6) : start + 1])
