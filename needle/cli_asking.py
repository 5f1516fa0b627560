"""The commands that plan and carry out runs. Each imports what it needs when it is called."""

from pathlib import Path
from typing import Any

import click

from needle.options import gather, limits_options, no_keys, out_option, run_options


@click.command()
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


@click.command()
@run_options
@out_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(**options: Any) -> int:
    """Show a run's trials, tokens, money and time; send nothing."""
    from needle.commands import show_plans

    extra = {name: options.pop(name) for name in ("as_json", "out")}
    return show_plans(options.pop("config"), gather(options), **extra)


@click.command()
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


@click.command()
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
