"""The budget is never exceeded, whatever comes back."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needle.budget import Budget, Purse, parse_budget
from needle.errors import UsageError
from needle.types import Failure, Language, Needle, Price, Reply, Trial

PRICE = Price(60, 60, "CNY")
REPLY_TOKENS = 256


def make_trial(prompt_tokens: int, language: Language) -> Trial:
    """Return a trial of so many prompt tokens; nothing else of it matters here."""
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(Trial)}
    values["needle"] = Needle("n", "en", (), "", ())
    return Trial(**{**values, "prompt_tokens": prompt_tokens, "language": language})


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


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("20CNY", Budget(20, "CNY")),
        ("2Mtok", Budget(2_000_000, "tok")),
        ("50ktok", Budget(50_000, "tok")),
        ("0.5CNY", Budget(0.5, "CNY")),
    ],
)
def test_budgets_are_read(text: str, budget: Budget) -> None:
    """Money in the price's currency and tokens are budgets."""
    assert parse_budget(text, PRICE) == budget


@pytest.mark.parametrize(
    ("text", "price", "remedy"),
    [
        ("5USD", PRICE, "in CNY"),
        ("5CNY", None, "2Mtok"),
        ("lots", PRICE, "20CNY"),
        ("-3CNY", PRICE, "20CNY"),
    ],
)
def test_what_cannot_be_kept_to_is_refused(text: str, price: Price | None, remedy: str) -> None:
    """A budget that can't be counted is refused with its value and a remedy."""
    with pytest.raises(UsageError) as fault:
        parse_budget(text, price)
    assert text in str(fault.value)
    assert remedy in str(fault.value)
