"""What the commands that show things do: haystacks, one trial's prompt, checks."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from needle.asking.outcomes import describe_trial
from needle.contexts.grid import format_length
from needle.contexts.prompts import build_messages, choose_template
from needle.edges.config import (
    Recipe,
    load_template,
    read_recipe,
)
from needle.edges.corpus import find_haystacks, list_haystacks, read_folder
from needle.edges.files import read_yaml
from needle.edges.models import check_vendor_file
from needle.edges.needlefiles import load_needle_source
from needle.edges.tokens import HANZI, load_counting
from needle.runs.prepare import Prepared, prepare
from needle.runs.probing import describe_ratio, fit_from_earlier
from needle.runs.writing import passage_reader
from needle.words.errors import UsageError
from needle.words.types import Message, Trial

_NO_MODEL = "no-model"
_DEPTHS = ("depths", "depth_count")


def list_haystacks_at_hand() -> int:
    """List the haystacks at hand with their sizes, and those that can be fetched."""
    from needle.edges.fetch import list_fetchable, read_origin

    tokens = load_counting("o200k_base")
    at_hand = set()
    for name, language, folder in list_haystacks():
        haystack = read_folder(folder, name, language)
        text = "\n\n".join(text for _, text in haystack.files)
        at_hand.add(name)
        size = f"{format_length(tokens.count(text))} tokens (o200k_base)"
        if language == "zh":
            size += f", {format_length(HANZI.count(text))} hanzi"
        click.echo(f"{name} ({language}): {len(haystack.files)} files, {size}")
    for name in list_fetchable():
        if name not in at_hand:
            click.echo(f"{name}: {read_origin(name).title}; needle haystacks fetch {name}")
    return 0


def print_prompt(
    config: Path | None,
    said: Mapping[str, Any],
    length: str,
    depth: str,
    replicate: int,
    control: str | None,
    as_json: bool,
    out: Path,
) -> int:
    """Print one trial's exact prompt, or its messages, counts, depth and keys as JSON.

    A control is that of the length without the needle, or the one without any text.
    """
    recipe, prepared = _prepare_one(config, said, length, depth, replicate)
    prepared = fit_from_earlier(prepared, out)
    trial = _choose_trial(prepared, depth, replicate, control)
    template = choose_template(prepared.run.templates, trial.task, trial.language)
    messages = build_messages(trial, template, passage_reader(prepared)(trial))
    if as_json:
        record = _prompt_record(recipe, prepared, trial, messages)
        click.echo(json.dumps(record, ensure_ascii=False, indent=1))
        return 0
    for message in messages:
        click.echo(f"[{message['role']}]\n{message['content']}\n")
    return 0


def _choose_trial(prepared: Prepared, depth: str, replicate: int, control: str | None) -> Trial:
    """Return the trial asked for: of several needles the one at the depth."""
    lengths = prepared.run.grid.lengths
    trials = [t for t in prepared.plan.trials if t.replicate == replicate]
    here = [t for t in trials if t.context_length in lengths]
    cell = next((t for t in here if t.depth_percent == float(depth)), None)
    if cell is None:
        depths = ", ".join(f"{each:g}" for each in prepared.run.grid.depths)
        raise UsageError(
            f"no needle is planted at {depth}% (--depth): a shared context has them at {depths} "
            f"(--depths names others)"
        )
    if control == "no_haystack":
        return next(t for t in trials if (t.control, t.needle) == (control, cell.needle))
    return cell if control is None else next(t for t in here if t.control == control)


def _prepare_one(
    config: Path | None, said: Mapping[str, Any], length: str, depth: str, replicate: int
) -> tuple[Recipe, Prepared]:
    grid = {"lengths": [length], "depths": [depth]}
    asked = {**said, "grid": {**said.get("grid", {}), **grid}}
    asked["grid"].pop("length_count", None)
    asked["grid"].pop("depth_count", None)
    recipe = read_recipe(config, asked)
    if recipe.layout == "shared":  # its prompts hold the needles of all depths
        del asked["grid"]["depths"]
        given = {name: said["grid"][name] for name in _DEPTHS if name in said.get("grid", {})}
        recipe = read_recipe(config, {**asked, "grid": {**asked["grid"], **given}})
    if "language" not in said and recipe.language == "both":
        recipe = replace(recipe, language="zh" if recipe.unit == "hanzi" else "en")
        haystacks = find_haystacks(recipe.haystack)
        if recipe.language not in haystacks:
            recipe = replace(recipe, language=next(iter(haystacks)))
    if recipe.language == "both":
        raise UsageError("one prompt is in one language (--language): say en or zh")
    if len(recipe.task) > 1:
        raise UsageError(f"one prompt is of one task (--task): say {' or '.join(recipe.task)}")
    recipe = replace(recipe, replicates=max(recipe.replicates, replicate + 1), controls="all")
    recipe = replace(recipe, adaptive=False)  # which has few controls; prompts are the same
    if not recipe.model:
        recipe = replace(recipe, base_url=recipe.base_url or ("http://127.0.0.1/v1",))
    name = recipe.model[0] if recipe.model else _NO_MODEL
    today = datetime.now(UTC).astimezone().date().isoformat()
    return recipe, prepare(recipe, told_language=True, model_name=name, date=today)


def _prompt_record(
    recipe: Recipe, prepared: Prepared, trial: Trial, messages: list[Message]
) -> dict[str, Any]:
    """Return all that is known of a trial; its key only where a model was named."""
    count = load_counting(recipe.tokenizer).count
    note = prepared.run.haystacks[trial.text_language]
    template = choose_template(prepared.run.templates, trial.task, trial.language)
    unnamed = {} if recipe.model else {"trial": None, "model": None}
    return {
        **describe_trial(trial),
        **unnamed,
        "question": trial.needle.question,
        "answers": [list(group) for group in trial.needle.answers],
        "separator": template.separator,
        "haystack_sha256": note.sha256 if trial.cut else None,
        "passes": note.passes if trial.cut else None,
        "hanzi": trial.context_units if trial.unit == "hanzi" else None,
        "count": "common" if trial.vendor_tokens is None else "vendor",
        "vendor_tokens": trial.vendor_tokens,
        "vendor_count": describe_ratio(prepared.run).get(trial.text_language),
        "message_tokens": [count(message["content"]) for message in messages],
        "messages": messages,
    }


def check_files(paths: tuple[Path, ...]) -> int:
    """Check recipes, needles, prompts and haystack folders; the first fault is an error."""
    for path in paths:
        click.echo(f"{path}: {_check(path)}")
    return 0


def _check(path: Path) -> str:
    if path.is_dir():
        haystack = next(iter(find_haystacks((str(path),)).values()))
        return f"a haystack of {len(haystack.files)} files, {haystack.language}"
    data = read_yaml(path, "FILE")
    if "variants" in data:
        source = load_needle_source(str(path))
        return f"the needle {source.name!r}, task {source.task}"
    if "languages" in data:
        for language in data["languages"]:
            load_template(str(path), language)
        return f"the prompt {data.get('name')!r}"
    if "vendor" in data:
        vendor = check_vendor_file(path)
        return f"the vendor {vendor.vendor!r}, {len(vendor.models)} models"
    read_recipe(path, {})
    return "a recipe"
