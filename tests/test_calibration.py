"""How an endpoint's count is learnt: recognised where it can be, else read off the passage."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.contexts.calibration import (
    FINGERPRINT,
    WHOLE_TO,
    Probe,
    Reading,
    Scale,
    Subject,
    foresee,
    read_counts,
    settle,
)
from needle.contexts.counting import Counting
from needle.contexts.grid import GridWish
from needle.contexts.materials import Fitting, Material, Settings
from needle.contexts.passages import draw_offset, read_passage
from needle.contexts.plan import make_plan
from needle.contexts.prompts import build_messages
from needle.edges.config import load_template
from needle.edges.corpus import find_haystacks
from needle.edges.needlefiles import draw_needles, load_needle_source
from needle.edges.tokens import CHARACTERS, HANZI, countings_at_hand, load_counting
from needle.words.errors import UsageError
from needle.words.types import LANGUAGES, Haystack, Language, Message, Model, Plan

Count = Callable[[str], int]

O200K, CL100K = load_counting("o200k_base"), load_counting("cl100k_base")
AT_HAND = countings_at_hand(O200K)
WITHOUT_CL100K = (O200K, CHARACTERS)


@cache
def haystack(language: Language) -> Haystack:
    return find_haystacks(("essays",))[language]


def subject_of(
    language: Language,
    lengths: Sequence[int],
    countings: tuple[Counting, ...] = AT_HAND,
    *,
    free: bool = False,
    replicate: int = 0,
) -> Subject:
    offset = draw_offset(haystack(language), 0, replicate)
    needles = draw_needles(load_needle_source("fictional"), language, 0, replicate + 1)
    return Subject(
        language=language,
        template=load_template("plain", language),
        needle=needles[replicate],
        read=partial(read_passage, haystack(language), offset),
        lengths=tuple(lengths),
        countings=countings,
        free=free,
    )


@dataclass(frozen=True)
class Endpoint:
    """A stand-in for an endpoint: a count of texts, and what its chat format adds."""

    count: Count
    overhead: int = 7

    def counts(self, messages: Sequence[Message]) -> int:
        """Count a request."""
        return self.overhead + sum(self.count(message["content"]) for message in messages)


def drive(subject: Subject, endpoint: Endpoint) -> tuple[Reading, list[Probe]]:
    """Answer a calibration's probes."""
    asking = read_counts(subject)
    probes = []
    try:
        probe = next(asking)
        while True:
            probes.append(probe)
            probe = asking.send(endpoint.counts(probe.messages))
    except StopIteration as done:
        return done.value, probes


def plan_with(
    language: Language, subject: Subject, reading: Reading, window: int | None = None
) -> Plan:
    """Plan the subject's lengths by what was read, at a few depths."""
    name, knots = settle([reading], subject.countings)
    counting = next(each for each in subject.countings if each.name == name)
    tight = replace(counting, join_room=min(counting.join_room, 1))
    wish = Settings(
        model=Model("m", "v", "http://127.0.0.1/v1", None, window=window),
        grid=GridWish(lengths=subject.lengths, depths=(0.0, 33.0, 80.0, 100.0)),
        unit="tokens",
        tokens=O200K,
        hanzi=HANZI,
        seed=0,
        temperature=0.0,
        reply_tokens=256,
        fittings={language: Fitting(tight, tuple(map(Scale, knots)))},
    )
    material = Material(language, haystack(language), (subject.needle,), subject.template)
    return make_plan(wish, [material])


def errors_of(language: Language, subject: Subject, plan: Plan, endpoint: Endpoint) -> list[float]:
    """Return by how much each prompt's count is off, in percent of its length."""
    errors = []
    for trial in plan.trials:
        passage = read_passage(haystack(language), trial.haystack_offset, trial.cut)
        theirs = endpoint.counts(build_messages(trial, subject.template, passage))
        assert trial.vendor_tokens is not None
        assert trial.context_units == trial.vendor_tokens <= trial.context_length
        ours = sum(
            O200K.count(m["content"]) for m in build_messages(trial, subject.template, passage)
        )
        assert trial.prompt_tokens == ours
        errors.append(100 * (theirs / trial.context_length - 1))
    return errors


