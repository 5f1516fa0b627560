"""The command that makes a run again, from its run.yaml alone."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from needle.contexts.grid import GRID_NAMES, GridWish, make_grid, parse_length, space_depths
from needle.contexts.needles import NeedleSource, form_of
from needle.contexts.tasks import FAMILIES
from needle.edges.config import GridRecipe, Recipe
from needle.edges.corpus import find_haystacks, list_haystacks
from needle.edges.files import shipped
from needle.edges.models import find_model, load_vendors
from needle.edges.needlefiles import choose_form, list_needles, load_needle_source
from needle.runs.importing import digest_import
from needle.runs.restoring import (
    draws,
    draws_answers,
    prompt_ships,
    restore_needle,
    restore_prompt,
    write_needle,
)
from needle.scoring.scorers import JUDGE, KEYWORD
from needle.telling.gaps import Gap
from needle.words.errors import UsageError
from needle.words.tariffs import Limits
from needle.words.types import LANGUAGES, Grid, Model, Run

USUAL = Recipe()
"""What a run is where nothing is said."""

Part = str | Gap
"""A word of a command, or what it leaves open."""


@dataclass(frozen=True, slots=True)
class Again:
    """How a run is made again: its command, the files that it names, and what it leaves open.

    ``files`` are (name, text) of a needle or prompt that was the user's own.
    """

    command: str
    files: tuple[tuple[str, str], ...]
    gaps: tuple[Gap, ...]


def write_command(run: Run) -> str:
    """Return the command line that makes the same run again, quoted for a shell.

    It names every file by what run.yaml knows of it; ``make_again`` tells what it leaves open.
    """
    return make_again(run).command


def make_again(run: Run, place: str = "") -> Again:
    """Return how a run is made again; of an imported run, how it is imported.

    ``place`` is what the command says before the names of ``files``, such as ``runs/a/``.
    """
    files: dict[str, str] = {}
    if run.imported is not None:
        parts = list(_import_again(run))
    else:
        parts = ["needle", "run", *_write_options(run, files, place)]
    words = [part for part in parts if isinstance(part, str)]
    gaps = tuple(part for part in parts if isinstance(part, Gap))
    return Again(shlex.join(words), tuple(files.items()), gaps)


def _write_options(run: Run, files: dict[str, str], place: str) -> Iterator[Part]:
    yield from _write_model(run)
    if len(run.languages) == 1:
        yield from ("--language", run.languages[0])
    yield from _say("--task", ",".join(run.tasks), "single")
    yield from _say("--layout", run.layout, USUAL.layout)
    yield from _write_grid(run.grid)
    yield from _write_counting(run)
    yield from _write_needle(run, files, place)
    yield from _say("--controls", run.controls, USUAL.controls)
    yield from ("--adaptive",) if run.adaptive else ()
    yield from _write_haystacks(run)
    yield from _write_prompt(run, files, place)
    yield from _say("--replicates", run.replicates, USUAL.replicates)
    yield from _say("--seed", run.seed, USUAL.seed)
    yield from _say("--timeout", run.timeout_s, USUAL.timeout_s)
    yield from _write_scorers(run)


def _say(option: str, value: str | float | None, usual: str | float | None) -> Iterator[str]:
    """Say an option where its value is known and is not the usual one."""
    if value is not None and value != usual:
        yield from (option, value if isinstance(value, str) else _write_number(value))


def _write_number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _write_counting(run: Run) -> Iterator[Part]:
    """Say what lengths are counted in."""
    yield from _say("--unit", run.unit, USUAL.unit)
    if run.ratio is not None:
        yield from ("--count", "vendor")
        yield Gap("ratio", run.model.name)
    yield from _say("--tokenizer", run.tokenizer_file or run.tokenizer, USUAL.tokenizer)
    if run.tokenizer_file is not None:
        yield Gap("tokenizer", run.tokenizer_file)


def _write_model(run: Run) -> Iterator[Part]:
    """Say the model, and what of it or of its requests is not the catalogue's."""
    model = run.model
    usual, known = _find_usual(model)
    yield from ("--model", model.name)
    yield from _say("--base-url", model.base_url, usual.base_url if known else None)
    yield from _say("--window", model.window, usual.window)
    yield from _say("--reply-tokens", run.reply_tokens, usual.reply_tokens)
    yield from _say("--temperature", run.temperature, usual.temperature)
    if run.temperature is None and usual.temperature is not None:
        yield Gap("temperature", model.name)
    if model.stream != usual.stream:
        yield "--stream" if model.stream else "--no-stream"
    yield from _say("--params", model.params, usual.params)
    yield from _say("--concurrency", run.concurrency, usual.concurrency)
    yield from _write_limits(model, run.limits or Limits())
    facts = ("served_as", "extra", "content", "max_tokens_parameter", "window_characters")
    lost = usual.window is not None and model.window is None
    if lost or any(getattr(model, fact) != getattr(usual, fact) for fact in facts):
        yield Gap("model", model.name)


