"""What the report page holds, as plain data that JSON can write: runs, maps, comparisons. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from needle.asking.outcomes import is_simulated
from needle.contexts.tasks import text_language
from needle.telling.labels import make_labels, mark_cell, write_depths, write_lengths
from needle.telling.reporttrials import (
    Line,
    Pool,
    Room,
    Sides,
    gather_trials,
    lay_out,
    place_trials,
)
from needle.words.claims import Comparison, Estimate, Statistics
from needle.words.figures import Heatmap
from needle.words.types import LANGUAGES, Language, Run

_DIGITS = 6  # after the point, of shares and probabilities


@dataclass(frozen=True, slots=True)
class Told:
    """What can be said of one heatmap: its statistics, and the sentences they allow.

    ``sentences`` are by the reader's language.
    """

    statistics: Statistics
    sentences: Mapping[Language, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Again:
    """How a run is made again: the command, the files that it names, and what it leaves open.

    ``files`` are (name, text) of a needle or prompt that was the user's own; ``gaps`` are
    sentences by the reader's language.
    """

    command: str
    files: Sequence[tuple[str, str]]
    gaps: Mapping[Language, Sequence[str]]


@dataclass(frozen=True, slots=True)
class RunShown:
    """All of a run that the page is made of.

    ``folder`` is the run folder's name alone, ``config`` run.yaml's text. ``again`` is how it is
    made again. ``told`` is in the order of ``heatmaps``. ``states`` are the trials' lines by trial,
    ``scores`` by trial and scorer. ``around`` gives the text around each sentence inserted in a
    trial, in their order; trials whose text is not at hand are not in it.
    """

    folder: str
    run: Run
    config: str
    again: Again
    heatmaps: tuple[Heatmap, ...]
    told: tuple[Told, ...]
    states: Mapping[str, Line]
    scores: Mapping[tuple[str, str], Line]
    around: Mapping[str, Sequence[Sides]]


@dataclass(frozen=True, slots=True)
class Paired:
    """A comparison of two runs, and the sentence that it allows, by the reader's language."""

    comparison: Comparison
    sentence: Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page holds. ``differences`` say why runs are not compared in pairs."""

    runs: tuple[RunShown, ...]
    paired: tuple[Paired, ...]
    differences: Mapping[Language, tuple[str, ...]]


def write_report(report: Report, room: Room) -> dict[str, Any]:
    """Write a report as plain data, long texts cut where there is no room for them."""
    names = name_runs(report.runs)
    pool = Pool()
    maps = [
        write_map(shown, number, heatmap, told, pool, room)
        for number, shown in enumerate(report.runs)
        for heatmap, told in zip(shown.heatmaps, shown.told, strict=True)
    ]
    return {
        "runs": [write_run(shown, name) for shown, name in zip(report.runs, names, strict=True)],
        "maps": maps,
        "around": pool.texts,
        "around_cut": room.around,
        "paired": [write_paired(paired) for paired in report.paired],
        "differences": {one: list(told) for one, told in report.differences.items()},
    }


def name_runs(runs: Sequence[RunShown]) -> list[str]:
    """Name each run by its model, and by its folder too where that alone is not enough."""
    models = Counter(shown.run.model.name for shown in runs)
    return [
        shown.run.model.name
        if models[shown.run.model.name] == 1
        else f"{shown.run.model.name} ({shown.folder})"
        for shown in runs
    ]


def write_run(shown: RunShown, name: str) -> dict[str, Any]:
    """Write what the page says of a whole run."""
    run, lines = shown.run, list(shown.states.values())
    imported = run.imported and {
        "format": run.imported.format,
        "files": [file.name for file in run.imported.files],
        "date": run.imported.date,
    }
    return {
        "name": name,
        "folder": shown.folder,
        "run_id": run.run_id,
        "model": run.model.name,
        "vendor": run.model.vendor,
        "endpoint": run.model.endpoint,
        "date": run.date,
        "simulated": run.model.simulated or is_simulated(lines),
        "imported": imported or None,
        "unit": run.unit,
        "tokenizer": run.tokenizer,
        "vendor_count": run.ratio is not None,
        "replicates": run.replicates,
        "adaptive": run.adaptive,
        "layouts": sorted({line["layout"] for line in lines}),
        "haystacks": {language: note.name for language, note in run.haystacks.items()},
        "config": shown.config,
        "command": shown.again.command,
        "files": list(shown.again.files),
        "gaps": {language: list(shown.again.gaps[language]) for language in LANGUAGES},
    }


def _spend(lines: Sequence[Line]) -> dict[str, Any]:
    """Add up what trials took: tokens, money by currency, and their median latency in seconds."""
    money: dict[str, float] = {}
    for line in lines:
        if line["cost"]:
            currency = line["cost"]["currency"]
            money[currency] = money.get(currency, 0.0) + line["cost"]["amount"]
    latencies = [line["latency_s"] for line in lines if line["latency_s"] and not line["failure"]]
    names = ("prompt_tokens", "endpoint_prompt_tokens", "cached_tokens", "completion_tokens")
    totals = {name: [line[name] for line in lines if line[name] is not None] for name in names}
    return {
        **{name: sum(known) if known else None for name, known in totals.items()},
        "money": {currency: round(amount, 6) for currency, amount in sorted(money.items())},
        "latency_s": round(median(latencies), 3) if latencies else None,
        "trials": len(lines),
        "failed": sum(line["failure"] is not None for line in lines),
    }


def write_map(
    shown: RunShown, number: int, heatmap: Heatmap, told: Told, pool: Pool, room: Room
) -> dict[str, Any]:
    """Write a heatmap with its statistics and trials; ``number`` is its run's."""
    trials = gather_trials(shown.states, heatmap.task, heatmap.language)
    needles = shown.run.needles[heatmap.task][heatmap.language]
    return {
        "run": number,
        "task": heatmap.task,
        "language": heatmap.language,
        "text_language": text_language(heatmap.task, heatmap.language),
        "lengths": heatmap.grid.lengths,
        "depths": heatmap.grid.depths,
        "length_ticks": write_lengths(heatmap.grid.lengths),
        "depth_ticks": write_depths(heatmap.grid.depths),
        "scorer": heatmap.scorer,
        "recall": _round(heatmap.recall),
        "scored": heatmap.scored,
        "left_out": heatmap.left_out,
        "controls": heatmap.controls and asdict(heatmap.controls),
        "base_lengths": heatmap.base_lengths if heatmap.base is not None else [],
        "base": _round(heatmap.base),
        "scores": [_round(cell.score) for cell in heatmap.cells],
        "verdicts": [cell.verdicts for cell in heatmap.cells],
        "marks": [mark_cell(cell) for cell in heatmap.cells],
        "intervals": [write_interval(estimate) for _, _, estimate in told.statistics.cells],
        "cells": place_trials(shown.run, heatmap, trials),
        "words": {language: _write_words(heatmap, language) for language in LANGUAGES},
        "statistics": write_statistics(told.statistics),
        "sentences": {x: list(told.sentences[x]) for x in LANGUAGES},
        "needles": [
            {"name": n.name, "question": n.question, "answers": n.answers} for n in needles
        ],
        "spent": _spend([line for _, line in trials]),
        "trials": lay_out(trials, shown.scores, heatmap.scorer, shown.around, pool, room),
    }


