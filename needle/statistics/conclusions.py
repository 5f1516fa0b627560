"""What may be concluded, in plain sentences, in English and Chinese. Pure.

A sentence claims no more than its numbers do: one replicate says nothing of other needles, and no
difference shown is not the same as no difference.
"""

from needle.contexts.grid import format_length
from needle.statistics.effective import ABSOLUTE, KEPT
from needle.statistics.intervals import LEVEL
from needle.words.claims import Comparison, EffectiveLength, Estimate, Statistics, WeakRegion
from needle.words.types import Language


def conclude(statistics: Statistics, language: Language) -> tuple[str, ...]:
    """Say what may be concluded from one run's task and language."""
    if statistics.overall.value is None:
        return (
            "没有已评分的回答，无从得出结论。"
            if language == "zh"
            else "No reply is scored: nothing follows.",
        )
    lengths = [each.at for each in statistics.lengths if each.estimate.value is not None]
    sentences = [_say_recall(statistics, language)]
    sentences += [
        _say_effective(each, (lengths[0], lengths[-1]), language)
        for each in statistics.effective
        if each.state is not None
    ]
    sentences.append(_say_weak(statistics.weak, language))
    if statistics.overall.scope == "draw":
        sentences.append(_say_one_draw(statistics, language))
    elif statistics.replicates_wanted > statistics.replicates:
        sentences.append(_say_wanted(statistics, language))
    return tuple(sentences)


def write_share(value: float | None) -> str:
    """Write a share of 1 in percent: 92.4%; - where there is none."""
    return "-" if value is None else f"{100 * value:.1f}%"


def write_interval(estimate: Estimate) -> str:
    """Write an interval in percent: 87.1-95.9%."""
    if estimate.low is None or estimate.high is None:
        return "-"
    return f"{100 * estimate.low:.1f}-{100 * estimate.high:.1f}%"


def write_effective(effective: EffectiveLength, language: Language) -> str:
    """Write an effective length in a few signs: 73k (72k to 75k; tested: 64k to 128k).

    After its interval stand the tested lengths between which it lies whatever the curve's shape,
    where they differ from the interval's ends.
    """
    chinese = language == "zh"
    if effective.state is None:
        return "-"
    interval = _write_span(effective.low, effective.high, language)
    tested = _write_span(effective.held_at, effective.lost_at, language)
    if tested != interval:
        interval += f"；实测 {tested}" if chinese else f"; tested: {tested}"
    if effective.state == "below":
        value = "不到最短长度" if chinese else "under the shortest"
    elif effective.state == "beyond":
        value = f"≥ {_length(effective.length or 0)}"
    else:
        value = _length(effective.length or 0)
    return f"{value}（{interval}）" if chinese else f"{value} ({interval})"


def _write_span(low: float | None, high: float | None, language: Language) -> str:
    """Write two lengths, either of them open: 64k to 128k, from 64k, up to 128k."""
    chinese = language == "zh"
    if low is not None and high is not None:
        return (
            f"{_length(low)} 至 {_length(high)}"
            if chinese
            else f"{_length(low)} to {_length(high)}"
        )
    if low is not None:
        return f"{_length(low)} 以上" if chinese else f"from {_length(low)}"
    if high is not None:
        return f"{_length(high)} 以下" if chinese else f"up to {_length(high)}"
    return "不能确定" if chinese else "not shown"


def _ends(low: float | None, high: float | None, under: str, over: str) -> tuple[str, str]:
    return under if low is None else _length(low), over if high is None else _length(high)


def _length(value: float) -> str:
    """Write a length between tested ones to three figures: no more is known of it."""
    digits = max(len(str(int(value))) - 3, 0)
    return format_length(int(round(value, -digits)))


