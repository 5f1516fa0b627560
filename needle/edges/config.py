"""A run's configuration: a YAML recipe, the command line over it, and what they resolve to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from needle.contexts.grid import GridWish, Spacing, parse_length
from needle.contexts.prompts import CONTEXT, QUESTION
from needle.contexts.tasks import FAMILIES, TASKS
from needle.edges.files import check_record, locate, read_yaml
from needle.scoring.scorers import JUDGE, SCORERS
from needle.statistics.adapting import CLAIMING_REPLICATES, LEAST_REPLICATES
from needle.words.errors import UsageError
from needle.words.tariffs import STRICT
from needle.words.types import LANGUAGES, Haystack, Language, Layout, Template

COMMAND_LINE = "command line"


def _read_length(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(  # noqa: TRY004 - pydantic reports value errors alone
            f"length must be a number such as 8000, 8k or 1M, got {value!r}"
        )
    try:
        length = parse_length(str(value))
    except ValueError as error:
        raise ValueError(
            f"length must be a number such as 8000, 8k or 1M, got {value!r}"
        ) from error
    if length <= 0:
        raise ValueError(f"length must be positive, got {value!r}")
    return length


def _read_depth(value: object) -> float:
    try:
        depth = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"depth_percent must be a number within 0-100, got {value}") from error
    if not 0 <= depth <= 100:  # noqa: PLR2004 - percent
        raise ValueError(f"depth_percent must be within 0-100, got {value}")
    return depth


MOST_TRIALS = 1_000_000
"""Trials that a run may have: each takes about a kilobyte of memory and of the log."""


def _read_count(value: object) -> int:
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise ValueError(f"must be a whole number from 1 up, got {value!r}")
    return int(str(value))


def _read_tier(value: object) -> object:
    return str(value) if type(value) is int else value  # YAML reads a tier's 1 as a number


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return (value,) if isinstance(value, int | float) else value


def _not_empty(value: object) -> object:
    if isinstance(value, list | tuple) and not value:
        raise ValueError("must hold at least one value, got none")
    return value


Length = Annotated[int, BeforeValidator(_read_length)]
Depth = Annotated[float, BeforeValidator(_read_depth)]
Count = Annotated[int, BeforeValidator(_read_count)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Lengths = Annotated[tuple[Length, ...], BeforeValidator(_not_empty), BeforeValidator(_split)]
Depths = Annotated[tuple[Depth, ...], BeforeValidator(_not_empty), BeforeValidator(_split)]


@dataclass(frozen=True)
class GridRecipe:
    """The grid part of a recipe; see needle.contexts.grid."""

    name: Literal["default", "published", "full"] = "default"
    lengths: Lengths | None = None
    length_count: Count | None = None
    depths: Depths | None = None
    depth_count: Count | None = None
    spacing: Spacing | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class LimitsRecipe:
    """The user's limits at the vendor: by the name of a tier, or in figures, which come first."""

    tier: Annotated[str, BeforeValidator(_read_tier)] | None = None
    requests_a_minute: Count | None = None
    tokens_a_minute: Length | None = None
    tokens_a_day: Length | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Card:
    """An accelerator card: its peak in TFLOPS, and the share of it that serving uses (0-1)."""

    tflops: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    utilisation: Annotated[float, Field(gt=0, le=1)] = 0.3

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Recipe:
    """All that a recipe or the command line may say of a run. Lengths are in the run's unit."""

    model: Names = ()
    language: Literal["en", "zh", "both"] = "both"
    task: Names = ()
    grid: GridRecipe = field(default_factory=GridRecipe)
    unit: Literal["tokens", "hanzi"] = "tokens"
    count: Literal["common", "vendor"] = "common"
    tokenizer: str = "o200k_base"
    needle: str | None = None
    facts: Count | None = None
    distractors: Count | None = None
    hops: Count | None = None
    controls: Literal["none", "all"] = "all"
    layout: Layout = "classic"
    adaptive: bool = False
    haystack: Names = ("essays",)
    prompt: str = "plain"
    replicates: Count = 1
    seed: int = 0
    reply_tokens: Count | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    base_url: Names = ()
    window: Length | None = None
    stream: bool | None = None
    concurrency: Count | None = None
    cache: str | None = None
    limits: LimitsRecipe = field(default_factory=LimitsRecipe)
    params: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    card: Card | None = None
    scorer: Names = ()
    judge_model: str | None = None
    judge_base_url: str | None = None
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0

    __pydantic_config__ = STRICT


