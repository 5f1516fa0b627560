"""The rubrics by which a judge is asked, from configs/judges/."""

import functools
from dataclasses import dataclass
from typing import Literal

from needle.edges.files import check_record, read_yaml, shipped
from needle.scoring.judge import MARKS, Rubric
from needle.words.errors import UsageError
from needle.words.tariffs import STRICT
from needle.words.types import Language

PUBLISHED_SCALE = "published-scale"
"""The rubric that ships with needle, in both languages."""


@dataclass(frozen=True, slots=True)
class RubricMessage:
    """One message of a rubric."""

    role: Literal["system", "user"]
    content: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class RubricFile:
    """A rubric's YAML file."""

    name: str
    source: str
    languages: dict[Language, tuple[RubricMessage, ...]]

    __pydantic_config__ = STRICT


@functools.cache
def load_rubrics(name: str = PUBLISHED_SCALE) -> dict[Language, Rubric]:
    """Load a shipped rubric in each of its languages; raise UsageError for one that lacks a mark.

    Every rubric holds the question, the fact, the answers and the reply, and fences the reply.
    """
    path = shipped("configs", "judges", f"{name}.yaml")
    file = check_record(RubricFile, read_yaml(path, "configs/judges"), str(path))
    for language, messages in file.languages.items():
        whole = "".join(message.content for message in messages)
        lacking = [mark for mark in MARKS if mark not in whole]
        if lacking:
            raise UsageError(f"a rubric must hold {lacking[0]} ({path}: languages.{language})")
    return {
        language: Rubric(file.name, language, tuple((m.role, m.content) for m in messages))
        for language, messages in file.languages.items()
    }
