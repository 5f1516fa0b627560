"""What ``needle score`` does: scores made anew, and replies judged by a model."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from needle.asking.budget import convert, parse_budget, parse_rates
from needle.commands.closing import say_judged
from needle.commands.showing import DONE, print_drawn
from needle.edges.config import check_scorers
from needle.edges.credentials import find_key
from needle.edges.store import load_run, own_run, read_scores, rewrite_run
from needle.runs.drawing import draw_run
from needle.runs.judging import Judged, choose_judge, judge_replies
from needle.runs.loading import load, read_states
from needle.runs.marking import (
    Needles,
    describe_agreements,
    describe_judging,
    name_scorers,
    plan_run_judging,
    read_needles_now,
    score_stored,
)
from needle.runs.progress import JudgeProgress
from needle.scoring.scorers import JUDGE, PUBLISHED
from needle.words.errors import UsageError
from needle.words.types import Run


def score_run(
    folder: Path,
    needle: str | None,
    scorer: str | None,
    judge_model: str | None,
    judge_base_url: str | None,
    concurrency: int | None,
    budget: str | None,
    rate: Sequence[str],
    yes: bool,
) -> int:
    """Score a run's stored replies anew; what needs no model needs no call.

    The first scorer named becomes the one by which the run's figures are drawn. A judge is
    asked only for verdicts that are not there, failed, or are of something else.
    """
    stored = load_run(folder)
    asked = [name.strip() for name in (scorer or "").split(",") if name.strip()]
    own = (PUBLISHED,) if PUBLISHED in stored.scorers else ()  # there to be drawn by again
    check_scorers([name for name in asked if name not in own], "--scorer")
    run = _choose(stored, asked, judge_model, judge_base_url)
    needles: Needles = read_needles_now(stored, needle) if needle else stored.needles
    judged = None
    with own_run(folder):
        states = read_states(folder)
        changed = score_stored(folder, run.scorers, needles, states)
        click.echo(f"{changed} scores changed", err=True)
        _require_any(folder, stored, asked)
        if JUDGE in asked:
            judged = _judge(folder, run, needles, concurrency, budget, rate, yes)
        if run != stored:
            rewrite_run(folder, run)
        loaded = load(folder, states=states)
        drawn, panels = draw_run(loaded)
    print_drawn(drawn, panels)
    if judged is not None:
        return say_judged(loaded, judged)
    for line in describe_agreements(loaded):
        click.echo(line)
    return DONE


def _require_any(folder: Path, run: Run, asked: Sequence[str]) -> None:
    """Raise UsageError where an imported run is to be drawn by what can score nothing in it."""
    first = asked[0] if asked else JUDGE
    if run.imported and first != JUDGE and first not in {name for _, name in read_scores(folder)}:
        raise UsageError(
            f"nothing in {folder} can be scored by {first!r} (--scorer): the imported files hold "
            f"no answers, or the accepted ones are not known; it stays with {run.primary_scorer}"
        )


def _choose(
    stored: Run, asked: Sequence[str], judge_model: str | None, judge_base_url: str | None
) -> Run:
    """Return the run with the scorers asked for; the judge is the run's own unless named."""
    if JUDGE in asked and judge_model is None and judge_base_url is None and stored.judge:
        return name_scorers(stored, asked, stored.judge)
    today = datetime.now(UTC).astimezone().date().isoformat()
    return name_scorers(stored, asked, choose_judge(asked, judge_model, judge_base_url, today))


def _judge(
    folder: Path,
    run: Run,
    needles: Needles,
    concurrency: int | None,
    budget: str | None,
    rate: Sequence[str],
    yes: bool,
) -> Judged:
    """Judge what has no verdict yet, once its cost is shown and the user lets it be spent."""
    plan = plan_run_judging(folder, run, needles)
    judge = plan.judge
    key = find_key(judge)
    cap = (
        convert(parse_budget(budget), judge.price, parse_rates(rate), judge.name)
        if budget
        else None
    )
    standing = f"; {plan.standing} verdicts stand" if plan.standing else ""
    click.echo(f"{describe_judging(plan)}{standing}", err=True)
    if plan.cases and not (yes or budget):
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError("judging may cost money: say --yes, or give a --budget")
        click.confirm("ask the judge?", abort=True, err=True)
    watch = JudgeProgress(len(plan.cases))
    return judge_replies(plan, folder, key, cap, concurrency, watch)
