import errno
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from filelock import FileLock

import needle.edges.corpus
import needle.edges.fetch
from needle.contexts.cleaning import clean_essay, mend_paragraphs
from needle.edges.corpus import digest_files, find_haystacks, list_haystacks
from needle.edges.fetch import (
    ATTEMPTS,
    HOST,
    fetch_haystack,
    list_fetchable,
    read_origin,
)
from needle.words.errors import NeedleError, UsageError

CORPORA = Path(__file__).parents[1].parent / "shared" / "corpora"
REAL = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not at hand")
LOCAL = {
    "Journey_to_the_West.txt": CORPORA / "zh" / "journey-to-the-west.txt",
    "The_Story_of_the_Stone.txt": CORPORA / "zh" / "story-of-the-stone.txt",
}
BASE = f"{HOST}/owner/repo/commit/texts/"


@dataclass
class Mirror:
    """A loopback server: bodies by path, statuses to answer with first, and what was asked."""

    address: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    cut_short: bool = False


def _handler(served: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            body = served.bodies.get(self.path, b"")
            status = 200 if self.path in served.bodies else 404
            if served.statuses:
                status, body = served.statuses.pop(0), b""
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"/moved{self.path}")
            self.send_header("Content-Length", str(len(body) + served.cut_short))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    served = Mirror()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    served.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pair(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """Serve a haystack named pair, of two small files."""
    texts = {"one.txt": b"A first text.\r\n", "two.txt": b"A second text.\n"}
    sums = {name: hashlib.sha256(text).hexdigest() for name, text in texts.items()}
    folder = tmp_path / "data" / "configs" / "haystacks"
    folder.mkdir(parents=True)
    lines = "".join(f"  {name}: {sha256}\n" for name, sha256 in sums.items())
    (folder / "pair.yaml").write_text(
        "name: pair\nlanguage: en\ntitle: Two texts\nsource: a test\nlicence: none\n"
        f"base: {BASE}\nfiles:\n{lines}"
    )
    monkeypatch.setattr(needle.edges.fetch, "shipped", (tmp_path / "data").joinpath)
    place = BASE.removeprefix(HOST)
    mirror.bodies.update({place + name: text for name, text in texts.items()})
    return mirror


@dataclass
class Bench:
    """A cache folder with a fetch into it, the lines it showed and the waits it asked for."""

    cache: Path
    shown: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    sleep: Callable[[float], None] | None = None

    def fetch(self, name: str, mirror: str) -> Path:
        """Fetch into the cache folder, without really sleeping."""
        sleep = self.sleep or self.waits.append
        return fetch_haystack(name, mirror, self.cache, self.shown.append, sleep)

    def left(self) -> list[str]:
        """Return what is in the cache, but for the lock."""
        return sorted(path.name for path in self.cache.glob("*") if path.suffix != ".lock")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "cache")


def test_fetch_brings_cleaned_files_and_their_source(pair: Mirror, bench: Bench) -> None:
    """A fetched haystack holds its cleaned files by language, and says where it is from."""
    folder = bench.fetch("pair", pair.address)
    assert folder == bench.cache / "pair"
    assert (folder / "en" / "one.txt").read_bytes() == b"A first text.\n"
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*")) == [
        "SOURCE.md",
        "en",
        "en/one.txt",
        "en/two.txt",
    ]
    source = (folder / "SOURCE.md").read_text()
    digest = digest_files((("one.txt", "A first text."), ("two.txt", "A second text.")))
    sums = [hashlib.sha256(text).hexdigest() for text in pair.bodies.values()]
    for part in (digest, *sums, BASE, "licence: none", "needle haystacks fetch pair"):
        assert part in source
    assert bench.left() == ["pair"]


def test_fetch_asks_each_file_once_and_nothing_again(pair: Mirror, bench: Bench) -> None:
    """What has been fetched is not downloaded again."""
    bench.fetch("pair", pair.address)
    assert pair.asked == list(pair.bodies)
    bench.fetch("pair", pair.address)
    assert len(pair.asked) == 2
    assert "already" in bench.shown[-1]
    assert str(bench.cache / "pair") in bench.shown[-1]


