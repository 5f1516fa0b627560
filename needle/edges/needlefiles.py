"""Needles' YAML files: loaded, checked, chosen for the tasks of a run, and drawn from."""

from pathlib import Path
from typing import Any

from needle.contexts.gathering import count_gathered, gather_needles
from needle.contexts.needles import Form, NeedleSource, count_apart, count_draws, draw_needle
from needle.contexts.soundness import find_faults
from needle.contexts.tasks import FAMILIES, Family
from needle.edges.files import check_record, list_shipped, locate, read_yaml, shipped
from needle.words.errors import UsageError
from needle.words.types import Language, Needle


def list_needles() -> tuple[str, ...]:
    """Return the names of the needles that ship with needle."""
    return list_shipped("needles")


def load_needle_source(name: str) -> NeedleSource:
    """Load a needle by its shipped name or a YAML file's path.

    Raises UsageError with one line that says what is wrong with it, and where.
    """
    path = locate("needles", name, "--needle")
    data = read_yaml(path, "--needle")
    source = check_record(NeedleSource, {**data, "slots": _gather_slots(data, path)}, str(path))
    for fault, place in find_faults(source):
        raise UsageError(f"{fault} ({path}: {place})")
    return source


def _gather_slots(data: dict[str, Any], path: Path) -> object:
    """Return a file's slots with those that it takes from shipped needles."""
    own, taken = data.get("slots", {}), data.get("slots_of", {})
    if not isinstance(own, dict) or not isinstance(taken, dict):
        return own  # what is wrong with it is said where the record is checked
    slots: dict[str, Any] = {}
    for name, wanted in taken.items():
        there = shipped("configs", "needles", f"{name}.yaml")
        options = read_yaml(there, "--needle").get("slots", {}) if there.is_file() else {}
        for slot in wanted if isinstance(wanted, list) else ():
            if slot not in options:
                raise UsageError(
                    f"no slot {slot!r} in a shipped needle {name!r} ({path}: slots_of): "
                    f"use one of {', '.join(options) or 'another needle'}"
                )
            slots[slot] = options[slot]
    return {**slots, **own}


def fits(source: NeedleSource, task: str) -> bool:
    """Tell whether a needle can be asked in a task; one of another tool's in its own alone."""
    return source.task in (FAMILIES[task].files if task in FAMILIES else (task,))


def choose_sources(tasks: tuple[str, ...], needle: str | None) -> dict[str, NeedleSource]:
    """Return each task's needle: the one that was named where it fits, else the task's own.

    Without tasks it is the named needle's. Raises UsageError where that fits no task.
    """
    source = load_needle_source(needle) if needle else None
    asked = tuple(dict.fromkeys(tasks or (source.task if source else "single",)))
    fitting = [task for task in asked if source and fits(source, task)]
    if source and not fitting:
        own = [task for task, family in FAMILIES.items() if source.task in family.files]
        raise UsageError(
            f"the needle {source.name!r} is of the task {source.task}, not of "
            f"{' or '.join(asked)} (--needle): use --task {' or '.join(own)}, or another needle"
        )
    return {
        task: source if source and task in fitting else load_needle_source(FAMILIES[task].needle)
        for task in asked
    }


def choose_form(source: NeedleSource, task: str, said: int | None) -> Form:
    """Return the form of a task's needles: as many facts as were said, or by default.

    Raises UsageError where the needle can't have as many.
    """
    family = FAMILIES[task]
    if family.option is None:
        return Form(task)
    if task == "distractors" and not source.each:
        return _choose_written(source, family, said)
    if not source.each:
        own = len(next(iter(source.variants[0].values())).facts)
        if said not in (None, own):
            raise UsageError(
                f"the needle {source.name!r} has {own} {family.option} of its own, not {said} "
                f"(--{family.option}): leave it out"
            )
        return Form(task, own)
    most = count_apart(source) - (task != "multi")  # one is the fact's own, or where a chain begins
    count = min(family.default, most) if said is None else said
    if count > most:
        raise UsageError(
            f"the needle {source.name!r} has no more than {most} different {family.option}, "
            f"got {count} (--{family.option})"
        )
    return Form(task, count)


def _choose_written(source: NeedleSource, family: Family, said: int | None) -> Form:
    """Return the form of a needle whose distractors are written out: the first of them."""
    written = [w.distractors for variant in source.variants for w in variant.values()]
    most = min(map(len, written))
    count = min(family.default, most) if said is None else said
    if not most:
        raise UsageError(
            f"the needle {source.name!r} has no distractors (--task distractors): write them "
            f"under distractors, or name under each what tells them from the fact"
        )
    if count > most:
        raise UsageError(
            f"the needle {source.name!r} has {most} distractors, not {count} (--distractors)"
        )
    return Form("distractors", count)


def draw_needles(
    source: NeedleSource,
    language: Language,
    seed: int,
    replicates: int,
    form: Form | None = None,
) -> tuple[Needle, ...]:
    """Draw each replicate's needle; raise UsageError if the source lacks the language."""
    _refuse_lacking(source, language)
    return tuple(draw_needle(source, language, seed, number, form) for number in range(replicates))


def _refuse_lacking(source: NeedleSource, language: Language) -> None:
    if any(language not in variant for variant in source.variants):
        raise UsageError(
            f"the needle {source.name!r} has no {language} wording (--language): "
            f"add it, or run the other language alone"
        )


def draw_together(
    source: NeedleSource,
    language: Language,
    seed: int,
    replicates: int,
    form: Form,
    depths: int,
) -> tuple[Needle, ...]:
    """Draw all that each replicate plants in its shared contexts, and the one that it does not.

    Raises UsageError if the source lacks the language, or too few of its needles go together.
    """
    _refuse_lacking(source, language)
    count = count_gathered(depths)
    try:
        return gather_needles(source, seed, replicates, count, form)[language]
    except ValueError as error:
        raise UsageError(
            f"the needle {source.name!r} can't fill a shared context: of the {count} it asks for "
            f"({depths} depths and the control) {error} (--layout shared): use fewer --depths, "
            f"--needle {FAMILIES[form.task].needle}, or --layout classic"
        ) from error


def repeats_needles(source: NeedleSource, number: int) -> bool:
    """Tell whether a run of so many needles will repeat some for want of different ones."""
    return count_draws(source) < number
