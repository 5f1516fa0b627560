"""The plan: every trial of a run, in the order they are sent, with exact counts and keys. Pure."""

from collections.abc import Iterator, Sequence

from needle.contexts.context import SHORTFALL, Frame, share_cut
from needle.contexts.grid import format_length, make_grid
from needle.contexts.materials import Material, Settings
from needle.contexts.needles import Insert, spread
from needle.contexts.passages import draw_offset
from needle.contexts.prompts import CHAT_OVERHEAD
from needle.contexts.reading import Reading, count_passes, measure, read
from needle.contexts.sharing import plan_shared
from needle.contexts.tasks import BASE_TASKS
from needle.contexts.trials import Asking, make_askings, plan_needle
from needle.words.errors import UsageError
from needle.words.types import Grid, Haystack, Plan, Repeats, SamePlace, Trial

VENDOR_SPARE = 0.01
"""The share of a window kept free where lengths are fitted to an endpoint's count: twice what
any fit has been off by."""


def make_plan(settings: Settings, materials: Sequence[Material]) -> Plan:
    """Make the plan of a run: replicate by replicate, text by text, short contexts first.

    ordering.py puts it in the order in which trials are sent.

    Raises UsageError where a typed length is past the window or too short for the needle.
    """
    room = _room(settings, materials)
    grid = make_grid(settings.grid, room)
    _refuse_beyond(settings, room)
    trials: list[Trial] = []
    same_place: list[SamePlace] = []
    repeats: list[Repeats] = []
    for replicate in range(materials[0].replicates):
        for haystack, readers in _by_haystack(materials):
            longest = max(grid.lengths[-1], *settings.base_lengths, 0)
            reading = read(settings, haystack, replicate, longest)
            cut = 0
            for material in readers:
                base_lengths = _choose_base(settings, material, room)
                block, merged = _plan_replicate(settings, reading, material, grid, base_lengths)
                trials += block
                same_place += merged
                cut = max(cut, *(trial.cut for trial in block))
            if replicate == 0:
                passes = count_passes(cut, haystack)
                repeats.append(Repeats(haystack.language, haystack.name, passes))
    base = {trial.context_length for trial in trials if trial.task in BASE_TASKS}
    base_lengths = tuple(length for length in settings.base_lengths if length in base)
    return Plan(tuple(trials), tuple(same_place), tuple(repeats), grid, base_lengths)


def _plan_replicate(
    settings: Settings,
    reading: Reading,
    material: Material,
    grid: Grid,
    base_lengths: Sequence[int],
) -> tuple[list[Trial], list[SamePlace]]:
    """Plan a replicate's trials in the layout of the run; in shared contexts no two are one."""
    askings = make_askings(settings, reading, material, reading.passage.counting)
    if settings.layout == "shared":
        return plan_shared(askings, grid), []
    return plan_needle(askings[0], grid, base_lengths)


def _choose_base(settings: Settings, material: Material, room: int | None) -> tuple[int, ...]:
    """Return the lengths that a task's base score asks for and the window holds."""
    if material.task not in BASE_TASKS:
        return ()
    return tuple(length for length in settings.base_lengths if room is None or length <= room)


def _by_haystack(materials: Sequence[Material]) -> list[tuple[Haystack, list[Material]]]:
    """Group materials by the text they are asked on, so that each passage is read once."""
    groups: dict[str, tuple[Haystack, list[Material]]] = {}
    for material in materials:
        haystack = material.haystack
        groups.setdefault(haystack.language, (haystack, []))[1].append(material)
    return list(groups.values())


def _room(settings: Settings, materials: Sequence[Material]) -> int | None:
    """Return what the window holds beside reply and overhead, in the run's unit."""
    rooms = (_token_room(settings, materials), _character_room(settings, materials))
    return min((room for room in rooms if room is not None), default=None)


