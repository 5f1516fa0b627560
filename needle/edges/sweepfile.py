"""A sweep's file: what many runs have in common, and the models with what is each one's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from needle.edges.config import Names, Recipe, lay_over
from needle.edges.files import check_record, read_yaml
from needle.words.errors import UsageError
from needle.words.tariffs import STRICT

_OWN = ("key", "apart")
_OF_ALL = ("models", "budget", "rate")


def _read_variable(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[A-Z_][A-Z0-9_]*", value):
        raise ValueError(  # the value is not told: it may be a key
            "key must be the name of the variable that holds it, such as MY_SERVER_KEY, "
            "never the key itself"
        )
    return value


def _read_entry(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


Variable = Annotated[str, BeforeValidator(_read_variable)]


@dataclass(frozen=True)
class _Entry(Recipe):
    """One of the models, with any of a recipe's keys for its run alone."""

    key: Variable | None = None
    apart: bool = False

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class _File(Recipe):
    """The file: a recipe's keys for all runs, and ``models`` in place of ``model``."""

    models: tuple[Annotated[_Entry, BeforeValidator(_read_entry)], ...] = ()
    budget: str | None = None
    rate: Names = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a sweep: its recipe, which holds one model, and where it stands in the file.

    ``told`` says whether the file names the language. ``key`` names the variable of its key, None
    for the catalogue's. What is ``apart`` shares no limits with other runs at its endpoint.
    """

    recipe: Recipe
    told: bool
    key: str | None
    apart: bool
    place: str

    @property
    def model(self) -> str:
        """The model's name."""
        return self.recipe.model[0]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Many runs, and what they may cost together."""

    entries: tuple[Entry, ...]
    budget: str | None
    rate: tuple[str, ...]


def read_sweep(path: Path) -> Sweep:
    """Read a sweep's file; raise UsageError with the place in it for whatever is wrong."""
    data = read_yaml(path, "FILE")
    file = check_record(_File, data, str(path))
    for name in ("model", "base_url"):
        if name in data:
            raise UsageError(f"{name!r} is each model's own ({path}: {name}): put it into models")
    if not file.models:
        raise UsageError(f"which models? ({path}: models): name at least one")
    common = {name: value for name, value in data.items() if name not in _OF_ALL}
    entries = tuple(
        _make_entry(common, _read_entry(raw), entry, str(path), number)
        for number, (raw, entry) in enumerate(zip(data["models"], file.models, strict=True))
    )
    return Sweep(entries, file.budget, file.rate)


def _make_entry(
    common: Mapping[str, Any], raw: Any, entry: _Entry, path: str, number: int
) -> Entry:
    place = f"{path}: models[{number}]"
    if len(entry.model) != 1:
        raise UsageError(
            f"each of the models has one name, got {len(entry.model)} ({place}.model): "
            f"give each an entry of its own"
        )
    if len(entry.base_url) > 1:
        raise UsageError(
            f"a model has one address, got {len(entry.base_url)} ({place}.base_url): give one, "
            f"such as that of a balancer before them (docs/sweep.md)"
        )
    own = {name: value for name, value in raw.items() if name not in _OWN}
    recipe = lay_over(common, own, path, place)
    told = "language" in common or "language" in own
    return Entry(recipe, told, entry.key, entry.apart, place)
