"""Weighing the ways to ask a run: each is planned, and its prompts reckoned with a cache."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from needle.asking.strategies import (
    ADAPTIVE,
    FEWEST,
    MORE_REPLICATES,
    SHARED,
    SHARED_OR_ADAPTIVE,
    Name,
    Strategy,
    count_further_layers,
    list_edge,
    price_strategy,
)
from needle.caching import ordering
from needle.caching.chains import Step
from needle.caching.reckoning import reckon, send_row_by_row
from needle.edges.config import Recipe
from needle.runs.prepare import Prepared
from needle.runs.rounds import list_due, list_streams
from needle.words.errors import UsageError, known
from needle.words.types import Layout, Trial


def weigh(recipe: Recipe, prepare: Callable[[Recipe], Prepared]) -> tuple[Strategy, ...]:
    """Return what each way to ask a recipe would cost, the usual one first: classic, row by row.

    ``prepare`` prepares a recipe's run for the model in question. The uniform ways have the
    recipe's replicates, the adaptive ones as many as give the same certainty of the effective
    length (docs/strategies.md). A way that can't be had says why.
    """

    def make(layout: Layout, adaptive: bool, replicates: int) -> Prepared:
        return prepare(replace(recipe, layout=layout, adaptive=adaptive, replicates=replicates))

    uniform = recipe.replicates
    classic = make("classic", adaptive=False, replicates=uniform)
    plain = send_row_by_row(classic.plan.trials)
    found = [
        _price("row by row", classic, plain, told=False),
        _price("classic", classic, _order(classic)),
    ]
    price, batches = classic.run.model.price, classic.run.model.batch
    if price is not None and price.batch_input is not None and batches is not None:
        found.append(_price("batch", classic, plain))
    for name in SHARED_OR_ADAPTIVE:
        replicates = math.ceil(uniform * MORE_REPLICATES.get(name, 1.0))
        layout: Layout = "shared" if name in SHARED else "classic"
        try:
            if name in ADAPTIVE:
                _refuse_few(replicates)
            prepared = make(layout, name in ADAPTIVE, replicates)
        except UsageError as error:
            found.append(Strategy(name, replicates, why_not=str(error)))
            continue
        steps = foresee(prepared, name, uniform) if name in ADAPTIVE else _order(prepared)
        found.append(_price(name, prepared, steps))
    return _compare(found)


def _refuse_few(replicates: int) -> None:
    if replicates < FEWEST:
        raise UsageError(
            f"{replicates} replicates can't put a length above 85.6% with certainty, {FEWEST} can "
            f"(--replicates)"
        )


def _order(prepared: Prepared) -> Sequence[Step]:
    """Return a run's steps in the order, and with the marks, that needle sends them in."""
    run = prepared.run
    return ordering.arrange(
        prepared.plan.trials, run.templates, run.model.cache, known(run.concurrency), run.limits
    )


def foresee(prepared: Prepared, name: Name, uniform: int) -> list[Step]:
    """Return the steps of an adaptive run on a model that fails half way along the lengths.

    First what is due before anything is known, then layer after layer at the lengths round the
    effective one, until they give the certainty of a ``uniform`` run of so many replicates.
    """
    run = prepared.run
    steps = {step.trial.key: step for step in _order(prepared)}
    turns = {key: number for number, key in enumerate(steps)}
    sent = _sort(list_due(prepared, {}), turns)
    layers = count_further_layers(name, uniform, run.replicates, len(run.grid.depths))
    for layer in range(1, layers + 1):
        for number in list_edge(len(run.grid.lengths)):
            for _, _, columns in list_streams(prepared):
                sent += _sort(columns[number][layer], turns)
    return [steps[trial.key] for trial in sent]


def _sort(trials: Sequence[Trial], turns: Mapping[str, int]) -> list[Trial]:
    return sorted(trials, key=lambda trial: turns[trial.key])


def _price(name: Name, prepared: Prepared, steps: Sequence[Step], told: bool = True) -> Strategy:
    run = prepared.run
    served = reckon(steps, run.templates, run.model.cache, told)
    return price_strategy(name, run.replicates, served, run.model.price, known(run.reply_tokens))


def _compare(found: Sequence[Strategy]) -> tuple[Strategy, ...]:
    """Return strategies with their shares of the first one's bill."""
    first = found[0]
    return tuple(one if one.why_not else replace(one, share=_divide(one, first)) for one in found)


def _divide(one: Strategy, first: Strategy) -> float | None:
    if one.money is None or not first.money:
        return one.in_full / first.in_full if first.in_full else None
    return one.money / first.money
