"""The prompt caches that the built-in endpoint plays obey what their vendors document."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.caching.played import GRAIN, Part, Prompt, PromptCache, Served, measure
from needle.edges.caches import CACHES, find_cache
from needle.words.errors import UsageError
from needle.words.tariffs import CacheRules

NUMBERS = st.lists(st.integers(0, 3), max_size=60)


def encode(text: str) -> list[int]:
    """Take every character for a token."""
    return [ord(sign) for sign in text]


def send(rules: CacheRules, *texts: str, told: bool = False, marks: str = "|") -> Prompt:
    """Return a prompt of one message, in parts where a text ends; those that end in | marked."""
    parts = [Part(text.rstrip(marks), text.endswith(marks)) for text in texts]
    return measure([("user", parts)], rules, encode, told)


def ask(cache: PromptCache, prompt: Prompt, now: float = 0.0) -> Served:
    """Ask and be answered at once."""
    served = cache.look(prompt, now)
    cache.keep(prompt, now)
    return served


AUTOMATIC = ("openai", "kimi", "gemini", "vllm")


@pytest.mark.parametrize("name", AUTOMATIC)
def test_a_beginning_is_served_in_whole_steps_from_the_minimum_on(name: str) -> None:
    """What is served is a multiple of the step, no shorter than the minimum, and as long as can be.

    Sixteen tokens stand for a step where a vendor names none.
    """
    rules = find_cache(name)
    step = max(rules.step, GRAIN)
    for length in (rules.minimum - 300, rules.minimum + 3 * step + 7, 9_000):
        cache = PromptCache(rules)
        shared = "a" * max(length, 1)
        ask(cache, send(rules, shared + "b" * 3_000))
        read = ask(cache, send(rules, shared + "c" * 3_000)).read
        most = (len(shared) + 4) // step * step  # four tokens stand before a message
        assert read == (most if most >= rules.minimum else 0)


@pytest.mark.parametrize("name", AUTOMATIC)
def test_a_prompt_is_kept_when_its_reply_is_done(name: str) -> None:
    """What is sent before the first reply is done reads nothing: that is why one goes first."""
    rules = find_cache(name)
    cache, first, second = PromptCache(rules), *(send(rules, "a" * 9_000 + x) for x in "bc")
    assert cache.look(first, 0) == cache.look(second, 0) == Served()
    cache.keep(first, 1)
    assert cache.look(second, 1).read > 8_000


@pytest.mark.parametrize("name", ["openai", "kimi", "gemini", "anthropic", "openai-explicit"])
def test_what_is_not_used_for_its_lifetime_is_gone(name: str) -> None:
    """A beginning is there for its lifetime after each use, and no longer."""
    rules = find_cache(name)
    lifetime = rules.lifetime_s or 0
    cache, prompt = PromptCache(rules), send(rules, "a" * 9_000 + "|", "b")
    ask(cache, prompt, 0)
    assert cache.look(prompt, lifetime).read > 8_000
    assert cache.look(prompt, 2 * lifetime).read > 8_000  # the last look was a use
    assert cache.look(prompt, 3 * lifetime + 1).read == 0


def test_without_a_lifetime_nothing_goes() -> None:
    """A server that keeps what it has room for keeps it for good here."""
    rules = find_cache("vllm")
    cache, prompt = PromptCache(rules), send(rules, "a" * 900)
    ask(cache, prompt, 0)
    assert cache.look(prompt, 1e9).read > 800


def test_the_third_request_is_served_what_two_have_shared() -> None:
    """DeepSeek's examples: A+B then A+C read nothing, A+D then reads A; A+B+C reads A+B at once."""
    rules = find_cache("deepseek")
    cache, shared = PromptCache(rules), "a" * 6_396  # with what stands before, 100 steps of 64
    assert ask(cache, send(rules, shared + "b" * 640)) == Served()
    assert ask(cache, send(rules, shared + "c" * 640)) == Served()
    assert ask(cache, send(rules, shared + "d" * 640)).read == 6_400
    assert ask(cache, send(rules, shared + "b" * 640)).read == 7_040
    assert ask(cache, send(rules, shared + "b" * 640 + "e" * 640)).read == 7_040


def test_a_shared_beginning_is_kept_as_a_whole() -> None:
    """A prompt that shares less than what was kept is served nothing of it (DeepSeek)."""
    rules = find_cache("deepseek")
    cache = PromptCache(rules)
    for last in "bc":
        ask(cache, send(rules, "a" * 6_396 + last * 640))
    assert ask(cache, send(rules, "a" * 3_000 + "d" * 640)) == Served()
    assert ask(cache, send(rules, "a" * 3_000 + "e" * 640)).read == 2_944


