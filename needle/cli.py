"""The ``needle`` command: options in, one line out for every error that a user can cause.

Nothing heavy is imported here: each command imports what it needs, so that help is quick.
"""

import difflib
import errno
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from needle import __version__
from needle.errors import NeedleError, UsageError
from needle.options import (
    gather,
    limits_options,
    no_keys,
    out_option,
    run_options,
    scorer_options,
)

EXIT_USAGE, EXIT_STOPPED, EXIT_INTERRUPTED = 2, 3, 130


class Commands(click.Group):
    """The commands in the order in which a user meets them; a misspelt one is told the nearest."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order in which they are written down."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command; raise UsageError with the nearest name for an unknown one."""
        if args and args[0] not in self.commands:
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "needle --help lists them"
            raise UsageError(f"no command {args[0]!r}: {advice}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="needle")
def cli() -> None:
    """Put a needle into English and Chinese haystacks, and see which models find it.

    \b
    needle run --model moonshot-v1-128k     from a model's name to two heatmaps
    needle plan --model moonshot-v1-128k    the same, but sends nothing
    """  # noqa: D301 - click keeps the lines after a real \b as they are


@cli.command()
@run_options
@out_option
@click.option("--budget", help="Never spend more, all models together: 20CNY, 5USD or 2Mtok.")
@click.option("--rate", multiple=True, help="For a budget in another currency: USD/CNY=7.1.")
@click.option("--again", is_flag=True, help="Pay anew for a run that is finished.")
@click.option("--faults", help="Faults of the simulated endpoint (needle simulate --help).")
@click.option("--yes", is_flag=True, help="Don't ask before sending.")
def run(**options: Any) -> int:
    """Carry out a run: plan, ask, store, score, and draw its heatmaps."""
    from needle.commands import run_models

    names = ("out", "budget", "rate", "again", "faults", "yes")
    extra = {name: options.pop(name) for name in names}
    return run_models(options.pop("config"), gather(options), **extra)


@cli.command()
@run_options
@out_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(**options: Any) -> int:
    """Show a run's trials, tokens, money and time; send nothing."""
    from needle.commands import show_plans

    extra = {name: options.pop(name) for name in ("as_json", "out")}
    return show_plans(options.pop("config"), gather(options), **extra)


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--concurrency", type=click.IntRange(1), help="Requests in flight at once.")
@click.option("--budget", help="Never spend more, what is spent already included.")
@click.option("--rate", multiple=True, help="For a budget in another currency: USD/CNY=7.1.")
@limits_options
@click.option("--failed", is_flag=True, help="Also ask again what can't pass by itself.")
@click.option("--base-url", help="The same endpoint at another address.")
@no_keys
def resume(**options: Any) -> int:
    """Go on with a run folder: ask only what has no reply yet."""
    from needle.commands import resume_run

    names = ("run", "concurrency", "budget", "rate", "failed", "base_url")
    extra = {name: options.pop(name) for name in names}
    return resume_run(extra.pop("run"), gather(options), **extra)


@cli.command()
@run_options
@out_option
@click.option("--length", required=True, help="The trial's context length.")
@click.option("--depth", required=True, help="The trial's depth in percent.")
@click.option("--replicate", type=click.IntRange(0), default=0, help="The replicate (default 0).")
@click.option(
    "--control",
    type=click.Choice(["no_needle", "no_haystack"]),
    help="The question without its needle, or without any text, instead.",
)
@click.option("--json", "as_json", is_flag=True, help="Messages, counts, actual depth and keys.")
def prompt(**options: Any) -> int:
    """Print the exact prompt of one trial (English unless --language says otherwise)."""
    from needle.listing import print_prompt

    names = ("length", "depth", "replicate", "control", "as_json", "out")
    extra = {name: options.pop(name) for name in names}
    return print_prompt(options.pop("config"), gather(options), **extra)


@cli.command()
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
    from needle.rescoring import score_run

    return score_run(run, **options)


@cli.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--labels", type=click.Choice(["en", "zh"]), help="The labels' language (default the text's)."
)
@click.option(
    "--scorer", help="Whose scores: keyword, exact, judge, published (default the run's)."
)
def heatmap(runs: tuple[Path, ...], labels: str | None, scorer: str | None) -> int:
    """Draw a run's heatmaps, PNG and SVG, into its folder."""
    from needle.commands import draw_again

    return draw_again(runs, labels, scorer)


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv")
@click.option(
    "--output", type=click.Path(path_type=Path), help="A file instead of standard output."
)
def table(run: Path, form: str, output: Path | None) -> int:
    """Print a run's tidy table: one row a trial and scorer."""
    from needle.commands import print_table

    return print_table(run, form, output)


