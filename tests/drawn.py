"""What tests of figures share: data to draw, and what to ask of the drawing."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from needle.words.figures import Cell, Heatmap
from needle.words.types import Grid, Verdict

GRID = Grid("default", (1000, 2000, 4000), (0.0, 50.0))
CELLS = (
    Cell(1000, 0.0, 1.0, {"found": 3}),
    Cell(2000, 0.0, 0.5, {"found": 1, "missed": 1, "failed": 1}),
    Cell(4000, 0.0, None, {"failed": 2, "filtered": 1}),
    Cell(1000, 50.0, 0.0, {"refused": 3}),
    Cell(2000, 50.0, 0.25, {"missed": 2, "partial": 1}),
    Cell(4000, 50.0, None, {"not_run": 3}),
)


def make_heatmap(**changes: Any) -> Heatmap:
    fields: dict[str, Any] = {
        "model": "moonshot-v1-128k",
        "task": "single",
        "language": "en",
        "unit": "tokens",
        "grid": GRID,
        "cells": CELLS,
        "needle": "dolores-park",
        "haystack": "essays",
        "tokenizer": "o200k_base",
        "replicates": 3,
        "date": "2026-11-24",
        "recall": 0.456,
        "scored": 11,
        "left_out": {"failed": 3, "filtered": 1, "not_run": 3},
        "passes": 0.4,
        "simulated": False,
    }
    return Heatmap(**{**fields, **changes})


def full(grid: Grid, score: float | None = 1.0) -> dict[str, Any]:
    verdict: Verdict = "not_run" if score is None else "found"
    cells = tuple(Cell(x, d, score, {verdict: 1}) for x in grid.lengths for d in grid.depths)
    return {"grid": grid, "cells": cells}


def mesh_of(figure: Figure) -> QuadMesh:
    (mesh,) = [c for c in figure.axes[0].collections if isinstance(c, QuadMesh)]
    return mesh


def scores_of(figure: Figure) -> Any:
    values: Any = mesh_of(figure).get_array()
    return np.ma.filled(values.astype(float), np.nan)


def squares_of(axes: Axes, mark: str) -> set[tuple[float, float]]:
    """Return the (column, row) of the squares that carry a mark's hatching."""
    return {
        (patch.get_x(), patch.get_y())
        for patch in axes.patches
        if isinstance(patch, Rectangle) and patch.get_label() == mark and patch.get_hatch()
    }


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def maps_of(figure: Figure) -> list[Axes]:
    """Return the axes that hold a map of cells."""
    return [axes for axes in figure.axes if axes.get_label() == "map"]


def check_layout(figure: Figure) -> None:
    """Hold that all is inside the picture, and that no text is on another or on a map."""
    figure.canvas.draw()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [(text, text.get_window_extent()) for text in texts]
    for text, box in boxes:
        inside = box.x0 >= 0 and box.y0 >= 0
        assert inside, text.get_text()
        assert box.x1 <= figure.bbox.x1, text.get_text()
        assert box.y1 <= figure.bbox.y1, text.get_text()
        for axes in figure.axes:
            on = box.padded(-1).overlaps(axes.bbox.padded(-1))
            assert not on, f"{text.get_text()!r} stands on a map"
    for number, (text, box) in enumerate(boxes):
        for other, its in boxes[:number]:
            both_turned = text.get_rotation() % 90 and other.get_rotation() % 90
            overlap = box.padded(-1).overlaps(its.padded(-1)) and not both_turned
            assert not overlap, (text.get_text(), other.get_text())
