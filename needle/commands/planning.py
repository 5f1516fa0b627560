"""What ``needle plan`` does: a run told in figures, and what other ways to ask would cost."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from needle.asking.budget import TOKENS, Budget, Rates, convert, parse_budget, parse_rates
from needle.asking.strategies import ADAPTIVE, AT_EDGE, SHARED, Strategy
from needle.commands.running import prepare_models, say_judging
from needle.commands.showing import DONE
from needle.edges.config import Card, Recipe
from needle.runs.prepare import Prepared, prepare
from needle.runs.probing import fit_from_earlier
from needle.runs.summary import describe_plan, plan_record
from needle.runs.weighing import weigh


def show_plans(
    config: Path | None,
    said: Mapping[str, Any],
    as_json: bool,
    out: Path,
    strategies: bool,
    budget: str | None,
    rate: tuple[str, ...],
) -> int:
    """Print each model's plan, and what other ways to ask it would cost; nothing is sent."""
    recipe, ready = prepare_models(config, said)
    ready = [fit_from_earlier(prepared, out) for prepared in ready]
    rates = parse_rates(rate)
    shares = _weigh_budget(parse_budget(budget), rates, ready) if budget else None
    told = "language" in said
    weighed = [_weigh(recipe, told, prepared, out) if strategies else () for prepared in ready]
    if as_json:
        records = [
            plan_record(prepared, recipe.card)
            | ({"strategies": list(map(asdict, ways))} if strategies else {})
            for prepared, ways in zip(ready, weighed, strict=True)
        ]
        for record, share in zip(records, shares or (), strict=bool(shares)):
            record["budget_share"] = share if math.isfinite(share) else None
        click.echo(json.dumps(records, ensure_ascii=False, indent=1))
        return DONE
    for prepared, ways in zip(ready, weighed, strict=True):
        show_plan(prepared, recipe.card)
        if ways:
            _print_strategies(prepared, ways)
    if budget and shares:
        click.echo(_describe_budget(parse_budget(budget), sum(shares)))
    return DONE


def _weigh_budget(whole: Budget, rates: Rates, ready: Sequence[Prepared]) -> list[float]:
    """Return the share of a budget that each run takes with every reply at its longest."""
    shares = []
    for prepared in ready:
        record, model = plan_record(prepared), prepared.run.model
        cap = convert(whole, model.price, rates, model.name)
        tokens = record["prompt_tokens"] + record["reply_tokens_at_most"]
        amount = tokens if cap.of == TOKENS else record["money"]["amount"]
        shares.append(amount / cap.amount if cap.amount else math.inf)
    return shares


def _describe_budget(whole: Budget, share: float) -> str:
    """Say whether a budget holds all that is planned."""
    if share <= 1:
        return f"budget: {whole}, of which this takes about {share:.0%} at the most"
    return (
        f"budget: {whole}, about {1 / share:.0%} of what this may take: the run would stop there, "
        f"to be resumed"
    )


def show_plan(prepared: Prepared, card: Card | None) -> None:
    """Print one model's plan."""
    click.echo(describe_plan(prepared, card))
    say_judging(prepared, err=False)
    for note in prepared.notes:
        click.echo(f"note: {note}")


def _weigh(recipe: Recipe, told: bool, prepared: Prepared, out: Path) -> tuple[Strategy, ...]:
    today = datetime.now(UTC).astimezone().date().isoformat()
    name = prepared.run.model.name

    def prepare_way(way: Recipe) -> Prepared:
        if way == recipe:  # the run at hand: it is planned already
            return prepared
        return fit_from_earlier(prepare(way, told, name, today), out)

    return weigh(recipe, prepare_way)


def _print_strategies(prepared: Prepared, ways: Sequence[Strategy]) -> None:
    """Print a table of strategies, and what it rests on."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    price, cache = prepared.run.model.price, prepared.run.model.cache
    heads = ["strategy", "replicates", "trials", "tokens in", "read in full"]
    table = Table(box=SIMPLE_HEAD, show_header=True, pad_edge=False)
    for number, head in enumerate([*heads, *([price.currency] if price else []), "share"]):
        table.add_column(head, justify="right" if number else "left")
    for way in (way for way in ways if way.why_not is None):
        money = [] if way.money is None else [f"{way.money:,.2f}"]
        share = "" if way.share is None else f"{way.share:.1%}"
        size = (f"{way.trials:,}", f"{way.prompt_tokens:,}", f"{way.in_full:,.0f}")
        table.add_row(way.name, str(way.replicates), *size, *money, share)
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)
    if cache.kind == "unknown":
        click.echo("how this endpoint keeps prompts is not known: no cache is counted on")
    if any(way.name in ADAPTIVE and way.why_not is None for way in ways):
        click.echo(
            f"adaptive: reckoned for a model that fails half way along the lengths, asked "
            f"further at {AT_EDGE} lengths there, for the same interval of the effective length "
            f"(docs/strategies.md)"
        )
    if any(way.name in SHARED and way.why_not is None for way in ways):
        click.echo(
            "shared: each needle stands among others, which is another question than classic "
            "contexts ask (docs/layouts.md)"
        )
    had = [way for way in ways if way.share is not None]
    if had and (cheapest := min(had, key=lambda way: way.share or 0.0)) is not had[0]:
        click.echo(f"the cheapest here: {_write_options(cheapest)}")
    for way in ways:
        if way.why_not is not None:
            click.echo(f"{way.name}: not to be had: {way.why_not}")


def _write_options(way: Strategy) -> str:
    """Write the options that make a run a strategy's."""
    if way.name == "batch":
        return "needle batch write with the same options"
    adaptive = (f"--adaptive --replicates {way.replicates}",) if way.name in ADAPTIVE else ()
    layout = ("--layout shared",) if way.name in SHARED else ()
    return " ".join((*layout, *adaptive)) or "as it is"
