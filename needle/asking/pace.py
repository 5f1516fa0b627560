"""When the next request may be sent: within the limits, and no faster than the vendor bears. Pure.

Limits are kept over every span of a minute, not from one full minute to the next: whichever way
a vendor counts, it never counts more. How many requests stand at once is halved when the vendor
says that it is too many, and recovers by one for each round of answers.
"""

import math
from collections import deque
from dataclasses import dataclass

from needle.words.tariffs import Limits
from needle.words.types import Allowance

MINUTE_S = 61.0
"""A minute and a little: the vendor counts when a request arrives, not when it is sent."""
DAY_S = 86_400.0
_LONGEST_RESET_S = 120.0  # a header may speak of a limit a day long: then a 429 tells


@dataclass(frozen=True, slots=True)
class Sent:
    """One attempt: when it was sent (seconds), and its tokens, prompt and reserved reply."""

    at: float
    tokens: int


class _Span:
    """What was sent within the last so many seconds."""

    def __init__(self, span_s: float) -> None:
        self.span_s = span_s
        self.total = 0
        self._sent: deque[Sent] = deque()

    def __len__(self) -> int:
        return len(self._sent)

    def add(self, sent: Sent) -> None:
        self._sent.append(sent)
        self.total += sent.tokens

    def forget(self, now: float) -> None:
        while self._sent and self._sent[0].at <= now - self.span_s:
            self.total -= self._sent.popleft().tokens

    def until_gone(self, requests: int, now: float) -> float:
        """Return the seconds until so many of the oldest requests are out of the span."""
        if requests <= 0 or not self._sent:
            return 0.0
        return self._sent[min(requests, len(self._sent)) - 1].at + self.span_s - now

    def until_free(self, tokens: int, now: float) -> float:
        """Return the seconds until so many tokens of the oldest requests are out of the span."""
        moment = now
        for each in self._sent:
            if tokens <= 0:
                break
            tokens -= each.tokens
            moment = each.at + self.span_s
        return moment - now


class Pace:
    """What was sent lately and what is in flight, and when the next may go."""

    def __init__(self, limits: Limits, most: int) -> None:
        """Begin with ``most`` requests at once, or as many as the limits allow."""
        self.limits = limits
        self.most = max(1, min(most, limits.concurrency or most))
        self.in_flight = 0
        self.not_before = 0.0
        self._room = float(self.most)
        self._slowed_at = -math.inf
        self._minute, self._day = _Span(MINUTE_S), _Span(DAY_S)

    @property
    def room(self) -> int:
        """How many requests may stand at once now."""
        return max(1, int(self._room))

    def wait_s(self, tokens: int, now: float) -> float:
        """Return the seconds until a request of so many tokens may be sent, 0 for now.

        Infinity where it must wait for one in flight to end, however long that takes.
        """
        if self.in_flight >= self.room:
            return math.inf
        waits = [0.0, self.not_before - now]
        for span in (self._minute, self._day):
            span.forget(now)
        limits, minute, day = self.limits, self._minute, self._day
        if limits.requests_a_minute is not None:
            waits.append(minute.until_gone(len(minute) + 1 - limits.requests_a_minute, now))
        if limits.tokens_a_minute is not None:
            waits.append(minute.until_free(minute.total + tokens - limits.tokens_a_minute, now))
        if limits.tokens_a_day is not None:
            waits.append(day.until_free(day.total + tokens - limits.tokens_a_day, now))
        return max(waits)

    def begin(self, tokens: int, now: float) -> Sent:
        """Note that a request of so many tokens is sent now."""
        self.in_flight += 1
        return self.remember(tokens, now)

    def remember(self, tokens: int, at: float) -> Sent:
        """Note a request that was sent at a time, by this process or an earlier one."""
        sent = Sent(at, tokens)
        for span in (self._minute, self._day):
            span.add(sent)
        return sent

    def end(self, sent: Sent, now: float, *, slowed: bool, wait_s: float | None = None) -> None:
        """Note that a request has ended, and whether the vendor said that it is too many.

        Of all that were sent before it last said so, only the first halves the room.
        """
        self.in_flight -= 1
        if not slowed:
            self._room = min(self._room + 1 / self._room, float(self.most))
            return
        if sent.at >= self._slowed_at:
            self._room = max(1.0, self._room / 2)
            self._slowed_at = now
        if wait_s is not None:
            self.not_before = max(self.not_before, now + wait_s)

    def learn(self, allowance: Allowance, tokens: int, now: float) -> None:
        """Take a vendor's word on what may still be sent, for requests of about so many tokens."""
        for left, wanted, reset_s in (
            (allowance.requests_left, 1, allowance.requests_reset_s),
            (allowance.tokens_left, tokens, allowance.tokens_reset_s),
        ):
            if left is not None and reset_s is not None and left < wanted:
                self.not_before = max(self.not_before, now + min(reset_s, _LONGEST_RESET_S))


def least_minutes(limits: Limits, requests: int, tokens: int) -> float | None:
    """Return the minutes that so many requests and tokens take at the limits; None without any."""
    parts = [
        amount / most
        for amount, most in (
            (requests, limits.requests_a_minute),
            (tokens, limits.tokens_a_minute),
            (tokens * 1_440, limits.tokens_a_day),
        )
        if most is not None
    ]
    return max(parts) if parts else None
