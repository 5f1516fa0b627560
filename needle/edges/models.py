"""The catalogue: models by name, from configs/models/ (one YAML file a vendor) and the user's own.

A user's file adds a vendor, or changes what it names of a shipped one: a price, a window, an
address, a model. Prices that no file gives come from genai-prices.
"""

import difflib
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date as Date  # noqa: N812 - `date` is what find_model is told
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit, urlunsplit

import platformdirs
from pydantic import Field

from needle.asking.money import add_batch_rates, price_writes
from needle.edges.config import Count, Length
from needle.edges.files import check_record, read_yaml, shipped
from needle.edges.prices import find_price
from needle.words.errors import UsageError
from needle.words.tariffs import STRICT, BatchTerms, CacheRules, Limits, Price
from needle.words.types import Model

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
    "cache",
]
Said = Literal["overflow", "filter", "no_balance", "rate_limit"]
MaxTokens = Literal["max_tokens", "max_completion_tokens"]
Content = Literal["string", "list"]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model in a vendor's file; ``Model`` says what its fields mean.

    ``temperature`` is the one nearest to 0 that it takes, null where none may be set. ``ends``
    is the day from which the vendor no longer serves it, ``retired`` says so in words where
    the day is not known. ``priced_as`` is its id in genai-prices, where that is another than
    the name it is served as. ``sources`` names by fact where it is from, if not from
    ``source``; the vendor's hold for what neither names. ``unverified`` names the facts that
    rest on memory. ``cache`` replaces the vendor's rules, whole.
    """

    window: Length | None = None
    window_characters: Count | None = None
    price: Price | None = None
    priced_as: str | None = None
    served_as: str | None = None
    max_tokens_parameter: MaxTokens | None = None
    temperature: Annotated[float, Field(ge=0, le=2, strict=True)] | None = 0.0
    content: Content | None = None
    stream: bool = False
    extra: dict[str, Any] = field(default_factory=dict)
    reply_tokens: Length = 256
    cache: CacheRules | None = None
    params: Annotated[float, Field(gt=0)] | None = None
    ends: Date | None = None
    retired: str | None = None
    source: str = ""
    as_of: str = ""
    sources: dict[Fact, str] = field(default_factory=dict)
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

    Models' names begin with ``prefix``, and what follows it is the name they are served as;
    with ``any_model`` any name that begins so is taken, with nothing more known of it.
    ``prices`` is the vendor's id in genai-prices. ``batch`` is how it takes batch files, with a
    source and date of its own. ``errors`` holds, by kind of failure, texts by which the vendor says
    it. ``cache`` is how it keeps the beginnings of prompts, None where that is not known.
    ``source``, ``as_of`` and ``sources`` are those of its facts.
    """

    vendor: str
    title: str
    base_url: str
    key: str | None
    source: str
    as_of: str = ""
    models: dict[str, ModelEntry] = field(default_factory=dict)
    prefix: str = ""
    any_model: bool = False
    title_zh: str | None = None
    other_base_urls: tuple[str, ...] = ()
    prices: str | None = None
    max_tokens_parameter: MaxTokens = "max_tokens"
    content: Content = "string"
    concurrency: Count = 8
    estimate_path: str | None = None
    cache: CacheRules | None = None
    errors: dict[Said, tuple[str, ...]] = field(default_factory=dict)
    tiers: Tiers | None = None
    batch: BatchTerms | None = None
    sources: dict[Fact, str] = field(default_factory=dict)
    unverified: tuple[Fact, ...] = ()
    note: str | None = None

    __pydantic_config__ = STRICT

    def served_name(self, name: str) -> str:
        """Return the name that goes into a request to one of its models."""
        entry = self.models.get(name)
        return (entry and entry.served_as) or name.removeprefix(self.prefix)


def own_folders() -> tuple[Path, ...]:
    """Return the folders in which a user's own vendors' files are looked for."""
    named = os.environ.get(OWN_FOLDER, "").strip()
    own = Path(platformdirs.user_config_dir("needle")) / "models"
    return (own, Path(named)) if named else (own,)


