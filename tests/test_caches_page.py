"""docs/caches.md and its Chinese twin say what the catalogue and the code say."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from needle.edges.caches import CACHES
from needle.edges.models import find_model
from needle.words.tariffs import CacheRules

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = ("caches.md", "caches.zh.md")
DESCRIBED = (
    *("gpt-4o", "gpt-6.1-sol", "litellm/claude-opus-5-5", "claude-opus-5-5", "kimi-k2.6"),
    *("deepseek-v4-pro", "gemini-3.8-flash", "qwen3.8-max", "glm-5.3", "MiniMax-M3", "vllm/any"),
    *("sglang/any", "llama.cpp/any", "ollama/any"),
)
"""A model of each row of the table of endpoints, in its order."""
HOUR_S, MINUTE_S = 3_600, 60


def read_tables(page: str) -> list[list[list[str]]]:
    """Return a page's tables, each its rows without the head, each row its cells."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()[2:]]
        for block in blocks
    ]


def has(cell: str, value: float) -> bool:
    return f"{value:,g}" in re.findall(r"\d[\d,.]*\d|\d", cell)


@pytest.mark.parametrize("page", PAGES)
def test_the_endpoints_rules_are_the_catalogues(page: str) -> None:
    """Each row has the minimum, step, lifetime and mark that are known of such a model."""
    rows = read_tables(page)[1]
    assert len(rows) == len(DESCRIBED)
    for name, (_, kept, least, step, lasting, _) in zip(DESCRIBED, rows, strict=True):
        rules = find_model(name, None, None).cache
        assert has(least, rules.minimum) if rules.minimum else not has(least, 0), name
        assert has(step, rules.step) if rules.step > 1 else step in ("–", ""), name
        unit = HOUR_S if (rules.lifetime_s or 0) >= HOUR_S else MINUTE_S
        if rules.lifetime_s:
            assert has(lasting, rules.lifetime_s / unit), name
        else:
            assert lasting in ("–", ""), name
        assert set(re.findall(r"`(\w+)`", kept)) == set(rules.mark), name
        if rules.write_rate > 1:
            assert has(kept, rules.write_rate), name


@pytest.mark.parametrize("page", PAGES)
def test_every_field_is_told_with_what_it_is_if_not_said(page: str) -> None:
    """All fields of a cache stand in the last table, but for its name."""
    told = [name for row in read_tables(page)[-1] for name in re.findall(r"`(\w+)`", row[0])]
    known = [field.name for field in fields(CacheRules) if field.name != "name"]
    assert sorted(told) == sorted(known)


def test_both_pages_say_the_same() -> None:
    """Both languages have the same figures and names in the same cells."""
    english, chinese = (read_tables(page) for page in PAGES)
    for one, other in zip(english, chinese, strict=True):
        assert len(one) == len(other)
        for row, twin in zip(one, other, strict=True):
            for cell, its_twin in zip(row, twin, strict=True):
                assert re.findall(r"[\d,.]*\d%?|`[^`]+`", cell) == re.findall(
                    r"[\d,.]*\d%?|`[^`]+`", its_twin
                )


@pytest.mark.parametrize("page", ["simulator.md", "simulator.zh.md"])
def test_every_cache_that_is_played_is_named(page: str) -> None:
    """The simulator's page names the caches that the built-in endpoint plays."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in CACHES)


@pytest.mark.parametrize("page", PAGES)
def test_needles_order_is_told_to_be_better(page: str) -> None:
    """In every row needle's order reads less in full than rows do, and within 2% of the least."""
    for row in read_tables(page)[2]:
        shares = [float(share) for share in re.findall(r"\+([\d.]+)%", " ".join(row))]
        for least, usual, ours in (shares[:3], shares[3:]):
            assert least <= ours < min(usual, least + 2)
