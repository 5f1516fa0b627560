"""Fetching haystacks that can't be shipped: pinned, checked, cleaned, and whole or not at all.

Each has a file in configs/haystacks/ that says where it comes from and what its bytes are.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from needle.corpus import cache_folder, read_folder
from needle.errors import NeedleError, UsageError
from needle.files import check_record, read_yaml, shipped
from needle.types import STRICT, Language

if TYPE_CHECKING:
    import httpx2
    from tenacity import RetryCallState

HOST = "https://raw.githubusercontent.com"
"""What a mirror stands in for, at the beginning of every address."""

ATTEMPTS = 4
_TIMEOUT_S = 30.0
_LONGEST_WAIT = 10.0  # seconds between attempts; they begin with one second
_PASSING = (408, 425, 429)  # and every 5xx
_SOURCE = "SOURCE.md"

Report = Callable[[str], None]
Sleep = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a haystack comes from: a base address, and its files with their bytes' sha256."""

    name: str
    language: Language
    title: str
    source: str
    licence: str
    base: str
    files: dict[str, str]

    __pydantic_config__ = STRICT


def list_fetchable() -> list[str]:
    """Return the names of the haystacks that can be fetched."""
    return sorted(path.stem for path in shipped("configs", "haystacks").glob("*.yaml"))


def read_origin(name: str) -> Origin:
    """Read where a haystack comes from; raise UsageError if it is not one that can be fetched."""
    if name not in list_fetchable():
        raise UsageError(
            f"no haystack {name!r} can be fetched (needle haystacks fetch): "
            f"use {', '.join(list_fetchable())}"
        )
    path = shipped("configs", "haystacks", f"{name}.yaml")
    return check_record(Origin, read_yaml(path, "needle haystacks fetch"), str(path))


def fetch_haystack(
    name: str,
    mirror: str | None = None,
    into: Path | None = None,
    report: Report = print,
    sleep: Sleep = time.sleep,
) -> Path:
    """Download, check and clean a haystack, and return its folder.

    It appears whole or not at all: in ``into``, or else in the user's cache, where
    ``--haystack`` finds it by name. One that is there already is left as it is.
    ``mirror`` is an address that stands in for ``HOST``. ``report`` gets lines to show.

    Raises UsageError for what the user can set right, NeedleError where the network or
    what it brought is at fault.
    """
    origin = read_origin(name)
    base = _place_base(origin, mirror)
    root = into or cache_folder()
    folder = root / name
    if _is_there(folder):
        report(f"{name} is already in {folder}: nothing to download")
        return folder
    with _writing(root), _owning(root, name):
        if _is_there(folder):  # another process has just brought it
            report(f"{name} is already in {folder}: nothing to download")
            return folder
        with _making(folder) as part:
            report(f"{name}: {len(origin.files)} file(s) from {base}")
            _bring(origin, base, part, report, sleep)
    report(f"{name} is in {folder}")
    return folder


def _place_base(origin: Origin, mirror: str | None) -> str:
    if mirror is None:
        return origin.base
    if urlsplit(mirror).scheme not in ("http", "https") or not urlsplit(mirror).netloc:
        raise UsageError(
            f"mirror must be an address that begins with http:// or https://, "
            f"got {mirror!r} (--mirror): it stands in for {HOST}"
        )
    return mirror.rstrip("/") + origin.base.removeprefix(HOST)


def _is_there(folder: Path) -> bool:
    if (folder / _SOURCE).is_file():
        return True
    if folder.exists():
        raise UsageError(
            f"{folder} is in the way: it is no fetched haystack (it has no {_SOURCE}): "
            f"move it away or remove it"
        )
    return False


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Turn faults of the disk within into one line."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(
            f"can't write {error.filename or root}: {error.strerror or error}: make room "
            f"there or let it be written, or choose another cache with XDG_CACHE_HOME"
        ) from error


