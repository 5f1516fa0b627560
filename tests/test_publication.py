"""``needle publish``: whole, the same again, and without a key or a context in it."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from driving import KEY, Call, list_files, only_folder
from pages import read_data
from serving import Answer, Body, Server, refuse, reply

from needle.commands import publication, showcase
from needle.drawing import differences, sheets
from needle.edges.corpus import find_haystacks
from needle.edges.store import load_run
from needle.telling.cover import MOST_UNCHECKED
from needle.telling.quotes import LONGEST

SAMPLE = Path(__file__).resolve().parents[1] / "runs" / "sample"
TEXTS = (".md", ".csv", ".json", ".yaml", ".svg", ".html")
OTHER_KEY = "live_51H/x8Q+7tVw"
LOOKS_LIKE_ONE = "sk-proj-a1B2c3D4e5F6g7H8"

Publish = Callable[..., Path]


@pytest.fixture
def publish_drawn(call: Call, alone: Path) -> Publish:
    """Publish runs into a folder, and return it."""

    def publish(*runs: object, out: str = "out") -> Path:
        ended = call("publish", *(runs or (SAMPLE,)), "--out", out)
        assert ended.status == 0, ended.err
        return alone / out

    return publish


@pytest.fixture
def publish(publish_drawn: Publish, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Publish runs without figures and page, which cost seconds that most laws have no need of."""

    def draw(folder: Path, formats: Sequence[str], stem: str) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{stem}.{kind}" for kind in formats]
        for path in paths:
            path.write_text(stem, encoding="utf-8")
        return paths

    monkeypatch.setattr(
        showcase, "draw_heatmap", lambda _, folder, kinds, stem, **__: draw(folder, kinds, stem)
    )
    monkeypatch.setattr(
        sheets, "draw_sheet", lambda _, folder, stem, kinds, *__, **___: draw(folder, kinds, stem)
    )
    monkeypatch.setattr(
        differences,
        "draw_difference",
        lambda _, __, folder, stem, kinds, *___, **____: draw(folder, kinds, stem),
    )
    monkeypatch.setattr(publication, "gather", lambda *_: None)
    monkeypatch.setattr(publication, "make_page", lambda *_, **__: b"the page")
    return publish_drawn


def read_texts(folder: Path) -> dict[str, str]:
    """Return all that a publication says: its text files, its Parquet and its page as text."""
    files = {
        name: data.decode() for name, data in list_files(folder).items() if name.endswith(TEXTS)
    }
    table = pd.read_parquet(folder / "table.parquet")
    page = json.dumps(read_data((folder / "report.html").read_bytes()), ensure_ascii=False)
    texts = {"table.parquet": "\n".join(map(str, table.to_numpy().ravel())), "report.html": page}
    return {**files, **texts}


def holds_stretch(text: str) -> bool:
    """Tell by plain search whether a text holds a long stretch of the shipped essays."""
    whole = "\n\n".join(
        file for haystack in find_haystacks(("essays",)).values() for _, file in haystack.files
    )
    size = LONGEST // 2
    blocks = {whole[start : start + size] for start in range(0, len(whole) - size, size)}
    near = [at for at in range(len(text) - size) if text[at : at + size] in blocks]
    return any(
        text[start : start + LONGEST] in whole
        for at in near
        for start in range(max(0, at - size), at + 1)
        if len(text[start : start + LONGEST]) == LONGEST
    )


def test_what_it_holds(publish_drawn: Publish) -> None:
    """A publication has figures, tables, statistics, configuration, sources, pages and sums."""
    folder = publish_drawn()
    run = load_run(SAMPLE).run_id
    names = set(list_files(folder))
    wanted = {"README.md", "README.zh.md", "table.csv", "table.parquet", "statistics.json"}
    wanted.add("report.html")
    wanted |= {"manifest.json", "sources/haystack-essays.md", f"runs/{run}/run.yaml"}
    wanted |= {
        f"figures/{run}-single-{one}.{kind}"
        for one in ("en", "zh")
        for kind in ("png", "svg", "pdf")
    }
    assert names >= wanted
    assert load_run(folder / "runs" / run) == load_run(SAMPLE)


