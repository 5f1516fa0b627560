"""The figures of a publication: a sheet of several runs, and each run's heatmaps."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from needle.drawing.canvas import DPI, FORMATS
from needle.drawing.heatmaps import draw_heatmap
from needle.runs.contest import Contest
from needle.runs.exhibits import draw_contest, name_differences
from needle.telling.captions import LANGUAGE_NAMES
from needle.telling.cover import Shown
from needle.telling.palettes import Palette
from needle.words.claims import Comparison
from needle.words.figures import Heatmap, Panel
from needle.words.types import LANGUAGES, Language

_SLUG = re.compile(r"[^A-Za-z0-9._\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Look:
    """How figures are drawn: their colours, and the dots per inch of a PNG."""

    palette: Palette = "published"
    dpi: int = DPI


def make_slug(name: str) -> str:
    """Return a name with nothing in it that a file's name can't hold."""
    return _SLUG.sub("-", name).strip("-.") or "run"


def draw_showcase(
    contest: Contest, names: Sequence[str], folder: Path, look: Look
) -> tuple[Shown, ...]:
    """Draw all figures of a publication into a folder; return them in the order to be shown.

    ``names`` are those of the runs, one for each heatmap. What shows several runs is drawn once
    with English words and once with Chinese ones; a run's heatmap has those of its text.
    """
    shown: list[Shown] = []
    if len(contest.folders) > 1:
        shown += _draw_together(contest, folder, look)
    every = zip(names, contest.names, contest.heatmaps, contest.standings, strict=True)
    for name, run, heatmap, standing in every:
        stem = f"{name}-{make_slug(heatmap.task)}-{heatmap.language}"
        weak = standing.statistics.weak
        draw_heatmap(heatmap, folder, FORMATS, stem, weak=weak, palette=look.palette, dpi=look.dpi)
        whose = Panel(heatmap, run=run).name
        shown.append(Shown(f"{folder.name}/{stem}", FORMATS, _name(heatmap, whose)))
    return tuple(shown)


def _draw_together(contest: Contest, folder: Path, look: Look) -> Iterator[Shown]:
    """Draw what shows several runs, in a folder for each language of its words."""
    titles = {
        stem: _name_difference(comparison) for stem, comparison in name_differences(contest).items()
    }
    for words in LANGUAGES:
        drawn = draw_contest(
            contest, folder / words, FORMATS, words, palette=look.palette, dpi=look.dpi
        )
        for stem in dict.fromkeys(path.stem for path in drawn):
            task = stem.removeprefix("sheet-")
            sheet: dict[Language, str] = {
                "en": f"All runs on one scale: {task}",
                "zh": f"各次运行，同一标尺：{task}",
            }
            yield Shown(f"{folder.name}/{words}/{stem}", FORMATS, titles.get(stem, sheet), words)


def _name_difference(comparison: Comparison) -> dict[Language, str]:
    """Say what a map of differences is of: the second less the first."""
    if comparison.of == "languages":
        return {
            "en": f"{comparison.second}, {comparison.task}: English less Chinese",
            "zh": f"{comparison.second}，{comparison.task}：英文减中文",
        }
    texts = {
        language: LANGUAGE_NAMES[language][comparison.language or "en"] for language in LANGUAGES
    }
    return {
        "en": f"{comparison.second} less {comparison.first}, {comparison.task}, {texts['en']}",
        "zh": f"{comparison.second} 减 {comparison.first}，{comparison.task}，{texts['zh']}",
    }


def _name(heatmap: Heatmap, whose: str) -> dict[Language, str]:
    """Say what a heatmap is of, and whose."""
    text = heatmap.language
    return {
        "en": f"{whose}, {heatmap.task}, {LANGUAGE_NAMES['en'][text]}",
        "zh": f"{whose}，{heatmap.task}，{LANGUAGE_NAMES['zh'][text]}",
    }
