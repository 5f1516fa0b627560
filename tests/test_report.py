import base64
import gzip
import hashlib
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from folders import SAMPLE, Made, make_folder
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Elements, outline, read_data

from needle.commands.cli import cli
from needle.edges.corpus import find_haystacks
from needle.edges.store import OUTCOMES, load_run, read_lines, read_scores
from needle.edges.webpage import PAGE, SCRIPTS, STYLES, build_page, pack, read_words, write_json
from needle.runs.report import gather, make_page
from needle.scoring.scorers import mark_exact, mark_keyword
from needle.telling.reportdata import Report, RunShown, write_report
from needle.telling.reporttrials import Room
from needle.words.errors import NeedleError, StoreError, UsageError
from needle.words.types import Failure, Needle, Reply

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "<img src=x onerror=alert(1)>",
    "]]> --> \u2028 \u2029 \x00 \ud800",
    "{{title}} {{data}} ${title} {count} %s \\1 \\u003c",
    '&lt;b&gt; &amp; <b>b</b> <a href="javascript:alert(1)">a</a> \'x\' "y"',
    "\u202egnp.exe",
)
NOISE = [f"{number * 2_654_435_761 % 4_294_967_296:x}" for number in range(5_000)]
TEXTS = st.text() | st.sampled_from(HOSTILE) | st.text(st.characters())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    failing = ((8_000, 50.0),)
    return make_folder(tmp_path_factory.mktemp("runs"), Made(replicates=2, failing=failing))


@given(TEXTS, TEXTS)
@settings(max_examples=60, deadline=None)
def test_any_text_survives_and_none_is_markup(title: str, text: str) -> None:
    """Whatever the data hold comes out as it went in, and adds no element to the page."""
    plain = build_page({"texts": ["a"]}, "t", "en")
    page = build_page({"texts": [text], text: 1}, title.encode(errors="replace").decode(), "en")
    assert outline(page) == outline(plain)
    data = read_data(page)
    assert data["texts"] == [text]
    assert data[text] == 1 or text == "texts"


@given(st.recursive(st.none() | TEXTS | st.integers(), lambda x: st.lists(x, max_size=4)))
def test_data_go_in_and_come_out(value: Any) -> None:
    """Data written as JSON, packed and read again are the same."""
    packed = base64.b64decode(pack(write_json({"value": value})))
    assert json.loads(gzip.decompress(packed)) == {"value": value}


@given(answer=TEXTS, message=TEXTS)
@settings(max_examples=15, deadline=None)
def test_answers_and_failures_are_kept_as_they_came(
    tmp_path_factory: pytest.TempPathFactory, answer: str, message: str
) -> None:
    """A reply's, a failure's and a model's own words stand in the page as in the run folder."""
    made = Made(
        lengths=(1_000, 2_000),
        depths=(0.0,),
        answer=lambda *_: answer,
        failing=((2_000, 0.0),),
        message=message,
        languages=("en",),
    )
    out = make_folder(tmp_path_factory.mktemp("runs"), made)
    lines = list(read_lines(out / OUTCOMES))
    trials = read_data(make_page(gather([out])))["maps"][0]["trials"]
    assert trials["answer"][:2] == [line["response"] for line in lines[:2]]
    assert trials["failure"][1] == lines[1]["failure"]


def test_every_trial_is_in_the_page(folder: Path) -> None:
    """Each outcome of a run folder, controls too, is in the page with its verdict and score."""
    data = read_data(make_page(gather([folder, SAMPLE])))
    for path, number in ((folder, 0), (SAMPLE, 1)):
        scores = read_scores(path)
        states = {line["trial"]: line for line in read_lines(path / OUTCOMES)}
        told = {}
        for each in data["maps"]:
            columns = each["trials"]
            if each["run"] == number:
                for at, key in enumerate(columns["key"]):
                    told[key] = {name: column[at] for name, column in columns.items()}
        assert told.keys() == {trial[:12] for trial in states}
        for trial, line in states.items():
            shown, score = told[trial[:12]], scores[trial, "keyword"]
            assert shown["answer"] == line["response"]
            assert (shown["score"], shown["verdict"]) == (score["score"], score["verdict"])
            assert shown["prompt_tokens"] == line["prompt_tokens"]


def test_cells_hold_their_trials(folder: Path) -> None:
    """A cell's trials are those that its verdicts count, and lie at its length and depth."""
    for each in read_data(make_page(gather([folder])))["maps"]:
        cells = [(x, d) for x in each["lengths"] for d in each["depths"]]
        for (length, depth), numbers, verdicts in zip(
            cells, each["cells"], each["verdicts"], strict=True
        ):
            columns = each["trials"]
            assert len(numbers) == sum(n for v, n in verdicts.items() if v != "not_run")
            assert {columns["context_length"][n] for n in numbers} == {length}
            assert {columns["depth_percent"][n] for n in numbers} == {depth}
            assert sorted(columns["verdict"][n] for n in numbers) == sorted(
                verdict for verdict, count in verdicts.items() for _ in range(count)
            )


