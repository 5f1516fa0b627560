"""``needle import``: others' files become run folders that say no more than the files do."""

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import Call, list_files, only_folder, read_log

from needle.runs.drawing import collect_heatmaps
from needle.words.figures import Heatmap

PUBLISHED = Path(__file__).resolve().parents[1].parent / "shared" / "published"
NEEDLE = (
    "\nThe best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny "
    "day.\n"
)
OUTCOME_FIELDS = set(
    json.loads(
        (Path(__file__).resolve().parents[1] / "runs" / "sample" / "outcomes.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()[0]
    )
)

Row = dict[str, Any]


def row(length: int = 1_000, depth: float = 0, **more: Any) -> Row:
    return {"context_length": length, "depth_percent": depth, **more}


def answered(length: int, depth: float, said: str, score: int | None = None, **more: Any) -> Row:
    scored = {} if score is None else {"score": score}
    return row(
        length, depth, model="m", needle=NEEDLE, model_response=said, version=1, **scored, **more
    )


def write(path: Path, rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def write_lines(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows)
    path.write_text(text, encoding="utf-8")
    return path


def collect(folder: Path, scorer: str | None = None) -> dict[tuple[int, float], float | None]:
    (heatmap,) = collect_heatmaps(folder, scorer=scorer)
    return read_cells(heatmap)


def read_cells(heatmap: Heatmap) -> dict[tuple[int, float], float | None]:
    return {(cell.context_length, cell.depth_percent): cell.score for cell in heatmap.cells}


def settle(folder: Path) -> Row:
    settled: Row = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    return settled


@pytest.fixture
def bring(call: Call) -> Any:
    """Import files, one run folder expected."""

    def bring(*said: object, form: str = "kamradt") -> Path:
        ended = call("import", "--format", form, *said)
        assert ended.status == 0, ended.err
        return only_folder(Path("runs"))

    return bring


def test_the_published_grid_cell_for_cell(draw: Call, alone: Path) -> None:
    """The GPT-4 Turbo grid shows the published scores, the mean of both runs where there are."""
    names = ("gpt-4-1106-preview.json", "gpt-4-1106-preview-second-run.json")
    paths = [PUBLISHED / name for name in names]
    if not all(path.exists() for path in paths):
        pytest.skip("the published results are not at hand")
    wanted: dict[tuple[int, float], list[float]] = defaultdict(list)
    for path in paths:
        for one in json.loads(path.read_text(encoding="utf-8")):
            place = (one.get("token_limit") or one["context_length"], float(one["depth_percent"]))
            wanted[place].append((one["score"] - 1) / 9)
    said = ["--format", "kamradt", *paths, "--model", "gpt-4-1106-preview", "--date", "2023-11-08"]
    ended = draw("import", *said)
    assert ended.status == 0
    folder = only_folder(alone / "runs")
    assert draw("heatmap", folder).status == 0
    assert (folder / "heatmap-single-en.png").read_bytes().startswith(b"\x89PNG")
    (heatmap,) = collect_heatmaps(folder)
    cells = read_cells(heatmap)
    assert len(cells) == 225
    assert sum(len(scores) == 2 for scores in wanted.values()) == 105
    for place, scores in wanted.items():
        assert cells[place] == pytest.approx(sum(scores) / len(scores), abs=1e-6)
    assert (heatmap.scored, heatmap.left_out) == (330, {})
    assert not any("not_run" in cell.verdicts for cell in heatmap.cells)


def test_the_published_answers_are_scored_anew(bring: Any, call: Call) -> None:
    """Claude 2.1's answers keep their published scores, and are scored by keyword recall too."""
    path = PUBLISHED / "claude-2.1-half.jsonl"
    if not path.exists():
        pytest.skip("the published results are not at hand")
    folder = bring(path)
    assert settle(folder)["scorers"] == ["published", "keyword"]
    assert settle(folder)["needles"]["single"]["en"][0]["name"] == "san-francisco"
    ended = call("score", folder)
    assert ended.status == 0
    assert "0 scores changed" in ended.err
    assert "keyword recall and the published scores agree on 99.4% of 648 replies" in ended.out


@pytest.mark.parametrize("shape", ["list", "lines", "folder", "csv"])
def test_every_shape_of_file(shape: str, bring: Any, alone: Path) -> None:
    """A JSON list, JSON lines, a folder of files and a CSV of the same rows show the same cells."""
    rows = [
        row(length, depth, score=score)
        for length, depth, score in (
            (1_000, 0, 10),
            (1_000, 50, 7),
            (8_000, 0, 5),
            (8_000, 50, 1),
            (8_000, 50, 10),
        )
    ]
    if shape == "list":
        path = write(alone / "results.json", rows)
    elif shape == "lines":
        path = write_lines(alone / "results.jsonl", rows)
    elif shape == "folder":
        path = alone / "results"
        for number, one in enumerate(rows):
            write(path / f"{number}.json", one)
    else:
        path = alone / "results.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    folder = bring(path, "--model", "m")
    assert collect(folder) == {
        (1_000, 0.0): 1.0,
        (1_000, 50.0): pytest.approx(6 / 9, abs=1e-6),
        (8_000, 0.0): pytest.approx(4 / 9, abs=1e-6),
        (8_000, 50.0): 0.5,
    }


def test_what_is_not_known_is_said_to_be(bring: Any, alone: Path) -> None:
    """run.yaml and the outcomes hold null or "unknown" where the files say nothing."""
    path = write(alone / "a.json", [{"token_limit": 1_000, "depth_percent": 0, "score": 10}])
    folder = bring(path, "--model", "gpt/4:x")
    settled = settle(folder)
    assert settled["model"]["base_url"] is None
    assert settled["model"]["vendor"] == settled["tokenizer"] == "unknown"
    assert settled["haystacks"]["en"]["sha256"] is None
    assert [settled[name] for name in ("seed", "reply_tokens", "concurrency", "timeout_s")] == [
        None
    ] * 4
    assert settled["imported"]["format"] == "kamradt"
    assert [file["name"] for file in settled["imported"]["files"]] == ["a.json"]
    assert len(settled["imported"]["files"][0]["sha256"]) == 64
    assert settled["imported"]["date"] is None
    (line,) = read_log(folder / "outcomes.jsonl")
    assert set(line) == OUTCOME_FIELDS | {"cache_write_tokens"}  # younger than the sample
    for name in ("response", "failure", "prompt_tokens", "attempts", "started_at", "cost"):
        assert line[name] is None
    (score,) = read_log(folder / "scores.jsonl")
    assert (score["scorer"], score["score"], score["verdict"]) == ("published", 1.0, "found")
    assert str(alone) not in (folder / "run.yaml").read_text(encoding="utf-8")


def test_the_figure_says_that_it_is_imported(bring: Any, alone: Path) -> None:
    """A figure of imported results says so, from what files and of what date, in both languages."""
    from needle.telling.labels import make_labels

    path = write(alone / "a.json", [row(score=10), row(depth=50, score=1)])
    folder = bring(path, "--model", "sim/reader", "--date", "2023-11-08")
    (heatmap,) = collect_heatmaps(folder)
    assert not heatmap.simulated
    english = " ".join(item for line in make_labels(heatmap, "en").footer for item in line)
    chinese = " ".join(item for line in make_labels(heatmap, "zh").footer for item in line)
    for words in ("imported (kamradt) from a.json", "results of 2023-11-08", "scores as published"):
        assert words in english
    for words in ("导入的结果（kamradt）：a.json", "结果日期：2023-11-08", "沿用已发表的分数"):
        assert words in chinese
    assert "simulated" not in english


def test_the_same_again_is_found(bring: Any, call: Call, alone: Path) -> None:
    """Importing the same files again makes nothing new; another needle or model does."""
    path = write(alone / "a.json", [answered(1_000, 0, "a sandwich", 5)])
    folder = bring(path)
    before = list_files(folder)
    ended = call("import", "--format", "kamradt", path)
    assert "imported already" in ended.err
    assert list_files(folder) == before
    assert call("import", "--format", "kamradt", path, "--model", "n").status == 0
    assert len(list(Path("runs").iterdir())) == 2


def test_a_broken_import_is_made_whole(bring: Any, alone: Path) -> None:
    """A folder that a crash left without its run.yaml is made anew."""
    path = write(alone / "a.json", [answered(1_000, 0, "a sandwich", 5)])
    folder = bring(path)
    before = list_files(folder)
    (folder / "run.yaml").unlink()
    (folder / "outcomes.jsonl").write_text('{"trial": "torn', encoding="utf-8")
    assert bring(path) == folder
    assert list_files(folder) == before


def test_an_imported_run_is_not_resumed(bring: Any, call: Call, alone: Path) -> None:
    """There is nothing to send of an imported run: one line says so."""
    folder = bring(write(alone / "a.json", [answered(1_000, 0, "a sandwich")]))
    ended = call("resume", folder)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert "was imported: there is nothing to send" in ended.faults[0]


def test_other_commands_take_an_imported_run(bring: Any, call: Call, alone: Path) -> None:
    """Score, heatmap and table read an imported run like any other."""
    rows = [
        answered(1_000, 0, "A sandwich in Dolores Park.", 10),
        answered(1_000, 50, "The text does not say.", 1),
        answered(1_000, 100, "A sandwich.", 5),
    ]
    folder = bring(write(alone / "a.json", rows))
    assert collect(folder, "keyword") == {
        (1_000, 0.0): 1.0,
        (1_000, 50.0): 0.0,
        (1_000, 100.0): 0.5,
    }
    assert call("score", folder, "--scorer", "exact").status == 0
    assert list(collect(folder, "exact").values()) == [0.0, 0.0, 0.5]
    table = list(csv.DictReader(call("table", folder).out.splitlines()))
    assert {one["scorer"] for one in table} == {"published", "keyword", "exact"}
    assert len(table) == 9


def test_imported_scores_stay_when_nothing_else_can_score(
    bring: Any, call: Call, alone: Path
) -> None:
    """Scores without answers are drawn by no other scorer; published ones can be chosen again."""
    folder = bring(write(alone / "a.json", [row(score=10)]), "--model", "m")
    before = settle(folder)
    ended = call("score", folder, "--scorer", "exact")
    assert (ended.status, len(ended.faults)) == (2, 1)
    assert "nothing in" in ended.faults[0]
    assert settle(folder) == before
    shutil.rmtree(folder)
    folder = bring(write(alone / "b.json", [answered(1_000, 0, "A sandwich.", 10)]))
    for scorer in ("keyword", "published"):
        assert call("score", folder, "--scorer", scorer).status == 0
        assert settle(folder)["primary_scorer"] == scorer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"context_length": 1000}', ("not JSON", "a.json:1")),
        ("[1]", ("JSON object", "a.json: row 1")),
        ('[{"depth_percent": 0, "score": 1}]', ("context_length", "row 1")),
        ('[{"context_length": 1000, "depth_percent": 0}]', ("neither score", "row 1")),
        ('[{"context_length": 1000, "depth_percent": 101, "score": 1}]', ("0-100", "row 1")),
        ('[{"context_length": 1.5, "depth_percent": 0, "score": 1}]', ("whole number", "row 1")),
        (
            json.dumps([row(score=1), row(score=11)]),
            ("1-10", "row 2"),
        ),
        ('[{"context_length": 1, "depth_percent": 0, "score": NaN}]', ("a number", "row 1")),
        ('[{"context_length": 1, "depth_percent": 0, "score": "x"}]', ("a number", "row 1")),
        ("", ("not JSON", "a.json")),
        ("[]", ("no results",)),
        ("[" * 100_000, ("nested too deeply",)),
    ],
)
def test_malformed_files_are_named(
    text: str, words: tuple[str, ...], call: Call, alone: Path
) -> None:
    """A file that can't be read ends in one line with the file and the row, and no folder."""
    (alone / "a.json").write_text(text, encoding="utf-8")
    ended = call("import", "--format", "kamradt", "a.json", "--model", "m")
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert all(word in ended.faults[0] for word in words)
    assert not Path("runs").exists()


