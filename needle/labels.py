"""All words of a figure, in English and Chinese, and what a cell is marked with. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from needle.cells import UNSCORED
from needle.grid import format_length
from needle.types import Cell, Heatmap, Language, Verdict

_TEXT: dict[Language, dict[Language, str]] = {
    "en": {"en": "English", "zh": "Chinese"},
    "zh": {"en": "英文", "zh": "中文"},
}
COLOURS = ("#F0496E", "#EBB839", "#0CD79F")
"""From no fact found to all found: the published charts' colours."""

Mark = Verdict | Literal["partly"]
MARKS: tuple[Mark, ...] = ("refused", "partly", "truncated", "filtered", "failed", "not_run")
"""What a square can carry beside its colour, in the order of the key.

``refused``: every scored reply declined; ``partly``: some trials have no score. The others
say why a square has no colour.
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
    lengths_axis: str
    depths_axis: str
    top: str
    bottom: str
    colour_bar: str
    key: tuple[tuple[Mark, str], ...]
    footer: tuple[tuple[str, ...], ...]


def make_labels(heatmap: Heatmap, language: Language) -> Labels:
    """Write all words of a heatmap's figure in a language."""
    key = tuple((mark, _KEY[language][mark]) for mark in find_marks(heatmap.cells))
    return _write_chinese(heatmap, key) if language == "zh" else _write_english(heatmap, key)


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


def _count_left_out(heatmap: Heatmap) -> list[tuple[Verdict, int]]:
    """Return the trials without a score by reason, the most frequent first."""
    counts = [(v, heatmap.left_out[v]) for v in UNSCORED if heatmap.left_out.get(v)]
    return sorted(counts, key=lambda reason: -reason[1])


def _write_english(heatmap: Heatmap, key: tuple[tuple[Mark, str], ...]) -> Labels:
    hanzi = heatmap.unit == "hanzi"
    replicates = f"{heatmap.replicates} replicates"
    if heatmap.replicates == 1:
        replicates = "1 replicate (one needle in one place of the text)"
    passes = (
        f", read {heatmap.passes:.2f} times over (longer ones: needle haystacks list)"
        if heatmap.passes > 1
        else ""
    )
    tokenizer = f"lengths in tokens of {heatmap.tokenizer}"
    if heatmap.vendor_count:
        tokenizer = f"lengths in tokens of {heatmap.model}'s own count"
    if hanzi:
        tokenizer = f"lengths in Chinese characters (tokenizer {heatmap.tokenizer})"
    recall = "no scored replies, so no recall"
    if heatmap.recall is not None:
        noun = "reply" if heatmap.scored == 1 else "replies"
        recall = f"recall {heatmap.recall:.1%} of {heatmap.scored:,} scored {noun}"
    reasons = _count_left_out(heatmap)
    left_out = "none left out"
    if reasons:
        parts = ", ".join(f"{count:,} {verdict.replace('_', ' ')}" for verdict, count in reasons)
        left_out = f"{sum(count for _, count in reasons):,} left out: {parts}"
    task = () if heatmap.task == "single" else (f"task {heatmap.task}",)
    return Labels(
        title=f'Pressure Testing {heatmap.model} via "Needle In A HayStack"',
        subtitle=(
            f"Asking {heatmap.model} To Do Fact Retrieval Across Context Lengths & Document Depth"
        ),
        simulated="simulated endpoint" if heatmap.simulated else None,
        lengths_axis=f"Context Length (# {'Chinese Characters' if hanzi else 'Tokens'})",
        depths_axis="Placed Fact Document Depth",
        top="Top Of\nDocument",
        bottom="Bottom Of\nDocument",
        colour_bar="Accuracy Of Retrieval",
        key=key,
        footer=(
            (recall, left_out, *(("simulated endpoint",) if heatmap.simulated else ())),
            (
                *task,
                f"needle {heatmap.needle}",
                f"haystack {heatmap.haystack} ({_TEXT['en'][heatmap.language]}){passes}",
                tokenizer,
                replicates,
                heatmap.date,
            ),
        ),
    )


def _write_chinese(heatmap: Heatmap, key: tuple[tuple[Mark, str], ...]) -> Labels:
    hanzi = heatmap.unit == "hanzi"
    replicates = f"{heatmap.replicates} 组样本"
    if heatmap.replicates == 1:
        replicates = "1 组样本（仅一个事实、一处文本）"
    passes = (
        f"（全文循环 {heatmap.passes:.2f} 遍；更长的文本见 needle haystacks list）"
        if heatmap.passes > 1
        else ""
    )
    tokenizer = f"长度按 {heatmap.tokenizer} 的 token 计"
    if heatmap.vendor_count:
        tokenizer = f"长度按 {heatmap.model} 自己的 token 计"
    if hanzi:
        tokenizer = f"长度按汉字计（分词器 {heatmap.tokenizer}）"
    recall = "尚无已评分的回答"
    if heatmap.recall is not None:
        recall = f"召回率 {heatmap.recall:.1%}（已评分回答 {heatmap.scored:,} 条）"
    reasons = _count_left_out(heatmap)
    left_out = "全部计入"
    if reasons:
        parts = "，".join(f"{_KEY['zh'][v]} {count:,}" for v, count in reasons)
        left_out = f"{sum(count for _, count in reasons):,} 条未计入：{parts}"
    task = () if heatmap.task == "single" else (f"任务：{heatmap.task}",)
    return Labels(
        title=f"“大海捞针”压力测试：{heatmap.model}",
        subtitle=f"在不同上下文长度与文档深度下，让 {heatmap.model} 检索插入的事实",
        simulated="模拟端点" if heatmap.simulated else None,
        lengths_axis=f"上下文长度（{'汉字数' if hanzi else 'token 数'}）",
        depths_axis="事实所在的文档深度",
        top="文档开头",
        bottom="文档结尾",
        colour_bar="检索准确率",
        key=key,
        footer=(
            (recall, left_out, *(("模拟端点",) if heatmap.simulated else ())),
            (
                *task,
                f"针：{heatmap.needle}",
                f"{_TEXT['zh'][heatmap.language]}背景文本：{heatmap.haystack}{passes}",
                tokenizer,
                replicates,
                heatmap.date,
            ),
        ),
    )