def test_the_same_runs_make_the_same_bytes(folder: Path) -> None:
    """The page of the same run folders is the same, byte for byte."""
    assert make_page(gather([folder])) == make_page(gather([folder]))


@given(
    st.builds(
        Room,
        answer=st.none() | st.integers(0, 80),
        reasoning=st.none() | st.integers(0, 80),
        around=st.none() | st.integers(0, 80),
    )
)
@settings(max_examples=15, deadline=None)
def test_what_is_cut_is_counted(tmp_path_factory: pytest.TempPathFactory, room: Room) -> None:
    """A text without room keeps its beginning, and the page says how much is left out."""
    out = tmp_path_factory.mktemp("runs")
    made = Made(lengths=(1_000,), depths=(0.0,), languages=("en",), reasoning="so " * 30)
    report = gather([make_folder(out, made)])
    trials = write_report(report, room)["maps"][0]["trials"]
    line = next(iter(report.runs[0].states.values()))
    for name, most, whole in (
        ("answer", room.answer, line["response"]),
        ("reasoning", room.reasoning, line["reasoning"]),
    ):
        kept, left = trials[name][0], trials[f"{name}_cut"][0]
        assert whole.startswith(kept)
        assert len(kept) + left == len(whole)
        assert left == 0 or len(kept) == most


def stand_for(shown: RunShown, name: str) -> RunShown:
    """Return another model's run like one, with 200 characters of essays round each needle.

    No two trials have the same texts, be it of one run or of several.
    """
    texts = {
        language: "".join(text for _, text in haystack.files)
        for language, haystack in find_haystacks(("essays",)).items()
    }
    key = {trial: hashlib.sha256(f"{name} {trial}".encode()).hexdigest() for trial in shown.states}
    around = {}
    for at, (trial, line) in enumerate(shown.states.items()):
        text = texts[line["language"]]
        place = (at * 7_919 + ord(name) * 104_729) % (len(text) - 400)
        around[key[trial]] = ((text[place : place + 200], text[place + 200 : place + 400]),)
    return replace(
        shown,
        run=replace(shown.run, model=replace(shown.run.model, name=name)),
        states={key[trial]: line for trial, line in shown.states.items()},
        scores={(key[trial], scorer): line for (trial, scorer), line in shown.scores.items()},
        around=around,
    )


def test_three_large_runs_stay_small(tmp_path: Path) -> None:
    """Three runs of 35 x 35 cells in two languages, each text its own, make less than 6 MB."""
    lengths = [1_000 + round(number * 199_000 / 34) for number in range(35)]
    depths = [round(number * 100 / 34, 3) for number in range(35)]
    shown = gather([make_folder(tmp_path, Made(lengths=lengths, depths=depths))]).runs[0]
    runs = tuple(stand_for(shown, name) for name in "abc")
    page = make_page(Report(runs, (), {"en": (), "zh": ()}))
    data = read_data(page)
    assert sum(len(each["trials"]["key"]) for each in data["maps"]) == 3 * (2_450 + 4)
    assert len(data["around"]) > 3 * 2_400
    assert len(page) < 6_000_000


def test_endless_answers_stay_small(tmp_path: Path) -> None:
    """Answers that no page has room for are cut, so that it can still be opened."""

    def ramble(length: int, depth: float, replicate: int) -> str:
        words = random.Random(f"{length} {depth} {replicate}")
        return " ".join(words.choice(NOISE) for _ in range(12_000))

    made = Made(answer=ramble, lengths=range(1_000, 21_000, 1_000))
    page = make_page(gather([make_folder(tmp_path, made)]))
    assert len(page) < 6_000_000
    trials = read_data(page)["maps"][0]["trials"]
    assert min(trials["answer_cut"][:-2]) > 0