def _find_usual(model: Model) -> tuple[Model, bool]:
    """Return a model as the catalogue has it now, or as it is by its address alone."""
    try:
        return find_model(model.name, None, None), True
    except UsageError:
        return find_model(model.name, model.base_url, None), False


def _write_limits(model: Model, limits: Limits) -> Iterator[Part]:
    """Say the limits, by the tier that has them where one sets the requests at once."""
    named = Limits()
    if limits.concurrency is not None:
        vendor = next((v for v in load_vendors() if v.vendor == model.vendor), None)
        tiers = vendor.tiers.by_name if vendor and vendor.tiers else {}
        same = [name for name, one in tiers.items() if one.concurrency == limits.concurrency]
        if same:
            tier = next((name for name in same if tiers[name] == limits), same[0])
            named = tiers[tier]
            yield from ("--tier", tier)
        else:
            yield Gap("limits", str(limits.concurrency))
    for fact, option in (
        ("requests_a_minute", "--rpm"),
        ("tokens_a_minute", "--tpm"),
        ("tokens_a_day", "--tpd"),
    ):
        yield from _say(option, getattr(limits, fact), getattr(named, fact))


def _write_grid(grid: Grid) -> Iterator[Part]:
    """Say a grid: its name, and its lengths and depths where the name does not tell them.

    A named grid that ends at its own top does so in every window that held it; where it was
    cut by the window, its lengths are written out.
    """
    name = grid.name if grid.name in GRID_NAMES else GRID_NAMES[0]
    yield from _say("--grid", name, GridRecipe().name)
    plain = make_grid(GridWish(name), None)
    if name == GRID_NAMES[0] or grid.lengths != plain.lengths:
        yield from ("--lengths", ",".join(map(_write_length, grid.lengths)))
    if grid.depths == plain.depths:
        return
    count = len(grid.depths)
    if grid.depths == tuple(sorted(set(space_depths(count, "linear")))):
        yield from ("--depth-count", str(count))
    elif grid.depths == tuple(sorted(set(space_depths(count, "sigmoid")))):
        yield from ("--depth-count", str(count), "--spacing", "sigmoid")
    else:
        yield from ("--depths", ",".join(map(_write_number, grid.depths)))


def _write_length(length: int) -> str:
    short = f"{length // 1_000}k"
    return short if parse_length(short) == length else str(length)


