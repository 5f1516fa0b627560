"""A prompt cache as vendors describe theirs, for the built-in endpoint to play. Pure.

It knows prompts by the hashes of their beginnings: at every whole step of tokens, and at the end
of every part of a message. A prompt is looked up when it arrives and kept when its reply is done,
so what is sent before that reads nothing of it. Times are told, in seconds of any one clock.
"""

import hashlib
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from needle.words.tariffs import CacheRules

GRAIN = 16
"""The tokens of a step where a vendor names none, or a smaller one: hashing each would be slow."""

TOKENS_A_MESSAGE = 4
TOKENS_A_REQUEST = 3
"""The chat format's own overhead: so many tokens for each message and once a request."""

Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message, and whether it carries a mark."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Beginning:
    """A prompt up to some place: the hash of all that is before it, and its tokens."""

    digest: bytes
    tokens: int
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as a cache knows it: all its tokens, and its beginnings in ascending order.

    ``told`` says that the request has it kept only up to its marks.
    """

    tokens: int
    beginnings: tuple[Beginning, ...]
    told: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """What a cache does for a prompt: the tokens read from it, and those to be written to it."""

    read: int = 0
    written: int = 0


def measure(
    messages: Sequence[tuple[str, Sequence[Part]]],
    rules: CacheRules,
    encode: Encode,
    told: bool = False,
) -> Prompt:
    """Return a prompt, of (role, parts) each message, with the beginnings that a cache may keep."""
    if rules.kind == "marked":
        return _measure_parts(messages, encode, told)
    ids = array("q")
    for role, parts in messages:
        ids.extend(_stand_for(role))
        ids.extend(encode("".join(part.text for part in parts)))
    step, hashed = max(rules.step, GRAIN), hashlib.blake2b(digest_size=16)
    beginnings = []
    for end in range(step, len(ids) + 1, step):
        hashed.update(ids[end - step : end].tobytes())
        beginnings.append(Beginning(hashed.copy().digest(), end))
    if rules.on_third and (rest := len(ids) % step):  # a prompt's own end is kept as it is
        hashed.update(ids[-rest:].tobytes())
        beginnings.append(Beginning(hashed.digest(), len(ids)))
    return Prompt(len(ids) + TOKENS_A_REQUEST, tuple(beginnings), told)


def _measure_parts(
    messages: Sequence[tuple[str, Sequence[Part]]], encode: Encode, told: bool
) -> Prompt:
    hashed, tokens = hashlib.blake2b(digest_size=16), 0
    beginnings = []
    for role, parts in messages:
        hashed.update(_stand_for(role).tobytes())
        tokens += TOKENS_A_MESSAGE
        for part in parts:
            text = part.text.encode(errors="replace")
            hashed.update(len(text).to_bytes(8) + text)
            tokens += len(encode(part.text))
            beginnings.append(Beginning(hashed.copy().digest(), tokens, part.marked))
    return Prompt(tokens + TOKENS_A_REQUEST, tuple(beginnings), told)


def _stand_for(role: str) -> "array[int]":
    """Return what stands before a message of a role, in place of the chat format's tokens."""
    name = int.from_bytes(hashlib.blake2b(role.encode(), digest_size=4).digest())
    return array("q", [-1 - name] * TOKENS_A_MESSAGE)


class PromptCache:
    """The beginnings that an endpoint keeps, by the rules of its vendor."""

    def __init__(self, rules: CacheRules) -> None:
        """Begin empty."""
        self.rules = rules
        self._used: dict[bytes, float] = {}
        self._seen: set[bytes] = set()

    def look(self, prompt: Prompt, now: float) -> Served:
        """Return what is served of a prompt that arrives now; what is read is used again."""
        if self.rules.kind in ("none", "unknown"):
            return Served()
        if self.rules.kind == "marked":
            return self._look_at_marks(prompt, now)
        found = self._find_shared(prompt, now) if self.rules.on_third else self._walk(prompt, now)
        if found is None or found.tokens < self.rules.minimum:
            return Served()
        return Served(found.tokens)

    def keep(self, prompt: Prompt, now: float) -> None:
        """Take in a prompt whose reply is done now."""
        if self.rules.kind in ("none", "unknown"):
            return
        if self.rules.kind == "marked":
            for end in self._list_written(prompt):
                self._used[end.digest] = now
        elif self.rules.on_third:
            self._keep_shared(prompt, now)
        elif prompt.tokens >= self.rules.minimum:
            self._used.update((each.digest, now) for each in prompt.beginnings)

    def _is_kept(self, beginning: Beginning, now: float) -> bool:
        used, lifetime_s = self._used.get(beginning.digest), self.rules.lifetime_s
        return used is not None and (lifetime_s is None or now - used <= lifetime_s)

    def _walk(self, prompt: Prompt, now: float) -> Beginning | None:
        """Return the longest beginning of which all is kept; one token at least is read anew."""
        found = None
        for each in prompt.beginnings:
            if each.tokens >= prompt.tokens or not self._is_kept(each, now):
                break
            self._used[each.digest] = now
            found = each
        return found

    def _find_shared(self, prompt: Prompt, now: float) -> Beginning | None:
        """Return the longest beginning that was kept as a whole."""
        for each in reversed(prompt.beginnings):
            if self._is_kept(each, now):
                self._used[each.digest] = now
                return each
        return None

    def _keep_shared(self, prompt: Prompt, now: float) -> None:
        """Keep a prompt to its end, and what it shares with one before it."""
        if prompt.tokens < self.rules.minimum or not prompt.beginnings:
            return
        known = [each for each in prompt.beginnings if each.digest in self._seen]
        for each in (*known[-1:], prompt.beginnings[-1]):
            self._used[each.digest] = now
        self._seen.update(each.digest for each in prompt.beginnings)

    def _list_marks(self, prompt: Prompt) -> list[int]:
        """Return which of a prompt's parts are marked; the last one is, unless it is told not."""
        marks = [index for index, part in enumerate(prompt.beginnings) if part.marked]
        last = len(prompt.beginnings) - 1
        if self.rules.whole and not prompt.told and last >= 0 and last not in marks:
            marks.append(last)
        return marks

    def _list_written(self, prompt: Prompt) -> list[Beginning]:
        """Return the ends of what is written of a prompt: at its last marks, if long enough."""
        ends = [prompt.beginnings[index] for index in self._list_marks(prompt)[-self.rules.marks :]]
        return [end for end in ends if end.tokens >= self.rules.minimum]

    def _look_at_marks(self, prompt: Prompt, now: float) -> Served:
        """Search back from each mark, the last first, for what was written before."""
        read = 0
        for mark in reversed(self._list_marks(prompt)):
            behind = prompt.beginnings[max(0, mark + 1 - self.rules.lookback) : mark + 1]
            found = next((each for each in reversed(behind) if self._is_kept(each, now)), None)
            if found is not None:
                self._used[found.digest] = now
                read = found.tokens
                break
        furthest = max((end.tokens for end in self._list_written(prompt)), default=0)
        return Served(read, max(0, furthest - read))
