from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from numpy.typing import NDArray

from needle.drawing.maps import look_of, scale_differences, scale_scores
from needle.telling.palettes import DIFFERENCES, PALETTES, Palette
from needle.words.types import Verdict

Array = NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), in full severity, on linear RGB.
VISION: dict[str, Array] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
SEEN = 10.0
"""CIELAB units; 2.3 is a difference just seen side by side, and squares stand apart."""


def to_lab(colours: Array, vision: str) -> Array:
    """Return colours (sRGB, 0-1) as a kind of vision sees them, in CIELAB (D65)."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ VISION[vision].T, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = seen @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab: Array = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )
    return lab


def mix(stops: tuple[str, ...], count: int) -> Array:
    colours: Array = LinearSegmentedColormap.from_list("x", stops)(np.linspace(0, 0.999, count))
    return colours[:, :3]


def least_distance(lab: Array) -> float:
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(lab, 2))


@pytest.mark.parametrize("vision", VISION)
def test_safe_lightness_rises(vision: str) -> None:
    """The safe scores get lighter all along for every kind of vision, so grey print keeps them."""
    lightness = to_lab(mix(PALETTES["safe"], 100), vision)[:, 0]
    assert (np.diff(lightness) > 0).all()
    assert lightness[-1] - lightness[0] > 60


@pytest.mark.parametrize("vision", VISION)
def test_safe_scores_stay_apart(vision: str) -> None:
    """Scores of 0, 25, 50, 75 and 100% are well apart for every kind of vision."""
    assert least_distance(to_lab(mix(PALETTES["safe"], 5), vision)) > 1.5 * SEEN


@pytest.mark.parametrize("vision", VISION)
def test_no_safe_score_looks_like_a_square_without_one(vision: str) -> None:
    """No score has a colour near the greys of squares that have none, for any vision."""
    marks: tuple[Verdict, ...] = ("truncated", "filtered", "failed", "not_run")
    greys = np.array([to_rgb(look_of(mark, 1, "safe")["facecolor"]) for mark in marks])
    scores = to_lab(mix(PALETTES["safe"], 100), vision)
    apart = np.linalg.norm(scores[:, None] - to_lab(greys, vision)[None], axis=2)
    assert apart.min() > SEEN


@pytest.mark.parametrize("vision", VISION)
def test_safe_differences_stay_apart(vision: str) -> None:
    """The two sides of a difference, and none, are far apart, and each side darkens evenly."""
    colours = to_lab(mix(DIFFERENCES["safe"], 101), vision)
    lightness = colours[:, 0]
    assert (np.diff(lightness[:50]) > 0).all()
    assert (np.diff(lightness[51:]) < 0).all()
    assert least_distance(colours[[0, 25, 50, 75, 100]]) > 2 * SEEN
    assert abs(lightness[0] - lightness[-1]) < 12


def test_published_is_not_safe() -> None:
    """The test of lightness would tell: the published colours do not pass it."""
    lightness = to_lab(mix(PALETTES["published"], 100), "deuteranopia")[:, 0]
    assert not (np.diff(lightness) > 0).all()


@pytest.mark.parametrize("palette", ["published", "safe"])
def test_scales_are_of_the_palette(palette: Palette) -> None:
    """Figures mix the very stops that pages are given, on fixed scales."""
    scores, differences = scale_scores(palette), scale_differences(palette)
    assert scores.stops == PALETTES[palette]
    assert (scores.low, scores.high) == (0, 1)
    assert differences.stops == DIFFERENCES[palette]
    assert (differences.low, differences.high) == (-1, 1)
    assert all(len(stop) == 7 and stop[0] == "#" for stop in (*scores.stops, *differences.stops))
    assert len(differences.stops) % 2 == 1