def read_recipe(path: Path | None, said: Mapping[str, Any]) -> Recipe:
    """Read a recipe file and lay what the command line said over it.

    ``said`` has a recipe's shape and holds only what was given. Each is checked by itself,
    so that a fault is reported where it stands.
    """
    from_file = read_yaml(path, "--config") if path else {}
    return lay_over(from_file, said, str(path) if path else None, COMMAND_LINE)


def lay_over(
    below: Mapping[str, Any], above: Mapping[str, Any], place: str | None, above_place: str
) -> Recipe:
    """Lay a recipe's keys over those of another; each is at a place, which faults name."""
    if place:
        _check(below, place)
    asked = _check(above, above_place).task
    grid = dict(below.get("grid") or {})
    said_grid = above.get("grid") or {}
    for one, other in (("lengths", "length_count"), ("depths", "depth_count")):
        if one in said_grid or other in said_grid:
            grid.pop(one, None)
            grid.pop(other, None)
    if "task" in above:  # the counts below are for the tasks below
        idle = {family.option for task, family in FAMILIES.items() if task not in asked}
        below = {name: value for name, value in below.items() if name not in idle}
    merged = {**below, **above, "grid": {**grid, **said_grid}}
    for part in ("limits", "card"):
        if below.get(part) or above.get(part):
            merged[part] = {**(below.get(part) or {}), **(above.get(part) or {})}
    return _check(merged, place or above_place)


def _check(data: Mapping[str, Any], place: str) -> Recipe:
    recipe = check_record(Recipe, data, place)
    for one, other in (("lengths", "length_count"), ("depths", "depth_count")):
        if getattr(recipe.grid, one) is not None and getattr(recipe.grid, other) is not None:
            raise UsageError(f"grid.{one} and grid.{other} exclude each other ({place})")
    for task in recipe.task:
        if task not in TASKS:
            raise UsageError(f"unknown task {task!r} ({place}: task): use {', '.join(TASKS)}")
    if recipe.unit == "hanzi" and "cross" in recipe.task:
        raise UsageError(
            f"unit hanzi counts Chinese text, and cross has English in it ({place}: task): "
            f"use unit tokens"
        )
    for family in FAMILIES.values():
        count = getattr(recipe, family.option) if family.option else None
        if count is not None and not family.least <= count <= family.most:
            raise UsageError(
                f"{family.option} must be within {family.least}-{family.most}, got {count} "
                f"({place}: {family.option})"
            )
    check_scorers(recipe.scorer, f"{place}: scorer")
    if recipe.unit == "hanzi" and recipe.language == "en":
        raise UsageError(f"unit hanzi counts Chinese text ({place}: unit): use language zh")
    if recipe.unit == "hanzi" and recipe.count == "vendor":
        raise UsageError(
            f"lengths are in hanzi or in the vendor's own tokens, not both ({place}: count): "
            f"use unit tokens or count common"
        )
    return recipe


def choose_base_url(recipe: Recipe, model: str) -> str | None:
    """Return the address that a recipe gives for a model: its own, else the one for all.

    Raises UsageError where two are given for the same.
    """
    own: list[str] = []
    common: list[str] = []
    for text in recipe.base_url:
        name, mark, url = text.partition("=")
        if mark and "://" not in name:
            own += [url] if name == model else []
            if name not in recipe.model:
                raise UsageError(
                    f"--base-url {name}=... names no model of this run: use one of "
                    f"{', '.join(recipe.model)}"
                )
        else:
            common.append(text)
    if len(own) > 1 or len(common) > 1:
        raise UsageError(
            f"two addresses for {model} (--base-url): give one, or MODEL=URL for each model"
        )
    return next(iter(own or common), None)


def check_scorers(scorers: Sequence[str], place: str) -> None:
    """Raise UsageError for a scorer that there is not."""
    for scorer in scorers:
        if scorer not in SCORERS:
            raise UsageError(f"unknown scorer {scorer!r} ({place}): use {', '.join(SCORERS)}")


