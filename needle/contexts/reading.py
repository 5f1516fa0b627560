"""Readings: a haystack as one replicate reads it, measured as far as contexts reach. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from needle.contexts.counting import Counting, Measured
from needle.contexts.materials import Settings
from needle.contexts.passages import draw_offset, find_boundaries, read_passage
from needle.words.errors import UsageError
from needle.words.types import Haystack, Unit

_MARGIN = 1.1  # a text's later parts may have fewer units to the character than its first
_SPARE = 1_000  # units measured beyond the longest context, so that its cut can be moved


@dataclass(frozen=True, slots=True)
class Reading:
    """One replicate of a haystack: its passage measured, in the run's unit and in tokens."""

    haystack: Haystack
    replicate: int
    offset: int
    passage: Measured
    in_tokens: Measured
    boundaries: Sequence[int]


def read(settings: Settings, haystack: Haystack, replicate: int, length: int) -> Reading:
    """Read as much of a replicate's passage as contexts up to a length can hold.

    Raises UsageError if the haystack holds nothing to count in the run's unit.
    """
    offset = draw_offset(haystack, settings.seed, replicate)
    counting = settings.counting(haystack.language)
    longest = settings.fit_to(haystack.language, replicate, length)
    passage = measure(haystack, offset, longest, counting, settings.unit)
    in_tokens = passage
    if counting.name != settings.tokens.name:
        in_tokens = Measured(passage.text, settings.tokens)
    boundaries = find_boundaries(passage.text)
    return Reading(haystack, replicate, offset, passage, in_tokens, boundaries)


def measure(
    haystack: Haystack, offset: int, length: int, counting: Counting, unit: Unit
) -> Measured:
    """Measure as much of a haystack, read from an offset, as contexts of a length can hold.

    Raises UsageError if it holds nothing to count.
    """
    characters = length
    while True:
        text = read_passage(haystack, offset, characters)
        passage = Measured(text, counting, length + _SPARE)
        if passage.total >= length + _SPARE:
            return passage
        if not passage.total and len(text) >= sum(len(file) for _, file in haystack.files):
            raise UsageError(
                f"the haystack {haystack.name!r} holds no {unit} to count "
                f"(--unit): use another --haystack or --unit tokens"
            )
        reach = len(text) * (length + _SPARE) / max(passage.total, 1)
        characters = max(2 * characters, math.ceil(_MARGIN * reach))


def count_passes(cut: int, haystack: Haystack) -> float:
    """Return how often a context that ends at a cut reads through its haystack: 1 is once."""
    return round(cut / sum(len(text) for _, text in haystack.files), 2)