@pytest.mark.parametrize("name", ["anthropic", "openai-explicit"])
def test_only_what_ends_at_a_mark_is_kept(name: str) -> None:
    """Anthropic and OpenAI write up to marks alone, and read what ends where one was written."""
    rules = find_cache(name)
    cache = PromptCache(rules)
    one = send(rules, "a" * 5_000, "b" * 5_000 + "|", "c", told=True)
    assert ask(cache, one) == Served(0, 10_004)
    assert ask(cache, one) == Served(10_004, 0)
    other = send(rules, "a" * 5_000 + "|", "d" * 5_000, told=True)
    assert ask(cache, other) == Served(0, 5_004)  # no mark was there before
    assert ask(cache, send(rules, "a" * 5_000 + "|", "e", told=True)) == Served(5_004, 0)
    assert ask(cache, send(rules, "a" * 5_000, "e", told=True)) == Served()


@pytest.mark.parametrize("name", ["anthropic", "openai-explicit"])
def test_a_grown_beginning_is_written_from_where_it_was_read(name: str) -> None:
    """A prompt that goes on from what was kept pays the writing of what is new alone."""
    rules = find_cache(name)
    cache = PromptCache(rules)
    ask(cache, send(rules, "a" * 5_000 + "|", "z", told=True))
    grown = send(rules, "a" * 5_000 + "|", "b" * 700 + "|", "y", told=True)
    assert ask(cache, grown) == Served(5_004, 700)


def test_a_mark_looks_back_over_twenty_parts() -> None:
    """From a mark Anthropic looks at twenty parts, the marked one first; OpenAI at that one."""
    rules = find_cache("anthropic")
    for between, read in ((18, 5_004), (19, 0)):
        cache = PromptCache(rules)
        ask(cache, send(rules, "a" * 5_000 + "|", "z"))
        parts = ["b"] * between
        later = send(rules, "a" * 5_000, *parts, "c|", "y")
        assert ask(cache, later).read == read
    rules = find_cache("openai-explicit")
    cache = PromptCache(rules)
    ask(cache, send(rules, "a" * 5_000 + "|", "z", told=True))
    assert ask(cache, send(rules, "a" * 5_000, "c|", "y", told=True)).read == 0


@pytest.mark.parametrize("name", ["anthropic", "openai-explicit"])
def test_four_marks_are_written(name: str) -> None:
    """Of more marks than four the last four are written; what ends too early is not."""
    rules = find_cache(name)
    cache = PromptCache(rules)
    texts = [f"{letter * 5_000}|" for letter in "abcde"]
    assert ask(cache, send(rules, *texts, "z", told=True)).written == 25_004
    kept = [
        ask(PromptCacheView(cache), send(rules, *texts[:count], "y", told=True)).read
        for count in range(1, 6)
    ]
    assert kept[0] == 0
    assert kept[4] == 25_004
    short = send(rules, "a" * (rules.minimum - 5) + "|", "z", told=True)
    assert ask(PromptCache(rules), short) == Served()


class PromptCacheView(PromptCache):
    """A cache that others look at and leave as it is."""

    def __init__(self, cache: PromptCache) -> None:
        super().__init__(cache.rules)
        self._used = dict(cache._used)  # noqa: SLF001 - a copy of it


def test_the_trap_writes_whole_prompts_that_no_one_reads() -> None:
    """From 5.6 on OpenAI writes an unmarked prompt to its end, unless told to keep to marks."""
    rules = find_cache("openai-explicit")
    cache = PromptCache(rules)
    for last in "bcd":
        assert ask(cache, send(rules, "a" * 5_000 + last)) == Served(0, 5_005)
    assert ask(cache, send(rules, "a" * 5_000 + "e", told=True)) == Served()


def test_an_endpoint_without_a_cache_serves_nothing() -> None:
    """With none every prompt is read whole."""
    cache = PromptCache(find_cache("none"))
    for _ in range(3):
        assert ask(cache, send(find_cache("none"), "a" * 9_000 + "|")) == Served()


@given(st.sampled_from(CACHES), st.lists(NUMBERS, max_size=12))
@settings(deadline=None)
def test_no_more_is_served_than_was_sent_before(name: str, drawn: list[list[int]]) -> None:
    """Whatever is sent, what is read begins an earlier prompt, and read and written add up."""
    rules = replace(find_cache(name), minimum=0)
    cache, before = PromptCache(rules), list[str]()
    for numbers in drawn:
        texts = [f"{'abcd'[number] * 40}{'|' if number % 2 else ''}" for number in numbers]
        prompt = send(rules, *texts)
        served = ask(cache, prompt)
        text = "".join(texts).replace("|", "")
        most = max((len(_common(text, earlier)) for earlier in before), default=-4)
        assert 0 <= served.read <= max(most + 4, 0)
        assert served.read + served.written <= prompt.tokens
        before.append(text)


def _common(one: str, other: str) -> str:
    length = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    return one[:length]


def test_an_unknown_cache_is_refused() -> None:
    """A name that is none of theirs is refused with those that there are."""
    with pytest.raises(UsageError, match=r"no cache 'kimmi' \(--cache\): use none, openai"):
        find_cache("kimmi")
