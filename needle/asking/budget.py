"""A cap on what a run may spend, in money or tokens, that is never exceeded. Pure.

Whatever is in flight counts at its worst case, and so does what failed without saying
whether it was served.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from needle.asking.money import cost, worst_cost
from needle.words.errors import UsageError
from needle.words.tariffs import Price
from needle.words.types import Failure, Language, Reply

TOKENS = "tok"
_WORST_RATIO: Mapping[Language, float] = {"en": 2.0, "zh": 3.2}
"""An endpoint's tokens over ours, at the most, until it has told its own: in Chinese a token a
byte, in English twice as many as any known tokenizer has made."""
_SAFETY = 1.1  # over the largest ratio, and the longest reply, seen


class Sized(Protocol):
    """What a purse knows of a request: its tokens in our tokenizer, and their language."""

    @property
    def text_language(self) -> Language:
        """The text's language, since a vendor's count is another multiple of ours in each."""

    @property
    def prompt_tokens(self) -> int:
        """The tokens of all message contents."""


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount and what it is of: a currency's code, or tokens."""

    amount: float
    of: str

    def __str__(self) -> str:
        """Write it as a user would: 20 CNY, 2,000,000 tokens."""
        if self.of == TOKENS:
            return f"{self.amount:,.0f} tokens"
        return f"{self.amount:,.4g} {self.of}"


Rates = Mapping[tuple[str, str], float]
"""What one unit of the first currency is in the second."""


def parse_budget(text: str) -> Budget:
    """Read ``20CNY``, ``5USD`` or ``2Mtok``; raise UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kM]?tok|[A-Z]{3})", text.strip())
    if not match:
        raise UsageError(f"not a budget: {text!r} (--budget): use 20CNY, 5USD or 2Mtok")
    amount, of = float(match[1]), match[2]
    if of.endswith(TOKENS):
        scale = {"tok": 1, "ktok": 1_000, "Mtok": 1_000_000}[of]
        return Budget(amount * scale, TOKENS)
    return Budget(amount, of)


def parse_rates(texts: Sequence[str]) -> Rates:
    """Read rates such as ``USD/CNY=7.1`` (one dollar is 7.1 yuan), usable in both directions.

    Raises UsageError for anything else.
    """
    rates: dict[tuple[str, str], float] = {}
    for text in texts:
        match = re.fullmatch(r"([A-Z]{3})/([A-Z]{3})=(\d+(?:\.\d+)?)", text.strip())
        if not match or not float(match[3]):
            raise UsageError(f"not a rate: {text!r} (--rate): use USD/CNY=7.1")
        rates[match[1], match[2]] = float(match[3])
        rates[match[2], match[1]] = 1 / float(match[3])
    return rates


def convert(budget: Budget, price: Price | None, rates: Rates, name: str) -> Budget:
    """Return a budget in what a model's price is in.

    Raises UsageError where money can't be counted, since the price is not known or is in
    another currency and no rate was given.
    """
    if budget.of == TOKENS:
        return budget
    if price is None:
        raise UsageError(
            f"{name} has no known price, so {budget} can't be kept to (--budget): use tokens, "
            f"such as 2Mtok"
        )
    if price.currency == budget.of:
        return budget
    rate = rates.get((budget.of, price.currency))
    if rate is None:
        raise UsageError(
            f"the price of {name} is in {price.currency}, the budget of {budget} is not "
            f"(--budget): give --rate {price.currency}/{budget.of}=..., or a budget in "
            f"{price.currency} or tokens"
        )
    return Budget(budget.amount * rate, price.currency)


class Purse:
    """What a run has spent and set aside of its budget, in what the budget is of."""

    def __init__(self, budget: Budget | None, price: Price | None, reply_tokens: int) -> None:
        """Open a purse; without a budget everything may be spent."""
        self.budget = budget
        self.price = price
        self.spent = 0.0
        self.set_aside = 0.0
        self.pool: Pool | None = None
        self._longest_reply: float = reply_tokens
        self._ratios: dict[Language, float] = {}

    def worst(self, trial: Sized, in_batch: bool = False) -> float:
        """Return the most that one request for a trial can cost, live or in a batch."""
        return self.worst_of(trial.text_language, trial.prompt_tokens, in_batch)

    def worst_of(self, language: Language, tokens: int, in_batch: bool = False) -> float:
        """Return the most that a request of so many tokens, by our count, can cost."""
        return self._value(tokens * self._worst_ratio(language), self._longest_reply, in_batch)

    def _worst_ratio(self, language: Language) -> float:
        known = self._ratios.get(language)
        return known * _SAFETY if known else _WORST_RATIO[language]

    def pay(self, prompt: int, reply: int) -> None:
        """Count what requests that are no trials have taken, by the endpoint's own count."""
        self.spent += self._value(prompt, reply)

    def _counts_tokens(self) -> bool:
        return self.budget is None or self.budget.of == TOKENS

    def _value(self, prompt: float, reply: float, in_batch: bool = False) -> float:
        """Return the most that a request of so many tokens can cost."""
        if self._counts_tokens() or self.price is None:
            return prompt + reply
        if in_batch:
            return cost(self.price, prompt, reply, batch=True)
        return worst_cost(self.price, prompt, reply)

    def allows(self, trial: Sized) -> bool:
        """Tell whether a request can be sent with the budget kept whatever comes back."""
        return self.budget is None or self._holds(self.budget, self.worst(trial))

    def allows_all(self, trials: Sequence[Sized]) -> bool:
        """Tell whether requests can be sent, each once, with the budget kept."""
        return self.budget is None or self._holds(self.budget, sum(map(self.worst, trials)))

    def _holds(self, budget: Budget, worst: float) -> bool:
        taken = self.spent + self.set_aside + worst
        return taken <= budget.amount and (self.pool is None or self.pool.holds(self, taken))

    def reserve(self, trial: Sized) -> float:
        """Set a request's worst case aside; return it, to be released when it is counted."""
        worst = self.worst(trial)
        self.set_aside += worst
        return worst

    def release(self, reserved: float) -> None:
        """Take back what was set aside."""
        self.set_aside -= reserved

    def count(
        self,
        trial: Sized,
        result: Reply | Failure,
        lost_attempts: int,
        in_batch: bool = False,
    ) -> None:
        """Count what an outcome has spent; attempts without an answer at their worst case."""
        self.spent += self.worst(trial) * lost_attempts
        reply = result.reply if isinstance(result, Failure) else result
        if reply is None:
            return
        prompt = self._learn(trial, reply.endpoint_prompt_tokens)
        said = self._longest_reply if reply.completion_tokens is None else reply.completion_tokens
        if said > self._longest_reply:  # reasoning that the vendor does not hold to the limit
            self._longest_reply = said * _SAFETY
        if self._counts_tokens() or self.price is None:
            self.spent += prompt + said
            return
        cached = reply.cached_tokens or 0
        written: float | None = reply.cache_write_tokens
        if written is None:  # what may have been written is taken to have been
            written = prompt if self.price.write is not None else 0
        self.spent += cost(self.price, prompt, said, cached, in_batch, written)

    def _learn(self, trial: Sized, told: int | None) -> float:
        """Return a prompt's tokens: by the endpoint's count, or at the most where it tells none."""
        text = trial.text_language
        if not told:
            return trial.prompt_tokens * self._worst_ratio(text)
        ratio = told / trial.prompt_tokens if trial.prompt_tokens else 1.0
        self._ratios[text] = max(self._ratios.get(text, 1.0), ratio)
        return told


