"""Laws 1 to 3, seen from outside: prompts as a server received them, counted with tiktoken.

Nothing here is taken from needle: the counting, the reading of the corpora and the rule of
where a sentence ends are this file's own.
"""

import functools
import gzip
import importlib.util
import json
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import yaml
from driving import Call, only_folder, read_log
from serving import Server

REPOSITORY = Path(__file__).resolve().parents[1]
ESSAYS = REPOSITORY / "haystacks" / "essays"
CORPORA = REPOSITORY.parent / "shared" / "corpora"
PAUL_GRAHAM = CORPORA / "en" / "paul-graham-essays"
CLASSICS = CORPORA / "zh"
RANKS = {  # the names under which tiktoken looks for its ranks
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
}
SHORTFALL = 8

needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the shared corpora are not here")


@pytest.fixture(scope="module")
def encodings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tiktoken.Encoding]]:
    """Load tiktoken's encodings, whose ranks it checks itself, from what carries them."""
    folder = tmp_path_factory.mktemp("ranks")
    found = importlib.util.find_spec("bpe_openai")
    assert found
    assert found.submodule_search_locations
    carried = Path(found.submodule_search_locations[0]) / "data"
    for name, wanted in RANKS.items():
        (folder / wanted).write_bytes(
            gzip.decompress((carried / f"{name}.tiktoken.gz").read_bytes())
        )
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    try:
        yield {name: tiktoken.get_encoding(name) for name in RANKS}
    finally:
        del os.environ["TIKTOKEN_CACHE_DIR"]
        if before is not None:
            os.environ["TIKTOKEN_CACHE_DIR"] = before


@dataclass(frozen=True)
class Seen:
    """One prompt as the server saw it, taken apart, beside the line that needle stored."""

    line: dict[str, Any]
    contents: list[str]
    before: str
    after: str
    needle: str

    @property
    def haystack(self) -> str:
        """The text without needle and separator."""
        return self.before + self.after


def take_apart(line: dict[str, Any], messages: list[dict[str, str]]) -> Seen:
    """Take a prompt of the shipped template ``plain`` apart; fail where it is not whole."""
    template = yaml.safe_load((REPOSITORY / "configs/prompts/plain.yaml").read_text("utf-8"))
    wording = template["languages"][line["language"]]
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[0]["content"] == wording["messages"][0]["content"]
    user = messages[1]["content"]
    context, gap, question = user.rpartition("\n\n")
    assert gap
    assert question.endswith(("?", "？"))
    (needle,) = (needle["text"] for needle in line["needles"])
    assert user.count(needle) == 1
    before, after = context.split(needle)
    separator = wording["separator"]
    if before:
        assert before.endswith(separator)
        before = before.removesuffix(separator)
    else:
        assert after.startswith(separator)
        after = after.removeprefix(separator)
    return Seen(line, [message["content"] for message in messages], before, after, needle)


