"""The catalogue: what every entry says, how a name is found, and a user's own files over it."""

from datetime import date
from pathlib import Path
from typing import get_args

import platformdirs
import pytest

from needle.edges import models
from needle.edges.models import (
    Fact,
    ModelEntry,
    Vendor,
    cache_entry,
    check_vendor_file,
    find_limits,
    find_model,
    find_source,
    load_vendors,
    own_folders,
    read_retired,
)
from needle.edges.prices import find_price
from needle.words.errors import UsageError
from needle.words.tariffs import CacheRules, Price

TODAY = "2026-11-24"
LOCAL = {"sglang", "vllm", "llama.cpp", "ollama"}
HOSTED = {"moonshot", "openai", "anthropic", "litellm", "google", "deepseek", "qwen", "zhipu"}
HOSTED |= {"minimax", "stepfun", "baidu", "baichuan", "yi", "spark", "openrouter"}

ENTRIES = [(vendor, name) for vendor in load_vendors(()) for name in vendor.models]


def write(folder: Path, text: str, name: str = "own.yaml") -> tuple[Path]:
    (folder / name).write_text(text, encoding="utf-8")
    return (folder,)


def test_each_vendor_has_a_file() -> None:
    """One file a vendor, of its name; hosted ones want a key, local ones take any model."""
    vendors = {vendor.vendor: vendor for vendor in load_vendors()}
    assert set(vendors) == HOSTED | LOCAL | {"sim"}
    for path in (Path(__file__).parents[1] / "configs" / "models").glob("*.yaml"):
        assert path.stem in vendors
    for name, vendor in vendors.items():
        assert (vendor.key is not None) == (name in HOSTED)
        assert vendor.any_model == (name in LOCAL | {"litellm"})
        assert vendor.base_url.startswith("http")
        assert not vendor.base_url.endswith("/")
        assert vendor.source
        assert date.fromisoformat(f"{vendor.as_of}-01") <= date.fromisoformat(TODAY)


@pytest.mark.parametrize(("vendor", "name"), ENTRIES, ids=[name for _, name in ENTRIES])
def test_every_entry_says_its_window_and_its_sources(vendor: Vendor, name: str) -> None:
    """Each entry has a window and, for each fact, a source; a price in a file is dated."""
    entry = vendor.models[name]
    assert entry.window or entry.window_characters
    assert all(find_source(vendor, entry, fact) for fact in get_args(Fact))
    if entry.price is not None:
        assert entry.price.source
        date.fromisoformat(f"{entry.price.as_of}-01")
    sourced = {**vendor.sources, **entry.sources}
    if entry.ends is not None:
        assert "retired" in sourced
    elif entry.retired:
        assert "retired" in sourced or "retired" in (*vendor.unverified, *entry.unverified)
    if entry.extra.get("reasoning_effort") in ("low", "minimal"):
        assert entry.reply_tokens > 1_000, "what thinks needs room for it"


def test_no_file_of_the_testers_own_is_read() -> None:
    """The tests read the shipped vendors alone, whatever the account that runs them has."""
    assert [folder for folder in own_folders() if folder.exists()] == []


def test_no_name_is_two_vendors() -> None:
    """A model's name says its vendor, and no two names differ by their letters' case alone."""
    names = [name.lower() for _, name in ENTRIES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "window", "key", "price"),
    [
        ("moonshot-v1-8k", 8_192, "MOONSHOT_API_KEY", (12, 12, "CNY")),
        ("moonshot-v1-32k", 32_768, "MOONSHOT_API_KEY", (24, 24, "CNY")),
        ("moonshot-v1-128k", 131_072, "MOONSHOT_API_KEY", (60, 60, "CNY")),
        ("gpt-4-turbo", 128_000, "OPENAI_API_KEY", (10, 30, "USD")),
        ("claude-2.1", 200_000, "ANTHROPIC_API_KEY", (8, 24, "USD")),
    ],
)
def test_the_reports_models_are_known(
    name: str, window: int, key: str, price: tuple[float, float, str]
) -> None:
    """The models of the report are known by name, with window, key, price, and their end."""
    model = find_model(name, None, None, TODAY)
    assert (model.window, model.key_variable) == (window, key)
    assert model.price is not None
    assert (model.price.input, model.price.output, model.price.currency) == price
    assert model.source
    assert model.retired


