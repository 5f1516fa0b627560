"""All words of a figure, in English and Chinese, and what a cell is marked with. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from needle.contexts.grid import format_length
from needle.contexts.tasks import text_language
from needle.statistics.cells import UNSCORED
from needle.telling.captions import (
    LANGUAGE_NAMES,
    describe_adaptive,
    describe_base,
    describe_controls,
    describe_one,
    describe_task,
    describe_weak,
    name_layout,
    name_task,
    subtitle_layout,
    warn_known,
)
from needle.words.claims import WeakRegion
from needle.words.figures import Cell, Heatmap
from needle.words.types import UNKNOWN, Language, Unit, Verdict

_MOST_FILES = 3  # that a footer names

Mark = Verdict | Literal["partly"]
MARKS: tuple[Mark, ...] = ("refused", "partly", "truncated", "filtered", "failed", "not_run")
"""What a square can carry beside its colour, in the order of the key.

``refused``: every scored reply declined; ``partly``: some trials have no score. The others
say why a square has no colour.
"""

KeyMark = Mark | Literal["weak", "first", "second", "beyond", "no_pairs"]
"""All that a key explains: marks of squares, the weak region, and those of a difference map.

``first`` and ``second``: the colour of the cells where that side finds more; ``beyond``: its
difference is beyond chance; ``no_pairs``: no trial is scored on both sides.
"""

_KEY: dict[Language, dict[Mark, str]] = {
    "en": {
        "refused": "refused (scores 0)",
        "partly": "some trials without a score",
        "truncated": "truncated",
        "filtered": "filtered",
        "failed": "failed",
        "not_run": "not run",
    },
    "zh": {
        "refused": "拒答（计 0 分）",
        "partly": "部分缺失",
        "truncated": "截断",
        "filtered": "被过滤",
        "failed": "失败",
        "not_run": "未运行",
    },
}


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of one figure. ``footer`` is its lines, each of items kept whole if they fit."""

    title: str
    subtitle: str
    simulated: str | None
    warning: str | None
    lengths_axis: str
    depths_axis: str
    top: str
    bottom: str
    colour_bar: str
    key: tuple[tuple[KeyMark, str], ...]
    footer: tuple[tuple[str, ...], ...]


def make_labels(heatmap: Heatmap, language: Language, weak: WeakRegion | None = None) -> Labels:
    """Write all words of a heatmap's figure in a language, those of a weak region with them."""
    words = name_marks(
        language,
        imported=heatmap.imported is not None,
        adaptive=heatmap.adaptive is not None,
    )
    key: tuple[tuple[KeyMark, str], ...] = tuple(
        (mark, words[mark]) for mark in find_marks(heatmap.cells)
    )
    if weak is not None:
        key = (*key, ("weak", describe_weak(weak, language)))
    return _write_chinese(heatmap, key) if language == "zh" else _write_english(heatmap, key)


def write_axes(unit: Unit, language: Language) -> dict[str, str]:
    """Return the words along a map's axes, by their names in ``Labels``."""
    hanzi = unit == "hanzi"
    if language == "zh":
        return {
            "lengths_axis": f"上下文长度（{'汉字数' if hanzi else 'token 数'}）",
            "depths_axis": "事实所在的文档深度",
            "top": "文档开头",
            "bottom": "文档结尾",
        }
    return {
        "lengths_axis": f"Context Length (# {'Chinese Characters' if hanzi else 'Tokens'})",
        "depths_axis": "Placed Fact Document Depth",
        "top": "Top Of\nDocument",
        "bottom": "Bottom Of\nDocument",
    }


def name_marks(language: Language, *, imported: bool, adaptive: bool = False) -> dict[Mark, str]:
    """Return the words for each mark; what an imported file lacks may still have been run.

    What an adaptive run has not asked, it mostly leaves on purpose.
    """
    chinese = language == "zh"
    if imported:
        return {**_KEY[language], "not_run": "没有结果" if chinese else "no result"}
    if adaptive:
        return {**_KEY[language], "not_run": "自适应未问" if chinese else "not asked (adaptive)"}
    return _KEY[language]


def mark_cell(cell: Cell) -> tuple[Mark, ...]:
    """Tell what a square is marked with.

    Without a score it is the most frequent reason, ties in the order of VERDICTS.
    """
    missing = [verdict for verdict in UNSCORED if cell.verdicts.get(verdict)]
    if cell.score is None:
        reason: Verdict = max(missing, key=lambda v: cell.verdicts[v], default="not_run")
        return (reason,)
    scored = {v for v, count in cell.verdicts.items() if count and v not in missing}
    marks: list[Mark] = []
    if scored == {"refused"}:
        marks.append("refused")
    if missing:
        marks.append("partly")
    return tuple(marks)


