import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from drawn import check_layout, full, make_heatmap, maps_of, scores_of, texts_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

from needle.contexts.grid import GridWish, make_grid
from needle.drawing import fonts
from needle.drawing.canvas import FORMATS
from needle.drawing.heatmaps import build_figure, draw_heatmap
from needle.drawing.papers import build_paper
from needle.telling.paper_captions import write_caption
from needle.words.claims import WeakRegion
from needle.words.figures import Controls, Style
from needle.words.types import Language

WEAK = WeakRegion((2000, 4000), (50.0, 50.0), 0.25, 0.95, 0.0167)


def test_one_column_wide_without_a_title() -> None:
    """A paper's figure is a column wide, has the same squares, and no title or subtitle."""
    figure = build_paper(make_heatmap())
    assert 3.3 <= figure.get_figwidth() <= 3.5
    assert scores_of(figure).tolist()[0][:2] == [1.0, 0.5]
    assert not any("Pressure" in text or "Asking" in text for text in texts_of(figure))


def test_type_is_readable() -> None:
    """No word of a paper's figure is smaller than 6 points."""
    for words in ("en", "zh"):
        figure = build_paper(make_heatmap(simulated=True), words, weak=WEAK)
        texts = [text for text in figure.findobj(Text) if text.get_text()]
        assert min(float(text.get_fontsize()) for text in texts) >= 6


def test_face_keeps_what_it_must() -> None:
    """Recall, what is left out, the marks, and that an endpoint is simulated stay on the face."""
    words = texts_of(build_paper(make_heatmap(simulated=True)))
    face = " ".join(words)
    assert "simulated endpoint" in words
    assert "recall 45.6% of 11 scored replies" in face
    assert "7 left out: 3 failed, 3 not run, 1 filtered" in face
    assert "refused (scores 0)" in words
    assert "dolores-park" not in face
    assert "simulated endpoint" not in texts_of(build_paper(make_heatmap()))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_caption_says_what_the_face_leaves_out(language: Language) -> None:
    """The caption names model, needle, text, tokenizer, region and simulation, and warns."""
    heatmap = make_heatmap(simulated=True, controls=Controls(9, 1, 3, 2))
    caption = write_caption(heatmap, language, WEAK)
    for part in ("moonshot-v1-128k", "dolores-park", "essays", "o200k_base", "45.6%", "p = 0.017"):
        assert part in caption
    for part in ("2k", "4k", "50%", "25.0%", "95.0%"):
        assert part in caption
    assert ("模拟" if language == "zh" else "Simulated endpoint") in caption
    assert ("不看文本" if language == "zh" else "Known without the text") in caption
    assert "\n" not in caption
    plain = write_caption(make_heatmap(), language)
    assert not any(word in plain.lower() for word in ("dashed", "simulated", "虚线", "模拟"))


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["en", "zh"]),
    st.booleans(),
    st.sampled_from([8_000, 200_000, 2_000_000]),
)
def test_nothing_overlaps_or_is_clipped(
    columns: int, rows: int, words: Language, simulated: bool, top: int
) -> None:
    """Whatever the grid, all is inside the column and nothing overlaps, in either style."""
    wish = GridWish("full", length_count=columns, depth_count=rows, spacing="sigmoid")
    grid = make_grid(wish, top)
    score = None if simulated else 0.5
    heatmap = make_heatmap(**full(grid, score), simulated=simulated, unit="hanzi")
    weak = WeakRegion((grid.lengths[0], grid.lengths[-1]), (0.0, 60.0), 0.1, 0.9, 0.02)
    for build in (build_paper, build_figure):
        figure = build(heatmap, words, weak=weak)
        check_layout(figure)
        assert len(maps_of(figure)) == 1


def fonts_in(pdf: bytes) -> tuple[list[bytes], int]:
    """Return the kinds of font in a PDF, and how many font files it embeds."""
    return re.findall(rb"/Subtype /(Type\d\w?|TrueType|CIDFont\w+)", pdf), len(
        re.findall(rb"/FontFile\d? ", pdf)
    )