@contextmanager
def _owning(root: Path, name: str) -> Iterator[None]:
    """Be the only process that fetches this haystack, so that what another left can go."""
    from filelock import FileLock, Timeout

    lock = FileLock(root / f".{name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise UsageError(f"another process is fetching {name} into {root}: wait for it") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _making(folder: Path) -> Iterator[Path]:
    """Give a hidden folder that becomes ``folder`` at the end, or is removed."""
    part = folder.with_name(f".{folder.name}.part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir()
    try:
        yield part
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _bring(origin: Origin, base: str, part: Path, report: Report, sleep: Sleep) -> None:
    """Fill a folder with an origin's cleaned files and its SOURCE.md."""
    texts = part / origin.language
    texts.mkdir()
    raw = part / ".raw"
    clean = clean_novel if origin.language == "zh" else clean_essay
    with _open_client(base) as client:
        for name, sha256 in origin.files.items():
            _download(client, base + name, raw, report, sleep)
            _check_sum(raw, sha256, base + name, origin.name)
            text = clean(raw.read_bytes().decode("utf-8-sig"))
            (texts / name).write_bytes(text.encode())
    raw.unlink(missing_ok=True)
    digest = read_folder(texts, origin.name, origin.language).sha256
    (part / _SOURCE).write_bytes(_describe(origin, digest).encode())


def _open_client(base: str) -> "httpx2.Client":
    """Open a client; a server on this machine is reached directly, whatever proxy is named."""
    import httpx2

    local = urlsplit(base).hostname in ("127.0.0.1", "localhost", "::1")
    try:
        return httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=True, trust_env=not local)
    except (ImportError, ValueError, OSError) as error:
        raise UsageError(
            f"the environment's proxy or certificates can't be used: {_one_line(error)} "
            f"(HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE): correct or unset them"
        ) from error


def _download(
    client: "httpx2.Client", address: str, path: Path, report: Report, sleep: Sleep
) -> None:
    """Stream an address to a file, again where a fault may pass."""
    import httpx2
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=1, max=_LONGEST_WAIT),
        before_sleep=partial(_say_again, report, address),
        sleep=sleep,
        reraise=True,
    )
    try:
        retrying(_stream, client, address, path)
    except httpx2.HTTPStatusError as error:
        raise NeedleError(
            f"{address} answered {error.response.status_code} {error.response.reason_phrase}: "
            f"try again later, or give another mirror (--mirror)"
        ) from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise NeedleError(
            f"can't reach {address}: {_name_fault(error)}: check the network, "
            f"or give a mirror of {HOST} (--mirror)"
        ) from error


def _stream(client: "httpx2.Client", address: str, path: Path) -> None:
    with client.stream("GET", address) as response:
        response.raise_for_status()
        with path.open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)


def _may_pass(error: BaseException) -> bool:
    import httpx2

    if isinstance(error, httpx2.HTTPStatusError):
        status = error.response.status_code
        return status in _PASSING or status >= 500  # noqa: PLR2004 - the server's faults
    return isinstance(error, httpx2.TransportError)


def _say_again(report: Report, address: str, state: "RetryCallState") -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0
    report(f"{address}: {_name_fault(error)}; trying again in {wait:.0f} s")


def _name_fault(error: BaseException | None) -> str:
    import httpx2

    if isinstance(error, httpx2.HTTPStatusError):
        return f"{error.response.status_code} {error.response.reason_phrase}"
    return f"{type(error).__name__}: {_one_line(error)}" if str(error) else type(error).__name__


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def _check_sum(path: Path, expected: str, address: str, name: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise NeedleError(
            f"{address} is not the text it should be: its sha256 is {found}, expected {expected} "
            f"(configs/haystacks/{name}.yaml): try again, or give another mirror (--mirror)"
        )


def _describe(origin: Origin, digest: str) -> str:
    """Write SOURCE.md. It holds no date: the same text gets the same file."""
    sums = "\n".join(f"- {name}: {sha256}" for name, sha256 in origin.files.items())
    return (
        f"# {origin.title}\n\n"
        f"- from: {origin.source}\n"
        f"- address: {origin.base}\n"
        f"- licence: {origin.licence}\n"
        f"- sha256 of the cleaned text, as runs name it: {digest}\n\n"
        f"Fetched and cleaned by `needle haystacks fetch {origin.name}`. To fetch it again, "
        f"remove this folder first.\n\n"
        f"sha256 of the files as they were downloaded:\n\n{sums}\n"
    )


# Cleaning. Only what is certain is mended; what is lost beyond that stays as it came.

_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff\ufffd]")
# Characters that the files' makers had no code for, told by the words around them; the last
# is seven characters whose bytes were read one off.
_LOST = {
    "玉在\ue7bb中": "玉在椟中",
    "飞觥限\ue7b6": "飞觥限斝",
    "即\ue7ba视": "即瞋视",
    "仙\ue7ac": "仙輀",
    "拿来\ue7ad在": "拿来塞在",
    "菩提萨\ue485": "菩提萨埵",
    "\ue2c7钊硕疾辉\ue25f\ue425*": "诸人都不曾听见",
}
_OPEN_TITLE = re.compile("lt; *lt;")
_CLOSE_TITLE = re.compile("gt; *gt;")
# ' as an entity. It closes a quotation; what opened it has become a full stop, often with
# the break after a paragraph's end behind it.
_QUOTED = (
    re.compile("&#039;([^&\n“”。！？，]{1,8})&#039;"),
    re.compile("。(?:\n+)?([^。！？：“”‘’&\n]{1,12})&#039;"),
    re.compile("。([^。！？：“”‘’&\n]{1,40})&#039;"),
    re.compile("(?<=[：，说道云叫])。([^“”‘’&\n]{1,60})&#039;"),
    re.compile("(?<=：)&#039;([^“”‘’&\n]{1,60})&#039;"),
)  # what is left after a colon opens a whole speech


