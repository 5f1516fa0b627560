"""How far the classic and the shared layout agree, on readers whose truth is known.

    python benchmarks/layouts.py [RUNS]

Everything happens in this process, without HTTP. Each run asks the same grid in both layouts,
with needles and places in the text drawn from its seed. Three readers read every prompt by its
words: one that sees everything; one behind a surface, so that it misses what stands in the middle;

    recall = 1 / (1 + exp(-(|depth - 55| - half) / 12)),  half = 9 log2(tokens / 1,000)

and one that each rival, another sentence that holds half of the question's weight, distracts with
a chance of 0.1 (docs/simulator.md). The truth of a cell is the declared chance at the place where
its needle stands, or 0.9 to the number of rivals. A run's estimate is the mean over its cells;
what is after ± is the standard error over the runs.
"""

import math
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from needle.asking.estimate import estimate
from needle.contexts.prompts import build_messages, choose_template
from needle.edges.config import read_recipe
from needle.edges.needlefiles import load_needle_source
from needle.runs.prepare import Prepared, prepare
from needle.runs.writing import passage_reader
from needle.scoring.scorers import recall_answers
from needle.simulated.oracle import Lesson, learn
from needle.simulated.reader import answer, rank, split_prompt
from needle.simulated.surfaces import DISTRACTION, draw, take
from needle.words.types import LANGUAGES, LAYOUTS, Language, Layout, Trial

RUNS, REPLICATES, LENGTHS = 30, 2, ("2k", "8k")
TASKS, DEPTHS = ("single", "number"), (5, 11, 35)
LESSONS = {
    task: learn([load_needle_source({"single": "fictional"}.get(task, task))]) for task in TASKS
}
READERS = ("full", "surface", "distracted")


@dataclass(frozen=True)
class Kind:
    """What is asked: a row of the tables has both layouts of one."""

    task: str
    language: Language
    depths: int


@dataclass(frozen=True)
class Means:
    """What one run came to: by reader the estimate and its truth; and what the requests are."""

    estimates: Mapping[str, float]
    truths: Mapping[str, float]
    alike: float
    rivals: float
    cached: float
    short: int


def main(runs: int) -> None:
    """Print both tables."""
    began = time.perf_counter()
    kinds = [Kind(task, one, n) for task in TASKS for one in LANGUAGES for n in DEPTHS]
    rows: dict[Kind, dict[Layout, list[Means]]] = {
        kind: {layout: [ask(kind, layout, seed) for seed in range(runs)] for layout in LAYOUTS}
        for kind in kinds
    }
    print_agreement(rows)
    print_interference(rows)
    print(
        f"\n{runs} runs a row of {REPLICATES} replicates x {len(LENGTHS)} lengths "
        f"({', '.join(LENGTHS)}); {time.perf_counter() - began:.0f} s"
    )