def _say_recall(statistics: Statistics, language: Language) -> str:
    overall, one_draw = statistics.overall, statistics.overall.scope == "draw"
    share, interval = write_share(overall.value), write_interval(overall)
    if language == "zh":
        whose = "自适应运行的核心部分" if statistics.adaptive else ""
        over = (
            "就这一根针、这一处文本而言，"
            if one_draw
            else f"{statistics.replicates} 组样本合起来看，"
        )
        return (
            f"{over}{statistics.model} 的召回率是 {share}"
            f"（95% 区间 {interval}，{whose}已评分 {overall.scored:,} 条）。"
        )
    whose = " in the core of an adaptive run" if statistics.adaptive else ""
    over = (
        "With this one needle in this one text"
        if one_draw
        else f"Over {statistics.replicates} replicates of needle and text"
    )
    return (
        f"{over}, {statistics.model} recalls {share} "
        f"(95% interval {interval}, {overall.scored:,} scored replies{whose})."
    )


def _say_effective(
    effective: EffectiveLength, lengths: tuple[float, float], language: Language
) -> str:
    shortest, longest = _length(lengths[0]), _length(lengths[1])
    under, over = {
        "en": (f"under {shortest}", f"over {longest}"),
        "zh": (f"{shortest} 以下", f"{longest} 以上"),
    }[language]
    to = {"en": " to ", "zh": " 至 "}[language]
    ends = to.join(_ends(effective.low, effective.high, under, over))
    tested = to.join(_ends(effective.held_at, effective.lost_at, under, over))
    share = write_share(effective.threshold)
    if language == "zh":
        what = (
            f" {ABSOLUTE:.1%} 的召回率"
            if effective.definition == "absolute"
            else f"自己短文本得分的 {KEPT:.0%}（即 {share}）"
        )
        value = {
            "below": f"在最短的 {shortest} 就守不住{what}",
            "beyond": f"直到最长的 {longest} 都守得住{what}",
            "within": f"在 {_length(effective.length or 0)} 以内守得住{what}",
        }[effective.state or "below"]
        if tested != ends:
            ends += f"，假定召回率在所测长度之间均匀下降；不作这个假定，则是 {tested}"
        return f"它{value}（95% 区间：{ends}）。"
    what = (
        f"a recall of {ABSOLUTE:.1%}"
        if effective.definition == "absolute"
        else f"{KEPT:.0%} of its score at short lengths, which is {share},"
    )
    value = {
        "below": f"does not hold {what} even at {shortest}, the shortest length",
        "beyond": f"holds {what} up to {longest}, the longest length",
        "within": f"holds {what} up to {_length(effective.length or 0)}",
    }[effective.state or "below"].rstrip(",")
    if tested != ends:
        ends += f" if recall falls evenly between tested lengths, {tested} however it falls"
    return f"It {value} (95% interval: {ends})."


def _say_weak(weak: WeakRegion | None, language: Language) -> str:
    if weak is None:
        return (
            "没有哪一片长度和深度明显比别处差。"
            if language == "zh"
            else "No region of length and depth stands out below the rest."
        )
    (short, long), (top, bottom) = weak.lengths, weak.depths
    lengths, depths = _length(short), f"{top:.3g}%"
    if long != short:
        lengths += f"-{_length(long)}"
    if bottom != top:
        depths = f"{top:.3g}-{bottom:.3g}%"
    inside, outside = write_share(weak.inside), write_share(weak.outside)
    if language == "zh":
        return f"最薄弱的是长度 {lengths}、深度 {depths} 这一片：那里 {inside}，别处 {outside}。"
    return (
        f"It is weakest at a length of {lengths} and a depth of {depths}: "
        f"{inside} there, {outside} elsewhere."
    )


def _say_one_draw(statistics: Statistics, language: Language) -> str:
    wanted = statistics.replicates_wanted
    if language == "zh":
        return (
            "只有一组样本，也就是一根针、一处文本：换一根针、换一处文本会怎样，从这里得不出任何结论。"
            f"想把总召回率说到正负 5 个百分点以内，约需 {wanted} 组（--replicates {wanted}）。"
        )
    return (
        "One replicate is one needle in one text: nothing follows for other needles or texts. "
        f"About {wanted} replicates would give recall to within 5 points (--replicates {wanted})."
    )


def _say_wanted(statistics: Statistics, language: Language) -> str:
    wanted, count = statistics.replicates_wanted, statistics.replicates
    if language == "zh":
        return f"{count} 组样本还少，想说到正负 5 个百分点以内，约需 {wanted} 组。"
    return f"{count} replicates are few: about {wanted} would give recall to within 5 points."


