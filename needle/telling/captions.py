"""What a figure says of its task, controls and weak region, in English and Chinese. Pure."""

from needle.contexts.tasks import FAMILIES, text_language
from needle.words.claims import WeakRegion
from needle.words.figures import Heatmap
from needle.words.types import Language

LANGUAGE_NAMES: dict[Language, dict[Language, str]] = {
    "en": {"en": "English", "zh": "Chinese"},
    "zh": {"en": "英文", "zh": "中文"},
}

_TASK: dict[Language, dict[str, str]] = {
    "en": {
        "single": "To Do Fact Retrieval",
        "number": "For A Pass-Number",
        "uuid": "For A UUID",
        "multi": "For {count} Facts At Once",
        "distractors": "For One Fact Among {count} Like It",
        "chain": "To Follow A Chain Of {count} Facts",
        "cross": "For {a_fact} Fact In {text} Text",
        "nonliteral": "For A Fact In Other Words",
    },
    "zh": {
        "single": "检索插入的事实",
        "number": "检索插入的号码",
        "uuid": "检索插入的 UUID",
        "multi": "同时检索 {count} 条插入的事实",
        "distractors": "在 {count} 条相似句当中检索插入的事实",
        "chain": "顺着 {count} 条首尾相接的事实找到答案",
        "cross": "在{text}文本里检索{a_fact}事实",
        "nonliteral": "检索与问题没有共同字词的事实",
    },
}
"""What a model is asked, as a figure's subtitle says it."""


def describe_task(heatmap: Heatmap, language: Language) -> str:
    """Say what a heatmap's model was asked; a task of others' as a single fact."""
    task = heatmap.task if heatmap.task in _TASK[language] and heatmap.count else "single"
    words = _TASK[language][task]
    asked = LANGUAGE_NAMES[language][heatmap.language]
    article = {"English": "An ", "Chinese": "A "}.get(asked, "")
    text = LANGUAGE_NAMES[language][text_language(heatmap.task, heatmap.language)]
    return words.format(count=heatmap.count, a_fact=f"{article}{asked}", text=text)


def name_task(heatmap: Heatmap, language: Language) -> tuple[str, ...]:
    """Name a figure's task in its footer; of several facts the depth is that of the first."""
    if heatmap.task == "single":
        return ()
    option = FAMILIES[heatmap.task].option if heatmap.task in FAMILIES else None
    several = {
        "en": {
            "facts": f" ({heatmap.count} facts, depth of the first)",
            "hops": f" ({heatmap.count} facts, depth of the first)",
            "distractors": f" ({heatmap.count} distractors)",
        },
        "zh": {
            "facts": f"（{heatmap.count} 条事实，深度按第一条计）",
            "hops": f"（{heatmap.count} 条事实，深度按第一条计）",
            "distractors": f"（{heatmap.count} 条干扰句）",
        },
    }[language]
    label = "任务：" if language == "zh" else "task "
    return (f"{label}{heatmap.task}{several.get(option or '', '')}",)


def subtitle_layout(heatmap: Heatmap, language: Language) -> str:
    """Name the shared layout behind a subtitle or a panel's name; the classic one goes unsaid."""
    if heatmap.layout != "shared":
        return ""
    return "（共用上下文）" if language == "zh" else " (Shared Contexts)"


def name_layout(heatmap: Heatmap, language: Language) -> tuple[str, ...]:
    """Say in a footer how many needles stand in each shared context."""
    if heatmap.layout != "shared":
        return ()
    number = len(heatmap.grid.depths)
    if language == "zh":
        return (f"共用上下文：每份文本里有 {number} 根针，逐一提问",)
    noun = "needle" if number == 1 else "needles"
    return (f"shared contexts: {number} {noun} in each, one question a request",)


def describe_adaptive(heatmap: Heatmap, language: Language) -> tuple[str, ...]:
    """Say of an adaptive run how much of its grid was asked, and what the headline is of."""
    told = heatmap.adaptive
    if told is None:
        return ()
    if language == "zh":
        asked = f"自适应：全网格 {told.of:,} 条，已问 {told.asked:,} 条"
        return (f"{asked}；召回率与未计入只算核心部分（每个长度问一层）",)
    asked = f"adaptive: {told.asked:,} of the grid's {told.of:,} trials asked"
    return (f"{asked}; recall and what is left out are the core's (one layer at every length)",)


def describe_one(heatmap: Heatmap, language: Language) -> str:
    """Say of a single replicate what little it is: one draw, in one place of the text."""
    if heatmap.layout == "shared":
        english, chinese = "one set of needles in one place of the text", "仅一组针、一处文本"
    else:
        english, chinese = "one needle in one place of the text", "仅一个事实、一处文本"
    return f"1 组样本（{chinese}）" if language == "zh" else f"1 replicate ({english})"


def describe_base(heatmap: Heatmap, language: Language) -> tuple[str, ...]:
    """Give the base score, where there is one, with the lengths that it is the mean of."""
    if heatmap.base is None:
        return ()
    lengths = [f"{length:,}" for length in heatmap.base_lengths]
    if language == "zh":
        return (f"基准分 {heatmap.base:.1%}（长度 {'、'.join(lengths)} 的平均）",)
    return (f"base score {heatmap.base:.1%} (mean at {', '.join(lengths)})",)


def describe_controls(heatmap: Heatmap, language: Language) -> tuple[str, ...]:
    """Say how many replies answered without the needle, and how many knew it without any text."""
    controls = heatmap.controls
    if controls is None:
        return ()
    made_up, no_needle = controls.made_up, controls.no_needle
    known, no_haystack = controls.known, controls.no_haystack
    parts = {
        "en": (
            f"control without the needle: {made_up} of {no_needle} replies answer all the same",
            f"control without any text: {known} of {no_haystack} replies know it",
        ),
        "zh": (
            f"不放针的对照：{no_needle} 条回答中 {made_up} 条照样给出答案",
            f"不给文本的对照：{no_haystack} 条回答中 {known} 条本来就知道",
        ),
    }[language]
    came = zip(parts, (no_needle, no_haystack), strict=True)
    return tuple(part for part, replies in came if replies)


def warn_known(heatmap: Heatmap, language: Language) -> str | None:
    """Warn that a needle is known without any text, so that finding it shows nothing."""
    controls = heatmap.controls
    if controls is None or not controls.known:
        return None
    known, asked = controls.known, controls.no_haystack
    if language == "zh":
        return f"不看文本也知道答案：{asked} 条回答中有 {known} 条答出了全部或部分事实"
    return f"known without the text: {known} of {asked} replies give the answer, or a part of it"


def describe_weak(weak: WeakRegion, language: Language) -> str:
    """Say what the dashed line is around, how it was found, and what recall is on either side."""
    p = write_p(weak.p_value)
    if language == "zh":
        return (
            f"虚线框：由数据找出的薄弱区，框内召回率 {weak.inside:.1%}，框外 {weak.outside:.1%}"
            f"（扫描检验 {p}）"
        )
    return (
        f"dashed: weak region, found from the data; recall {weak.inside:.1%} inside, "
        f"{weak.outside:.1%} outside (scan test, {p})"
    )


def write_p(value: float) -> str:
    """Write a p-value as papers do: three decimals, and less than 0.001 as just that."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"  # noqa: PLR2004
