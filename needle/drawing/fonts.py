"""Fonts: which of those on this machine a figure uses, and how a text sets in them.

The one module that looks for fonts. Chinese ones are known by the glyphs they hold.
"""

import logging
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from matplotlib.backends import backend_agg
from matplotlib.font_manager import FontProperties

from needle.words.errors import UsageError

Families = tuple[str, ...]
"""Font families in the order in which a character's glyph is looked for."""

LATIN = "DejaVu Sans"  # matplotlib brings it along, so English figures look alike everywhere
VARIABLE = "NEEDLE_FONT"
MISSING = "?"
RULER_DPI = 160
_TRUETYPE = (b"\x00\x01\x00\x00", b"true")  # how a file with glyphs in TrueType begins

# a word or a sign, with the stops that may not begin a line
_PIECE = re.compile(r"\s*(?:[!-ɏ]+|\S)[，。：、；！？）”》]*")

_BIT = re.compile(r"[^-/_]*[-/_]|[^-/_]+")

_PREFERRED = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Microsoft YaHei",
    "Hiragino Sans GB",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Heiti SC",
    "STHeiti",
    "SimHei",
    "Noto Sans CJK JP",  # how matplotlib before 3.11 names the whole Noto Sans CJK collection
)
_PROBE = "上下文长度汉字数检索准确率档开头结尾针让拒答被过滤失败运行“”，：（）"
_BROKEN = (OSError, RuntimeError, ValueError)  # what a font file that can't be used raises


def choose_families(chinese: str | None, *, for_chinese: bool) -> Families:
    """Return the families of a figure: NEEDLE_FONT's first, then those of its language."""
    own = _own_family()
    rest = (chinese, LATIN) if for_chinese else (LATIN, chinese)
    return tuple(dict.fromkeys(family for family in (own, *rest) if family))


def find_chinese_family() -> str | None:
    """Return a family that can write Chinese, None if this machine has none.

    NEEDLE_FONT may name a font file, which then comes first.
    """
    own = _own_family()
    if own is not None and _writes_chinese(own):
        return own
    return search_chinese_family()


def chinese_font_advice() -> str | None:
    """Say in one line what to install for Chinese figures; None if nothing is wanting."""
    if find_chinese_family() is not None:
        return None
    remedy = f"install Noto Sans CJK SC, or set {VARIABLE} to a font file"
    if sys.platform.startswith("linux"):
        remedy = (
            "apt install fonts-noto-cjk (Debian, Ubuntu), "
            "dnf install google-noto-sans-cjk-fonts (Fedora), "
            f"or set {VARIABLE} to a font file"
        )
    return f"no Chinese font was found, so Chinese figures have English labels: {remedy}"


def clean_text(text: str, families: Families, weight: str = "normal") -> str:
    """Return a text that the families can write: what none of them has becomes ``?``.

    Space of any kind becomes a plain one; marks without a look of their own go.
    """
    return "".join(_clean_character(character, families, weight) for character in text)


