"""Known truth of every task family: what readers score, and how estimates meet a declared surface.

    python benchmarks/families.py [RUNS]

Everything happens in this process, without HTTP. A run is drawn by its seed: needles, places in
the text and what the surface hides. The readers are the simulated ones: the oracle, the lexical
reader, and one that sees nothing. For bias and coverage the oracle reads behind a surface, so
that only the surface makes it miss:

    recall = 1 / (1 + exp(-(|depth - 55| - half) / 12)),  half = 9 log2(tokens / 1,000)

The truth of a cell is the declared chance that its facts are seen where they stand: of one fact;
for multi the mean over facts; for chain that of the fact least likely to be seen, since one draw
decides for a whole prompt. A run's estimate is the mean over its cells and replicates; its
interval is Student's t over the replicates' means.
"""

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from needle.contexts.grid import GridWish
from needle.contexts.materials import Material, Settings
from needle.contexts.passages import read_passage
from needle.contexts.plan import make_plan
from needle.contexts.prompts import build_messages, choose_template
from needle.contexts.tasks import TASKS, text_language
from needle.edges.config import load_template
from needle.edges.corpus import find_haystacks
from needle.edges.needlefiles import choose_form, choose_sources, draw_needles, list_needles
from needle.edges.needlefiles import load_needle_source as load
from needle.edges.tokens import HANZI, load_counting
from needle.scoring.scorers import recall_answers
from needle.simulated.oracle import answer, learn
from needle.simulated.reader import answer as answer_by_words
from needle.simulated.surfaces import draw
from needle.words.types import LANGUAGES, Haystack, Language, Message, Model, Trial

RUNS, REPLICATES = 200, 5
LENGTHS, DEPTHS = (1_000, 2_000, 4_000), (0.0, 30.0, 50.0, 70.0, 100.0)
T_975 = 2.776  # Student's t at 97.5% with REPLICATES - 1 = 4 degrees of freedom
MODEL = Model("m", "v", "http://127.0.0.1:1/v1", None)
SOURCES = choose_sources(TASKS, None)
TEXTS = find_haystacks(("essays",))
TEMPLATES = {language: load_template("plain", language) for language in LANGUAGES}
LESSONS = learn(map(load, list_needles()))
Kind = tuple[str, Language]


@dataclass
class Tally:
    """What a family's runs in one language came to."""

    estimates: list[float] = field(default_factory=list)
    truths: list[float] = field(default_factory=list)
    covered: int = 0
    readers: dict[str, list[float]] = field(
        default_factory=lambda: {"oracle": [], "reader": [], "blind": []}
    )


def main(runs: int) -> None:
    """Print the table."""
    began = time.perf_counter()
    tallies: dict[Kind, Tally] = {(task, one): Tally() for task in TASKS for one in LANGUAGES}
    for seed in range(runs):
        run(seed, tallies, readers=seed < runs // 10)
    print("| task | language | oracle | reader | blind | truth | estimate | bias | covered |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (task, language), tally in tallies.items():
        scores = " | ".join(f"{statistics.mean(s):.3f}" for s in tally.readers.values())
        errors = [e - t for e, t in zip(tally.estimates, tally.truths, strict=True)]
        bias, noise = statistics.mean(errors), statistics.stdev(errors) / math.sqrt(runs)
        print(
            f"| {task} | {language} | {scores} | {statistics.mean(tally.truths):.3f} | "
            f"{statistics.mean(tally.estimates):.3f} | {bias:+.4f} ± {noise:.4f} | "
            f"{tally.covered / runs:.1%} |"
        )
    print(
        f"\n{runs} runs a row of {REPLICATES} replicates x {len(LENGTHS)} lengths x {len(DEPTHS)} "
        f"depths; {time.perf_counter() - began:.0f} s"
    )


def run(seed: int, tallies: dict[Kind, Tally], *, readers: bool) -> None:
    """Make one run of all families in both languages, and tally it."""
    wish = GridWish(lengths=LENGTHS, depths=DEPTHS)
    tokens = load_counting("o200k_base")
    plan = make_plan(
        Settings(MODEL, wish, "tokens", tokens, HANZI, seed, 0.0, 256), make_materials(seed)
    )
    scores: dict[tuple[Kind, int], list[tuple[float, float]]] = {}
    for trial in plan.trials:
        template = choose_template(TEMPLATES, trial.task, trial.language)
        messages = build_messages(trial, template, passage_of(trial, TEXTS))
        kind = (trial.task, trial.language)
        pair = ask(trial, messages, seed)
        scores.setdefault((kind, trial.replicate), []).append(pair)
        if readers and trial.replicate == 0:
            ask_readers(trial, messages, tallies[kind])
    for kind, tally in tallies.items():
        means = [
            [statistics.mean(column) for column in zip(*scores[kind, replicate], strict=True)]
            for replicate in range(REPLICATES)
        ]
        estimates, truths = zip(*means, strict=True)
        estimate, truth = statistics.mean(estimates), statistics.mean(truths)
        half = T_975 * statistics.stdev(estimates) / math.sqrt(REPLICATES)
        tally.estimates.append(estimate)
        tally.truths.append(truth)
        tally.covered += abs(estimate - truth) <= half


def make_materials(seed: int) -> Sequence[Material]:
    """Draw a seed's needles of every family in both languages."""
    return [
        Material(
            language,
            TEXTS[text_language(task, language)],
            draw_needles(source, language, seed, REPLICATES, choose_form(source, task, None)),
            choose_template(TEMPLATES, task, language),
        )
        for task, source in SOURCES.items()
        for language in LANGUAGES
    ]


_PASSAGES: dict[tuple[Language, int], str] = {}


def passage_of(trial: Trial, texts: dict[Language, Haystack]) -> str:
    """Return a trial's passage, read once for all that begin at the same place."""
    place = (trial.text_language, trial.haystack_offset)
    if place not in _PASSAGES:
        if len(_PASSAGES) > 4 * REPLICATES:
            _PASSAGES.clear()
        _PASSAGES[place] = read_passage(texts[trial.text_language], trial.haystack_offset, 30_000)
    return _PASSAGES[place]


def ask(trial: Trial, messages: Sequence[Message], seed: int) -> tuple[float, float]:
    """Return what the oracle scores behind the surface, and what it is declared to on average."""
    prompt = messages[-1]["content"]
    drawn = draw(seed, "soft middle", prompt)

    def chance(depth: float) -> float:
        half = 9 * math.log2(trial.prompt_tokens / 1_000)
        return 1 / (1 + math.exp(-(abs(depth - 55) - half) / 12))

    said = answer(prompt, LESSONS, lambda depth: drawn < chance(depth))
    context = prompt.removesuffix(trial.needle.question).rstrip()
    chances = [chance(100 * context.index(fact) / len(context)) for fact in trial.needle.facts]
    truth = min(chances) if trial.task == "chain" else statistics.mean(chances)
    return recall_answers(trial.needle, said.text).share, truth


def ask_readers(trial: Trial, messages: Sequence[Message], tally: Tally) -> None:
    """Score the simulated readers on a prompt, with no surface between."""
    prompt = messages[-1]["content"]
    readers: dict[str, Callable[[], str]] = {
        "oracle": lambda: answer(prompt, LESSONS).text,
        "reader": lambda: answer_by_words(prompt).text,
        "blind": lambda: answer(prompt, LESSONS, lambda _: False).text,
    }
    for name, read in readers.items():
        tally.readers[name].append(recall_answers(trial.needle, read()).share)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
