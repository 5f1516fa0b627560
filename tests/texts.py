"""Texts that tests of counting, contexts and passages share: however hostile, however mixed."""

from hypothesis import strategies as st

from needle.contexts.counting import Counting, Measured
from needle.contexts.passages import read_passage
from needle.edges.tokens import HANZI, load_counting
from needle.words.types import Haystack

FRAGMENTS = (
    *("The cat sat on the mat. ", "He said “No.” Then he left. ", "No! Yes! ", "it's ", "DON'T "),
    *(
        "你好吗？",
        "“好！”，他说。",
        "他走了……然后回来。",
        "《书》、",
        "。",
        "\u3000",
        "𠮷野家",
        "Ｆｕｌｌ",
    ),
    *(
        "https://example.com/a/b?c=d&e=f#g ",
        "def f(x):\n    return x**2\n\n",
        "1234567890",
        "3.14 ",
    ),
    *(
        "3.14 ",
        "😀",
        "👩‍👩‍👧‍👦",
        "🇨🇳",
        "a\u0301",
        "\u202eabc",
        "\u200b",
        "ﬁ",
        "ʰ",
        "ª º ",
        "ǅ ",
        "\u00a0",
    ),
    *("नमस्ते दुनिया। ", "สวัสดีชาวโลก", "한국어 문장. ", "שלום. ", "слово. ", "Zürich, ", "かな"),
    *("\n", "   ", "\t", " \n \n ", "<|endoftext|>", "'s", "’s", "—", "...", "x" * 60, "isn't,"),
)
MIXED = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=12), min_size=1, max_size=60)
COUNTINGS = st.sampled_from(("o200k_base", "cl100k_base", "hanzi"))
COUNTED_IN_TOKENS = st.sampled_from(("o200k_base", "cl100k_base"))


def counting_of(name: str) -> Counting:
    return HANZI if name == "hanzi" else load_counting(name)


def haystack_of(*texts: str) -> Haystack:
    files = tuple((f"{number}.txt", text) for number, text in enumerate(texts))
    return Haystack("h", "en", files, "0" * 64, "h")


def measure(text: str, counting: Counting, length: int) -> Measured:
    """Measure a text, read over and over, a little further than a length."""
    haystack, characters = haystack_of(text), length
    while counting.count(read := read_passage(haystack, 0, characters)) < length + 300:
        characters *= 2
    return Measured(read, counting, length + 200)
