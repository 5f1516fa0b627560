"""Answers that try to be more than text, in a real browser: none of them gets anywhere."""

from pathlib import Path

import pytest
from folders import Made, make_folder
from real.browser import Browser, Opened

from needle.runs.report import gather, make_page

RUN = "window.reached = true; alert(1)"
ATTACKS = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</pre></dialog><img src=x onerror='{RUN}'>",
    f"<svg onload='{RUN}'><a href='javascript:{RUN}'>here</a></svg>",
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f"[a](javascript:{RUN}) {{{{title}}}} ${{{RUN}}}",
    "<!--<script>",
    "\u202edesrever \u2066 \u0000 \u001b[31m \ufeff \u2028",
    "<b>bold</b><br><a href='https://a.test/'>a</a><style>*{display:none}</style>",
    "x" * 100_000,
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a page in which everything a vendor or a user names is an attack."""
    folder = tmp_path_factory.mktemp("hostile")
    made = Made(
        model=f"<img src=x onerror='{RUN}'>",
        lengths=range(1_000, 1_000 * (len(ATTACKS) + 1), 1_000),
        depths=(0.0, 100.0),
        answer=lambda length, *_: ATTACKS[length // 1_000 - 1],
        failing=((1_000, 100.0),),
        message=f"<script>{RUN}</script>",
        explanation=f"<img src=x onerror='{RUN}'>",
        reasoning=f"<svg onload='{RUN}'>",
    )
    path = folder / "report.html"
    path.write_bytes(make_page(gather([make_folder(folder, made)])))
    return path


def assert_unharmed(opened: Opened) -> None:
    """Hold that no script ran, nothing complained, and no element came out of a text."""
    assert opened.complaints == []
    assert opened.page.evaluate("typeof window.reached") == "undefined"
    strays = opened.page.evaluate(
        "document.querySelectorAll('img, iframe, [onload], [onerror], a[href^=javascript], "
        "main a, main style, dialog a').length"
    )
    assert strays == 0


def test_no_answer_runs(browser: Browser, page: Path) -> None:
    """Each hostile answer is shown, character for character, as the text that it is."""
    with browser.opening(page) as opened:
        assert_unharmed(opened)
        stage = opened.page.locator(".stage").first
        stage.focus()
        for number, attack in enumerate(ATTACKS):
            opened.page.keyboard.press("Home")
            for _ in range(number):
                opened.page.keyboard.press("ArrowRight")
            opened.page.keyboard.press("Enter")
            shown = opened.page.locator("#dialog pre.answer").first.evaluate("x => x.textContent")
            assert shown == attack
            opened.page.locator("#dialog summary").click()
            assert_unharmed(opened)
            opened.page.keyboard.press("Escape")


def test_no_name_or_message_runs(browser: Browser, page: Path) -> None:
    """A model's name, a failure's message and a scorer's words are shown as text everywhere."""
    with browser.opening(page) as opened:
        name = f"<img src=x onerror='{RUN}'>"
        assert opened.text(".panel h3") == name
        assert name in opened.page.title()
        opened.page.mouse.move(10, 10)
        stage = opened.page.locator(".stage").first
        stage.hover()
        opened.says("#tip", name)
        chart = opened.page.locator(".chart").first
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        for step in range(40):
            opened.page.mouse.move(box["x"] + 50 + step * (box["width"] - 60) / 40, box["y"] + 22)
        opened.page.locator("#trials .link").nth(1).click()
        opened.says("#dialog", f"<script>{RUN}</script>")
        opened.page.keyboard.press("Escape")
        opened.page.locator("#to-language").click()
        opened.page.evaluate("document.querySelectorAll('details').forEach(x => x.open = true)")
        assert_unharmed(opened)


def test_the_policy_holds_by_itself(browser: Browser, page: Path) -> None:
    """Even markup that got into the page could run no script and load nothing."""
    with browser.opening(page) as opened:
        opened.page.evaluate(
            """() => {
              const box = document.createElement('div');
              box.innerHTML = '<img src="https://a.test/x" onerror="window.reached = true">' +
                '<a href="javascript:window.reached = true">a</a>';
              document.body.append(box);
              const script = document.createElement('script');
              script.textContent = 'window.reached = true';
              document.body.append(script);
              box.querySelector('a').click();
            }"""
        )
        opened.page.wait_for_timeout(300)
        assert opened.page.evaluate("typeof window.reached") == "undefined"
        assert opened.refused == {"https://a.test/x": "csp"}
        assert any("Content Security Policy" in said for said in opened.complaints)
