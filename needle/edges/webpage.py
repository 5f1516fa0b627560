"""One self-contained page: its own parts, plotly.js and the data, in one file of HTML.

Nothing in the page is loaded from anywhere. What the data hold is untrusted: they stand in the
page compressed and in base64, so that no text of theirs can end the element they stand in, and
the page's script sets them as text alone. The policy is the second wall: the two scripts run
that the page was made with, by their sha256, and no address can be reached.
"""

import base64
import gzip
import hashlib
import html
import importlib.util
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from needle.words.errors import StoreError

PAGE = Path(__file__).parents[1] / "page"
STYLES = ("colours.css", "layout.css", "parts.css", "print.css")
SCRIPTS = (
    *("dom.js", "words.js", "data.js", "view.js", "tip.js", "stage.js", "heat.js", "sheet.js"),
    *("findings.js", "profiles.js", "differences.js", "tables.js", "trials.js", "dialog.js"),
    "start.js",
)
WORDS = ("words-frame.json", "words-figures.json", "words-trials.json")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE = 1_000  # characters of base64: lines that editors and diffs can bear


def build_page(data: Mapping[str, Any], title: str, language: str) -> bytes:
    """Return the page's bytes: the same for the same data. ``language`` is that of its tag."""
    script = _read_script()
    parts = {
        "title": html.escape(title),
        "language": html.escape(language),
        "policy": html.escape(_write_policy(script)),
        "style": "\n".join(_read(name) for name in STYLES),
        "script": script,
        "notice": html.escape(_read_notice()),
        "plotly": _pack_plotly(),
        "data": pack(write_json({**data, "words": read_words()})),
    }
    # In one pass, so that no part's text is taken for a place of another's.
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _read("page.html"))
    return page.encode()


def write_json(data: Mapping[str, Any]) -> bytes:
    """Write data as JSON in UTF-8; half a surrogate pair, which UTF-8 can't hold, is escaped."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def pack(data: bytes) -> str:
    """Compress bytes and write them in lines of base64."""
    text = base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
    return "\n".join(text[at : at + _LINE] for at in range(0, len(text), _LINE))


@cache
def read_words() -> dict[str, dict[str, str]]:
    """Return the page's own words: key, language, words with places such as ``{count}``."""
    words: dict[str, dict[str, str]] = {}
    for name in WORDS:
        words |= json.loads(_read(name))
    return words


def _read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


@cache
def _read_script() -> str:
    """Return the page's script: its files in order, in one scope of their own."""
    files = "\n".join(_read(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{files}\n}})();'


@cache
def _read_plotly() -> bytes:
    """Return plotly.js as the plotly package carries it, without importing that package."""
    spec = importlib.util.find_spec("plotly")
    folders = spec.submodule_search_locations if spec else None
    path = Path(next(iter(folders or ()), ""), "package_data", "plotly.min.js")
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(
            f"can't read plotly.js at {path}: install the plotly package anew"
        ) from error


def _read_notice() -> str:
    """Return plotly.js's own notice of copyright and licence, on one line."""
    found = re.match(rb"/\*\*(.*?)\*/", _read_plotly(), re.DOTALL)
    words = found[1].decode() if found else "plotly.js, MIT license"
    return " ".join(words.replace("*", " ").split())


@cache
def _pack_plotly() -> str:
    return pack(_read_plotly())


def _write_policy(script: str) -> str:
    """Write the page's Content-Security-Policy. plotly.js sets styles, and draws in images."""
    hashes = f"{_hash(script.encode())} {_hash(_read_plotly())}"
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _hash(code: bytes) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code).digest()).decode()}'"
