"""From a recipe, or from a run folder's run.yaml, to a plan that is ready to be carried out."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from needle.config import (
    Recipe,
    choose_languages,
    draw_needles,
    load_needle_source,
    load_template,
    repeats_needles,
    wish_grid,
)
from needle.corpus import find_haystacks
from needle.errors import UsageError, known
from needle.grid import GridWish
from needle.keys import digest
from needle.models import find_model
from needle.plan import CLASSIC, Material, Settings, make_plan
from needle.scoring import KEYWORD
from needle.store import name_run
from needle.tokens import HANZI, load_counting
from needle.types import Haystack, HaystackNote, Language, Plan, Run

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
    model = find_model(model_name, recipe.base_url, recipe.window, date)
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
    settings = Settings(
        model=model,
        grid=wish_grid(recipe),
        unit=recipe.unit,
        tokens=load_counting(recipe.tokenizer),
        hanzi=HANZI,
        seed=recipe.seed,
        temperature=recipe.temperature if recipe.temperature is not None else model.temperature,
        reply_tokens=recipe.reply_tokens or model.reply_tokens,
    )
    plan = make_plan(settings, materials)
    run = _describe(recipe, settings, materials, plan, date)
    notes = []
    if repeats_needles(source, recipe.replicates):
        notes.append(
            f"needle {source.name!r} has fewer wordings than replicates: replicates share "
            f"needles and differ in their haystack only"
        )
    if len(languages) == 1 and recipe.language == "both" and recipe.unit == "tokens":
        notes.append(f"the haystack is in one language: running {languages[0]} alone")
    return Prepared(run, plan, haystacks, (*notes, *_notes(run)))


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
    settings = Settings(
        model=run.model,
        grid=GridWish(run.grid.name, lengths=run.grid.lengths, depths=run.grid.depths),
        unit=run.unit,
        tokens=load_counting(run.tokenizer_file or run.tokenizer),
        hanzi=HANZI,
        seed=known(run.seed),
        temperature=run.temperature,
        reply_tokens=known(run.reply_tokens),
    )
    return Prepared(run, make_plan(settings, materials), haystacks, _notes(run))


def _describe(
    recipe: Recipe, settings: Settings, materials: list[Material], plan: Plan, date: str
) -> Run:
    passes = {repeat.language: repeat.passes for repeat in plan.repeats}
    whole = digest(
        {
            "keys": [trial.key for trial in plan.trials],
            "grid": [plan.grid.lengths, plan.grid.depths],
            "layout": CLASSIC,
        }
    )
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


def _notes(run: Run) -> tuple[str, ...]:
    notes = [
        f"{language}: the longest context reads the haystack {note.name!r} through "
        f"{note.passes:.2f} times: its text repeats, in fresh orders "
        f"(needle haystacks list shows longer ones)"
        for language, note in run.haystacks.items()
        if note.passes is not None and note.passes > 1
    ]
    if run.model.retired:
        notes.append(f"{run.model.name} is retired: {run.model.retired}")
    if run.model.window is None:
        notes.append(
            f"the window of {run.model.name} is not known: give it with --window, so that no "
            f"prompt is sent that can't fit"
        )
    return tuple(notes)
