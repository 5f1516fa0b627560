"""What a cache did, in words that a user can check against the outcomes."""

from typing import Any

import pytest

from needle.asking.estimate import Estimate
from needle.caching.savings import describe_cache, describe_savings
from needle.words.tariffs import CacheRules, Price

AUTOMATIC = CacheRules("automatic", minimum=1_024, step=128, lifetime_s=300)
MARKED = CacheRules("marked", mark={"m": 1}, write_rate=1.25, lifetime_s=3_600)
PRICE = Price(60, 60, "CNY", cached=6, write=75)


def line(prompt: int, cached: int | None, written: int | None = None) -> dict[str, Any]:
    return {
        "response": "x",
        "prompt_tokens": 1,
        "endpoint_prompt_tokens": prompt,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "completion_tokens": 10,
    }


def test_the_share_and_the_money_saved_are_told() -> None:
    """Cached tokens are summed over all replies, and what they saved is the difference in price."""
    lines = [line(1_000_000, 0), line(1_000_000, 900_000), {"response": None}]
    assert describe_savings(lines, PRICE, AUTOMATIC) == (
        "cached 45% of 2,000,000 prompt tokens (saved 48.60 CNY)"
    )
    assert describe_savings(lines, None, AUTOMATIC) == "cached 45% of 2,000,000 prompt tokens"
    assert describe_savings(lines, Price(60, 60, "CNY"), AUTOMATIC) == (
        "cached 45% of 2,000,000 prompt tokens"
    )


def test_writing_for_nothing_is_told_as_a_loss() -> None:
    """Where more was written than ever read the run has cost more, and it says so."""
    lines = [line(1_000_000, 0, 1_000_000)]
    assert describe_savings(lines, PRICE, MARKED) == (
        "cached 0% of 1,000,000 prompt tokens, wrote 100% "
        "(cost 15.00 CNY more than without a cache)"
    )


def test_an_endpoint_that_says_nothing_is_not_taken_to_have_read_all() -> None:
    """Where no reply tells of a cache that is expected, that is said; where none is, nothing is."""
    silent = [line(1_000, None)]
    assert describe_savings(silent, PRICE, AUTOMATIC) == "cached tokens: the endpoint reports none"
    assert describe_savings(silent, PRICE, CacheRules("none")) is None
    assert describe_savings(silent, PRICE, CacheRules("unknown")) is None
    assert describe_savings([], PRICE, AUTOMATIC) is None


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (AUTOMATIC, ("kept by itself, from 1,024 tokens, in steps of 128, for 5 min", "about 46%")),
        (MARKED, ("up to marks", "for 1 h", "10% written at 1.25 times its price")),
        (CacheRules("automatic", on_third=True), ("for the third",)),
        (CacheRules("automatic", apart=True), ("each slot its own",)),
        (CacheRules("unknown"), ("not known", "50%")),
    ],
)
def test_a_plan_says_how_prompts_are_kept(rules: CacheRules, words: tuple[str, ...]) -> None:
    """The strategy and what is expected of it stand in one line of the plan."""
    told = Estimate(1, 1, 1, cached_share=0.5, kept_share=0.46, written_share=0.1)
    described = describe_cache(rules, told)
    assert described is not None
    assert described.startswith("prompt cache: ")
    for part in words:
        assert part in described
    assert describe_cache(CacheRules("none"), told) is None
