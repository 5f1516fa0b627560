"""Importing others' results: files read, and made into run folders that every command takes.

What the files do not say is null or "unknown" in run.yaml and the outcomes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from needle.asking.outcomes import read_result
from needle.contexts.keys import digest
from needle.contexts.needles import NeedleSource, count_draws
from needle.edges.needlefiles import draw_needles, list_needles, load_needle_source
from needle.edges.results import read_results
from needle.edges.store import create_whole, find_run, name_run
from needle.scoring.folding import fold
from needle.scoring.foreign import Row
from needle.scoring.scorers import KEYWORD, PUBLISHED, Mark, make_score, score_outcome
from needle.words.errors import UsageError
from needle.words.origins import HaystackNote, Imported, SourceFile
from needle.words.types import (
    LANGUAGES,
    UNKNOWN,
    Grid,
    Language,
    Model,
    Needle,
    Run,
    Score,
)

_HAN = ("\u4e00", "\u9fff")
_SHOWN = 5  # models named in a message


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user said of results that do not say it themselves."""

    format: str
    needle: str | None = None
    model: str | None = None
    language: Language | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """One model's imported run: its folder, whether it was there already, and its size."""

    folder: Path
    run: Run
    known: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row with its replicate: which draw of the needle, and which asking of its cell."""

    row: Row
    language: Language
    replicate: int


def import_results(paths: Sequence[Path], wish: Wish, out: Path, today: str) -> list[Brought]:
    """Import files or folders of results: one run folder for each model in them.

    The same files imported again find their folders. Raises UsageError with file and row for
    whatever can't be read.
    """
    rows, used = read_results(paths, wish.format)
    return [
        _bring(model, own, used, wish, out, today) for model, own in _part_models(rows, wish.model)
    ]


def _part_models(rows: Sequence[Row], said: str | None) -> list[tuple[str, list[Row]]]:
    """Part rows by model. A name that was said chooses one, or names those that have none."""
    by_model: dict[str | None, list[Row]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)
    if said is not None:
        if said in by_model:
            return [(said, by_model[said])]
        if len(by_model) == 1:
            return [(said, list(rows))]
        raise UsageError(f"no results of {said!r} (--model): there are {_list_models(by_model)}")
    if None in by_model:
        raise UsageError("the results do not name their model: say --model NAME")
    return [(str(model), own) for model, own in by_model.items()]


def _list_models(models: Iterable[str | None]) -> str:
    names = [name or "rows without a model" for name in models]
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _bring(
    model: str, rows: list[Row], files: Sequence[Path], wish: Wish, out: Path, today: str
) -> Brought:
    """Make one model's run folder, or find it."""
    sources = tuple(
        SourceFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files
    )
    placed = _place(rows, wish.language)
    needles = _name_needles(placed, wish.needle)
    moments = sorted(row.started_at for row in rows if row.started_at)
    date = wish.date or (moments[0][:10] if moments else None)
    origin = Imported(wish.format, sources, date)
    whole = digest_import(origin, model, {p.language for p in placed}, wish.needle)
    run = _describe(model, placed, needles, origin, whole, today)
    notes = _note(placed, needles)
    there = find_run(out, model, whole)
    if there is not None:
        return Brought(there, run, known=True, notes=notes)
    lines, scores = _write(run, placed)
    return Brought(create_whole(out, run, lines, scores), run, known=False, notes=notes)


def digest_import(
    origin: Imported, model: str, languages: Iterable[Language], needle: str | None
) -> str:
    """Return the digest of an imported run: of its files, and of what was said about them."""
    return digest(
        {
            "imported": origin.format,
            "files": sorted(source.sha256 for source in origin.files),
            "model": model,
            "languages": sorted(languages),
            "needle": needle,
            "date": origin.date,
        }
    )


