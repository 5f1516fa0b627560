"""How many prompts with exact counts are made a second on one core, placed, cut and joined.

    python benchmarks/building.py

"placed" is finding the needle's place, the haystack's end and the exact count (what the plan
does); "joined" is making the messages from them (what happens when a trial is sent). "both"
is what a prompt costs in all; "strings alone" is the join without any counting.
"""

import time
from collections.abc import Callable

from needle.contexts.context import Frame, fit, plant, share_cut
from needle.contexts.counting import Measured
from needle.contexts.passages import find_boundaries, read_passage
from needle.contexts.prompts import split_template
from needle.edges.config import load_template
from needle.edges.corpus import find_haystacks
from needle.edges.needlefiles import draw_needles, load_needle_source
from needle.edges.tokens import load_counting
from needle.words.types import LANGUAGES, Language

LENGTHS = (8_000, 128_000, 1_000_000)
DEPTHS = tuple(x / 7 for x in range(700))


def rate(make: Callable[[float], object], seconds: float = 2.0) -> float:
    """Return how often ``make`` runs a second, over depths that never repeat soon."""
    began, made = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        make(DEPTHS[made % len(DEPTHS)])
        made += 1
    return made / (time.perf_counter() - began)


def measure(language: Language, length: int) -> tuple[float, float, float]:
    """Return prompts a second: placed, both, and strings alone."""
    counting = load_counting("o200k_base")
    haystack = find_haystacks(("essays",))[language]
    needle = draw_needles(load_needle_source("fictional"), language, 0, 1)[0]
    template = load_template("plain", language)
    passage = Measured(read_passage(haystack, 0, length * 6), counting, length + 1_000)
    boundaries = find_boundaries(passage.text)
    (before, after), others = split_template(template, needle.question)
    apart = sum(map(counting.count, others))
    frame = Frame(needle.facts, template.separator, before, after, apart)

    def place(depth: float) -> tuple[tuple[int, ...], int]:
        shared = share_cut(passage, frame, length)
        fitted = fit(passage, boundaries, frame, length, (depth,), shared)
        return fitted.positions, fitted.cut

    def join(positions: tuple[int, ...], cut: int) -> str:
        parts = (before, *plant(positions, frame.inserts, cut, frame.separator), after)
        return "".join(
            part if isinstance(part, str) else passage.text[part.start : part.end] for part in parts
        )

    middle = place(50)
    return (
        rate(place),
        rate(lambda depth: join(*place(depth))),
        rate(lambda _: join(*middle)),
    )


def main() -> None:
    """Print the table."""
    print("| language | tokens | placed /s | both /s | strings alone /s |\n|---|---|---|---|---|")
    for language in LANGUAGES:
        for length in LENGTHS:
            placed, both, strings = measure(language, length)
            print(f"| {language} | {length:,} | {placed:,.0f} | {both:,.0f} | {strings:,.0f} |")


if __name__ == "__main__":
    main()
