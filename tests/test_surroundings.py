"""What stands around a needle is what stood around it in the prompt, and little of it."""

from pathlib import Path

import pytest

from needle.commands.running import prepare_models
from needle.contexts.passages import find_boundaries, read_passage
from needle.contexts.prompts import build_messages, choose_template
from needle.contexts.tasks import TASKS, text_language
from needle.edges.store import create_run, load_run
from needle.runs.loading import read_states
from needle.runs.prepare import Prepared
from needle.runs.surroundings import SIDE, Surrounding, find_surroundings
from needle.words.types import Trial

SAMPLE = Path(__file__).resolve().parents[1] / "runs" / "sample"


def prepare_run(**said: object) -> Prepared:
    recipe = {"model": ["sim/reader"], "grid": {"lengths": "1k,3k", "depth_count": "5"}, **said}
    _, (prepared,) = prepare_models(None, recipe)
    return prepared


def surround_all(prepared: Prepared, folder: Path) -> dict[str, Surrounding]:
    """Surround the needles of a run's every trial, by what its folder says of the run."""
    run = load_run(create_run(folder, prepared.run))
    return find_surroundings(run, {trial.key for trial in prepared.plan.trials})


def write_prompt(prepared: Prepared, trial: Trial) -> str:
    haystack = prepared.haystacks[trial.text_language]
    template = choose_template(prepared.run.templates, trial.task, trial.language)
    passage = read_passage(haystack, trial.haystack_offset, trial.cut)
    return "\n".join(each["content"] for each in build_messages(trial, template, passage))


def squeeze(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("task", TASKS)
def test_it_stands_so_in_the_prompt(task: str, tmp_path: Path) -> None:
    """What is said to stand before and after each sentence does so in the very prompt."""
    prepared = prepare_run(task=task, replicates="2")
    found = surround_all(prepared, tmp_path)
    shown = 0
    for trial in prepared.plan.trials:
        prompt = squeeze(write_prompt(prepared, trial))
        places = found[trial.key].places if trial.key in found else ()
        assert [place.needle for place in places] == [place.text for place in trial.places]
        assert [p.distractor for p in places] == [p.distractor for p in trial.places]
        for place in places:
            before, after = prompt.split(squeeze(place.needle))
            assert before.endswith(squeeze(place.before))
            assert after.startswith(squeeze(place.after))
            shown += bool(place.before) + bool(place.after)
    assert shown > len(found)


@pytest.mark.parametrize("said", [{}, {"task": "multi", "facts": "10"}, {"task": "nonliteral"}])
def test_it_is_a_small_part(said: dict[str, str], tmp_path: Path) -> None:
    """No side is longer than SIDE, and all of a trial's are a quarter of its text at the most."""
    prepared = prepare_run(**said)
    cuts = {trial.key: trial.cut for trial in prepared.plan.trials}
    for key, surrounding in surround_all(prepared, tmp_path).items():
        sides = [text for place in surrounding.places for text in (place.before, place.after)]
        assert all(len(text) <= SIDE for text in sides)
        assert sum(map(len, sides)) <= cuts[key] / 4


def test_around_other_needles_nothing_is_shown(tmp_path: Path) -> None:
    """In a shared context what stands around the needle asked for is shown, and no more."""
    prepared = prepare_run(layout="shared", language="en")
    found = surround_all(prepared, tmp_path)
    for trial in prepared.plan.trials:
        if trial.key not in found:
            continue
        prompt = squeeze(write_prompt(prepared, trial))
        places = found[trial.key].places
        assert [place.other for place in places] == [place.other for place in trial.places]
        for place in places:
            if place.other:
                assert (place.before, place.after) == ("", "")
            else:
                before, after = prompt.split(squeeze(place.needle))
                assert before.endswith(squeeze(place.before))
                assert after.startswith(squeeze(place.after))
                assert place.before or place.after


def test_it_is_cut_between_sentences(tmp_path: Path) -> None:
    """Where whole sentences fit on a side, it holds nothing but whole sentences."""
    prepared = prepare_run(grid={"lengths": "8k", "depth_count": "11"}, controls="none")
    found = surround_all(prepared, tmp_path)
    whole = 0
    for trial in prepared.plan.trials:
        passage = read_passage(prepared.haystacks[trial.language], 0, trial.cut)[: trial.cut]
        ends = [0, *find_boundaries(passage)]
        (place,), position = found[trial.key].places, trial.places[0].position
        if any(position - SIDE <= end < position for end in ends):
            start = len(passage[:position].rstrip()) - len(place.before)
            assert passage[start:].startswith(place.before)
            assert len(passage[:start].rstrip()) in ends
            whole += 1
        if any(position < end <= position + SIDE for end in ends):
            start = position + len(passage[position:]) - len(passage[position:].lstrip())
            assert passage[start:].startswith(place.after)
            assert start + len(place.after) in (*ends, len(passage.rstrip()))
            whole += 1
    assert whole > 30


def test_ends_of_the_text_have_one_side(tmp_path: Path) -> None:
    """A needle before the first word has nothing before it, one after the last nothing after."""
    prepared = prepare_run()
    found = surround_all(prepared, tmp_path)
    for trial in prepared.plan.trials:
        if trial.depth_percent == 0:
            assert not found[trial.key].places[0].before
            assert found[trial.key].places[0].after
        if trial.depth_percent == 100:
            assert found[trial.key].places[0].before
            assert not found[trial.key].places[0].after


def test_the_sample_has_its_surroundings() -> None:
    """Every trial of the sample in the repository is found again."""
    asked = read_states(SAMPLE).keys()
    assert find_surroundings(load_run(SAMPLE), asked).keys() == asked


def test_a_text_that_has_changed_shows_nothing(alone: Path) -> None:
    """Where the haystack has changed or is gone, there is nothing, and no error."""
    folder = alone / "texts"
    folder.mkdir()
    text = folder / "a.txt"
    text.write_text("The sea is wide. The day was long. " * 400, encoding="utf-8")
    prepared = prepare_run(haystack=["texts"])
    assert surround_all(prepared, alone)
    text.write_text("The sea is deep. The day was long. " * 400, encoding="utf-8")
    assert surround_all(prepared, alone) == {}
    text.unlink()
    assert surround_all(prepared, alone) == {}


def test_the_other_language_stands_around_a_crossed_needle(tmp_path: Path) -> None:
    """Around a needle of the task cross stands the text of the other language."""
    prepared = prepare_run(task="cross", language="zh", controls="none")
    assert text_language("cross", "zh") == "en"
    for surrounding in surround_all(prepared, tmp_path).values():
        for place in surrounding.places:
            assert (place.before + place.after).isascii() != place.needle.isascii()
