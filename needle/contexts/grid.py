"""The grid: which context lengths and which depths a run asks at.

Named grids, lists and counts, linear or sigmoid. Pure.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

from needle.words.types import Grid

Spacing = Literal["linear", "sigmoid"]
GRID_NAMES = ("default", "published", "full")

GOLDEN = 0.6180339887498949
"""The golden section: any few of its multiples, less their whole parts, lie far apart in 0-1."""

SHORTEST = 1_000
UNKNOWN_WINDOW_TOP = 128_000
"""Where a grid without a top ends if the model's window is not known."""

_TOPS = {"default": None, "published": 128_000, "full": 200_000}
_WHOLE_PERCENT_COUNT = 51  # up to here whole percents stay apart, as in the published grids


@dataclass(frozen=True, slots=True)
class GridWish:
    """What was asked for: a named grid, and what replaces its lengths, depths or their spacing."""

    name: str = "default"
    lengths: tuple[int, ...] | None = None
    length_count: int | None = None
    depths: tuple[float, ...] | None = None
    depth_count: int | None = None
    spacing: Spacing | None = None


def parse_length(text: str) -> int:
    """Read ``1000``, ``8k`` (8,000), ``1.5k`` or ``1M``; raise ValueError on anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM]?)", text.strip().replace("_", ""))
    if not match:
        raise ValueError(f"not a length: {text!r}")
    scale = {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()]
    return round(float(match[1]) * scale)


def format_length(length: int) -> str:
    """Write a length as people do: 1k, 127.7k, 2M."""
    for scale, letter in ((1_000_000, "M"), (1_000, "k")):
        if length >= scale:
            return f"{length / scale:.4g}{letter}"
    return str(length)


def space_linear(low: float, high: float, count: int) -> list[float]:
    """Return ``count`` evenly spaced numbers with both ends among them."""
    if count == 1:
        return [high]
    return [low + (high - low) * step / (count - 1) for step in range(count)]


def space_depths(count: int, spacing: Spacing) -> tuple[float, ...]:
    """Return ``count`` depths in percent, 0 and 100 among them.

    Linear ones are whole percents where that keeps them apart. Sigmoid ones stand closer
    together towards both ends: 100 / (1 + e^(-0.1(x - 50))) over evenly spaced x, with 0
    and 100 kept (the spacing of the published Claude 2.1 run).
    """
    evenly = space_linear(0, 100, count)
    if count == 1:
        return (50.0,)
    if spacing == "sigmoid":
        return tuple(
            x if x in (0, 100) else round(100 / (1 + math.exp(-0.1 * (x - 50))), 3) for x in evenly
        )
    digits = 0 if count <= _WHOLE_PERCENT_COUNT else 3
    return tuple(round(x, digits) for x in evenly)


def choose_place(number: int, places: int) -> int:
    """Return one of so many places for each number; any few numbers in a row are far apart."""
    return int((number + 0.5) * GOLDEN % 1 * places)


def make_grid(wish: GridWish, room: int | None) -> Grid:
    """Settle a grid's lengths and depths.

    ``room`` is what the model's window holds beside the reply and the chat format's
    overhead, in the run's unit; None where the window is not known. A named grid ends at
    the smaller of its own top and the room, and keeps it as its last length. Typed lengths
    are taken as they are: the plan refuses those past the window.
    """
    top = _TOPS[wish.name] or room or UNKNOWN_WINDOW_TOP
    if room is not None:
        top = min(top, room)
    if wish.lengths is not None:
        lengths = wish.lengths
    elif wish.length_count is not None or wish.name != "default":
        count = wish.length_count or {"published": 15, "full": 35}[wish.name]
        lengths = tuple(round(x) for x in space_linear(min(SHORTEST, top), top, count))
    else:
        lengths = (*_double(SHORTEST, top), top)
    return Grid(wish.name, tuple(sorted(set(lengths))), settle_depths(wish))


def settle_depths(wish: GridWish) -> tuple[float, ...]:
    """Return a grid's depths, ascending: they hang on no window."""
    if wish.depths is not None:
        depths = wish.depths
    elif wish.depth_count is not None:
        depths = space_depths(wish.depth_count, wish.spacing or "linear")
    elif wish.name == "full":
        depths = space_depths(35, wish.spacing or "sigmoid")
    else:
        count = 15 if wish.name == "published" else 11
        depths = space_depths(count, wish.spacing or "linear")
    return tuple(sorted(set(depths)))


def _double(start: int, top: int) -> list[int]:
    lengths = []
    while start < top:
        lengths.append(start)
        start *= 2
    return lengths
