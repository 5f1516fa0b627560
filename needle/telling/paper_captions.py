"""The caption of a paper's figure: what its face leaves out, in English and Chinese. Pure."""

from needle.telling.captions import write_p
from needle.telling.labels import make_labels, write_depths, write_lengths
from needle.words.claims import WeakRegion
from needle.words.figures import Heatmap
from needle.words.types import Grid, Language


def write_caption(heatmap: Heatmap, language: Language, weak: WeakRegion | None = None) -> str:
    """Write the caption of a heatmap in the style of a paper, as one paragraph."""
    labels = make_labels(heatmap, language)
    chinese = language == "zh"
    sentences = [_say_what_it_is(heatmap, language)]
    if heatmap.simulated:
        simulated = "端点是模拟的，不代表任何模型的能力"
        sentences.append(
            simulated if chinese else "Simulated endpoint: no model's ability is shown"
        )
    if labels.warning:
        sentences.append(labels.warning)
    if weak is not None:
        sentences.append(_describe_region(weak, heatmap.grid, language))
    result, *rest = labels.footer
    lines = [[fact for fact in result if fact != labels.simulated], *rest]
    sentences += [("；" if chinese else "; ").join(line) for line in lines]
    if chinese:
        return "".join(f"{sentence}。" for sentence in sentences)
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)


def _say_what_it_is(heatmap: Heatmap, language: Language) -> str:
    hanzi = heatmap.unit == "hanzi"
    if language == "zh":
        return (
            f"{heatmap.model} 的检索准确率：横轴为上下文长度（{'汉字' if hanzi else 'token '}数），"
            "纵轴为事实所在的文档深度（0% 为文档开头，100% 为结尾）"
        )
    return (
        f"Accuracy of retrieval by {heatmap.model} across context lengths (columns, in "
        f"{'Chinese characters' if hanzi else 'tokens'}) and document depths of the placed fact "
        "(rows; 0% is the top of the document, 100% its bottom)"
    )


def _describe_region(weak: WeakRegion, grid: Grid, language: Language) -> str:
    """Say where the weak region is, in the words of the axes' ticks."""
    written = dict(zip(grid.lengths, write_lengths(grid.lengths), strict=True))
    lengths = dict.fromkeys(written[length] for length in weak.lengths)
    placed = dict(zip(grid.depths, write_depths(grid.depths), strict=True))
    depths = dict.fromkeys(placed[depth] for depth in weak.depths)
    p = write_p(weak.p_value)
    if language == "zh":
        return (
            f"虚线框为由数据找出的薄弱区：长度 {' 至 '.join(lengths)}，深度 {' 至 '.join(depths)}，"
            f"框内召回率 {weak.inside:.1%}，框外 {weak.outside:.1%}（扫描检验 {p}）"
        )
    return (
        f"The dashed line is around the weak region, found from the data: context length "
        f"{' to '.join(lengths)}, depth {' to '.join(depths)}; recall is {weak.inside:.1%} inside "
        f"and {weak.outside:.1%} outside (scan test, {p})"
    )
