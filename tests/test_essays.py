"""The shipped haystacks: their size, their parallel text, and that no needle is in them."""

import re
from itertools import product
from pathlib import Path

import pytest

from needle.edges.corpus import DEFAULT, find_haystacks, read_folder
from needle.edges.files import shipped
from needle.edges.needlefiles import load_needle_source
from needle.edges.tokens import count_hanzi, load_counting
from needle.scoring.folding import fold, holds
from needle.words.types import LANGUAGES, Haystack, Language

HAN = re.compile("[\u4e00-\u9fff]")
WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")
NEEDLES = sorted(path.stem for path in shipped("configs", "needles").glob("*.yaml"))
ESSAYS = find_haystacks((DEFAULT,))
PAIRS = list(zip(ESSAYS["en"].files, ESSAYS["zh"].files, strict=False))

# What each variant of the fictional needle is about, and the classic ones' answers and places.
SUBJECTS: dict[str, dict[Language, tuple[str, ...]]] = {
    "fictional": {
        "en": (
            *("chimney sweep", "locksmith", "bride", "music school", "shipwright"),
            *("tightrope", "cheesemaker", "last carriage"),
        ),
        "zh": ("烟囱工", "锁匠", "新娘", "音乐学校", "造船匠", "走钢丝", "奶酪匠", "头班火车"),
    },
    "chain": {
        "en": ("mail coach", "clockmaker", "every parcel", "lock downstream"),
        "zh": ("邮车", "钟表匠", "转寄", "船闸"),
    },
    "nonliteral": {
        "en": (
            *("highest point on Earth", "Sydney", "neither meat", "ripe tomato"),
            *("eighty-eight", "Schönbrunn", "Christ the Redeemer", "twenty-fifth of December"),
            *("raised dot", "ladder and trembles", "lies awake", "porthole", "nineteen albums"),
            *("forty-two kilometres", "Masai Mara", "Angkor"),
        ),
        "zh": (
            *("海拔最高", "悉尼", "蛋、奶", "熟番茄", "八十八个键", "美泉宫", "救世基督"),
            *("十二月二十五日", "凸起的小点", "最矮的梯子", "睁着眼躺到", "舷窗", "小方纸"),
            *("四十二公里", "马赛马拉", "吴哥窟"),
        ),
    },
    "number": {
        "en": ("night watchman", "strongroom", "ferry company", "fire station"),
        "zh": ("守夜人", "保险库", "轮渡公司", "消防站"),
    },
    "multi": {
        "en": ("mantelpiece", "lost property", "mayor", "diver"),
        "zh": ("客栈", "失物招领", "镇长", "潜水员"),
    },
    "uuid": {
        "en": ("seed bank", "cello", "harbour master", "cable car"),
        "zh": ("种子库", "大提琴", "港务长", "缆车"),
    },
    "san-francisco": {
        "en": ("San Francisco", "sandwich", "Dolores Park"),
        "zh": ("旧金山", "三明治", "三文治", "多洛雷斯"),
    },
    "xiaoming": {
        "en": ("Xiaoming", "internship", "intern", "Shanghai", "artificial intelligence", "AI"),
        "zh": ("小明", "实习", "上海", "人工智能", "AI"),
    },
}


def whole(haystack: Haystack) -> str:
    return "\n\n".join(text for _, text in haystack.files)


FOLDED = {language: fold(whole(ESSAYS[language])) for language in LANGUAGES}


def test_both_languages_are_large_enough() -> None:
    """There are at least 25,000 English words and 40,000 Chinese characters."""
    assert len(WORD.findall(whole(ESSAYS["en"]))) >= 25_000
    assert len(HAN.findall(whole(ESSAYS["zh"]))) >= 40_000


def test_same_essays_in_both_languages() -> None:
    """Each essay is in both languages under the same name."""
    names = [[name for name, _ in ESSAYS[language].files] for language in LANGUAGES]
    assert names[0] == names[1]
    assert len(names[0]) == len(set(names[0])) > 1


@pytest.mark.parametrize("number", range(len(PAIRS)), ids=[pair[0][0] for pair in PAIRS])
def test_parallel_paragraphs(number: int) -> None:
    """An essay has the same paragraphs in both languages, each of a like length."""
    (_, english), (_, chinese) = PAIRS[number]
    in_english, in_chinese = english.split("\n\n"), chinese.split("\n\n")
    assert len(in_english) == len(in_chinese)
    for one, other in zip(in_english, in_chinese, strict=True):
        ratio = len(HAN.findall(other)) / len(WORD.findall(one))
        assert 0.8 < ratio < 2.6, (one[:40], other[:20])


