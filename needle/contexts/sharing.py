"""Shared contexts: all depths of a length in one context, each its own needle and question.

Pure. All requests of a length have the same text up to the question, byte for byte, so that a
prompt cache reads it once. docs/layouts.md says what that saves and what it changes.
"""

from collections.abc import Sequence
from dataclasses import replace

from needle.contexts.context import SHORTFALL, Fitted, Frame, find_cut, find_place, share_cut
from needle.contexts.counting import Measured, Slice
from needle.contexts.gathering import place_needles
from needle.contexts.needles import Insert
from needle.contexts.trials import (
    Asking,
    ask_bare,
    count_tokens,
    describe_text,
    find_controlled,
    key_trial,
)
from needle.words.errors import UsageError
from needle.words.types import Distractor, Grid, Place, Trial

_TAIL = 300  # characters before a question, among which is a place where counts add up
_FREE = 12  # times that a new end may find new places; from then on the places stay


def plan_shared(askings: Sequence[Asking], grid: Grid) -> list[Trial]:
    """Plan one replicate's trials in shared contexts, short contexts first.

    Of the needles the last is asked for without being there, in each context that has this
    control; the bare questions of the others come before all contexts. Raises UsageError
    where a length can't be made.
    """
    settings, trials = askings[0].settings, []
    if settings.controls:
        trials += [ask_bare(asking) for asking in askings[:-1]]
    controlled = find_controlled(askings[-1], grid)
    for length in grid.lengths:
        try:
            trials += _plan_length(askings, length, grid.depths, controlled=length in controlled)
        except ValueError as error:
            raise UsageError(
                f"length {length} can't be made: {error} {settings.unit}, with a needle for each "
                f"of {len(grid.depths)} depths (grid.lengths): use a longer one, fewer --depths "
                f"or --layout classic"
            ) from error
    return trials


def find_crowded(trials: Sequence[Trial]) -> tuple[int, float] | None:
    """Return the shared context with the most needles to its text, and their share of it (0-1).

    The length comes first; shares are by characters. None where no context is shared.
    """
    shares = {
        trial.context_length: planted / (planted + trial.cut)
        for trial in trials
        if trial.layout == "shared" and trial.cut
        for planted in [sum(len(place.text) for place in trial.places)]
    }
    return max(shares.items(), key=lambda item: item[1], default=None)


def _plan_length(
    askings: Sequence[Asking], length: int, depths: Sequence[float], *, controlled: bool
) -> list[Trial]:
    """Plan one context and all its questions, that of the first depth first, the control last."""
    *planted, spare = askings
    settings, reading = spare.settings, spare.reading
    target = settings.fit_to(reading.haystack.language, reading.replicate, length)
    order = place_needles(len(depths), settings.seed, reading.replicate, length)
    asked = [planted[index] for index in order]
    inserts = [
        Insert(asking.needle.facts[0], depth) for asking, depth in zip(asked, depths, strict=True)
    ]
    frames = [asking.frame(inserts) for asking in (*asked, spare)]
    fitted, totals = fit_together(reading.passage, reading.boundaries, frames, target, depths)
    if not controlled:
        totals = totals[:-1]
    return [
        _make_trial(asking, length, target, number, inserts, fitted, total)
        for number, (asking, total) in enumerate(
            zip((*asked, spare), totals, strict=False)  # the control's question may go unasked
        )
    ]


def _make_trial(
    asking: Asking,
    length: int,
    target: int,
    number: int,
    inserts: Sequence[Insert],
    fitted: Fitted,
    total: int,
) -> Trial:
    """Return the trial of the needle at one depth, or past the last depth the control's."""
    depth = inserts[number].depth_percent if number < len(inserts) else None
    others = [insert for other, insert in enumerate(inserts) if other != number]
    needle = replace(
        asking.needle,
        facts=asking.needle.facts if depth is not None else (),
        distractors=tuple(Distractor(other.text, other.depth_percent) for other in others),
    )
    places = tuple(
        Place(insert.text, insert.depth_percent, actual, position, other=index != number)
        for index, (insert, actual, position) in enumerate(
            zip(inserts, fitted.actual_depths, fitted.positions, strict=True)
        )
    )
    text = describe_text(asking, needle, length, target, depth)
    frame = asking.frame(inserts)
    tokens = count_tokens(asking, frame, fitted.positions, fitted.cut, total)
    actual = None if depth is None else places[number].actual_depth_percent
    return key_trial(asking, text, actual, places, fitted.cut, tokens, total)


def fit_together(
    passage: Measured,
    boundaries: Sequence[int],
    frames: Sequence[Frame],
    length: int,
    depths: Sequence[float],
) -> tuple[Fitted, list[int]]:
    """Place the inserts of a context that is asked several questions, each with a frame.

    The longest of the prompts is ``length`` units, or up to the shortfall less; the others are
    shorter by as much as their questions are. Returns that of the longest, with each prompt's
    total. Raises ValueError if there is no room, or no end of the haystack makes it fit.
    """
    count = passage.counting.count
    longest = max(frames, key=lambda frame: frame.apart + count(frame.after))
    cut = share_cut(passage, longest, length)
    room, positions = passage.before(cut), (cut,) * len(depths)
    for attempt in range(2 * _FREE):
        if attempt < _FREE:
            positions = tuple(find_place(passage, boundaries, depth, cut) for depth in depths)
        totals = _count_each(passage, frames, positions, cut)
        total = max(totals)
        if 0 <= length - total <= SHORTFALL:
            whole = passage.before(cut)
            actual = tuple(round(100 * passage.before(place) / whole, 3) for place in positions)
            return Fitted(positions, cut, total, actual), totals
        room += length - total if total > length else length - total - SHORTFALL // 2
        last, cut = cut, find_cut(passage, room)
        if cut <= 0:
            break
        positions = tuple(cut if place == last else min(place, cut) for place in positions)
    raise ValueError(f"no end of the haystack gives {length}: the text can't be cut near enough")


def _count_each(
    passage: Measured, frames: Sequence[Frame], positions: Sequence[int], cut: int
) -> list[int]:
    """Count each prompt's contents exactly; what stands before the questions is counted once."""
    first, *rest = frames
    *context, _ = first.lay_out(positions, cut)
    tail = _read_tail(passage, context)
    place = _last_cut(passage, tail)
    if place is None:
        return [f.apart + passage.count([*context, f.after]) for f in frames]
    count, end = passage.counting.count, tail[place:]
    shared = passage.count([*context, first.after]) - count(end + first.after)
    return [frame.apart + shared + count(end + frame.after) for frame in (first, *rest)]


def _read_tail(passage: Measured, parts: Sequence[str | Slice]) -> str:
    """Return the last characters of a context, or all of a shorter one."""
    tail = ""
    for part in reversed(parts):
        text = (
            part
            if isinstance(part, str)
            else passage.text[max(part.start, part.end - _TAIL) : part.end]
        )
        tail = text + tail
        if len(tail) >= _TAIL:
            break
    return tail[-_TAIL:]


def _last_cut(passage: Measured, tail: str) -> int | None:
    """Return the last place inside a text where counts add up; None where there is none."""
    if passage.counting.cut is None:
        return None
    inside = (match.start() for match in passage.counting.cut.finditer(tail))
    return max((place for place in inside if 0 < place < len(tail)), default=None)
