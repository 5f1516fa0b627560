"""The commands that work from run folders, without asking a model again but for a judge."""

from pathlib import Path
from typing import Any

import click

from needle.commands.options import figure_options, no_keys, scorer_options
from needle.words.errors import UsageError


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--needle", help="Take the accepted answers from this needle's file as it is now.")
@scorer_options
@click.option("--concurrency", type=click.IntRange(1), help="The judge's requests at once.")
@click.option("--budget", help="Never spend more on judging, what is spent already included.")
@click.option("--rate", multiple=True, help="For a budget in another currency: USD/CNY=7.1.")
@click.option("--yes", is_flag=True, help="Don't ask before the judge is asked.")
@no_keys
def score(run: Path, **options: Any) -> int:
    """Score a run's replies anew: without a call, or by a judge (--scorer judge)."""
    from needle.commands.rescoring import score_run

    return score_run(run, **options)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--labels", type=click.Choice(["en", "zh"]), help="The labels' language (default the text's)."
)
@click.option(
    "--scorer", help="Whose scores: keyword, exact, judge, published (default the run's)."
)
@click.option(
    "--style",
    type=click.Choice(["published", "paper"]),
    default="published",
    help="published (default): PNG and SVG with a title; paper: a column's PDF, caption apart.",
)
@figure_options
def heatmap(runs: tuple[Path, ...], **options: Any) -> int:
    """Draw a run's heatmaps into its folder."""
    from needle.commands.showing import draw_again

    return draw_again(runs, **options)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write (default report.html in the run's folder).",
)
@click.option("--labels", type=click.Choice(["en", "zh"]), help="The language that it opens in.")
@click.option(
    "--palette",
    type=click.Choice(["published", "safe"]),
    default="published",
    help="The colours that it opens in: published, or safe for colour-blind readers.",
)
@click.option(
    "--scorer", help="Whose scores: keyword, exact, judge, published (default the run's)."
)
@click.option("--task", help="Only these tasks, separated by commas (default all).")
def report(runs: tuple[Path, ...], **options: Any) -> int:
    """Make one self-contained page of runs: heatmaps, statistics, and every trial."""
    from needle.commands.reporting import make_report

    return make_report(runs, **options)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--labels", type=click.Choice(["en", "zh"]), help="The language of what is said.")
@click.option("--scorer", help="Whose scores (default each run's primary one).")
@click.option("--side-by-side", is_flag=True, help="Show runs that may not be compared, untested.")
@click.option("--json", "as_json", is_flag=True, help="All numbers as JSON, and no figures.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The figures' folder (default comparison-<digest>, beside the first run).",
)
@figure_options
@click.option("--title", help="Another title of the sheet.")
@click.option(
    "--placeholder",
    "placeholders",
    multiple=True,
    help="A column that waits for a run: 'NAME: what to say in its place'.",
)
def compare(runs: tuple[Path, ...], scorer: str | None, **options: Any) -> int:
    """Compare runs: recall, effective length, cost, and what differs beyond chance."""
    from needle.commands.versus import Wanted, compare_folders

    how = {name: options.pop(name) for name in ("side_by_side", "as_json")}
    return compare_folders(runs, scorer, Wanted(**options), **how)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv")
@click.option(
    "--output", type=click.Path(path_type=Path), help="A file instead of standard output."
)
def table(run: Path, form: str, output: Path | None) -> int:
    """Print a run's tidy table: one row a trial and scorer."""
    from needle.commands.showing import print_table

    return print_table(run, form, output)


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The folder to be made.")
@click.option("--scorer", help="Whose scores (default each run's primary one).")
@click.option(
    "--palette",
    type=click.Choice(["published", "safe"]),
    default="published",
    help="The colours; safe ones are told apart by every kind of vision.",
)
@click.option("--dpi", type=int, help="Dots per inch of the PNG files (default 160).")
@click.option(
    "--check", type=click.Path(path_type=Path), help="Hold a publication against its manifest."
)
def publish(runs: tuple[Path, ...], check: Path | None, **options: Any) -> int:
    """Make a folder of runs' figures, tables, statistics and configuration, to be put anywhere."""
    from needle.commands.publishing import check_publication, publish_runs

    if check is None:
        return publish_runs(runs, **options)
    if runs or options["out"] or options["scorer"]:
        raise UsageError("--check takes one folder and nothing else: needle publish --check DIR")
    return check_publication(check)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    required=True,
    type=click.Choice(["kamradt", "evalscope", "kamradt-v2"]),
    help="Whose files they are.",
)
@click.option("--needle", help="The needle asked for, where the files do not tell its answers.")
@click.option("--model", help="The model, where the files do not name it, or one of several.")
@click.option("--language", type=click.Choice(["en", "zh"]), help="The text's language.")
@click.option("--date", help="When the results were made, such as 2023-11-08.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    help="The folder of run folders (default runs/).",
)
def import_(
    paths: tuple[Path, ...],
    form: str,
    needle: str | None,
    model: str | None,
    language: Any,
    date: str | None,
    out: Path,
) -> int:
    """Make run folders of others' results: files, or folders of them."""
    from needle.commands.intake import bring_in
    from needle.runs.importing import Wish

    return bring_in(paths, Wish(form, needle, model, language, date), out)
