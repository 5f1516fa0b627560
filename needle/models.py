"""The catalogue: models by name, from configs/models/ (one YAML file a vendor)."""

import difflib
import functools
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from needle.errors import UsageError
from needle.files import check_record, read_yaml, shipped
from needle.types import STRICT, Model, Price

UNKNOWN_KEY = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True)
class PriceEntry:
    """Money per million tokens, with where the figure is from and when it held."""

    input: float
    output: float
    currency: str
    source: str
    as_of: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model in a vendor's file. ``window`` is in the vendor's tokens."""

    window: int
    source: str
    as_of: str
    price: PriceEntry | None = None
    max_tokens_parameter: str | None = None
    temperature: bool = True
    reply_tokens: int = 256
    retired: str | None = None
    note: str | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's file: one OpenAI-compatible endpoint and its models."""

    vendor: str
    title: str
    base_url: str
    key: str | None
    source: str
    as_of: str
    models: dict[str, ModelEntry]
    other_base_urls: tuple[str, ...] = ()
    max_tokens_parameter: str = "max_tokens"
    concurrency: int = 8
    note: str | None = None

    __pydantic_config__ = STRICT


@functools.cache
def load_vendors(folder: Path | None = None) -> tuple[Vendor, ...]:
    """Read every vendor's file of the catalogue, in the order of their names."""
    folder = folder or shipped("configs", "models")
    return tuple(
        check_record(Vendor, read_yaml(path, "configs/models"), str(path))
        for path in sorted(folder.glob("*.yaml"))
    )


def find_model(name: str, base_url: str | None, window: int | None) -> Model:
    """Return a model by name; with a base URL any name will do.

    A base URL or window given replaces the catalogue's. Raises UsageError for a name that
    is in no file when no base URL is given, with the nearest known names.
    """
    for vendor in load_vendors():
        if name in vendor.models:
            model = _make_model(name, vendor, vendor.models[name])
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


def _make_model(name: str, vendor: Vendor, entry: ModelEntry) -> Model:
    at = entry.price
    price = Price(at.input, at.output, at.currency) if at else None
    return Model(
        name=name,
        vendor=vendor.vendor,
        base_url=vendor.base_url,
        key_variable=vendor.key,
        window=entry.window,
        price=price,
        max_tokens_parameter=entry.max_tokens_parameter or vendor.max_tokens_parameter,
        temperature=0.0 if entry.temperature else None,
        reply_tokens=entry.reply_tokens,
        concurrency=vendor.concurrency,
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
