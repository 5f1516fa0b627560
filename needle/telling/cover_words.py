"""The standing sentences of a publication's page, in English and Chinese. Pure."""

from needle.words.types import Language

PAGES: dict[Language, str] = {"en": "README.md", "zh": "README.zh.md"}

HEADS: dict[Language, tuple[str, ...]] = {
    "en": (
        "Figures",
        "What may be concluded",
        "The numbers",
        "How to read them",
        "Files",
        "Make it again",
        "Texts and licences",
    ),
    "zh": ("图", "能得出什么结论", "数字", "怎么读", "文件", "怎么重跑", "文本与许可"),
}


def _part(text: str, join: str) -> tuple[str, ...]:
    """Part a text at its empty lines, and join the lines of each part."""
    return tuple(join.join(part.split("\n")) for part in text.strip().split("\n\n"))


READING: dict[Language, tuple[str, ...]] = {
    "en": _part(
        """
**Recall** is the mean score of the replies that could be scored, from 0 to 1. A complete reply
without the fact scores 0, and so does a refusal. A request that failed, was filtered or was cut
off has no score: it counts as left out, never as 0.

**95%** is an interval. With several replicates it is over all needles and places of text that
might have been drawn. With one it is over further trials of this one needle in this one text, and
nothing follows for others.

**holds 85.6% to** is the longest context at which recall still reaches 85.6% (RULER's threshold);
**holds 85% of own to** the longest at which it reaches 85% of the model's own score at short
lengths (NoLiMa's).

**Context length** counts all that is sent as messages: instructions, text, needle and question.
**Depth** is the share of the text that stands before the needle.

In the maps one fixed scale of colours goes from no fact found to every fact found. A grey square
has no score; the key below the map says why.

Models are compared in pairs of the same trials; the p-values are corrected after Holm.
""",
        " ",
    ),
    "zh": _part(
        """
**召回率**是能评分的回答的平均分，从 0 到 1。回答完整却没给出事实，记 0 分，拒答也记 0 分；
请求失败、被过滤、被截断的没有分数，只列入“未计入”，绝不当 0 分。

**95% 区间**：有多组样本时，说的是一切可能抽到的针和文本位置；只有一组时，
说的只是同一根针、同一处文本再测会怎样，推不到别处。

**守住 85.6% 至**：召回率仍能达到 85.6% 的最大长度（RULER 的标准）；
**守住自身 85% 至**：召回率仍能达到模型自己短文本得分的 85% 的最大长度（NoLiMa 的标准）。

**上下文长度**把消息里的一切都算上：说明、文本、针和问题。
**深度**是针前面的文本占全文的比例。

热力图的颜色从一条没找到到全部找到，标尺固定。灰格没有分数，原因写在图下。

模型之间的比较逐题成对进行，p 值经 Holm 校正。
""",
        "",
    ),
}

FILES: dict[str, tuple[str, str]] = {
    "report.html": (
        "every trial: its answer, its verdict and why; opens without a network",
        "每一次请求：回答、判定和理由；不联网也能打开",
    ),
    "table.csv": (
        "one row a trial and scorer, all runs in one",
        "一次请求、一种评分一行，各次运行合为一表",
    ),
    "table.parquet": ("the same table with its types", "同一张表，带类型"),
    "statistics.json": ("all estimates, intervals and tests", "全部估计、区间和检验"),
    "figures": ("the figures above, for the screen and for print", "上面各图，屏幕用和印刷用的"),
    "runs": (
        "the configuration of each run, and what else its command names",
        "每次运行的全部配置，以及命令里提到的文件",
    ),
    "sources": ("where the texts are from, and their licences", "文本的来历与许可"),
    "manifest.json": (
        "the sha256 and size of every file: `needle publish --check .` holds them against it",
        "每个文件的 sha256 和大小，用 `needle publish --check .` 核对",
    ),
}

AGAIN: dict[Language, tuple[str, str]] = {
    "en": (
        "With needle {version} and, where a model asks for one, its key in the environment:",
        "What these commands leave open:",
    ),
    "zh": (
        "装好 needle {version}，模型若要密钥，先设好环境变量，再运行：",
        "这些命令没有说尽的：",
    ),
}

TEXTS: dict[Language, tuple[str, ...]] = {
    "en": _part(
        """
Of the texts themselves nothing is here but the few sentences around a needle. Where an answer or
an error message repeats {longest} or more characters of them in a row, [… N …] stands for those N
characters. [key] stands for what was, or looked like, a key.

The text of some runs was not at hand to hold the answers against: there, whatever is longer than
{unchecked:,} characters is cut instead.

The answers are the models'. The licence of all this is for the publisher to name.
""",
        " ",
    ),
    "zh": _part(
        """
除了针前后的几句话，这里不含文本本身。回答或报错里若有连续 {longest} 个以上的字符与文本相同，
就以 [… N …] 代替那 N 个字符。[key] 代替的是密钥，或者样子像密钥的东西。

有些运行的文本当时不在手边，无从对照：其中凡超过 {unchecked:,} 个字符的，一律截短。

回答出自各模型；这里的内容用什么许可，由发布者写明。
""",
        "",
    ),
}
"""What is left out; what is cut where the text was not at hand; whose the rest is."""

ORIGIN: dict[Language, str] = {"en": "origin and licence", "zh": "来历与许可"}
OWN_TEXT: dict[Language, str] = {
    "en": "a text of the publisher's own, with no word of its licence",
    "zh": "发布者自己的文本，没有写明许可",
}
OWN_NEEDLE: dict[Language, str] = {
    "en": "a needle of the publisher's own",
    "zh": "发布者自己的针",
}
NEEDLE: dict[Language, str] = {"en": "needle", "zh": "针"}
HAYSTACK: dict[Language, str] = {"en": "haystack", "zh": "草堆"}