def test_a_reasoning_model_is_asked_as_it_wants() -> None:
    """What a preset says of a model's requests is what a request is made from."""
    model = find_model("gpt-6.1-terra", None, None)
    assert model.max_tokens_parameter == "max_completion_tokens"
    assert model.temperature is None
    assert model.extra["reasoning_effort"] == "none"
    assert find_model("spark/lite", None, None).temperature == 0.01


def test_a_price_by_the_hour_is_the_dearest() -> None:
    """Where a vendor charges by the hour, the day's dearest rates are taken."""
    price = find_price("deepseek", "deepseek-v4-pro", TODAY)
    assert price is not None
    assert (price.input, price.output) == (1.32, 3.96)


def test_an_unknown_name_is_told_the_nearest() -> None:
    """A misspelt model is answered with the names that are near it."""
    with pytest.raises(UsageError, match=r"did you mean moonshot-v1-128k"):
        find_model("moonshot-v1-128", None, None)


def test_any_name_will_do_with_an_address() -> None:
    """With a base URL a model needs no entry; one that has an entry keeps the rest of it."""
    assert not find_model("my-model", "http://127.0.0.1:8000/v1/", None).known
    moved = find_model("moonshot-v1-8k", "http://127.0.0.1:8000/v1/", 4_000)
    assert (moved.base_url, moved.window) == ("http://127.0.0.1:8000/v1", 4_000)
    assert moved.key_variable == "MOONSHOT_API_KEY"


@pytest.mark.parametrize(
    ("name", "served_as", "address"),
    [
        ("ollama/qwen3:8b", "qwen3:8b", "http://127.0.0.1:11434/v1"),
        ("vllm/Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "http://127.0.0.1:8000/v1"),
        ("llama.cpp/any", "any", "http://127.0.0.1:8080/v1"),
        ("litellm/my-claude", "my-claude", "http://127.0.0.1:4000/v1"),
    ],
)
def test_a_local_servers_model_is_named_after_its_prefix(
    name: str, served_as: str, address: str
) -> None:
    """A local server's model is reached by prefix and name; its window is the user's to say."""
    model = find_model(name, None, None, TODAY)
    assert model.known
    assert (model.name, model.served_as, model.base_url) == (name, served_as, address)
    assert model.window is None
    assert find_model(name, None, 32_000).window == 32_000
    with pytest.raises(UsageError, match="unknown model"):
        find_model(name.partition("/")[0] + "/", None, None)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8000", "ftp://x", "http://", "http://me:secret@x/v1", "http://x?key=secret"],
)
def test_an_address_with_a_secret_or_none_is_refused(address: str) -> None:
    """What is no address, or would carry a key into the run folder, is refused unrepeated."""
    with pytest.raises(UsageError, match="--base-url") as fault:
        find_model("m", address, None)
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize(
    ("day", "retired"), [("2026-12-10", None), ("2026-12-11", "shut down on 2026-12-11")]
)
def test_a_model_ends_on_its_day(day: str, retired: str | None) -> None:
    """A model with a last day is retired from then on, and not before."""
    assert read_retired(ModelEntry(ends=date(2026, 12, 11)), day) == retired


