"""The command that makes a run again makes the same run again."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import Call, only_folder
from hypothesis import given, settings
from hypothesis import strategies as st

from needle.commands import cli_asking
from needle.commands.options import gather
from needle.commands.running import prepare_models
from needle.edges.store import load_run
from needle.runs.importing import Wish, import_results
from needle.runs.reproduce import Again, make_again, write_command
from needle.telling.gaps import describe_gap
from needle.words.types import LANGUAGES, Run

SAMPLE = Path(__file__).resolve().parents[1] / "runs" / "sample"
NOT_OF_A_RUN = ("out", "budget", "rate", "again", "faults", "yes")


def prepare_said(*words: str) -> Run:
    """Return the run that a command line's options make, by the command's own parser."""
    context = cli_asking.run.make_context("run", list(words))
    options = {n: value for n, value in context.params.items() if n not in NOT_OF_A_RUN}
    config = options.pop("config")
    _, (prepared,) = prepare_models(config, gather(options))
    return prepared.run


def prepare_written(run: Run) -> Run:
    """Return the run that the command written for another one makes."""
    words = shlex.split(write_command(run))
    assert words[:2] == ["needle", "run"]
    return prepare_said(*words[2:])


def option(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[str]]:
    """Return an option that is sometimes said."""
    return st.just([]) | values.map(lambda value: [name, str(value)])


MODELS = st.sampled_from(
    [
        ["--model", "sim/reader"],
        ["--model", "moonshot-v1-8k"],
        ["--model", "litellm/claude-sonnet-4-6"],
        ["--model", "moonshot-v1-8k", "--base-url", "http://127.0.0.1:4000/v1"],
        ["--model", "it's new", "--base-url", "http://127.0.0.1:8000/v1?".rstrip("?")],
        ["--model", "小模型", "--base-url", "http://127.0.0.1:8000/v1", "--window", "9k"],
        ["--model", "vllm/own", "--window", "16_000", "--params", "8e9"],
    ]
)
TASKS = st.sampled_from(
    [
        [],
        ["--task", "uuid,single"],
        ["--task", "multi", "--facts", "3"],
        ["--task", "distractors,single", "--distractors", "2"],
        ["--task", "chain", "--hops", "2"],
        ["--task", "nonliteral"],
        ["--task", "cross"],
        ["--task", "number,cross"],
        ["--layout", "shared"],
        ["--layout", "shared", "--task", "uuid,cross"],
        ["--needle", "san-francisco"],
        ["--task", "single,multi", "--needle", "xiaoming"],
        ["--needle", "nonliteral"],
    ]
)
LENGTHS = st.lists(st.integers(900, 2_500), min_size=1, max_size=3, unique=True)
DEPTHS = st.lists(st.floats(0, 100).map(lambda x: round(x, 2)), min_size=1, max_size=3)
GRIDS = st.one_of(
    LENGTHS.map(lambda x: ["--lengths", ",".join(map(str, x))]),
    LENGTHS.map(lambda x: ["--grid", "full", "--lengths", ",".join(map(str, x))]),
    st.just(["--lengths", "1k,2k", "--grid", "published"]),
    st.just(["--lengths", "1k,1_500"]),
)
PLACES = st.one_of(
    DEPTHS.map(lambda x: ["--depths", ",".join(map(str, x))]),
    st.integers(1, 5).map(lambda n: ["--depth-count", str(n)]),
    st.integers(2, 5).map(lambda n: ["--depth-count", str(n), "--spacing", "sigmoid"]),
)
WHOSE = st.sampled_from(
    [[], ["--language", "en"], ["--language", "zh"], ["--unit", "hanzi"], ["--count", "vendor"]]
)
SCORERS = st.sampled_from(
    [
        [],
        ["--scorer", "exact,keyword"],
        ["--scorer", "judge,exact", "--judge-model", "moonshot-v1-8k"],
        ["--scorer", "judge", "--judge-model", "j", "--judge-base-url", "http://127.0.0.1:9/v1"],
    ]
)
REST = st.tuples(
    option("--replicates", st.integers(1, 3)),
    option("--seed", st.integers(-3, 10**9)),
    option("--temperature", st.floats(0, 2, allow_subnormal=False)),
    option("--reply-tokens", st.integers(16, 600)),
    option("--concurrency", st.integers(1, 9)),
    option("--timeout", st.floats(0.5, 1e4)),
    option("--controls", st.sampled_from(["all", "none"])),
    option("--prompt", st.sampled_from(["plain", "kamradt"])),
    option("--tokenizer", st.sampled_from(["o200k_base", "cl100k_base"])),
    option("--rpm", st.integers(1, 10**6)),
    option("--tpm", st.integers(10**5, 10**7)),
    st.sampled_from([[], ["--stream"], ["--no-stream"]]),
).map(lambda parts: [word for part in parts for word in part])


@settings(max_examples=40, deadline=None)
@given(st.tuples(MODELS, TASKS, GRIDS, PLACES, WHOSE, SCORERS, REST))
def test_the_command_makes_the_same_run(parts: tuple[list[str], ...]) -> None:
    """Whatever a command line says, the command written from its run.yaml makes the same run."""
    words = [word for part in parts for word in part]
    if "hanzi" in words and "cross" in str(words):
        words.remove("--unit")
        words.remove("hanzi")
    run = prepare_said(*words)
    again = prepare_written(run)
    assert again.digest == run.digest
    assert again == run


def test_the_sample_is_made_again() -> None:
    """The command of the sample in the repository plans the trials that its outcomes have."""
    run = load_run(SAMPLE)
    assert prepare_written(run).digest == run.digest
    assert make_again(run).gaps == ()


@pytest.mark.parametrize("grid", ["published", "full"])
def test_a_named_grid_that_the_window_holds_is_named(grid: str) -> None:
    """A named grid within a model's window is said by its name alone."""
    run = prepare_said("--model", "sim/reader", "--grid", grid, "--window", "300k")
    assert write_command(run) == f"needle run --model sim/reader --window 300000 --grid {grid}"
    assert prepare_written(run).digest == run.digest


