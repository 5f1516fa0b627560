"""What ``needle models`` does: list and filter the models known by name."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import click

from needle.contexts.grid import format_length, parse_length
from needle.edges.models import (
    OWN_FOLDER,
    ModelEntry,
    Vendor,
    load_vendors,
    own_folders,
    price_entry,
    read_retired,
)
from needle.words.errors import UsageError
from needle.words.tariffs import Price

_ANY = "NAME"  # stands for whatever the user's own server calls its model


@dataclass(frozen=True, slots=True)
class Known:
    """A model of the catalogue on a day: its price then, and whether it was still served."""

    name: str
    vendor: Vendor
    entry: ModelEntry
    price: Price | None
    retired: str | None


def list_models(
    name: str, vendor: str | None, window: str | None, also_retired: bool, as_json: bool
) -> int:
    """List the models known by name, as a table or as JSON with all that is known of them.

    Retired ones are left out unless they are asked for or named. Raises UsageError for an
    unknown vendor and where no model is left, with the nearest names.
    """
    vendors = _choose_vendors(vendor)
    least = _read_window(window)
    today = datetime.now(UTC).astimezone().date().isoformat()
    known = list(_know(vendors, today))
    chosen = [
        model
        for model in known
        if name.lower() in model.name.lower()
        and (model.entry.window or 0) >= least
        and (also_retired or name or not model.retired)
    ]
    if not chosen:
        raise UsageError(_describe_none(name, known, also_retired))
    if as_json:
        click.echo(json.dumps([_record(m) for m in chosen], ensure_ascii=False, indent=1))
        return 0
    _print_table(chosen)
    return 0


def _choose_vendors(name: str | None) -> list[Vendor]:
    vendors = load_vendors()
    if name is None:
        return list(vendors)
    names = [vendor.vendor for vendor in vendors]
    if name.lower() not in names:
        near = difflib.get_close_matches(name.lower(), names, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"use {', '.join(names)}"
        raise UsageError(f"no vendor {name!r} (--vendor): {advice}")
    return [vendor for vendor in vendors if vendor.vendor == name.lower()]


def _read_window(text: str | None) -> int:
    try:
        return parse_length(text) if text else 0
    except ValueError as error:
        raise UsageError(f"{error} (--window): use a number such as 128000, 128k or 1M") from error


def _know(vendors: list[Vendor], today: str) -> Iterator[Known]:
    for vendor in vendors:
        for name, entry in vendor.models.items():
            price = price_entry(name, vendor, entry, today)
            yield Known(name, vendor, entry, price, read_retired(entry, today))
        if vendor.any_model:
            yield Known(vendor.prefix + _ANY, vendor, ModelEntry(), None, None)


def _describe_none(name: str, known: list[Known], also_retired: bool) -> str:
    names = [model.name for model in known]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) if name else []
    if near:
        return f"no model's name holds {name!r}: did you mean {' or '.join(near)}?"
    what = f"whose name holds {name!r}" if name else "as asked for"
    hint = "" if also_retired or name else "; --all takes those no longer served too"
    return f"no model {what}{hint}: needle models lists them all"


def _record(model: Known) -> dict[str, Any]:
    """Return all that is known of a model, the vendor's facts among it, in plain data."""
    vendor, entry = asdict(model.vendor), asdict(model.entry)
    del vendor["models"]
    own = {name: value for name, value in entry.items() if value not in (None, "", (), {})}
    both = {
        "sources": {**vendor["sources"], **entry["sources"]},
        "unverified": sorted({*vendor["unverified"], *entry["unverified"]}),
        "notes": [note for note in (vendor.pop("note"), entry["note"]) if note],
        "price": model.price and asdict(model.price),
        "window": entry["window"],
        "temperature": entry["temperature"],
        "served_as": model.vendor.served_name(model.name),
        "ends": model.entry.ends and model.entry.ends.isoformat(),
        "retired": model.retired,
    }
    own.pop("note", None)
    return {"model": model.name, **vendor, **own, **both}


def _print_table(models: list[Known]) -> None:
    head = ("model", "vendor", "window", "price", "key", "")
    rows = [head, *(_cells(model) for model in models)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        line = "  ".join(
            cell.rjust(width) if column == 2 else cell.ljust(width)  # noqa: PLR2004 - the window
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo(line.rstrip())
    folders = own_folders()
    also = f" and {folders[1]}" if len(folders) > 1 else f", or the folder that {OWN_FOLDER} names"
    click.echo(
        f"\nwindow in tokens; price per million tokens, prompt/reply; * no longer served\n"
        f"any other model: --base-url URL; your own vendors, models and prices (docs/vendors.md):\n"
        f"  {folders[0]}{also}"
    )


def _cells(model: Known) -> tuple[str, ...]:
    entry, price = model.entry, model.price
    window, money = "unknown", "unknown"
    if entry.window:
        window = format_length(entry.window)
    elif entry.window_characters:
        window = f"{format_length(entry.window_characters)} chars"
    if price:
        money = f"{price.input:g}/{price.output:g} {price.currency}"
    elif model.vendor.vendor == "sim":
        money = "none"
    return (
        model.name,
        model.vendor.vendor,
        window,
        money,
        model.vendor.key or "none",
        "*" if model.retired else "",
    )