def clean_novel(text: str) -> str:
    """Clean a Chinese novel: one line a paragraph, no dashes between chapters, signs restored."""
    lines = (line.strip() for line in unify_lines(text).split("\n"))
    text = "\n".join("" if line and not line.strip("-") else line for line in lines)
    text = close_gaps(text)
    for lost, right in _LOST.items():
        text = text.replace(lost, right)
    return _PRIVATE.sub("", mend_signs(text))


def mend_signs(text: str) -> str:
    """Restore what was written as entities: titles' brackets and inner quotation marks."""
    # One title stands within another and closes together with it.
    text = _CLOSE_TITLE.sub("》", text.replace("lt;太极图gt;gt;gt;", "〈太极图〉gt;gt;"))
    text = _OPEN_TITLE.sub("《", text).replace("lt;", "〈").replace("gt;", "〉")
    for quoted in _QUOTED:
        text = quoted.sub(r"‘\1’", text)
    return text.replace("：&#039;", "：“").replace("&#039;", "’")


_CONTROL = re.compile("[\x80-\x9f]")
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = re.compile(rf"^({_MONTH} \d{{4}}(?:, rev\. {_MONTH} \d{{4}})?)(?=[A-Z\"(])", re.MULTILINE)
_RULE = re.compile(r"(?<=\S)(\* \* \*|_{3,})\n?(?=\S)")
_MARK = re.compile(r"(\[\d+\])(?=[A-Z])")  # a note's mark at the end of a paragraph
# A sentence's end with the next one's first letter right behind it. The end follows a word, a
# number or a bracket, not an initial; what comes is no second initial and no Internet name.
_GLUED = re.compile(
    r"(?:(?<=[a-z0-9%)\]\"'])|(?<=[A-Z]{2}))[.?!][.?!\"')\]]*"
    r"(?=[(\[]?(?!(?:Com|Net|NET|Org|Js|JS)\b)[A-Z](?!\.)|(?<!\d\.)\d{1,2}\.? [A-Z]|\[\d+\] [A-Z])"
)
_NAMES = "Mac|Mc|My|Visi|Info|Alta|Web|We|You|Pay|Java|Geo|Farm|Face|Base|Hot|Power|Auto|Ok"
_HEADING = re.compile(
    r"(?:(?<=\n\n)|\A)((?:\d{1,2}\.? )?"
    rf"(?!(?:{_NAMES})[A-Z])[A-Z][\w'-]*?(?:,? (?:a|an|and|for|in|is|not|of|or|than|the|to"
    rf"|(?!(?:{_NAMES})[A-Z])[A-Z][\w'-]*?))*(?<=[a-z])\)?)(?=[\"A-Z])(?!\"[ ,.])"
)


def clean_essay(text: str) -> str:
    """Clean an English essay: its paragraphs apart, its dashes and spaces the usual ones."""
    text = unify_lines(text).replace("\u00a0", " ")
    text = _CONTROL.sub(lambda sign: sign[0].encode("latin-1").decode("cp1252", "ignore"), text)
    return close_gaps(mend_paragraphs(text))


def mend_paragraphs(text: str) -> str:
    """Part paragraphs that were glued together, and a date or a heading from what follows."""
    text = _DATE.sub(r"\1\n\n", text)
    text = _RULE.sub(r"\n\n\1\n\n", text)
    text = _MARK.sub(r"\1\n\n", text)
    parts, last = [], 0
    for match in _GLUED.finditer(text):
        place = match.end()
        start = max(last, text.rfind("\n\n", last, place))
        if match[0].endswith('"') and text.count('"', start, place) % 2:
            place -= 1  # the mark opens the next paragraph's first words
        parts.append(text[last:place])
        last = place
    text = "\n\n".join([*parts, text[last:]])
    text = re.sub(r"^(Notes)(?=\[)", r"\1\n\n", text, flags=re.MULTILINE)
    return _HEADING.sub(r"\1\n\n", text)


def unify_lines(text: str) -> str:
    """End every line with LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def close_gaps(text: str) -> str:
    """Take spaces from the ends of lines, and leave one empty line where there are several."""
    text = re.sub(r"[^\S\n]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
