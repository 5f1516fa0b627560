from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.simulated.surfaces import SURFACES, draw, recall, take

WINDOW = 2_097_152
TOKENS = st.integers(0, WINDOW)
DEPTHS = st.floats(0, 100)


@given(st.sampled_from(sorted(SURFACES)), TOKENS, DEPTHS)
def test_recall_is_a_chance(surface: str, tokens: int, depth: float) -> None:
    """A declared recall is within 0-1 at every length and depth."""
    assert 0 <= recall(surface, tokens, depth, WINDOW) <= 1


@given(TOKENS, DEPTHS)
def test_full_and_none(tokens: int, depth: float) -> None:
    """Full recall is 1 and none is 0 everywhere."""
    assert recall("full", tokens, depth, WINDOW) == 1
    assert recall("none", tokens, depth, WINDOW) == 0


@given(TOKENS)
def test_middle_keeps_its_ends(tokens: int) -> None:
    """The weak middle keeps both ends of the text at every length."""
    assert recall("middle", tokens, 0, WINDOW) > 0.99
    assert recall("middle", tokens, 100, WINDOW) > 0.99


@given(TOKENS, TOKENS, DEPTHS)
def test_middle_falls_with_length(one: int, other: int, depth: float) -> None:
    """At no depth does a longer context raise the weak middle's recall."""
    short, long = sorted((one, other))
    assert recall("middle", long, depth, WINDOW) <= recall("middle", short, depth, WINDOW)


@pytest.mark.parametrize(
    ("tokens", "depth", "expected"),
    [
        (1_000, 55, 1.0),
        (16_000, 55, 0.989),
        (32_000, 55, 0.5),
        (64_000, 55, 0.011),
        (128_000, 55, 0.0),
        (128_000, 37, 0.5),
        (128_000, 73, 0.5),
        (128_000, 25, 0.998),
    ],
)
def test_middle_has_its_published_values(tokens: int, depth: float, expected: float) -> None:
    """The weak middle's values are those that its description gives."""
    assert recall("middle", tokens, depth, WINDOW) == pytest.approx(expected, abs=0.001)


def test_window_is_a_cliff() -> None:
    """What stands more than 32,000 tokens before the end is lost, all else is seen."""
    assert recall("window", 32_000, 0, WINDOW) == 1
    assert recall("window", 64_000, 50, WINDOW) == 1
    assert recall("window", 64_000, 49.9, WINDOW) == 0
    assert recall("window", 128_000, 75, WINDOW) == 1
    assert recall("window", 128_000, 74.9, WINDOW) == 0


@pytest.mark.parametrize("surface", sorted(SURFACES))
def test_no_recall_past_the_model_window(surface: str) -> None:
    """A prompt longer than the model's window has no recall."""
    assert recall(surface, 8_001, 100, 8_000) == 0


@pytest.mark.parametrize("depth", [0.0, 40.0, 48.0, 52.0, 55.0])
def test_draws_converge_to_the_declared_recall(depth: float) -> None:
    """The share of prompts whose sentence is seen is the declared recall, within chance."""
    declared = recall("middle", 40_000, depth, WINDOW)
    seen = sum(draw(7, "middle", f"prompt {number}") < declared for number in range(20_000))
    assert seen / 20_000 == pytest.approx(declared, abs=0.015)


@given(st.integers(), st.text())
def test_draws_repeat(seed: int, prompt: str) -> None:
    """A draw is within 0-1 and the same every time for one seed, surface and prompt."""
    drawn = draw(seed, "middle", prompt)
    assert 0 <= drawn < 1
    assert drawn == draw(seed, "middle", prompt)
    assert drawn != draw(seed + 1, "middle", prompt)
    assert drawn != draw(seed, "window", prompt)


@given(st.integers(1, 40))
def test_rivals_take_their_declared_share(near: int) -> None:
    """The nearest of n sentences is taken with chance 0.9 ** (n - 1), its rivals evenly."""
    number = 4_000
    taken = Counter(take(near, (step + 0.5) / number) for step in range(number))
    assert set(taken) <= set(range(near))
    assert taken[0] / number == pytest.approx(0.9 ** (near - 1), abs=0.001)
    rivals = [taken[rival] for rival in range(1, near)]
    assert not rivals or max(rivals) - min(rivals) <= 2
