"""A publication: a folder with all that run folders have to show, made whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from needle import __version__
from needle.commands.showcase import Look, draw_showcase, make_slug
from needle.commands.versus import describe
from needle.edges.corpus import list_haystacks
from needle.edges.manifest import MANIFEST, list_files, read_manifest, write_manifest
from needle.edges.needlefiles import list_needles, load_needle_source
from needle.edges.store import RUN, load_run
from needle.runs.contest import Contest, hold_contest
from needle.runs.loading import list_once, require_scorer
from needle.runs.report import gather, make_page
from needle.runs.reproduce import Again, make_again
from needle.runs.restoring import draws
from needle.runs.withholding import Withheld, withhold
from needle.statistics.intervals import LEVEL
from needle.telling.cover import Cover, Shown, Text, Told, write_cover
from needle.telling.cover_words import FILES, PAGES
from needle.words.errors import StoreError, UsageError
from needle.words.types import LANGUAGES, UNKNOWN, Language, Run


@dataclass(frozen=True, slots=True)
class Named:
    """A run to be published: its name there, its copy without what is withheld, and its command."""

    name: str
    copy: Withheld
    again: Again


def publish(
    folders: Sequence[Path], out: Path, scorer: str | None = None, look: Look | None = None
) -> list[str]:
    """Make a publication of run folders, and return the names of its files.

    The same runs give the same bytes. It is made beside its place and then put there; an
    earlier publication that stands there is replaced. Raises UsageError for a folder that holds
    anything else, and StoreError where it can't be written.
    """
    folders = list_once(folders)
    for folder in folders:
        load_run(folder)
        require_scorer(folder, scorer)
    out = out.resolve()
    check_place(out)
    try:
        with _beside(out) as made, tempfile.TemporaryDirectory() as scratch:
            runs = _copy_runs(folders, Path(scratch))
            _fill(made, runs, scorer, look or Look())
            names = list_files(made)
            _swap(made, out)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StoreError(f"can't write {out}: {reason} (--out)") from error
    return names


def check_place(out: Path) -> None:
    """Raise UsageError for a place that holds what a publication must not replace."""
    if Path.cwd().resolve().is_relative_to(out):
        raise UsageError(f"{out} is where needle is called from (--out): name a folder in it")
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file (--out): name a folder")
    there = list_files(out)
    if not there:
        return
    if MANIFEST not in there:
        raise UsageError(f"{out} holds other files, such as {there[0]} (--out): name a new folder")
    told = read_manifest(out)
    others = [name for name in there if name not in told and name != MANIFEST]
    if others:
        raise UsageError(
            f"{out} holds {others[0]}, which is not of the publication there (--out): "
            f"move it away, or name a new folder"
        )


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """Make a folder beside a place, which is gone afterwards if it was not put there."""
    out.parent.mkdir(parents=True, exist_ok=True)
    made = out.with_name(f".{out.name}.{os.getpid()}.part")
    shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _swap(made: Path, out: Path) -> None:
    """Put a folder in its place, and what stood there away."""
    if not out.exists():
        made.rename(out)
        return
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    out.rename(old)
    try:
        made.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old)


def _copy_runs(folders: Sequence[Path], scratch: Path) -> list[Named]:
    """Copy runs, each under a name of its own: its run-id, and a number where it comes again."""
    named: list[Named] = []
    for folder in folders:
        name = slug = make_slug(load_run(folder).run_id)
        number = 2
        while name in {each.name for each in named}:
            name = f"{slug}-{number}"
            number += 1
        copy = withhold(folder, scratch / name)
        named.append(Named(name, copy, make_again(copy.run, f"runs/{name}/")))
    return named


def _fill(made: Path, runs: Sequence[Named], scorer: str | None, look: Look) -> None:
    """Write all files of a publication, the manifest last."""
    contest = hold_contest([run.copy.folder for run in runs], scorer, side_by_side=True)
    names = [run.name for run in runs for _ in run.copy.run.tasks for _ in run.copy.run.languages]
    figures = draw_showcase(contest, names, made / "figures", look)
    _write_tables(made, runs)
    _write(made / "statistics.json", _write_statistics(contest, names))
    report = gather([run.copy.folder for run in runs], scorer)
    (made / "report.html").write_bytes(make_page(report, palette=look.palette))
    for run in runs:
        place = made / "runs" / run.name
        _write(place / RUN, (run.copy.folder / RUN).read_text(encoding="utf-8"))
        for name, text in run.again.files:
            _write(place / name, text)
    haystacks = _write_sources(made / "sources", runs)
    cover = _make_cover(made, contest, runs, figures, haystacks)
    for language, page in PAGES.items():
        _write(made / page, write_cover(cover, language))
    about = [
        {"run": run.name, "model": run.copy.run.model.name, "digest": run.copy.run.digest}
        for run in runs
    ]
    (made / MANIFEST).write_bytes(write_manifest(made, about))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_tables(made: Path, runs: Sequence[Named]) -> None:
    from needle.edges.tables import join_tables, write_csv, write_parquet

    table = join_tables({run.name: run.copy.folder for run in runs})
    (made / "table.csv").write_bytes(write_csv(table))
    (made / "table.parquet").write_bytes(write_parquet(table))


def _write_statistics(contest: Contest, names: Sequence[str]) -> str:
    """Write all that was estimated and tested as JSON; docs/table.md says what it holds."""
    record: dict[str, Any] = {
        "needle": __version__,
        "level": 1 - LEVEL,
        "standings": [
            {"run": name, **asdict(standing)}
            for name, standing in zip(names, contest.standings, strict=True)
        ],
        "comparisons": [asdict(each) for each in contest.comparisons],
        "languages": [asdict(each) for each in contest.gaps],
        "not_tested": list(contest.obstacles["en"]),
    }
    return json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _write_sources(folder: Path, runs: Sequence[Named]) -> tuple[Text, ...]:
    """Write where the haystacks are from, as their own notes say; return the haystacks."""
    texts: dict[tuple[Language, str, str | None], Text] = {}
    files: dict[str, str] = {}
    for run in runs:
        for language, note in run.copy.run.haystacks.items():
            if note.source == UNKNOWN:
                continue
            path = _find_note(note.source)
            if path is not None and note.source not in files:
                number = f"-{len(files) + 1}" if files else ""
                files[note.source] = f"haystack-{make_slug(note.name)}{number}.md"
                text = path.read_text(encoding="utf-8", errors="replace")
                _write(folder / files[note.source], run.copy.change(text))
            file = f"{folder.name}/{files[note.source]}" if note.source in files else None
            found = Text(note.name, language, note.sha256, file)
            texts[language, note.source, note.sha256] = found
    return tuple(texts.values())


def _find_note(source: str) -> Path | None:
    """Return a haystack's SOURCE.md, by its name or folder; None where there is none."""
    places = [path.parent for name, _, path in list_haystacks() if name == source]
    return next(
        (
            path
            for place in (*places, Path(source))
            if place.is_dir()
            for path in sorted(place.iterdir())
            if path.name.lower() == "source.md" and path.is_file()
        ),
        None,
    )