def load_vendors(own: tuple[Path, ...] | None = None) -> tuple[Vendor, ...]:
    """Read every vendor's file: the shipped ones in the order of their names, then the user's.

    A user's file for a shipped vendor is laid over it, key by key. Raises UsageError with
    the file and the place in it for whatever is wrong.
    """
    return _load_vendors(own_folders() if own is None else own)


def check_vendor_file(path: Path) -> Vendor:
    """Return a vendor as it is with a user's file laid over the shipped one, if there is one.

    Raises UsageError for whatever is wrong with the file.
    """
    return _read_vendors((path,))[str(read_yaml(path, "FILE").get("vendor"))]


@functools.cache
def _load_vendors(own: tuple[Path, ...]) -> tuple[Vendor, ...]:
    paths = tuple(path for folder in own for path in sorted(folder.glob("*.yaml")))
    return tuple(_read_vendors(paths).values())


def _read_vendors(own: tuple[Path, ...]) -> dict[str, Vendor]:
    merged: dict[str, tuple[dict[str, Any], str]] = {}
    for path in (*sorted(shipped("configs", "models").glob("*.yaml")), *own):
        data = read_yaml(path, "configs/models")
        if path in own:
            data = _sign(data, str(path))
        name = str(data.get("vendor"))
        before, _ = merged.get(name, ({"source": str(path)}, ""))
        merged[name] = (_lay_over(before, data), str(path))
    return {name: _check_vendor(data, place) for name, (data, place) in merged.items()}