def _write_words(heatmap: Heatmap, language: Language) -> dict[str, Any]:
    """Write what the heatmap's own figure says around it."""
    labels = make_labels(heatmap, language)
    return {
        "subtitle": labels.subtitle,
        "warning": labels.warning,
        "lengths": labels.lengths_axis,
        "depths": labels.depths_axis,
        "top": labels.top.replace("\n", " " if language == "en" else ""),
        "bottom": labels.bottom.replace("\n", " " if language == "en" else ""),
        "bar": labels.colour_bar,
        "marks": dict(labels.key),
        "footer": labels.footer,
    }


def write_statistics(statistics: Statistics) -> dict[str, Any]:
    """Write statistics without their cells, which stand beside the heatmap's."""
    weak = statistics.weak
    return {
        "overall": write_estimate(statistics.overall),
        "base": statistics.base and write_estimate(statistics.base),
        "lengths": [[x.at, write_estimate(x.estimate)] for x in statistics.lengths],
        "depths": [[x.at, write_estimate(x.estimate)] for x in statistics.depths],
        "effective": [_round_all(asdict(each)) for each in statistics.effective],
        "weak": weak and _round_all(asdict(weak)),
        "replicates": statistics.replicates,
        "replicates_wanted": statistics.replicates_wanted,
    }


def write_estimate(estimate: Estimate) -> dict[str, Any]:
    """Write an estimate."""
    return _round_all(asdict(estimate))


def write_interval(estimate: Estimate) -> list[float | None]:
    """Write an estimate's interval alone."""
    return [_round(estimate.low), _round(estimate.high)]


def write_paired(paired: Paired) -> dict[str, Any]:
    """Write a comparison; of its cells what a difference map shows."""
    record = _round_all(asdict(paired.comparison))
    cells = paired.comparison.cells
    record["cells"] = [
        [c.context_length, c.depth_percent, _round(c.difference), c.pairs, c.beyond_chance]
        for c in cells
    ]
    return {**record, "sentence": dict(paired.sentence)}


def _round_all(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _round_all(value) if isinstance(value, dict) else _round(value)
        for name, value in record.items()
    }


def _round(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
