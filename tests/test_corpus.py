"""Haystacks on disk: any folder of text, read alike everywhere."""

from pathlib import Path

import pytest

from needle.edges.corpus import digest_files, find_haystacks, list_haystacks, read_folder
from needle.words.errors import UsageError


def fill(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files into a folder and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path: Path) -> None:
    """Text files are read sorted by path, with those of folders in it, and nothing else is."""
    fill(
        tmp_path,
        {
            "b.md": "Second.",
            "a.txt": "\ufeffFirst.\r\nLine.\n",
            "c/d.TXT": "Third.",
            "SOURCE.md": "Not text.",
            ".hidden/x.txt": "No.",
            "e.pdf": b"%PDF",
            "empty.txt": "  \n",
        },
    )
    haystack = read_folder(tmp_path, "h", "en")
    assert haystack.files == (
        ("a.txt", "First.\nLine."),
        ("b.md", "Second."),
        ("c/d.TXT", "Third."),
    )
    assert haystack.sha256 == digest_files(haystack.files)


def test_the_digest_tells_texts_and_their_parting() -> None:
    """Other texts, another order or another parting into files is another digest."""
    digests = {
        digest_files(files)
        for files in (
            (("a", "x"), ("b", "y")),
            (("a", "y"), ("b", "x")),
            (("a", "xy"),),
            (("a", "x"), ("b", "z")),
        )
    }
    assert len(digests) == 4
    assert digest_files((("a", "x"),)) == digest_files((("renamed", "x"),))


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({}, "is empty"),
        ({"a.txt": "  \n "}, "is empty"),
        ({"a.pdf": "text"}, "is empty"),
        ({"a.txt": b"\xffabc"}, "not UTF-8 text: byte 0xff at 0"),
        ({"a.txt": b"a\0b"}, "binary file"),
    ],
)
def test_what_is_no_text_is_refused(
    tmp_path: Path, files: dict[str, str | bytes], part: str
) -> None:
    """A folder without text, or with a file that is not text, is refused by name."""
    fill(tmp_path, files)
    with pytest.raises(UsageError) as fault:
        find_haystacks((str(tmp_path),))
    assert part in str(fault.value)
    assert str(tmp_path) in str(fault.value)
    assert "--haystack" in str(fault.value)


def test_a_folder_is_in_the_language_of_its_text(tmp_path: Path) -> None:
    """A folder's language is told by its letters; en/ and zh/ in it are taken at their word."""
    english = fill(tmp_path / "e", {"a.txt": "Plain English text, with one 字 in it."})
    chinese = fill(tmp_path / "c", {"a.txt": "中文文本，里面夹着 English 几个 words。"})
    both = fill(tmp_path / "b", {"en/a.txt": "English.", "zh/a.txt": "中文。"})
    assert list(find_haystacks((str(english),))) == ["en"]
    assert list(find_haystacks((str(chinese),))) == ["zh"]
    assert sorted(find_haystacks((str(both),))) == ["en", "zh"]
    assert sorted(find_haystacks((str(english), str(chinese)))) == ["en", "zh"]
    with pytest.raises(UsageError, match="two haystacks in en"):
        find_haystacks((str(english), str(both)))


def test_an_unknown_haystack_is_told_what_there_is() -> None:
    """A name that is no haystack is answered with those at hand."""
    assert ("essays", "zh") in [(name, language) for name, language, _ in list_haystacks()]
    with pytest.raises(UsageError, match=r"'esays'.*essays"):
        find_haystacks(("esays",))
