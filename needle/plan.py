"""The plan: every trial of a run, in the order they are sent, with exact counts and keys. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from needle.calibration import Scale
from needle.context import (
    SHORTFALL,
    Counting,
    Fitted,
    Frame,
    Measured,
    draw_offset,
    find_boundaries,
    fit,
    read_passage,
    share_cut,
)
from needle.errors import UsageError
from needle.grid import GridWish, format_length, make_grid
from needle.keys import TextKey, make_keys
from needle.prompts import CHAT_OVERHEAD, split_template
from needle.types import (
    Grid,
    Haystack,
    Language,
    Model,
    Needle,
    Plan,
    Repeats,
    SamePlace,
    Template,
    Trial,
    Unit,
)

CLASSIC = "classic"
VENDOR_SPARE = 0.01
"""The share of a window kept free where lengths are fitted to an endpoint's count: twice what
any fit has been off by."""
_SPARE = 1_000  # units measured beyond the longest context, so that its cut can be moved


@dataclass(frozen=True, slots=True)
class Material:
    """What one language's trials are made of: a needle for each replicate, text, template."""

    language: Language
    haystack: Haystack
    needles: tuple[Needle, ...]
    template: Template


@dataclass(frozen=True, slots=True)
class Fitting:
    """How lengths in an endpoint's own tokens are made: a counting of ours, a scale a replicate."""

    counting: Counting
    scales: tuple[Scale, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What else shapes a run's requests. Without ``fittings`` lengths are in the common count."""

    model: Model
    grid: GridWish
    unit: Unit
    tokens: Counting
    hanzi: Counting
    seed: int
    temperature: float | None
    reply_tokens: int
    fittings: Mapping[Language, Fitting] | None = None

    def counting(self, language: Language) -> Counting:
        """Return the counting by which contexts of a language are cut to their length."""
        if self.fittings is not None:
            return self.fittings[language].counting
        return self.tokens if self.unit == "tokens" else self.hanzi

    def fit_to(self, language: Language, replicate: int, length: int) -> int:
        """Return what a context length comes to in the counting of its language."""
        if self.fittings is None:
            return length
        return self.fittings[language].scales[replicate].to_ours(length)


def make_plan(settings: Settings, materials: Sequence[Material]) -> Plan:
    """Make the plan of a run: replicate by replicate, short contexts first.

    Raises UsageError where a typed length is past the window or too short for the needle.
    """
    room = _room(settings, materials)
    grid = make_grid(settings.grid, room)
    _refuse_beyond(settings, room)
    trials: list[Trial] = []
    same_place: list[SamePlace] = []
    repeats: list[Repeats] = []
    for replicate in range(len(materials[0].needles)):
        for material in materials:
            reading = _read(settings, material, grid, replicate)
            block, merged = _plan_reading(settings, reading, grid)
            trials += block
            same_place += merged
            if replicate == 0:
                passes = count_passes(block, material.haystack)
                repeats.append(Repeats(material.language, material.haystack.name, passes))
    return Plan(tuple(trials), tuple(same_place), tuple(repeats), grid)


def _room(settings: Settings, materials: Sequence[Material]) -> int | None:
    """Return what the window holds beside reply and overhead, in the run's unit."""
    if settings.model.window is None:
        return None
    room = settings.model.window - settings.reply_tokens - CHAT_OVERHEAD
    if settings.fittings is not None:
        room -= round(VENDOR_SPARE * room)
    if room <= 0:
        raise UsageError(
            f"the window of {settings.model.name} ({settings.model.window:,} tokens) has no room "
            f"beside a reply of {settings.reply_tokens:,} (--reply-tokens)"
        )
    if settings.unit == "tokens":
        return room
    return min(_hanzi_room(settings, material, room) for material in materials)


def _hanzi_room(settings: Settings, material: Material, room: int) -> int:
    """Return the most hanzi whose tokens are sure to fit, on every replicate's passage.

    One hanzi less than what the room in tokens ends at: a context that may hold that one
    as well may also hold the letters after it, and these are not counted.
    """
    count, most = settings.hanzi.count, room * 4
    for number, needle in enumerate(material.needles):
        passage = _measure(settings, material, number, room, settings.tokens)
        frame, others = _frame(material, needle, settings.tokens)
        try:
            cut = share_cut(passage, frame, room - SHORTFALL)
        except ValueError as error:
            raise UsageError(
                f"the window of {settings.model.name} is too small: {error} tokens "
                f"of {room:,} (--reply-tokens)"
            ) from error
        texts = (frame.before, frame.needle, frame.separator, frame.after, *others)
        most = min(most, count(passage.text[:cut]) + sum(map(count, texts)) - 1)
    return most


def _frame(material: Material, needle: Needle, counting: Counting) -> tuple[Frame, list[str]]:
    """Return what stands around a needle and its haystack, and the other messages' contents."""
    (before, after), others = split_template(material.template, needle.question)
    apart = sum(map(counting.count, others))
    facts, separator = "".join(needle.facts), material.template.separator
    return Frame(facts, separator, before, after, apart), others


def _refuse_beyond(settings: Settings, room: int | None) -> None:
    typed = settings.grid.lengths
    if typed is None or room is None:
        return
    for index, length in enumerate(typed):
        if length > room:
            window = settings.model.window or 0
            spare = f" and {VENDOR_SPARE:.0%} to spare" if settings.fittings else ""
            raise UsageError(
                f"length {format_length(length)} is past the window of {settings.model.name}: "
                f"{window:,} tokens, {room:,} {settings.unit} beside {settings.reply_tokens} for "
                f"the reply and {CHAT_OVERHEAD} for the chat format{spare} "
                f"(grid.lengths[{index}]): use {room} or less"
            )


def _measure(
    settings: Settings, material: Material, replicate: int, length: int, counting: Counting
) -> Measured:
    """Measure as much of a replicate's passage as contexts of a length can hold."""
    offset = draw_offset(material.haystack, settings.seed, replicate)
    characters = length
    while True:
        text = read_passage(material.haystack, offset, characters)
        passage = Measured(text, counting, length + _SPARE)
        if passage.total >= length + _SPARE:
            return passage
        if not passage.total and len(text) >= sum(len(file) for _, file in material.haystack.files):
            raise UsageError(
                f"the haystack {material.haystack.name!r} holds no {settings.unit} to count "
                f"(--unit): use another --haystack or --unit tokens"
            )
        characters *= 2


@dataclass(frozen=True, slots=True)
class _Reading:
    """One replicate of one language: its needle, and its passage measured."""

    material: Material
    number: int
    needle: Needle
    offset: int
    passage: Measured
    in_tokens: Measured
    boundaries: Sequence[int]
    frame: Frame
    others: tuple[str, ...]


def _read(settings: Settings, material: Material, grid: Grid, number: int) -> _Reading:
    needle = material.needles[number]
    counting = settings.counting(material.language)
    longest = settings.fit_to(material.language, number, grid.lengths[-1])
    passage = _measure(settings, material, number, longest, counting)
    _refuse_taken(passage.text, needle, material)
    frame, others = _frame(material, needle, counting)
    return _Reading(
        material=material,
        number=number,
        needle=needle,
        offset=draw_offset(material.haystack, settings.seed, number),
        passage=passage,
        in_tokens=passage
        if counting.name == settings.tokens.name
        else Measured(passage.text, settings.tokens),
        boundaries=find_boundaries(passage.text),
        frame=frame,
        others=tuple(others),
    )


def _refuse_taken(text: str, needle: Needle, material: Material) -> None:
    for fact in needle.facts:
        if fact in text:
            raise UsageError(
                f"the haystack {material.haystack.name!r} already holds the needle "
                f"{fact[:60]!r} ({material.language}): use another --haystack or --needle"
            )


def _plan_reading(
    settings: Settings, reading: _Reading, grid: Grid
) -> tuple[list[Trial], list[SamePlace]]:
    """Plan one replicate's cells; cells that fall on the same place are one trial."""
    trials: list[Trial] = []
    merged: list[SamePlace] = []
    for length in grid.lengths:
        try:
            target = settings.fit_to(reading.material.language, reading.number, length)
            block = _plan_length(reading, grid, target)
        except ValueError as error:
            raise UsageError(
                f"length {length} can't be made: {error} {settings.unit} (grid.lengths): "
                f"use a longer one"
            ) from error
        drawn: dict[tuple[int, int], float] = {}
        for depth, fitted in block:
            place = (fitted.position, fitted.cut)
            if place in drawn:
                language = reading.material.language
                merged.append(SamePlace(language, reading.number, length, depth, drawn[place]))
                continue
            drawn[place] = depth
            trials.append(_make_trial(settings, reading, length, target, depth, fitted))
    return trials, merged


def _plan_length(reading: _Reading, grid: Grid, length: int) -> list[tuple[float, Fitted]]:
    passage, boundaries, frame = reading.passage, reading.boundaries, reading.frame
    shared = share_cut(passage, frame, length)
    return [
        (depth, fit(passage, boundaries, frame, length, depth, shared)) for depth in grid.depths
    ]


def _make_trial(
    settings: Settings, reading: _Reading, length: int, target: int, depth: float, fitted: Fitted
) -> Trial:
    material, needle, model = reading.material, reading.needle, settings.model
    tokens = fitted.total
    if reading.in_tokens is not reading.passage:
        tokens = reading.in_tokens.count(reading.frame.lay_out(fitted.position, fitted.cut))
        tokens += sum(map(settings.tokens.count, reading.others))
    theirs, ratio = None, None
    if settings.fittings is not None:
        fitting = settings.fittings[material.language]
        theirs = round(fitting.scales[reading.number].to_theirs(fitted.total))
        ratio = (fitting.counting.name, round(target / length, 9))
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
            ratio=ratio,
            context_length=length,
            depth_percent=depth,
            replicate=reading.number,
            control=None,
        ),
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
        task=needle.task,
        language=material.language,
        layout=CLASSIC,
        control=None,
        needle=needle,
        replicate=reading.number,
        haystack=material.haystack.name,
        haystack_offset=reading.offset,
        unit=settings.unit,
        tokenizer=settings.tokens.name,
        context_length=length,
        depth_percent=depth,
        actual_depth_percent=fitted.actual_depth_percent,
        position=fitted.position,
        cut=fitted.cut,
        prompt_tokens=tokens,
        context_units=fitted.total if theirs is None else theirs,
        vendor_tokens=theirs,
    )


def _find_besides(model: Model) -> dict[str, Any]:
    """Return what a request to a model has that others have not, and that shapes its reply."""
    own = {"served_as": model.served_as, "extra": model.extra, "content": model.content}
    usual: dict[str, Any] = {"served_as": None, "extra": {}, "content": "string"}
    return {name: value for name, value in own.items() if value != usual[name]}


def count_passes(trials: Sequence[Trial], haystack: Haystack) -> float:
    """Return how often the longest context reads through its haystack: 1 is once."""
    once = sum(len(text) for _, text in haystack.files)
    return round(max(trial.cut for trial in trials) / once, 2)