def test_fetch_tries_again_what_may_pass(pair: Mirror, bench: Bench) -> None:
    """A server's passing faults are waited out and told of."""
    pair.statuses = [503, 429, 500]
    bench.fetch("pair", pair.address)
    assert bench.waits == [1, 2, 4]
    assert sum("trying again" in line for line in bench.shown) == 3
    assert bench.left() == ["pair"]


def test_fetch_follows_redirects(pair: Mirror, bench: Bench) -> None:
    """A mirror may send on to another address."""
    place = next(iter(pair.bodies))
    pair.statuses = [302]
    pair.bodies[f"/moved{place}"] = pair.bodies[place]
    bench.fetch("pair", pair.address)
    assert bench.left() == ["pair"]


@pytest.mark.parametrize(
    ("fault", "asked", "told"),
    [
        ({"statuses": [404]}, 1, ("404", "--mirror")),
        ({"statuses": [503] * ATTEMPTS}, ATTEMPTS, ("503", "--mirror")),
        ({"cut_short": True}, ATTEMPTS, ("RemoteProtocolError", "network")),
        ({"bodies": {BASE.removeprefix(HOST) + "one.txt": b"x"}}, 1, ("sha256", "pair.yaml")),
    ],
)
def test_fetch_leaves_nothing_where_it_fails(
    pair: Mirror, bench: Bench, fault: dict[str, Any], asked: int, told: tuple[str, ...]
) -> None:
    """A failed fetch is one line with the address and a remedy, and leaves no file."""
    for name, value in fault.items():
        setattr(pair, name, value)
    with pytest.raises(NeedleError) as caught:
        bench.fetch("pair", pair.address)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in (*told, f"{pair.address}/owner/repo/commit/texts/one"))
    assert len(pair.asked) == asked
    assert bench.left() == []


def test_fetch_names_an_unreachable_host(pair: Mirror, bench: Bench) -> None:
    """Without a network the message names the address and the mirror option."""
    with pytest.raises(NeedleError, match=r"can't reach http://127\.0\.0\.1:9/.*--mirror"):
        bench.fetch("pair", "http://127.0.0.1:9")
    assert bench.waits == [1, 2, 4]
    assert pair.asked == []
    assert bench.left() == []


def test_fetch_leaves_nothing_when_interrupted(pair: Mirror, bench: Bench) -> None:
    """Ctrl-C between two attempts leaves no half haystack, and the next fetch succeeds."""

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    pair.statuses = [503]
    bench.sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        bench.fetch("pair", pair.address)
    assert bench.left() == []
    bench.fetch("pair", pair.address)
    assert bench.left() == ["pair"]


