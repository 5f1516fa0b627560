"""Grids: lengths and depths as published, as counted, and as the window allows."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.contexts.grid import (
    GRID_NAMES,
    SHORTEST,
    UNKNOWN_WINDOW_TOP,
    GridWish,
    Spacing,
    format_length,
    make_grid,
    parse_length,
    space_depths,
    space_linear,
)

PUBLISHED = Path(__file__).resolve().parents[1].parent / "shared" / "published"
ROOMS = st.none() | st.integers(1_000, 3_000_000)
SPACING_NAMES: tuple[Spacing, ...] = ("linear", "sigmoid")
SPACINGS = st.sampled_from(SPACING_NAMES)


def test_published_grid_is_the_published_one() -> None:
    """The grid `published` has the lengths and depths of the published GPT-4 Turbo run."""
    path = PUBLISHED / "gpt-4-1106-preview.json"
    if not path.exists():
        pytest.skip("the published results are not at hand")
    rows = json.loads(path.read_text(encoding="utf-8"))
    grid = make_grid(GridWish("published"), None)
    lengths = {row.get("token_limit") or row.get("context_length") for row in rows}
    assert grid.lengths == tuple(sorted(lengths))
    assert grid.depths == tuple(sorted({row["depth_percent"] for row in rows}))


def test_full_grid_is_the_published_one() -> None:
    """The grid `full` has the lengths and sigmoid depths of the published Claude 2.1 run."""
    path = PUBLISHED / "claude-2.1-scores.csv"
    if not path.exists():
        pytest.skip("the published results are not at hand")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    grid = make_grid(GridWish("full"), None)
    assert grid.lengths == tuple(sorted({int(row["context_length"]) for row in rows}))
    assert grid.depths == tuple(sorted({float(row["depth_percent"]) for row in rows}))


def test_a_spacing_that_is_said_holds_in_any_grid() -> None:
    """A named grid's own spacing gives way to one that is asked for."""
    for name, count in (("default", 11), ("published", 15), ("full", 35)):
        for spacing in SPACING_NAMES:
            depths = make_grid(GridWish(name, spacing=spacing), None).depths
            assert depths == space_depths(count, spacing)


def test_default_grid_doubles() -> None:
    """The grid `default` doubles from 1k and keeps the window's room as its last length."""
    grid = make_grid(GridWish(), 127_712)
    assert grid.lengths == (1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 127_712)
    assert grid.depths == tuple(range(0, 101, 10))
    assert make_grid(GridWish(), 2_000_000).lengths[-2:] == (1_024_000, 2_000_000)
    assert make_grid(GridWish(), None).lengths[-1] == UNKNOWN_WINDOW_TOP


@given(st.sampled_from(GRID_NAMES), ROOMS, st.none() | st.integers(1, 40))
def test_named_grids_end_at_their_top(name: str, room: int | None, count: int | None) -> None:
    """A named grid ends at the smaller of its own top and the room, kept as its last length."""
    own = {"default": room or UNKNOWN_WINDOW_TOP, "published": 128_000, "full": 200_000}[name]
    top = own if room is None else min(own, room)
    grid = make_grid(GridWish(name, length_count=count), room)
    assert grid.lengths[-1] == top
    assert grid.lengths == tuple(sorted(set(grid.lengths)))
    assert min(SHORTEST, top) <= grid.lengths[0]
    assert len(grid.lengths) <= (count or 35)
    if count is None or count > 1:
        assert grid.lengths[0] == min(SHORTEST, top)


@given(st.integers(1, 900))
def test_small_windows(room: int) -> None:
    """A window under 1k has grids of its one length."""
    for name in GRID_NAMES:
        assert make_grid(GridWish(name), room).lengths == (room,)


@given(
    st.sampled_from(GRID_NAMES),
    st.lists(st.integers(1, 10**7), min_size=1, max_size=9),
    st.lists(st.floats(0, 100), min_size=1, max_size=9),
)
def test_typed_lists_are_taken(name: str, lengths: list[int], depths: list[float]) -> None:
    """Typed lengths and depths replace a named grid's, once each and in ascending order."""
    grid = make_grid(GridWish(name, lengths=tuple(lengths), depths=tuple(depths)), 5_000)
    assert grid.lengths == tuple(sorted(set(lengths)))
    assert grid.depths == tuple(sorted(set(depths)))


@given(st.integers(2, 300), SPACINGS)
def test_depths_are_symmetric(count: int, spacing: Spacing) -> None:
    """Any count of depths runs from 0 to 100, ascending, apart, and alike from both ends."""
    depths = space_depths(count, spacing)
    assert (depths[0], depths[-1]) == (0, 100)
    assert len(set(depths)) == len(depths) == count
    assert list(depths) == sorted(depths)
    slack = 1 if spacing == "linear" else 0.0021  # both ends are rounded
    for depth, mirrored in zip(depths, reversed(depths), strict=True):
        assert depth + mirrored == pytest.approx(100, abs=slack)


@given(st.integers(5, 100))
def test_sigmoid_stands_closer_at_the_ends(count: int) -> None:
    """Sigmoid depths are closer together at both ends than in the middle, the outermost aside."""
    depths = space_depths(count, "sigmoid")
    middle = len(depths) // 2
    inner = depths[middle] - depths[middle - 1]
    assert inner >= depths[2] - depths[1]
    assert inner >= depths[-2] - depths[-3]
    assert space_depths(count, "linear") != depths


def test_one_depth() -> None:
    """A single depth is the middle, and a single length the longest."""
    assert space_depths(1, "linear") == space_depths(1, "sigmoid") == (50.0,)
    assert space_linear(1, 9, 1) == [9]
    assert make_grid(GridWish("published", depth_count=3), None).depths == (0, 50, 100)
    assert make_grid(GridWish(depth_count=5, spacing="sigmoid"), None).depths == (
        *(0, 7.586, 50.0, 92.414, 100),
    )


@pytest.mark.parametrize(
    ("text", "length"),
    [
        *(("1000", 1_000), ("8k", 8_000), ("8K", 8_000), ("1.5k", 1_500), (" 128k ", 128_000)),
        *(("1M", 1_000_000), ("0.5m", 500_000), ("10_000", 10_000), ("127.712k", 127_712)),
    ],
)
def test_lengths_are_read(text: str, length: int) -> None:
    """A length is a number with or without k or M; k is 1,000."""
    assert parse_length(text) == length


@pytest.mark.parametrize("text", ["", "k", "-1k", "1kk", "8 k", "1e3", "1,000", "1Mb", "1..5k"])
def test_other_lengths_are_refused(text: str) -> None:
    """What is not such a number is refused, with the text that was given."""
    with pytest.raises(ValueError, match="not a length") as caught:
        parse_length(text)
    assert repr(text) in str(caught.value)


@given(st.integers(1, 9_999).map(lambda n: n * 100))
def test_lengths_are_written_as_they_are_read(length: int) -> None:
    """A length of up to four figures is written so that it reads back the same."""
    assert parse_length(format_length(length)) == length
    assert format_length(2_000_000) == "2M"
    assert format_length(127_712) == "127.7k"