def _character_room(settings: Settings, materials: Sequence[Material]) -> int | None:
    """Return the longest context, in the run's unit, whose characters a window surely holds.

    What the haystack's first so many characters count is the same for every length and depth;
    a little is kept for the units that differ with the needle's place.
    """
    characters = settings.model.window_characters
    if characters is None:
        return None
    if settings.fittings is not None:
        raise UsageError(
            f"the window of {settings.model.name} is in characters, which lengths in its own "
            f"tokens can't be held against (--count vendor): use --count common"
        )
    rooms = []
    for material in materials:
        counting = settings.counting(material.haystack.language)
        for replicate in range(material.replicates):
            offset = draw_offset(material.haystack, settings.seed, replicate)
            passage = measure(material.haystack, offset, characters, counting, settings.unit)
            reading = Reading(material.haystack, replicate, offset, passage, passage, ())
            askings = make_askings(settings, reading, material, counting)
            for asking, frame in _frame_all(askings, without=settings.controls):
                inserted = frame.separator * len(frame.inserts)
                texts = (frame.before, *frame.inserts, inserted, frame.after, *asking.others)
                cut = characters - sum(map(len, texts))
                if cut <= 0:
                    raise UsageError(
                        f"the window of {settings.model.name} is too small: {characters:,} "
                        f"characters hold no haystack beside the rest (--prompt, --needle)"
                    )
                rooms.append(passage.before(cut) + sum(map(counting.count, texts)) - SHORTFALL)
    return min(rooms)


def _token_room(settings: Settings, materials: Sequence[Material]) -> int | None:
    """Return what a window in tokens holds beside reply and overhead, in the run's unit."""
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
    count, most, haystack = settings.hanzi.count, room * 4, material.haystack
    for replicate in range(material.replicates):
        offset = draw_offset(haystack, settings.seed, replicate)
        passage = measure(haystack, offset, room, settings.tokens, settings.unit)
        reading = Reading(haystack, replicate, offset, passage, passage, ())
        askings = make_askings(settings, reading, material, settings.tokens)
        for asking, frame in _frame_all(askings):
            try:
                cut = share_cut(passage, frame, room - SHORTFALL - len(frame.inserts) + 1)
            except ValueError as error:
                raise UsageError(
                    f"the window of {settings.model.name} is too small: {error} tokens "
                    f"of {room:,} (--reply-tokens)"
                ) from error
            inserted = frame.separator * len(frame.inserts)
            texts = (frame.before, *frame.inserts, inserted, frame.after, *asking.others)
            most = min(most, count(passage.text[:cut]) + sum(map(count, texts)) - 1)
    return most


def _frame_all(
    askings: Sequence[Asking], *, without: bool = False
) -> Iterator[tuple[Asking, Frame]]:
    """Yield what stands beside the haystack in each kind of a replicate's prompts.

    Where a needle stands is nothing to its size: any depth will do. In the classic layout those
    ``without`` the needle are of another kind; in the shared one all have the same inserts.
    """
    if askings[0].settings.layout == "shared":
        inserts = [Insert(fact, 0) for asking in askings[:-1] for fact in asking.needle.facts]
        for asking in askings:
            yield asking, asking.frame(inserts)
        return
    for asking in askings:
        for depth in (0, None) if without else (0,):
            yield asking, asking.frame(spread(asking.needle, depth))


def _refuse_beyond(settings: Settings, room: int | None) -> None:
    typed = settings.grid.lengths
    if typed is None or room is None:
        return
    for index, length in enumerate(typed):
        if length > room:
            raise UsageError(
                f"length {format_length(length)} is past the window of {settings.model.name}: "
                f"{_describe_window(settings, room)} (grid.lengths[{index}]): use {room} or less"
            )


def _describe_window(settings: Settings, room: int) -> str:
    """Describe a window and what it holds."""
    model, parts = settings.model, []
    if model.window is not None:
        parts.append(f"{model.window:,} tokens")
    if model.window_characters is not None:
        parts.append(f"{model.window_characters:,} characters of the prompt")
    spare = f" and {VENDOR_SPARE:.0%} to spare" if settings.fittings else ""
    return (
        f"{' and '.join(parts)}, {room:,} {settings.unit} beside {settings.reply_tokens} for the "
        f"reply and {CHAT_OVERHEAD} for the chat format{spare}"
    )
