"""The budget is never exceeded, whatever comes back."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.asking.budget import TOKENS, Budget, Pool, Purse, convert, parse_budget, parse_rates
from needle.asking.money import cost
from needle.words.errors import UsageError
from needle.words.tariffs import Price
from needle.words.types import Failure, Language, Needle, Reply, Trial

PRICE = Price(60, 60, "CNY")
REPLY_TOKENS = 256


def make_trial(prompt_tokens: int, language: Language) -> Trial:
    """Return a trial of so many prompt tokens; nothing else of it matters here."""
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Trial)}
    values["needle"] = Needle("n", "en", (), "", ())
    return Trial(**{**values, "prompt_tokens": prompt_tokens, "text_language": language})


SENT = st.tuples(
    st.integers(500, 200_000),  # prompt tokens by our count
    st.integers(0, REPLY_TOKENS),
    st.sampled_from(["reply", "timeout", "rate_limit"]),
    st.integers(0, 3),  # attempts lost before
    st.sampled_from(["en", "zh"]),
)


@given(
    st.lists(SENT, max_size=40),
    st.dictionaries(st.sampled_from(["en", "zh"]), st.floats(0.3, 2.0), min_size=2),
    st.floats(0.01, 50),
    st.sampled_from(["CNY", "tok"]),
    st.integers(1, 8),
)
def test_never_exceeded(
    sent: list[tuple[int, int, str, int, Language]],
    ratios: dict[Language, float],
    amount: float,
    of: str,
    in_flight: int,
) -> None:
    """With any number in flight, and any lost on the way, what is charged is within the budget.

    An endpoint keeps one ratio of its tokens to ours for each language, of 2 at the most.
    """
    budget = Budget(amount if of == "CNY" else amount * 20_000, of)
    purse = Purse(budget, PRICE, REPLY_TOKENS)
    charged = 0.0
    flying: list[tuple[Trial, Reply | Failure, int, float]] = []
    for tokens, reply_tokens, kind, lost, language in sent:
        while len(flying) >= in_flight:
            trial, result, lost_then, reserved = flying.pop(0)
            purse.release(reserved)
            purse.count(trial, result, lost_then)
        trial = make_trial(tokens, language)
        if not purse.allows(trial):
            break
        reserved = purse.reserve(trial)
        theirs = round(tokens * ratios[language])
        worth = (theirs + reply_tokens) * (60 / 1e6 if of == "CNY" else 1)
        made = 0
        while made < lost and purse.allows(trial):
            reserved += purse.reserve(trial)
            charged += worth
            made += 1
        result = Failure(kind, None, "", permanent=False)
        if kind == "reply":
            result = Reply("x", endpoint_prompt_tokens=theirs, completion_tokens=reply_tokens)
        if kind == "timeout":
            made += 1
        charged += 0 if kind == "rate_limit" else worth
        flying.append((trial, result, made, reserved))
    assert charged <= budget.amount * (1 + 1e-9)


@given(st.lists(st.integers(500, 200_000), max_size=30), st.floats(0.3, 2.0), st.booleans())
def test_an_untold_count_is_taken_at_its_worst(
    sent: list[int], ratio: float, at_nought: bool
) -> None:
    """Where an endpoint never tells a prompt's tokens, nothing is learnt, and the budget holds."""
    purse = Purse(Budget(500_000, TOKENS), None, REPLY_TOKENS)
    charged = 0.0
    for tokens in sent:
        trial = make_trial(tokens, "en")
        if not purse.allows(trial):
            break
        charged += tokens * ratio + REPLY_TOKENS
        told = 0 if at_nought else None
        purse.count(trial, Reply("x", endpoint_prompt_tokens=told), 0)
    assert charged <= purse.spent * (1 + 1e-9) <= 500_000 * (1 + 1e-9)


