"""A run in the table of a comparison: what it found, what it cost, how long it took. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from needle.statistics.conclusions import write_effective, write_interval, write_share
from needle.words.claims import Statistics
from needle.words.types import Language, Verdict

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a model's trials of one task and language came to.

    ``verdicts`` counts the grid's trials by verdict. Tokens, money and time are over all of the
    trials' requests, controls too: ``prompt_tokens`` by the endpoint's own count where it gives
    one, ``cached_tokens`` of them, ``reply_tokens`` the reasoning included; ``money`` by currency;
    ``seconds`` from the first request's start to the last one's end, and ``latency_s`` the median
    of replies, in seconds. None where nothing is known.
    """

    statistics: Statistics
    verdicts: dict[Verdict, int]
    prompt_tokens: int
    cached_tokens: int | None
    reply_tokens: int | None
    money: dict[str, float]
    seconds: float | None
    latency_s: float | None
    simulated: bool


def make_standing(
    statistics: Statistics, verdicts: dict[Verdict, int], lines: Iterable[Line], *, simulated: bool
) -> Standing:
    """Make a standing from the outcomes of its task and language."""
    every = list(lines)
    money: dict[str, float] = {}
    for line in every:
        cost = line.get("cost")
        if cost:
            money[cost["currency"]] = money.get(cost["currency"], 0.0) + cost["amount"]
    latencies = sorted(
        line["latency_s"]
        for line in every
        if line.get("failure") is None and line.get("latency_s") is not None
    )
    return Standing(
        statistics,
        verdicts,
        sum(line.get("endpoint_prompt_tokens") or line.get("prompt_tokens") or 0 for line in every),
        _total(every, "cached_tokens"),
        _total(every, "completion_tokens"),
        money,
        _span(every),
        latencies[len(latencies) // 2] if latencies else None,
        simulated,
    )


def _total(lines: Sequence[Line], name: str) -> int | None:
    known = [line[name] for line in lines if line.get(name) is not None]
    return sum(known) if known else None


def _span(lines: Sequence[Line]) -> float | None:
    """Return the seconds from the first start to the last end."""
    moments = []
    for line in lines:
        if line.get("started_at"):
            start = datetime.fromisoformat(line["started_at"]).timestamp()
            moments.append((start, start + (line.get("latency_s") or 0.0)))
    if not moments:
        return None
    return max(end for _, end in moments) - min(start for start, _ in moments)


_MINUTES, _HOURS = 100, 100 * 60  # seconds from which a time is written in minutes, in hours

_HEADS: dict[Language, tuple[str, ...]] = {
    "en": (
        "model",
        "task",
        "text",
        "recall",
        "95%",
        "holds 85.6% to",
        "holds 85% of own to",
        "refused",
        "left out",
        "tokens in",
        "cached",
        "out",
        "money",
        "time",
        "a reply",
    ),
    "zh": (
        "模型",
        "任务",
        "语言",
        "召回率",
        "95% 区间",
        "守住 85.6% 至",
        "守住自身 85% 至",
        "拒答",
        "未计入",
        "输入 token",
        "缓存命中",
        "输出",
        "费用",
        "用时",
        "每条用时",
    ),
}


_RUN: dict[Language, str] = {"en": "run", "zh": "运行"}

_SHORT = frozenset({"model", "task", "text", "recall", "95%", "holds 85.6% to", "left out"})
_SHORT |= {"tokens in", "money", "time"}


def tabulate_short(standings: Sequence[Standing], language: Language) -> list[tuple[str, ...]]:
    """Return the table's rows with the columns that many runs have room for."""
    columns = [number for number, name in enumerate(_HEADS["en"]) if name in _SHORT]
    rows = tabulate(standings, language)
    return [tuple(row[column] for column in columns) for row in rows]


def tabulate(
    standings: Sequence[Standing], language: Language, names: Sequence[str] = ()
) -> list[tuple[str, ...]]:
    """Return the table's rows of text, its head first. Latency stands beside what was cached.

    ``names`` are the runs': where one is not its model's, they are a column too.
    """
    rows = [_HEADS[language], *(_row(each, language) for each in standings)]
    if all(name == each.statistics.model for name, each in zip(names, standings, strict=False)):
        return rows
    named = zip((_RUN[language], *names), rows, strict=True)
    return [(row[0], name, *row[1:]) for name, row in named]


def _row(standing: Standing, language: Language) -> tuple[str, ...]:
    told = standing.statistics
    absolute, relative = told.effective
    unscored: tuple[Verdict, ...] = ("truncated", "filtered", "failed", "not_run")
    left_out = sum(standing.verdicts.get(verdict, 0) for verdict in unscored)
    simulated = (" (模拟)" if language == "zh" else " (simulated)") if standing.simulated else ""
    return (
        told.model + simulated,
        told.task,
        {"en": {"en": "English", "zh": "Chinese"}, "zh": {"en": "英文", "zh": "中文"}}[language][
            told.language
        ],
        write_share(told.overall.value),
        write_interval(told.overall),
        write_effective(absolute, language),
        write_effective(relative, language),
        f"{standing.verdicts.get('refused', 0):,}",
        f"{left_out:,}",
        f"{standing.prompt_tokens:,}" if standing.prompt_tokens else "-",
        "-" if standing.cached_tokens is None else f"{standing.cached_tokens:,}",
        "-" if standing.reply_tokens is None else f"{standing.reply_tokens:,}",
        ", ".join(
            f"{amount:,.2f} {currency}" if amount >= 1 else f"{amount:.4f} {currency}"
            for currency, amount in standing.money.items()
        )
        or "-",
        "-" if standing.seconds is None else _write_time(standing.seconds, language),
        "-" if standing.latency_s is None else _write_time(standing.latency_s, language),
    )


def _write_time(seconds: float, language: Language) -> str:
    chinese = language == "zh"
    if seconds < _MINUTES:
        return f"{seconds:.3g} {'秒' if chinese else 's'}"
    if seconds < _HOURS:
        return f"{seconds / 60:.1f} {'分' if chinese else 'min'}"
    return f"{seconds / 3600:.1f} {'小时' if chinese else 'h'}"
