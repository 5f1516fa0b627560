"""All words of a difference map, in English and Chinese. Pure."""

from collections.abc import Sequence

from needle.telling.captions import LANGUAGE_NAMES, write_p
from needle.telling.labels import KeyMark, Labels, write_axes
from needle.telling.sheet_labels import describe_setups, name_row
from needle.words.claims import Comparison, PairedCell
from needle.words.figures import Heatmap, Panel
from needle.words.types import Grid, Language, Unit


def make_difference_labels(
    comparison: Comparison,
    grid: Grid,
    language: Language,
    *,
    sides: Sequence[Heatmap] = (),
    unit: Unit | None = None,
    simulated: bool = False,
) -> Labels:
    """Write all words of a comparison's map.

    ``sides`` are the heatmaps compared: what they have in common is said once. ``unit`` is
    theirs, or tokens, unless given.
    """
    unit = unit or (sides[0].unit if sides else "tokens")
    first, second = name_sides(comparison, language)
    chinese = language == "zh"
    return Labels(
        title=_write_title(comparison, language),
        subtitle=_write_subtitle(comparison, language),
        simulated=_write_simulated(sides, language, simulated=simulated),
        warning=None,
        **write_axes(unit, language),
        colour_bar="差值（百分点）" if chinese else "Difference (Points)",
        key=_write_key(find_cells(comparison, grid), (first, second), language),
        footer=(
            _write_result(comparison, language),
            _write_pairs(comparison, grid, (first, second), language),
            *_write_setups(sides, language),
        ),
    )


def find_cells(comparison: Comparison, grid: Grid) -> list[list[PairedCell]]:
    """Return the comparison's cells as rows of a grid; a place that it lacks has no pairs."""
    cells = {(cell.context_length, cell.depth_percent): cell for cell in comparison.cells}
    return [
        [
            cells.get((length, depth))
            or PairedCell(length, depth, None, 0, None, beyond_chance=False)
            for length in grid.lengths
        ]
        for depth in grid.depths
    ]


def name_sides(comparison: Comparison, language: Language) -> tuple[str, str]:
    """Name the two sides: models, or a model's languages."""
    if comparison.of == "languages":
        return LANGUAGE_NAMES[language]["zh"], LANGUAGE_NAMES[language]["en"]
    return comparison.first, comparison.second


def _write_title(comparison: Comparison, language: Language) -> str:
    first, second = name_sides(comparison, language)
    whose = comparison.second if comparison.of == "languages" else ""
    if language == "zh":
        return f"召回率之差：{whose}{'，' if whose else ''}{second} 减 {first}".replace(
            "文 减 ", "文减"
        )
    return f"Difference In Recall: {whose}{', ' if whose else ''}{second} Less {first}"


def _write_subtitle(comparison: Comparison, language: Language) -> str:
    text = LANGUAGE_NAMES[language][comparison.language] if comparison.language else ""
    if language == "zh":
        what = "同样的事实、两种语言" if comparison.of == "languages" else f"同样的{text}题目"
        return f"{what}，不同的上下文长度与文档深度"
    what = f"On The Same {text} Trials".replace("  ", " ")
    if comparison.of == "languages":
        what = "On The Same Facts In Both Languages"
    return f"{what}, Across Context Lengths & Document Depth"


def _write_simulated(
    sides: Sequence[Heatmap], language: Language, *, simulated: bool
) -> str | None:
    """Say that a side is simulated, and which where the other is not."""
    models = dict.fromkeys(side.model for side in sides if side.simulated)
    if not simulated and not models:
        return None
    word = "模拟端点" if language == "zh" else "simulated endpoint"
    if not models or all(side.simulated for side in sides):
        return word
    return f"{word}{'：' if language == 'zh' else ': '}{'、'.join(models)}"


def _write_key(
    rows: Sequence[Sequence[PairedCell]], names: tuple[str, str], language: Language
) -> tuple[tuple[KeyMark, str], ...]:
    chinese = language == "zh"
    first, second = (
        f"{_space(name)}更高".strip() if chinese else f"{name} higher" for name in names
    )
    key: list[tuple[KeyMark, str]] = [("second", second), ("first", first)]
    cells = [cell for row in rows for cell in row]
    if any(cell.beyond_chance for cell in cells):
        beyond = "beyond chance (sign test in each cell, 5% false discoveries)"
        key.append(("beyond", "差异超出偶然（逐格符号检验，错误发现率 5%）" if chinese else beyond))
    if any(cell.difference is None for cell in cells):
        key.append(
            ("no_pairs", "没有两边都评分的题目" if chinese else "no trial scored on both sides")
        )
    return tuple(key)


