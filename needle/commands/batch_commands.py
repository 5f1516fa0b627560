"""What ``needle batch`` does: a run's requests into files, to a vendor, and its answers back."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from needle.asking.batches import BatchFile, find_waiting
from needle.asking.budget import convert, parse_budget, parse_rates
from needle.asking.estimate import estimate
from needle.asking.outcomes import find_todo, settle_states
from needle.commands.closing import STOPPED, finish
from needle.commands.running import prepare_models
from needle.commands.showing import DONE
from needle.contexts.grid import parse_length
from needle.edges.credentials import find_key
from needle.edges.store import (
    BATCH_FOLDER,
    OUTCOMES,
    create_run,
    find_run,
    load_run,
    own_run,
    read_batches,
    read_lines,
)
from needle.runs.batchfiles import choose_room, write_batches
from needle.runs.collecting import Collected, Source, collect_answers
from needle.runs.loading import load
from needle.runs.marking import score_stored
from needle.runs.prepare import Prepared, prepare_again
from needle.runs.probing import fit_from_earlier, is_assumed
from needle.runs.rounds import refuse_in_batches
from needle.runs.runner import conclude
from needle.runs.submitting import (
    Seen,
    check_files,
    choose_files,
    end_files,
    fetch_answers,
    look_at_files,
    reckon,
    submit_files,
)
from needle.words.errors import UsageError, known
from needle.words.types import Model, Run, Trial

WAIT_S = 60.0
"""Seconds between two looks at the batches."""


def write_files(
    run: Path | None,
    config: Path | None,
    said: Mapping[str, Any],
    out: Path,
    again: bool,
    failed: bool,
    file_tokens: str | None,
) -> int:
    """Write the requests of a run folder, or of a configuration's runs, into batch files."""
    most = _read_tokens(file_tokens)
    if run is not None:
        if said or config or again:
            raise UsageError(
                f"{run} is a run already (RUN): say nothing else of what it asks, "
                f"or leave RUN out and say it all"
            )
        stored = load_run(run)
        refuse_in_batches(stored)
        _write(prepare_again(stored), run, most, failed)
        return DONE
    for prepared, folder in _find_folders(config, said, out, again):
        for note in prepared.notes:
            click.echo(f"note: {note}", err=True)
        _write(prepared, folder, most, failed)
    return DONE


def _read_tokens(text: str | None) -> int | None:
    try:
        return parse_length(text) if text else None
    except ValueError as error:
        raise UsageError(f"{error} (--file-tokens): use a number such as 2M") from error


def _find_folders(
    config: Path | None, said: Mapping[str, Any], out: Path, again: bool
) -> Iterator[tuple[Prepared, Path]]:
    """Yield each model's run with its folder, made where there is none."""
    _, ready = prepare_models(config, said)
    if not again:
        ready = [fit_from_earlier(prepared, out) for prepared in ready]
    for prepared in ready:
        refuse_in_batches(prepared.run)
        if is_assumed(prepared.run):
            raise UsageError(
                f"{prepared.run.model.name} must first be asked how it counts, and a batch file "
                f"asks nothing (--count vendor): begin with needle run, or use --count common"
            )
    for prepared in ready:
        run = prepared.run
        folder = None if again else find_run(out, run.model.name, run.digest)
        yield prepared, folder or create_run(out, run, again)


def _write(prepared: Prepared, folder: Path, most_tokens: int | None, failed: bool) -> None:
    """Write what a run has still to ask, and say what to do with it."""
    model = prepared.run.model
    with own_run(folder):
        states = settle_states(read_lines(folder / OUTCOMES))
        waiting = find_waiting(read_batches(folder).values())
        todo = find_todo(prepared.plan.trials, states, waiting, failed)
        if not todo:
            rest = f"; {len(waiting):,} wait in open batches" if waiting else ""
            click.echo(f"{folder}: nothing is left to ask{rest}", err=True)
            return
        room = choose_room(model.batch, most_tokens)
        files = write_batches(prepared, folder, todo, room, now(), click.echo)
    if model.batch is not None:
        click.echo(f"send them: needle batch submit {folder}", err=True)
        return
    name = model.served_as or model.name
    first = folder / BATCH_FOLDER / files[0].name
    click.echo(
        f"answer each on your own server: vllm run-batch -i {first} -o OUT.jsonl --model {name}\n"
        f"then: needle batch collect {folder} OUT.jsonl",
        err=True,
    )


def now() -> str:
    """Return the time as outcomes have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def submit(
    folder: Path, names: Sequence[str], budget: str | None, rate: Sequence[str], yes: bool
) -> int:
    """Send a run's batch files to its vendor, once their cost is shown and may be spent."""
    run = _load_own(folder)
    _check_takes_batches(run.model)
    key = find_key(run.model)
    whole, rates = parse_budget(budget) if budget else None, parse_rates(rate)
    cap = convert(whole, run.model.price, rates, run.model.name) if whole else None
    with own_run(folder):
        files = read_batches(folder)
        chosen = choose_files(files, names, folder)
        lines = list(read_lines(folder / OUTCOMES))
        check_files(chosen, folder, settle_states(lines))
        prepared = prepare_again(run)
        asked = {trial for file in chosen for trial in file.trials}
        trials = [trial for trial in prepared.plan.trials if trial.key in asked]
        click.echo(describe_submission(run, chosen, trials), err=True)
        reckon(prepared, cap, lines, files, chosen)
        if not (yes or budget):
            _ask_leave()
        submit_files(run, folder, chosen, key, now, click.echo)
    click.echo(
        f"look after them: needle batch status {folder} --wait\n"
        f"then: needle batch collect {folder}",
        err=True,
    )
    return DONE


