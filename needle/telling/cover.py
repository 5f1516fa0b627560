"""The page that goes with a publication: what it is, what was found, how to read it. Pure.

README.md in English and README.zh.md in Chinese, each whole.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from needle.contexts.grid import format_length
from needle.statistics.standings import Standing, tabulate
from needle.telling.captions import LANGUAGE_NAMES
from needle.telling.cover_words import (
    AGAIN,
    FILES,
    HAYSTACK,
    HEADS,
    NEEDLE,
    ORIGIN,
    OWN_NEEDLE,
    OWN_TEXT,
    PAGES,
    READING,
    TEXTS,
)
from needle.telling.gaps import Gap, describe_gap
from needle.telling.quotes import LONGEST
from needle.words.types import Language, Run

_COLON: dict[Language, str] = {"en": ": ", "zh": "："}
MOST_UNCHECKED = 1_000
"""Characters of a text that are kept where the haystack is not at hand to hold it against."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure: its files without their endings, which endings there are, and what it shows.

    ``words`` is the one language whose page it stands on, None where it stands on both.
    """

    stem: str
    kinds: tuple[str, ...]
    title: dict[Language, str]
    words: Language | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A run as the page tells of it: its name, and how it is made again."""

    name: str
    run: Run
    command: str
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A haystack in a language; ``file`` says where it is from, None where nothing does."""

    name: str
    language: Language
    sha256: str | None
    file: str | None


@dataclass(frozen=True, slots=True)
class Cover:
    """All that the page says.

    ``names`` are those of the standings' runs; ``findings`` are the sentences of what may be
    concluded, by language; ``needles`` are names with where each is from, None where nothing says
    so. ``files`` are the names of the publication's other files and folders. ``checked`` says that
    all texts were held against their haystacks.
    """

    version: str
    runs: tuple[Told, ...]
    figures: tuple[Shown, ...]
    standings: tuple[Standing, ...]
    names: tuple[str, ...]
    findings: dict[Language, tuple[str, ...]]
    needles: tuple[tuple[str, str | None], ...]
    haystacks: tuple[Text, ...]
    files: tuple[str, ...]
    checked: bool


def write_cover(cover: Cover, language: Language) -> str:
    """Write the page in a language."""
    figures, findings, numbers, reading, files, again, texts = HEADS[language]
    listed = [(name, FILES[name][language == "zh"]) for name in FILES if name in cover.files]
    parts = [
        f"# {_write_title(cover, language)}",
        f"[中文]({PAGES['zh']})" if language == "en" else f"[English]({PAGES['en']})",
        _write_opening(cover, language),
        *_warn(cover, language),
        f"## {figures}",
        *(
            _write_figure(figure, language)
            for figure in cover.figures
            if figure.words in (None, language)
        ),
        f"## {findings}",
        _bullets([_escape(finding) for finding in cover.findings[language]]),
        f"## {numbers}",
        _write_table([tuple(map(_escape, row)) for row in _tabulate(cover, language)]),
        f"## {reading}",
        _bullets(READING[language]),
        f"## {files}",
        _bullets([f"[{name}]({name}){_COLON[language]}{what}" for name, what in listed]),
        f"## {again}",
        *_write_again(cover, language),
        f"## {texts}",
        _bullets(list(_write_texts(cover, language))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _escape(text: str) -> str:
    """Keep a text from being read as Markdown or HTML."""
    for sign in ("\\", "|", "`", "*", "_", "[", "]", "<"):
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _write_table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *rest])


def _list(names: Sequence[str], language: Language) -> str:
    if language == "zh":
        return "、".join(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _name_models(cover: Cover, language: Language, wanted: Callable[[Run], bool]) -> str:
    """Name the models of the runs that are wanted; nothing where there is none."""
    names = [_escape(told.run.model.name) for told in cover.runs if wanted(told.run)]
    return _list(list(dict.fromkeys(names)), language) if names else ""


def _write_title(cover: Cover, language: Language) -> str:
    models = _name_models(cover, language, lambda _: True)
    return f"大海捞针：{models}" if language == "zh" else f"Needle in a haystack: {models}"


def _write_opening(cover: Cover, language: Language) -> str:
    runs = [told.run for told in cover.runs]
    lengths = sorted({length for run in runs for length in run.grid.lengths})
    depths = sorted({depth for run in runs for depth in run.grid.depths})
    spoken = dict.fromkeys(each for run in runs for each in run.languages)
    languages = _list([LANGUAGE_NAMES[language][each] for each in spoken], language)
    models = _name_models(cover, language, lambda _: True)
    span = f"{format_length(lengths[0])}-{format_length(lengths[-1])}"
    deep = f"{depths[0]:g}-{depths[-1]:g}%"
    if language == "zh":
        return (
            f"{models} 能不能从长长的{languages}文本里找出一句话？把一句话（“针”）按不同深度插进"
            f"不同长度的文本（“草堆”），就它提问，给每条回答打分。"
            f"长度 {len(lengths)} 种（{span}），深度 {len(depths)} 种（{deep}）。"
            f"由 needle {cover.version} 整理。"
        )
    return (
        f"Can {models} find a sentence in a long text ({languages})? A sentence, the needle, was "
        f"put at different depths into texts of different lengths, the haystack; the question "
        f"about it was asked, and each reply scored: {len(lengths)} lengths ({span}), "
        f"{len(depths)} depths ({deep}). Put together by needle {cover.version}."
    )


def _warn(cover: Cover, language: Language) -> Iterator[str]:
    """Say of simulated and of imported results that they are so."""
    acted = {each.statistics.model for each in cover.standings if each.simulated}
    simulated = _name_models(cover, language, lambda run: run.model.name in acted)
    imported = _name_models(cover, language, lambda run: run.imported is not None)
    if simulated:
        yield (
            f"**{simulated} 是 needle 自带的模拟模型：有关的图只供试用，说明不了任何真实的模型。**"
            if language == "zh"
            else f"**Simulated: needle itself serves {simulated}. What is shown of it tries out "
            f"the tool and says nothing of any real model.**"
        )
    if imported:
        yield (
            f"{imported} 的结果是别人得出的，由文件导入：文件没有说的，这里也不知道。"
            if language == "zh"
            else f"The results of {imported} were made by others and are imported from their "
            f"files: what these do not say is not known here either."
        )


def _tabulate(cover: Cover, language: Language) -> list[tuple[str, ...]]:
    return tabulate(cover.standings, language, cover.names)


def _write_figure(figure: Shown, language: Language) -> str:
    title = _escape(figure.title[language])
    links = [f"[{kind.upper()}]({figure.stem}.{kind})" for kind in figure.kinds]
    told = f"（{'、'.join(links)}）" if language == "zh" else f" ({', '.join(links)})"
    return f"![{title}]({figure.stem}.{figure.kinds[0]})\n\n{title}{told}"


def _write_again(cover: Cover, language: Language) -> Iterator[str]:
    opening, leaving = AGAIN[language]
    commands = "\n".join(told.command for told in cover.runs)
    gaps = dict.fromkeys(describe_gap(gap, language) for told in cover.runs for gap in told.gaps)
    yield opening.format(version=cover.version)
    yield f"```sh\n{commands}\n```"
    if gaps:
        yield leaving
        yield _bullets([_escape(gap) for gap in gaps])


def _write_texts(cover: Cover, language: Language) -> Iterator[str]:
    quotes, unchecked, licence = TEXTS[language]
    colon = _COLON[language]
    for text in cover.haystacks:
        spoken = LANGUAGE_NAMES[language][text.language]
        where = f"[{ORIGIN[language]}]({text.file})" if text.file else OWN_TEXT[language]
        named = f"{_escape(text.name)} ({spoken}, sha256 {text.sha256 or '-'})"
        yield f"{HAYSTACK[language]} {named}{colon}{where}"
    for name, source in cover.needles:
        where = _escape(source) if source else OWN_NEEDLE[language]
        yield f"{NEEDLE[language]} {_escape(name)}{colon}{where}"
    yield quotes.format(longest=LONGEST)
    if not cover.checked:
        yield unchecked.format(unchecked=MOST_UNCHECKED)
    yield licence
