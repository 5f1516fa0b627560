"""The report page in a real browser: drawn, pointed at, clicked, walked by keys, on paper."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from folders import SAMPLE, Made, make_folder
from playwright.sync_api import expect
from real.browser import Browser, Opened

from needle.contexts.grid import format_length
from needle.edges.store import load_run
from needle.runs.report import gather, make_page
from needle.statistics.adapting import find_core
from needle.words.types import Grid, Language

TWO_SECONDS = 2_000
PHONE = {"viewport": {"width": 390, "height": 844}}
CELL = "length 64k, depth 50%"


def write_page(folder: Path, *runs: Made, labels: Language | None = None) -> Path:
    page = folder / "report.html"
    page.write_bytes(make_page(gather([make_folder(folder, made) for made in runs]), labels))
    return page


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a page of two runs with three replicates; one is simulated, and has failures."""
    first = Made(model="moonshot-v1-128k", replicates=3)
    failing = ((8_000, 0.0), (8_000, 100.0))
    second = Made(model="sim/window", replicates=3, simulated=True, failing=failing)
    return write_page(tmp_path_factory.mktemp("small"), first, second)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lengths = [1_000 + round(number * 199_000 / 34) for number in range(35)]
    depths = [round(number * 100 / 34, 3) for number in range(35)]
    runs = [Made(model=f"model-{name}", lengths=lengths, depths=depths) for name in "abc"]
    return write_page(tmp_path_factory.mktemp("large"), *runs)


def stage(opened: Opened, number: int = 0) -> Any:
    return opened.page.locator(".stage").nth(number)


def place_of(opened: Opened, column: int, row: int, number: int = 0) -> tuple[float, float]:
    """Return the middle of a cell of a 3 x 3 heatmap, in the window."""
    where = stage(opened, number)
    where.scroll_into_view_if_needed()
    box = where.bounding_box()
    return (
        box["x"] + box["width"] * (column + 0.5) / 3,
        box["y"] + box["height"] * (row + 0.5) / 3,
    )