def test_a_bad_line_is_named(call: Call, alone: Path) -> None:
    """A bad line among good ones is named by its number."""
    lines = [json.dumps(row(score=1)), "", "{", json.dumps(row(score=1))]
    (alone / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    ended = call("import", "--format", "kamradt", "a.jsonl", "--model", "m")
    assert ended.status == 2
    assert "a.jsonl:3" in ended.faults[0]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["nowhere.json"], "no file or folder nowhere.json"),
        (["a.json"], "say --model NAME"),
        (["b.json", "--model", "other"], "no results of 'other'"),
        (["a.json", "--model", "m", "--date", "yesterday"], "not a date"),
        (["a.json", "--model", "m", "--needle", "nothing"], "no needle 'nothing'"),
        (["a.json", "--model", "m", "--needle", "fictional"], "holds many needles"),
        (["b.json", "--model", "m", "--needle", "xiaoming"], "not of this needle"),
    ],
)
def test_what_was_said_wrong_is_named(said: list[str], words: str, call: Call, alone: Path) -> None:
    """A wrong path, model, date or needle ends in one line that names it."""
    write(alone / "a.json", [row(score=1)])
    write(
        alone / "b.json", [answered(1_000, 0, "x", 1), {**answered(1_000, 0, "x", 1), "model": "n"}]
    )
    ended = call("import", "--format", "kamradt", *said)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert words in ended.faults[0]