def find_marks(cells: Sequence[Cell]) -> tuple[Mark, ...]:
    """Return the marks that occur in a heatmap, in the order of the key."""
    found = {mark for cell in cells for mark in mark_cell(cell)}
    return tuple(mark for mark in MARKS if mark in found)


def write_lengths(lengths: Sequence[int]) -> list[str]:
    """Write the ticks of the lengths: 1k, 10.1k, 128k; longer where these would be alike."""
    rounded = [_round_length(length) for length in lengths]
    for ticks in ([format_length(x) for x in rounded], [format_length(x) for x in lengths]):
        if len(set(ticks)) == len(ticks):
            return ticks
    return [f"{length:,}" for length in lengths]


def _round_length(length: int) -> int:
    """Round to what a tick has room for: hundreds from 1k, ten thousands from 1M."""
    return round(length, -4 if length >= 1_000_000 else -2 if length >= 1_000 else 0)  # noqa: PLR2004


def write_depths(depths: Sequence[float]) -> list[str]:
    """Write the ticks of the depths, with as few decimals as keep them apart.

    Only 0 and 100 themselves are written 0% and 100%.
    """
    for digits in range(4):
        ticks = [f"{round(depth, digits):.{digits}f}%" for depth in depths]
        ends = [round(depth, digits) in (0, 100) and depth not in (0, 100) for depth in depths]
        if len(set(ticks)) == len(ticks) and not any(ends):
            break
    return [f"{float(tick[:-1]):g}%" for tick in ticks]


