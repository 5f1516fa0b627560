"""Where a run's texts are from, and an imported run's results. Frozen records."""

from dataclasses import dataclass

_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class HaystackNote:
    """What run.yaml keeps of a haystack: enough to find it again and see that it is the same.

    ``sha256`` and ``passes`` are None where they are not known: those of an imported run.
    """

    name: str
    sha256: str | None
    source: str
    passes: float | None

    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class SourceFile:
    """A file of imported results: its name, without its folder, and the sha256 of its bytes."""

    name: str
    sha256: str

    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class Imported:
    """Where an imported run's results are from.

    ``date`` is when they were made (ISO 8601), None where the files do not say.
    """

    format: str
    files: tuple[SourceFile, ...]
    date: str | None = None

    __pydantic_config__ = _STRICT
