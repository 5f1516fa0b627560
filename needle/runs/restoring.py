"""A run's own needles and prompt as files again, from what its run.yaml holds of them."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from needle.contexts.needles import MARK, NeedleSource, Wording, draw_needle, form_of
from needle.contexts.soundness import find_faults
from needle.contexts.tasks import FAMILIES
from needle.edges.config import load_template
from needle.edges.files import dump_yaml, list_shipped
from needle.edges.layouts import draw_again
from needle.edges.needlefiles import choose_form, fits
from needle.words.errors import UsageError
from needle.words.types import Needle, Run


def prompt_ships(run: Run) -> bool:
    """Tell whether a run's prompt is the shipped one of its name."""
    name = next(iter(run.templates.values())).name
    if name not in list_shipped("prompts"):
        return False
    try:
        shipped = {language: load_template(name, language) for language in run.templates}
    except UsageError:
        return False
    return shipped == run.templates


def restore_prompt(run: Run) -> str:
    """Return a run's prompt as a YAML file."""
    languages = {
        language: {
            "separator": template.separator,
            "messages": [{"role": role, "content": text} for role, text in template.messages],
        }
        for language, template in run.templates.items()
    }
    name = next(iter(run.templates.values())).name
    return dump_yaml({"name": name, "source": _from(run), "languages": languages})


def draws(source: NeedleSource, run: Run, task: str) -> bool:
    """Tell whether a source gives what a run's requests of a task were made of."""
    return _draw(source, run, task, answers=False)


def draws_answers(source: NeedleSource, run: Run, task: str) -> bool:
    """Tell whether a source gives a run's needles of a task with their accepted answers."""
    return _draw(source, run, task, answers=True)


def _draw(source: NeedleSource, run: Run, task: str, *, answers: bool) -> bool:
    if task not in FAMILIES or not fits(source, task):
        return False
    for language, asked in run.needles[task].items():
        count = form_of(asked[0]).count if FAMILIES[task].option else None
        try:
            form = choose_form(source, task, count)
            drawn = draw_again(run, source, language, form)
        except UsageError:
            return False
        if [_shape(n, answers) for n in drawn] != [_shape(n, answers) for n in asked]:
            return False
    return True


def _shape(needle: Needle, answers: bool) -> tuple[object, ...]:
    request = (needle.facts, needle.question, needle.distractors)
    return (*request, needle.answers) if answers else request


def restore_needle(run: Run, tasks: Sequence[str]) -> NeedleSource | None:
    """Return a source that draws a run's needles of some tasks; None where none can.

    A source of so many variants draws them in an order that follows from its name and the
    seed: each replicate's needle stands where that order comes to it.
    """
    files = [set(FAMILIES[task].files) for task in tasks if task in FAMILIES]
    names = {run.needles[task][language][0].name for task in tasks for language in run.languages}
    common = set.intersection(*files) if len(files) == len(tasks) else set()
    if not common or len(names) != 1:
        return None
    (name,) = names
    task = "distractors" if "distractors" in common else min(common)
    rows = [_write_variant(run, tasks, number) for number in range(run.replicates)]
    if None in rows:
        return None
    total = len({repr(row) for row in rows})
    variants: list[Any] = [None] * total
    for number, row in enumerate(rows):
        place = _find_place(name, run, total, number)
        if variants[place] not in (None, row):
            return None
        variants[place] = row
    slots: dict[str, tuple[dict[str, str], ...]] = {}
    if "{brace.open}" in repr(rows):
        slots["brace"] = ({"open": "{"},)
    source = NeedleSource(name, _from(run), tuple(variants), task, slots)
    sound = next(find_faults(source), None) is None
    return source if sound and all(draws_answers(source, run, one) for one in tasks) else None


def _write_variant(run: Run, tasks: Sequence[str], number: int) -> dict[str, Wording] | None:
    """Return one replicate's wordings by language; None where the tasks ask different facts."""
    wordings: dict[str, Wording] = {}
    for language in run.languages:
        needles = [run.needles[task][language][number] for task in tasks]
        if len({(each.facts, each.question, each.answers) for each in needles}) > 1:
            return None
        first = needles[0]
        others = max((each.distractors for each in needles), key=len)
        wordings[language] = Wording(
            facts=tuple(map(_escape, first.facts)),
            question=_escape(first.question),
            answers=tuple(tuple(map(_escape, group)) for group in first.answers),
            distractors=tuple(_escape(each.text) for each in others),
        )
    return wordings


def _escape(text: str) -> str:
    """Write braces that read as a mark as what a slot fills in."""
    return text.replace("{", "{brace.open}") if MARK.search(text) else text


def _find_place(name: str, run: Run, total: int, replicate: int) -> int:
    """Return the number of the variant that a replicate draws from so many."""
    language = run.languages[0]
    numbered = tuple({language: Wording((str(number),), "?", (("!",),))} for number in range(total))
    source = NeedleSource(name, "", numbered)
    return int(draw_needle(source, language, run.seed or 0, replicate).facts[0])


def write_needle(source: NeedleSource) -> str:
    """Return a restored needle as a YAML file."""
    variants = [
        {language: _write_wording(wording) for language, wording in variant.items()}
        for variant in source.variants
    ]
    head: dict[str, Any] = {"name": source.name, "task": source.task, "source": source.source}
    if source.slots:
        head["slots"] = {slot: list(options) for slot, options in source.slots.items()}
    return dump_yaml({**head, "variants": variants})


def _write_wording(wording: Wording) -> dict[str, Any]:
    data: dict[str, Any] = asdict(wording)
    data = {name: value for name, value in data.items() if value}
    data["facts"] = list(wording.facts)
    data["answers"] = [list(group) for group in wording.answers]
    if wording.distractors:
        data["distractors"] = list(wording.distractors)
    return data


def _from(run: Run) -> str:
    return f"restored from the run {run.run_id}"