def test_the_same_runs_give_the_same_bytes(publish_drawn: Publish) -> None:
    """The same runs published twice, in two places, are the same files byte for byte."""
    one, other = publish_drawn(out="one"), publish_drawn(out="deep/down/other")
    assert list_files(one) == list_files(other)


def find_links(folder: Path, page: str) -> list[str]:
    """Return the links and pictures of a page, all of which are there."""
    text = (folder / page).read_text(encoding="utf-8")
    links = re.findall(r"(?<!\\)\]\(([^)]+)\)", text)
    for link in links:
        assert (folder / link).exists(), link
    return links


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_links_of_its_pages_lead_somewhere(page: str, publish: Publish) -> None:
    """Every link and picture of both pages is in the publication, and its command is a run's."""
    folder = publish()
    assert len(find_links(folder, page)) > 10
    text = (folder / page).read_text(encoding="utf-8")
    assert "needle run --model sim/middle --lengths 1k,4k,16k,64k" in text
    assert "sim/middle" in text.splitlines()[0]


def test_both_pages_say_the_same(publish: Publish) -> None:
    """The English and the Chinese page have the same parts, figures, numbers and commands."""
    folder = publish()
    english, chinese = (
        (folder / page).read_text(encoding="utf-8") for page in ("README.md", "README.zh.md")
    )
    for part in (r"(?m)^## ", r"!\[.*?\]\((.*?)\)", r"(?m)^- ", r"```sh\n(.*?)```", r"\d+\.\d%"):
        found = [re.findall(part, text, re.DOTALL) for text in (english, chinese)]
        assert len(found[0]) == len(found[1]) > 0
    assert re.findall(r"```sh\n(.*?)```", english, re.DOTALL) == re.findall(
        r"```sh\n(.*?)```", chinese, re.DOTALL
    )


def test_a_simulated_model_is_said_to_be_so(publish: Publish) -> None:
    """Both pages say of a simulated model's figures what they are."""
    folder = publish()
    assert "**Simulated: needle itself serves sim/middle" in (folder / "README.md").read_text(
        encoding="utf-8"
    )
    assert "模拟模型" in (folder / "README.zh.md").read_text(encoding="utf-8")


def test_statistics_are_plain_json(publish: Publish) -> None:
    """statistics.json has an estimate for each task and language, in plain JSON with no NaN."""
    text = (publish() / "statistics.json").read_text(encoding="utf-8")
    told = json.loads(text, parse_constant=pytest.fail)
    assert [each["statistics"]["language"] for each in told["standings"]] == ["en", "zh"]
    assert {each["run"] for each in told["standings"]} == {load_run(SAMPLE).run_id}
    for each in told["standings"]:
        overall = each["statistics"]["overall"]
        assert overall["low"] < overall["value"] < overall["high"]
        assert len(each["statistics"]["cells"]) == 20


def leak(body: Body, number: int) -> Answer:
    """Answer with the whole prompt, or refuse with the whole request and the keys in the words."""
    prompt = body["messages"][-1]["content"]
    said = f"You sent, with {KEY} ({OTHER_KEY}, {LOOKS_LIKE_ONE}, Bearer {KEY}): {prompt}"
    if number % 3 == 0:
        return refuse(400, said[:1_500] + prompt[2_000:4_000])
    if number % 3 == 1:
        return reply(f"It begins: {prompt[:3_000]} ... and {KEY}, {OTHER_KEY}")
    message = {"role": "assistant", "content": "No.", "reasoning_content": said}
    return reply(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])


def run_leaking(server: Server, call: Call, *more: str) -> Path:
    server.script = leak
    ended = call(
        *("run", "--model", "moonshot-v1-8k", "--base-url", server.base_url, "--yes"),
        *("--lengths", "2k", "--depth-count", "3", *more),
    )
    assert ended.status in (0, 1, 3), ended.err
    return only_folder(Path("runs"))


