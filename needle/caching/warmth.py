"""What a prompt cache holds by now, as far as this side can know, and who should wait for it.

Pure: times are told, in seconds of any one clock. A beginning is in the cache once a reply has
left it there, and for its lifetime after it was last sent or answered. Where it is not, one goes
alone and the others wait for its reply: at the start, after a failure, on resume, and when a run
has waited for so long that it has cooled.
"""

import math
from collections import Counter

from needle.caching.chains import Entry, Step
from needle.words.tariffs import CacheRules


class Warmth:
    """The beginnings that an endpoint keeps for a run, and the requests on their way."""

    def __init__(self, rules: CacheRules) -> None:
        """Begin with nothing kept."""
        self._apart = rules.apart
        self._lifetime_s = math.inf if rules.lifetime_s is None else rules.lifetime_s
        self._used: dict[Entry, float] = {}
        self._writing: Counter[Entry] = Counter()
        self._held: dict[str, tuple[Entry, ...]] = {}
        self._in_flight: Counter[str] = Counter()

    def is_warm(self, entry: Entry, now: float) -> bool:
        """Tell whether a beginning is in the cache."""
        used = self._used.get(entry)
        return used is not None and now - used <= self._lifetime_s

    def may_go(self, step: Step, now: float) -> bool:
        """Tell whether a trial need not wait for another one's reply.

        Where slots keep prompts apart, those of a group would not find each other's.
        """
        if step.awaits is None:
            return True
        if self._apart:
            return not self._in_flight[step.group]
        return self.is_warm(step.awaits, now) or not self._writing[step.awaits]

    def begin(self, step: Step, now: float) -> None:
        """Note that a trial is sent: what it reads is used again."""
        if step.awaits is not None and self.is_warm(step.awaits, now):
            self._used[step.awaits] = now
        self._held[step.trial.key] = step.leaves
        self._writing.update(step.leaves)
        self._in_flight[step.group] += 1

    def end(self, step: Step, now: float, *, replied: bool) -> None:
        """Note that a trial has ended, with a reply or without."""
        self.release(step)
        self._in_flight[step.group] -= 1
        if replied:
            self.remember(step, now)

    def release(self, step: Step) -> None:
        """Let others wait for a trial no longer: it may take for ever."""
        self._writing.subtract(self._held.pop(step.trial.key, ()))

    def remember(self, step: Step, at: float) -> None:
        """Note when a trial was answered, by this process or an earlier one."""
        for entry in step.leaves:
            self._used[entry] = max(at, self._used.get(entry, -math.inf))
