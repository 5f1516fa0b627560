"""Trials: one needle's cells on one replicate's passage, placed, counted and keyed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from needle.contexts.context import Fitted, Frame, fit, share_cut
from needle.contexts.counting import Counting
from needle.contexts.grid import choose_place
from needle.contexts.keys import TextKey, make_keys
from needle.contexts.materials import Material, Settings
from needle.contexts.needles import Insert, spread
from needle.contexts.prompts import BARE, split_template
from needle.contexts.reading import Reading
from needle.words.errors import UsageError
from needle.words.types import Grid, Model, Needle, Place, SamePlace, Trial


@dataclass(frozen=True, slots=True)
class Asking:
    """One needle to be asked on one passage: what stands around the inserts in its prompts.

    ``index`` is the needle's place in its run's list, where it is not the replicate's number.
    """

    settings: Settings
    reading: Reading
    material: Material
    needle: Needle
    before: str
    after: str
    apart: int
    others: tuple[str, ...]
    index: int | None = None

    def frame(self, inserts: Sequence[Insert]) -> Frame:
        """Return what stands beside the haystack where these are inserted."""
        texts = tuple(insert.text for insert in inserts)
        separator = self.material.template.separator
        return Frame(texts, separator, self.before, self.after, self.apart)


def make_askings(
    settings: Settings, reading: Reading, material: Material, counting: Counting
) -> list[Asking]:
    """Make a replicate's needles ready to be asked, their other messages counted.

    Raises UsageError if a sentence to be inserted stands there already.
    """
    first = reading.replicate * material.each
    needles = material.needles[first : first + material.each]
    _refuse_taken(reading, needles)
    askings = []
    for index, needle in enumerate(needles, first):
        (before, after), others = split_template(material.template, needle.question)
        asking = Asking(
            settings=settings,
            reading=reading,
            material=material,
            needle=needle,
            before=before,
            after=after,
            apart=sum(map(counting.count, others)),
            others=tuple(others),
            index=index if settings.layout == "shared" else None,
        )
        askings.append(asking)
    return askings


def _refuse_taken(reading: Reading, needles: Sequence[Needle]) -> None:
    """Refuse a sentence that would not stand in its prompts exactly once (law 2)."""
    haystack, (first, *_) = reading.haystack, needles
    inserts = [insert.text for needle in needles for insert in spread(needle, 0)]
    questions = [needle.question for needle in needles]
    for number, insert in enumerate(inserts):
        if insert in reading.passage.text:
            raise UsageError(
                f"the haystack {haystack.name!r} already holds the needle "
                f"{insert[:60]!r} ({haystack.language}): use another --haystack or --needle"
            )
        rest = (*inserts[:number], *inserts[number + 1 :], *questions)
        if any(insert in other for other in rest):
            raise UsageError(
                f"the needle {first.name!r} holds {insert[:60]!r} twice ({first.language}): "
                f"word each of its sentences differently"
            )


def plan_needle(
    asking: Asking, grid: Grid, base_lengths: Sequence[int] = ()
) -> tuple[list[Trial], list[SamePlace]]:
    """Plan one needle's cells, and its trials at the lengths of a base score, short ones first.

    Cells that fall on the same place are one trial. A base length that has no room for any
    text is left out. Where controls are wanted, the bare question comes first, and one trial
    without the needle follows the cells of each length that has it. Raises UsageError where a
    length of the grid can't be made.
    """
    trials: list[Trial] = []
    merged: list[SamePlace] = []
    if asking.settings.controls:
        trials.append(ask_bare(asking))
    controlled = find_controlled(asking, grid)
    for length in sorted({*grid.lengths, *base_lengths}):
        in_grid = length in grid.lengths
        depths = (*grid.depths, None) if length in controlled else grid.depths
        try:
            block = _plan_length(asking, length, depths)
        except ValueError as error:
            if not in_grid:
                continue
            raise UsageError(
                f"length {length} can't be made: {error} {asking.settings.unit} (grid.lengths): "
                f"use a longer one"
            ) from error
        apart, same = _merge(block)
        trials += apart
        merged += same if in_grid else []
    return trials, merged


def find_controlled(asking: Asking, grid: Grid) -> tuple[int, ...]:
    """Return the lengths at which a question is also asked without its needle.

    In a sparing run a replicate has one of them, and any few replicates' lie far apart.
    """
    if not asking.settings.controls:
        return ()
    if not asking.settings.sparing:
        return grid.lengths
    return (grid.lengths[choose_place(asking.reading.replicate, len(grid.lengths))],)


def _merge(block: Sequence[Trial]) -> tuple[list[Trial], list[SamePlace]]:
    """Take the trials that fall on the same place as another out of one length's."""
    trials: list[Trial] = []
    merged: list[SamePlace] = []
    drawn: dict[tuple[object, ...], float] = {}
    for trial in block:
        place = (trial.cut, *((place.position, place.text) for place in trial.places))
        depth = trial.depth_percent
        if depth is None or place not in drawn:
            trials.append(trial)
            if depth is not None:
                drawn[place] = depth
            continue
        merged.append(
            SamePlace(
                language=trial.language,
                replicate=trial.replicate,
                context_length=trial.context_length,
                depth_percent=depth,
                drawn_as=drawn[place],
                task=trial.task,
            )
        )
    return trials, merged


