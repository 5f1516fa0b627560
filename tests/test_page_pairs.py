"""Pages in two languages: what one has, the other has in the same place."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ALONE = {"architecture"}  # for who changes needle, as its code is, in English
PAIRS = [
    (path, path.with_name(f"{path.stem}.zh.md"))
    for path in (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
    if not path.stem.endswith(".zh") and path.stem not in ALONE
]


def read_bare(path: Path) -> str:
    """Return a page without its blocks of code."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def list_headings(text: str) -> list[int]:
    """Return the levels of a page's headings."""
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


def list_tables(text: str) -> list[list[int]]:
    """Return for each table of a page how many cells each of its rows has."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [[line.count("|") for line in block.splitlines()] for block in blocks]


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=lambda path: path.name)
def test_the_languages_are_equal(english: Path, chinese: Path) -> None:
    """Each page has a twin with the same headings and tables, written in Chinese."""
    one, other = (read_bare(path) for path in (english, chinese))
    assert list_headings(one) == list_headings(other)
    assert list_tables(one) == list_tables(other)
    prose = [line for line in other.splitlines() if re.match(r"\w", line)]
    chinese_lines = [line for line in prose if re.search(r"[\u4e00-\u9fff]", line)]
    assert len(chinese_lines) > 0.9 * len(prose)
