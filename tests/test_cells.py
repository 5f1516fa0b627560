"""Cells and heatmaps: law 7's counting, from trials and scores to squares."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.statistics.cells import (
    UNSCORED,
    Scored,
    count_planned,
    join_scores,
    make_cells,
    make_heatmap,
)
from needle.words.figures import Cell
from needle.words.origins import HaystackNote
from needle.words.types import (
    Grid,
    Language,
    Model,
    Needle,
    Run,
    SamePlace,
    Template,
    Verdict,
)

GRID = Grid("default", (1_000, 2_000, 4_000), (0.0, 50.0, 100.0))
RUN = Run(
    run_id="run",
    date="2024-03-01",
    digest="0" * 64,
    model=Model("m", "sim", "http://127.0.0.1:1/v1", None),
    languages=("en", "zh"),
    tasks=("single",),
    grid=GRID,
    unit="tokens",
    tokenizer="o200k_base",
    tokenizer_file=None,
    ratio=None,
    seed=0,
    replicates=3,
    temperature=0.0,
    reply_tokens=256,
    concurrency=8,
    timeout_s=600.0,
    haystacks={"en": HaystackNote("essays", "0" * 64, "essays", 1.5)},
    templates={"en": Template("plain", "en", (("user", "{context}{question}"),), " ")},
    needles={"single": {"en": (Needle("kite", "en", ("A kite.",), "What?", (("kite",),)),)}},
    same_place=(
        SamePlace("en", 0, 1_000, 100.0, 50.0),
        SamePlace("en", 2, 1_000, 50.0, 0.0),
        SamePlace("zh", 1, 1_000, 100.0, 50.0),
        SamePlace("en", 1, 1_000, 100.0, 50.0, "multi"),
    ),
    trials=27,
    primary_scorer="keyword",
    versions={},
)
SCORES: dict[Verdict, st.SearchStrategy[float | None]] = {
    "found": st.just(1.0),
    "partial": st.sampled_from((0.25, 0.5)),
    "missed": st.just(0.0),
    "refused": st.just(0.0),
    "truncated": st.none(),
    "filtered": st.none(),
    "failed": st.none(),
}
PLACES = [
    (replicate, length, depth)
    for replicate in range(3)
    for length in GRID.lengths
    for depth in GRID.depths
    if (replicate, length, depth) not in {(0, 1_000, 100.0), (2, 1_000, 50.0)}
]
ONE = st.sampled_from(sorted(SCORES)).flatmap(
    lambda verdict: SCORES[verdict].map(lambda score: (score, verdict))
)


@st.composite
def trials(draw: st.DrawFn) -> list[Scored]:
    """Draw what a run, perhaps unfinished, has of its trials so far."""
    places = draw(st.lists(st.sampled_from(PLACES), unique=True))
    return [Scored(*place, *draw(ONE)) for place in places]


@given(trials())
def test_every_square_counts_every_replicate(scored: list[Scored]) -> None:
    """Each square counts its trials by verdict, not-run ones too: one for each replicate."""
    cells = make_cells(RUN, "single", "en", scored)
    assert [(c.context_length, c.depth_percent) for c in cells] == [
        (length, depth) for length in GRID.lengths for depth in GRID.depths
    ]
    for cell in cells:
        assert sum(cell.verdicts.values()) == RUN.replicates
        assert all(cell.verdicts.values())


@given(trials())
def test_score_is_the_mean_of_the_scored(scored: list[Scored]) -> None:
    """A square's score is the mean over its scored trials; a failure is missing, never zero."""
    for cell in make_cells(RUN, "single", "en", scored):
        here = []
        for replicate in range(3):
            depth = cell.depth_percent
            if (replicate, cell.context_length, depth) == (0, 1_000, 100.0):
                depth = 50.0
            if (replicate, cell.context_length, depth) == (2, 1_000, 50.0):
                depth = 0.0
            here += [
                s
                for s in scored
                if (s.replicate, s.context_length, s.depth_percent)
                == (replicate, cell.context_length, depth)
            ]
        scores = [s.score for s in here if s.score is not None]
        assert cell.score == (pytest.approx(sum(scores) / len(scores)) if scores else None)
        expected = Counter(s.verdict for s in here)
        expected["not_run"] += RUN.replicates - len(here)
        assert cell.verdicts == dict(+expected)


