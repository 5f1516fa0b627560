"""docs/vendors.md and its Chinese twin say what the catalogue says."""

import re
from pathlib import Path

import pytest
from driving import Call

from needle.edges.models import Vendor, find_model, load_vendors

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = ("vendors.md", "vendors.zh.md")
REPORT = 11  # rows, PanGu's among them, which never had an API
NO_TEMPERATURE = {"vendors.md": "none", "vendors.zh.md": "不设"}
KINDS = {
    "vendors.md": ("too long", "filtered", "no money", "too fast"),
    "vendors.zh.md": ("超长", "审查", "欠费", "限流"),
}


def read_tables(page: str) -> list[list[list[str]]]:
    """Return a page's tables, each its rows without the head, each row its cells."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()[2:]]
        for block in blocks
    ]


def read_code(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


@pytest.mark.parametrize("page", PAGES)
def test_the_vendors_table_is_the_catalogues(page: str) -> None:
    """Each vendor has its row, with its key, addresses, parameters, temperatures and texts."""
    _, table = read_tables(page)
    rows = {next(iter(read_code(row[0]))): row for row in table}
    vendors = {v.vendor: v for v in load_vendors(()) if v.vendor != "sim"}
    assert rows.keys() == vendors.keys()
    for name, (_, key, addresses, limit, temperature, besides, texts) in rows.items():
        vendor = vendors[name]
        models = vendor.models.values()
        assert read_code(key) == ({vendor.key} if vendor.key else set())
        assert read_code(addresses) == {vendor.base_url, *vendor.other_base_urls}
        assert read_code(limit) == {
            model.max_tokens_parameter or vendor.max_tokens_parameter for model in models
        } or {vendor.max_tokens_parameter}
        values = {model.temperature for model in models} or {0.0}
        assert set(temperature.split(", ")) == {
            NO_TEMPERATURE[page] if value is None else f"{value:g}" for value in values
        }
        assert read_code(besides) == {name for model in models for name in model.extra}
        assert read_texts(texts, page) == write_texts(vendor, page)


def read_texts(cell: str, page: str) -> dict[str, set[str]]:
    parts = [part.partition(": ") for part in cell.split("; ")] if cell != "–" else []
    assert {kind for kind, _, _ in parts} <= set(KINDS[page])
    return {kind: read_code(code) for kind, _, code in parts}


def write_texts(vendor: Vendor, page: str) -> dict[str, set[str]]:
    kinds = dict(zip(("overflow", "filter", "no_balance", "rate_limit"), KINDS[page], strict=True))
    return {kinds[kind]: set(texts) for kind, texts in vendor.errors.items()}


@pytest.mark.parametrize("page", PAGES)
def test_the_reports_table_names_presets_with_their_windows(page: str) -> None:
    """Each preset that the report's table names is known, with the window that stands there."""
    table, _ = read_tables(page)
    assert len(table) == REPORT
    for row in table:
        named = re.findall(r"`([^`]+)`\s*[(（]([\d,]+)[)）]", row[3])
        assert len(named) == row[3].count("`") // 2
        for name, window in named:
            assert find_model(name, None, None).window == int(window.replace(",", ""))
        assert named or row[3] in ("none", "无")
        assert re.search(r"\d{4}-\d{2}", row[4])
    assert find_model("ernie-bot-8k", None, None).window_characters == 28_000


def test_both_pages_say_the_same() -> None:
    """Both languages have the same figures, addresses, names and texts in their tables."""
    english, chinese = (read_tables(page) for page in PAGES)
    for one, other in zip(english, chinese, strict=True):
        for row, twin in zip(one, other, strict=True):
            for cell, its_twin in zip(row, twin, strict=True):
                assert read_code(cell) == read_code(its_twin)


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_load(page: str, call: Call, tmp_path: Path) -> None:
    """Both examples of a file of one's own are taken as they stand, by needle check too."""
    text = (DOCS / page).read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for number, example in enumerate(examples):
        (tmp_path / f"{number}.yaml").write_text(example, encoding="utf-8")
        assert "the vendor" in call("check", tmp_path / f"{number}.yaml").out
    vendors = {vendor.vendor: vendor for vendor in load_vendors((tmp_path,))}
    kimi = vendors["moonshot"].models
    assert kimi["kimi-k2.6"].price is not None
    assert kimi["kimi-k2.6"].price.currency == "CNY"
    assert kimi["kimi-k2.6"].window == 262_144
    assert kimi["kimi-k2.6-thinking"].reply_tokens == 16_000
    assert vendors["moonshot"].served_name("kimi-k2.6-thinking") == "kimi-k2.6"
    ours = vendors["our-cluster"]
    assert ours.key == "CLUSTER_API_KEY"
    assert ours.models["cluster/qwen3.8-27b"].params == 27e9
    assert ours.served_name("cluster/qwen3.8-27b") == "Qwen/Qwen3.8-27B"