def _write_needle(run: Run, files: dict[str, str], place: str) -> Iterator[Part]:
    """Say the needle and how many facts there are of it; what was the user's own is restored."""
    sources: dict[str, NeedleSource] = {}
    for task in run.tasks:
        source = load_needle_source(FAMILIES[task].needle)
        if draws(source, run, task):
            sources[task] = source
    own = [task for task in run.tasks if task not in sources]
    if own:
        name, source_of_own = _choose_needle(run, own)
        if source_of_own is None:
            yield from ("--needle", f"{name}.yaml")
            yield Gap("needle_lost", name)
        else:
            sources |= dict.fromkeys(own, source_of_own)
            if name in list_needles() and draws(load_needle_source(name), run, own[0]):
                yield from ("--needle", name)
            else:
                file = f"needle-{name}.yaml".replace("/", "-")
                files[file] = write_needle(source_of_own)
                yield from ("--needle", place + file)
                yield Gap("needle_file", place + file)
    for task, source in sources.items():
        option = FAMILIES[task].option
        count = form_of(next(iter(run.needles[task].values()))[0]).count
        if option and count != choose_form(source, task, None).count:
            yield from (f"--{option}", str(count))
        if not draws_answers(source, run, task):
            yield Gap("answers", source.name)


def _choose_needle(run: Run, tasks: list[str]) -> tuple[str, NeedleSource | None]:
    """Return the name and source of a needle that is not the tasks' own."""
    name = next(iter(run.needles[tasks[0]].values()))[0].name
    if name in list_needles():
        source = load_needle_source(name)
        if all(draws(source, run, task) for task in tasks):
            return name, source
    return name, restore_needle(run, tasks)


def _write_prompt(run: Run, files: dict[str, str], place: str) -> Iterator[Part]:
    name = next(iter(run.templates.values())).name
    if not prompt_ships(run):
        file = f"prompt-{name}.yaml".replace("/", "-")
        files[file] = restore_prompt(run)
        yield from ("--prompt", place + file)
        yield Gap("prompt_file", place + file)
    elif name != USUAL.prompt:
        yield from ("--prompt", name)


def _write_haystacks(run: Run) -> Iterator[Part]:
    """Say the haystacks, and how those that do not ship are had."""
    names = tuple(dict.fromkeys(note.source for note in run.haystacks.values()))
    if names != USUAL.haystack:
        for name in names:
            yield from ("--haystack", name)
    yield from _find_haystack_gaps(run, names)


def _find_haystack_gaps(run: Run, names: tuple[str, ...]) -> Iterator[Gap]:
    by_name = {name for name, _, _ in list_haystacks()}
    for name in names:
        if name not in by_name:
            yield Gap("haystack_own", name)
        elif not shipped("haystacks", name).is_dir():
            yield Gap("haystack_fetched", name)
    try:
        there = find_haystacks(names)
    except UsageError:
        there = {}
    for language, note in run.haystacks.items():
        if language not in there or there[language].sha256 != note.sha256:
            yield Gap("haystack_changed", note.source)
    if "cross" in run.tasks and len(there) == 1:
        yield Gap("haystack_other", next(one for one in LANGUAGES if one not in there))


def _write_scorers(run: Run) -> Iterator[Part]:
    yield from _say("--scorer", ",".join(run.scorers), KEYWORD)
    if run.judge is None or JUDGE not in run.scorers:
        return
    usual, known = _find_usual(run.judge)
    yield from ("--judge-model", run.judge.name)
    yield from _say("--judge-base-url", run.judge.base_url, usual.base_url if known else None)


def _import_again(run: Run) -> Iterator[Part]:
    """Say how a run was imported; whether its needle was named, its digest tells."""
    origin = run.imported
    if origin is None:
        raise UsageError(f"{run.run_id} was not imported")
    yield from ("needle", "import", *(Path(file.name).name for file in origin.files))
    yield from ("--format", origin.format, "--model", run.model.name)
    if len(run.languages) == 1:
        yield from ("--language", run.languages[0])
    if origin.date is not None and _is_date(origin.date):
        yield from ("--date", origin.date)
    names = [needles[0].name for by in run.needles.values() for needles in by.values()]
    for needle in (None, *dict.fromkeys(names)):
        if digest_import(origin, run.model.name, run.languages, needle) == run.digest:
            yield from () if needle is None else ("--needle", needle)
            break
    else:
        yield Gap("imported_needle", "")
    yield Gap("imported_files", ", ".join(file.name for file in origin.files))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
