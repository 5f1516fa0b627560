"""A sweep's file: what is common, what is each model's own, and what is refused."""

from pathlib import Path

import pytest

from needle.edges.sweepfile import read_sweep
from needle.words.errors import UsageError
from needle.words.tariffs import Limits

COMMON = """
language: en
task: multi
facts: 3
grid: {name: published, depths: [0, 50]}
replicates: 2
limits: {requests_a_minute: 60, tokens_a_minute: 100k}
budget: 5USD
rate: USD/CNY=7
"""


def write(text: str) -> Path:
    path = Path("sweep.yaml")
    path.write_text(text, encoding="utf-8")
    return path


def test_each_model_has_what_is_common_and_its_own_over_it(alone: Path) -> None:
    """A model's keys go over the common ones, a grid's and limits' key by key, a task whole."""
    assert alone.is_dir()
    sweep = read_sweep(
        write(
            COMMON
            + """
models:
  - kimi-k2.6
  - model: any
    base_url: http://127.0.0.1:1/v1
    key: ANY_KEY
    apart: true
    language: both
    task: single
    grid: {depth_count: 3}
    limits: {tokens_a_minute: 5k}
"""
        )
    )
    first, second = sweep.entries
    assert (sweep.budget, sweep.rate) == ("5USD", ("USD/CNY=7",))
    assert (first.model, first.key, first.apart, first.told) == ("kimi-k2.6", None, False, True)
    assert (first.recipe.language, first.recipe.task, first.recipe.facts) == ("en", ("multi",), 3)
    assert first.recipe.grid.depths == (0, 50)
    assert (second.model, second.key, second.apart) == ("any", "ANY_KEY", True)
    assert second.recipe.base_url == ("http://127.0.0.1:1/v1",)
    assert (second.recipe.language, second.recipe.task) == ("both", ("single",))
    assert second.recipe.facts is None  # it is for a task that this model is not asked
    assert (second.recipe.grid.name, second.recipe.grid.depths) == ("published", None)
    assert second.recipe.grid.depth_count == 3
    said = second.recipe.limits
    assert Limits(None, said.requests_a_minute, said.tokens_a_minute) == Limits(None, 60, 5_000)


SECRET = "sk-Ab3/secret"

WRONG = {
    "a misspelt key": ("replicate: 2\nmodels: [a]", "did you mean 'replicates'"),
    "a misspelt key of a model": ("models: [{model: a, bas_url: x}]", "models[0].bas_url"),
    "a key in another's place": ("models: [{model: a, limits: {concurrency: 2}}]", "elsewhere"),
    "a key of a recipe's alone": ("model: a\nmodels: [b]", "put it into models"),
    "an address for all": ("base_url: http://x/v1\nmodels: [b]", "put it into models"),
    "no models": ("language: en", "name at least one"),
    "no name": ("models: [{language: en}]", "models[0].model"),
    "two names": ("models: [{model: 'a,b'}]", "models[0].model"),
    "two addresses": (
        "models: [{model: a, base_url: ['http://a/v1', 'http://b/v1']}]",
        "models[0].base_url",
    ),
    "a depth past 100": ("models: [{model: a, grid: {depths: [0, 120]}}]", "grid.depths[1]"),
    "a task that is none": ("models: [b, {model: a, task: triple}]", "models[1]"),
    "a list": ("- a", "mapping"),
    "a key itself": (f"models: [{{model: a, key: {SECRET}}}]", "name of the variable"),
    "a key by another name": (f"models: [{{model: a, api_key: {SECRET}}}]", "api_key"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_with_the_place(text: str, told: str, alone: Path) -> None:
    """What is wrong in a sweep's file is told in one line with its place, and no key."""
    assert alone.is_dir()
    with pytest.raises(UsageError) as caught:
        read_sweep(write(text))
    message = str(caught.value)
    assert told in message
    assert "sweep.yaml" in message
    assert SECRET not in message
    assert "\n" not in message
