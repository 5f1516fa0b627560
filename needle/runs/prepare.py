"""From a recipe, or from a run folder's run.yaml, to a plan that is ready to be carried out."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version

from needle.caching.ordering import arrange
from needle.contexts.calibration import ASSUMED, Scale
from needle.contexts.counting import Counting
from needle.contexts.grid import GridWish
from needle.contexts.keys import digest
from needle.contexts.materials import Fitting, Material, Settings
from needle.contexts.needles import Form, NeedleSource
from needle.contexts.plan import make_plan
from needle.contexts.prompts import choose_template
from needle.contexts.tasks import BASE_LENGTHS, BASE_TASKS, FAMILIES, text_language
from needle.edges.config import (
    Recipe,
    choose_languages,
    load_template,
    refuse_endless,
    refuse_unadaptive,
    wish_grid,
)
from needle.edges.corpus import find_haystacks
from needle.edges.layouts import count_each, count_of, draw_for, note_crowded, refuse_unshared
from needle.edges.needlefiles import choose_form, choose_sources, repeats_needles
from needle.edges.store import name_run
from needle.edges.tokens import HANZI, countings_at_hand, load_counting
from needle.runs.asked import choose_limits, choose_model, refuse_beyond_limits
from needle.runs.judging import choose_judge
from needle.scoring.scorers import KEYWORD
from needle.statistics.adapting import CLAIMING_REPLICATES, lie_far_apart
from needle.words.counts import VendorCount
from needle.words.errors import UsageError, known
from needle.words.origins import HaystackNote
from needle.words.tariffs import Limits
from needle.words.types import (
    LANGUAGES,
    Grid,
    Haystack,
    Language,
    Layout,
    Needle,
    Plan,
    Run,
    Template,
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
    sources = choose_sources(recipe.task, recipe.needle)
    refuse_endless(recipe, len(sources) * len(languages))
    _refuse_one_language(sources, haystacks)
    refuse_unshared(recipe, sources)
    refuse_unadaptive(recipe)
    forms = _choose_forms(recipe, sources)
    spoken = {*languages, *(text_language(task, one) for task in sources for one in languages)}
    templates = {one: load_template(recipe.prompt, one) for one in LANGUAGES if one in spoken}
    materials = [
        Material(
            language,
            haystacks[text_language(task, language)],
            draw_for(recipe, source, language, forms[task]),
            choose_template(templates, task, language),
            count_of(recipe),
        )
        for task, source in sources.items()
        for language in languages
    ]
    tokens = load_counting(recipe.tokenizer)
    texts = tuple(dict.fromkeys(material.haystack.language for material in materials))
    ratio = _assume(tokens, texts, recipe.replicates) if recipe.count == "vendor" else None
    settings = Settings(
        model=model,
        grid=wish_grid(recipe),
        unit=recipe.unit,
        tokens=tokens,
        hanzi=HANZI,
        seed=recipe.seed,
        temperature=recipe.temperature if recipe.temperature is not None else model.temperature,
        reply_tokens=recipe.reply_tokens or model.reply_tokens,
        base_lengths=BASE_LENGTHS,
        controls=recipe.controls == "all",
        sparing=recipe.adaptive,
        fittings=_make_fittings(ratio, tokens),
        layout=recipe.layout,
    )
    plan = make_plan(settings, materials)
    limits = choose_limits(recipe, model)
    refuse_beyond_limits(plan, settings.reply_tokens, limits)
    run = _describe(recipe, settings, materials, templates, plan, limits, date)
    run = replace(run, ratio=ratio)
    notes = [
        f"needle {source.name!r} has fewer wordings than replicates: replicates share "
        f"needles and differ in their haystack only"
        for source in sources.values()
        if repeats_needles(source, recipe.replicates * count_of(recipe))
    ]
    if len(languages) == 1 and recipe.language == "both" and recipe.unit == "tokens":
        notes.append(f"the haystack is in one language: running {languages[0]} alone")
    return _put_in_order(Prepared(run, plan, haystacks, (*notes, *_notes(run, plan))))


def _put_in_order(prepared: Prepared) -> Prepared:
    """Return a run with its trials in the order that its endpoint's prompt cache serves best.

    What names a run is made before, of its trials as planned: their order is no part of it.
    """
    run = prepared.run
    said = (run.model.cache, known(run.concurrency), run.limits)
    steps = arrange(prepared.plan.trials, run.templates, *said)
    trials = tuple(step.trial for step in steps)
    return replace(prepared, plan=replace(prepared.plan, trials=trials))


def _choose_forms(recipe: Recipe, sources: Mapping[str, NeedleSource]) -> dict[str, Form]:
    """Return the form of each task's needles; raise UsageError for a count of no task's."""
    for task, family in FAMILIES.items():
        if family.option and getattr(recipe, family.option) and task not in sources:
            raise UsageError(
                f"--{family.option} is for the task {task}, which is not asked for (--task): "
                f"add it, or leave --{family.option} out"
            )
    said = {task: FAMILIES[task].option for task in sources}
    return {
        task: choose_form(source, task, getattr(recipe, said[task] or "", None))
        for task, source in sources.items()
    }


def _refuse_one_language(tasks: Iterable[str], haystacks: Mapping[Language, Haystack]) -> None:
    lacking = [language for language in LANGUAGES if language not in haystacks]
    if "cross" in tasks and lacking:
        raise UsageError(
            f"the task cross needs text in both languages, and there is none in {lacking[0]} "
            f"(--haystack): give one for each language"
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
    again = plan_again(run)
    refuse_beyond_limits(again.plan, known(run.reply_tokens), run.limits)
    whole = _digest_plan(again.plan, run.layout, run.adaptive)
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
        base_lengths=again.plan.base_lengths,
    )
    return _put_in_order(replace(again, run=fitted))


def prepare_again(run: Run) -> Prepared:
    """Prepare a run anew from its run.yaml; raise UsageError if its haystack has changed."""
    return _put_in_order(plan_again(run))


def find_texts(run: Run) -> dict[Language, Haystack]:
    """Find a run's haystacks; raise UsageError if one has changed, or if there is none to send."""
    if run.imported is not None:
        raise UsageError(
            f"{run.run_id} was imported: there is nothing to send (needle score scores it anew, "
            f"needle heatmap draws it)"
        )
    names = tuple(dict.fromkeys(note.source for note in run.haystacks.values()))
    haystacks = find_haystacks(names)
    for language, note in run.haystacks.items():
        if language not in haystacks or haystacks[language].sha256 != note.sha256:
            raise UsageError(
                f"the haystack {note.name!r} is not what it was when {run.run_id} began "
                f"({note.source}): put it back, or begin a new run"
            )
    return haystacks