def _name_needles(runs: Sequence[Run]) -> tuple[tuple[str, str | None], ...]:
    """Name the needles asked for, each with where its file says that it is from."""
    named: dict[str, str | None] = {}
    for run in runs:
        for task, by_language in run.needles.items():
            name = next(iter(by_language.values()))[0].name
            if name == UNKNOWN:
                continue
            source = load_needle_source(name) if name in list_needles() else None
            own = run.imported is None and source is not None and not draws(source, run, task)
            named[name] = None if source is None or own else source.source
    return tuple(named.items())


def _make_cover(
    made: Path,
    contest: Contest,
    runs: Sequence[Named],
    figures: Sequence[Shown],
    haystacks: tuple[Text, ...],
) -> Cover:
    there = {path.name for path in made.iterdir()} | {MANIFEST}
    return Cover(
        version=__version__,
        runs=tuple(Told(run.name, run.copy.run, run.again.command, run.again.gaps) for run in runs),
        figures=tuple(figures),
        standings=contest.standings,
        names=contest.names,
        findings={language: tuple(describe(contest, language)) for language in LANGUAGES},
        needles=_name_needles([run.copy.run for run in runs]),
        haystacks=haystacks,
        files=tuple(name for name in FILES if name in there),
        checked=all(run.copy.checked for run in runs),
    )