def test_fetch_removes_what_a_killed_one_left(
    pair: Mirror, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed fetch leaves only a hidden folder, which is no haystack and goes with the next."""
    left = bench.cache / ".pair.part" / "en"
    left.mkdir(parents=True)
    (left / "half.txt").write_text("Half.")
    monkeypatch.setattr(needle.edges.corpus, "cache_folder", lambda: bench.cache)
    assert all(not name.startswith(".") for name, _, _ in list_haystacks())
    folder = bench.fetch("pair", pair.address)
    assert bench.left() == ["pair"]
    assert not (folder / "en" / "half.txt").exists()
    assert ("pair", "en", folder / "en") in list_haystacks()


def test_fetch_is_refused_beside_another(pair: Mirror, bench: Bench) -> None:
    """Two processes do not fetch the same haystack at once."""
    bench.cache.mkdir()
    with (
        FileLock(bench.cache / ".pair.lock"),
        pytest.raises(UsageError, match="another process is fetching pair"),
    ):
        bench.fetch("pair", pair.address)
    assert pair.asked == []


def test_fetch_overwrites_nothing_of_the_user(pair: Mirror, bench: Bench) -> None:
    """A folder of the user's own under the haystack's name stays as it is."""
    (bench.cache / "pair").mkdir(parents=True)
    (bench.cache / "pair" / "mine.txt").write_text("Mine.")
    with pytest.raises(UsageError, match="in the way"):
        bench.fetch("pair", pair.address)
    assert (bench.cache / "pair" / "mine.txt").read_text() == "Mine."
    assert pair.asked == []


def test_fetch_says_that_the_disk_is_full(
    pair: Mirror, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is one line with the place and the remedy, and leaves nothing."""

    def fill(path: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(UsageError, match=r"can't write .*one\.txt: No space left.*make room"):
        bench.fetch("pair", pair.address)
    assert bench.left() == []


def test_fetch_says_that_the_cache_cannot_be_written(pair: Mirror, tmp_path: Path) -> None:
    """A cache that can't be made is one line with its path."""
    (tmp_path / "file").write_text("A file where a folder should be.")
    with pytest.raises(UsageError, match=r"can't write .*file.*XDG_CACHE_HOME"):
        fetch_haystack("pair", pair.address, tmp_path / "file" / "cache", lambda _: None)


@pytest.mark.parametrize("address", ["", "mirror.example", "ftp://mirror.example", "https://"])
def test_fetch_refuses_a_mirror_that_is_no_address(bench: Bench, address: str) -> None:
    """A mirror that is no web address is named before anything is downloaded."""
    with pytest.raises(UsageError, match=re.escape(f"got {address!r} (--mirror)")):
        bench.fetch("paul-graham", address)


@pytest.mark.parametrize("name", ["essays", "../essays", "", "Paul-Graham"])
def test_fetch_names_what_it_can_bring(bench: Bench, name: str) -> None:
    """An unknown name is answered with the known ones."""
    with pytest.raises(UsageError) as caught:
        bench.fetch(name, "http://127.0.0.1:9")
    assert repr(name) in str(caught.value)
    assert "journey-to-the-west, paul-graham, story-of-the-stone" in str(caught.value)


def test_origins_are_pinned() -> None:
    """Every address names a commit, and every file has the sum of its bytes."""
    assert list_fetchable() == ["journey-to-the-west", "paul-graham", "story-of-the-stone"]
    for name in list_fetchable():
        origin = read_origin(name)
        assert origin.name == name
        assert re.fullmatch(re.escape(HOST) + r"/[\w-]+/[\w-]+/[0-9a-f]{40}/.*/", origin.base)
        for file, sha256 in origin.files.items():
            assert re.fullmatch(r"[\w-]+\.txt", file)
            assert re.fullmatch("[0-9a-f]{64}", sha256)


class _Paths:
    """Where the real files stand in the corpora."""

    folder: ClassVar[Path] = CORPORA / "en" / "paul-graham-essays"

    @classmethod
    def find(cls, file: str) -> Path:
        return LOCAL.get(file, cls.folder / file)


@REAL
@pytest.mark.parametrize(
    ("name", "language", "files", "characters"),
    [
        ("paul-graham", "en", 49, 600_000),
        ("journey-to-the-west", "zh", 1, 700_000),
        ("story-of-the-stone", "zh", 1, 850_000),
    ],
)
def test_real_haystacks_load_clean(
    name: str,
    language: Any,
    files: int,
    characters: int,
    mirror: Mirror,
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The real files pass their sums, load by name and hold no remnant of their making."""
    origin = read_origin(name)
    for file in origin.files:
        mirror.bodies[(origin.base + file).removeprefix(HOST)] = _Paths.find(file).read_bytes()
    folder = bench.fetch(name, mirror.address)
    monkeypatch.setattr(needle.edges.corpus, "cache_folder", lambda: bench.cache)
    haystack = find_haystacks((name,))[language]
    text = "\n\n".join(text for _, text in haystack.files)
    assert len(haystack.files) == files
    assert len(text) > characters
    assert haystack.sha256 in (folder / "SOURCE.md").read_text()
    assert not re.search("[\ue000-\uf8ff\ufffd\r\x80-\x9f]|&#|\n{3}|^-+$", text, re.MULTILINE)
    if language == "zh":
        assert not re.search(r"[lg]t;|^[ \u3000]", text, re.MULTILINE)


@REAL
def test_real_essays_keep_every_word() -> None:
    """Cleaning an essay moves no letter: only spaces and the dash of one code page change."""
    mended = 0
    for path in sorted(_Paths.folder.glob("*.txt")):
        raw = path.read_bytes().decode()
        clean = clean_essay(raw)
        kept = raw.replace("\x97", "—").replace("\x92", "’")
        assert "".join(clean.split()) == "".join(kept.split())
        mended += mend_paragraphs(raw).count("\n\n") - raw.count("\n\n")
    assert 1600 < mended < 1700