def _without_empty(*lines: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(line for line in lines if line)


def _count_left_out(heatmap: Heatmap) -> list[tuple[Verdict, int]]:
    """Return the trials without a score by reason, the most frequent first."""
    counts = [(v, heatmap.left_out[v]) for v in UNSCORED if heatmap.left_out.get(v)]
    return sorted(counts, key=lambda reason: -reason[1])


def write_recall(heatmap: Heatmap, language: Language) -> str:
    """Say what recall is, and over how many scored replies."""
    chinese = language == "zh"
    if heatmap.recall is None:
        return "尚无已评分的回答" if chinese else "no scored replies, so no recall"
    core = heatmap.adaptive is not None
    if chinese:
        whose = "核心部分" if core else ""
        return f"召回率 {heatmap.recall:.1%}（{whose}已评分回答 {heatmap.scored:,} 条）"
    noun = "reply" if heatmap.scored == 1 else "replies"
    whose = " in the core" if core else ""
    return f"recall {heatmap.recall:.1%} of {heatmap.scored:,} scored {noun}{whose}"


def write_left_out(heatmap: Heatmap, language: Language) -> str:
    """Say how many trials have no score, and why."""
    chinese = language == "zh"
    reasons = _count_left_out(heatmap)
    if not reasons:
        return "全部计入" if chinese else "none left out"
    words = name_marks(language, imported=heatmap.imported is not None)
    total = sum(count for _, count in reasons)
    if chinese:
        parts = "，".join(f"{words[verdict]} {count:,}" for verdict, count in reasons)
        return f"{total:,} 条未计入：{parts}"
    parts = ", ".join(f"{count:,} {words[verdict]}" for verdict, count in reasons)
    return f"{total:,} left out: {parts}"


def _name_scorer(heatmap: Heatmap, language: Language) -> tuple[str, ...]:
    """Say whose scores are drawn, where it is not what figures of needle's own runs show."""
    names = {
        "keyword": ("scored by keyword recall", "按关键词召回评分"),
        "exact": ("scored by exact match", "按完全匹配评分"),
        "judge": (f"scored by the judge {heatmap.judge}", f"由裁判 {heatmap.judge} 评分"),
        "published": ("scores as published", "沿用已发表的分数"),
    }
    if heatmap.scorer == "keyword" and heatmap.imported is None:
        return ()
    return (names[heatmap.scorer][language == "zh"],)


def _name_origin(heatmap: Heatmap, language: Language) -> tuple[str, ...]:
    """Say when the run was; of imported results, when they were made, and from what files."""
    imported = heatmap.imported
    if imported is None:
        return (heatmap.date,)
    chinese = language == "zh"
    files = ("、" if chinese else ", ").join(file.name for file in imported.files)
    if len(imported.files) > _MOST_FILES:
        files = f"{len(imported.files):,} {'个文件' if chinese else 'files'}"
    if chinese:
        date = f"结果日期：{imported.date}" if imported.date else "结果日期不详"
        return (f"导入的结果（{imported.format}）：{files}", date, f"{heatmap.date} 导入")
    date = f"results of {imported.date}" if imported.date else "date of the results not known"
    return (f"imported ({imported.format}) from {files}", date, f"imported on {heatmap.date}")


def _write_english(heatmap: Heatmap, key: tuple[tuple[KeyMark, str], ...]) -> Labels:
    hanzi = heatmap.unit == "hanzi"
    text = LANGUAGE_NAMES["en"][text_language(heatmap.task, heatmap.language)]
    replicates = f"{heatmap.replicates} replicates"
    if heatmap.imported is not None:
        replicates = f"up to {heatmap.replicates} replies a cell"
    elif heatmap.replicates == 1:
        replicates = describe_one(heatmap, "en")
    passes = (
        f", read {heatmap.passes:.2f} times over (longer ones: needle haystacks list)"
        if heatmap.passes is not None and heatmap.passes > 1
        else ""
    )
    tokenizer = f"lengths in tokens of {heatmap.tokenizer}"
    if heatmap.tokenizer == UNKNOWN:
        tokenizer = "lengths as recorded (tokenizer not known)"
    if heatmap.vendor_count:
        tokenizer = f"lengths in tokens of {heatmap.model}'s own count"
    if hanzi:
        tokenizer = f"lengths in Chinese characters (tokenizer {heatmap.tokenizer})"
    needle = "needle not known" if heatmap.needle == UNKNOWN else f"needle {heatmap.needle}"
    haystack = f"haystack {heatmap.haystack}"
    if heatmap.haystack == UNKNOWN:
        haystack = "haystack not known"
    return Labels(
        title=f'Pressure Testing {heatmap.model} via "Needle In A HayStack"',
        subtitle=(
            f"Asking {heatmap.model} {describe_task(heatmap, 'en')} "
            f"Across Context Lengths & Document Depth{subtitle_layout(heatmap, 'en')}"
        ),
        simulated="simulated endpoint" if heatmap.simulated else None,
        warning=warn_known(heatmap, "en"),
        **write_axes(heatmap.unit, "en"),
        colour_bar="Accuracy Of Retrieval",
        key=key,
        footer=_without_empty(
            (
                write_recall(heatmap, "en"),
                write_left_out(heatmap, "en"),
                *describe_base(heatmap, "en"),
                *(("simulated endpoint",) if heatmap.simulated else ()),
            ),
            describe_adaptive(heatmap, "en"),
            describe_controls(heatmap, "en"),
            (
                *name_task(heatmap, "en"),
                *name_layout(heatmap, "en"),
                needle,
                f"{haystack} ({text}){passes}",
                tokenizer,
                replicates,
                *_name_scorer(heatmap, "en"),
                *_name_origin(heatmap, "en"),
            ),
        ),
    )


def _write_chinese(heatmap: Heatmap, key: tuple[tuple[KeyMark, str], ...]) -> Labels:
    hanzi = heatmap.unit == "hanzi"
    text = LANGUAGE_NAMES["zh"][text_language(heatmap.task, heatmap.language)]
    replicates = f"{heatmap.replicates} 组样本"
    if heatmap.imported is not None:
        replicates = f"每格至多 {heatmap.replicates} 条回答"
    elif heatmap.replicates == 1:
        replicates = describe_one(heatmap, "zh")
    passes = (
        f"（全文循环 {heatmap.passes:.2f} 遍；更长的文本见 needle haystacks list）"
        if heatmap.passes is not None and heatmap.passes > 1
        else ""
    )
    tokenizer = f"长度按 {heatmap.tokenizer} 的 token 计"
    if heatmap.tokenizer == UNKNOWN:
        tokenizer = "长度依原记录（分词器不详）"
    if heatmap.vendor_count:
        tokenizer = f"长度按 {heatmap.model} 自己的 token 计"
    if hanzi:
        tokenizer = f"长度按汉字计（分词器 {heatmap.tokenizer}）"
    needle = "针：不详" if heatmap.needle == UNKNOWN else f"针：{heatmap.needle}"
    haystack = "不详" if heatmap.haystack == UNKNOWN else heatmap.haystack
    return Labels(
        title=f"“大海捞针”压力测试：{heatmap.model}",
        subtitle=(
            f"在不同上下文长度与文档深度下{subtitle_layout(heatmap, 'zh')}，"
            f"让 {heatmap.model} {describe_task(heatmap, 'zh')}"
        ),
        simulated="模拟端点" if heatmap.simulated else None,
        warning=warn_known(heatmap, "zh"),
        **write_axes(heatmap.unit, "zh"),
        colour_bar="检索准确率",
        key=key,
        footer=_without_empty(
            (
                write_recall(heatmap, "zh"),
                write_left_out(heatmap, "zh"),
                *describe_base(heatmap, "zh"),
                *(("模拟端点",) if heatmap.simulated else ()),
            ),
            describe_adaptive(heatmap, "zh"),
            describe_controls(heatmap, "zh"),
            (
                *name_task(heatmap, "zh"),
                *name_layout(heatmap, "zh"),
                needle,
                f"{text}背景文本：{haystack}{passes}",
                tokenizer,
                replicates,
                *_name_scorer(heatmap, "zh"),
                *_name_origin(heatmap, "zh"),
            ),
        ),
    )