@given(
    st.lists(st.tuples(st.integers(500, 200_000), st.floats(0, 1), st.floats(0, 1)), max_size=30),
    st.floats(0.01, 5),
    st.booleans(),
)
def test_a_cache_that_writes_is_never_more_than_the_budget(
    sent: list[tuple[int, float, float]], amount: float, tells: bool
) -> None:
    """However much of each prompt is read and written, and told or not, the budget holds."""
    price = Price(2, 10, "USD", cached=0.2, write=2.5)
    purse = Purse(Budget(amount, "USD"), price, REPLY_TOKENS)
    charged = 0.0
    for tokens, read, write in sent:
        trial = make_trial(tokens, "en")
        if not purse.allows(trial):
            break
        reserved = purse.reserve(trial)
        cached = int(tokens * read)
        written = int((tokens - cached) * write)
        charged += cost(price, tokens, REPLY_TOKENS, cached, written=written)
        answer = Reply("x", endpoint_prompt_tokens=tokens, completion_tokens=REPLY_TOKENS)
        if tells:
            answer = dataclasses.replace(answer, cached_tokens=cached, cache_write_tokens=written)
        purse.release(reserved)
        purse.count(trial, answer, 0)
        assert charged <= purse.spent * (1 + 1e-9)
    assert charged <= amount * (1 + 1e-9)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("20CNY", Budget(20, "CNY")),
        ("2Mtok", Budget(2_000_000, "tok")),
        ("50ktok", Budget(50_000, "tok")),
        ("0.5USD", Budget(0.5, "USD")),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    """Money of any currency and tokens are budgets."""
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["lots", "-3CNY", "5", "5 dollars"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    """What is no amount of anything is refused with its value and a remedy."""
    with pytest.raises(UsageError, match="use 20CNY") as fault:
        parse_budget(text)
    assert text in str(fault.value)


def test_a_budget_in_another_currency_needs_a_rate() -> None:
    """Money is kept to in the price's currency, by a rate that may be given in either direction."""
    dollars = Budget(5, "USD")
    assert convert(Budget(20, "CNY"), PRICE, {}, "m") == Budget(20, "CNY")
    assert convert(Budget(9, "tok"), None, {}, "m") == Budget(9, "tok")
    for rate in ("USD/CNY=8", "CNY/USD=0.125"):
        assert convert(dollars, PRICE, parse_rates([rate]), "m") == Budget(40, "CNY")
    with pytest.raises(UsageError, match="--rate CNY/USD"):
        convert(dollars, PRICE, {}, "m")
    with pytest.raises(UsageError, match="2Mtok"):
        convert(dollars, None, {}, "m")


@pytest.mark.parametrize("text", ["USD/CNY", "USD/CNY=0", "USDCNY=7", "USD/CNY=-7"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    """A rate names two currencies and a number above nought."""
    with pytest.raises(UsageError, match="not a rate"):
        parse_rates([text])


def test_reasoning_beyond_the_limit_is_reckoned_with() -> None:
    """A vendor that lets reasoning run past the reply's limit is taken to do so again."""
    purse = Purse(Budget(10_000, "tok"), None, 256)
    trial = make_trial(1_000, "en")
    purse.count(trial, Reply("x", endpoint_prompt_tokens=1_000, completion_tokens=2_000), 0)
    assert purse.spent == 3_000
    assert purse.worst(trial) >= 1_000 + 2_000


def test_a_kept_reply_of_a_failure_costs_as_any_other() -> None:
    """A reply that is kept with a failure was paid for, and counts."""
    purse = Purse(Budget(10_000, "tok"), None, 256)
    kept = Reply("x", endpoint_prompt_tokens=500, completion_tokens=20)
    failure = Failure("truncated_by_server", 200, "cut", permanent=True, reply=kept)
    purse.count(make_trial(1_000, "en"), failure, 0)
    assert purse.spent == 520


def test_what_came_in_a_batch_is_paid_at_its_price() -> None:
    """A batch's worst case and its replies are reckoned at half price where that is the price."""
    price = Price(60, 60, "CNY", batch_input=30, batch_output=30)
    trial, reply = make_trial(1_000, "en"), Reply("x", endpoint_prompt_tokens=1_000)
    purses = [Purse(Budget(10, "CNY"), price, REPLY_TOKENS) for _ in range(2)]
    assert purses[0].worst(trial, in_batch=True) == pytest.approx(purses[1].worst(trial) / 2)
    for purse, in_batch in zip(purses, (True, False), strict=True):
        purse.count(trial, reply, 0, in_batch=in_batch)
    assert purses[0].spent == pytest.approx(purses[1].spent / 2)


@given(
    amounts=st.tuples(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1, 1e6)),
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 200_000), st.floats(0, 1), st.booleans()),
        max_size=40,
    ),
    kept=st.booleans(),
)
def test_a_pool_is_never_exceeded(
    amounts: tuple[float, float, float],
    steps: list[tuple[int, int, float, bool]],
    kept: bool,
) -> None:
    """Whatever is sent and comes back in whatever order, all purses together keep to one budget.

    A purse that has a part kept for it may spend that, however greedy the others are.
    """
    pool = Pool()
    wholes = [Budget(amount, TOKENS) for amount in amounts]
    own = [wholes[0] if not kept else Budget(wholes[0].amount / 3, TOKENS), *wholes[1:]]
    purses = [Purse(budget, None, REPLY_TOKENS) for budget in own]
    for purse, whole in zip(purses, wholes, strict=True):
        pool.join(purse, whole, kept=kept and purse is purses[0])
    flying: list[tuple[Purse, float]] = []
    for number, tokens, part, lands in steps:
        purse = purses[number]
        trial = make_trial(tokens, "en")
        if purse.allows(trial):
            flying.append((purse, purse.reserve(trial)))
        if lands and flying:
            owner, reserved = flying.pop()
            owner.release(reserved)
            owner.spent += part * reserved
        shares = [
            (each.spent + each.set_aside) / whole.amount
            for each, whole in zip(purses, wholes, strict=True)
        ]
        assert sum(shares) <= 1 + 1e-9
        if kept:
            assert sum(shares[1:]) <= 2 / 3 + 1e-9
