"""The examples of docs/python.md and its Chinese twin run word for word, and give what they say."""

import ast
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("python.md", "python.zh.md")


def read_blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def run_block(block: str, names: dict[str, Any]) -> int:
    """Run a block statement by statement; return how many gave what their line says they do."""
    lines, held = block.splitlines(), 0
    for statement in ast.parse(block).body:
        source = "\n".join(lines[statement.lineno - 1 : statement.end_lineno])
        expected = lines[(statement.end_lineno or 1) - 1].partition("  # -> ")[2]
        if not expected:
            exec(compile(source, "docs", "exec"), names)
            continue
        value = eval(compile(source, "docs", "eval"), names)
        shown = value if isinstance(value, set) else str(value)
        assert shown == (ast.literal_eval(expected) if isinstance(value, set) else expected)
        held += 1
    return held


@pytest.mark.usefixtures("call")  # draws no figures into run folders
@pytest.mark.parametrize("page", PAGES)
def test_examples_give_what_they_say(page: str, alone: Path) -> None:
    """Every example runs in a clone as it stands, and each value shown is the one that comes."""
    sample = alone / "runs" / "sample"
    sample.mkdir(parents=True)
    for path in (ROOT / "runs" / "sample").iterdir():
        shutil.copy(path, sample)
    names: dict[str, Any] = {}
    assert sum(run_block(block, names) for block in read_blocks(page)) >= 10
    assert {"sample-zh.pdf", "both.png"} <= {path.name for path in alone.iterdir()}


def test_both_pages_show_the_same() -> None:
    """The English and the Chinese page have the same code, but for comments and languages."""
    english, chinese = (
        [re.sub(r"  # [^-].*|\"(en|zh)\"", "", block) for block in read_blocks(page)]
        for page in PAGES
    )
    assert english == chinese
