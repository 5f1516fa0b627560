"""How a run that was asked, resumed or judged ends: drawn, described, and with which status."""

import click

from needle.caching.savings import describe_savings
from needle.commands.showing import DONE, print_drawn
from needle.runs.drawing import draw_run
from needle.runs.judging import Judged
from needle.runs.loading import Loaded
from needle.runs.marking import describe_agreements
from needle.runs.runner import Ending
from needle.runs.summary import describe_counts
from needle.words.errors import NeedleError

SOME_FAILED, STOPPED, INTERRUPTED = 1, 3, 130


def finish(loaded: Loaded, ending: Ending, judged: Judged | None = None) -> int:
    """Draw what there is of a run, say how it ended, and return the exit status."""
    folder = loaded.folder
    early = ending.interrupted or ending.stopped is not None
    if ending.replies or ending.failures:
        try:
            print_drawn(*draw_run(loaded))
        except NeedleError as error:
            if not early:
                raise
            click.echo(f"note: {error}", err=True)  # why it stopped is what the user must read
    run, states = loaded.run, loaded.states.values()
    for line in (
        describe_counts(run, states),
        describe_savings(states, run.model.price, run.model.cache),
    ):
        if line:
            click.echo(line, err=True)
    left = f"{ending.replies} replies, {ending.failures} failed, {ending.not_run} not run"
    waits = f", {ending.waiting} in open batches" if ending.waiting else ""
    click.echo(f"{folder}: {left}{waits}", err=True)
    if early:
        why = f"{' '.join(str(ending.stopped).split())}; " if ending.stopped else ""
        click.echo(f"needle: {why}go on with: needle resume {folder}", err=True)
        return INTERRUPTED if ending.interrupted else STOPPED
    if ending.ended:
        click.echo(f"adaptive: {ending.ended}", err=True)
    status = say_judged(loaded, judged) if judged else DONE
    if ending.waiting:
        click.echo(f"collect the open batches with: needle batch collect {folder}", err=True)
        status = max(status, SOME_FAILED)
    if ending.failures or ending.not_run:
        click.echo(
            f"ask the failed ones again with: needle resume {folder} "
            f"(--failed for those that can't pass by themselves, too)",
            err=True,
        )
        return max(status, SOME_FAILED)
    return status


def say_judged(loaded: Loaded, judged: Judged) -> int:
    """Say how judging ended and how far the judge agrees; return the exit status."""
    folder = loaded.folder
    for line in describe_agreements(loaded):
        click.echo(line)
    told = f"{judged.graded} verdicts, {judged.failed} failed, {judged.left} not asked"
    click.echo(f"{folder}: {told}", err=True)
    if judged.interrupted or judged.stopped is not None:
        why = f"{' '.join(str(judged.stopped).split())}; " if judged.stopped else ""
        click.echo(f"needle: {why}go on with: needle score {folder} --scorer judge", err=True)
        return INTERRUPTED if judged.interrupted else STOPPED
    if judged.failed:
        click.echo(f"ask the judge again with: needle score {folder} --scorer judge", err=True)
        return SOME_FAILED
    return DONE
