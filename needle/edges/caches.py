"""The prompt caches that the built-in endpoint can play, by the catalogue's rules."""

from dataclasses import replace

from needle.edges.models import find_model
from needle.words.errors import UsageError
from needle.words.tariffs import CacheRules

NO_CACHE = CacheRules(kind="none")
_PLAYED = {
    "openai": "gpt-4o",
    "openai-explicit": "gpt-6.1-sol",
    "kimi": "kimi-k2.6",
    "deepseek": "deepseek-v4-pro",
    "gemini": "gemini-3.8-flash",
    "anthropic": "litellm/claude-opus-5-5",
    "vllm": "vllm/any",
}
CACHES = ("none", *_PLAYED)
"""The caches that the built-in endpoint can play, each by the rules of a model that has it."""


def find_cache(name: str) -> CacheRules:
    """Return the rules of a cache that the built-in endpoint plays; UsageError for an unknown."""
    if name == "none":
        return NO_CACHE
    if name not in _PLAYED:
        raise UsageError(f"no cache {name!r} (--cache): use {', '.join(CACHES)}")
    return replace(find_model(_PLAYED[name], None, None).cache, name=name)
