"""What ``needle compare`` does: runs side by side, and in pairs where they may be."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from needle.commands.showing import DONE
from needle.runs.contest import Contest, hold_contest, name_contest
from needle.runs.exhibits import draw_contest
from needle.statistics.conclusions import conclude, conclude_comparison
from needle.statistics.standings import Standing, tabulate, tabulate_short
from needle.telling.palettes import Palette
from needle.words.errors import UsageError
from needle.words.figures import Placeholder
from needle.words.types import Language

_NOT_TESTED: Mapping[Language, str] = {"en": "not tested: {why}", "zh": "未做检验：{why}"}
_NOTHING_SCORED: Mapping[Language, str] = {
    "en": "the runs have no scored trial in common",
    "zh": "各次运行没有共同的、已评分的提问",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The figures that are asked for: where, in what formats and colours, in what words."""

    out: Path | None
    form: str | None
    labels: Language | None
    palette: Palette
    dpi: int | None
    placeholders: tuple[str, ...] = ()
    title: str | None = None


def compare_folders(
    folders: Sequence[Path],
    scorer: str | None,
    wanted: Wanted,
    *,
    side_by_side: bool,
    as_json: bool,
) -> int:
    """Print what can be said of runs, and draw it; return the exit status."""
    from needle.drawing.canvas import DPI, DRAWN, check_output, read_formats

    formats = DRAWN if wanted.form is None else read_formats(wanted.form)
    dpi = DPI if wanted.dpi is None else wanted.dpi
    check_output(formats, dpi)
    contest = hold_contest(folders, scorer, side_by_side=side_by_side)
    gaps = [_read_placeholder(text) for text in wanted.placeholders]
    if as_json:
        click.echo(_write_json(contest))
        return DONE
    language = wanted.labels or "en"
    print_table(contest, language)
    for sentence in describe(contest, language):
        click.echo(sentence)
    out = wanted.out or _name_place(contest.folders)
    drawn = draw_contest(
        contest,
        out,
        formats,
        wanted.labels,
        palette=wanted.palette,
        dpi=dpi,
        placeholders=gaps,
        title=wanted.title,
    )
    for path in drawn:
        click.echo(str(path))
    return DONE


def _name_place(folders: Sequence[Path]) -> Path:
    """Return where figures go unless told otherwise: beside the first run, named by all."""
    return folders[0].resolve().parent / f"comparison-{name_contest(folders)}"


def _read_placeholder(text: str) -> Placeholder:
    name, colon, rest = text.partition(":")
    if not (name.strip() and colon and rest.strip()):
        raise UsageError(f"not a placeholder: {text!r} (--placeholder): use 'NAME: what to say'")
    return Placeholder(name.strip(), rest.strip())


def describe(contest: Contest, language: Language) -> list[str]:
    """Say what may be concluded, a line each: of each run, of pairs, and of languages."""
    names = {"en": {"en": "English", "zh": "Chinese"}, "zh": {"en": "英文", "zh": "中文"}}[language]
    told = [
        f"[{name}, {each.statistics.task}, {names[each.statistics.language]}] "
        + ("" if language == "zh" else " ").join(conclude(each.statistics, language))
        for name, each in zip(contest.names, contest.standings, strict=True)
    ]
    told += [conclude_comparison(each, language) for each in (*contest.comparisons, *contest.gaps)]
    told += [_NOT_TESTED[language].format(why=why) for why in contest.obstacles[language]]
    if not contest.obstacles[language] and len(contest.folders) > 1 and not contest.comparisons:
        told.append(_NOT_TESTED[language].format(why=_NOTHING_SCORED[language]))
    return told


def print_table(contest: Contest, language: Language) -> None:
    """Print the standings, a column each; where a model has several runs, their names too."""
    rows = tabulate(contest.standings, language, contest.names)
    _print_rows(list(zip(*rows, strict=True)), texts=1)


def print_long_table(standings: Sequence[Standing], language: Language) -> None:
    """Print the standings, a line each: there may be many."""
    _print_rows(tabulate_short(standings, language), texts=3)


def _print_rows(rows: Sequence[Sequence[str]], texts: int) -> None:
    """Print a table, its head first; so many columns hold text, the others numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, show_header=True, pad_edge=False)
    for number, name in enumerate(rows[0]):
        table.add_column(Text(name), justify="left" if number < texts else "right")
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    width = None if sys.stdout.isatty() else 60 * len(rows[0])
    Console(width=width, highlight=False).print(table)


def _write_json(contest: Contest) -> str:
    import json

    record: Mapping[str, Any] = {
        "standings": [asdict(each) for each in contest.standings],
        "comparisons": [asdict(each) for each in contest.comparisons],
        "languages": [asdict(each) for each in contest.gaps],
        "not_tested": list(contest.obstacles["en"]),
    }
    return json.dumps(record, ensure_ascii=False, indent=1)