@pytest.mark.parametrize("unit", ["tokens", "hanzi"])
def test_a_grid_that_the_window_cut_is_written_out(unit: str) -> None:
    """A named grid that ends at the window is said in lengths, and is the same again."""
    words = ["--model", "moonshot-v1-8k", "--unit", unit, "--depth-count", "2"]
    run = prepare_said(*words, "--grid", "published")
    assert f"--lengths 1k,{run.grid.lengths[1]}," in write_command(run)
    again = prepare_written(run)
    assert (again.digest, again.grid) == (run.digest, run.grid)


def test_a_tier_is_found_again() -> None:
    """Limits that came from a tier are said as that tier, with what was said over it."""
    words = ["--model", "moonshot-v1-8k", "--lengths", "1k", "--tier", "1", "--tpd", "9M"]
    run = prepare_said(*words)
    assert run.limits is not None
    assert "--tier 1 --tpd 9000000" in write_command(run)
    assert prepare_written(run) == run


def read_gaps(again: Again) -> list[str]:
    return [gap.kind for gap in again.gaps]


def write_files(again: Again) -> None:
    for name, text in again.files:
        Path(name).write_text(text, encoding="utf-8")


OWN_NEEDLE: dict[str, Any] = {
    "name": "mine",
    "source": "mine",
    "slots": {"what": [{"en": "a kite: # {1}", "zh": "风筝"}, {"en": "'gold'\\n\x85", "zh": "金"}]},
    "numbers": {"code": 5},
    "variants": [
        {
            "en": {
                "facts": ["The keeper of box {code} owns {what.en}."],
                "question": "What does the keeper of box {code} own?",
                "answers": [["{what.en}"]],
                "distractors": ["The keeper of box 7 owns a cat.", "The keeper of box 8 is out."],
            },
            "zh": {
                "facts": ["{code} 号箱子的主人有{what.zh}。"],
                "question": "{code} 号箱子的主人有什么？",
                "answers": [["{what.zh}"]],
                "distractors": ["七号箱子的主人有一只猫。", "八号箱子的主人出门了。"],
            },
        }
    ],
}


@pytest.mark.parametrize("task", ["single", "single,distractors", "distractors,cross,multi"])
@pytest.mark.parametrize("replicates", [1, 4])
def test_a_needle_of_ones_own_is_given_back(task: str, replicates: int, alone: Path) -> None:
    """A user's own needle is a file again that draws the same facts for the same replicates."""
    (alone / "mine.yaml").write_text(yaml.safe_dump(OWN_NEEDLE), encoding="utf-8")
    words = ["--model", "sim/reader", "--lengths", "1k", "--depth-count", "2", "--task", task]
    run = prepare_said(*words, "--needle", "mine.yaml", "--replicates", str(replicates))
    again = make_again(run)
    assert read_gaps(again) == ["needle_file"]
    (alone / "mine.yaml").unlink()
    write_files(again)
    made = prepare_written(run)
    assert made.digest == run.digest
    assert made.needles == run.needles