def test_no_key_and_no_context_is_in_it(
    server: Server,
    call: Call,
    publish_drawn: Publish,
    alone: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever an endpoint sends back, neither a key nor a long stretch of the text is in it."""
    monkeypatch.setenv("SOME_VENDOR_TOKEN", OTHER_KEY)
    (alone / ".env").write_text(f"MOONSHOT_API_KEY={KEY}\nPLAIN=haystack\n", encoding="utf-8")
    run = run_leaking(server, call)
    monkeypatch.delenv("MOONSHOT_API_KEY")
    stored = (run / "outcomes.jsonl").read_text(encoding="utf-8")
    assert OTHER_KEY in stored
    assert holds_stretch(stored.replace("\\n", "\n"))
    texts = read_texts(publish_drawn(run))
    assert "[… " in texts["table.csv"]
    for name, text in texts.items():
        for key in (KEY, OTHER_KEY, LOOKS_LIKE_ONE):
            assert key not in text, name
        assert not holds_stretch(text), name
        assert not holds_stretch(text.replace("\\n", "\n")), name


def test_what_cannot_be_held_against_its_text_is_cut(
    server: Server, call: Call, publish: Publish, alone: Path
) -> None:
    """Where the haystack is gone, no text longer than the most allowed is in the table."""
    essays = alone / "mine"
    shutil.copytree(SAMPLE.parents[1] / "haystacks" / "essays", essays)
    run = run_leaking(server, call, "--haystack", "mine")
    shutil.rmtree(essays)
    folder = publish(run)
    table = pd.read_parquet(folder / "table.parquet")
    longest = max(len(str(value)) for value in table.to_numpy().ravel())
    assert MOST_UNCHECKED < longest < MOST_UNCHECKED + 30
    assert f"{MOST_UNCHECKED:,} characters" in (folder / "README.md").read_text(encoding="utf-8")
    assert f"{MOST_UNCHECKED:,} 个字符" in (folder / "README.zh.md").read_text(encoding="utf-8")


def test_a_needle_of_ones_own_goes_with_it(call: Call, publish: Publish, alone: Path) -> None:
    """A user's own needle is in the publication, and the command there names that file."""
    wording = {"facts": ["Ann | owns *a* <b>kite</b>."], "question": "What?", "answers": [["kite"]]}
    needle = {"name": "ann", "source": "", "variants": [{"en": wording}]}
    (alone / "ann.yaml").write_text(json.dumps(needle), encoding="utf-8")
    said = ("--needle", "ann.yaml", "--language", "en", "--lengths", "1k", "--yes")
    assert call("run", "--model", "sim/reader", *said).status == 0
    run = only_folder(alone / "runs")
    folder = publish(run)
    file = f"runs/{run.name}/needle-ann.yaml"
    assert (folder / file).is_file()
    for page in ("README.md", "README.zh.md"):
        assert f"--needle {file}" in (folder / page).read_text(encoding="utf-8")


def test_one_table_holds_all_runs(call: Call, publish: Publish, alone: Path) -> None:
    """The table's first column is the run's name, and all runs' rows are there."""
    said = ("--lengths", "1k", "--depth-count", "2", "--controls", "none", "--yes")
    for model in ("sim/reader", "sim/middle"):
        assert call("run", "--model", model, *said).status == 0
    runs = sorted((alone / "runs").iterdir())
    shutil.copytree(runs[0], alone / "again")
    folder = publish(*runs, alone / "again")
    table = pd.read_csv(folder / "table.csv")
    names = [runs[0].name, runs[1].name, f"{runs[0].name}-2"]
    assert table.columns[0] == "run"
    assert table["run"].value_counts().to_dict() == dict.fromkeys(names, 4)
    told = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
    assert len(told["comparisons"]) == 6
    for words, page in (("en", "README.md"), ("zh", "README.zh.md")):
        together = {link for link in find_links(folder, page) if link.startswith("figures/")}
        there = {f"figures/{words}/{path.name}" for path in (folder / "figures" / words).iterdir()}
        assert there <= together
        assert any("difference" in name for name in there)
        assert not any(
            link.startswith(f"figures/{'zh' if words == 'en' else 'en'}/") for link in together
        )
    assert told["not_tested"] == []


def test_runs_of_one_model_are_told_apart(publish: Publish, alone: Path) -> None:
    """Where a model has two runs, each figure's words and each row of numbers name the run."""
    shutil.copytree(SAMPLE, alone / "again")
    page = (publish(SAMPLE, alone / "again") / "README.md").read_text(encoding="utf-8")
    run = load_run(SAMPLE).run_id
    for name in (run, f"{run}-2"):
        assert f"![sim/middle ({name}), single, English]" in page
        assert f"| sim/middle (simulated) | {name} | single |" in page


def test_runs_that_may_not_be_compared_are_shown_untested(
    call: Call, publish: Publish, alone: Path
) -> None:
    """Runs of different texts are published together, without tests and with what differs."""
    said = ("--lengths", "1k", "--depth-count", "2", "--yes", "--language", "en")
    assert call("run", "--model", "sim/reader", *said, "--seed", "5").status == 0
    folder = publish(SAMPLE, only_folder(alone / "runs"))
    told = json.loads((folder / "statistics.json").read_text(encoding="utf-8"))
    assert told["comparisons"] == []
    assert told["not_tested"]
    assert "not tested" in (folder / "README.md").read_text(encoding="utf-8")


def test_other_files_are_never_replaced(publish: Publish, call: Call, alone: Path) -> None:
    """A folder with anything in it that is not of a publication is refused and left as it was."""
    (alone / "out").mkdir()
    (alone / "out" / "notes.txt").write_text("mine", encoding="utf-8")
    refused = call("publish", SAMPLE, "--out", "out")
    assert refused.status == 2
    assert "notes.txt" in refused.faults[0]
    folder = publish(out="fresh")
    (folder / "CNAME").write_text("mine", encoding="utf-8")
    before = list_files(folder)
    refused = call("publish", SAMPLE, "--out", "fresh")
    assert refused.status == 2
    assert "CNAME" in refused.faults[0]
    assert list_files(folder) == before
    for place in (".", "..", "ann.yaml"):
        (alone / "ann.yaml").touch()
        assert call("publish", SAMPLE, "--out", place).status == 2


def test_an_earlier_publication_is_replaced_whole(publish: Publish, alone: Path) -> None:
    """An earlier publication, changed or not, is replaced by the new one as a whole."""
    folder = publish()
    before = list_files(folder)
    (folder / "README.md").write_text("changed", encoding="utf-8")
    (folder / "table.csv").unlink()
    assert list_files(publish()) == before
    assert [path.name for path in alone.iterdir()] == ["out"]


def test_a_failure_leaves_what_was_there(
    publish: Publish, call: Call, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a publication can't be made, the one that stood there stays as it was."""
    folder = publish()
    before = list_files(folder)

    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publication, "write_manifest", fail)
    failed = call("publish", SAMPLE, "--out", "out")
    assert failed.status == 2
    assert "no space left" in failed.faults[0]
    assert list_files(folder) == before
    assert [path.name for path in alone.iterdir()] == ["out"]


def test_check_names_each_file_that_differs(publish: Publish, call: Call) -> None:
    """``--check`` says which files are changed, missing or added, and ends with 1; else with 0."""
    folder = publish()
    assert call("publish", "--check", folder).status == 0
    (folder / "README.md").write_bytes((folder / "README.md").read_bytes() + b" ")
    (folder / "table.csv").unlink()
    (folder / "runs" / "more.txt").touch()
    checked = call("publish", "--check", folder)
    assert checked.status == 1
    assert checked.out.splitlines() == [
        "changed: README.md",
        "added: runs/more.txt",
        "missing: table.csv",
    ]


@pytest.mark.parametrize("manifest", ["", "[]", '{"files": 1}', '{"format": "x", "files": {}}'])
def test_check_wants_a_manifest(manifest: str, call: Call, alone: Path) -> None:
    """A folder without a manifest of needle's is refused in one line."""
    assert call("publish", "--check", alone).status == 2
    (alone / "manifest.json").write_text(manifest, encoding="utf-8")
    assert len(call("publish", "--check", alone).faults) == 1


@pytest.mark.parametrize(
    "said", [(), ("--out", "x"), (str(SAMPLE),), (str(SAMPLE), "--check", "x"), ("nowhere",)]
)
def test_wrong_use_is_one_line(said: tuple[str, ...], call: Call, alone: Path) -> None:
    """What can't be published is said in one line, and nothing is left behind."""
    ended = call("publish", *said, *(("--out", "x") if said == ("nowhere",) else ()))
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert not list(alone.iterdir())