def print_agreement(rows: Mapping[Kind, Mapping[Layout, Sequence[Means]]]) -> None:
    """Print what both layouts say of readers that no other needle disturbs, and what each costs."""
    print(
        "| task | language | depths | full | truth | classic | shared | shared - classic "
        "| cached, classic | cached, shared | short by |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for kind, by in rows.items():
        classic, shared = by["classic"], by["shared"]
        truths = [m.truths["surface"] for m in (*classic, *shared)]
        off = [
            s.estimates["surface"] - c.estimates["surface"]
            for c, s in zip(classic, shared, strict=True)
        ]
        full = min(m.estimates["full"] for m in (*classic, *shared))
        print(
            f"| {kind.task} | {kind.language} | {kind.depths} | {full:.3f} | "
            f"{statistics.mean(truths):.3f} | {mean_of(classic, 'surface')} | "
            f"{mean_of(shared, 'surface')} | {statistics.mean(off):+.3f} ± {noise(off):.3f} | "
            f"{share(classic)} | {share(shared)} | {max(m.short for m in shared)} |"
        )


def print_interference(rows: Mapping[Kind, Mapping[Layout, Sequence[Means]]]) -> None:
    """Print what both layouts say of a reader that needles of the same wording distract."""
    print(
        "\n| task | language | depths | of its wording | rivals | truth, shared | shared "
        "| truth, classic | classic |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind, by in rows.items():
        cells = " | ".join(
            f"{statistics.mean(m.truths['distracted'] for m in by[layout]):.3f} | "
            f"{mean_of(by[layout], 'distracted')}"
            for layout in ("shared", "classic")
        )
        alike = statistics.mean(m.alike for m in by["shared"])
        rivals = statistics.mean(m.rivals for m in by["shared"])
        name = f"{kind.task} | {kind.language} | {kind.depths}"
        print(f"| {name} | {alike:.2f} | {rivals:.2f} | {cells} |")


def mean_of(runs: Sequence[Means], reader: str) -> str:
    """Write the mean of the runs' estimates with its standard error."""
    values = [run.estimates[reader] for run in runs]
    return f"{statistics.mean(values):.3f} ± {noise(values):.3f}"


def noise(values: Sequence[float]) -> float:
    """Return a mean's standard error."""
    return statistics.stdev(values) / math.sqrt(len(values))


def share(runs: Sequence[Means]) -> str:
    """Write the mean share that an ideal cache serves."""
    return f"{statistics.mean(run.cached for run in runs):.0%}"


def ask(kind: Kind, layout: Layout, seed: int) -> Means:
    """Make one run of a kind in a layout, and read all of its prompts."""
    said = {
        "model": ["sim/reader"],
        "task": kind.task,
        "language": kind.language,
        "layout": layout,
        "grid": {"lengths": list(LENGTHS), "depth_count": kind.depths},
        "replicates": REPLICATES,
        "controls": "none",
        "seed": seed,
    }
    prepared = prepare(
        read_recipe(None, said), told_language=True, model_name="sim/reader", date=""
    )
    scores: dict[str, list[float]] = defaultdict(list)
    truths: dict[str, list[float]] = defaultdict(list)
    alike, rivals = [], []
    for trial, prompt in read_prompts(prepared):
        chances = declare(trial, prompt)
        alike.append(count_alike(prepared, trial))
        rivals.append(len(rank(*split_prompt(prompt))) - 1)
        chances["distracted"] = (1 - DISTRACTION) ** rivals[-1]
        for reader in READERS:
            truths[reader].append(chances[reader])
            scores[reader].append(
                recall_answers(trial.needle, read(reader, trial, prompt, seed)).share
            )
    trials = prepared.plan.trials
    return Means(
        {reader: statistics.mean(values) for reader, values in scores.items()},
        {reader: statistics.mean(values) for reader, values in truths.items()},
        statistics.mean(alike),
        statistics.mean(rivals),
        estimate(trials, None, 0, None).cached_share,
        max(trial.context_length - trial.prompt_tokens for trial in trials),
    )


def read_prompts(prepared: Prepared) -> Iterator[tuple[Trial, str]]:
    """Yield each trial with what the user says in it."""
    passage_of = passage_reader(prepared)
    for trial in prepared.plan.trials:
        template = choose_template(prepared.run.templates, trial.task, trial.language)
        yield trial, build_messages(trial, template, passage_of(trial))[-1]["content"]


def declare(trial: Trial, prompt: str) -> dict[str, float]:
    """Return each reader's declared chance to find a trial's needle where it stands."""
    context = prompt.removesuffix(trial.needle.question).rstrip()
    depth = 100 * context.index(trial.needle.facts[0]) / len(context)
    return {"full": 1.0, "surface": see(trial.prompt_tokens, depth)}


def see(tokens: int, depth: float) -> float:
    """Return the surface's recall."""
    return 1 / (1 + math.exp(-(abs(depth - 55) - 9 * math.log2(tokens / 1_000)) / 12))


def read(reader: str, trial: Trial, prompt: str, seed: int) -> str:
    """Return what a reader answers."""
    drawn = draw(seed, reader, prompt)
    if reader == "surface":
        return answer(prompt, lambda depth: drawn < see(trial.prompt_tokens, depth)).text
    if reader == "distracted":
        return answer(prompt, takes=lambda near: take(near, drawn)).text
    return answer(prompt).text


def count_alike(prepared: Prepared, trial: Trial) -> int:
    """Count the other needles in a trial's context that are of its needle's wording."""
    needles = prepared.run.needles[trial.task][trial.language]
    questions = {needle.facts[0]: needle.question for needle in needles}
    lessons = LESSONS[trial.task]
    mine = find_wording(trial.needle.question, lessons)
    others = [questions[place.text] for place in trial.places if place.other]
    return sum(find_wording(question, lessons) == mine for question in others)


def find_wording(question: str, lessons: Sequence[Lesson]) -> int:
    """Return the number of the wording that a question is of."""
    return next(i for i, each in enumerate(lessons) if each.question.fullmatch(question))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
