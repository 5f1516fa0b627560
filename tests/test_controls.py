"""Controls: the question without its needle, and without any text; their own rows, in no cell."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from driving import Call, only_folder, read_log
from hypothesis import given
from hypothesis import strategies as st
from serving import Answer, Body, Server, reply
from test_labels import make_heatmap

from needle.contexts.grid import choose_place
from needle.statistics.controls import tally_controls
from needle.telling.captions import describe_controls, warn_known
from needle.words.figures import Controls
from needle.words.types import LANGUAGES, Language

LENGTHS, DEPTHS, REPLICATES = 2, 3, 2
SAID = (
    *("--lengths", "1k,2k", "--depths", "0,50,100", "--replicates", "2", "--out", "runs"),
    *("--yes", "--seed", "1"),
)


def run(call: Call, server: Server, *said: str) -> tuple[list[dict[str, Any]], list[Body]]:
    """Run against the server; return the stored lines, and what it saw of each."""
    ended = call("run", "--model", "any", "--base-url", server.base_url, *SAID, *said)
    assert ended.status == 0, ended.err
    lines = read_log(only_folder(Path("runs")) / "outcomes.jsonl")
    numbers = [int(line["request_id"].removeprefix("request-")) for line in lines]
    return lines, [server.bodies[number] for number in numbers]


@pytest.mark.parametrize("layout", ["classic", "shared"])
def test_an_adaptive_run_has_few_controls(layout: str, call: Call) -> None:
    """Each replicate is asked without its needle once, at one of the lengths."""
    said = ("--model", "moonshot-v1-32k", "--language", "en", "--lengths", "2k,4k,6k,8k,10k")
    more = ("--depths", "0,50,100", "--replicates", "10", "--layout", layout, "--json")
    plain, adaptive = (
        json.loads(call("plan", *said, *more, *extra).out)[0] for extra in ((), ("--adaptive",))
    )
    assert plain["controls"]["no_needle"] == 50
    assert adaptive["controls"]["no_needle"] == 10
    assert adaptive["controls"]["no_haystack"] == plain["controls"]["no_haystack"]
    assert adaptive["trials"] == plain["trials"] - 40


@given(st.integers(1, 40), st.integers(1, 60))
def test_few_controls_are_spread_over_the_lengths(lengths: int, replicates: int) -> None:
    """Any first replicates' controls are at each length alike, to within three."""
    counts = Counter(choose_place(replicate, lengths) for replicate in range(replicates))
    assert max(counts.values()) - min(counts[length] for length in range(lengths)) <= 3


@pytest.mark.parametrize("task", ["single", "multi", "distractors", "chain", "cross"])
def test_controls_are_rows_of_their_own(task: str, call: Call, server: Server) -> None:
    """Each language and replicate is asked once a length without its needle, once without text."""
    lines, bodies = run(call, server, "--task", task)
    cells = [line for line in lines if line["control"] is None]
    assert len({line["trial"] for line in lines}) == len(lines)
    assert len(cells) == 2 * LENGTHS * DEPTHS * REPLICATES
    kinds = [line["control"] for line in lines]
    assert kinds.count("no_needle") == 2 * LENGTHS * REPLICATES
    assert kinds.count("no_haystack") == 2 * REPLICATES
    for line, body in zip(lines, bodies, strict=True):
        contents = [message["content"] for message in body["messages"]]
        mine = [c for c in cells if [c[n] for n in SAME] == [line[n] for n in SAME]]
        facts = {n["text"] for cell in mine for n in cell["needles"] if "distractor" not in n}
        texts = {n["text"] for cell in mine for n in cell["needles"]}
        assert 0 <= line["context_length"] - line["prompt_tokens"] <= 8
        if line["control"] is None:
            continue
        assert line["depth_percent"] is None
        assert line["actual_depth_percent"] is None
        assert not any(fact in content for fact in facts for content in contents)
        if line["control"] == "no_haystack":
            assert len(contents) == 1
            assert line["haystack"] is None
            assert len(contents[0]) < 300
            assert line["context_length"] == line["prompt_tokens"]
        else:
            assert {n["text"] for n in line["needles"]} == texts - facts
            assert all(text in contents[-1] for text in texts - facts)
            assert len(contents[-1]) > 700


SAME = ("language", "replicate")


def test_controls_share_their_haystack_and_question(call: Call, server: Server) -> None:
    """Without the needle it is the same text and question; what differs is the needle alone."""
    lines, bodies = run(call, server, "--language", "en")
    for line, body in zip(lines, bodies, strict=True):
        if line["control"] != "no_needle":
            continue
        text, _, question = body["messages"][-1]["content"].rpartition("\n\n")
        for other, asked in zip(lines, bodies, strict=True):
            if [other[n] for n in (*SAME, "context_length")] != [
                line[n] for n in (*SAME, "context_length")
            ]:
                continue
            theirs, _, same = asked["messages"][-1]["content"].rpartition("\n\n")
            assert same == question
            for needle in other["needles"]:
                theirs = theirs.replace(f" {needle['text']}", "").replace(f"{needle['text']} ", "")
            assert text.startswith(theirs[:-40])


