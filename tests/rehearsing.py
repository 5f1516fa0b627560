"""A run rehearsed in time that is only reckoned: what is sent when, and what a cache serves of it.

Trials are sent in their order, so many at once, each as soon as warmth.py lets it go. A prompt is
looked up in the cache when it is sent and kept when its reply is done.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from needle.caching.breakpoints import mark_body
from needle.caching.chains import Step
from needle.caching.played import Part, Prompt, PromptCache, Served, measure
from needle.caching.warmth import Warmth
from needle.contexts.prompts import build_messages, choose_template
from needle.edges.config import read_recipe
from needle.edges.tokens import load_encoder
from needle.runs.prepare import Prepared, prepare
from needle.runs.writing import passage_reader
from needle.words.tariffs import CacheRules

MARKS = ("cache_control", "prompt_cache_breakpoint")


@dataclass(frozen=True)
class Turn:
    """One trial's turn: when it was sent and answered, in seconds, and what was served of it."""

    step: Step
    sent: float
    answered: float
    served: Served


def prepare_grid(lengths: str | int, depth_count: int, **said: object) -> Prepared:
    """Prepare a run of the built-in endpoint's: English, without controls, unless told.

    ``lengths`` are those, or how many.
    """
    grid = {"lengths" if isinstance(lengths, str) else "length_count": lengths}
    grid["depth_count"] = depth_count
    given = {"model": ["sim/blind"], "language": "en", "controls": "none", "grid": grid, **said}
    recipe = read_recipe(None, given)
    return prepare(recipe, told_language=True, model_name="sim/blind", date="2026-11-24")


@cache
def encoder() -> Callable[[str], Sequence[int]]:
    """Return the built-in endpoint's tokenizer, which knows again what it has encoded."""
    return cache(load_encoder("o200k_base"))


def measure_prompts(
    prepared: Prepared, steps: Sequence[Step], rules: CacheRules, playing: CacheRules | None = None
) -> list[Prompt]:
    """Return the prompts of steps as a cache knows them, marked by the rules of who sends them."""
    read, templates = passage_reader(prepared), prepared.run.templates
    prompts = []
    for step in steps:
        template = choose_template(templates, step.trial.task, step.trial.language)
        messages = build_messages(step.trial, template, read(step.trial))
        body = mark_body({"messages": messages}, step, template, rules)
        parts = [(message["role"], _read(message["content"])) for message in body["messages"]]
        told = "prompt_cache_options" in body.get("extra_body", {})
        prompts.append(measure(parts, playing or rules, encoder(), told))
    return prompts


def _read(content: object) -> list[Part]:
    if not isinstance(content, list):
        return [Part(str(content))]
    return [Part(part["text"], any(mark in part for mark in MARKS)) for part in content]


def rehearse(
    steps: Sequence[Step],
    rules: CacheRules,
    concurrency: int,
    prompts: Sequence[Prompt] | None = None,
    playing: CacheRules | None = None,
    took: Callable[[int], float] = lambda _: 10.0,
    every_s: float = 0.0,
) -> list[Turn]:
    """Return the turns of a run: ``playing`` is the cache, where it is not that of ``rules``.

    ``took`` is how many seconds a reply takes by the tokens that were not served, ``every_s``
    how many seconds pass between two requests at the least.
    """
    kept, warmth = PromptCache(playing or rules), Warmth(rules)
    turns: list[Turn] = []
    flying: list[tuple[float, int]] = []
    now = free = 0.0
    while len(turns) < len(steps) or flying:
        step = steps[len(turns)] if len(turns) < len(steps) else None
        if step and len(flying) < concurrency and warmth.may_go(step, max(now, free)):
            if now < free and flying and flying[0][0] < free:
                now = _land(flying, turns, warmth, kept, prompts)
                continue
            now = max(now, free)
            warmth.begin(step, now)
            prompt = prompts[len(turns)] if prompts else Prompt(0, ())
            served = kept.look(prompt, now)
            answered = now + took(prompt.tokens - served.read)
            heapq.heappush(flying, (answered, len(turns)))
            turns.append(Turn(step, now, answered, served))
            free = now + every_s
        else:
            assert flying, "nothing is in flight, and nothing may go"
            now = _land(flying, turns, warmth, kept, prompts)
    return turns


def _land(
    flying: list[tuple[float, int]],
    turns: Sequence[Turn],
    warmth: Warmth,
    kept: PromptCache,
    prompts: Sequence[Prompt] | None,
) -> float:
    """Let the next reply arrive; return when it does."""
    now, index = heapq.heappop(flying)
    warmth.end(turns[index].step, now, replied=True)
    if prompts:
        kept.keep(prompts[index], now)
    return now
