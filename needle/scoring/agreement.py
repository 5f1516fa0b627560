"""Agreement of two scorers on the same replies: Cohen's kappa with its interval. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from needle.words.types import LANGUAGES, Language

FOUND_AT = 0.5
"""From this score on a scorer says that the fact was found.

On the published scale it divides 5 (0.444) from 7 (0.667), as the published figures do.
"""
Z = 1.959964
"""The standard normal's quantile of 95% intervals."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two scorers' words on the same replies, counted: found by both, by one alone, by none.

    ``share`` is the part of the replies on which they agree, ``kappa`` that agreement beyond
    chance (Cohen 1960); it and its 95% interval are None where both say the same of every
    reply, since then chance alone would make them agree.
    """

    both: int
    first_only: int
    second_only: int
    neither: int
    share: float
    kappa: float | None
    low: float | None
    high: float | None

    @property
    def count(self) -> int:
        """The number of replies that both have scored."""
        return self.both + self.first_only + self.second_only + self.neither


def count_agreement(both: int, first_only: int, second_only: int, neither: int) -> Agreement:
    """Return the agreement of two scorers from its four counts; at least one reply.

    The interval is Wilson's for the share of agreement, carried over to kappa with the
    agreement by chance held fixed. The usual standard error (Fleiss, Cohen and Everitt 1969)
    gives an interval of no width where scorers agree on everything, and covers a kappa of
    0.98 in 7 to 92 of 100 samples of 40 to 650 replies; this one in 92 to 98
    (docs/scoring.md).
    """
    count = both + first_only + second_only + neither
    share = (both + neither) / count
    first, second = (both + first_only) / count, (both + second_only) / count
    chance = first * second + (1 - first) * (1 - second)
    if chance >= 1:
        return Agreement(both, first_only, second_only, neither, share, None, None, None)
    low, high = _wilson(share, count)
    kappa, low, high = ((value - chance) / (1 - chance) for value in (share, low, high))
    return Agreement(both, first_only, second_only, neither, share, kappa, low, high)


def _wilson(share: float, count: int) -> tuple[float, float]:
    middle = share + Z * Z / (2 * count)
    half = Z * sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    whole = 1 + Z * Z / count
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def measure_agreement(pairs: Iterable[tuple[float, float]]) -> Agreement | None:
    """Return how far two scorers agree on whether facts were found; None of no replies.

    ``pairs`` are both scorers' scores of the same reply, each within 0-1.
    """
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for first, second in pairs:
        counts[first >= FOUND_AT, second >= FOUND_AT] += 1
    if not any(counts.values()):
        return None
    return count_agreement(
        counts[True, True], counts[True, False], counts[False, True], counts[False, False]
    )


def compare_scorers(
    first: str,
    second: str,
    states: Mapping[str, Mapping[str, Any]],
    scores: Mapping[tuple[str, str], Mapping[str, Any]],
) -> dict[Language, Agreement]:
    """Compare two scorers of a run over the replies that both have scored, by language.

    ``states`` are outcomes' lines by trial, ``scores`` the last line of each (trial, scorer).
    """
    pairs: dict[Language, list[tuple[float, float]]] = {language: [] for language in LANGUAGES}
    for trial, line in states.items():
        values = [scores.get((trial, name), {}).get("score") for name in (first, second)]
        if values[0] is not None and values[1] is not None:
            pairs[line["language"]].append((values[0], values[1]))
    found = {language: measure_agreement(pairs[language]) for language in LANGUAGES}
    return {language: agreement for language, agreement in found.items() if agreement}