def _sign(data: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Say of what a user's file states, and gives no source of, that it is from there."""
    signed = dict(data)
    sources = signed.get("sources", {})
    if not signed.get("source") and isinstance(sources, dict):
        signed["sources"] = {fact: path for fact in get_args(Fact) if fact in signed} | sources
    if isinstance(signed.get("price"), dict):
        signed["price"] = {"source": path, **signed["price"]}
    if isinstance(signed.get("models"), dict):
        signed["models"] = {
            name: _sign(entry, path) if isinstance(entry, dict) else entry
            for name, entry in signed["models"].items()
        }
    return signed


def _lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay a mapping over another one, and those within it likewise; prices and caches are whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if key not in ("price", "cache") and isinstance(value, dict) and isinstance(under, dict):
            merged[key] = _lay_over(under, value)
        else:
            merged[key] = value
    return merged


def _check_vendor(data: dict[str, Any], place: str) -> Vendor:
    vendor = check_record(Vendor, data, place)
    for name, entry in vendor.models.items():
        if not name.startswith(vendor.prefix):
            raise UsageError(
                f"the name {name!r} must begin with the vendor's prefix {vendor.prefix!r} "
                f"({place}: models)"
            )
        price = entry.price
        if price is not None and not (
            min(price.input, price.output, price.cached or 0) >= 0
            and price.currency.isalpha()
            and price.currency.isupper()
        ):
            raise UsageError(
                f"a price has rates of at least 0 and a currency such as CNY or USD "
                f"({place}: models.{name}.price)"
            )
        _check_cache(entry.cache, f"{place}: models.{name}.cache")
    _check_cache(vendor.cache, f"{place}: cache")
    terms = vendor.batch
    if terms is not None and not (
        min(terms.most_bytes, terms.most_requests) >= 1 and 0 < (terms.share or 1) <= 1
    ):
        raise UsageError(
            f"batch files hold at least 1 byte and request, and cost a share of 0 to 1 of the "
            f"price ({place}: batch)"
        )
    return vendor


def _check_cache(rules: CacheRules | None, place: str) -> None:
    if rules is None:
        return
    least = min(rules.step, rules.marks, rules.lookback, rules.write_rate)
    if rules.minimum < 0 or (rules.lifetime_s or 1) <= 0 or least < 1:
        raise UsageError(
            f"a cache has a minimum of at least 0, a step, marks, a lookback and a write_rate of "
            f"at least 1, and a lifetime_s above 0 ({place})"
        )
    if (rules.kind == "marked") != bool(rules.mark):
        raise UsageError(
            f"a cache of the kind marked needs its mark, and no other has one ({place})"
        )


def find_model(
    name: str, base_url: str | None, window: int | None, date: str | None = None, role: str = ""
) -> Model:
    """Return a model by name; with a base URL any name will do.

    A base URL or window given replaces the catalogue's. ``date`` is the day whose price is
    wanted; without one no price is looked up in genai-prices. ``role`` is what the options that
    name the model begin with, such as ``judge-``. Raises UsageError for a name
    that is in no file when no base URL is given, with the nearest known names.
    """
    for vendor, entry in _find_entries(name):
        model = _make_model(name, vendor, entry, date)
        return replace(
            model,
            base_url=_strip(base_url) if base_url else model.base_url,
            window=window or model.window,
            source="" if window else model.source,
        )
    if base_url is None:
        known = [known for vendor in load_vendors() for known in vendor.models]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        advice = f"did you mean {' or '.join(near)}? " if near else ""
        raise UsageError(
            f"unknown model {name!r} (--{role}model): {advice}"
            f"needle models lists those known; any other needs --{role}base-url"
        )
    return Model(
        name=name,
        vendor="custom",
        base_url=_strip(base_url),
        key_variable=UNKNOWN_KEY,
        window=window,
        known=False,
    )


def _find_entries(name: str) -> Iterator[tuple[Vendor, ModelEntry]]:
    """Yield the entries that a name may mean, the nearest first: the user's own files come last."""
    vendors = load_vendors()[::-1]
    for vendor in vendors:
        if name in vendor.models:
            yield vendor, vendor.models[name]
    for vendor in vendors:
        if vendor.any_model and name.startswith(vendor.prefix) and name != vendor.prefix:
            yield vendor, ModelEntry()


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
    price = entry.price
    if price is None and vendor.prices is not None:
        price = find_price(vendor.prices, entry.priced_as or vendor.served_name(name), date)
    if price is None:
        return None
    price, terms = price_writes(price, cache_entry(vendor, entry)), vendor.batch
    if terms is None or name not in (terms.models or vendor.models):
        return price
    return add_batch_rates(price, terms.share)


def cache_entry(vendor: Vendor, entry: ModelEntry) -> CacheRules:
    """Return how a model's endpoint keeps the beginnings of prompts, as far as is known."""
    return entry.cache or vendor.cache or CacheRules()


def read_retired(entry: ModelEntry, date: str | None) -> str | None:
    """Return why a vendor no longer serves a model on a date (ISO 8601); None if it does."""
    if entry.ends is not None and date is not None and date >= entry.ends.isoformat():
        return entry.retired or f"shut down on {entry.ends.isoformat()}"
    return None if entry.ends is not None else entry.retired


def find_source(vendor: Vendor, entry: ModelEntry, fact: Fact) -> str:
    """Return where a fact of a model is from."""
    return entry.sources.get(fact) or entry.source or vendor.sources.get(fact, "") or vendor.source


def _make_model(name: str, vendor: Vendor, entry: ModelEntry, date: str | None) -> Model:
    served_as = vendor.served_name(name)
    fact: Fact = "window" if entry.window or not entry.window_characters else "window_characters"
    return Model(
        name=name,
        vendor=vendor.vendor,
        base_url=vendor.base_url,
        key_variable=vendor.key,
        window=entry.window,
        window_characters=entry.window_characters,
        price=price_entry(name, vendor, entry, date) if date else entry.price,
        batch=vendor.batch,
        max_tokens_parameter=entry.max_tokens_parameter or vendor.max_tokens_parameter,
        temperature=entry.temperature,
        content=entry.content or vendor.content,
        stream=entry.stream,
        extra=dict(entry.extra),
        reply_tokens=entry.reply_tokens,
        concurrency=vendor.concurrency,
        errors={str(kind): texts for kind, texts in vendor.errors.items()},
        estimate_path=vendor.estimate_path,
        cache=cache_entry(vendor, entry),
        params=entry.params,
        retired=read_retired(entry, date),
        served_as=None if served_as == name else served_as,
        source=find_source(vendor, entry, fact),
        as_of=entry.as_of or vendor.as_of,
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
