"""Every command of both READMEs is run as it stands there, against loopback stand-ins."""

import http.server
import json
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from needle.commands.cli import main

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"
CLAUDE = "litellm/claude-sonnet-4-6"
NOVEL = CORPORA / "zh" / "journey-to-the-west.txt"


def read_commands(readme: str) -> list[str]:
    """Return the lines of a README's ``sh`` blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def without_comment(command: str) -> str:
    """Return a command without what is said of it."""
    return shlex.join(shlex.split(command, comments=True))


class StandIn(http.server.BaseHTTPRequestHandler):
    """A vendor's endpoint and a mirror of the public files in one."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer every chat."""
        body = self.rfile.read(int(self.headers["content-length"]))
        said = '{"score": 1, "reason": "so"}' if b"my-judge" in body else "It is not said."
        message = {"role": "assistant", "content": said}
        self._send(
            json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        )

    def do_GET(self) -> None:
        """Serve the novel."""
        self._send(NOVEL.read_bytes())

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the stand-in on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with what a clone of the repository has, for the commands to run in."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / "configs").symlink_to(ROOT / "configs")
    sample = folder / "runs" / "sample"
    sample.mkdir(parents=True)
    for name in ("run.yaml", "outcomes.jsonl", "scores.jsonl"):
        (sample / name).write_bytes((ROOT / "runs" / "sample" / name).read_bytes())
    return folder


def redirect(command: str, address: str) -> list[str]:
    """Point a command at the stand-ins, its patterns at the files, as a shell does."""
    words = shlex.split(command, comments=True)
    if words[:3] == ["needle", "haystacks", "fetch"]:
        words += ["--mirror", address]
    if words[:2] == ["needle", "run"] and {"kimi-k2.6", CLAUDE} & {*words}:
        words += ["--base-url", f"{address}/v1", "--yes"]
    words = [f"{address}/v1" if word == "http://127.0.0.1:8000/v1" else word for word in words]
    return [
        found
        for word in words
        for found in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]


@pytest.mark.parametrize("readme", ["README.md", "README.zh.md"])
def test_commands_run(
    readme: str,
    place: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each command of the README ends with status 0 when run in its order in a clone."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    for key in ("MOONSHOT_API_KEY", "LITELLM_MASTER_KEY"):
        monkeypatch.setenv(key, "k")
    ran = 0
    told = {without_comment(command) for command in read_commands("README.md")}
    for command in read_commands(readme):
        if readme != "README.md" and without_comment(command) in told:
            ran += 1  # the English page's test runs the very same
            continue
        if command.startswith("export "):
            continue
        if "journey-to-the-west" in command and not NOVEL.exists():
            continue
        monkeypatch.setattr(sys, "argv", redirect(command, address))
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, f"{command}\n{capsys.readouterr().err}"
        ran += 1
    assert ran >= 10


def test_both_readmes_have_the_same_commands() -> None:
    """The English and the Chinese README name the same subcommands in the same order."""
    english, chinese = (
        [shlex.split(line, comments=True)[:2] for line in read_commands(name)]
        for name in ("README.md", "README.zh.md")
    )
    assert english == chinese


def test_make_targets_exist() -> None:
    """The make commands of the README are targets of the Makefile, and CI calls the tests."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for readme in ("README.md", "README.zh.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        for target in re.findall(r"^make ([\w-]+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert ci[-2:] == ["make test", "make test-real"]


def test_links_lead_somewhere() -> None:
    """Every relative link of both READMEs and the docs is a file of the repository."""
    for page in (ROOT / "README.md", ROOT / "README.zh.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
