"""The commands around runs: models, haystacks, checks, and the simulated endpoint."""

from pathlib import Path
from typing import Any

import click

from needle.commands.options import gather, no_keys
from needle.words.errors import UsageError


@click.command()
@click.argument("name", default="")
@click.option("--vendor", help="Those of one vendor.")
@click.option("--window", help="Those whose window holds so many tokens, such as 128k.")
@click.option("--all", "also_retired", is_flag=True, help="Also those no longer served.")
@click.option("--json", "as_json", is_flag=True, help="All that is known, with its sources.")
def models(
    name: str, vendor: str | None, window: str | None, also_retired: bool, as_json: bool
) -> int:
    """List the models known by name, or those whose name holds NAME."""
    from needle.commands.catalogue import list_models

    return list_models(name, vendor, window, also_retired=also_retired, as_json=as_json)


@click.group()
def haystacks() -> None:
    """List the haystacks at hand, or fetch public ones."""


@haystacks.command("list")
def list_() -> int:
    """List the haystacks at hand, and those that can be fetched."""
    from needle.commands.listing import list_haystacks_at_hand

    return list_haystacks_at_hand()


@haystacks.command()
@click.argument("name")
@click.option(
    "--mirror", help="Another address of the same files, for where theirs is out of reach."
)
def fetch(name: str, mirror: str | None) -> int:
    """Download paul-graham, journey-to-the-west or story-of-the-stone into the user's cache."""
    from needle.edges.fetch import fetch_haystack

    folder = fetch_haystack(name, mirror=mirror, report=click.echo)
    click.echo(f"use it: needle plan --model sim/reader --haystack {folder.name}")
    return 0


@click.command()
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
        from needle.commands.listing import check_files

        check_files(files)
    if not options["model"]:
        return 0
    from needle.commands.checkup import check_models

    return check_models(gather(options))


@click.command()
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
@click.option(
    "--cache", default="none", help="A prompt cache by a vendor's rules (docs/simulator.md)."
)
@click.option(
    "--as",
    "names",
    multiple=True,
    metavar="NAME=MODEL",
    help="Answer as NAME by a simulated model too, such as gpt-4-turbo=sim/window.",
)
@click.option("--with-parent", is_flag=True, hidden=True)
def simulate(
    port: int,
    seed: int,
    window: int | None,
    faults: str,
    key: str | None,
    latency: float,
    cache: str,
    with_parent: bool,
    names: tuple[str, ...],
) -> int:
    """Serve the simulated models on loopback, with faults if you like, until Ctrl-C."""
    from needle.runs.replies import read_names
    from needle.runs.simulator import serve
    from needle.simulated.faults import parse_faults

    known = read_names(names)
    serve(port, seed, window, parse_faults(faults), key, with_parent, latency, cache, known)
    return 0