def test_every_vendor_says_how_it_keeps_prompts_or_that_it_is_not_known() -> None:
    """What a file says of a cache has a source and a date, and is marked where not verified."""
    known = set()
    for vendor in load_vendors(()):
        for entry in (ModelEntry(), *vendor.models.values()):
            rules = cache_entry(vendor, entry)
            if rules.kind == "unknown":
                continue
            known.add(vendor.vendor)
            assert find_source(vendor, entry, "cache")
            assert entry.as_of or vendor.as_of
            assert bool(rules.mark) == (rules.kind == "marked")
    assert known >= {"openai", "moonshot", "deepseek", "google", "litellm", "anthropic", "vllm"}
    assert known >= {"sglang", "llama.cpp", "qwen", "sim"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gpt-4-turbo", "none"),
        ("gpt-5.5", "automatic"),
        ("gpt-5.6-sol", "marked"),
        ("gpt-6.1-sol", "marked"),
        ("kimi-k2.6", "automatic"),
        ("claude-opus-5-5", "none"),
        ("litellm/claude-opus-5-5", "marked"),
        ("litellm/anything", "unknown"),
        ("gemini-1.5-pro", "none"),
        ("ollama/any", "unknown"),
        ("sim/reader", "none"),
    ],
)
def test_a_models_cache_is_of_its_kind(name: str, kind: str) -> None:
    """Each model's prompts are kept as its own documents say, and its writes are priced."""
    model = find_model(name, None, None, TODAY)
    assert model.cache.kind == kind
    if kind == "marked" and model.price is not None:
        assert model.price.write == pytest.approx(1.25 * model.price.input)
    if kind == "none" and model.price is not None:
        assert model.price.write is None


def test_an_endpoint_of_ones_own_is_not_known() -> None:
    """Nothing is assumed of the cache of a model that no file names."""
    assert find_model("m", "http://127.0.0.1:8000/v1", None).cache == CacheRules()


def test_a_users_cache_replaces_ours_whole(tmp_path: Path) -> None:
    """A user's rules stand alone: nothing of the vendor's is left in them."""
    own = write(
        tmp_path,
        "vendor: litellm\nmodels: {litellm/claude-opus-5-5: {cache: {kind: automatic, step: 9}}}\n",
    )
    (laid,) = [v for v in load_vendors(own) if v.vendor == "litellm"]
    entry = laid.models["litellm/claude-opus-5-5"]
    assert cache_entry(laid, entry) == CacheRules("automatic", step=9)


def test_tiers_are_by_name() -> None:
    """A tier's limits are the vendor's, and an unknown tier or vendor is told what there is."""
    kimi = find_model("kimi-k2.6", None, None)
    assert find_limits(kimi, "1").tokens_a_minute == 2_000_000
    with pytest.raises(UsageError, match=r"moonshot has no tier 'gold'.*use 0, 1"):
        find_limits(kimi, "gold")
    with pytest.raises(UsageError, match="--rpm"):
        find_limits(find_model("gpt-4o", None, None), "1")


@pytest.mark.parametrize(
    ("name", "share"),
    [("gpt-4o-mini", 0.5), ("gpt-6.1-sol", 0.5), ("kimi-k2.6", 0.6), ("moonshot-v1-8k", None)],
)
def test_batches_have_their_vendors_share(name: str, share: float | None) -> None:
    """A model that its vendor names for batches has their rates, and one that it does not none."""
    model = find_model(name, None, None, TODAY)
    assert model.batch is not None
    assert model.batch.source
    date.fromisoformat(f"{model.batch.as_of}-01")
    assert model.price is not None
    rates = (model.price.batch_input, model.price.batch_output)
    usual = (model.price.input, model.price.output)
    for rate, full in zip(rates, usual, strict=True):
        assert rate == (None if share is None else pytest.approx(share * full))
    assert find_model("vllm/my", None, None).batch is None


def test_a_users_file_is_laid_over_a_shipped_one(tmp_path: Path) -> None:
    """A user's file changes what it names and nothing else, and is the source of what it says."""
    own = write(
        tmp_path,
        "vendor: moonshot\n"
        "models:\n"
        "  kimi-k2.6:\n"
        "    window: 200k\n"
        "    price: {input: 1, output: 2, currency: CNY}\n"
        "  kimi-k2.6-thinking:\n"
        "    served_as: kimi-k2.6\n"
        "    extra: {thinking: {type: enabled}}\n",
    )
    (shipped,) = [v for v in load_vendors(()) if v.vendor == "moonshot"]
    (laid,) = [v for v in load_vendors(own) if v.vendor == "moonshot"]
    entry, path = laid.models["kimi-k2.6"], str(tmp_path / "own.yaml")
    assert entry.window == 200_000
    assert entry.price == Price(1, 2, "CNY", source=path)
    assert entry.extra == shipped.models["kimi-k2.6"].extra
    assert find_source(laid, entry, "window") == path
    assert find_source(laid, entry, "extra") == find_source(shipped, entry, "extra")
    assert laid.served_name("kimi-k2.6-thinking") == "kimi-k2.6"
    assert laid.base_url == shipped.base_url
    assert set(shipped.models) < set(laid.models)