def read_corpus(folder: Path) -> list[str]:
    """Read a folder's texts as the documentation says: sorted by path, ends trimmed."""
    paths = sorted(
        (path for path in folder.rglob("*.txt")), key=lambda path: path.relative_to(folder).parts
    )
    return [path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").strip() for path in paths]


def follows(haystack: str, texts: list[str]) -> bool:
    """Tell whether a haystack is a prefix of the texts in order, then of passes in any order."""
    whole = "\n\n".join(texts)
    if len(haystack) <= len(whole):
        return whole.startswith(haystack)
    if not haystack.startswith(whole):
        return False
    place, left = len(whole), list(texts)
    while place < len(haystack):
        rest = haystack[place : place + 2 + max(map(len, texts))]
        found = [text for text in left if f"\n\n{text}".startswith(rest[: len(text) + 2])]
        if not found:
            return False
        left.remove(found[0])
        left = left or list(texts)
        place += len(found[0]) + 2
    return True


ENDS = re.compile(r"""(?:[.!?]["'”’)\]]*|[。！？…]["'”’」』）》]*)\Z""")


def stands_between_sentences(seen: Seen) -> bool:
    """Tell whether a needle inside the haystack has a sentence's end before it."""
    following = seen.after.lstrip()[:1]
    if not ENDS.search(seen.before[-12:]) or following.islower():
        return False
    if seen.line["language"] == "en":
        return not seen.after or seen.after[0].isspace()
    return following not in "。！？，、；：”’」』）》"


def is_cut_between_words(haystack: str, follows_it: str) -> bool:
    """Tell whether a cut is between words or Chinese characters, or within one endless word."""
    last, following = haystack[-1:], follows_it[:1]
    if not following or following.isspace() or not (last + following).isascii():
        return True
    word = re.findall(r"\S+\Z", haystack)[0] + re.findall(r"\A\S+", follows_it)[0]
    return len(word) > 20


def run(call: Call, server: Server, *said: str) -> list[Seen]:
    """Run against the server and return what it saw, with what was stored of each prompt."""
    asked = ("--yes", "--out", "runs", "--controls", "none")
    ended = call("run", "--base-url", server.base_url, *asked, *said)
    assert ended.status == 0, ended.err
    lines = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    assert len(lines) == len(server.bodies)
    numbers = [int(line["request_id"].removeprefix("request-")) for line in lines]
    assert sorted(numbers) == list(range(len(lines)))
    return [
        take_apart(line, server.bodies[number]["messages"])
        for line, number in zip(lines, numbers, strict=True)
    ]


def check_laws(
    seen: list[Seen], corpora: dict[str, list[str]], encoding: tiktoken.Encoding
) -> None:
    """Check laws 1 to 3 on prompts whose first replicate reads from a haystack's first byte."""

    @functools.cache
    def count(text: str) -> int:
        return len(encoding.encode_ordinary(text))

    for each in seen:
        line, texts = each.line, corpora[each.line["language"]]
        tokens = sum(map(count, each.contents))
        assert tokens == line["prompt_tokens"]
        assert 0 <= line["context_length"] - tokens <= SHORTFALL, line["depth_percent"]
        assert follows(each.haystack, texts)
        whole = "\n\n".join(texts)
        if len(each.haystack) < len(whole):
            assert is_cut_between_words(each.haystack, whole[len(each.haystack) :][:100])
        assert (each.before == "") == (line["depth_percent"] == 0)
        assert (each.after == "") == (line["depth_percent"] == 100)
        if each.before and each.after:
            assert stands_between_sentences(each)
        depth = 100 * count(each.before) / count(each.haystack)
        assert abs(depth - line["actual_depth_percent"]) < 0.001
    for language in corpora:
        mine = [each for each in seen if each.line["language"] == language]
        longest = max((each.haystack for each in mine), key=len)
        assert all(longest.startswith(each.haystack) for each in mine)
        for length in {each.line["context_length"] for each in mine}:
            row = [each for each in mine if each.line["context_length"] == length]
            row.sort(key=lambda each: float(each.line["depth_percent"]))
            actual = [each.line["actual_depth_percent"] for each in row]
            assert actual == sorted(actual)
            assert len({each.haystack[:-40] for each in row}) <= 2  # their ends alone may differ


def check_nearest(seen: list[Seen], encoding: tiktoken.Encoding) -> int:
    """Check that no sure boundary is nearer to the depth asked for; count those looked at."""
    sure = re.compile(r"(?<=[a-z]{4}\.)(?= [A-Z][a-z])|(?<=[\u4e00-\u9fff]。)(?=[\u4e00-\u9fff])")
    looked = 0

    def count(text: str) -> int:
        return len(encoding.encode_ordinary(text))

    for each in seen:
        if not (each.before and each.after):
            continue
        total = count(each.haystack)
        target = total * each.line["depth_percent"] / 100
        away = abs(count(each.before) - target)
        around = range(max(0, len(each.before) - 1_500), len(each.before) + 1_500)
        for match in sure.finditer(each.haystack, around.start, around.stop):
            looked += 1
            assert away <= abs(count(each.haystack[: match.start()]) - target) + 1e-6
    return looked


def test_the_main_job_on_the_shipped_essays(
    call: Call, server: Server, encodings: dict[str, tiktoken.Encoding]
) -> None:
    """All prompts of the default run to 128k, English and Chinese, obey laws 1 to 3."""
    seen = run(call, server, "--model", "moonshot-v1-128k")
    assert len({each.line["context_length"] for each in seen}) == 9
    assert len(seen) > 2 * 9 * 10
    texts = {language: read_corpus(ESSAYS / language) for language in ("en", "zh")}
    check_laws(seen, texts, encodings["o200k_base"])
    short = [each for each in seen if each.line["context_length"] <= 8_000]
    assert check_nearest(short, encodings["o200k_base"]) > 200


def test_a_window_of_a_million(
    call: Call, server: Server, encodings: dict[str, tiktoken.Encoding]
) -> None:
    """At 1M tokens, where the essays are read again in fresh orders, laws 1 to 3 hold as well."""
    said = ("--model", "any-model", "--window", "1100000", "--lengths", "500,1M")
    seen = run(call, server, *said, "--depths", "0,50")
    texts = {language: read_corpus(ESSAYS / language) for language in ("en", "zh")}
    assert len(seen) == 2 * 2 * 2
    check_laws(seen, texts, encodings["o200k_base"])


@needs_corpora
@pytest.mark.parametrize("tokenizer", RANKS)
def test_the_shared_corpora(
    tokenizer: str, call: Call, server: Server, encodings: dict[str, tiktoken.Encoding]
) -> None:
    """On essays from the web and classical novels, in either encoding, laws 1 to 3 hold."""
    seen = run(
        *(call, server, "--model", "any-model", "--window", "2000000", "--tokenizer", tokenizer),
        *("--haystack", str(PAUL_GRAHAM), "--haystack", str(CLASSICS)),
        *("--lengths", "1k,3k,17k,64k,128k", "--depths", "0,7,31,50,88,100"),
    )
    texts = {"en": read_corpus(PAUL_GRAHAM), "zh": read_corpus(CLASSICS)}
    check_laws(seen, texts, encodings[tokenizer])
    short = [each for each in seen if each.line["context_length"] <= 3_000]
    assert check_nearest(short, encodings[tokenizer]) > 20


@needs_corpora
def test_a_million_tokens_of_novels(
    call: Call, server: Server, encodings: dict[str, tiktoken.Encoding]
) -> None:
    """One novel and the next make 1M tokens of Chinese without reading either twice."""
    said = ("--model", "any-model", "--window", "1100000", "--haystack", str(CLASSICS))
    seen = run(call, server, *said, "--lengths", "1M", "--depths", "50")
    texts = read_corpus(CLASSICS)
    check_laws(seen, {"zh": texts}, encodings["o200k_base"])
    assert len(seen[0].haystack) <= sum(map(len, texts))


def test_replicates_read_from_elsewhere_and_share_their_own_prefix(
    call: Call, server: Server, encodings: dict[str, tiktoken.Encoding]
) -> None:
    """Each replicate has its own needle and start, kept over all its lengths and depths."""
    said = ("--model", "any-model", "--window", "40000", "--lengths", "1k,30k", "--depths", "0,60")
    seen = run(call, server, *said, "--replicates", "3", "--language", "en")
    count = encodings["o200k_base"].encode_ordinary
    needles, starts = set(), set()
    for replicate in range(3):
        mine = [each for each in seen if each.line["replicate"] == replicate]
        longest = max((each.haystack for each in mine), key=len)
        assert all(longest.startswith(each.haystack) for each in mine)
        for each in mine:
            tokens = sum(len(count(content)) for content in each.contents)
            assert 0 <= each.line["context_length"] - tokens <= SHORTFALL
        (needle,) = {each.needle for each in mine}
        needles.add(needle)
        starts.add(longest[:100])
    assert len(needles) == len(starts) == 3
    whole = "\n\n".join(read_corpus(ESSAYS / "en"))
    assert all(start in whole for start in starts)


def test_lengths_in_hanzi(call: Call, server: Server) -> None:
    """In hanzi a length is the Chinese characters and punctuation marks of all contents."""
    said = ("--model", "moonshot-v1-128k", "--unit", "hanzi", "--lengths", "800,20k")
    seen = run(call, server, *said, "--depths", "0,50,100")
    assert {each.line["language"] for each in seen} == {"zh"}
    for each in seen:
        text = "".join(each.contents)
        counted = sum(
            c == "〇" or "\u4e00" <= c <= "\u9fff" or unicodedata.category(c)[0] == "P"
            for c in text
        )
        assert 0 <= each.line["context_length"] - counted <= SHORTFALL


def test_needle_prompt_prints_what_is_sent(call: Call, server: Server) -> None:
    """``needle prompt --json`` gives a trial's messages and key as the server saw them."""
    seen = run(call, server, "--model", "moonshot-v1-8k", "--lengths", "1k,4k", "--depths", "20,80")
    assert len(seen) == 2 * 2 * 2
    for each in seen:
        line = each.line
        printed = call(
            *("prompt", "--model", "moonshot-v1-8k", "--base-url", server.base_url, "--json"),
            *("--language", line["language"], "--length", line["context_length"]),
            *("--depth", line["depth_percent"]),
        )
        record = json.loads(printed.out)
        assert [message["content"] for message in record["messages"]] == each.contents
        for name in ("trial", "pair", "prompt_tokens", "actual_depth_percent", "needles"):
            assert record[name] == line[name]
        assert sum(record["message_tokens"]) == line["prompt_tokens"]