def _place(rows: Sequence[Row], said: Language | None) -> list[_Placed]:
    """Give each row its replicate: another draw of the needle, or another asking of its cell."""
    seen: dict[object, int] = {}
    numbers: dict[tuple[str, Language], dict[object, int]] = {}
    placed = []
    for row in rows:
        language = said or row.language or _guess_language(row)
        draw = (row.facts, row.answers, row.seed)
        cell = (row.task, language, row.context_length, row.depth_percent, draw)
        asking = seen[cell] = seen.get(cell, -1) + 1
        own = numbers.setdefault((row.task, language), {})
        placed.append(_Placed(row, language, own.setdefault((draw, asking), len(own))))
    return placed


def _guess_language(row: Row) -> Language:
    text = "".join(row.facts) or row.response or ""
    return "zh" if any(_HAN[0] <= character <= _HAN[1] for character in text) else "en"


def _name_needles(
    placed: Sequence[_Placed], said: str | None
) -> dict[str, dict[Language, tuple[Needle, ...]]]:
    """Return the needle of each task, language and replicate, with what is known of it."""
    replicates = 1 + max(p.replicate for p in placed)
    named: dict[str, dict[Language, tuple[Needle, ...]]] = {}
    for task, language in dict.fromkeys((p.row.task, p.language) for p in placed):
        own = [p for p in placed if (p.row.task, p.language) == (task, language)]
        first = {p.replicate: p.row for p in reversed(own)}
        needles = [
            _name_needle(first[number], language, said) if number in first else None
            for number in range(replicates)
        ]
        known = next(needle for needle in needles if needle is not None)
        named.setdefault(task, {})[language] = tuple(needle or known for needle in needles)
    return named


def _name_needle(row: Row, language: Language, said: str | None) -> Needle:
    """Return a row's needle: the one said, what the row tells, or a shipped one of the same fact.

    An answer is accepted in either of the needle's languages. The question is the row's own;
    a needle that was said gives its question where the row has none.
    """
    if said is None and row.answers:
        return Needle(UNKNOWN, language, row.facts, row.question, row.answers, row.task)
    for name in list_needles() if said is None else (said,):
        source = load_needle_source(name)
        if count_draws(source) > 1:
            if said is not None:
                raise UsageError(f"{said} holds many needles (--needle): name one of one wording")
            continue
        wordings = _draw_wordings(source)
        same = [w for w in wordings if fold("".join(w.facts)) == fold("".join(row.facts))]
        if row.facts and not same and said is not None:
            raise UsageError(
                f"the results are not of this needle (--needle {said}): {row.facts[0]}"
            )
        if not same and (row.facts or said is None):
            continue
        wording = next((w for w in same or wordings if w.language == language), wordings[0])
        groups = zip_longest(*(each.answers for each in wordings), fillvalue=())
        return Needle(
            source.name,
            language,
            row.facts or wording.facts,
            row.question or (wording.question if said is not None else ""),
            tuple(
                tuple(dict.fromkeys(answer for part in group for answer in part))
                for group in groups
            ),
            row.task,
        )
    return Needle(UNKNOWN, language, row.facts, row.question, (), row.task)


def _draw_wordings(source: NeedleSource) -> list[Needle]:
    languages = [each for each in LANGUAGES if each in source.variants[0]]
    return [draw_needles(source, language, 0, 1)[0] for language in languages]


def _describe(
    model: str,
    placed: Sequence[_Placed],
    needles: dict[str, dict[Language, tuple[Needle, ...]]],
    origin: Imported,
    whole: str,
    today: str,
) -> Run:
    languages = tuple(x for x in LANGUAGES if any(p.language == x for p in placed))
    tokenizers = {p.row.tokenizer for p in placed}
    haystacks: dict[Language, HaystackNote] = {}
    for language in languages:
        names = {p.row.haystack for p in placed if p.language == language}
        name = names.pop() if len(names) == 1 else UNKNOWN
        haystacks[language] = HaystackNote(name, None, UNKNOWN, None)
    scored = any(p.row.mark is not None for p in placed)
    answered = any(p.row.response is not None for p in placed)
    by_keyword = answered and any(
        needle.answers for by in needles.values() for own in by.values() for needle in own
    )
    scorers = (*((PUBLISHED,) if scored else ()), *((KEYWORD,) if by_keyword else ()))
    return Run(
        run_id=name_run(today, model, whole),
        date=today,
        digest=whole,
        model=Model(model, UNKNOWN, None, None, temperature=None, known=False),
        languages=languages,
        tasks=tuple(needles),
        grid=Grid(
            "imported",
            tuple(sorted({p.row.context_length for p in placed})),
            tuple(sorted({p.row.depth_percent for p in placed})),
        ),
        unit="tokens",
        tokenizer=tokenizers.pop() if len(tokenizers) == 1 else UNKNOWN,
        tokenizer_file=None,
        ratio=None,
        seed=None,
        replicates=1 + max(p.replicate for p in placed),
        temperature=None,
        reply_tokens=None,
        concurrency=None,
        timeout_s=None,
        haystacks=haystacks,
        templates={},
        needles=needles,
        same_place=(),
        trials=len(placed),
        primary_scorer=scorers[0] if scorers else KEYWORD,
        versions={},
        scorers=scorers or (KEYWORD,),
        imported=origin,
    )