def test_the_users_folders_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the configuration's folder and in NEEDLE_MODELS are read; the latter comes last."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = Path(platformdirs.user_config_dir("needle")) / "models"
    config.mkdir(parents=True)
    named = tmp_path / "named"
    named.mkdir()
    monkeypatch.setenv("NEEDLE_MODELS", str(named))
    assert own_folders() == (config, named)
    text = (
        "{vendor: mine, title: T, base_url: http://x/v1, key: null, models: {mine-1: {window: %s}}}"
    )
    write(config, text % "1k")
    assert find_model("mine-1", None, None).window == 1_000
    models._load_vendors.cache_clear()  # noqa: SLF001 - one process sees a folder once
    write(named, text % "2k")
    assert find_model("mine-1", None, None).window == 2_000
    assert find_model("mine-1", None, None).source == str(named / "own.yaml")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title: x\n", "'vendor' is missing"),
        ("vendor: moonshot\nmodles: {}\n", "unknown key 'modles'.*did you mean 'models'"),
        ("vendor: moonshot\nmodels: {m: {window: 0}}\n", "length must be positive, got 0"),
        ("vendor: moonshot\nmodels: {m: {window: many}}\n", "length must be a number"),
        ("vendor: moonshot\nmodels: {m: {temperature: true}}\n", "temperature should be a valid"),
        ("vendor: moonshot\nmodels: {m: {content: audio}}\n", "'string' or 'list', got 'audio'"),
        ("vendor: moonshot\nmodels: {m: {extra: 3}}\n", "got 3"),
        ("vendor: moonshot\nmodels: {m: {ends: soon}}\n", "got 'soon'"),
        ("vendor: moonshot\nmodels: {m: {sources: mine}}\n", "got 'mine'"),
        ("vendor: moonshot\nmodels: {m: {price: {input: 1}}}\n", "is missing"),
        ("vendor: moonshot\ncache: {kind: automatc}\n", "'automatc'"),
        ("vendor: moonshot\ncache: {kind: automatic, step: 0}\n", "a step"),
        ("vendor: moonshot\ncache: {kind: marked}\n", "needs its mark"),
        ("vendor: moonshot\nmodels: {m: {cache: {kind: none, lifetime_s: -1}}}\n", "m.cache"),
        (
            "vendor: moonshot\nmodels: {m: {price: {input: -1, output: 1, currency: CNY}}}\n",
            "at least 0",
        ),
        (
            "vendor: moonshot\nmodels: {m: {price: {input: 1, output: 1, currency: yuan}}}\n",
            "CNY or USD",
        ),
        (
            "vendor: ollama\nmodels: {m: {window: 1k}}\n",
            "must begin with the vendor's prefix 'ollama/'",
        ),
        ("vendor: openai\nbatch: {most_bytes: 0}\n", "at least 1 byte"),
        ("vendor: openai\nbatch: {share: 2}\n", "share of 0 to 1"),
        ("vendor: openai\nbatch: {most_byte: 1}\n", "did you mean 'most_bytes'"),
        ("vendor: mine\nbase_url: http://x/v1\nkey: null\n", "'title' is missing"),
        ("- vendor\n", "must be a YAML mapping"),
    ],
)
def test_a_fault_in_a_users_file_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    """Whatever is wrong with a user's file is told with the file, the place and the value."""
    with pytest.raises(UsageError, match=fault) as told:
        load_vendors(write(tmp_path, text))
    assert "own.yaml" in str(told.value)
    assert "\n" not in str(told.value)
    with pytest.raises(UsageError, match=fault):
        check_vendor_file(tmp_path / "own.yaml")
