"""Haystacks on disk: shipped, fetched into the user's cache, or any folder of text."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import platformdirs

from needle.edges.files import read_text, shipped
from needle.words.errors import UsageError
from needle.words.types import LANGUAGES, Haystack, Language

DEFAULT = "essays"
_ENDINGS = (".txt", ".md")
_ABOUT = ("source.md", "license.md", "licence.md")
_HAN = re.compile("[\u4e00-\u9fff]")
_LETTER = re.compile("[^\\W\\d_]")
_SAMPLE = 20_000  # characters that tell a text's language


def cache_folder() -> Path:
    """Return the folder that fetched haystacks are kept in."""
    return Path(platformdirs.user_cache_dir("needle")) / "haystacks"


def list_haystacks() -> list[tuple[str, Language, Path]]:
    """Return every haystack at hand by name: (name, language, folder)."""
    return [
        (folder.name, language, part)
        for root in (shipped("haystacks"), cache_folder())
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")  # hidden: still being fetched
        for language in LANGUAGES
        if (part := folder / language).is_dir()
    ]


def find_haystacks(wanted: tuple[str, ...]) -> dict[Language, Haystack]:
    """Load the haystacks of a name or folder each, by language.

    A folder with en/ or zh/ in it holds those languages; any other folder holds the one
    that its text is in. Raises UsageError where there is no such haystack or no text.
    """
    found: dict[Language, Haystack] = {}
    for name in wanted:
        for language, haystack in _load(name).items():
            if language in found:
                raise UsageError(
                    f"two haystacks in {language}: {found[language].name!r} and "
                    f"{haystack.name!r} (--haystack): give one for each language"
                )
            found[language] = haystack
    return found


def _load(name: str) -> dict[Language, Haystack]:
    by_name = {language: path for known, language, path in list_haystacks() if known == name}
    if by_name:
        return {language: read_folder(path, name, language) for language, path in by_name.items()}
    folder = Path(name)
    if not folder.is_dir():
        names = sorted({known for known, _, _ in list_haystacks()})
        raise UsageError(
            f"no haystack {name!r} (--haystack): give one of {', '.join(names)}, one that "
            f"needle haystacks fetch brings, or a folder of .txt or .md files"
        )
    folder = folder.resolve()
    parts = {language: folder / language for language in LANGUAGES if (folder / language).is_dir()}
    if not parts:
        haystack = read_folder(folder, folder.name, "en", source=str(folder))
        language = tell_language(haystack)
        return {language: replace(haystack, language=language)}
    return {
        language: read_folder(path, folder.name, language, source=str(folder))
        for language, path in parts.items()
    }


def read_folder(folder: Path, name: str, language: Language, source: str | None = None) -> Haystack:
    """Read a folder's .txt and .md files, sorted by their paths, and those of folders in it.

    ``source`` is what finds the haystack again: its name, or the folder that the user gave.
    Raises UsageError if a file is not text or there is no text at all.
    """
    paths = sorted(
        (
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in _ENDINGS
            and path.name.lower() not in _ABOUT
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)
            and path.is_file()
        ),
        key=lambda path: path.relative_to(folder).as_posix(),
    )
    texts = [
        (path.relative_to(folder).as_posix(), read_text(path, "--haystack").strip())
        for path in paths
    ]
    files = tuple((path, text) for path, text in texts if text)
    if not files:
        raise UsageError(
            f"the haystack {folder} is empty (--haystack): "
            f"it needs at least one .txt or .md file with text in it"
        )
    return Haystack(name, language, files, digest_files(files), source or name)


def digest_files(files: tuple[tuple[str, str], ...]) -> str:
    """Return the sha256 of the texts in their order, each with its length before it."""
    digest = hashlib.sha256()
    for _, text in files:
        data = text.encode()
        digest.update(f"{len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


def tell_language(haystack: Haystack) -> Language:
    """Tell a text's language by its letters: Chinese where three in ten are Han."""
    sample = "".join(text[:_SAMPLE] for _, text in haystack.files)[: 10 * _SAMPLE]
    han, letters = len(_HAN.findall(sample)), len(_LETTER.findall(sample))
    return "zh" if han > 0.3 * letters else "en"