def _plan_length(asking: Asking, length: int, depths: Sequence[float | None]) -> list[Trial]:
    """Place and count one length's trials; None among the depths is the one without a needle."""
    reading = asking.reading
    target = asking.settings.fit_to(reading.haystack.language, reading.replicate, length)
    shared = share_cut(reading.passage, asking.frame(spread(asking.needle, 0)), target)
    trials = []
    for depth in depths:
        inserts = spread(asking.needle, depth)
        frame, asked = asking.frame(inserts), [insert.depth_percent for insert in inserts]
        cut = shared if depth is not None else share_cut(reading.passage, frame, target)
        fitted = fit(reading.passage, reading.boundaries, frame, target, asked, cut)
        trials.append(_make_trial(asking, length, target, depth, inserts, fitted))
    return trials


def _make_trial(
    asking: Asking,
    length: int,
    target: int,
    depth: float | None,
    inserts: Sequence[Insert],
    fitted: Fitted,
) -> Trial:
    places = tuple(
        Place(insert.text, insert.depth_percent, actual, position, insert.distractor)
        for insert, actual, position in zip(
            inserts, fitted.actual_depths, fitted.positions, strict=True
        )
    )
    tokens = count_tokens(asking, asking.frame(inserts), fitted.positions, fitted.cut, fitted.total)
    needle = asking.needle if depth is not None else replace(asking.needle, facts=())
    text = describe_text(asking, needle, length, target, depth)
    actual = next((p.actual_depth_percent for p in places if not p.distractor), None)
    return key_trial(asking, text, actual, places, fitted.cut, tokens, fitted.total)


def count_tokens(
    asking: Asking, frame: Frame, positions: Sequence[int], cut: int, total: int
) -> int:
    """Return a prompt's tokens in the counting tokenizer; ``total`` is its length in the unit."""
    reading = asking.reading
    if reading.in_tokens is reading.passage:
        return total
    tokens = reading.in_tokens.count(frame.lay_out(positions, cut))
    return tokens + sum(map(asking.settings.tokens.count, asking.others))


def describe_text(
    asking: Asking, needle: Needle, length: int, target: int, depth: float | None
) -> TextKey:
    """Return what shapes a prompt's text: ``needle`` is all that is inserted and asked.

    ``target`` is what the length comes to in the counting that it is fitted by. Without a
    depth it is the control without the needle.
    """
    settings, reading = asking.settings, asking.reading
    ratio = None
    if settings.fittings is not None:
        ratio = (reading.passage.counting.name, round(target / length, 9))
    return TextKey(
        task=needle.task,
        language=asking.material.language,
        layout=settings.layout,
        template=asking.material.template,
        needle=needle,
        haystack_sha256=asking.material.haystack.sha256,
        haystack_offset=reading.offset,
        unit=settings.unit,
        tokenizer=settings.tokens.name,
        ratio=ratio,
        context_length=length,
        depth_percent=depth,
        replicate=reading.replicate,
        control="no_needle" if depth is None else None,
    )


def ask_bare(asking: Asking) -> Trial:
    """Plan the question without any text: whether the model knows the answer already."""
    settings, question = asking.settings, asking.needle.question
    units = settings.counting(asking.reading.haystack.language).count(question)
    theirs = _count_theirs(asking, units)
    text = TextKey(
        task=asking.needle.task,
        language=asking.material.language,
        layout=settings.layout,
        template=BARE,
        needle=replace(asking.needle, facts=(), distractors=()),
        haystack_sha256="",
        haystack_offset=0,
        unit=settings.unit,
        tokenizer=settings.tokens.name,
        ratio=None,
        context_length=units if theirs is None else theirs,
        depth_percent=None,
        replicate=asking.reading.replicate,
        control="no_haystack",
    )
    return key_trial(asking, text, None, (), 0, settings.tokens.count(question), units)


def key_trial(
    asking: Asking,
    text: TextKey,
    actual: float | None,
    places: tuple[Place, ...],
    cut: int,
    tokens: int,
    units: int,
) -> Trial:
    """Return a trial with its keys: what shapes its text, with where and how much it is."""
    settings, model = asking.settings, asking.settings.model
    theirs = _count_theirs(asking, units)
    key, pair = make_keys(
        text=text,
        model=model.name,
        endpoint=model.endpoint,
        temperature=settings.temperature,
        reply_tokens=settings.reply_tokens,
        besides=_find_besides(model),
    )
    return Trial(
        key=key,
        pair=pair,
        model=model.name,
        task=text.task,
        language=text.language,
        text_language=asking.material.haystack.language,
        layout=text.layout,
        control=text.control,
        needle=asking.needle,
        replicate=text.replicate,
        haystack=asking.material.haystack.name,
        haystack_offset=asking.reading.offset,
        unit=text.unit,
        tokenizer=text.tokenizer,
        context_length=text.context_length,
        depth_percent=text.depth_percent,
        actual_depth_percent=actual,
        places=places,
        cut=cut,
        prompt_tokens=tokens,
        context_units=units if theirs is None else theirs,
        vendor_tokens=theirs,
        needle_index=asking.index,
    )


def _count_theirs(asking: Asking, units: int) -> int | None:
    """Return an endpoint's count of so many units, where lengths are fitted to it."""
    settings, reading = asking.settings, asking.reading
    if settings.fittings is None:
        return None
    scale = settings.fittings[reading.haystack.language].scales[reading.replicate]
    return round(scale.to_theirs(units))


def _find_besides(model: Model) -> dict[str, Any]:
    """Return what a request to a model has that others have not, and that shapes its reply."""
    own = {"served_as": model.served_as, "extra": model.extra, "content": model.content}
    usual: dict[str, Any] = {"served_as": None, "extra": {}, "content": "string"}
    return {name: value for name, value in own.items() if value != usual[name]}