@given(trials())
def test_recall_counts_a_trial_once(scored: list[Scored]) -> None:
    """Recall is over the scored trials, each once though drawn twice; the rest are left out."""
    planned = count_planned(RUN, "single", "en")
    heatmap = make_heatmap(RUN, "single", "en", iter(scored), planned)
    scores = [s.score for s in scored if s.score is not None]
    assert heatmap.scored == len(scores)
    assert heatmap.recall == (pytest.approx(sum(scores) / len(scores)) if scores else None)
    assert heatmap.scored + sum(heatmap.left_out.values()) == planned
    assert set(heatmap.left_out) <= set(UNSCORED)
    assert all(heatmap.left_out.values())


def test_base_score() -> None:
    """The base score is the mean of the recalls at its lengths; it is none of the grid's."""
    run = replace(
        RUN,
        tasks=("nonliteral",),
        needles={"nonliteral": RUN.needles["single"]},
        base_lengths=(250, 1_000),
    )
    scored = [Scored(0, 250, depth, 0.0, "missed") for depth in (0.0, 10.0, 20.0)]
    scored += [Scored(0, 1_000, 0.0, 1.0, "found"), Scored(0, 2_000, 0.0, 0.0, "missed")]
    heatmap = make_heatmap(run, "nonliteral", "en", scored, 27)
    assert heatmap.base == pytest.approx(0.5)
    assert (heatmap.recall, heatmap.scored) == (0.5, 2)
    assert {cell.context_length for cell in heatmap.cells} == set(GRID.lengths)
    assert make_heatmap(run, "nonliteral", "en", scored[3:], 27).base is None
    assert make_heatmap(RUN, "single", "en", scored, 27).base is None


def test_planned_trials() -> None:
    """A trial that stands for several squares is planned once, in its own task and language."""
    assert count_planned(RUN, "single", "en") == 27 - 2
    assert count_planned(RUN, "single", "zh") == 27 - 1
    assert count_planned(RUN, "multi", "en") == 27 - 1
    assert count_planned(replace(RUN, same_place=()), "single", "en") == 27


def test_a_same_place_is_its_own_languages() -> None:
    """Squares drawn as another's are those of their language and replicate alone."""
    scored = [Scored(replicate, 1_000, 50.0, 1.0, "found") for replicate in range(3)]
    scored.append(Scored(0, 1_000, 100.0, 0.0, "missed"))

    def bottom(language: Language) -> Cell:
        cells = make_cells(RUN, "single", language, scored)
        return next(c for c in cells if (c.context_length, c.depth_percent) == (1_000, 100))

    assert bottom("en").verdicts == {"found": 1, "not_run": 2}  # replicate 0, drawn as 50
    assert bottom("zh").verdicts == {"found": 1, "missed": 1, "not_run": 1}  # replicate 1


def line(language: Language = "en", **changes: Any) -> dict[str, Any]:
    return {
        "task": "single",
        "language": language,
        "control": None,
        "replicate": 0,
        "context_length": 1_000,
        "depth_percent": 50.0,
        **changes,
    }


def test_joining() -> None:
    """Outcomes join their scores by trial; controls and other tasks and languages stay out.

    One that the scorer has not scored counts as not run.
    """
    states = {
        "a": line(),
        "b": line("zh"),
        "c": line(task="multi"),
        "d": line(control="no_needle"),
        "e": line(depth_percent=100.0),
        "f": line(replicate=2),
    }
    scores: dict[str, dict[str, Any]]
    scores = {trial: {"score": 1.0, "verdict": "found"} for trial in "abcd"}
    scores["f"] = {"score": None, "verdict": "failed"}
    assert join_scores("single", "en", states, scores) == [
        Scored(0, 1_000, 50.0, 1.0, "found"),
        Scored(0, 1_000, 100.0, None, "not_run"),
        Scored(2, 1_000, 50.0, None, "failed"),
    ]


def test_heatmap_says_where_it_comes_from() -> None:
    """A heatmap carries what its figure says of the run; a simulated endpoint's says so."""
    heatmap = make_heatmap(RUN, "single", "en", [], 25)
    assert heatmap.simulated
    assert (heatmap.model, heatmap.needle, heatmap.haystack) == ("m", "kite", "essays")
    assert (heatmap.passes, heatmap.date, heatmap.replicates) == (1.5, "2024-03-01", 3)
    assert (heatmap.recall, heatmap.left_out) == (None, {"not_run": 25})
    real = replace(RUN, model=replace(RUN.model, vendor="moonshot"))
    assert not make_heatmap(real, "single", "en", [], 25).simulated
