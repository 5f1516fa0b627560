"""Recipes, needles and prompts: every fault is one line with value, place and remedy."""

from pathlib import Path

import pytest

from needle.edges.config import load_template, read_recipe
from needle.edges.needlefiles import load_needle_source
from needle.edges.sweepfile import read_sweep
from needle.words.errors import UsageError


def write(folder: Path, text: str | bytes, name: str = "x.yaml") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("grid: {depths: [0, 50, 75, 120]}", ("0-100", "120", "grid.depths[3]")),
        ("grid: {depths: [.nan]}", ("0-100", "nan", "grid.depths[0]")),
        ("grid: {depths: []}", ("at least one", "grid.depths")),
        ("grid: {lengths: [1k, -5]}", ("-5", "grid.lengths[1]")),
        ("grid: {lengths: [0]}", ("positive", "0", "grid.lengths[0]")),
        ("grid: {lengths: [true]}", ("True", "grid.lengths[0]")),
        ("grid: {lengths: [1e999]}", ("grid.lengths[0]",)),
        ("grid: {lengths: [1k], length_count: 3}", ("exclude each other",)),
        ("grid: {name: fulll}", ("'fulll'", "'full'", "grid.name")),
        ("grid: 3", ("grid", "3")),
        ("replicats: 2", ("replicats", "did you mean 'replicates'")),
        ("grid: {dephts: [1]}", ("dephts", "did you mean 'depths'")),
        ("replicates: 0", ("replicates", "0")),
        ("replicates: 1.5", ("replicates", "1.5")),
        ("task: nope", ("'nope'", "single")),
        ("unit: hanzi\nlanguage: en", ("hanzi", "zh")),
        ("model: [a", ("bad YAML", "x.yaml:")),
        ("- 1", ("mapping", "list")),
        ("a: b: c", ("bad YAML", "x.yaml:1:")),
        (b"\xff\xfe", ("UTF-8", "0xff")),
        (b"a\x00b", ("binary",)),
    ],
)
def test_a_faulty_recipe_is_told_in_one_line(
    tmp_path: Path, text: str | bytes, parts: tuple[str, ...]
) -> None:
    """Each fault of a recipe is one line that names the value and where it stands."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as fault:
        read_recipe(path, {})
    assert "\n" not in str(fault.value)
    for part in (*parts, "x.yaml"):
        assert part in str(fault.value)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_recipe_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A recipe that is not there, or is a folder, is named."""
    with pytest.raises(UsageError, match=r"can't read .*--config"):
        read_recipe(tmp_path / name, {})


def test_the_command_line_is_over_the_file(tmp_path: Path) -> None:
    """What the command line says replaces what the file says, and only that."""
    path = write(tmp_path, "model: a\nseed: 3\ngrid: {lengths: [1k, 2k], depth_count: 5}")
    recipe = read_recipe(path, {"seed": "4", "grid": {"length_count": "7"}})
    assert recipe.model == ("a",)
    assert recipe.seed == 4
    assert recipe.grid.lengths is None
    assert recipe.grid.length_count == 7
    assert recipe.grid.depth_count == 5


def test_counts_go_with_their_tasks(tmp_path: Path) -> None:
    """A file's counts are left out with the tasks that the command line leaves out."""
    path = write(tmp_path, "task: [multi, chain]\nfacts: 3\nhops: 2")
    both = read_recipe(path, {})
    assert (both.facts, both.hops) == (3, 2)
    one = read_recipe(path, {"task": "chain"})
    assert (one.facts, one.hops) == (None, 2)
    assert read_recipe(path, {"task": "chain", "facts": "5"}).facts == 5


def test_a_fault_is_reported_where_it_stands(tmp_path: Path) -> None:
    """A fault of the command line is not put on the file, nor the other way round."""
    path = write(tmp_path, "seed: 3")
    with pytest.raises(UsageError, match=r"command line: grid\.depths\[1\]"):
        read_recipe(path, {"grid": {"depths": "0,101"}})


def test_every_shipped_recipe_is_sound() -> None:
    """The recipes of configs/runs, and the sweep there, read without a fault."""
    folder = Path(__file__).resolve().parents[1] / "configs" / "runs"
    paths = {path.name: path for path in folder.glob("*.yaml")}
    assert read_sweep(paths.pop("sweep.yaml")).entries
    assert len(paths) >= 4
    for path in paths.values():
        read_recipe(path, {})


PROMPT = """
name: mine
source: me
languages:
  en:
    separator: " "
    messages:
      - {role: user, content: "{context} {question}"}
"""


@pytest.mark.parametrize(
    ("new", "part"),
    [
        ("{question}", "{context} once, got 0"),
        ("{context}", "{question} once, got 0"),
        ("{context} {context} {question}", "{context} once, got 2"),
        ("{question} {context}", "the question comes last"),
    ],
)
def test_a_prompt_holds_context_and_question_once_in_order(
    tmp_path: Path, new: str, part: str
) -> None:
    """A prompt without its marks, or with the question first, is refused."""
    assert load_template(str(write(tmp_path, PROMPT)), "en").separator == " "
    path = write(tmp_path, PROMPT.replace("{context} {question}", new))
    with pytest.raises(UsageError) as fault:
        load_template(str(path), "en")
    assert part in str(fault.value)
    assert "x.yaml" in str(fault.value)


def test_every_shipped_needle_and_prompt_is_in_both_languages() -> None:
    """Whatever exists in English exists in Chinese."""
    configs = Path(__file__).resolve().parents[1] / "configs"
    for path in sorted((configs / "prompts").glob("*.yaml")):
        assert load_template(path.stem, "en").messages != load_template(path.stem, "zh").messages
    for path in sorted((configs / "needles").glob("*.yaml")):
        for variant in load_needle_source(path.stem).variants:
            assert set(variant) == {"en", "zh"}