def plan_again(run: Run) -> Prepared:
    """Plan a run anew from its run.yaml, its trials in the order of the plan."""
    haystacks = find_texts(run)
    materials = [
        Material(
            language,
            haystacks[text_language(task, language)],
            run.needles[task][language],
            choose_template(run.templates, task, language),
            count_each(run.layout, len(run.grid.depths)),
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
        seed=known(run.seed),
        temperature=run.temperature,
        reply_tokens=known(run.reply_tokens),
        base_lengths=run.base_lengths,
        controls=run.controls == "all",
        sparing=run.adaptive,
        fittings=_make_fittings(run.ratio, tokens),
        layout=run.layout,
    )
    plan = make_plan(settings, materials)
    return Prepared(run, plan, haystacks, _notes(run, plan))


def _describe(
    recipe: Recipe,
    settings: Settings,
    materials: list[Material],
    templates: dict[Language, Template],
    plan: Plan,
    limits: Limits | None,
    date: str,
) -> Run:
    passes = {repeat.language: repeat.passes for repeat in plan.repeats}
    scorers = recipe.scorer or (KEYWORD,)
    whole = _digest_plan(plan, settings.layout, recipe.adaptive)
    model = settings.model
    needles: dict[str, dict[Language, tuple[Needle, ...]]] = {}
    for material in materials:
        needles.setdefault(material.task, {})[material.language] = material.needles
    return Run(
        run_id=name_run(date, model.name, whole),
        date=date,
        digest=whole,
        model=model,
        languages=tuple(dict.fromkeys(material.language for material in materials)),
        tasks=tuple(needles),
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
            text.language: HaystackNote(text.name, text.sha256, text.source, passes[text.language])
            for text in (material.haystack for material in materials)
        },
        templates=templates,
        needles=needles,
        same_place=plan.same_place,
        trials=len(plan.trials),
        primary_scorer=scorers[0],
        scorers=scorers,
        judge=choose_judge(scorers, recipe.judge_model, recipe.judge_base_url, date),
        base_lengths=plan.base_lengths,
        controls=recipe.controls,
        layout=recipe.layout,
        adaptive=recipe.adaptive,
        versions={"python": platform.python_version(), **{n: version(n) for n in _VERSIONED}},
    )


def _digest_plan(plan: Plan, layout: Layout, adaptive: bool) -> str:
    return digest_keys([trial.key for trial in plan.trials], plan.grid, layout, adaptive)


def digest_keys(keys: Sequence[str], grid: Grid, layout: Layout, adaptive: bool = False) -> str:
    """Return a run's digest, from the keys of its trials in the order of its plan."""
    return digest(
        {
            "keys": list(keys),
            "grid": [grid.lengths, grid.depths],
            "layout": layout,
            **({"adaptive": True} if adaptive else {}),
        }
    )


def _notes(run: Run, plan: Plan) -> tuple[str, ...]:
    notes = [
        f"{language}: the longest context reads the haystack {note.name!r} through "
        f"{note.passes:.2f} times: its text repeats, in fresh orders "
        f"(needle haystacks list shows longer ones)"
        for language, note in run.haystacks.items()
        if note.passes is not None and note.passes > 1
    ]
    notes += note_crowded(plan)
    if run.adaptive and run.replicates < CLAIMING_REPLICATES:
        notes.append(
            f"{run.replicates} replicates can't put a length above 85.6% with certainty: an "
            f"adaptive run of {CLAIMING_REPLICATES} or more can (--replicates)"
        )
    if run.adaptive and lie_far_apart(run.grid):
        notes.append(
            "between two lengths the limit is not tested, and the long ones lie far apart here: "
            "--grid published or --length-count lets an adaptive run find it (docs/adaptive.md)"
        )
    lacking = [length for length in BASE_LENGTHS if length not in run.base_lengths]
    if lacking and set(run.tasks) & set(BASE_TASKS):
        notes.append(
            f"the base score is without the lengths {', '.join(map(str, lacking))}: "
            f"they have no room for needle, question and any text, or are past the window"
        )
    if run.model.retired:
        notes.append(f"{run.model.name} is retired: {run.model.retired}")
    if run.model.window is None:
        notes.append(
            f"the window of {run.model.name} is not known: give it with --window, so that no "
            f"prompt is sent that can't fit"
        )
    return tuple(notes)
