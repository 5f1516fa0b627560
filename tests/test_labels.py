from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.contexts.tasks import FAMILIES, TASKS
from needle.telling.labels import find_marks, make_labels, mark_cell, write_depths, write_lengths
from needle.words.figures import Cell, Heatmap
from needle.words.origins import Imported, SourceFile
from needle.words.types import LANGUAGES, VERDICTS, Grid, Language, Verdict


def make_heatmap(**changes: Any) -> Heatmap:
    fields: dict[str, Any] = {
        "model": "GPT-4 128K",
        "task": "single",
        "language": "en",
        "unit": "tokens",
        "grid": Grid("default", (1000,), (0.0,)),
        "cells": (),
        "needle": "dolores-park",
        "haystack": "essays",
        "tokenizer": "o200k_base",
        "replicates": 1,
        "date": "2026-11-24",
        "recall": 0.8734,
        "scored": 121,
        "left_out": {},
        "passes": 0.4,
        "simulated": False,
    }
    return Heatmap(**{**fields, **changes})


def read_footer(heatmap: Heatmap, language: Language = "en") -> str:
    return " | ".join(item for line in make_labels(heatmap, language).footer for item in line)


def test_published_wording() -> None:
    """The English labels are those of the published charts, word for word."""
    labels = make_labels(make_heatmap(), "en")
    assert labels.title == 'Pressure Testing GPT-4 128K via "Needle In A HayStack"'
    assert labels.subtitle == (
        "Asking GPT-4 128K To Do Fact Retrieval Across Context Lengths & Document Depth"
    )
    assert labels.lengths_axis == "Context Length (# Tokens)"
    assert labels.depths_axis == "Placed Fact Document Depth"
    assert (labels.top, labels.bottom) == ("Top Of\nDocument", "Bottom Of\nDocument")
    assert labels.colour_bar == "Accuracy Of Retrieval"


def test_unit_on_the_axis() -> None:
    """The axis of lengths names the run's unit in both languages."""
    hanzi = make_heatmap(unit="hanzi")
    assert make_labels(hanzi, "en").lengths_axis == "Context Length (# Chinese Characters)"
    assert make_labels(hanzi, "zh").lengths_axis == "上下文长度（汉字数）"
    assert make_labels(make_heatmap(), "zh").lengths_axis == "上下文长度（token 数）"
    assert "Chinese characters (tokenizer o200k_base)" in read_footer(hanzi)


def test_footer_names_the_run() -> None:
    """The footer says what was asked, in what text, how counted, how often and when."""
    footer = read_footer(make_heatmap())
    for part in ("dolores-park", "essays", "tokens of o200k_base", "2026-11-24"):
        assert part in footer
    assert "1 replicate (one needle in one place of the text)" in footer
    assert "5 replicates" in read_footer(make_heatmap(replicates=5))
    assert "task" not in footer
    assert "task multi" in read_footer(make_heatmap(task="multi"))


def test_footer_gives_the_base_score() -> None:
    """A base score stands beside recall, with the lengths that it is the mean of."""
    some = make_heatmap(task="nonliteral", base=0.981, base_lengths=(250, 500, 1_000))
    assert "base score 98.1% (mean at 250, 500, 1,000)" in read_footer(some)
    assert "基准分 98.1%（长度 250、500、1,000 的平均）" in read_footer(some, "zh")
    assert "base score" not in read_footer(make_heatmap())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_named(task: str, language: Language) -> None:
    """Each task's figure says what was asked, in words of its own, and how many there are."""
    labels = make_labels(make_heatmap(task=task, count=7), language)
    others = {
        make_labels(make_heatmap(task=other, count=7), language).subtitle
        for other in TASKS
        if other != task
    }
    assert labels.subtitle not in others
    assert "{" not in labels.subtitle
    assert ("7" in labels.subtitle) == (FAMILIES[task].option is not None)


def test_cross_says_which_is_which() -> None:
    """A cross figure names the languages of the needle and of the text, in both labellings."""
    cross = make_heatmap(task="cross", language="zh")
    assert "For A Chinese Fact In English Text" in make_labels(cross, "en").subtitle
    assert "在英文文本里检索中文事实" in make_labels(cross, "zh").subtitle
    assert "haystack essays (English)" in read_footer(cross)
    assert "英文背景文本：essays" in read_footer(cross, "zh")
    other = make_labels(make_heatmap(task="cross"), "en").subtitle
    assert "For An English Fact In Chinese Text" in other


def test_footer_says_that_the_text_repeats() -> None:
    """A haystack that is read through more than once is said to be."""
    assert "read" not in read_footer(make_heatmap(passes=1.0))
    assert (
        "essays (English), read 2.30 times over (longer ones: needle haystacks list)"
        in read_footer(make_heatmap(passes=2.3))
    )
    assert "2.30 遍" in read_footer(make_heatmap(passes=2.3), "zh")


def test_recall_beside_what_is_left_out() -> None:
    """Recall stands beside how many trials are left out and why, the most frequent first."""
    some = make_heatmap(left_out={"truncated": 1, "failed": 3})
    assert "recall 87.3% of 121 scored replies" in read_footer(some)
    assert "4 left out: 3 failed, 1 truncated" in read_footer(some)
    assert "4 条未计入：失败 3，截断 1" in read_footer(some, "zh")
    assert "none left out" in read_footer(make_heatmap())
    assert "of 1 scored reply |" in read_footer(make_heatmap(scored=1))