def _note(
    placed: Sequence[_Placed], needles: Mapping[str, Mapping[Language, Sequence[Needle]]]
) -> tuple[str, ...]:
    """Say what can't be done with the results, and what would make it possible."""
    if not any(p.row.response is not None for p in placed):
        return ("the files hold scores without answers: nothing can be scored anew",)
    if any(needle.answers for by in needles.values() for own in by.values() for needle in own):
        return ()
    return ("the accepted answers are not known: say --needle to score the answers",)


def _write(run: Run, placed: Sequence[_Placed]) -> tuple[list[dict[str, Any]], list[Score]]:
    """Return the outcomes' lines and their scores, in the order of the files."""
    lines, scores = [], []
    for one in placed:
        line = _write_line(run, one)
        lines.append(line)
        trial = str(line["trial"])
        mark = one.row.mark
        if mark is None and one.row.failure is not None:
            mark = Mark(None, "failed", "no reply")
        if mark is not None:
            scores.append(make_score(trial, PUBLISHED, mark))
        needle = run.needles[one.row.task][one.language][one.replicate]
        if needle.answers and (one.row.response is not None or one.row.failure):
            scores += score_outcome((KEYWORD,), trial, needle, read_result(line))
    return lines, scores


def _write_line(run: Run, one: _Placed) -> dict[str, Any]:
    row = one.row
    needle = run.needles[row.task][one.language][one.replicate]
    place = {
        "run": run.digest,
        "task": row.task,
        "language": one.language,
        "context_length": row.context_length,
        "depth_percent": row.depth_percent,
        "replicate": one.replicate,
    }
    failure = None
    if row.failure is not None:
        failure = {"kind": UNKNOWN, "status": None, "message": row.failure, "permanent": True}
    return {
        "trial": digest({"imported": place}),
        "pair": digest({"imported pair": place}),
        "model": run.model.name,
        "task": row.task,
        "language": one.language,
        "layout": UNKNOWN,
        "control": None,
        "needle": needle.name,
        "needles": [
            {"text": fact, "depth_percent": None if number else row.depth_percent}
            | {"actual_depth_percent": depth}
            for number, (fact, depth) in enumerate(zip_longest(row.facts, row.actual_depths))
        ],
        "replicate": one.replicate,
        "haystack": row.haystack,
        "haystack_offset": None,
        "unit": run.unit,
        "tokenizer": row.tokenizer,
        "context_length": row.context_length,
        "depth_percent": row.depth_percent,
        "actual_depth_percent": row.actual_depths[0] if row.actual_depths else None,
        "prompt_tokens": None,
        "endpoint_prompt_tokens": row.prompt_tokens,
        "cached_tokens": None,
        "cache_write_tokens": None,
        "completion_tokens": row.reply_tokens,
        "reasoning_tokens": None,
        "response": row.response,
        "reasoning": None,
        "finish_reason": row.finish_reason,
        "served_model": row.served_model,
        "request_id": None,
        "failure": failure,
        "attempts": None,
        "latency_s": row.latency_s,
        "started_at": row.started_at,
        "cost": None if row.cost_usd is None else {"amount": row.cost_usd, "currency": "USD"},
    }
