"""A real headless Chromium, without a network, and what it notices while a page is open."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--no-first-run", "--disable-sync"),
)
_WAIT_MS = 30_000  # for a page to be drawn, on a machine that does other work too
DRAWN = "html[data-drawn]"


@dataclass
class Opened:
    """A page as opened, and what was noticed of it.

    ``asked`` are the addresses asked for, ``refused`` those refused with why, ``complaints`` are
    errors, alerts and breaches of its policy.
    """

    page: Any
    session: Any
    asked: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def drawn_ms(self) -> int:
        """Return how many milliseconds after its opening the page had drawn itself."""
        return int(self.page.evaluate("document.documentElement.dataset.drawn"))

    def work_ms(self) -> int:
        """Return how many milliseconds of its processor's time the page has taken so far."""
        told = self.session.send("Performance.getMetrics")["metrics"]
        return int(1_000 * next(x["value"] for x in told if x["name"] == "TaskDuration"))

    def text(self, selector: str) -> str:
        """Return the text of the first element of a kind."""
        return str(self.page.locator(selector).first.text_content())

    def says(self, selector: str, words: str) -> None:
        """Wait until the first element of a kind has these words: a page answers in its time."""
        expect(self.page.locator(selector).first).to_contain_text(words)


@dataclass(frozen=True)
class Browser:
    """Chromium, as started for tests."""

    chromium: Any

    @contextmanager
    def opening(self, path: Path, **look: Any) -> Iterator[Opened]:
        """Open a file and wait until it is drawn.

        ``look`` is the browser's: viewport, locale, color_scheme.
        """
        wanted = {"viewport": {"width": 1_360, "height": 900}, "locale": "en-US", **look}
        context = self.chromium.new_context(offline=True, service_workers="block", **wanted)
        page = context.new_page()
        opened = Opened(page, context.new_cdp_session(page))
        opened.session.send("Performance.enable", {"timeDomain": "threadTicks"})
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.on(
            "requestfailed",
            lambda request: opened.refused.update({request.url: str(request.failure)}),
        )
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("dialog", lambda dialog: opened.complaints.append(dialog.message))
        opened.page.on(
            "console",
            lambda said: opened.complaints.append(said.text) if said.type == "error" else None,
        )
        try:
            opened.page.goto(path.resolve().as_uri())
            opened.page.wait_for_selector(DRAWN, state="attached", timeout=_WAIT_MS)
            yield opened
        finally:
            context.close()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start Debian's Chromium; end it on leaving."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "no chromium: tests/real/install_packages.sh installs it"
    expect.set_options(timeout=_WAIT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
