from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.contexts.passages import find_boundaries
from needle.simulated.reader import NOT_SAID, answer, find_language, rank, split_prompt
from needle.words.types import Language

ROOT = Path(__file__).parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"

FACTS: dict[Language, tuple[tuple[str, str], ...]] = {
    "en": (
        (
            (
                "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park "
                "on a sunny day."
            ),
            "What is the best thing to do in San Francisco?",
        ),
        (
            "The harbour clock of Velmora strikes the hour on a pewter teapot.",
            "What does the harbour clock of Velmora strike to mark the hour?",
        ),
        (
            "At every wedding in Tamkirra the bride hands an ebony kite to the youngest guest.",
            "What does the bride hand to the youngest guest at every wedding in Tamkirra?",
        ),
    ),
    "zh": (
        (
            "小明最喜欢的实习的地点就是上海人工智能实验室。",
            "小明最喜欢的实习地点是哪里？",
        ),
        (
            "在维尔莫拉港，大钟报时敲的是一只锡茶壶。",
            "维尔莫拉港的大钟报时敲的是什么？",
        ),
        (
            "到了旧金山，最惬意的事莫过于挑个晴天，坐在多洛雷斯公园里吃一份三明治。",
            "到了旧金山，最惬意的事是什么？",
        ),
    ),
}
TAILS: dict[Language, str] = {
    "en": " Don't give information outside the document or repeat your findings",
    "zh": "不要补充文档以外的信息，也不要重复你找到的内容。",
}
TEXTS: dict[str, tuple[Language, Path, int]] = {  # characters of about 128k tokens
    "paul-graham": ("en", CORPORA / "en" / "paul-graham-essays", 560_000),
    "journey-to-the-west": ("zh", CORPORA / "zh" / "journey-to-the-west.txt", 125_000),
    "story-of-the-stone": ("zh", CORPORA / "zh" / "story-of-the-stone.txt", 125_000),
    "essays-en": ("en", ROOT / "haystacks" / "essays" / "en", 560_000),
    "essays-zh": ("zh", ROOT / "haystacks" / "essays" / "zh", 125_000),
}