@cli.command("import")
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
    from needle.importing import Wish
    from needle.intake import bring_in

    return bring_in(paths, Wish(form, needle, model, language, date), out)


@cli.command()
@click.argument("name", default="")
@click.option("--vendor", help="Those of one vendor.")
@click.option("--window", help="Those whose window holds so many tokens, such as 128k.")
@click.option("--all", "also_retired", is_flag=True, help="Also those no longer served.")
@click.option("--json", "as_json", is_flag=True, help="All that is known, with its sources.")
def models(
    name: str, vendor: str | None, window: str | None, also_retired: bool, as_json: bool
) -> int:
    """List the models known by name, or those whose name holds NAME."""
    from needle.catalogue import list_models

    return list_models(name, vendor, window, also_retired=also_retired, as_json=as_json)


@cli.group()
def haystacks() -> None:
    """List the haystacks at hand, or fetch public ones."""


@haystacks.command("list")
def list_() -> int:
    """List the haystacks at hand, and those that can be fetched."""
    from needle.listing import list_haystacks_at_hand

    return list_haystacks_at_hand()


@haystacks.command()
@click.argument("name")
@click.option(
    "--mirror", help="Another address of the same files, for where theirs is out of reach."
)
def fetch(name: str, mirror: str | None) -> int:
    """Download paul-graham, journey-to-the-west or story-of-the-stone into the user's cache."""
    from needle.fetch import fetch_haystack

    folder = fetch_haystack(name, mirror=mirror, report=click.echo)
    click.echo(f"use it: needle plan --model sim/reader --haystack {folder.name}")
    return 0


@cli.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--model", "-m", multiple=True, help="Send this model one tiny request.")
@click.option("--base-url", multiple=True, help="Its endpoint, where the catalogue has none.")
@click.option("--timeout", "timeout_s", help="Seconds to wait for the reply (default 120).")
@no_keys
def check(files: tuple[Path, ...], **options: Any) -> int:
    """Check a model's endpoint, or vendors, recipes, needles, prompts and haystacks of your own."""
    if not (files or options["model"]):
        raise UsageError("check what? name FILES (YAML, or a haystack's folder) or a --model")
    if files:
        from needle.listing import check_files

        check_files(files)
    if not options["model"]:
        return 0
    from needle.checkup import check_models

    return check_models(gather(options))


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes any free one.")
@click.option("--seed", type=int, default=0, help="What surfaces and faults are drawn from.")
@click.option("--window", type=click.IntRange(1), help="A window for every model, in tokens.")
@click.option(
    "--faults", default="", help="Shares such as rate_limit=0.1,drop=0.05 (docs/simulator.md)."
)
@click.option("--key", help="Refuse every other key with 401.")
@click.option(
    "--latency", type=click.FloatRange(0), default=0.0, help="Seconds before each answer."
)
@click.option("--with-parent", is_flag=True, hidden=True)
def simulate(
    port: int,
    seed: int,
    window: int | None,
    faults: str,
    key: str | None,
    latency: float,
    with_parent: bool,
) -> int:
    """Serve the simulated models on loopback, with faults if you like, until Ctrl-C."""
    from needle.faults import parse_faults
    from needle.simulator import serve

    serve(port, seed, window, parse_faults(faults), key, with_parent, latency)
    return 0


def main() -> NoReturn:
    """Run the command line: the one place that turns an error into a line and a status."""
    sys.exit(_run())


def _run() -> int:
    try:
        return int(cli(standalone_mode=False) or 0)
    except NeedleError as error:
        return _end(str(error), error.exit_status)
    except click.UsageError as error:
        return _end(_describe_usage(error), EXIT_USAGE)
    except click.ClickException as error:
        return _end(error.format_message(), EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _end("interrupted; what is done is kept", EXIT_INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EFBIG, errno.EDQUOT):
            raise
        place = f" {error.filename}" if error.filename else ""
        return _end(f"can't write{place}: {(error.strerror or '').lower()}", EXIT_USAGE)


def _end(message: str, status: int) -> int:
    click.echo(f"needle: {' '.join(message.split())}", err=True)
    return status


def _describe_usage(error: click.UsageError) -> str:
    message = error.format_message().rstrip(".")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return "no command given"
    where = f" ({error.ctx.command_path} --help)" if error.ctx else ""
    return f"{message}{where}"
