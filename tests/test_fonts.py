from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib import font_manager
from matplotlib.font_manager import fontManager

from needle.drawing import fonts
from needle.drawing.fonts import LATIN, VARIABLE, Families
from needle.words.errors import UsageError

CHINESE = "".join(map(chr, range(0x4E00, 0xA000))) + "“”，：（）"


def build_font(path: Path, family: str, characters: str, *, last_resort: bool = False) -> Path:
    """Build a font whose every glyph is a square; a last-resort one has one glyph for all."""
    builder_module: Any = pytest.importorskip("fontTools.fontBuilder")
    pens: Any = pytest.importorskip("fontTools.pens.ttGlyphPen")
    builder = builder_module.FontBuilder(1000, isTTF=True)
    pen = pens.TTGlyphPen(None)
    pen.moveTo((100, 0))
    for point in ((100, 700), (900, 700), (900, 0)):
        pen.lineTo(point)
    pen.closePath()
    glyphs = {ord(sign): "all" if last_resort else f"u{ord(sign):X}" for sign in characters}
    names = list(dict.fromkeys([".notdef", *glyphs.values()]))
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(glyphs)
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let no font but matplotlib's own be listed; yield the paths that a search finds."""
    own = [entry for entry in fontManager.ttflist if entry.name.startswith("DejaVu")]
    installed: list[str] = []
    monkeypatch.setattr(fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: installed)
    monkeypatch.delenv(VARIABLE, raising=False)
    fonts.search_chinese_family.cache_clear()
    yield installed
    fonts.search_chinese_family.cache_clear()


def test_no_chinese_font() -> None:
    """A machine without a Chinese font has no Chinese family, and gets one line of advice."""
    assert fonts.find_chinese_family() is None
    advice = fonts.chinese_font_advice()
    assert advice is not None
    assert "\n" not in advice
    assert VARIABLE in advice


def test_advice_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux the advice is the command that installs a font."""
    monkeypatch.setattr("sys.platform", "linux")
    assert "apt install fonts-noto-cjk" in str(fonts.chinese_font_advice())


def test_font_newer_than_the_list(tmp_path: Path, bare_machine: list[str]) -> None:
    """A font installed after matplotlib made its list is found, by what it can write."""
    bare_machine.append(str(build_font(tmp_path / "a.ttf", "Squares Fresh", CHINESE)))
    assert fonts.find_chinese_family() == "Squares Fresh"
    assert fonts.chinese_font_advice() is None


def test_half_a_font_will_not_do(tmp_path: Path, bare_machine: list[str]) -> None:
    """A font without all the signs of the Chinese labels is not taken, nor is a broken file."""
    bare_machine.append(str(build_font(tmp_path / "a.ttf", "Squares Half", "上下文长度")))
    (tmp_path / "b.ttf").write_bytes(b"no font at all")
    bare_machine.append(str(tmp_path / "b.ttf"))
    assert fonts.find_chinese_family() is None


def test_last_resort_will_not_do(tmp_path: Path, bare_machine: list[str]) -> None:
    """A font that has one box for every character is no Chinese font."""
    path = build_font(tmp_path / "a.ttf", "Boxes", CHINESE, last_resort=True)
    bare_machine.append(str(path))
    assert fonts.find_chinese_family() is None


def test_preferred_family_first(tmp_path: Path, bare_machine: list[str]) -> None:
    """Of several Chinese fonts the preferred one is taken."""
    bare_machine.append(str(build_font(tmp_path / "a.ttf", "Another Hei", CHINESE)))
    bare_machine.append(str(build_font(tmp_path / "b.ttf", "STHeiti", CHINESE)))
    assert fonts.find_chinese_family() == "STHeiti"


def test_font_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NEEDLE_FONT's file comes before all others, in both languages."""
    path = build_font(tmp_path / "own.ttf", "Squares Own", CHINESE)
    monkeypatch.setenv(VARIABLE, str(path))
    assert fonts.find_chinese_family() == "Squares Own"
    families = ("Squares Own", LATIN)
    assert fonts.choose_families("Squares Own", for_chinese=True) == families
    assert fonts.choose_families("Squares Own", for_chinese=False) == families


@pytest.mark.parametrize("content", [None, b"no font"])
def test_font_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """A NEEDLE_FONT that names no font is the user's mistake, told in one line."""
    path = tmp_path / "wrong.ttf"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(UsageError, match=r"wrong\.ttf \(NEEDLE_FONT\)|font to use \(NEEDLE_FONT\)"):
        fonts.find_chinese_family()


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GPT-4 $x$", "GPT-4 $x$"),
        ("月之暗面 k2", "???? k2"),
        ("a\nb\tc\u3000d\u00a0e", "a b c d e"),
        ("a\u200bb\ufe0f\x07c", "abc"),
        ("\ud800\U000f0000", "??"),
        ("é→", "é→"),
    ],
)
def test_what_no_font_has(text: str, clean: str) -> None:
    """What no family can write becomes a question mark; the rest stays."""
    assert fonts.clean_text(text, (LATIN,)) == clean


def test_text_wraps_between_items() -> None:
    """Items stay whole where they fit in a line, and no line is wider than the room."""
    families: Families = (LATIN,)
    items = ["recall 87.3%", "needle dolores-park", "x" * 200, "two words " * 9]
    room = 2.0
    lines = fonts.wrap_text(items, families, 10, room)
    assert all(fonts.measure_text(line, families, 10) <= room for line in lines)
    assert lines[:2] == ["recall 87.3%", "needle dolores-park"]
    joined = "".join(lines).replace(" ", "").replace("·", "")
    assert joined == "".join(items).replace(" ", "")


def test_largest_size_that_fits() -> None:
    """A title takes the largest size in which it is one line, and wraps only in the smallest."""
    families: Families = (LATIN,)
    assert fonts.fit_text("short", families, (17, 14), 5) == (17, ["short"])
    size, lines = fonts.fit_text("long " * 30, families, (17, 14), 5)
    assert size == 14
    assert len(lines) > 1


def test_long_names_break_after_hyphens() -> None:
    """A word wider than a line breaks after a hyphen or slash if it can; nothing of it is lost."""
    families = (fonts.LATIN,)
    name = "provider/a-model-with-a-long-name-" + "x" * 40
    lines = fonts.wrap_text([name], families, 10, 1.2)
    assert "".join(lines) == name
    assert all(fonts.measure_text(line, families, 10) <= 1.2 for line in lines)
    assert lines[0][-1] in "-/"