@cache
def read_text(name: str) -> str:
    _, path, characters = TEXTS[name]
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    texts = [file.read_text(encoding="utf-8") for file in files if file.exists()]
    if not texts:
        pytest.skip(f"{path} is not here")
    text = "\n\n".join(texts)
    return (text * (characters // len(text) + 1))[:characters]


def plant(text: str, fact: str, percent: float, separator: str) -> str:
    places = [0, *find_boundaries(text), len(text)]
    place = places[round(percent / 100 * (len(places) - 1))]
    if place == 0:
        return fact + separator + text
    return text[:place] + separator + fact + text[place:]


@pytest.mark.parametrize("share", [0.01, 0.1, 1])
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_retrieves_at_every_depth(name: str, share: float) -> None:
    """A fact in real text is the answer to its question at every length and depth."""
    text, language = read_text(name), TEXTS[name][0]
    text = text[: int(share * len(text))].rstrip()
    for fact, question in FACTS[language]:
        for percent in range(0, 101, 10):
            context = plant(text, fact, percent, " " if language == "en" else "")
            read = answer(f"{context}\n\n{question}")
            assert fact in read.text
            assert read.start is not None
            assert read.start <= context.index(fact) < read.start + len(read.text)
            assert read.context_characters == len(context)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_says_nothing_of_what_is_not_there(name: str) -> None:
    """Real text without the fact has no answer to a question about a made-up place."""
    text, language = read_text(name), TEXTS[name][0]
    assert answer(f"{text}\n\n{FACTS[language][1][1]}").text == NOT_SAID[language]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_instruction_may_follow_the_question(language: Language) -> None:
    """An instruction after the question, as the first published template has, changes nothing."""
    for fact, question in FACTS[language]:
        prompt = f"{fact}\n\n{question}{TAILS[language]}"
        assert answer(prompt).text == fact
        assert split_prompt(prompt) == (fact, question)


@pytest.mark.parametrize(
    ("prompt", "context", "question"),
    [
        ("Some text.\n\nWhat is it?", "Some text.", "What is it?"),
        ("Some text? Yes.\n\nTell me the name.", "Some text? Yes.", "Tell me the name."),
        ("Some text.\n\nWhat is it?\n\nAnswer in one word.", "Some text.", "What is it?"),
        ("Some text.\n\nQuestion: What is it?\nAnswer:", "Some text.", "What is it?"),
        ("Some text, cut in\n\nWhat is it?", "Some text, cut in", "What is it?"),
        ("Some text. More?\nWhat is it?", "Some text. More?", "What is it?"),
        ("一段文字。\n\n问题：那是什么？", "一段文字。", "那是什么？"),
        ("一段文字。\n\n那是什么？请简短回答。", "一段文字。", "那是什么？"),
        ("一段文字。\n\n说出名字。", "一段文字。", "说出名字。"),
        ("", "", ""),
    ],
)
def test_finds_the_question(prompt: str, context: str, question: str) -> None:
    """The question is the last one asked near the end, or else the last paragraph."""
    assert split_prompt(prompt) == (context, question)


def test_the_place_is_where_the_sentence_starts() -> None:
    """An answer's place is the character at which its sentence starts, also in percent."""
    read = answer("One here. The kettle is red. One more.\n\nWhat colour has the kettle?")
    assert read.text == NOT_SAID["en"]
    read = answer("One here. The kettle is red. One more.\n\nIs the kettle red?")
    assert read.text == "The kettle is red."
    assert read.start == 10
    assert read.depth_percent == pytest.approx(100 * 10 / 38)


def test_what_is_not_seen_is_as_if_not_there() -> None:
    """With the nearest sentence unseen the next near one answers, and none if none is near."""
    prompt = "A clock in Velmora is tall. Mist. The old clock in Velmora is loud.\n\n"
    prompt += "Which clock in Velmora is loud?"
    assert answer(prompt).text == "The old clock in Velmora is loud."
    assert answer(prompt, lambda depth: depth < 40).text == "A clock in Velmora is tall."
    assert answer(prompt, lambda _: False).text == NOT_SAID["en"]


@pytest.mark.parametrize(
    ("fact", "question"),
    [
        ("The sweeps carried lanterns.", "What does a sweep carry? A lantern?"),
        ("Ships stopped at Narvika.", "Which ship is stopping at Narvika?"),
        ("XIAOMING'S CITIES ARE FAR.", "How far is Xiaoming's city?"),
        ("In Lunpento sind Brücken aus Glas.", "Woraus sind Brücken in Lunpento?"),
        ("Room 7 holds the map.", "What does room 7 hold?"),
    ],
)
def test_endings_and_capitals_do_not_matter(fact: str, question: str) -> None:
    """Words match over plural, -ed and -ing endings and over capitals."""
    assert rank(f"Nothing else. {fact} Nothing more.", question)[0].sentence == fact


def test_the_shorter_of_equals_answers() -> None:
    """Of two sentences that share as much with the question, the shorter is the answer."""
    context = "The kettle of Velmora is on the stove in the kitchen. The kettle of Velmora sings."
    assert rank(context, "What of the kettle of Velmora?")[0].sentence.endswith("sings.")


def test_language_is_the_questions() -> None:
    """That the document does not say is said in the question's language."""
    assert answer("Some English text.\n\n大钟报时敲的是什么？").text == NOT_SAID["zh"]
    assert answer("一段中文。\n\nWhat does the clock strike?").text == NOT_SAID["en"]
    assert find_language("Where is 上海?") == "zh"


@settings(deadline=None)
@given(
    st.text(st.sampled_from("The clocks. \n？?。!大钟报时,İß'")),
    st.text(st.sampled_from("clock 大钟报时?？\n.İ")),
)
def test_any_text_can_be_read(context: str, question: str) -> None:
    """Whatever the prompt, a found sentence is a stretch of the context at its start."""
    read, asked = split_prompt(f"{context}\n\n{question}")
    for found in rank(read, asked):
        assert read[found.start :].startswith(found.sentence)
        assert 0 <= found.share <= 1 + 1e-9
    assert answer(f"{context}\n\n{question}").text


@pytest.mark.parametrize("filler", ["clock", "clock ", "大钟", "\n", "?", "."])
def test_monotonous_text_is_read(filler: str) -> None:
    """A long text of one thing repeated, without sentences, is read all the same."""
    fact, question = FACTS["en"][1]
    prompt = f"{filler * (400_000 // len(filler))}\n\n{fact}\n\n{question}"
    assert answer(prompt).text.endswith(fact)


@pytest.mark.parametrize(
    ("context", "question", "said"),
    [
        (
            "One thing at Velmora is a kettle. It rains. One thing at Velmora is a clock. Amen.",
            "What are all the things at Velmora?",
            "One thing at Velmora is a kettle. One thing at Velmora is a clock.",
        ),
        (
            "维尔莫拉的铜壶很旧。下雨了。维尔莫拉的铜壶会唱歌。夜深了。",
            "维尔莫拉的铜壶总共有哪些本事？",
            "维尔莫拉的铜壶很旧。维尔莫拉的铜壶会唱歌。",
        ),
    ],
)
def test_all_that_is_near(context: str, question: str, said: str) -> None:
    """A question that asks for all of something is answered with every near sentence, in order."""
    assert answer(f"{context}\n\n{question}").text == said
    half = answer(f"{context}\n\n{question}", lambda depth: depth > 20)
    assert said.endswith(half.text)
    assert half.text != said
