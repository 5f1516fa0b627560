"""docs/sweep.md and its Chinese twin: their files and commands are understood, and are the same."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from driving import Call

from needle.commands.cli_asking import sweep
from needle.edges.models import load_vendors
from needle.edges.sweepfile import _Entry, _File, read_sweep

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = ("sweep.md", "sweep.zh.md")


def read_page(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def read_files(page: str) -> list[str]:
    """Return the sweeps' files that stand in a page."""
    return re.findall(r"```yaml\n(.*?)```", read_page(page), re.DOTALL)


def read_commands(page: str) -> list[list[str]]:
    """Return the commands that stand in a page, without what is said of them."""
    lines = re.findall(r"^    ((?:needle|ray|pip) .*)$", read_page(page), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_both_pages_show_the_same() -> None:
    """Both pages have the same files, and the same commands in the same order."""
    english, chinese = map(read_files, PAGES)
    assert [yaml.safe_load(text) for text in english] == [yaml.safe_load(text) for text in chinese]
    assert len(english) == 2
    assert read_commands(PAGES[0]) == read_commands(PAGES[1])
    assert len(read_commands(PAGES[0])) == 6


@pytest.mark.parametrize("text", read_files(PAGES[0]))
def test_each_file_is_planned_as_it_is(text: str, call: Call) -> None:
    """A sweep's file of the page can be planned without a key, with what it takes in all."""
    Path("sweep.yaml").write_text(text, encoding="utf-8")
    ended = call("sweep", "sweep.yaml", "--plan")
    assert ended.status == 0, ended.err
    number = len(read_sweep(Path("sweep.yaml")).entries)
    assert f"all together: {number} runs" in ended.out


def test_each_command_is_understood() -> None:
    """Every sweep of the page is said with options that the command takes."""
    commands = [words for words in read_commands(PAGES[0]) if words[0] == "needle"]
    assert len(commands) == 3
    for words in commands:
        assert words[1] == "sweep"
        sweep.make_context(words[1], words[2:])


@pytest.mark.parametrize("page", PAGES)
def test_the_keys_named_in_a_page_are_there(page: str) -> None:
    """Each key of the page's table is one of the file's or of an entry's, and none is left out."""
    rows = re.findall(r"^\| (`[a-z_`,、 ]+`) \|", read_page(page), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"[a-z_]+", row)}
    fields = _File.__dataclass_fields__.keys() | _Entry.__dataclass_fields__.keys()
    assert named <= fields
    assert {"models", "key", "apart", "budget", "rate", "base_url", "limits"} <= named


@pytest.mark.parametrize("page", PAGES)
def test_the_highest_tier_is_the_catalogues(page: str) -> None:
    """The most tokens a minute that the page speaks of are the most that the catalogue knows."""
    most = max(
        limits.tokens_a_minute or 0
        for vendor in load_vendors()
        if vendor.tiers
        for limits in vendor.tiers.by_name.values()
    )
    said = {"sweep.md": "5 million tokens a minute", "sweep.zh.md": "每分钟 500 万 token"}
    assert most == 5_000_000
    assert said[page] in read_page(page)