def test_each_model_has_its_folder(call: Call, alone: Path) -> None:
    """Results of several models make a run folder each; --model takes one of them."""
    rows = [{**answered(1_000, 0, "x", 1), "model": name} for name in ("m", "n/o")]
    path = write(alone / "a.json", rows)
    assert call("import", "--format", "kamradt", path).status == 0
    assert len(list(Path("runs").iterdir())) == 2
    assert call("import", "--format", "kamradt", path, "--model", "n/o", "--out", "one").status == 0
    assert settle(only_folder(Path("one")))["model"]["name"] == "n/o"


def test_a_chinese_needle_is_told_by_itself(bring: Any, alone: Path) -> None:
    """Results of a shipped Chinese needle are scored by its answers, in Chinese."""
    needle = "小明最喜欢的实习的地点就是上海人工智能实验室。"
    rows = [
        {**row(depth=depth), "model": "m", "needle": needle, "model_response": said}
        for depth, said in (
            (0, "上海人工智能实验室"),
            (50, "Shanghai AI Lab"),
            (100, "文中没有提到。"),
        )
    ]
    folder = bring(write(alone / "a.json", rows))
    settled = settle(folder)
    assert settled["languages"] == ["zh"]
    assert settled["primary_scorer"] == "keyword"
    assert settled["needles"]["single"]["zh"][0]["name"] == "xiaoming"
    assert list(collect(folder).values()) == [1.0, 1.0, 0.0]


def test_half_a_surrogate_pair_is_replaced(bring: Any, alone: Path) -> None:
    """An answer that no file can hold is kept as near as can be, and scored."""
    path = alone / "a.json"
    path.write_text(json.dumps([answered(1_000, 0, "\ud83d a sandwich, Dolores Park 😀")]))
    folder = bring(path)
    (line,) = read_log(folder / "outcomes.jsonl")
    assert line["response"] == "? a sandwich, Dolores Park 😀"
    assert collect(folder, "keyword") == {(1_000, 0.0): 1.0}


def test_a_needle_can_be_named(bring: Any, alone: Path) -> None:
    """Answers without their needle are scored by the one that was named."""
    rows = [row(model="m", model_response="A sandwich, Dolores Park.")]
    folder = bring(write(alone / "a.json", rows), "--needle", "san-francisco")
    assert collect(folder) == {(1_000, 0.0): 1.0}
    assert settle(folder)["needles"]["single"]["en"][0]["question"]
