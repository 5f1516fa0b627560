"""Fetching haystacks that can't be shipped: pinned, checked, cleaned, and whole or not at all.

Each has a file in configs/haystacks/ that says where it comes from and what its bytes are.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from needle.contexts.cleaning import clean_essay, clean_novel
from needle.edges.corpus import cache_folder, read_folder
from needle.edges.files import check_record, read_yaml, shipped
from needle.words.errors import NeedleError, UsageError
from needle.words.tariffs import STRICT
from needle.words.types import Language

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
