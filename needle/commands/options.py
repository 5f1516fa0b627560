"""The options that say what a run is, and what the command line said in a recipe's shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_GROUPS = {
    "grid": ("lengths", "length_count", "depths", "depth_count", "spacing"),
    "limits": ("tier", "requests_a_minute", "tokens_a_minute", "tokens_a_day"),
    "card": ("tflops", "utilisation"),
}
DEFAULT_OUT = Path("runs")
_REPEATABLE = ("model", "haystack", "base_url")


def _refuse_key(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        from needle.edges.credentials import refuse_key

        refuse_key(param.opts[0])


def no_keys(command: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a key as an option's value, without repeating it."""
    option = click.option(
        "--api-key", "--key", hidden=True, expose_value=False, callback=_refuse_key
    )
    return option(command)


def out_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the folder of run folders."""
    option = click.option(
        "--out",
        type=click.Path(path_type=Path),
        default=DEFAULT_OUT,
        help="The folder of run folders (default runs/).",
    )
    return option(command)


def budget_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a command's models may spend together."""
    options = (
        click.option(
            "--budget", help="Never spend more, all models together: 20CNY, 5USD or 2Mtok."
        ),
        click.option(
            "--rate", multiple=True, help="For a budget in another currency: USD/CNY=7.1."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def idle_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Take options of ``needle run`` that mean nothing here, so that its line can be said again."""

    def take(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            flag = name in ("--again", "--yes")
            option = click.option(name, is_flag=flag, hidden=True, expose_value=False)
            command = option(command)
        return command

    return take


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what a run is; each default is the recipe's."""
    options = (
        click.option(
            "--model", "-m", multiple=True, help="A model's name; several make several runs."
        ),
        click.option(
            "--config", type=click.Path(path_type=Path), help="A recipe in YAML (configs/runs/)."
        ),
        click.option("--language", help="en, zh or both (default both)."),
        click.option("--task", help="Tasks, separated by commas: docs/tasks.md (default single)."),
        click.option("--grid", help="default, published or full."),
        click.option("--lengths", help="Context lengths, such as 1k,8k,32k,128k."),
        click.option("--length-count", help="So many evenly spaced lengths instead."),
        click.option("--depths", help="Depths in percent, such as 0,25,50,75,100."),
        click.option("--depth-count", help="So many depths instead."),
        click.option("--spacing", help="linear or sigmoid depths."),
        click.option("--unit", help="tokens or hanzi (Chinese characters)."),
        click.option(
            "--count",
            help="Whose tokens lengths are in: common (ours) or vendor (docs/counting.md).",
        ),
        click.option("--tokenizer", help="o200k_base, cl100k_base, or a tokenizer.json's path."),
        click.option("--needle", help="A needle's name or YAML file (default the task's own)."),
        click.option("--facts", help="Facts of a multi needle, 2 to 10 (default 4)."),
        click.option("--distractors", help="Sentences like the needle's, 1 to 8 (default 4)."),
        click.option("--hops", help="Facts of a chain, 2 to 5 (default 3)."),
        click.option(
            "--controls",
            help="all (default) or none: also ask without the needle, and without any text.",
        ),
        click.option(
            "--layout",
            help="classic (default), or shared: all depths of a length in one context "
            "(docs/layouts.md).",
        ),
        click.option(
            "--adaptive/--no-adaptive",
            default=None,
            help="Ask the core of the grid, then what tells most (docs/adaptive.md).",
        ),
        click.option(
            "--haystack", multiple=True, help="A haystack's name or folder (default essays)."
        ),
        click.option("--prompt", help="A prompt's name or YAML file (default plain)."),
        click.option("--replicates", help="Different needles and haystack offsets (default 1)."),
        click.option("--seed", help="What is drawn, is drawn from it (default 0)."),
        click.option(
            "--base-url",
            multiple=True,
            help="Any OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1; "
            "MODEL=URL is one model's.",
        ),
        click.option("--window", help="The model's window in tokens, where it is not known."),
        click.option("--reply-tokens", help="Tokens for the reply (default 256)."),
        click.option("--temperature", help="Sampling temperature (default 0 where taken)."),
        click.option(
            "--stream/--no-stream", default=None, help="Ask for the reply in a stream or whole."
        ),
        click.option("--timeout", "timeout_s", help="Seconds to wait for one reply (default 600)."),
        click.option("--concurrency", help="Requests in flight at once."),
        click.option(
            "--cache",
            help="none: send as planned, without marks. For a sim/ model: whose prompt cache it "
            "plays (docs/caches.md).",
        ),
        *_scorer_options(),
        *_limits_options(),
        click.option("--params", help="A self-hosted model's parameters, such as 200e9."),
        click.option("--card-tflops", "tflops", help="A card's peak, in TFLOPS."),
        click.option("--card-utilisation", "utilisation", help="The share used, such as 0.3."),
    )
    for option in reversed(options):
        command = option(command)
    return no_keys(command)


def _scorer_options() -> tuple[Callable[..., Any], ...]:
    return (
        click.option(
            "--scorer", help="keyword, exact or judge; several by commas, the first is drawn."
        ),
        click.option("--judge-model", help="The model that judges, for --scorer judge."),
        click.option("--judge-base-url", help="The judge's endpoint, where it is not known."),
    )


def scorer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say who scores."""
    for option in reversed(_scorer_options()):
        command = option(command)
    return command


def _limits_options() -> tuple[Callable[..., Any], ...]:
    return (
        click.option("--tier", help="Your tier at the vendor, for its limits (docs/vendors.md)."),
        click.option("--rpm", "requests_a_minute", help="Requests a minute, at the most."),
        click.option(
            "--tpm", "tokens_a_minute", help="Tokens a minute, prompt and reserved reply."
        ),
        click.option("--tpd", "tokens_a_day", help="Tokens a day."),
    )


def limits_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name the user's limits at the vendor."""
    for option in reversed(_limits_options()):
        command = option(command)
    return command


def figure_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how figures are written."""
    options = (
        click.option(
            "--format", "form", help="png, svg, pdf: several by commas (default the style's)."
        ),
        click.option("--dpi", type=int, help="A PNG's dots per inch, 50-1200."),
        click.option(
            "--palette",
            type=click.Choice(["published", "safe"]),
            default="published",
            help="published (default), or safe: one that colour-blind readers can tell apart.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def gather(options: dict[str, Any]) -> dict[str, Any]:
    """Return what the command line said, in a recipe's shape."""
    said: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or value == ():
            continue
        group = next((group for group, names in _GROUPS.items() if name in names), None)
        if name == "grid":
            said.setdefault("grid", {})["name"] = value
        elif group is not None:
            said.setdefault(group, {})[name] = value
        else:
            said[name] = list(value) if name in _REPEATABLE else value
    return said
