"""Terms: what of a text carries its meaning, as far as words alone can tell. Pure.

English words without their endings, and pairs of neighbouring Chinese characters; function
words, question words and characters that only join others are left out (the stop words).
"""

import re
from functools import lru_cache

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
HAN_RUN = re.compile(f"[{HAN}]+")
WORD = re.compile(f"[^\\W_{HAN}]+")

STOP_WORDS = frozenset(
    WORD.findall(
        "about according all an and any are as at be been but by can could did do does document "
        "each for from had has have he her his how if in into is it its me my of on or our please "
        "she should so text that the their them there these they this those to was we were what "
        "when where which who whom whose why will with would you your"
    )
)
STOP_HAN = re.compile(
    "请问|根据|文中|总共|哪些|全部|所有|什么|甚么|哪里|哪儿|哪一|哪|谁|多少|为什么|怎么|怎样|如何|为何|吗|呢"
)
FUNCTION_HAN = frozenset("的了是在就着都也与和把被到要")


def find_terms(text: str) -> list[str]:
    """Return a text's terms: word stems and pairs of Chinese characters, without repeats."""
    lowered = text.lower()
    words = [word for word in WORD.findall(lowered) if len(word) > 1 or word.isdigit()]
    stems = [stem(word) for word in words if word not in STOP_WORDS]
    runs = HAN_RUN.findall(STOP_HAN.sub(" ", lowered))
    pairs = [run[i : i + 2] for run in runs for i in range(len(run) - 1)]
    return list(dict.fromkeys(stems + pairs))


def share_terms(question: str, fact: str) -> list[str]:
    """Return the content terms of a question that stand in a fact, whatever is around them.

    A pair of Chinese characters counts where neither is a function character.
    """
    stems = {stem(word) for word in WORD.findall(fact.lower())}
    content = [term for term in find_terms(question) if FUNCTION_HAN.isdisjoint(term)]
    return [term for term in content if term in (fact if HAN_RUN.match(term) else stems)]


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """Take a plural's, -ed's or -ing's ending off a word, and a last e or y."""
    for ending in ("ies", "ied", "ing", "ed", "es", "s", "e", "y"):
        rest = word.removesuffix(ending)
        if rest == word or len(rest) < 3 or not re.search("[aeiouy]", rest):  # noqa: PLR2004
            continue
        if ending == "s" and rest[-1] == "s":
            return word
        doubled = ending in ("ing", "ed") and rest[-1] == rest[-2] and rest[-1] not in "lsz"
        return rest[:-1] if doubled else rest
    return word