@pytest.mark.parametrize("style", ["published", "paper"])
def test_fonts_are_embedded(tmp_path: Path, style: Style) -> None:
    """Each font of a PDF is TrueType and embedded, Type 3 none; and its text is text."""
    (path,) = draw_heatmap(make_heatmap(), tmp_path, ("pdf",), words="en", style=style)
    kinds, files = fonts_in(path.read_bytes())
    assert kinds.count(b"Type0") == kinds.count(b"CIDFontType2") == files > 0
    assert b"Type3" not in kinds
    assert b"ToUnicode" in path.read_bytes()


@pytest.mark.skipif(fonts.find_chinese_family() is None, reason="no Chinese font here")
def test_what_can_not_be_embedded_is_outlined(tmp_path: Path) -> None:
    """Words in a font that a PDF can't hold are drawn as outlines: no font is named but held."""
    family = fonts.find_chinese_family()
    assert family is not None
    (path,) = draw_heatmap(make_heatmap(), tmp_path, ("pdf",), words="zh", style="paper")
    kinds, files = fonts_in(path.read_bytes())
    assert kinds.count(b"CIDFontType2") == files
    if not fonts.can_embed("针", (family,)):
        assert kinds == []
        mixed = draw_heatmap(make_heatmap(model="月之暗面"), tmp_path, ("pdf",), "mixed", "en")
        kinds, files = fonts_in(mixed[0].read_bytes())
        assert kinds.count(b"CIDFontType2") == files > 0


def test_latin_can_be_embedded() -> None:
    """Matplotlib's own font can be embedded; what no font has can't."""
    assert fonts.can_embed("recall 91.0% ·", (fonts.LATIN,))
    assert not fonts.can_embed("\U000f0000", (fonts.LATIN,))


def test_same_data_same_bytes(tmp_path: Path) -> None:
    """The same heatmap gives the same bytes in every format, with no date and no producer."""
    first = draw_heatmap(make_heatmap(), tmp_path / "a", FORMATS, style="paper", weak=WEAK)
    second = draw_heatmap(make_heatmap(), tmp_path / "b", FORMATS[::-1], style="paper", weak=WEAK)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second[::-1]]
    pdf = first[FORMATS.index("pdf")].read_bytes()
    for word in (b"CreationDate", b"Producer", b"Creator", b"matplotlib", b"Matplotlib"):
        assert word not in pdf


def test_bytes_are_those_of_another_process(tmp_path: Path) -> None:
    """A PDF's bytes hang on nothing that differs from one process to the next."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from drawn import make_heatmap; from needle.drawing.heatmaps import draw_heatmap\n"
        "draw_heatmap(make_heatmap(), Path(sys.argv[1]), ('pdf', 'svg'), style='paper')"
    )
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "other"), str(Path(__file__).parent)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    here = draw_heatmap(make_heatmap(), tmp_path / "here", ("pdf", "svg"), style="paper")
    for path in here:
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_styles_have_their_own_formats(tmp_path: Path) -> None:
    """Unless told otherwise a paper's figure is a PDF, and a published one a PNG and an SVG."""
    paper = draw_heatmap(make_heatmap(), tmp_path, style="paper")
    published = draw_heatmap(make_heatmap(), tmp_path)
    assert [path.suffix for path in paper] == [".pdf"]
    assert [path.suffix for path in published] == [".png", ".svg"]


def test_dots_per_inch(tmp_path: Path) -> None:
    """A PNG has the dots asked for, its size in inches being the same."""

    def width(dpi: int | None) -> int:
        (path,) = draw_heatmap(make_heatmap(), tmp_path, ("png",), style="paper", dpi=dpi)
        return int(struct.unpack(">I", path.read_bytes()[16:20])[0])

    assert [width(dpi) for dpi in (100, 300, None)] == [340, 1020, 2040]
