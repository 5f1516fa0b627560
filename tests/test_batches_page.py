"""docs/batches.md and its Chinese twin say what the catalogue and the commands say."""

import re
import shlex
from pathlib import Path

import click
import pytest

from needle.commands.cli_asking import batch
from needle.edges.models import load_vendors
from needle.runs.batchfiles import UNKNOWN_TERMS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = ("batches.md", "batches.zh.md")
SHARES = {"half": 0.5, "五折": 0.5, "六折": 0.6, "60%": 0.6}


def read_commands(page: str) -> list[list[str]]:
    """Return the commands that stand in a page, in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    lines = re.findall(r"^    ((?:needle|vllm|export) .*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_both_pages_have_the_same_commands() -> None:
    """The English and the Chinese page show the same commands in the same order."""
    assert read_commands("batches.md") == read_commands("batches.zh.md")
    assert len(read_commands("batches.md")) > 10


@pytest.mark.parametrize("command", [c for c in read_commands(PAGES[0]) if c[0] == "needle"])
def test_each_command_is_understood(command: list[str]) -> None:
    """Every command of the page names a subcommand, and options and arguments that it takes."""
    words = [word.replace("<run-id>", "x") for word in command]
    assert words[1] == "batch"
    batch.commands[words[2]].make_context(words[2], words[3:])


@pytest.mark.parametrize("page", PAGES)
def test_each_option_named_in_a_page_is_there(page: str) -> None:
    """An option that a page names for a subcommand is one of needle batch's or of resume's."""
    text = (DOCS / page).read_text(encoding="utf-8")
    taken = {"--enable-prompt-tokens-details", "--batched", "--scorer"}
    for command in batch.commands.values():
        taken |= {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    assert set(re.findall(r"--[a-z][a-z-]+", text)) <= taken
    assert all(isinstance(command, click.Command) for command in batch.commands.values())


@pytest.mark.parametrize("page", PAGES)
def test_prices_and_limits_are_the_catalogues(page: str) -> None:
    """The share of the price, the requests and the bytes of a file are those in configs/models."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.count("|") == 5
    ]
    prices, requests, sizes = rows[2:5]
    vendors = {vendor.vendor: vendor.batch for vendor in load_vendors(())}
    terms = [vendors["openai"], vendors["moonshot"], UNKNOWN_TERMS]
    for column, each in enumerate(terms, 1):
        assert each is not None
        assert SHARES.get(prices[column]) == each.share
        assert f"{each.most_requests:,}" in requests[column]
        assert sizes[column] == f"{each.most_bytes / 1e6:.0f} MB"
    assert "kimi-k2.5" in text
    assert vendors["moonshot"] is not None
    assert all(name in text for name in vendors["moonshot"].models)
