import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.statistics.weakness import find_weak_region
from needle.words.figures import Cell, Heatmap
from needle.words.types import Grid

PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "published"


def heatmap(scores: np.ndarray, lengths: tuple[int, ...] | None = None) -> Heatmap:
    """Return a heatmap of scores, lengths by depths; NaN where a cell has none."""
    rows, columns = scores.shape
    grid = Grid(
        "g",
        lengths or tuple(1_000 * (i + 1) for i in range(rows)),
        tuple(100 * j / (columns - 1) for j in range(columns)),
    )
    cells = tuple(
        Cell(length, depth, None, {"failed": 1})
        if np.isnan(scores[i, j])
        else Cell(length, depth, float(scores[i, j]), {"found" if scores[i, j] else "missed": 1})
        for i, length in enumerate(grid.lengths)
        for j, depth in enumerate(grid.depths)
    )
    return Heatmap(
        "m", "single", "en", "tokens", grid, cells, "n", "h", "t", 1, "2024-01-01", 0.5,
        rows * columns, {}, 1.0, simulated=False,
    )  # fmt: skip


@settings(max_examples=15)
@given(st.integers(0, 5), st.integers(2, 4), st.integers(0, 5), st.integers(2, 4))
def test_a_planted_region_is_found(top: int, height: int, left: int, width: int) -> None:
    """A rectangle lost whole in a grid that is found elsewhere is the weak region, exactly."""
    scores = np.ones((10, 11))
    scores[top : top + height, left : left + width] = 0
    one = heatmap(scores)
    found = find_weak_region(one)
    assert found is not None
    lengths, depths = one.grid.lengths, one.grid.depths
    assert found.lengths == (lengths[top], lengths[top + height - 1])
    assert found.depths == (depths[left], depths[left + width - 1])
    assert (found.inside, found.outside) == (0.0, 1.0)


def test_chance_is_no_region() -> None:
    """Among grids of losses without a place, no more than one in ten shows a region."""
    draw = np.random.default_rng(1)
    found = sum(
        find_weak_region(heatmap((draw.random((8, 9)) < 0.8).astype(float))) is not None
        for _ in range(40)
    )
    assert found <= 4


@pytest.mark.parametrize("scores", [np.ones((5, 5)), np.zeros((5, 5)), np.full((5, 5), np.nan)])
def test_nothing_stands_out_of_one_colour(scores: np.ndarray) -> None:
    """A grid that is all found, all lost or not scored has no weak region."""
    assert find_weak_region(heatmap(scores)) is None


def test_cells_without_a_score_are_no_losses() -> None:
    """A region of failed cells is not weak: a failure is missing, never zero."""
    scores = np.ones((8, 8))
    scores[2:5, 2:5] = np.nan
    scores[0, 0] = 0
    assert find_weak_region(heatmap(scores)) is None


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published results are not here")
def test_the_published_weak_region_of_gpt_4_turbo() -> None:
    """The region found in GPT-4 Turbo's published scores is the one its author told of.

    "performance started to degrade above 73K tokens", for facts at 7-50% depth.
    """
    rows = json.loads((PUBLISHED / "gpt-4-1106-preview.json").read_text())
    rows += json.loads((PUBLISHED / "gpt-4-1106-preview-second-run.json").read_text())
    places: Counter[tuple[int, float]] = Counter()
    sums: Counter[tuple[int, float]] = Counter()
    for row in rows:
        place = (row.get("token_limit") or row["context_length"], row["depth_percent"])
        places[place] += 1
        sums[place] += (row["score"] - 1) / 9
    lengths = tuple(sorted({length for length, _ in places}))
    depths = tuple(sorted({depth for _, depth in places}))
    scores = np.array([[sums[l, d] / places[l, d] for d in depths] for l in lengths])  # noqa: E741
    found = find_weak_region(heatmap(scores, lengths))
    assert found is not None
    assert found.lengths == (73_571, 128_000)
    top, bottom = (round(depth * 14 / 100) for depth in found.depths)
    assert (depths[top], depths[bottom]) == (7, 50)