def test_no_recall_without_replies() -> None:
    """Without a scored reply no number stands for recall."""
    empty = make_heatmap(recall=None, scored=0, left_out={"not_run": 2})
    assert "%" not in read_footer(empty)
    assert "%" not in read_footer(empty, "zh")


@pytest.mark.parametrize(("language", "words"), [("en", "simulated endpoint"), ("zh", "模拟端点")])
def test_simulated_endpoint(language: Language, words: str) -> None:
    """A simulated endpoint is named twice in its figure, and in no other."""
    labels = make_labels(make_heatmap(simulated=True), language)
    assert labels.simulated == words
    assert words in labels.footer[0]
    assert make_labels(make_heatmap(), language).simulated is None


@pytest.mark.parametrize(
    ("score", "verdicts", "marks"),
    [
        (1.0, {"found": 1}, ()),
        (0.0, {"missed": 1}, ()),
        (0.0, {"refused": 2}, ("refused",)),
        (0.0, {"refused": 1, "missed": 1}, ()),
        (0.0, {"refused": 1, "failed": 1}, ("refused", "partly")),
        (1.0, {"found": 2, "not_run": 1}, ("partly",)),
        (None, {"failed": 2, "truncated": 1}, ("failed",)),
        (None, {"failed": 1, "truncated": 1}, ("truncated",)),
        (None, {"not_run": 1, "filtered": 1}, ("filtered",)),
        (None, {}, ("not_run",)),
    ],
)
def test_marks(score: float | None, verdicts: dict[Verdict, int], marks: tuple[str, ...]) -> None:
    """A square without a score shows its most frequent reason; one with a score, what is amiss."""
    assert mark_cell(Cell(1000, 0.0, score, verdicts)) == marks


@given(st.lists(st.dictionaries(st.sampled_from(VERDICTS), st.integers(0, 3))))
def test_key_holds_what_occurs(tallies: list[dict[Verdict, int]]) -> None:
    """The key names each mark that occurs once, and no other."""
    cells = tuple(
        Cell(i, 0.0, 0.0 if any(t.get(v) for v in VERDICTS[:4]) else None, t)
        for i, t in enumerate(tallies)
    )
    occurring = {mark for cell in cells for mark in mark_cell(cell)}
    for language in ("en", "zh"):
        key = make_labels(make_heatmap(cells=cells), language).key
        assert tuple(mark for mark, _ in key) == find_marks(cells)
        assert {mark for mark, _ in key} == occurring
        assert len({words for _, words in key}) == len(key)


def test_ticks_of_lengths() -> None:
    """Lengths are written short, and longer where short ones would be alike."""
    assert write_lengths([1000, 10071, 100_786, 128_000]) == ["1k", "10.1k", "100.8k", "128k"]
    assert write_lengths([500, 2_000_000]) == ["500", "2M"]
    assert write_lengths([10_010, 10_020]) == ["10.01k", "10.02k"]
    assert write_lengths([100_010, 100_020]) == ["100,010", "100,020"]


def test_ticks_of_depths() -> None:
    """Depths are whole percents where that will do; only the ends are 0% and 100%."""
    assert write_depths([0, 7, 50.0, 100]) == ["0%", "7%", "50%", "100%"]
    assert write_depths([0, 0.906, 50, 99.331, 100]) == ["0%", "1%", "50%", "99%", "100%"]
    assert write_depths([0, 0.247, 99.753, 100]) == ["0%", "0.2%", "99.8%", "100%"]


@given(st.sets(st.integers(0, 100_000), min_size=1, max_size=40))
def test_ticks_of_depths_stay_apart(thousandths: set[int]) -> None:
    """No two depths that differ by a thousandth of a percent are written alike."""
    depths = sorted(x / 1000 for x in thousandths)
    assert len(set(write_depths(depths))) == len(depths)


@pytest.mark.parametrize(
    ("scorer", "english", "chinese"),
    [
        ("exact", "scored by exact match", "按完全匹配评分"),
        ("judge", "scored by the judge j-1", "由裁判 j-1 评分"),
        ("published", "scores as published", "沿用已发表的分数"),
    ],
)
def test_footer_names_another_scorer(scorer: str, english: str, chinese: str) -> None:
    """A figure that is not of keyword recall says whose scores it shows; others need not."""
    heatmap = make_heatmap(scorer=scorer, judge="j-1")
    assert english in read_footer(heatmap)
    assert chinese in read_footer(heatmap, "zh")
    assert "scored by" not in read_footer(make_heatmap())


def test_imported_figures_lack_results_not_runs() -> None:
    """What an imported file lacks is no result; of many files only their number is named."""
    files = tuple(SourceFile(f"{number}.json", "0" * 64) for number in range(1_200))
    heatmap = make_heatmap(
        imported=Imported("kamradt", files),
        left_out={"not_run": 3},
        passes=None,
        tokenizer="unknown",
        haystack="unknown",
        needle="unknown",
    )
    english, chinese = read_footer(heatmap), read_footer(heatmap, "zh")
    for words in ("3 left out: 3 no result", "from 1,200 files", "date of the results not known"):
        assert words in english
    for words in ("没有结果 3", "1,200 个文件", "结果日期不详", "按关键词召回评分"):
        assert words in chinese
    assert english.count("not known") == 4