def test_it_is_drawn_in_time(
    browser: Browser, large: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three runs of 35 x 35 cells in two languages are drawn with less than two seconds' work.

    The time by the clock is printed beside it: other work on the machine may double that.
    """
    times, works = [], []
    for _ in range(3):
        with browser.opening(large) as opened:
            works.append(opened.work_ms())
            times.append(opened.drawn_ms())
            assert opened.page.locator(".panel .heatmaplayer image").count() == 6
            assert opened.complaints == []
    size = large.stat().st_size
    with capsys.disabled():
        sys.stdout.write(f"\ndrawn in {times} ms with {works} ms of work; {size:,} bytes\n")
    assert min(works) < TWO_SECONDS


def test_nothing_else_is_asked_for(browser: Browser, small: Path) -> None:
    """Opened and used, the page asks for no address but its own file's."""
    with browser.opening(small) as opened:
        opened.page.mouse.click(*place_of(opened, 2, 1))
        opened.page.keyboard.press("Escape")
        opened.page.locator("#to-language").click()
        opened.page.locator("#to-theme").click()
        opened.page.wait_for_timeout(300)
        asked = [address for address in opened.asked if not address.startswith("data:")]
        assert asked == [small.resolve().as_uri()]
        assert opened.complaints == []


def test_pointing_tells_a_cell(browser: Browser, small: Path) -> None:
    """Pointing at a cell shows its score, interval, length, depth and tokens; leaving hides it."""
    with browser.opening(small) as opened:
        opened.page.mouse.move(*place_of(opened, 2, 1))
        for words in ("0%", "95% interval", "missed 3", "64,000", "50%", "63,997", "64,008"):
            opened.says("#tip", words)
        opened.says("#tip", "32,000")  # from the cache
        opened.page.mouse.move(2, 2)
        expect(opened.page.locator("#tip")).to_be_hidden()


def choose(length: int, depth: float, replicate: int) -> bool:
    """Say whether a trial is the core's, or at the longest length, of which all was asked."""
    run = load_run(SAMPLE)
    grid = Grid("default", (1_000, 8_000, 64_000), (0.0, 50.0, 100.0))
    core = find_core(replace(run, grid=grid, replicates=2, same_place=()), "single", "en")
    return length == 64_000 or (replicate, length, depth) in core


@pytest.mark.parametrize(
    ("labels", "words"), [("en", "not asked (adaptive)"), ("zh", "自适应未问")]
)
def test_what_an_adaptive_run_left_is_told(
    labels: Language, words: str, browser: Browser, tmp_path: Path
) -> None:
    """A square that was not chosen is so called in the tip, the table and the filter."""
    left = next(
        (row, depth)
        for row, depth in enumerate((0.0, 50.0, 100.0))
        if not any(choose(1_000, depth, replicate) for replicate in range(2))
    )
    made = Made(replicates=2, asked=choose, more={"adaptive": True})
    with browser.opening(write_page(tmp_path, made, labels=labels)) as opened:
        opened.page.mouse.move(*place_of(opened, 0, left[0]))
        opened.says("#tip", words)
        expect(opened.page.locator("#tip")).not_to_contain_text(
            "not run" if labels == "en" else "未运行"
        )
        opened.says("#filter-form", words)
        opened.page.mouse.click(*place_of(opened, 0, left[0]))
        opened.says("#dialog", words)
        opened.page.keyboard.press("Escape")
        opened.page.locator(".as-table summary").first.click()
        opened.says("table.cells", words)


def test_a_click_opens_the_trials(browser: Browser, small: Path) -> None:
    """A click opens a cell's replicates; each shows answer, verdict, reason and figures."""
    with browser.opening(small) as opened:
        opened.page.mouse.click(*place_of(opened, 2, 1))
        opened.says("#dialog", CELL)
        dialog = opened.page.locator("#dialog")
        expect(dialog.locator(".choices button")).to_have_count(3)
        dialog.locator(".choices button").nth(1).click()
        expect(dialog.locator("pre.answer")).to_have_text(
            "It has an enamel flute in its last carriage (64000, 50.0, 1)."
        )
        for words in ("missed", "by keyword recall", "63,997", "0.768 CNY", "1.50 s"):
            opened.says("#dialog", words)
        opened.says("#dialog mark", "enamel flute")
        opened.page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


def test_failures_are_told(browser: Browser, small: Path) -> None:
    """A failed trial shows its failure's kind, status and words, and that no answer is kept."""
    with browser.opening(small) as opened:
        opened.page.mouse.click(*place_of(opened, 1, 0, number=1))
        for words in ("overloaded", "503", "the engine is overloaded", "No answer is kept"):
            opened.says("#dialog", words)


def test_keys_alone_will_do(browser: Browser, small: Path) -> None:
    """Tab reaches a map, arrows walk its cells aloud, Enter opens one, Esc goes back to it."""
    with browser.opening(small) as opened:
        page = opened.page
        focused = "document.activeElement.className"
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate(focused) == "stage":
                break
        assert page.evaluate(focused) == "stage"
        opened.says("#live", "length 1k, depth 0%")
        for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowRight"):
            page.keyboard.press(key)
        opened.says("#live", CELL)
        opened.says("#live", "missed 3")
        page.keyboard.press("Enter")
        opened.says("#dialog-title", CELL)
        page.keyboard.press("Escape")
        expect(page.locator(".stage:focus")).to_have_count(1)
        page.keyboard.press("Home")
        opened.says("#live", "length 1k, depth 50%")


def test_focus_is_seen(browser: Browser, small: Path) -> None:
    """Whatever the tab key reaches has an outline that can be seen."""
    with browser.opening(small) as opened:
        seen = set()
        for _ in range(60):
            opened.page.keyboard.press("Tab")
            tag, width = opened.page.evaluate(
                "[document.activeElement.tagName, getComputedStyle(document.activeElement)"
                ".outlineWidth]"
            )
            seen.add(tag)
            assert tag == "BODY" or float(width.removesuffix("px")) >= 1, tag
        assert {"BUTTON", "INPUT", "SELECT", "SUMMARY", "DIV", "A"} - seen <= {"SELECT"}


def lists(opened: Opened, trials: int) -> None:
    """Wait until the list of trials holds so many."""
    expect(opened.page.locator(".pager span").first).to_have_text(re.compile(rf" {trials:,}$"))


def test_filters(browser: Browser, small: Path) -> None:
    """Models and languages leave the sheet; a verdict fades other cells and leaves the list."""
    with browser.opening(small) as opened:
        page = opened.page
        panels = page.locator(".panel")
        expect(panels).to_have_count(4)
        every = 2 * 2 * (3 * 3 * 3 + 2)
        lists(opened, every)
        page.get_by_role("checkbox", name="found", exact=True).uncheck()
        lists(opened, every - 2 * 2 * 8 * 3 + 2 * 2 * 3)
        expect(page.locator(".panel .scatterlayer path.js-fill").first).to_be_attached()
        page.get_by_role("checkbox", name="found", exact=True).check()
        lists(opened, every)
        page.get_by_role("checkbox", name="Chinese text").uncheck()
        expect(panels).to_have_count(2)
        page.get_by_role("checkbox", name="sim/window").uncheck()
        expect(panels).to_have_count(1)
        lists(opened, every // 4)
        page.get_by_role("checkbox", name="moonshot-v1-128k").uncheck()
        opened.says("#sheet", "Nothing is chosen")
        assert opened.complaints == []


def test_what_stands_beside_the_figures(browser: Browser, small: Path) -> None:
    """Left-out trials, controls, conclusions, comparison, configuration and simulation are told."""
    with browser.opening(small) as opened:
        assert "Simulated endpoint: sim/window" in opened.text("#badges")
        assert opened.page.locator(".panel .badge.simulated").count() == 2
        findings = opened.text("#findings")
        assert "failed 6" in findings
        assert "recalls" in findings
        assert "0% (0/1)" in opened.text("#controls")
        assert "sim/window − moonshot-v1-128k" in opened.text("#paired")
        opened.page.locator("#setup summary", has_text="Exact configuration").first.click()
        opened.says("#setup", "primary_scorer: keyword")


def test_a_pair_has_a_map_too(browser: Browser, small: Path) -> None:
    """Opened, a pair's difference map is drawn, and pointing at a cell tells its difference."""
    with browser.opening(small) as opened:
        opened.page.get_by_text("Difference map: sim/window").first.click()
        pair = opened.page.locator("#paired .panel").first
        pair.locator(".heatmaplayer image").wait_for()
        assert "simulated endpoint" in str(pair.text_content())
        pair.locator(".stage").hover()
        for words in ("0.0 points", "sim/window − moonshot-v1-128k", "Pairs", "Beyond chance"):
            opened.says("#tip", words)
        assert opened.complaints == []


def test_a_map_is_a_table_too(browser: Browser, small: Path) -> None:
    """A heatmap's table has a row a depth, a column a length, and the scores of the cells."""
    with browser.opening(small) as opened:
        panel = opened.page.locator(".panel").first
        panel.get_by_text("As a table").click()
        rows = panel.locator(".cells tr")
        expect(rows).to_have_count(4)
        assert [row.split("\t") for row in rows.all_inner_texts()] == [
            ["Depth \\ length", "1k", "8k", "64k"],
            ["0%", "100%", "100%", "100%"],
            ["50%", "100%", "100%", "0%"],
            ["100%", "100%", "100%", "100%"],
        ]


def test_two_languages(browser: Browser, small: Path, tmp_path: Path) -> None:
    """The page opens in the browser's language or the one asked for, and switches to the other."""
    with browser.opening(small, locale="zh-CN") as opened:
        root = opened.page.locator("html")
        assert root.get_attribute("lang") == "zh-CN"
        assert opened.text("#sheet h2") == "热力图"
        opened.page.locator("#to-language").click()
        expect(root).to_have_attribute("lang", "en")
        assert opened.text("#sheet h2") == "Heatmaps"
        assert "Finding one sentence" in opened.page.title()
    asked = write_page(tmp_path, Made(), labels="zh")
    with browser.opening(asked) as opened:
        assert opened.text("#sheet h2") == "热力图"
        assert "长文里找一句话" in opened.page.title()


PAPER = "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3)"
LIGHTNESS = f"{PAPER}.reduce((sum, part) => sum + Number(part) / 3, 0)"  # 0-255


def turns(opened: Opened, wanted: str) -> None:
    """Wait until the page's paper is light, or dark."""
    bound = {"light": "> 240", "dark": "< 40"}[wanted]
    opened.page.wait_for_function(f"() => {LIGHTNESS} {bound}")


def test_light_and_dark(browser: Browser, small: Path) -> None:
    """The page follows the system's light or dark, and the reader's own choice over it."""
    with browser.opening(small) as opened:
        turns(opened, "light")
        opened.page.locator("#to-theme").click()
        turns(opened, "dark")
    with browser.opening(small, color_scheme="dark") as opened:
        turns(opened, "dark")
        opened.page.emulate_media(color_scheme="light")
        turns(opened, "light")


def test_on_paper(browser: Browser, small: Path, tmp_path: Path) -> None:
    """Printed, the page is light, fits its paper's width and has no control left on it."""
    with browser.opening(small, color_scheme="dark") as opened:
        opened.page.emulate_media(media="print")
        turns(opened, "light")
        for hidden in (".tools", "#filters", "#trials", "#keys"):
            assert opened.page.locator(hidden).is_hidden()
        assert opened.page.locator(".panel .plot").first.is_visible()
        widths = "[...document.querySelectorAll('.plot')].map(x => x.offsetWidth)"
        opened.page.wait_for_function(f"() => 2 * Math.max(...{widths}) <= 1010")
        opened.page.emulate_media(media="screen")
        turns(opened, "dark")
        pdf = opened.page.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)
        assert pdf.startswith(b"%PDF")
        assert opened.complaints == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_on_a_phone(browser: Browser, large: Path, small: Path, locale: str) -> None:
    """At 390 pixels maps stand in one column, and nothing sticks out, of a table either."""
    for path in (small, large):
        with browser.opening(path, locale=locale, **PHONE) as opened:
            wide = "document.documentElement.scrollWidth"
            assert opened.page.evaluate(wide) <= 390
            lefts = opened.page.locator(".panel").evaluate_all(
                "all => all.map(x => x.getBoundingClientRect().left)"
            )
            assert len(set(lefts)) == 1
            cut = "all => all.filter(x => x.scrollWidth > x.clientWidth).map(x => x.innerText)"
            assert opened.page.locator(".scroll:has(.cards)").evaluate_all(cut) == []
            opened.page.evaluate("document.querySelectorAll('details').forEach(x => x.open = true)")
            expect(opened.page.locator("details[open] > summary:only-child")).to_have_count(0)
            assert opened.page.evaluate(wide) <= 390
            assert opened.complaints == []


def test_low_maps_have_room_for_their_words(browser: Browser, tmp_path: Path) -> None:
    """Where four maps of three depths stand in a row, the name of the depths is not cut off."""
    made = [Made(model=f"model-{name}") for name in "abcd"]
    with browser.opening(write_page(tmp_path, *made), locale="en-US") as opened:
        opened.page.set_viewport_size({"width": 1300, "height": 900})
        tops = (
            "all => all.map(x => x.getBoundingClientRect().top"
            " - x.closest('svg').getBoundingClientRect().top)"
        )
        found = opened.page.locator(".panel .ytitle").evaluate_all(tops)
        assert len(found) == 8
        assert min(found) >= 0


def test_lengths_are_written_as_in_figures(browser: Browser, tmp_path: Path) -> None:
    """The page writes a length as figures and sentences do, so that no two look alike."""
    lengths = [250, 1_000, 1_510, 1_540, 9_170, 64_286, 127_700, 1_048_576, 2_000_000]
    with browser.opening(write_page(tmp_path, Made(lengths=lengths))) as opened:
        panel = opened.page.locator(".panel").first
        panel.get_by_text("As a table").click()
        heads = panel.locator(".cells thead th").all_inner_texts()
        assert heads[1:] == [format_length(length) for length in lengths]


def test_colours_can_be_changed(browser: Browser, small: Path) -> None:
    """The scale of the heatmaps is that of the chosen palette."""
    with browser.opening(small) as opened:
        shown = ".bar i"
        before = opened.page.locator(shown).get_attribute("style")
        opened.page.locator("#palette").select_option("safe")
        assert opened.page.locator(shown).get_attribute("style") != before


@pytest.mark.parametrize("missed", [1, 3, 5, 7])
def test_a_tie_is_rounded_as_elsewhere(browser: Browser, tmp_path: Path, missed: int) -> None:
    """The page rounds a share that is a tie, such as 13 in 16, as all other texts do."""
    lengths = [1_000 * (number + 1) for number in range(16)]
    lost = set(lengths[-missed:])
    made = Made(
        languages=("en",),
        lengths=lengths,
        depths=(0.0,),
        verdict=lambda length, *_: "missed" if length in lost else "found",
    )
    with browser.opening(write_page(tmp_path, made)) as opened:
        opened.says(".panel", f"recall {1 - missed / 16:.1%}")