def test_nothing_is_loaded_from_anywhere(folder: Path) -> None:
    """No element, style or policy of the page names an address to load from."""
    page = make_page(gather([folder])).decode()
    elements = Elements(page).found
    addresses = [
        value
        for _, attributes in elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "data", "action", "poster"}
    ]
    assert sorted(map(str, addresses)) == ["#sheet", "data:,"]
    styles = "".join((PAGE / name).read_text(encoding="utf-8") for name in STYLES)
    assert "url(" not in styles
    assert "@import" not in styles
    (policy,) = (
        str(attributes["content"])
        for tag, attributes in elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert set(rules) == {
        *("default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"),
    }
    assert re.fullmatch(r"'sha256-[\w+/=]{44}' 'sha256-[\w+/=]{44}'", rules["script-src"])


def read_scripts() -> str:
    return "\n".join((PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS)


def test_the_script_makes_no_markup_of_texts() -> None:
    """The page's own script has no way to turn a text into markup or code but plotly.js's."""
    script = read_scripts()
    for way in (
        *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("),
        *("DOMParser", "createContextualFragment", "srcdoc", "href", "import(", 'setTimeout("'),
    ):
        assert way not in script, way
    assert script.count("createElement(") == 2  # node() makes all elements, runScript() its own
    assert script.count("setAttribute(name") == 1


def test_every_part_of_the_page_is_used() -> None:
    """Every file of the page's folder goes into the page, and no other."""
    used = {*STYLES, *SCRIPTS, "page.html"} | {path.name for path in PAGE.glob("words-*.json")}
    assert {path.name for path in PAGE.iterdir()} == used


def used_words() -> Iterator[str]:
    """Yield the keys of words that the page asks for by name."""
    script = read_scripts() + (PAGE / "page.html").read_text(encoding="utf-8")
    yield from re.findall(r'(?:say|sayCount|group|part|turn)\((?:[-+]?1, )?"(\w+)"', script)
    yield from re.findall(r'data-(?:word|label)="(\w+)"', script)


def test_words_are_there_in_both_languages() -> None:
    """Every key has words in both languages with the same places, and those asked for are there."""
    words = read_words()
    for key, each in words.items():
        assert set(each) == {"en", "zh"}, key
        places = {language: set(re.findall(r"\{\w+\}", text)) for language, text in each.items()}
        if not key.endswith("_one"):
            assert places["en"] == places["zh"], key
        assert re.search("[\u4e00-\u9fff]", each["zh"]) or each["zh"] == each["en"], key
    assert set(used_words()) <= words.keys()


NEEDLE = Needle("n", "en", ("f",), "q?", (("flute",), ("drum",)))
OUTCOMES_OF_ALL_KINDS: tuple[Reply | Failure, ...] = (
    Reply("a flute and a drum"),
    Reply("flute; drum"),
    Reply("flute"),
    Reply("a fife"),
    Reply("The document does not say."),
    Reply("I can't help with that, it is against my policy."),
    Reply(""),
    Reply("I think", finish_reason="length"),
    Reply("fl", finish_reason="content_filter"),
    Failure("filter", 400, "m", permanent=True),
    Failure("timeout", None, "m", permanent=False),
)


@pytest.mark.parametrize("outcome", OUTCOMES_OF_ALL_KINDS)
@pytest.mark.parametrize("mark", [mark_keyword, mark_exact])
def test_reasons_are_known_in_chinese(outcome: Reply | Failure, mark: Any) -> None:
    """Whatever a scorer that needs no model says is among the words that the page translates."""
    reasons = [words["en"] for key, words in read_words().items() if key.startswith("why_")]
    patterns = [re.escape(reason).replace(re.escape("{rest}"), ".*") for reason in reasons]
    assert any(re.fullmatch(pattern, mark(NEEDLE, outcome).explanation) for pattern in patterns)


def call(*words: str | Path) -> Any:
    return cli(["report", *map(str, words)], standalone_mode=False)


def test_where_the_page_goes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One run's page goes into its folder, that of several beside the first, or where told."""
    assert call(folder) == 0
    assert (folder / "report.html").is_file()
    other = make_folder(folder.parent, Made(model="another"))
    assert call(folder, other, "--labels", "zh", "--palette", "safe") == 0
    (page,) = folder.parent.glob("report-*.html")
    assert f"{page} (" in capsys.readouterr().out
    assert Elements(page.read_text(encoding="utf-8")).found[0] == ("html", {"lang": "zh"})
    data = read_data(page.read_bytes())
    assert (data["labels"], data["palette"]) == ("zh", "safe")
    assert call(folder, "--output", folder.parent / "own.html") == 0
    assert (folder.parent / "own.html").is_file()


WRONG: Mapping[str, tuple[tuple[str, ...], type[NeedleError], str]] = {
    "no run": (("nowhere",), UsageError, "no run in nowhere"),
    "scorer": (("RUN", "--scorer", "judge"), UsageError, "no scores by 'judge'"),
    "task": (("RUN", "--task", "multi"), UsageError, "no task 'multi' (--task)"),
    "output": (("RUN", "--output", "no/such/folder.html"), StoreError, "(--output)"),
    "folder": (("RUN", "--output", "."), UsageError, ". is a folder (--output)"),
    "paid": (("RUN", "--output", "outcomes.jsonl"), UsageError, "end its name in .html"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_mistakes_are_told_in_a_line(
    words: tuple[tuple[str, ...], type[NeedleError], str],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder without a run, an unknown scorer or task and a bad path are each told in a line."""
    said, error, line = words
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as raised:
        call(*(str(folder) if word == "RUN" else word for word in said))
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_simulated_runs_say_so(tmp_path: Path) -> None:
    """The data of a simulated run say that it is simulated, and those of another that it is not."""
    folders = [
        make_folder(tmp_path, Made(model="sim/middle", simulated=True)),
        make_folder(tmp_path, Made(model="real")),
    ]
    runs = read_data(make_page(gather(folders)))["runs"]
    assert [run["simulated"] for run in runs] == [True, False]
    assert load_run(folders[0]).model.simulated