def _write_result(comparison: Comparison, language: Language) -> tuple[str, ...]:
    """Give the difference with its interval, its p-value and test, and what would have shown."""
    chinese, estimate = language == "zh", comparison.difference
    if estimate.value is None:
        return ("没有两边都评分的题目" if chinese else "no trial is scored on both sides",)
    difference = write_points(estimate.value)
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        ends = write_points(estimate.low), write_points(estimate.high)
        interval = f"（95% 区间 {ends[0]} 至 {ends[1]}）"
        interval = interval if chinese else f" (95% interval {ends[0]} to {ends[1]})"
    facts = [
        f"差值 {difference} 个百分点{interval}"
        if chinese
        else f"difference {difference} points{interval}",
        _write_test(comparison, language),
        _write_power(comparison, language),
    ]
    if estimate.scope == "draw":
        alone = "for this one needle in this one text alone"
        facts.append("仅就这一根针、这一处文本而言" if chinese else alone)
    return tuple(facts)


def write_points(value: float) -> str:
    """Write a difference, a share of 1, in points with its sign: +12.3, −4.0."""
    return f"{100 * value:+.1f}".replace("-", "−")


def _write_test(comparison: Comparison, language: Language) -> str:
    p, replicates = write_p(comparison.p_adjusted), comparison.replicates
    if language == "zh":
        test = "McNemar 精确检验"
        if comparison.test == "permutation":
            test = f"{replicates} 组样本的符号置换检验"
        return f"{p}（{test}，Holm 校正）"
    test = "McNemar's exact test"
    if comparison.test == "permutation":
        test = f"permutation of signs over {replicates} replicates"
    return f"{p} ({test}, Holm-adjusted)"


def _write_power(comparison: Comparison, language: Language) -> str:
    chinese, detectable = language == "zh", comparison.detectable
    few, unit = ("题目", "对" if chinese else "pairs")
    if comparison.test == "permutation":
        few, unit = ("样本组数", "组" if chinese else "replicates")
    if detectable is None:
        return (
            f"{few}太少，检验到不了 5% 的水平（至少要 {comparison.needed} {unit}）"
            if chinese
            else f"too few {unit} for the test to reach 5% ({comparison.needed} can)"
        )
    if chinese:
        return f"可检出的最小差值 {100 * detectable:.1f} 个百分点（五次里四次，5% 水平）"
    return f"smallest detectable difference {100 * detectable:.1f} points (80% power, 5% level)"


def _write_pairs(
    comparison: Comparison, grid: Grid, names: tuple[str, str], language: Language
) -> tuple[str, ...]:
    """Count the pairs, and say so where no cell differs beyond chance by itself."""
    pairs, lower, higher = comparison.pairs, comparison.only_first, comparison.only_second
    cells = [cell for row in find_cells(comparison, grid) for cell in row]
    none = not any(cell.beyond_chance for cell in cells)
    if language == "zh":
        first, second = map(_space, names)
        counts = f"其中 {higher:,} 对{second}得分更高，{lower:,} 对{first}得分更高"
        return (f"{pairs:,} 对题目，{counts}", *(("没有哪一格单独看超出偶然",) if none else ()))
    noun = "pair" if pairs == 1 else "pairs"
    counts = f"{higher:,} with {names[1]} higher, {lower:,} with {names[0]} higher"
    alone = ("no cell differs beyond chance by itself",) if none else ()
    return (f"{pairs:,} {noun} of trials: {counts}", *alone)


def _space(name: str) -> str:
    """Set a name within Chinese words: Latin letters stand apart from them."""
    return name if name in LANGUAGE_NAMES["zh"].values() else f" {name} "


def _write_setups(sides: Sequence[Heatmap], language: Language) -> tuple[tuple[str, ...], ...]:
    """Say how the sides were made, as a sheet does."""
    rows = list(dict.fromkeys((side.task, side.language) for side in sides))
    panels = [[Panel(side) for side in sides if (side.task, side.language) == row] for row in rows]
    return describe_setups([name_row(row, rows, language) for row in rows], panels, language)
