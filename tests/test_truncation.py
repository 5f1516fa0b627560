"""Prompts that an endpoint cuts without saying so: caught, and nothing else taken for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.contexts.truncation import PromptCounts, count_whole, remember_lines
from needle.words.types import LANGUAGES, Language, Reply

RATIOS = st.floats(0.3, 4)
NOISE = st.floats(-0.05, 0.05)
LENGTHS = st.lists(st.integers(300, 300_000), min_size=1, max_size=25)
CALIBRATED = st.booleans()


@dataclass
class Endpoint:
    """An endpoint whose tokens are a ratio of ours, more or less, with a window that cuts.

    Past ``cap`` a prompt is cut to it, or to half of it, as Ollama's versions do.
    """

    ratio: float
    overhead: int = 0
    cap: int = 10**9
    halves: bool = False
    counts: PromptCounts = field(default_factory=PromptCounts)

    def true(self, ours: int, noise: float = 0.0) -> int:
        """Count a whole prompt."""
        return round(self.ratio * (1 + noise) * ours) + self.overhead

    def ask(
        self, language: Language, ours: int, noise: float = 0.0, calibrated: bool = False
    ) -> bool:
        """Send a prompt of so many tokens; return whether it is taken to have been cut."""
        true = self.true(ours, noise)
        theirs = true
        if true > self.cap:
            theirs = self.cap // 2 + 2 if self.halves else self.cap
        expected = self.true(ours) if calibrated else None
        cut = self.counts.is_cut(language, ours, theirs, expected)
        self.counts.remember(language, ours, theirs)
        return cut


@settings(max_examples=300)
@given(RATIOS, st.integers(0, 128), LENGTHS, st.lists(NOISE, min_size=25, max_size=25), CALIBRATED)
def test_no_false_alarm(
    ratio: float, overhead: int, lengths: Sequence[int], noise: Sequence[float], calibrated: bool
) -> None:
    """Whatever a tokenizer's ratio, with 5% of local deviation and in any order: no alarm."""
    endpoint = Endpoint(ratio, overhead)
    for index, ours in enumerate(lengths):
        assert not endpoint.ask("en", ours, noise[index], calibrated)


@settings(max_examples=300)
@given(
    RATIOS,
    st.integers(0, 60),
    st.integers(700, 200_000),
    st.floats(1.15, 40),
    st.floats(0.3, 0.98),
    st.booleans(),
    CALIBRATED,
)
def test_every_window_is_caught(
    ratio: float,
    overhead: int,
    cap: int,
    past: float,
    share: float,
    halves: bool,
    calibrated: bool,
) -> None:
    """A prompt 15% past the window is caught, given one of 4,000 tokens that went in whole.

    In a smaller window it must nearly have filled it.
    """
    endpoint = Endpoint(ratio, overhead, cap, halves)
    if share * cap < 4_000:
        share = 0.98
    whole = int((cap - overhead) * share / ratio)
    for shorter in (0, 9, 26):  # as depths and needles differ
        assert not endpoint.ask("zh", max(whole - shorter, 1), calibrated=calibrated)
    ours = int(cap * past / ratio) + 1
    assert endpoint.ask("zh", ours, calibrated=calibrated)


@settings(max_examples=200)
@given(
    RATIOS,
    st.integers(3_000, 100_000),
    st.floats(1.25, 40),
    st.lists(NOISE, min_size=8, max_size=8),
    st.booleans(),
)
def test_local_deviation_hides_no_window(
    ratio: float, cap: int, past: float, noise: Sequence[float], calibrated: bool
) -> None:
    """With 5% of local deviation in every prompt, one 25% past the window is still caught."""
    endpoint = Endpoint(ratio, 10, cap)
    for index, share in enumerate((0.5, 0.6, 0.7, 0.8, 0.9)):
        assert not endpoint.ask("en", int(cap * share / ratio), noise[index], calibrated)
    assert endpoint.ask("en", int(cap * past / ratio) + 1, noise[-1], calibrated)


def test_a_window_smaller_than_every_prompt() -> None:
    """Where even the shortest prompt is cut, the count that stays the same tells it."""
    endpoint = Endpoint(1.0, cap=2_048)
    assert not endpoint.ask("en", 4_000)  # nothing to hold it against yet
    assert endpoint.ask("en", 8_000)
    assert Endpoint(1.0, cap=2_048).ask("en", 16_000)  # no tokenizer makes so little of it


@pytest.mark.parametrize("told", [1, 10, 500, 1_000, 1_234, 100_000])
def test_one_number_for_every_prompt_is_no_count(told: int) -> None:
    """An endpoint that tells one or two numbers for all prompts, and no window's, counts none."""
    counts = PromptCounts()
    counts.remember("en", 1_000, 900)
    for ours in (1_000, 8_000, 128_000, 1_000, 1_000_000):
        for language in LANGUAGES:
            assert not counts.is_cut(language, ours, told)
            counts.remember(language, ours, told)


def test_languages_have_ratios_of_their_own() -> None:
    """Chinese at a third of our count is no cut beside English at our own."""
    counts = PromptCounts()
    for ours in (1_000, 8_000, 32_000):
        for language, ratio in zip(LANGUAGES, (1.0, 0.35), strict=True):
            theirs = round(ours * ratio)
            assert not counts.is_cut(language, ours, theirs)
            counts.remember(language, ours, theirs)


def test_a_count_of_what_no_cache_served_is_no_cut() -> None:
    """An endpoint that counts only what its cache did not serve cuts nothing."""
    counts = PromptCounts()
    counts.remember("en", 8_000, 8_000)
    for ours, theirs in ((8_000, 0), (8_000, 40), (16_000, 3_000), (16_000, 300)):
        assert not counts.is_cut("en", ours, theirs)
    assert count_whole(Reply("x", endpoint_prompt_tokens=40, cached_tokens=7_960)) == 8_000
    assert count_whole(Reply("x", endpoint_prompt_tokens=8_000, cached_tokens=7_960)) == 8_000


def test_tokens_that_an_endpoint_adds_are_no_cut() -> None:
    """A short prompt that is half the endpoint's own words makes no long one look cut."""
    endpoint = Endpoint(1.0, overhead=128)
    for ours in (300, 128_000, 200_000):
        assert not endpoint.ask("en", ours)


def test_what_is_known_is_read_from_the_outcomes() -> None:
    """The counts so far follow from the stored lines alone, those without usage left out."""
    common = {"task": "single"}
    lines: list[dict[str, Any]] = [
        {
            "task": "single",
            "language": "en",
            "prompt_tokens": 1_000,
            "endpoint_prompt_tokens": 1_010,
        },
        {
            "task": "single",
            "language": "en",
            "prompt_tokens": 1_000,
            "endpoint_prompt_tokens": None,
        },
        {
            **common,
            "language": "zh",
            "prompt_tokens": 900,
            "endpoint_prompt_tokens": 100,
            "cached_tokens": 1_000,
        },
    ]
    counts = remember_lines(lines)
    assert counts.seen == {"en": {1_000: 1_010}, "zh": {900: 1_100}}
    assert counts.largest == 1_100