def wander(text: str) -> int:
    """Count as a tokenizer of its own does: each word or character by a weight of its own."""
    words = re.findall(r"[A-Za-z']+|[\u4e00-\u9fff]{1,2}|[^\sA-Za-z\u4e00-\u9fff]", text)
    return sum(1 + crc32(word.encode()) % 3 // 2 for word in words)


OTHERS: dict[str, Count] = {
    "characters over four": lambda text: len(text) // 4,
    "bytes over three": lambda text: math.ceil(len(text.encode()) / 3),
    "a third more than ours": lambda text: round(1.33 * O200K.count(text)),
    "words of its own": wander,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("counting", [O200K, CL100K], ids=lambda each: each.name)
@pytest.mark.parametrize("overhead", [0, 11, 300])
def test_a_tokenizer_at_hand_is_recognised(
    language: Language, counting: Counting, overhead: int
) -> None:
    """Three tiny probes tell a tokenizer at hand, whatever the chat format adds; it is exact."""
    lengths, endpoint = (1_000, 1_234, 8_000, 128_000), Endpoint(counting.count, overhead)
    subject = subject_of(language, lengths)
    reading, probes = drive(subject, endpoint)
    assert len(probes) == 3
    assert sum(probe.tokens for probe in probes) < 1_500
    assert settle([reading], AT_HAND)[0] == counting.name
    plan = plan_with(language, subject, reading)
    off = errors_of(language, subject, plan, endpoint)
    for trial, error in zip(plan.trials, off, strict=True):
        assert trial.vendor_tokens == round(trial.context_length * (1 + error / 100))
        assert -0.301 <= error <= 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", OTHERS.values(), ids=OTHERS.keys())
def test_any_other_count_is_fitted_within_half_a_percent(language: Language, count: Count) -> None:
    """Short and middle lengths fit any tokenizer's count to within 0.5%, in both languages."""
    lengths, endpoint = (1_000, 2_500, 8_000, 16_000), Endpoint(count, 23)
    subject = subject_of(language, lengths)
    reading, probes = drive(subject, endpoint)
    assert reading.recognised is None
    off = errors_of(language, subject, plan_with(language, subject, reading), endpoint)
    assert max(map(abs, off)) <= 0.5
    assert len(probes) <= foresee(lengths, language, 150, free=False)[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_real_tokenizer_that_is_not_at_hand(language: Language) -> None:
    """A real tokenizer that can't be recognised is fitted too, where only a sample is read."""
    lengths, endpoint = (2_000, 40_000), Endpoint(CL100K.count)
    subject = subject_of(language, lengths, WITHOUT_CL100K, replicate=1)
    reading, probes = drive(subject, endpoint)
    sent = sum(probe.tokens for probe in probes)
    assert WHOLE_TO[language] < sent < foresee(lengths, language, 150, free=False)[1] < 38_000
    name, ((*_, last),) = settle([reading], WITHOUT_CL100K)
    assert name == "o200k_base"
    scale = Scale(((0.0, 0.0), last))
    text = subject.read(150_000)[:150_000]
    true = CL100K.count(text) / O200K.count(text)
    assert scale.to_theirs(1_000) / 1_000 == pytest.approx(true, rel=0.02)


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_counting_is_free_all_is_read(language: Language) -> None:
    """With a free endpoint for counts every length is read off the whole passage."""
    lengths = tuple(range(2_000, 30_001, 4_000))
    endpoint = Endpoint(wander)
    subject = subject_of(language, lengths, free=True)
    reading, probes = drive(subject, endpoint)
    assert len(probes) == 3 + len(lengths)
    off = errors_of(language, subject, plan_with(language, subject, reading), endpoint)
    assert max(map(abs, off)) <= 0.2


@pytest.mark.parametrize("language", LANGUAGES)
def test_never_past_the_window(language: Language) -> None:
    """The longest context and its reply fit the window by the endpoint's own count."""
    window = 9_000
    endpoint = Endpoint(wander, 40)
    reading, _ = drive(subject_of(language, (1_000, 8_600)), endpoint)
    subject = subject_of(language, (1_000, 8_600))
    plan = plan_with(language, subject, reading, window)
    for error, trial in zip(errors_of(language, subject, plan, endpoint), plan.trials, strict=True):
        assert trial.context_length * (1 + error / 100) + 256 <= window
    too_long = subject_of(language, (8_700,))
    with pytest.raises(UsageError, match="past the window"):
        plan_with(language, too_long, reading, window)


@pytest.mark.parametrize("cap", [700, 4_096])
def test_an_endpoint_that_cuts_its_probes_is_found_out(cap: int) -> None:
    """A window that probes already overflow ends in one line that says what to do."""
    cutting = Endpoint(lambda text: min(wander(text), cap))
    with pytest.raises(UsageError, match="OLLAMA_CONTEXT_LENGTH") as caught:
        drive(subject_of("en", (1_000, 2_000, 8_000, 16_000)), cutting)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [lambda _: 0, lambda text: 40 * len(text)])
def test_a_count_that_is_none_is_refused(count: Count) -> None:
    """A count that does not grow with the text, or beyond all reason, is not fitted to."""
    with pytest.raises(UsageError, match="--count common"):
        drive(subject_of("zh", (40_000,)), Endpoint(count))


def test_the_fingerprint_tells_tokenizers_apart() -> None:
    """The tokenizers at hand count the fingerprint far apart."""
    counts = sorted(counting.count(FINGERPRINT) for counting in AT_HAND)
    assert min(b - a for a, b in pairwise(counts)) > 20


def test_the_same_probes_for_the_same_run() -> None:
    """The probes follow from the run and the answers alone."""
    endpoint = Endpoint(wander)
    one, other = (drive(subject_of("zh", (1_000, 30_000)), endpoint) for _ in range(2))
    assert one == other


def make_knots(steps: Sequence[tuple[int, float]]) -> tuple[tuple[float, float], ...]:
    knots = [(90.0, 101.0)]
    for ours, ratio in steps:
        x, y = knots[-1]
        knots.append((x + ours, y + ours * ratio))
    return tuple(knots)


KNOTS = st.lists(st.tuples(st.integers(1, 5_000), st.floats(0.05, 20)), min_size=1, max_size=8).map(
    make_knots
)


@settings(max_examples=200, deadline=None)
@given(KNOTS, st.integers(1, 60_000))
def test_a_scale_goes_both_ways(knots: tuple[tuple[float, float], ...], theirs: int) -> None:
    """What a length comes to is the most of ours that the endpoint counts as no more."""
    scale = Scale(knots)
    ours = scale.to_ours(theirs)
    assert scale.to_theirs(ours) <= theirs + 1e-3
    assert scale.to_theirs(ours + 1) > theirs - 1e-3