def _check_takes_batches(model: Model) -> None:
    """Raise UsageError for a vendor that is not known to take batches."""
    if model.batch is None:
        raise UsageError(
            f"{model.vendor} is not known to take batches ({model.name}): answer the files on your "
            f"own server with vllm run-batch, or say `batch` in a vendor's file of your own "
            f"(docs/batches.md)"
        )
    if model.batch.models and model.name not in model.batch.models:
        names = ", ".join(model.batch.models)
        click.echo(
            f"note: {model.vendor} names {names} for batches, not {model.name} "
            f"({model.batch.as_of}): it may refuse them",
            err=True,
        )


def _load_own(folder: Path) -> Run:
    """Read a run folder's run; raise UsageError for an imported one, which asks nothing."""
    run = load_run(folder)
    known(run.reply_tokens)
    return run


def _ask_leave() -> None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("this sends requests that cost money: say --yes, or give a --budget")
    click.confirm("send them?", abort=True, err=True)


def describe_submission(run: Run, files: Sequence[BatchFile], trials: Sequence[Trial]) -> str:
    """Describe in two lines what files take: requests, tokens, money."""
    price, reply_tokens = run.model.price, known(run.reply_tokens)
    told = estimate(trials, price, reply_tokens, None)
    size = (
        f"{len(files):,} batch files, {len(trials):,} requests to {run.model.name} at "
        f"{run.model.endpoint}: {told.prompt_tokens:,} tokens in ({run.tokenizer}), "
        f"at most {told.reply_tokens:,} out"
    )
    if price is None or told.money is None:
        return f"{size}\n  money: price unknown"
    usual = f"{_write_money(told.money)} {price.currency}"
    if told.money_batch is None:
        return f"{size}\n  money: about {usual} at the usual price, since none for batches is known"
    cheap = f"{_write_money(told.money_batch)} {price.currency}"
    dated = f"{price.source}, {price.as_of}" if price.source else "your own price"
    return f"{size}\n  money: about {cheap} in batches ({usual} live; {dated})"


def _write_money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.3g}"


def show_status(folder: Path, wait: bool) -> int:
    """Say how far each batch has come; ``wait`` until none of them goes on any more."""
    run = _load_own(folder)
    files = read_batches(folder)
    if not files:
        raise UsageError(f"no batch files in {folder}: write them with needle batch write {folder}")
    key = find_key(run.model) if any(file.may_exist for file in files.values()) else None
    told: list[str] = []
    while True:
        seen = look_at_files(run, folder, files.values(), key)
        lines = [describe_seen(each) for each in seen]
        for line in lines:
            if line not in told:
                click.echo(line)
        told = lines
        if not (wait and any(each.goes_on for each in seen)):
            break
        time.sleep(WAIT_S)
    if any(each.batch is not None and each.batch.over for each in seen):
        click.echo(f"collect them: needle batch collect {folder}", err=True)
    return DONE


def describe_seen(seen: Seen) -> str:
    """Describe a file and its batch in one line."""
    file, batch = seen.file, seen.batch
    size = f"{file.name}: {len(file.trials):,} requests"
    if file.state == "written":
        return f"{size}, not submitted"
    if file.state == "ended":
        return f"{size}, {file.status}, collected"
    if batch is None:
        return f"{size}, uploaded, and no batch is made of it yet"
    failed = f", {batch.failed:,} failed" if batch.failed else ""
    counts = f"{batch.completed:,} of {batch.total or len(file.trials):,} answered{failed}"
    until = ""
    if batch.expires_at is not None and not batch.over:
        moment = datetime.fromtimestamp(batch.expires_at, UTC).astimezone()
        until = f", expires {moment.isoformat(sep=' ', timespec='minutes')}"
    why = f": {'; '.join(batch.errors)}" if batch.errors else ""
    return f"{size}, {batch.name} {batch.status}, {counts}{until}{why}"


def collect(folder: Path, paths: Sequence[Path]) -> int:
    """Store what batches have answered, or files of answers that lie here; draw the run."""
    run = _load_own(folder)
    with own_run(folder):
        prepared = prepare_again(run)
        still_open = False
        if paths:
            sources = [Source(path, path.name) for path in paths]
            collected = collect_answers(prepared, folder, sources, None, now())
        else:
            collected, still_open = _collect_batches(prepared, folder)
        for line in collected.describe():
            click.echo(line, err=True)
        score_stored(folder, run.scorers, run.needles)
        waiting = find_waiting(read_batches(folder).values())
        ending = conclude(prepared, folder, waiting)
    status = finish(load(folder), ending)
    if run.judge is not None and ending.replies:
        click.echo(f"judge them with: needle score {folder} --scorer judge", err=True)
    return STOPPED if still_open else status


def _collect_batches(prepared: Prepared, folder: Path) -> tuple[Collected, bool]:
    """Fetch and store what a run's batches have answered; tell whether some are still open."""
    run = prepared.run
    files = [file for file in read_batches(folder).values() if file.may_exist]
    if not files:
        raise UsageError(
            f"no batch of {folder} is open: submit one with needle batch submit {folder}, "
            f"or name the FILES that your own server has written"
        )
    key = find_key(run.model)
    haul = fetch_answers(run, folder, files, key)
    for each in haul.seen:
        click.echo(describe_seen(each))
    sources = [source for each in haul.fetched for source in each.sources]
    collected = collect_answers(prepared, folder, sources, key, now())
    end_files(folder, haul.fetched, now())
    if haul.stopped is not None:
        for line in collected.describe():
            click.echo(line, err=True)
        score_stored(folder, run.scorers, run.needles)
        raise haul.stopped
    return collected, any(each.goes_on for each in haul.seen)
