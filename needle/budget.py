"""A cap on what a run may spend, in money or tokens, that is never exceeded. Pure.

Whatever is in flight counts at its worst case, and so does what failed without saying
whether it was served.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from needle.errors import UsageError
from needle.money import cost
from needle.types import Failure, Language, Price, Reply

TOKENS = "tok"
_UNKNOWN_RATIO = 2.0  # an endpoint's tokens over ours, at the most, until it has told its own
_SAFETY = 1.1  # over the largest ratio seen


class Sent(Protocol):
    """What a purse knows of a request: its tokens in our tokenizer, and their language."""

    @property
    def language(self) -> Language:
        """The language, since a vendor's count is another multiple of ours in each."""

    @property
    def prompt_tokens(self) -> int:
        """The tokens of all message contents."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount and what it is of: a currency's code, or tokens."""

    amount: float
    of: str


def parse_budget(text: str, price: Price | None) -> Budget:
    """Read ``20CNY``, ``5USD`` or ``2Mtok``.

    Raises UsageError for anything else, and where money can't be counted since the model's
    price is not known or in another currency.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kM]?tok|[A-Z]{3})", text.strip())
    if not match:
        raise UsageError(f"not a budget: {text!r} (--budget): use 20CNY, 5USD or 2Mtok")
    amount, of = float(match[1]), match[2]
    if of.endswith(TOKENS):
        scale = {"tok": 1, "ktok": 1_000, "Mtok": 1_000_000}[of]
        return Budget(amount * scale, TOKENS)
    if price is None:
        raise UsageError(
            f"the model has no known price, so {text} can't be kept to (--budget): use tokens, "
            f"such as 2Mtok"
        )
    if price.currency != of:
        raise UsageError(
            f"the model's price is in {price.currency}, not as {text} is (--budget): "
            f"give the budget in {price.currency}, or in tokens, such as 2Mtok"
        )
    return Budget(amount, of)


class Purse:
    """What a run has spent and set aside of its budget."""

    def __init__(self, budget: Budget | None, price: Price | None, reply_tokens: int) -> None:
        """Open a purse; without a budget everything may be spent."""
        self.budget = budget
        self.price = price
        self.reply_tokens = reply_tokens
        self.spent = 0.0
        self.set_aside = 0.0
        self._ratios: dict[Language, float] = {}

    def worst(self, trial: Sent) -> float:
        """Return the most that one request for a trial can cost."""
        known = self._ratios.get(trial.language)
        prompt = trial.prompt_tokens * (known * _SAFETY if known else _UNKNOWN_RATIO)
        return self._value(prompt, self.reply_tokens)

    def _value(self, prompt: float, reply: float) -> float:
        if self.budget is None or self.budget.of == TOKENS or self.price is None:
            return prompt + reply
        return cost(self.price, prompt, reply)

    def allows(self, trial: Sent) -> bool:
        """Tell whether a request can be sent with the budget kept whatever comes back."""
        if self.budget is None:
            return True
        return self.spent + self.set_aside + self.worst(trial) <= self.budget.amount

    def reserve(self, trial: Sent) -> float:
        """Set a request's worst case aside; return it, to be released when it is counted."""
        worst = self.worst(trial)
        self.set_aside += worst
        return worst

    def release(self, reserved: float) -> None:
        """Take back what was set aside."""
        self.set_aside -= reserved

    def count(self, trial: Sent, result: Reply | Failure, lost_attempts: int) -> None:
        """Count what an outcome has spent; attempts without an answer at their worst case."""
        self.spent += self.worst(trial) * lost_attempts
        if isinstance(result, Failure):
            return
        prompt = result.endpoint_prompt_tokens or trial.prompt_tokens
        ratio = prompt / trial.prompt_tokens if trial.prompt_tokens else 1.0
        self._ratios[trial.language] = max(self._ratios.get(trial.language, 1.0), ratio)
        self.spent += self._value(prompt, result.completion_tokens or self.reply_tokens)