def test_no_controls_on_request(call: Call, server: Server) -> None:
    """--controls none asks the cells alone, with the same keys as before."""
    with_controls, _ = run(call, server, "--language", "zh")
    folder = only_folder(Path("runs"))
    folder.rename("with")
    without, _ = run(call, server, "--language", "zh", "--controls", "none")
    assert all(line["control"] is None for line in without)
    cells = {line["trial"] for line in with_controls if line["control"] is None}
    assert cells == {line["trial"] for line in without}


def test_controls_count_in_the_plan(call: Call) -> None:
    """Controls are told in the plan, and are among its trials and tokens."""
    plain = ("plan", "--model", "moonshot-v1-8k", *SAID[:6])
    told = call(*plain).out
    assert "36 trials, of these 8 without the needle, 4 without any text" in told
    assert "without the needle" not in call(*plain, "--controls", "none").out


def answer_sandwich(body: Body, number: int) -> Answer:
    """Answer as a model that knows the classic needle by heart."""
    assert number >= 0
    chinese = "旧金山" in body["messages"][-1]["content"]
    return reply("去多洛雷斯公园，吃份三明治。" if chinese else "Eat a sandwich in Dolores Park.")


def test_a_needle_that_is_known_without_the_text(draw: Call, server: Server) -> None:
    """A figure whose needle the model knows by heart says so on its face and at the run's end."""
    server.script = answer_sandwich
    ended = draw(
        *("run", "--model", "any", "--base-url", server.base_url, *SAID),
        *("--needle", "san-francisco"),
    )
    assert ended.status == 0
    assert ended.out.count("control without the needle: 4 of 4 replies answer all the same") == 2
    assert ended.out.count("control without any text: 2 of 2 replies know it") == 2


@pytest.mark.parametrize(
    ("control", "responses", "expected"),
    [
        ("no_needle", ["The text does not mention it.", "A kite."], Controls(2, 1, 0, 0)),
        ("no_needle", ["文中没有提到。", "一只风筝。", "A pewter teapot."], Controls(3, 2, 0, 0)),
        ("no_needle", ["I can't help with that: it is against my guidelines."], (1, 0, 0, 0)),
        ("no_haystack", ["A pewter teapot.", "I don't know.", "A kite."], Controls(0, 0, 3, 1)),
    ],
)
def test_tally(control: str, responses: list[str], expected: Controls | tuple[int, ...]) -> None:
    """Without the needle any answer counts, without the text the right one alone."""
    states: dict[str, dict[str, Any]] = {}
    scores: dict[str, dict[str, Any]] = {}
    for number, response in enumerate(responses):
        states[str(number)] = line(control, response)
        found = "teapot" in response
        scores[str(number)] = {"score": 1.0 if found else 0.0}
    wanted = expected if isinstance(expected, Controls) else Controls(*expected)
    assert tally_controls("single", "en", states, scores) == wanted
    assert tally_controls("single", "zh", states, scores) is None
    assert tally_controls("multi", "en", states, scores) is None


def line(control: str | None, response: str, failure: object = None) -> dict[str, Any]:
    return {
        "control": control,
        "task": "single",
        "language": "en",
        "response": response,
        "failure": failure,
    }


def test_what_has_no_score_is_left_out() -> None:
    """A failed, filtered or truncated control counts for nothing; cells are no controls."""
    failed = {"kind": "timeout", "message": "", "permanent": False}
    states = {
        "a": line("no_needle", "", failed),
        "b": line("no_needle", "It might be"),
        "c": line(None, "A kite."),
        "d": line("no_haystack", "A kite."),
    }
    scores: dict[str, dict[str, Any]] = {
        "b": {"score": None},
        "c": {"score": 0.0},
        "d": {"score": 0.5},
    }
    assert tally_controls("single", "en", states, scores) == Controls(0, 0, 1, 1)
    assert tally_controls("single", "en", {"c": states["c"]}, scores) is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_words(language: Language) -> None:
    """The footer gives both rates; the warning stands where any reply knew the answer."""
    heatmap = make_heatmap(controls=Controls(9, 2, 3, 1))
    told = " ".join(describe_controls(heatmap, language))
    assert all(figure in told for figure in "9231")
    warning = warn_known(heatmap, language)
    assert warning
    assert "3" in warning
    assert "1" in warning
    assert warn_known(make_heatmap(controls=Controls(9, 9, 3, 0)), language) is None
    assert describe_controls(make_heatmap(), language) == ()
    assert len(describe_controls(make_heatmap(controls=Controls(9, 2, 0, 0)), language)) == 1


def test_needle_prompt_prints_controls(call: Call, server: Server) -> None:
    """``needle prompt --control`` gives a control's messages and key as the server saw them."""
    lines, bodies = run(call, server, "--language", "zh", "--task", "distractors")
    for row, body in zip(lines, bodies, strict=True):
        if row["control"] is None:
            continue
        length = row["context_length"] if row["control"] == "no_needle" else 1_000
        printed = call(
            *("prompt", "--model", "any", "--base-url", server.base_url, "--language", "zh"),
            *("--seed", "1", "--length", length, "--depth", "50", "--control", row["control"]),
            *("--task", "distractors", "--replicate", row["replicate"], "--json"),
        )
        record = json.loads(printed.out)
        assert record["messages"] == body["messages"]
        assert record["trial"] == row["trial"]
        assert record["control"] == row["control"]
