"""The figures of a publication: a sheet of several runs, and each run's heatmaps."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from needle.canvas import DPI, FORMATS
from needle.captions import LANGUAGE_NAMES
from needle.cover import Shown
from needle.figures import Heatmap, Panel
from needle.heatmaps import draw_heatmap
from needle.palettes import Palette
from needle.sheets import draw_sheet
from needle.standings import Standing
from needle.types import LANGUAGES, Language
from needle.versus import Contest

_SLUG = re.compile(r"[^A-Za-z0-9._\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Look:
    """How figures are drawn: their colours, and the dots per inch of a PNG."""

    palette: Palette = "published"
    dpi: int = DPI


def make_slug(name: str) -> str:
    """Return a name with nothing in it that a file's name can't hold."""
    return _SLUG.sub("-", name).strip("-.") or "run"


def draw_exhibits(
    contest: Contest, names: Sequence[str], folder: Path, look: Look
) -> tuple[Shown, ...]:
    """Draw all figures of a publication into a folder; return them in the order to be shown.

    ``names`` are those of the runs, one for each heatmap. A sheet is drawn once with English
    words and once with Chinese ones; a run's heatmap has those of its text.
    """
    shown: list[Shown] = []
    if len(contest.folders) > 1:
        shown += _draw_sheets(contest, folder, look)
    for name, heatmap, standing in zip(names, contest.heatmaps, contest.standings, strict=True):
        stem = f"{name}-{make_slug(heatmap.task)}-{heatmap.language}"
        weak = standing.statistics.weak
        draw_heatmap(heatmap, folder, FORMATS, stem, weak=weak, palette=look.palette, dpi=look.dpi)
        shown.append(Shown(f"{folder.name}/{stem}", FORMATS, _name(heatmap)))
    return tuple(shown)


def _draw_sheets(contest: Contest, folder: Path, look: Look) -> Iterator[Shown]:
    panels = [
        _make_panel(heatmap, standing)
        for heatmap, standing in zip(contest.heatmaps, contest.standings, strict=True)
    ]
    title: dict[Language, str] = {"en": "All runs on one scale", "zh": "各次运行，同一标尺"}
    for words in LANGUAGES:
        stem = f"sheet-{words}"
        draw_sheet(panels, folder, stem, FORMATS, words, palette=look.palette, dpi=look.dpi)
        yield Shown(f"{folder.name}/{stem}", FORMATS, title, words)


def _make_panel(heatmap: Heatmap, standing: Standing) -> Panel:
    return Panel(heatmap, standing.statistics.overall, standing.statistics.weak)


def _name(heatmap: Heatmap) -> dict[Language, str]:
    """Say what a heatmap is of."""
    text = heatmap.language
    return {
        "en": f"{heatmap.model}, {heatmap.task}, {LANGUAGE_NAMES['en'][text]}",
        "zh": f"{heatmap.model}，{heatmap.task}，{LANGUAGE_NAMES['zh'][text]}",
    }