def wish_grid(recipe: Recipe) -> GridWish:
    """Return what a recipe wishes of the grid."""
    grid = recipe.grid
    return GridWish(
        grid.name, grid.lengths, grid.length_count, grid.depths, grid.depth_count, grid.spacing
    )


def refuse_endless(recipe: Recipe, kinds: int) -> None:
    """Raise UsageError for more trials than a run can hold; ``kinds`` are languages by tasks."""
    grid = recipe.grid
    lengths = len(grid.lengths or ()) or grid.length_count or 1
    depths = len(grid.depths or ()) or grid.depth_count or 1
    if (trials := kinds * lengths * depths * recipe.replicates) > MOST_TRIALS:
        raise UsageError(
            f"{trials:,} trials or more (--replicates, --length-count, --depth-count): a run holds "
            f"{MOST_TRIALS:,} at the most, ask for fewer"
        )


def choose_languages(
    recipe: Recipe, told: bool, haystacks: Mapping[Language, Haystack]
) -> tuple[Language, ...]:
    """Return the languages to run: those asked for that a haystack is in.

    ``told`` says whether the user named the language. Raises UsageError where a language
    that was asked for has no haystack.
    """
    if recipe.unit == "hanzi":
        wanted: tuple[Language, ...] = ("zh",)
    elif recipe.language == "both":
        wanted = LANGUAGES
    else:
        wanted = (recipe.language,)
    at_hand = tuple(language for language in wanted if language in haystacks)
    lacking = [language for language in wanted if language not in haystacks]
    if lacking and (told or not at_hand):
        names = " and ".join(sorted({haystack.name for haystack in haystacks.values()}))
        raise UsageError(
            f"the haystack {names} has no {lacking[0]} text (--language {recipe.language}): use "
            f"--language {' or '.join(haystacks)}, or another --haystack beside it"
        )
    return at_hand


@dataclass(frozen=True, slots=True)
class TemplateWording:
    """One language of a prompt's YAML file."""

    separator: str
    messages: tuple["MessageWording", ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class MessageWording:
    """One message of a prompt, with ``{context}`` or ``{question}`` in it."""

    role: Literal["system", "user", "assistant"]
    content: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A prompt's YAML file."""

    name: str
    source: str
    languages: dict[Language, TemplateWording]

    __pydantic_config__ = STRICT


def load_template(name: str, language: Language) -> Template:
    """Load a prompt by its shipped name or a YAML file's path."""
    path = locate("prompts", name, "--prompt")
    file = check_record(TemplateFile, read_yaml(path, "--prompt"), str(path))
    if language not in file.languages:
        raise UsageError(f"the prompt {file.name!r} has no {language} wording ({path}: languages)")
    wording = file.languages[language]
    whole = "".join(message.content for message in wording.messages)
    for mark in (CONTEXT, QUESTION):
        if whole.count(mark) != 1:
            raise UsageError(
                f"a prompt must hold {mark} once, got {whole.count(mark)} times "
                f"({path}: languages.{language}.messages)"
            )
    if whole.index(QUESTION) < whole.index(CONTEXT):
        raise UsageError(
            f"{QUESTION} must come after {CONTEXT} ({path}: languages.{language}.messages): "
            f"the question comes last, so that prompts share their beginning"
        )
    messages = tuple((message.role, message.content) for message in wording.messages)
    return Template(file.name, language, messages, wording.separator)


def refuse_unadaptive(recipe: Recipe) -> None:
    """Raise UsageError for an adaptive run that could choose nothing by what it is told."""
    if not recipe.adaptive:
        return
    if recipe.replicates < LEAST_REPLICATES:
        raise UsageError(
            f"an adaptive run needs at least {LEAST_REPLICATES} replicates, got "
            f"{recipe.replicates} (--replicates): use {CLAIMING_REPLICATES} or more for a claim "
            f"about other needles"
        )
    if JUDGE in recipe.scorer:
        raise UsageError(
            "a judge comes after the last reply, and an adaptive run chooses by its scores "
            "(--scorer): run it without, then use needle score RUN --scorer judge"
        )