@contextmanager
def quiet_search() -> Iterator[None]:
    """Keep matplotlib from telling the terminal that a family has no bold face."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


@lru_cache(maxsize=4096)
def measure_text(text: str, families: Families, size: float, weight: str = "normal") -> float:
    """Return the width in inches of a line of text, of a size in points."""
    type_ = FontProperties(family=list(families), size=size, weight=weight)
    width, _, _ = _ruler().get_text_width_height_descent(text, type_, ismath=False)
    return float(width) / RULER_DPI


def fit_text(
    text: str, families: Families, sizes: Sequence[float], room: float, weight: str = "normal"
) -> tuple[float, list[str]]:
    """Return the first size in which a text takes one line, or its lines in the last."""
    for size in sizes:
        if measure_text(text, families, size, weight) <= room:
            return size, [text]
    return sizes[-1], wrap_text([text], families, sizes[-1], room, weight)


def wrap_text(
    items: Sequence[str], families: Families, size: float, room: float, weight: str = "normal"
) -> list[str]:
    """Set items in lines no wider than the room; one is broken only if it is wider itself."""

    def fits(text: str) -> bool:
        return measure_text(text, families, size, weight) <= room

    lines = [""]
    for item in items:
        joined = f"{lines[-1]}  ·  {item}" if lines[-1] else item
        if fits(joined):
            lines[-1] = joined
            continue
        lines.append("")
        for piece in [item] if fits(item) else _PIECE.findall(item):
            for part in _break_word(piece, fits):
                if lines[-1] and not fits(lines[-1] + part):
                    lines.append("")
                lines[-1] += part if lines[-1] else part.lstrip()
    return [line for line in lines if line]


def can_embed(text: str, families: Families, weight: str | int = "normal") -> bool:
    """Tell whether a PDF can embed all the fonts of a text: those that are plain TrueType.

    matplotlib embeds a collection's or a PostScript font as if it were TrueType, which readers
    of PDF and printers may refuse.
    """
    for character in set(text) - {"\n"}:
        file = next((_file(f, weight) for f in families if _has(f, weight, character)), None)
        if file is None or not _is_truetype(file):
            return False
    return True


def _break_word(word: str, fits: Callable[[str], bool]) -> list[str]:
    """Break a word that is wider than a line after its hyphens and slashes, or anywhere."""
    if fits(word):
        return [word]
    return [part for bit in _BIT.findall(word) for part in ([bit] if fits(bit) else bit)]


@lru_cache(maxsize=1)
def _ruler() -> Any:
    agg: Any = backend_agg
    return agg.RendererAgg(1, 1, RULER_DPI)


def _clean_character(character: str, families: Families, weight: str) -> str:
    if " " <= character <= "~":
        return character
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category in ("Cc", "Cf") or "\ufe00" <= character <= "\ufe0f":
        return ""
    if category == "Cs" or not any(_has(f, weight, character) for f in families):
        return MISSING
    return character


@lru_cache(maxsize=8192)
def _has(family: str, weight: str | int, character: str) -> bool:
    face = _open(family, weight)
    return face is not None and face.get_char_index(ord(character)) != 0


def _file(family: str, weight: str | int) -> str | None:
    face = _open(family, weight)
    return None if face is None else str(face.fname)


@lru_cache(maxsize=64)
def _is_truetype(file: str) -> bool:
    with Path(file).open("rb") as font:
        return font.read(4) in _TRUETYPE


def _open(family: str, weight: str | int = "normal") -> Any | None:
    """Open the very face that matplotlib takes for a family, None if it can't be had."""
    wanted = FontProperties(family=[family], weight=weight)
    try:
        with quiet_search():
            return font_manager.get_font(font_manager.findfont(wanted, fallback_to_default=False))
    except _BROKEN:
        return None


def _writes_chinese(family: str) -> bool:
    face = _open(family)
    glyphs = {face.get_char_index(ord(sign)) for sign in _PROBE} if face is not None else set()
    # a last-resort font has one and the same box for all characters of a block
    return 0 not in glyphs and len(glyphs) == len(_PROBE)


@lru_cache(maxsize=1)
def search_chinese_family() -> str | None:
    """Search this machine's fonts for a Chinese one, once; cache_clear() lets it look again."""
    listed = {entry.name for entry in font_manager.fontManager.ttflist}
    for family in _in_preference(listed, others=False):
        if _writes_chinese(family):
            return family
    fresh = _list_fresh_fonts()
    for family in (*_in_preference(fresh), *_in_preference(listed)):
        if _writes_chinese(family):
            return family
    return None


def _in_preference(names: Iterable[str], *, others: bool = True) -> Iterator[str]:
    """Yield the preferred families among these in their order, then the others by name."""
    there = set(names)
    yield from (family for family in _PREFERRED if family in there)
    if others:
        yield from sorted(there - set(_PREFERRED))


def _list_fresh_fonts() -> set[str]:
    """List the fonts installed since matplotlib kept its list; return their families."""
    kept = {os.path.realpath(entry.fname) for entry in font_manager.fontManager.ttflist}
    families: set[str] = set()
    for path in sorted(font_manager.findSystemFonts()):
        if os.path.realpath(path) not in kept:
            families |= _list_font(path)
    return families


def _list_font(path: str) -> set[str]:
    """Add a font file to matplotlib's list; return its families, none if it can't be used."""
    fonts = font_manager.fontManager
    before = len(fonts.ttflist)
    try:
        fonts.addfont(path)
    except _BROKEN as error:
        logging.getLogger(__name__).debug("%s is no font to use: %s", path, error)
    return {entry.name for entry in fonts.ttflist[before:]}


def _own_family() -> str | None:
    path = os.environ.get(VARIABLE)
    return _list_own_font(path) if path else None


@lru_cache(maxsize=8)
def _list_own_font(path: str) -> str:
    if not Path(path).is_file():
        raise UsageError(f"no such font file: {path} ({VARIABLE}): name one, or unset it")
    listed = [e.name for e in font_manager.fontManager.ttflist if e.fname == path]
    families = listed or sorted(_list_font(path))
    if not families:
        raise UsageError(f"{path} is not a font to use ({VARIABLE}): name a .ttf, .otf or .ttc")
    return next(_in_preference(families))