@pytest.mark.parametrize("language", LANGUAGES)
def test_plain_text(language: Language) -> None:
    """Essays are plain prose: no markup, no control signs, no doubled blanks, one language."""
    for name, text in ESSAYS[language].files:
        raw = shipped("haystacks", DEFAULT, language, name).read_bytes().decode("utf-8")
        assert raw.strip() == text
        assert "\r" not in raw
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\ufffd\ufeff\ue000-\uf8ff]", text), name
        assert not re.search(r"\n{3}| \n|\n |  ", text), name
        assert not re.search(r"^[#*>|-] |\*\*|`|<[a-z/]|https?:|&\w+;", text, re.MULTILINE), name
        if language == "en":
            assert not re.search("[\u3000-\u9fff\uff00-\uffef]", text), name
        else:
            assert not re.search(f"(?<={HAN.pattern})[,;:!?]|(?<={HAN.pattern}) ", text), name
            assert len(HAN.findall(text)) > 20 * len(WORD.findall(text)), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_twice(language: Language) -> None:
    """No sentence stands twice: repeats are the passage's alone, and are told."""
    sentences = re.findall(r"[^.!?。！？\n]{25,}[.!?。！？]", whole(ESSAYS[language]))
    assert len(sentences) > 1_000
    assert len(set(sentences)) == len(sentences)


def test_source_says_what_there_is() -> None:
    """SOURCE.md gives the number of files, the size and the sha256 of each language."""
    folder = shipped("haystacks", DEFAULT)
    source = (folder / "SOURCE.md").read_text(encoding="utf-8")
    rows = {
        cells[0]: cells[1:]
        for row in source.splitlines()
        if row.startswith("| ")
        and len(cells := [c.strip() for c in row.strip("|").split("|")]) == 4
    }
    for language in LANGUAGES:
        haystack = read_folder(folder / language, DEFAULT, language)
        text = whole(haystack)
        files, size, digest = rows[language]
        assert int(files) == len(haystack.files)
        assert digest == haystack.sha256
        tokens = sum(load_counting("o200k_base").count(text) for _, text in haystack.files)
        numbers = [int(n.replace(",", "")) for n in re.findall(r"(?<![\w.])\d[\d,]*(?!\w)", size)]
        if language == "en":
            assert numbers == [len(text.split()), tokens]
        else:
            assert numbers == [len(HAN.findall(text)), count_hanzi(text), tokens]
    assert "Licence" in source


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NEEDLES)
def test_no_needle_is_in_the_essays(name: str, language: Language) -> None:
    """No essay gives an accepted answer of any needle, or names any of its places and things."""
    source, folded = load_needle_source(name), FOLDED[language]
    for variant in source.variants:
        for answer in (answer for group in variant[language].answers for answer in group):
            if "{" not in answer:
                assert not holds(folded, answer), answer
    slots = source.slots
    if source.numbers or source.uuids:
        assert not re.search(r"\d{7}|[0-9a-f]{8}-", whole(ESSAYS[language]))
    if "thing" in slots:
        materials = [option[language] for option in slots["material"]]
        for thing in (option[language] for option in slots["thing"]):
            assert not holds(folded, thing), thing
            assert fold(thing) not in folded, thing
            assert not any(holds(folded, f"{material} {thing}") for material in materials)
    if "start" in slots:
        ends = slots["end"] if "end" in slots else slots["person"]
        for start, end in product(slots["start"], ends):
            place = start[language] + end[language]
            assert fold(place) not in folded, place


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NEEDLES)
def test_no_subject_is_in_the_essays(name: str, language: Language) -> None:
    """No essay speaks of what a needle is about, and every variant's subject is looked for."""
    for subject in SUBJECTS[name][language]:
        assert not holds(FOLDED[language], subject), subject
    for variant in load_needle_source(name).variants:
        fact = fold("".join(variant[language].facts))
        assert any(fold(subject) in fact for subject in SUBJECTS[name][language]), fact


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_essay_answers_a_nonliteral_question(language: Language) -> None:
    """No essay speaks of what the nonliteral questions ask: the fact alone can answer them."""
    asked = {
        "en": (
            *("Everest", "Australia", "vegan", "colour-blind", "pianist", "Vienna", "Brazil"),
            *("Christmas", "braille", "afraid of heights", "insomnia", "astronaut"),
            *("philatelist", "marathon", "Kenya", "Cambodia"),
        ),
        "zh": (
            *("珠穆朗玛", "澳大利亚", "素食", "色盲", "钢琴", "维也纳", "巴西", "圣诞", "盲文"),
            *("恐高", "失眠", "宇航", "集邮", "马拉松", "肯尼亚", "柬埔寨"),
        ),
    }
    for variant, subject in zip(
        load_needle_source("nonliteral").variants, asked[language], strict=True
    ):
        assert subject in variant[language].question
        assert not holds(FOLDED[language], subject), subject


def test_reading_order_is_sorted(tmp_path: Path) -> None:
    """A folder's files are read in the order of their paths, however they were written."""
    for name in ("b.txt", "a.md", "c/a.txt", "B.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"This is {name}.", encoding="utf-8")
    (tmp_path / "SOURCE.md").write_text("not text of it", encoding="utf-8")
    haystack = read_folder(tmp_path, "h", "en")
    assert [name for name, _ in haystack.files] == ["B.txt", "a.md", "b.txt", "c/a.txt"]
