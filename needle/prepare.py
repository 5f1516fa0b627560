"""From a recipe, or from a run folder's run.yaml, to a plan that is ready to be carried out."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from needle.calibration import ASSUMED, Scale
from needle.config import (
    Recipe,
    choose_base_url,
    choose_languages,
    draw_needles,
    load_needle_source,
    load_template,
    repeats_needles,
    wish_grid,
)
from needle.context import Counting
from needle.corpus import find_haystacks
from needle.counts import VendorCount
from needle.errors import UsageError
from needle.grid import GridWish
from needle.keys import digest
from needle.models import find_limits, find_model
from needle.plan import CLASSIC, Fitting, Material, Settings, make_plan
from needle.scoring import KEYWORD
from needle.store import name_run
from needle.tokens import HANZI, countings_at_hand, load_counting
from needle.types import (
    Haystack,
    HaystackNote,
    Language,
    Limits,
    Model,
    Plan,
    Run,
)

Ratio = Mapping[Language, VendorCount]

_VERSIONED = ("needle", "openai", "tiktoken")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready: what it is, all its trials, the texts, and what to tell the user."""

    run: Run
    plan: Plan
    haystacks: Mapping[Language, Haystack]
    notes: tuple[str, ...]


def prepare(recipe: Recipe, told_language: bool, model_name: str, date: str) -> Prepared:
    """Prepare one model's run from a recipe; ``date`` is today's, for the run's name.

    Raises UsageError for whatever is wrong with it; nothing is written or sent.
    """
    model = choose_model(recipe, model_name, date)
    haystacks = find_haystacks(recipe.haystack)
    languages = choose_languages(recipe, told_language, haystacks)
    source = load_needle_source(recipe.needle)
    materials = [
        Material(
            language,
            haystacks[language],
            draw_needles(source, language, recipe.seed, recipe.replicates),
            load_template(recipe.prompt, language),
        )
        for language in languages
    ]
    tokens = load_counting(recipe.tokenizer)
    ratio = _assume(tokens, languages, recipe.replicates) if recipe.count == "vendor" else None
    settings = Settings(
        model=model,
        grid=wish_grid(recipe),
        unit=recipe.unit,
        tokens=tokens,
        hanzi=HANZI,
        seed=recipe.seed,
        temperature=recipe.temperature if recipe.temperature is not None else model.temperature,
        reply_tokens=recipe.reply_tokens or model.reply_tokens,
        fittings=_make_fittings(ratio, tokens),
    )
    plan = make_plan(settings, materials)
    limits = choose_limits(recipe, model)
    refuse_beyond_limits(plan, settings.reply_tokens, limits)
    run = _describe(recipe, settings, materials, plan, limits, date)
    run = replace(run, ratio=ratio)
    notes = []
    if repeats_needles(source, recipe.replicates):
        notes.append(
            f"needle {source.name!r} has fewer wordings than replicates: replicates share "
            f"needles and differ in their haystack only"
        )
    if len(languages) == 1 and recipe.language == "both" and recipe.unit == "tokens":
        notes.append(f"the haystack is in one language: running {languages[0]} alone")
    return Prepared(run, plan, haystacks, (*notes, *_notes(run)))


def choose_model(recipe: Recipe, name: str, date: str) -> Model:
    """Return a recipe's model as the catalogue and the recipe together have it."""
    model = find_model(name, choose_base_url(recipe, name), recipe.window, date)
    return replace(
        model,
        stream=model.stream if recipe.stream is None else recipe.stream,
        params=recipe.params or model.params,
    )


def choose_limits(recipe: Recipe, model: Model) -> Limits | None:
    """Return the limits that the user named, by tier or in figures; None if there are none."""
    said = recipe.limits
    named = find_limits(model, said.tier) if said.tier else Limits()
    limits = Limits(
        named.concurrency,
        said.requests_a_minute or named.requests_a_minute,
        said.tokens_a_minute or named.tokens_a_minute,
        said.tokens_a_day or named.tokens_a_day,
    )
    return None if limits == Limits() else limits


def refuse_beyond_limits(plan: Plan, reply_tokens: int, limits: Limits | None) -> None:
    """Raise UsageError for a request larger than a limit: it would be turned down for ever."""
    if limits is None:
        return
    largest = max(trial.prompt_tokens for trial in plan.trials) + reply_tokens
    for most, span, option in (
        (limits.tokens_a_minute, "minute", "--tpm"),
        (limits.tokens_a_day, "day", "--tpd"),
    ):
        if most is not None and largest > most:
            raise UsageError(
                f"a request of {largest:,} tokens, {reply_tokens:,} of them kept for the reply, "
                f"is larger than the limit of {most:,} tokens a {span} ({option}, --tier) and "
                f"would be turned down for ever: use --lengths up to {most - reply_tokens}"
            )


def _assume(
    tokens: Counting, languages: Sequence[Language], replicates: int
) -> dict[Language, VendorCount]:
    """Return what an endpoint's count is taken to be before it is asked: the same as ours."""
    count = VendorCount(tokens.name, (ASSUMED.knots,) * replicates, "assumed")
    return dict.fromkeys(languages, count)


