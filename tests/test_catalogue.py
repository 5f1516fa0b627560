"""``needle models``, and the plan of every model that it lists."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import Call

from needle.edges import corpus
from needle.edges.config import read_recipe
from needle.edges.models import find_model, load_vendors
from needle.runs.prepare import prepare
from needle.runs.summary import describe_plan

WIDTH = 100
TODAY = "2026-11-24"
NAMES = [name for vendor in load_vendors(()) for name in vendor.models]
NAMES += [f"{vendor.prefix}m" for vendor in load_vendors(()) if vendor.any_model]


@pytest.fixture(scope="module")
def essays() -> Iterator[pytest.MonkeyPatch]:
    """Read the essays once for all plans."""
    found = corpus.find_haystacks(("essays",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("needle.runs.prepare.find_haystacks", lambda _: found)
        yield patch


@pytest.mark.parametrize("name", NAMES)
def test_each_plan_has_a_window_a_price_and_a_source(name: str, essays: pytest.MonkeyPatch) -> None:
    """The plan of every model prints a window and a price, or that it is unknown, and a source."""
    assert essays
    recipe = read_recipe(
        None, {"grid": {"lengths": ["1k"], "depths": ["50"]}, "language": "en", "model": [name]}
    )
    prepared = prepare(recipe, told_language=True, model_name=name, date=TODAY)
    model = find_model(name, None, None, TODAY)
    plan = describe_plan(prepared)
    first, second, *_ = plan.splitlines()
    if model.window:
        assert f"window {model.window:,} tokens" in first
    else:
        assert "window unknown" in first
    if model.simulated:
        return
    assert model.source
    assert f"from {model.source}" in second
    if model.price is None:
        assert "price unknown" in plan
    else:
        assert f" {model.price.currency}" in plan
        assert model.price.source
        assert model.price.source in plan


def read_names(out: str) -> list[str]:
    table, _, _ = out.partition("\n\n")
    return [line.split()[0] for line in table.splitlines()[1:]]


def test_the_list_is_a_table_that_fits(call: Call) -> None:
    """Each line of the whole list fits a terminal, its columns stand in line, retired marked."""
    called = call("models", "--all")
    table, _, foot = called.out.partition("\n\n")
    head, *lines = table.splitlines()
    assert (called.status, called.err) == (0, "")
    assert max(map(len, (head, *lines))) <= WIDTH
    assert set(NAMES) - {n for n in NAMES if n.endswith("/m")} <= set(read_names(called.out))
    for line in lines:
        for title in ("vendor", "price", "key"):
            assert line[head.index(title) - 1] == " " != line[head.index(title)]
    (kimi,) = [line for line in lines if line.startswith("moonshot-v1-128k ")]
    assert kimi.split() == [
        "moonshot-v1-128k",
        "moonshot",
        "131.1k",
        "60/60",
        "CNY",
        "MOONSHOT_API_KEY",
        "*",
    ]
    assert "docs/vendors.md" in foot
    assert "NEEDLE_MODELS" in foot


def test_retired_models_are_listed_when_asked_for(call: Call) -> None:
    """What is no longer served is left out, unless all are asked for or it is named."""
    assert "moonshot-v1-8k" not in read_names(call("models").out)
    assert "moonshot-v1-8k" in read_names(call("models", "--all").out)
    assert read_names(call("models", "moonshot-v1-8k").out) == ["moonshot-v1-8k"]
    assert read_names(call("models", "V1-8").out) == ["moonshot-v1-8k"]


def test_filters_hold_together(call: Call) -> None:
    """Vendor, window and name each narrow the list; a window in no tokens holds nothing."""
    listed = read_names(call("models", "--vendor", "qwen", "--window", "500k").out)
    assert "qwen3.8-max" in listed
    assert "qwen3-max" not in listed
    assert not [name for name in listed if not name.startswith("qwen")]
    assert read_names(call("models", "k2", "--vendor", "openrouter").out) == [
        "openrouter/moonshotai/kimi-k2.6"
    ]
    assert "ollama/NAME" in read_names(call("models", "--vendor", "Ollama").out)
    assert call("models", "--vendor", "ollama", "--window", "1k").status == 2


def test_json_tells_all_that_is_known(call: Call) -> None:
    """As JSON each model has its facts with their sources, dates, and what is not verified."""
    (kimi,) = json.loads(call("models", "kimi-k2.6", "--vendor", "moonshot", "--json").out)
    assert kimi["window"] == 262_144
    assert kimi["extra"] == {"thinking": {"type": "disabled"}}
    assert kimi["temperature"] is None
    assert kimi["max_tokens_parameter"] == "max_completion_tokens"
    assert kimi["price"]["source"].startswith("genai-prices")
    assert {"window", "errors", "temperature"} <= kimi["sources"].keys()
    assert kimi["as_of"] == "2026-11"
    assert kimi["tiers"]["by_name"]["1"]["tokens_a_minute"] == 2_000_000
    (yi,) = json.loads(call("models", "yi-34b-chat-200k", "--json").out)
    assert yi["retired"]
    assert yi["unverified"] == ["key", "retired"]
    everything = json.loads(call("models", "--all", "--json").out)
    assert {model["model"] for model in everything} >= {n for n in NAMES if not n.endswith("/m")}


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (("--vendor", "moonshoot"), "no vendor 'moonshoot' (--vendor): did you mean 'moonshot'?"),
        (("--vendor", "zzz"), "no vendor 'zzz' (--vendor): use anthropic, baichuan, baidu"),
        (("kimi-k9",), "did you mean kimi-k3"),
        (("zzz",), "no model whose name holds 'zzz'"),
        (("--window", "100M"), "--all takes those no longer served too"),
        (("--window", "wide"), "not a length: 'wide' (--window)"),
    ],
)
def test_what_is_not_there_is_one_line(call: Call, said: tuple[str, ...], fault: str) -> None:
    """An unknown vendor, name or window ends in one line that says what would do."""
    called = call("models", *said)
    assert (called.status, called.out) == (2, "")
    (line,) = called.faults
    assert fault in line


def test_a_users_model_is_listed(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model of a user's own file is listed like any other, and its folder is named."""
    monkeypatch.setenv("NEEDLE_MODELS", str(tmp_path))
    (tmp_path / "mine.yaml").write_text(
        "{vendor: mine, title: Mine, base_url: http://x/v1, key: MY_KEY, models: {mine-1: {}}}"
    )
    called = call("models", "--vendor", "mine")
    assert called.out.splitlines()[1].split() == ["mine-1", "mine", "unknown", "unknown", "MY_KEY"]
    assert str(tmp_path) in called.out