def test_several_facts_of_ones_own_are_given_back(alone: Path) -> None:
    """A user's own needle of several facts keeps them in their order, one wording for all."""
    wording = {
        "facts": ["Ann has a red hat.", "Ann has a blue cup.", "Ann has a green bag."],
        "question": "What are all the things that Ann has?",
        "answers": [["red hat"], ["blue cup"], ["green bag"]],
    }
    needle = {"name": "ann", "task": "multi", "source": "", "variants": [{"en": wording}]}
    (alone / "ann.yaml").write_text(yaml.safe_dump(needle), encoding="utf-8")
    words = ["--model", "sim/reader", "--lengths", "1k", "--language", "en"]
    run = prepare_said(*words, "--needle", "ann.yaml", "--replicates", "3")
    write_files(make_again(run))
    assert prepare_written(run).needles == run.needles


def test_a_prompt_of_ones_own_is_given_back(alone: Path) -> None:
    """A user's own prompt is a file again with the same messages, whatever its name."""
    messages = [{"role": "user", "content": "读：{context}\n\n {question} :-)\t"}]
    language = {"separator": "\n", "messages": messages}
    prompt = {"name": "plain", "source": "", "languages": dict.fromkeys(LANGUAGES, language)}
    (alone / "own.yaml").write_text(yaml.safe_dump(prompt), encoding="utf-8")
    run = prepare_said("--model", "sim/reader", "--lengths", "1k", "--prompt", "own.yaml")
    again = make_again(run)
    assert read_gaps(again) == ["prompt_file"]
    write_files(again)
    assert prepare_written(run).templates == run.templates


def test_a_haystack_of_ones_own_is_named(alone: Path) -> None:
    """A user's own text is found where it was; one that has changed since is said to have."""
    folder = alone / "my texts"
    folder.mkdir()
    (folder / "a.txt").write_text("The sea is wide. The day was long. " * 300, encoding="utf-8")
    words = ["--model", "sim/reader", "--lengths", "1k", "--haystack", "my texts"]
    run = prepare_said(*words)
    assert read_gaps(make_again(run)) == ["haystack_own"]
    assert prepare_written(run).digest == run.digest
    (folder / "a.txt").write_text("Another text. " * 900, encoding="utf-8")
    assert read_gaps(make_again(run)) == ["haystack_own", "haystack_changed"]


def test_a_model_of_ones_own_file_is_named(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user's own vendor's file says of a model, and no option can, is said to be missing."""
    vendor = {
        "vendor": "mine",
        "title": "Mine",
        "base_url": "http://127.0.0.1:1/v1",
        "key": None,
        "models": {"m": {"window": "8k", "temperature": None, "extra": {"thinking": False}}},
    }
    (alone / "models").mkdir()
    (alone / "models" / "mine.yaml").write_text(yaml.safe_dump(vendor), encoding="utf-8")
    monkeypatch.setenv("NEEDLE_MODELS", str(alone / "models"))
    run = prepare_said("--model", "m", "--lengths", "1k")
    assert prepare_written(run) == run
    monkeypatch.delenv("NEEDLE_MODELS")
    assert read_gaps(make_again(run)) == ["temperature", "model"]


@pytest.mark.parametrize("needle", [None, "san-francisco"])
def test_an_imported_run_is_imported_again(needle: str | None, alone: Path, call: Call) -> None:
    """An imported run's command imports the same files to the same digest."""
    rows = [
        {
            "context_length": 1_000,
            "depth_percent": depth,
            "model": "m x",
            "model_response": "Eat a sandwich and sit in Dolores Park.",
        }
        for depth in (0, 50)
    ]
    (alone / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    import_results([Path("a.json")], Wish("kamradt", needle), alone / "one", "2026-01-01")
    run = load_run(only_folder(alone / "one"))
    again = make_again(run)
    assert read_gaps(again) == ["imported_files"]
    assert call(*shlex.split(again.command)[1:], "--out", "two").status == 0
    assert load_run(only_folder(alone / "two")).digest == run.digest


def test_every_gap_has_its_sentence_in_both_languages(alone: Path) -> None:
    """What a command leaves open is said in English and in Chinese, and names what it is."""
    folder = alone / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("The sea is wide. The day was long. " * 300, encoding="utf-8")
    run = prepare_said("--model", "sim/reader", "--lengths", "1k", "--haystack", "texts")
    (gap,) = make_again(run).gaps
    english, chinese = (describe_gap(gap, language) for language in LANGUAGES)
    assert str(folder) in english
    assert str(folder) in chinese
    assert english != chinese
