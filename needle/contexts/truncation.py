"""Silent truncation: an endpoint that cuts a prompt to its window and answers all the same. Pure.

It shows in nothing but the endpoint's own count of the prompt. Ollama cuts to num_ctx or, in
later versions, to half of it (its issues 3839 and 17427). Some endpoints count only what their
cache did not serve, add tokens of their own to every prompt, or tell the same number for all of
them: none of these is taken for a cut.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from needle.contexts.tasks import text_language
from needle.words.types import Asked, Failure, Language, Reply, Trial

KIND = "truncated_by_server"

_SMALLEST_WINDOW = 256  # tokens; half of the smallest num_ctx in use
_CALIBRATED = 0.92  # of a calibrated count: it is off by 1% at the most
_NOISE = 0.95 / 1.05  # both ratios may be off by 5%, in opposite ways
_OVERHEAD = 128  # tokens that an endpoint may add to each prompt
_LEAST_RATIO = 0.25  # of ours: no tokenizer makes less of either language
_FILLED = 0.98  # of the longest count seen: what fills a window is no shorter than that
_HALF = 0.49  # of it: what is left of a window that was halved
_DIFFERENT = 3  # numbers told that make it sure that an endpoint counts at all
_HALVED = 0.62  # of the least to be expected: so little is left then


@dataclass(slots=True)
class PromptCounts:
    """How long an endpoint has found a run's prompts so far, beside our own counts."""

    largest: int = 0
    told: set[int] = field(default_factory=set)
    seen: dict[Language, dict[int, int]] = field(default_factory=dict)
    """By our count the largest of theirs: with the same count of ours it tells the most."""

    def remember(self, language: Language, ours: int, theirs: int) -> None:
        """Take in one prompt's two counts; those of cut prompts do no harm."""
        self.largest = max(self.largest, theirs)
        self.told.add(theirs)
        seen = self.seen.setdefault(language, {})
        seen[ours] = max(theirs, seen.get(ours, 0))

    def is_cut(
        self, language: Language, ours: int, theirs: int, expected: int | None = None
    ) -> bool:
        """Tell whether a prompt of so many tokens by both counts was cut.

        ``expected`` is its calibrated count, where there is one. Without, the ratios of the
        shorter prompts of its language stand in, with room for 5% of local deviation in each
        and for 128 tokens that the endpoint adds to every prompt. A window that has taken a
        prompt whole can't fill with less: a short count that is neither as long as the
        longest one seen nor what is left of a halved window is something else. Where it
        has told no more than two numbers yet, this one must be a window's.
        """
        least = self._least(language, ours) if expected is None else _CALIBRATED * expected
        if theirs < _SMALLEST_WINDOW or theirs >= least:
            return False
        counts = expected is not None or len(self.told | {theirs}) >= _DIFFERENT
        if not counts and not _is_window(theirs):
            return False
        if theirs >= _FILLED * self.largest:
            return True
        return theirs >= _HALF * self.largest and theirs <= _HALVED * least

    def _least(self, language: Language, ours: int) -> float:
        """Return the least that the endpoint can have counted, had it read all of a prompt."""
        least = _LEAST_RATIO * ours
        for shorter, theirs in self.seen.get(language, {}).items():
            if 0 < shorter <= ours:
                grown = ours / shorter
                bare = _NOISE * (theirs - _OVERHEAD) * grown + _OVERHEAD
                least = max(least, min(bare, _NOISE * theirs * grown))
        return least

    def guess(self, language: Language, ours: int) -> int:
        """Return about how long a prompt is by the endpoint's count, from those seen."""
        ratios = [t / o for o, t in self.seen.get(language, {}).items() if 0 < o <= ours]
        return round(ours * max(ratios, default=1.0))

    def judge(self, trial: Trial, asked: Asked) -> Asked:
        """Return what came back for a trial, as a permanent failure where its prompt was cut."""
        reply = asked.result
        theirs = count_whole(reply) if isinstance(reply, Reply) else None
        if not isinstance(reply, Reply) or not theirs:
            return asked
        ours, expected = trial.prompt_tokens, trial.vendor_tokens
        cut = self.is_cut(trial.text_language, ours, theirs, expected)
        about = expected or self.guess(trial.text_language, ours)
        self.remember(trial.text_language, ours, theirs)
        if not cut:
            return asked
        failure = Failure(KIND, 200, describe_cut(theirs, about), permanent=True, reply=reply)
        return replace(asked, result=failure)


def _is_window(tokens: int) -> bool:
    """Tell whether a window, or what Ollama leaves of one, may be so many tokens."""
    return tokens % _SMALLEST_WINDOW in (0, 2)


def describe_cut(theirs: int, about: int) -> str:
    """Say that a prompt was cut, and what to do."""
    return (
        f"the endpoint counted {theirs:,} tokens of a prompt of about {about:,}: it cuts prompts "
        f"short without saying so. Raise its window (Ollama: OLLAMA_CONTEXT_LENGTH, or num_ctx "
        f"in a Modelfile), then needle resume RUN --failed; or ask for shorter --lengths"
    )


def count_whole(reply: Reply) -> int | None:
    """Return the endpoint's count of a whole prompt, cached tokens included."""
    theirs, cached = reply.endpoint_prompt_tokens, reply.cached_tokens or 0
    if theirs is None:
        return None
    return theirs + cached if cached > theirs else theirs  # some count them apart


def remember_lines(lines: Iterable[Mapping[str, Any]]) -> PromptCounts:
    """Return what a run's outcomes so far tell of its endpoint's counts."""
    counts = PromptCounts()
    for line in lines:
        if theirs := line.get("endpoint_prompt_tokens"):
            cached = line.get("cached_tokens") or 0
            whole = theirs + cached if cached > theirs else theirs
            text = text_language(line["task"], line["language"])
            counts.remember(text, line["prompt_tokens"], whole)
    return counts
