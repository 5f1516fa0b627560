"""The catalogue: models by name, from configs/models/ (one YAML file a vendor) and the user's own.

A user's file adds a vendor, or changes what it names of a shipped one: a price, a window, an
address, a model. Prices that no file gives come from genai-prices.
"""

import difflib
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import platformdirs

from needle.errors import UsageError
from needle.files import check_record, read_yaml, shipped
from needle.prices import find_price
from needle.types import STRICT, Limits, Model, Price

UNKNOWN_KEY = "OPENAI_API_KEY"
OWN_FOLDER = "NEEDLE_MODELS"
"""The variable that names a folder of the user's own vendors' files."""

Fact = Literal[
    "base_url",
    "key",
    "window",
    "window_characters",
    "price",
    "max_tokens_parameter",
    "temperature",
    "content",
    "extra",
    "reply_tokens",
    "tiers",
    "errors",
    "retired",
]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model in a vendor's file; ``Model`` says what its fields mean.

    ``source`` and ``as_of`` are those of all its facts but the price, which has its own;
    ``unverified`` names the facts that rest on memory. ``temperature`` tells whether it may
    be set. ``priced_as`` is its id in genai-prices, where that is another than its name.
    """

    source: str
    as_of: str
    window: int | None = None
    window_characters: int | None = None
    price: Price | None = None
    priced_as: str | None = None
    max_tokens_parameter: str | None = None
    temperature: bool = True
    content: Literal["string", "list"] | None = None
    stream: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    reply_tokens: int = 256
    params: float | None = None
    retired: str | None = None
    unverified: tuple[Fact, ...] = ()
    note: str | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Tiers:
    """A vendor's limits by the name of the user's tier: dated, and changed without notice."""

    source: str
    as_of: str
    by_name: dict[str, Limits]

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's file: one OpenAI-compatible endpoint and its models.

    ``prices`` is the vendor's id in genai-prices. ``errors`` holds, by kind of failure
    (overflow, filter, no_balance, rate_limit), texts by which the vendor says it.
    """

    vendor: str
    title: str
    base_url: str
    key: str | None
    source: str
    as_of: str
    models: dict[str, ModelEntry]
    title_zh: str | None = None
    other_base_urls: tuple[str, ...] = ()
    prices: str | None = None
    max_tokens_parameter: str = "max_tokens"
    content: Literal["string", "list"] = "string"
    concurrency: int = 8
    estimate_path: str | None = None
    errors: dict[Literal["overflow", "filter", "no_balance", "rate_limit"], tuple[str, ...]] = (
        field(default_factory=dict)
    )
    tiers: Tiers | None = None
    unverified: tuple[Fact, ...] = ()
    note: str | None = None

    __pydantic_config__ = STRICT


def own_folders() -> tuple[Path, ...]:
    """Return the folders in which a user's own vendors' files are looked for."""
    named = os.environ.get(OWN_FOLDER, "").strip()
    own = Path(platformdirs.user_config_dir("needle")) / "models"
    return (own, Path(named)) if named else (own,)


@functools.cache
def load_vendors(own: tuple[Path, ...] | None = None) -> tuple[Vendor, ...]:
    """Read every vendor's file: the shipped ones in the order of their names, then the user's.

    A user's file for a shipped vendor is laid over it, key by key. Raises UsageError with
    the file and the place in it for whatever is wrong.
    """
    merged: dict[str, tuple[dict[str, Any], str]] = {}
    for folder in (shipped("configs", "models"), *(own_folders() if own is None else own)):
        for path in sorted(folder.glob("*.yaml")):
            data = read_yaml(path, "configs/models")
            name = str(data.get("vendor"))
            before, _ = merged.get(name, ({}, ""))
            merged[name] = (_lay_over(before, data), str(path))
    return tuple(check_record(Vendor, data, place) for data, place in merged.values())


def _lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a mapping over another one, and the mappings within it likewise; a price is whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if key != "price" and isinstance(value, dict) and isinstance(under, dict):
            merged[key] = _lay_over(under, value)
        else:
            merged[key] = value
    return merged


def find_model(
    name: str, base_url: str | None, window: int | None, date: str | None = None
) -> Model:
    """Return a model by name; with a base URL any name will do.

    A base URL or window given replaces the catalogue's. ``date`` is the day whose price is
    wanted; without one no price is looked up in genai-prices. Raises UsageError for a name
    that is in no file when no base URL is given, with the nearest known names.
    """
    for vendor in reversed(load_vendors()):
        if name in vendor.models:
            model = _make_model(name, vendor, vendor.models[name], date)
            return replace(
                model,
                base_url=_strip(base_url) if base_url else model.base_url,
                window=window or model.window,
            )
    if base_url is None:
        known = [known for vendor in load_vendors() for known in vendor.models]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        advice = f"did you mean {' or '.join(near)}? " if near else ""
        raise UsageError(
            f"unknown model {name!r} (--model): {advice}"
            f"needle models lists those known; any other needs --base-url"
        )
    return Model(
        name=name,
        vendor="custom",
        base_url=_strip(base_url),
        key_variable=UNKNOWN_KEY,
        window=window,
        known=False,
    )


def find_limits(model: Model, tier: str) -> Limits:
    """Return a vendor's limits by the user's tier; raise UsageError for one that is not known."""
    vendor = next((v for v in load_vendors() if v.vendor == model.vendor), None)
    if vendor is None or vendor.tiers is None:
        raise UsageError(
            f"the tiers of {model.vendor} are not known (--tier): say --rpm and --tpm instead"
        )
    if tier not in vendor.tiers.by_name:
        names = ", ".join(vendor.tiers.by_name)
        raise UsageError(f"{model.vendor} has no tier {tier!r} (--tier): use {names}")
    return vendor.tiers.by_name[tier]


def price_entry(name: str, vendor: Vendor, entry: ModelEntry, date: str) -> Price | None:
    """Return a model's price on a date: its file's, else genai-prices'; None if not known."""
    if entry.price is not None or vendor.prices is None:
        return entry.price
    return find_price(vendor.prices, entry.priced_as or name, date)


def _make_model(name: str, vendor: Vendor, entry: ModelEntry, date: str | None) -> Model:
    return Model(
        name=name,
        vendor=vendor.vendor,
        base_url=vendor.base_url,
        key_variable=vendor.key,
        window=entry.window,
        window_characters=entry.window_characters,
        price=price_entry(name, vendor, entry, date) if date else entry.price,
        max_tokens_parameter=entry.max_tokens_parameter or vendor.max_tokens_parameter,
        temperature=0.0 if entry.temperature else None,
        content=entry.content or vendor.content,
        stream=entry.stream,
        extra=dict(entry.extra),
        reply_tokens=entry.reply_tokens,
        concurrency=vendor.concurrency,
        errors={str(kind): texts for kind, texts in vendor.errors.items()},
        estimate_path=vendor.estimate_path,
        params=entry.params,
        retired=entry.retired,
    )


def _strip(base_url: str) -> str:
    """Refuse what is not an address; take out a password, which must not be written down."""
    fault = UsageError(
        f"not an address: {base_url!r} (--base-url): use http://HOST:PORT/v1 or https://HOST/v1"
    )
    try:
        parts = urlsplit(base_url)
        _ = parts.port  # read only to be checked
    except ValueError as error:
        raise fault from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise fault
    if parts.username or parts.password or parts.query:
        raise UsageError(
            f"--base-url {parts.scheme}://{parts.hostname}... holds a user, password or query: "
            f"put the key into the model's key variable instead"
        )
    return urlunsplit(parts).rstrip("/")
