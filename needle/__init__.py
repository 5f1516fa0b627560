"""needle: long-context needle-in-a-haystack evaluation, in English and Chinese.

From Python: ``needle.run``, ``needle.load`` and ``needle.compare`` (docs/python.md).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from needle.commands.api import Compared, Results, compare, load, run
    from needle.words.errors import NeedleError, Stopped, StoreError, UsageError

__version__ = "0.1.0"

__all__ = [
    "Compared",
    "NeedleError",
    "Results",
    "Stopped",
    "StoreError",
    "UsageError",
    "__version__",
    "compare",
    "load",
    "run",
]

_FROM = {
    "needle.commands.api": ("Compared", "Results", "compare", "load", "run"),
    "needle.words.errors": ("NeedleError", "Stopped", "StoreError", "UsageError"),
}


def __getattr__(name: str) -> Any:
    """Return what is asked for, from where it is: importing needle loads none of it."""
    for module, names in _FROM.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'needle' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
