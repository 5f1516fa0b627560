import shutil
from pathlib import Path

import pytest
from driving import Call

from needle.runs.drawing import draw_run
from needle.runs.loading import load
from needle.statistics.weakness import find_weak_region

SAMPLE = Path(__file__).parents[1] / "runs" / "sample"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    folder.mkdir()
    for file in ("run.yaml", "outcomes.jsonl", "scores.jsonl"):
        shutil.copy(SAMPLE / file, folder / file)
    return folder


def figures_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("heatmap-*"))


def test_styles_and_palettes_replace_no_other(draw: Call, sample: Path) -> None:
    """A figure in another style or palette has a name of its own, in the formats asked for."""
    assert draw("heatmap", sample, "--format", "png").status == 0
    assert draw("heatmap", sample, "--format", "svg,png", "--palette", "safe").status == 0
    assert draw("heatmap", sample, "--style", "paper").status == 0
    kinds = ("-paper.pdf", "-safe.png", "-safe.svg", ".png")
    assert figures_in(sample) == sorted(
        f"heatmap-single-{x}{k}" for x in ("en", "zh") for k in kinds
    )


def test_a_papers_caption_is_printed(draw: Call, sample: Path) -> None:
    """A paper's captions are printed in the language of the words, a line each, and no others."""
    done = draw("heatmap", sample, "--style", "paper")
    captions = [line for line in done.out.splitlines() if line.startswith("caption: ")]
    assert len(captions) == 2
    assert "Accuracy of retrieval by sim/middle" in captions[0]
    assert "sim/middle 的检索准确率" in captions[1]
    english = draw("heatmap", sample, "--style", "paper", "--labels", "en").out
    assert english.count("Accuracy of retrieval") == 2
    assert "caption:" not in draw("heatmap", sample, "--format", "svg").out


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("--format", "gif"), "can't draw as 'gif' (--format): use png, svg, pdf"),
        (("--format", ""), "can't draw as '' (--format): use png, svg, pdf"),
        (("--dpi", "10"), "dots per inch must be within 50-1200, got 10 (--dpi)"),
        (("--dpi", "99999"), "dots per inch must be within 50-1200, got 99999 (--dpi)"),
    ],
)
def test_what_can_not_be_drawn(draw: Call, sample: Path, said: tuple[str, ...], told: str) -> None:
    """What can't be drawn is one line that says what can, and nothing is written."""
    done = draw("heatmap", sample, *said)
    assert done.status == 2
    assert done.err.strip() == f"needle: {told}"
    assert figures_in(sample) == []


def test_panels_hold_the_weak_region(sample: Path) -> None:
    """What a run is drawn from is its heatmaps, each with the weak region found in it."""
    drawn, panels = draw_run(load(sample), formats=("svg",))
    assert [path.suffix for path in drawn] == [".svg", ".svg"]
    for panel in panels:
        assert panel.weak == find_weak_region(panel.heatmap)
