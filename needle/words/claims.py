"""The records of statistics: estimates with their intervals, comparisons, and effective lengths.

Shares are within 0-1. Every interval is at 95%. What it is over is its ``scope``:
``population`` - all needles and places of text that might have been drawn, from two replicates
on; ``draw`` - further trials with this one needle in this one text, where there is but one.
"""

from dataclasses import dataclass
from typing import Literal

from needle.words.types import Language

Scope = Literal["population", "draw"]
Definition = Literal["absolute", "relative"]
"""Of an effective length: a fixed threshold (RULER), or a share of the base score (NoLiMa)."""

State = Literal["within", "below", "beyond"]
"""Where an effective length lies: among the lengths tested, under the shortest, or at the
longest or over it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean score with its interval; all None where nothing is scored.

    ``scored`` counts the scored trials and ``replicates`` those that have one. An interval is
    never of zero width.
    """

    value: float | None
    low: float | None
    high: float | None
    scored: int
    replicates: int
    scope: Scope


@dataclass(frozen=True, slots=True)
class Along:
    """A mean score at one place of an axis: a context length (in the run's unit) or a depth."""

    at: float
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class EffectiveLength:
    """The longest context length at which recall still reaches ``threshold``.

    In the run's unit, between tested lengths by the logarithm. ``length`` is the longest tested
    one where recall never falls under the threshold (``beyond``), and None where it does at the
    shortest already (``below``) or where nothing can be said. ``low`` is None where the
    interval reaches under the shortest length tested, ``high`` where it reaches beyond the longest.
    ``threshold`` is None where no base score is known, or it is 0.

    The interval takes the curve to be straight between tested lengths. What needs no such line is
    ``held_at``, the longest tested length at which recall is shown to reach the threshold, and
    ``lost_at``, the shortest at which it is shown not to: whatever recall does between tested
    lengths, if it does not rise, the effective length lies between these two. None where no tested
    length shows it.
    """

    definition: Definition
    threshold: float | None
    length: float | None
    state: State | None
    low: float | None
    high: float | None
    held_at: float | None
    lost_at: float | None
    scope: Scope


@dataclass(frozen=True, slots=True)
class WeakRegion:
    """A rectangle of cells whose recall stands out below the rest, as found from the data.

    Lengths and depths are those of the grid, ends included. ``inside`` and ``outside`` are mean
    scores; ``p_value`` is that of the scan statistic against cells in random order.
    """

    lengths: tuple[int, int]
    depths: tuple[float, float]
    inside: float
    outside: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """What can be said of one run, task and language.

    ``cells`` are in the order of the heatmap's. ``base`` is the base score, where there is one.
    ``replicates_wanted`` is how many replicates an interval of 5 points to either side of
    overall recall would take, by the spread seen, or by an assumed one with a single replicate.
    Of an ``adaptive`` run ``overall``, ``depths`` and that number are of its core alone.
    """

    model: str
    task: str
    language: Language
    overall: Estimate
    base: Estimate | None
    cells: tuple[tuple[int, float, Estimate], ...]
    lengths: tuple[Along, ...]
    depths: tuple[Along, ...]
    effective: tuple[EffectiveLength, ...]
    weak: WeakRegion | None
    replicates: int
    replicates_wanted: int
    adaptive: bool = False


@dataclass(frozen=True, slots=True)
class PairedCell:
    """The difference in one cell, second less first, over the pairs scored in both.

    ``beyond_chance`` tells whether it is, by a sign test over replicates with Benjamini and
    Hochberg's rate of false discoveries, 5%, over all cells.
    """

    context_length: int
    depth_percent: float
    difference: float | None
    pairs: int
    p_value: float | None
    beyond_chance: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sets of trials compared in pairs, ``second`` less ``first``, in shares of 1.

    ``of`` says what is compared: two ``models`` on the same trials, or the two ``languages`` of
    one model (first Chinese, second English), whose ``language`` is None. ``only_first`` and
    ``only_second`` count the pairs in which one scored higher. ``test`` is what gave the
    p-value: McNemar's exact test over trials for a single replicate, a permutation of signs
    over replicates for several. ``p_adjusted`` is Holm's, over the comparisons made together.
    ``detectable`` is the smallest difference that so many pairs would have shown in four of
    five tries (80% power at the 5% level, Holm's correction made); None where the replicates, or
    McNemar's pairs, are too few for that test to reach 5% at all. ``needed`` is how many can.
    """

    of: Literal["models", "languages"]
    first: str
    second: str
    task: str
    language: Language | None
    pairs: int
    replicates: int
    difference: Estimate
    only_first: int
    only_second: int
    test: Literal["mcnemar", "permutation"]
    p_value: float
    p_adjusted: float
    detectable: float | None
    needed: int
    cells: tuple[PairedCell, ...]
