"""Scoring what a run folder holds: anew by what needs no model, and by a judge what it lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from needle.asking.money import cost
from needle.asking.outcomes import Line, find_needle, is_recorded, read_result
from needle.contexts.needles import NeedleSource, count_draws, form_of
from needle.edges.layouts import draw_again
from needle.edges.needlefiles import choose_form, fits, load_needle_source
from needle.edges.rubrics import load_rubrics
from needle.edges.store import read_scores, score_line, write_scores
from needle.edges.tokens import load_counting
from needle.runs.judging import JudgingPlan, plan_judging
from needle.runs.loading import Loaded, read_states
from needle.runs.prepare import Prepared
from needle.scoring.agreement import Agreement, compare_scorers
from needle.scoring.judge import build_judge_messages
from needle.scoring.scorers import JUDGE, KEYWORD, PUBLISHED, score_outcome
from needle.words.errors import UsageError, known
from needle.words.types import Language, Model, Needle, Run

Needles = Mapping[str, Mapping[Language, Sequence[Needle]]]

_LANGUAGE = {"en": "English", "zh": "Chinese"}


def score_stored(
    folder: Path,
    scorers: Sequence[str],
    needles: Needles,
    states: Mapping[str, Line] | None = None,
) -> int:
    """Score every stored outcome anew, without a call; return how many scores have changed.

    Only what changed is written. Results that were imported without answers, or of whose
    needle no answers are known, keep the scores that they came with. ``states`` are given where
    they have been read already.
    """
    written = read_scores(folder)
    fresh = []
    for trial, line in (read_states(folder) if states is None else states).items():
        needle = find_needle(needles, line)
        if not needle.answers or not is_recorded(line):
            continue
        scores = score_outcome(scorers, trial, needle, read_result(line))
        fresh += [s for s in scores if written.get((trial, s.scorer)) != score_line(s)]
    write_scores(folder, fresh)
    return len(fresh)


def read_needles_now(run: Run, name: str) -> Needles:
    """Return a run's needles with the accepted answers that their file has now."""
    source = load_needle_source(name)
    tasks = [task for task in run.needles if fits(source, task)]
    if not tasks:
        raise UsageError(
            f"{name} is of the task {source.task}, which {run.run_id} did not ask (--needle)"
        )
    if run.seed is None and count_draws(source) > 1:
        raise UsageError(
            f"{name} holds many needles, and {run.run_id} was imported (--needle): "
            f"name one of a single wording"
        )
    now = {
        task: {
            language: _draw_now(source, run, needles, name)
            for language, needles in run.needles[task].items()
        }
        for task in tasks
    }
    return {**run.needles, **now}


def _draw_now(
    source: NeedleSource, run: Run, asked: Sequence[Needle], name: str
) -> tuple[Needle, ...]:
    """Draw anew what a run asked; what an imported one does not know may be anything."""
    first = asked[0]
    form = form_of(first) if first.facts else choose_form(source, first.task, None)
    now = draw_again(run, source, first.language, form)
    for before, after in zip(asked, now, strict=True):
        facts, question = before.facts or after.facts, before.question or after.question
        if (facts, question) != (after.facts, after.question):
            raise UsageError(
                f"{name} asks something else than {run.run_id} did (--needle): "
                f"only its answers may differ"
            )
    return now


def name_scorers(run: Run, asked: Sequence[str], judge: Model | None) -> Run:
    """Return a run with the scorers asked for, the first its primary one; others are kept."""
    if not asked:
        return run
    scorers = tuple(dict.fromkeys([*asked, *run.scorers]))
    return replace(run, primary_scorer=asked[0], scorers=scorers, judge=judge or run.judge)


def plan_run_judging(folder: Path, run: Run, needles: Needles) -> JudgingPlan:
    """Plan the judging of a run's replies by its judge."""
    if run.judge is None:
        raise UsageError("which model judges? (--judge-model): needle models lists those known")
    states = read_states(folder)
    return plan_judging(run.judge, load_rubrics(), needles, states, read_scores(folder))


def describe_judging(plan: JudgingPlan) -> str:
    """Describe in one line what judging will take."""
    return _describe_means(plan.judge, len(plan.cases), plan.prompt_tokens)


def describe_judging_ahead(prepared: Prepared) -> str | None:
    """Describe in one line what judging a run will take at most; None where no judge is asked."""
    run = prepared.run
    if run.judge is None:
        return None
    count, rubrics = load_counting("o200k_base").count, load_rubrics()
    longest = known(run.reply_tokens)
    tokens, trials = 0, [trial for trial in prepared.plan.trials if trial.control is None]
    for trial in trials:
        messages = build_judge_messages(rubrics[trial.language], trial.needle, "")
        tokens += sum(count(message["content"]) for message in messages) + longest
    return _describe_means(run.judge, len(trials), tokens)


def _describe_means(judge: Model, replies: int, prompt_tokens: int) -> str:
    reply_tokens = replies * judge.reply_tokens
    money = "price unknown"
    if judge.price is not None:
        each = prompt_tokens / replies if replies else 0
        amount = replies * cost(judge.price, each, judge.reply_tokens)
        money = f"about {amount:,.4f} {judge.price.currency} with every verdict at its longest"
    return (
        f"judging {replies:,} replies by {judge.name} at {judge.endpoint}: {prompt_tokens:,} "
        f"tokens in (o200k_base), at most {reply_tokens:,} out; {money}"
    )


def describe_agreements(loaded: Loaded) -> list[str]:
    """Describe, a line a language, how far a judge agrees with keyword recall.

    The judge is the run's own, and that whose scores came with imported results.
    """
    run, lines = loaded.run, []
    for judge, name in (
        (JUDGE, f"the judge {run.judge.name}" if run.judge else "the judge"),
        (PUBLISHED, "the published scores"),
    ):
        found = compare_scorers(KEYWORD, judge, loaded.states, loaded.every)
        lines += [
            f"{_LANGUAGE[language]}: keyword recall and {name} {describe_agreement(agreement)}"
            for language, agreement in found.items()
        ]
    return lines


def describe_agreement(agreement: Agreement) -> str:
    """Describe an agreement: its share, kappa with its interval, and the disagreements."""
    kappa = "kappa not defined, since both say the same of every reply"
    if agreement.kappa is not None:
        kappa = f"kappa {agreement.kappa:.3f} [{agreement.low:.3f}, {agreement.high:.3f}]"
    return (
        f"agree on {agreement.share:.1%} of {agreement.count:,} replies, {kappa}; found by the "
        f"first alone {agreement.first_only}, by the second alone {agreement.second_only}"
    )
