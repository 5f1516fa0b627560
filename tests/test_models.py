"""The catalogue: every entry has its window and source; unknown names are told the nearest."""

import pytest

from needle.errors import UsageError
from needle.models import find_model, load_vendors


def test_every_model_has_a_window_and_a_source() -> None:
    """Each entry of the catalogue says its window, where that is from and when it held."""
    names = [name for vendor in load_vendors() for name in vendor.models]
    assert len(names) == len(set(names))
    assert {"moonshot-v1-128k", "gpt-4-turbo", "claude-2.1", "sim/middle"} <= set(names)
    for vendor in load_vendors():
        for entry in vendor.models.values():
            assert (entry.window or entry.window_characters or 0) > 0
            assert entry.source
            assert entry.as_of


@pytest.mark.parametrize(
    ("name", "window", "key", "price"),
    [
        ("moonshot-v1-128k", 131_072, "MOONSHOT_API_KEY", (60, 60, "CNY")),
        ("gpt-4-turbo", 128_000, "OPENAI_API_KEY", (10, 30, "USD")),
        ("claude-2.1", 200_000, "ANTHROPIC_API_KEY", (8, 24, "USD")),
    ],
)
def test_the_reports_three_are_known(
    name: str, window: int, key: str, price: tuple[float, float, str]
) -> None:
    """The three models of the report are known by name, with window, key and price."""
    model = find_model(name, None, None, "2026-11-24")
    assert (model.window, model.key_variable) == (window, key)
    assert model.price is not None
    assert (model.price.input, model.price.output, model.price.currency) == price


def test_an_unknown_name_is_told_the_nearest() -> None:
    """A misspelt model is answered with the names that are near it."""
    with pytest.raises(UsageError, match="did you mean moonshot-v1-128k"):
        find_model("moonshot-v1-128", None, None)


def test_any_name_will_do_with_an_address() -> None:
    """With a base URL a model needs no entry; one that has an entry keeps the rest of it."""
    assert not find_model("my-model", "http://127.0.0.1:8000/v1/", None).known
    moved = find_model("moonshot-v1-8k", "http://127.0.0.1:8000/v1/", 4_000)
    assert (moved.base_url, moved.window) == ("http://127.0.0.1:8000/v1", 4_000)
    assert moved.key_variable == "MOONSHOT_API_KEY"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8000", "ftp://x", "http://", "http://me:secret@x/v1", "http://x?key=secret"],
)
def test_an_address_with_a_secret_or_none_is_refused(address: str) -> None:
    """What is no address, or would carry a key into the run folder, is refused unrepeated."""
    with pytest.raises(UsageError, match="--base-url") as fault:
        find_model("m", address, None)
    assert "secret" not in str(fault.value)