def _make_fittings(ratio: Ratio | None, tokens: Counting) -> dict[Language, Fitting] | None:
    if ratio is None:
        return None
    by_name = {counting.name: counting for counting in countings_at_hand(tokens)}
    fittings = {}
    for language, count in ratio.items():
        if count.counting not in by_name:
            raise UsageError(
                f"no counting {count.counting!r} (run.yaml: ratio.{language}.counting): "
                f"use {', '.join(by_name)}"
            )
        counting = by_name[count.counting]
        # What is kept free for joins would make short contexts fall short by half a percent.
        tight = replace(counting, join_room=min(counting.join_room, 1))
        fittings[language] = Fitting(tight, tuple(map(Scale, count.knots)))
    return fittings


def with_ratio(prepared: Prepared, ratio: Ratio) -> Prepared:
    """Return a run with its lengths fitted to what its endpoint's count was found to be."""
    run = replace(prepared.run, ratio=dict(ratio))
    again = prepare_again(run)
    refuse_beyond_limits(again.plan, run.reply_tokens, run.limits)
    whole = _digest_plan(again.plan)
    passes = {repeat.language: repeat.passes for repeat in again.plan.repeats}
    fitted = replace(
        run,
        run_id=name_run(run.date, run.model.name, whole),
        digest=whole,
        haystacks={
            language: replace(note, passes=passes[language])
            for language, note in run.haystacks.items()
        },
        same_place=again.plan.same_place,
        trials=len(again.plan.trials),
    )
    return replace(again, run=fitted)


def prepare_again(run: Run) -> Prepared:
    """Prepare a run anew from its run.yaml; raise UsageError if its haystack has changed."""
    names = tuple(dict.fromkeys(note.source for note in run.haystacks.values()))
    haystacks = find_haystacks(names)
    for language, note in run.haystacks.items():
        if language not in haystacks or haystacks[language].sha256 != note.sha256:
            raise UsageError(
                f"the haystack {note.name!r} is not what it was when {run.run_id} began "
                f"({note.source}): put it back, or begin a new run"
            )
    materials = [
        Material(
            language, haystacks[language], run.needles[task][language], run.templates[language]
        )
        for task in run.tasks
        for language in run.languages
    ]
    tokens = load_counting(run.tokenizer_file or run.tokenizer)
    settings = Settings(
        model=run.model,
        grid=GridWish(run.grid.name, lengths=run.grid.lengths, depths=run.grid.depths),
        unit=run.unit,
        tokens=tokens,
        hanzi=HANZI,
        seed=run.seed,
        temperature=run.temperature,
        reply_tokens=run.reply_tokens,
        fittings=_make_fittings(run.ratio, tokens),
    )
    return Prepared(run, make_plan(settings, materials), haystacks, _notes(run))


def _describe(
    recipe: Recipe,
    settings: Settings,
    materials: list[Material],
    plan: Plan,
    limits: Limits | None,
    date: str,
) -> Run:
    passes = {repeat.language: repeat.passes for repeat in plan.repeats}
    whole = _digest_plan(plan)
    model = settings.model
    return Run(
        run_id=name_run(date, model.name, whole),
        date=date,
        digest=whole,
        model=model,
        languages=tuple(material.language for material in materials),
        tasks=recipe.task,
        grid=plan.grid,
        unit=settings.unit,
        tokenizer=settings.tokens.name,
        tokenizer_file=recipe.tokenizer if recipe.tokenizer.endswith(".json") else None,
        ratio=None,
        seed=recipe.seed,
        replicates=recipe.replicates,
        temperature=settings.temperature,
        reply_tokens=settings.reply_tokens,
        concurrency=recipe.concurrency or model.concurrency,
        limits=limits,
        timeout_s=recipe.timeout_s,
        haystacks={
            m.language: HaystackNote(
                m.haystack.name, m.haystack.sha256, m.haystack.source, passes[m.language]
            )
            for m in materials
        },
        templates={m.language: m.template for m in materials},
        needles={recipe.task[0]: {m.language: m.needles for m in materials}},
        same_place=plan.same_place,
        trials=len(plan.trials),
        primary_scorer=KEYWORD,
        versions={"python": platform.python_version(), **{n: version(n) for n in _VERSIONED}},
    )


def _digest_plan(plan: Plan) -> str:
    return digest(
        {
            "keys": [trial.key for trial in plan.trials],
            "grid": [plan.grid.lengths, plan.grid.depths],
            "layout": CLASSIC,
        }
    )


def _notes(run: Run) -> tuple[str, ...]:
    notes = [
        f"{language}: the longest context reads the haystack {note.name!r} through "
        f"{note.passes:.2f} times: its text repeats, in fresh orders "
        f"(needle haystacks list shows longer ones)"
        for language, note in run.haystacks.items()
        if note.passes > 1
    ]
    if run.model.retired:
        notes.append(f"{run.model.name} is retired: {run.model.retired}")
    if run.model.window is None:
        notes.append(
            f"the window of {run.model.name} is not known: give it with --window, so that no "
            f"prompt is sent that can't fit"
        )
    return tuple(notes)