class Pool:
    """One budget for the purses of several runs, each of which counts in what its price is in.

    What all of them have spent and set aside never comes to more than the budget.
    """

    def __init__(self) -> None:
        """Begin with no purse."""
        self._wholes: dict[Purse, float] = {}
        self._kept: set[Purse] = set()

    def join(self, purse: Purse, whole: Budget, *, kept: bool = False) -> None:
        """Let a purse take part; ``whole`` is the pool's budget in what that purse counts in.

        A purse whose own budget is ``kept`` for it has all of that, whatever the others do.
        """
        self._wholes[purse] = whole.amount
        if kept:
            self._kept.add(purse)
        purse.pool = self

    def free(self, purse: Purse) -> None:
        """Keep nothing more for a purse than what it has spent."""
        self._kept.discard(purse)

    def holds(self, purse: Purse, taken: float) -> bool:
        """Tell whether a purse may have spent and set aside so much, in all."""
        return purse in self._kept or taken <= self.left(purse)

    def left(self, purse: Purse) -> float:
        """Return what the other purses leave to one, in what that counts in."""
        others = sum(self._share(other) for other in self._wholes if other is not purse)
        return self._wholes[purse] * (1 - others)

    def _share(self, purse: Purse) -> float:
        """Return which share of the pool's budget a purse takes."""
        taken, whole = purse.spent + purse.set_aside, self._wholes[purse]
        if purse in self._kept and purse.budget is not None:
            taken = max(taken, purse.budget.amount)
        return taken / whole if whole else 0.0
