"""Trials: one needle's cells on one replicate's passage, placed, counted and keyed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from needle.context import Fitted, Frame, fit, share_cut
from needle.counting import Counting
from needle.errors import UsageError
from needle.keys import TextKey, make_keys
from needle.materials import Material, Settings
from needle.needles import Insert, spread
from needle.prompts import split_template
from needle.reading import Reading
from needle.types import Grid, Needle, Place, SamePlace, Trial

CLASSIC = "classic"


@dataclass(frozen=True, slots=True)
class Asking:
    """One needle to be asked on one passage: what stands around the inserts in its prompts."""

    settings: Settings
    reading: Reading
    material: Material
    needle: Needle
    before: str
    after: str
    apart: int
    others: tuple[str, ...]

    def frame(self, inserts: Sequence[Insert]) -> Frame:
        """Return what stands beside the haystack where these are inserted."""
        texts = tuple(insert.text for insert in inserts)
        separator = self.material.template.separator
        return Frame(texts, separator, self.before, self.after, self.apart)


def make_asking(
    settings: Settings, reading: Reading, material: Material, counting: Counting
) -> Asking:
    """Make a replicate's needle ready to be asked, its other messages counted.

    Raises UsageError if a sentence to be inserted stands there already.
    """
    needle = material.needles[reading.replicate]
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
    )
    _refuse_taken(asking)
    return asking


def _refuse_taken(asking: Asking) -> None:
    """Refuse a sentence that would not stand in its prompts exactly once (law 2)."""
    haystack, needle = asking.reading.haystack, asking.needle
    inserts = [insert.text for insert in spread(needle, 0)]
    for number, insert in enumerate(inserts):
        if insert in asking.reading.passage.text:
            raise UsageError(
                f"the haystack {haystack.name!r} already holds the needle "
                f"{insert[:60]!r} ({haystack.language}): use another --haystack or --needle"
            )
        rest = (*inserts[:number], *inserts[number + 1 :], needle.question)
        if any(insert in other for other in rest):
            raise UsageError(
                f"the needle {needle.name!r} holds {insert[:60]!r} twice ({needle.language}): "
                f"word each of its sentences differently"
            )


def plan_needle(
    asking: Asking, grid: Grid, base_lengths: Sequence[int] = ()
) -> tuple[list[Trial], list[SamePlace]]:
    """Plan one needle's cells, and its trials at the lengths of a base score, short ones first.

    Cells that fall on the same place are one trial. A base length that has no room for any
    text is left out. Raises UsageError where a length of the grid can't be made.
    """
    trials: list[Trial] = []
    merged: list[SamePlace] = []
    for length in sorted({*grid.lengths, *base_lengths}):
        try:
            block = _plan_length(asking, length, grid.depths)
        except ValueError as error:
            if length not in grid.lengths:
                continue
            raise UsageError(
                f"length {length} can't be made: {error} {asking.settings.unit} (grid.lengths): "
                f"use a longer one"
            ) from error
        apart, same = _merge(block)
        trials += apart
        merged += same if length in grid.lengths else []
    return trials, merged


def _merge(block: Sequence[Trial]) -> tuple[list[Trial], list[SamePlace]]:
    """Take the trials that fall on the same place as another out of one length's."""
    trials: list[Trial] = []
    merged: list[SamePlace] = []
    drawn: dict[tuple[object, ...], float] = {}
    for trial in block:
        place = (trial.cut, *((place.position, place.text) for place in trial.places))
        if place not in drawn:
            drawn[place] = trial.depth_percent
            trials.append(trial)
            continue
        merged.append(
            SamePlace(
                language=trial.language,
                replicate=trial.replicate,
                context_length=trial.context_length,
                depth_percent=trial.depth_percent,
                drawn_as=drawn[place],
                task=trial.task,
            )
        )
    return trials, merged


def _plan_length(asking: Asking, length: int, depths: Sequence[float]) -> list[Trial]:
    reading = asking.reading
    shared = share_cut(reading.passage, asking.frame(spread(asking.needle, 0)), length)
    trials = []
    for depth in depths:
        inserts = spread(asking.needle, depth)
        frame, asked = asking.frame(inserts), [insert.depth_percent for insert in inserts]
        fitted = fit(reading.passage, reading.boundaries, frame, length, asked, shared)
        trials.append(_make_trial(asking, length, depth, inserts, fitted))
    return trials


def _make_trial(
    asking: Asking, length: int, depth: float, inserts: Sequence[Insert], fitted: Fitted
) -> Trial:
    settings, reading, material = asking.settings, asking.reading, asking.material
    needle, model, tokens = asking.needle, settings.model, fitted.total
    if settings.unit == "hanzi":
        frame = asking.frame(inserts)
        tokens = reading.in_tokens.count(frame.lay_out(fitted.positions, fitted.cut))
        tokens += sum(map(settings.tokens.count, asking.others))
    places = tuple(
        Place(insert.text, insert.depth_percent, actual, position, insert.distractor)
        for insert, actual, position in zip(
            inserts, fitted.actual_depths, fitted.positions, strict=True
        )
    )
    first = next(place for place in places if not place.distractor)
    key, pair = make_keys(
        text=TextKey(
            task=needle.task,
            language=material.language,
            layout=CLASSIC,
            template=material.template,
            needle=needle,
            haystack_sha256=material.haystack.sha256,
            haystack_offset=reading.offset,
            unit=settings.unit,
            tokenizer=settings.tokens.name,
            ratio=None,
            context_length=length,
            depth_percent=depth,
            replicate=reading.replicate,
            control=None,
        ),
        model=model.name,
        endpoint=model.endpoint,
        temperature=settings.temperature,
        reply_tokens=settings.reply_tokens,
    )
    return Trial(
        key=key,
        pair=pair,
        model=model.name,
        task=needle.task,
        language=material.language,
        layout=CLASSIC,
        control=None,
        needle=needle,
        replicate=reading.replicate,
        haystack=material.haystack.name,
        haystack_offset=reading.offset,
        unit=settings.unit,
        tokenizer=settings.tokens.name,
        context_length=length,
        depth_percent=depth,
        actual_depth_percent=first.actual_depth_percent,
        places=places,
        cut=fitted.cut,
        prompt_tokens=tokens,
        context_units=fitted.total,
    )