def conclude_comparison(comparison: Comparison, language: Language) -> str:
    """Say what may be concluded from a comparison in pairs."""
    return _conclude_chinese(comparison) if language == "zh" else _conclude_english(comparison)


def is_shown(comparison: Comparison) -> bool:
    """Tell whether a comparison shows a difference at the 5% level, Holm's correction made."""
    return comparison.p_adjusted < LEVEL


def _points(value: float | None) -> str:
    return "-" if value is None else f"{abs(100 * value):.1f}"


def _bounds(comparison: Comparison, to: str = " to ") -> str:
    low, high = comparison.difference.low, comparison.difference.high
    return "-" if low is None or high is None else f"{100 * low:+.1f}{to}{100 * high:+.1f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"  # noqa: PLR2004 - as journals write it


def _count(comparison: Comparison, language: Language) -> str:
    """Count what the test is over: trials of a single replicate, or replicates."""
    if comparison.test == "mcnemar":
        return f"{comparison.pairs} 对" if language == "zh" else f"{comparison.pairs} pairs"
    number = comparison.replicates
    return f"{number} 组样本" if language == "zh" else f"{number} replicates"


def _conclude_english(comparison: Comparison) -> str:
    text = {"en": "English", "zh": "Chinese", None: ""}[comparison.language]
    difference = comparison.difference.value or 0.0
    if comparison.of == "languages":
        subject, other = f"{comparison.second} in English", "in Chinese"
    else:
        subject, other = f"{comparison.second}", f"{comparison.first} on the same {text} trials"
    test = (
        "McNemar's exact test"
        if comparison.test == "mcnemar"
        else f"permutation over {comparison.replicates} replicates"
    )
    numbers = (
        f"{comparison.pairs:,} pairs, 95% interval {_bounds(comparison)} points, "
        f"p {_p(comparison.p_adjusted)} by {test}"
    )
    about = (
        " This is about one needle in one text: nothing follows for others."
        if comparison.difference.scope == "draw"
        else ""
    )
    if is_shown(comparison):
        more = "more" if difference > 0 else "fewer"
        return (
            f"{subject} recalls {_points(difference)} points {more} than {other} "
            f"({numbers}).{about}"
        )
    power = (
        f"these trials would have shown one of {_points(comparison.detectable)} points in four of "
        "five tries"
        if comparison.detectable is not None
        else f"with {_count(comparison, language='en')} the test can't reach 5%; "
        f"at least {comparison.needed} can"
    )
    return (
        f"No difference is shown between {subject} and {other} "
        f"(seen: {100 * difference:+.1f} points; {numbers}); {power}.{about}"
    )


def _conclude_chinese(comparison: Comparison) -> str:
    text = {"en": "英文", "zh": "中文", None: ""}[comparison.language]
    difference = comparison.difference.value or 0.0
    if comparison.of == "languages":
        subject, other = f"{comparison.second} 的英文", "中文"
    else:
        subject, other = f"{text}同题对比，{comparison.second} ", f" {comparison.first} "
    test = (
        "McNemar 精确检验"
        if comparison.test == "mcnemar"
        else f"{comparison.replicates} 组样本的置换检验"
    )
    numbers = (
        f"{comparison.pairs:,} 对，95% 区间 {_bounds(comparison, ' 至 ')} 个百分点，"
        f"{test} p {_p(comparison.p_adjusted)}"
    )
    about = (
        "这只是一根针、一处文本的结果，推不到别处。"
        if comparison.difference.scope == "draw"
        else ""
    )
    if is_shown(comparison):
        more = "高" if difference > 0 else "低"
        return (
            f"{subject}召回率比{other}{more} {_points(difference)} 个百分点（{numbers}）。{about}"
        )
    power = (
        f"这些题目若真有 {_points(comparison.detectable)} 个百分点的差距，五次里有四次能看出来"
        if comparison.detectable is not None
        else f"只有 {_count(comparison, language='zh')}，检验到不了 5% 的水平，"
        f"至少要 {comparison.needed} {'对' if comparison.test == 'mcnemar' else '组'}"
    )
    return (
        f"{subject}和{other}之间看不出差距（相差 {100 * difference:+.1f} 个百分点；{numbers}）；"
        f"{power}。{about}"
    )
