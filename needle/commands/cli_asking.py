"""The commands that plan and carry out runs. Each imports what it needs when it is called."""

from pathlib import Path
from typing import Any

import click

from needle.commands.options import (
    budget_options,
    gather,
    idle_options,
    limits_options,
    no_keys,
    out_option,
    run_options,
)


@click.command()
@run_options
@out_option
@budget_options
@click.option("--again", is_flag=True, help="Pay anew for a run that is finished.")
@click.option("--faults", help="Faults of the simulated endpoint (needle simulate --help).")
@click.option("--yes", is_flag=True, help="Don't ask before sending.")
def run(**options: Any) -> int:
    """Carry out a run: plan, ask, store, score, and draw its heatmaps."""
    from needle.commands.running import make_runs

    names = ("out", "budget", "rate", "again", "faults", "yes")
    extra = {name: options.pop(name) for name in names}
    status, _ = make_runs(options.pop("config"), gather(options), **extra)
    return status


@click.command()
@run_options
@out_option
@budget_options
@idle_options("--again", "--faults", "--yes")
@click.option("--strategies", is_flag=True, help="And what other ways to ask would cost.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(**options: Any) -> int:
    """Show a run's trials, tokens, money and time; send nothing."""
    from needle.commands.planning import show_plans

    extra = {name: options.pop(name) for name in ("as_json", "out", "strategies", "budget", "rate")}
    return show_plans(options.pop("config"), gather(options), **extra)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@out_option
@click.option("--budget", help="Never spend more, all runs together: 20CNY, 5USD or 2Mtok.")
@click.option("--rate", multiple=True, help="For a budget in another currency: USD/CNY=7.1.")
@click.option("--plan", "only_plan", is_flag=True, help="Show all plans and send nothing.")
@click.option("--yes", is_flag=True, help="Don't ask before sending.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="local (default), or ray: workers on a Ray cluster ask.",
)
@click.option("--workers", type=click.IntRange(1), help="Ray workers (default one a machine).")
@click.option("--address", help="The Ray cluster, such as auto (default one on this machine).")
@no_keys
def sweep(**options: Any) -> int:
    """Carry out the many runs of FILE side by side, or go on with them (docs/sweep.md)."""
    from needle.commands.sweeping import Workers, run_sweep

    workers = Workers(*(options.pop(name) for name in ("engine", "workers", "address")))
    return run_sweep(options.pop("file"), workers=workers, **options)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--concurrency", type=click.IntRange(1), help="Requests in flight at once.")
@click.option("--budget", help="Never spend more, what is spent already included.")
@click.option("--rate", multiple=True, help="For a budget in another currency: USD/CNY=7.1.")
@limits_options
@click.option("--failed", is_flag=True, help="Also ask again what can't pass by itself.")
@click.option("--batched", is_flag=True, help="Also ask what an open batch may still answer.")
@click.option("--base-url", help="The same endpoint at another address.")
@no_keys
def resume(**options: Any) -> int:
    """Go on with a run folder: ask only what has no reply yet."""
    from needle.commands.running import resume_run

    names = ("run", "concurrency", "budget", "rate", "failed", "batched", "base_url")
    extra = {name: options.pop(name) for name in names}
    return resume_run(extra.pop("run"), gather(options), **extra)


@click.command()
@run_options
@out_option
@idle_options("--budget", "--rate", "--again", "--faults", "--yes")
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
    from needle.commands.listing import print_prompt

    names = ("length", "depth", "replicate", "control", "as_json", "out")
    extra = {name: options.pop(name) for name in names}
    return print_prompt(options.pop("config"), gather(options), **extra)


@click.group()
def batch() -> None:
    """Ask in batch files: at a vendor's lower price, or on your own cluster (docs/batches.md)."""


@batch.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@run_options
@out_option
@click.option("--file-tokens", help="At most so many tokens a file, such as 2M.")
@click.option("--failed", is_flag=True, help="Also ask again what can't pass by itself.")
@click.option("--again", is_flag=True, help="Make a further run of one that is finished.")
def write(**options: Any) -> int:
    """Write the requests of a run into batch files: RUN's, or those the options say."""
    from needle.commands.batch_commands import write_files

    names = ("run", "config", "out", "again", "failed", "file_tokens")
    extra = {name: options.pop(name) for name in names}
    return write_files(said=gather(options), **extra)


@batch.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1)
@click.option("--budget", help="Never spend more, what is spent already included.")
@click.option("--rate", multiple=True, help="For a budget in another currency: USD/CNY=7.1.")
@click.option("--yes", is_flag=True, help="Don't ask before sending.")
@no_keys
def submit(run: Path, files: tuple[str, ...], **options: Any) -> int:
    """Send RUN's batch files to its vendor: all that are not sent yet, or FILES."""
    from needle.commands.batch_commands import submit as send

    return send(run, files, **options)


@batch.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--wait", is_flag=True, help="Look again each minute until all have ended.")
@no_keys
def status(run: Path, wait: bool) -> int:
    """Show how far RUN's batches have come."""
    from needle.commands.batch_commands import show_status

    return show_status(run, wait)


@batch.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@no_keys
def collect(run: Path, files: tuple[Path, ...]) -> int:
    """Store what RUN's batches have answered, or the FILES that your own server wrote; draw it."""
    from needle.commands.batch_commands import collect as bring_in

    return bring_in(run, files)
