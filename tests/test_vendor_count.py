"""`--count vendor` over whole commands: asked once, kept in run.yaml, planned from it again."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import Call, Called, only_folder, read_log
from serving import Answer, Body, Server, refuse, reply

from needle.edges.tables import make_table
from needle.edges.tokens import load_counting
from needle.runs.drawing import collect_heatmaps
from needle.telling.labels import make_labels

Count = Callable[[str], int]

CL100K = load_counting("cl100k_base").count
OVERHEAD = 9


def own(text: str) -> int:
    """Count as a tokenizer that is nowhere at hand does."""
    return len(re.findall(r"[A-Za-z]{1,4}|[\u4e00-\u9fff]{1,2}|[^\sA-Za-z\u4e00-\u9fff]", text))


def count_body(count: Count, body: Body) -> int:
    return OVERHEAD + sum(count(message["content"]) for message in body["messages"])


def billing(count: Count) -> Callable[[Body, int], Answer]:
    """Answer with usage by a tokenizer; a request without a reply budget asks for counts."""

    def script(body: Body, _number: int) -> Answer:
        tokens = count_body(count, body)
        if "max_tokens" not in body:
            return Answer(text=json.dumps({"data": {"total_tokens": tokens - OVERHEAD}}))
        return reply(usage={"prompt_tokens": tokens, "completion_tokens": 5})

    return script


def options(server: Server, *more: object, model: str = "gpt-4-turbo") -> list[object]:
    return [
        *("--model", model, "--base-url", server.base_url, "--count", "vendor"),
        *("--lengths", "1k,3k", "--depths", "0,50,100", "--controls", "none", *more),
    ]


@pytest.fixture
def run(call: Call, server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Called]:
    """Run with lengths in the endpoint's own tokens."""
    monkeypatch.setenv("OPENAI_API_KEY", "x" * 20)
    server.script = billing(own)
    return lambda *more: call("run", *options(server, *more), "--out", "runs", "--yes")


def run_yaml() -> dict[str, Any]:
    text = (only_folder(Path("runs")) / "run.yaml").read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def outcomes() -> list[dict[str, Any]]:
    return read_log(only_folder(Path("runs")) / "outcomes.jsonl")


def test_lengths_are_the_endpoints_own(run: Callable[..., Called], server: Server) -> None:
    """Every prompt is what was asked for by the endpoint's own count, to within 0.5%."""
    ended = run()
    assert ended.status == 0
    lines = outcomes()
    assert len(lines) == 12
    for line in lines:
        assert line["endpoint_prompt_tokens"] == pytest.approx(line["context_length"], rel=0.005)
    ratios = {x["language"]: x["endpoint_prompt_tokens"] / x["prompt_tokens"] for x in lines}
    assert ratios["en"] > 1.2
    assert ratios["zh"] < 0.8
    kept = run_yaml()["ratio"]
    assert {language: count["source"] for language, count in kept.items()} == {
        "en": "probes",
        "zh": "probes",
    }
    probes = len(server.bodies) - len(lines)
    assert sum(count["requests"] for count in kept.values()) == probes <= 12
    for body in server.bodies[:probes]:
        assert body["max_tokens"] == 16
    counted = sum(count_body(own, body) for body in server.bodies[:probes])
    assert sum(count["prompt_tokens"] for count in kept.values()) == counted < 8_000
    assert sum(count["cost"] for count in kept.values()) > 0
    assert "lengths by the endpoint's own count: off by 0." in ended.err
    table = make_table(only_folder(Path("runs")))
    assert set(table["count"]) == {"vendor"}
    assert (table["endpoint_ratio"][table["language"] == "en"] > 1.2).all()


def test_the_figure_says_whose_tokens_they_are(run: Callable[..., Called]) -> None:
    """The footer names the model's own count, in the language of the labels."""
    assert run("--lengths", "1k", "--depths", "50").status == 0
    english, chinese = collect_heatmaps(only_folder(Path("runs")))
    assert "lengths in tokens of gpt-4-turbo's own count" in make_labels(english, "en").footer[-1]
    assert "长度按 gpt-4-turbo 自己的 token 计" in make_labels(chinese, "zh").footer[-1]


def test_a_known_tokenizer_takes_three_tiny_requests(
    run: Callable[..., Called], server: Server
) -> None:
    """An endpoint that counts as a tokenizer at hand is recognised, and exact."""
    server.script = billing(CL100K)
    assert run("--language", "zh").status == 0
    assert len(server.bodies) == 3 + 6
    kept = run_yaml()["ratio"]["zh"]
    assert (kept["source"], kept["counting"]) == ("recognised", "cl100k_base")
    for line in outcomes():
        assert 0 <= line["context_length"] - line["endpoint_prompt_tokens"] <= 3


def test_resume_plans_the_same_bytes_without_asking(
    run: Callable[..., Called], call: Call, server: Server
) -> None:
    """A run that was broken off goes on with the same prompts, from run.yaml alone."""
    answer = billing(own)
    broken: list[str] = []

    def breaking(body: Body, number: int) -> Answer:
        if body["max_tokens"] == 16 or len(broken) > 4:
            return answer(body, number)
        broken.append(json.dumps(body["messages"]))
        return refuse(400, "the model is resting", "content_filter")

    server.script = breaking
    assert run("--language", "en", "--concurrency", "1").status == 1
    asked = len(server.bodies)
    server.script = answer
    folder = only_folder(Path("runs"))
    assert call("resume", folder, "--failed").status == 0
    again = server.bodies[asked:]
    assert [json.dumps(body["messages"]) for body in again] == broken
    assert run("--language", "en").status == 0
    assert len(server.bodies) == asked + len(broken)
    assert len(list(Path("runs").iterdir())) == 1


def test_plan_and_prompt_use_what_a_run_has_asked(
    run: Callable[..., Called], call: Call, server: Server
) -> None:
    """Plan and prompt send nothing: they say so, or take what a run folder holds already."""
    shown = call("plan", *options(server))
    assert "it is asked first how it counts" in shown.out
    assert "else in up to 10 small ones" in shown.out
    assert "USD" in shown.out
    (record,) = json.loads(call("plan", *options(server), "--json").out)
    assert (record["count"], record["vendor_count"]["en"]["source"]) == ("vendor", "assumed")
    assert record["probes"]["requests"] == 10
    assert not server.bodies
    run()
    asked = len(server.bodies)
    assert "lengths in its own tokens: English 1.3" in call("plan", *options(server)).out
    said = options(server, "--length", "3k", "--depth", "50", "--json")
    record = json.loads(call("prompt", *said, "--language", "zh").out)
    assert len(server.bodies) == asked
    assert record["trial"] in {line["trial"] for line in outcomes()}
    assert record["count"] == "vendor"
    assert record["vendor_tokens"] == pytest.approx(3_000, abs=8)
    assert record["vendor_count"]["source"] == "probes"
    assert record["messages"] in [body["messages"] for body in server.bodies]
    common = [word for word in said if word not in ("--count", "vendor")]
    record = json.loads(call("prompt", *common).out)
    assert (record["count"], record["vendor_tokens"]) == ("common", None)


def test_the_vendors_endpoint_for_counts_is_asked(call: Call, server: Server, alone: Path) -> None:
    """Where a vendor counts for nothing, one small request a language is charged, no more."""
    assert alone.is_dir()
    server.script = billing(own)
    said = options(server, "--out", "runs", "--yes", model="moonshot-v1-8k")
    assert call("run", *said).status == 0
    charged = [body for body in server.bodies if body.get("max_tokens") == 16]
    assert len(charged) == 2
    kept = run_yaml()["ratio"]
    assert all((c["source"], c["requests"]) == ("estimate", 1) for c in kept.values())
    for line in outcomes():
        assert line["endpoint_prompt_tokens"] == pytest.approx(line["context_length"], rel=0.003)
    assert all(
        set(body) == {"model", "messages"} for body in server.bodies if "max_tokens" not in body
    )


def test_small_requests_stand_in_for_a_missing_endpoint_for_counts(
    call: Call, server: Server, alone: Path
) -> None:
    """An address without the vendor's endpoint for counts is asked by small requests."""
    assert alone.is_dir()
    answer = billing(own)
    server.script = lambda body, number: (
        answer(body, number) if "max_tokens" in body else refuse(404, "no such path")
    )
    said = options(server, "--language", "en", "--out", "runs", "--yes", model="moonshot-v1-8k")
    ended = call("run", *said)
    assert ended.status == 0
    assert "small requests stand in" in ended.err
    assert run_yaml()["ratio"]["en"]["source"] == "probes"


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (reply(usage=None), 2, "reports no usage.prompt_tokens"),
        (reply(usage={"prompt_tokens": 500}), 2, "--count common"),
        (refuse(401, "Incorrect API key provided"), 3, "can't be asked how it counts"),
        (refuse(400, "I do not like it"), 3, "I do not like it"),
    ],
)
def test_an_endpoint_that_tells_nothing_ends_in_one_line(
    answer: Answer, status: int, told: str, run: Callable[..., Called], server: Server
) -> None:
    """Without usable counts nothing more is sent, and one line says what to do."""
    server.script = lambda _body, _number: answer
    ended = run()
    assert ended.status == status
    assert len(ended.faults) == 1
    assert told in ended.faults[0]
    assert len(server.bodies) <= 3
    assert not Path("runs").exists()


def test_a_small_reply_budget_that_is_refused_is_raised(
    run: Callable[..., Called], server: Server
) -> None:
    """An endpoint that refuses a probe's reply budget gets the run's own."""
    answer = billing(own)
    server.script = lambda body, number: (
        refuse(400, "max_tokens is too small") if body["max_tokens"] < 64 else answer(body, number)
    )
    assert run("--language", "en").status == 0
    assert sum(body["max_tokens"] == 16 for body in server.bodies) == 1


def test_a_lost_attempt_counts_at_its_worst(run: Callable[..., Called], server: Server) -> None:
    """A probe that no answer came to is asked again, and counts as if it had been charged."""
    answer = billing(CL100K)
    server.script = lambda body, number: Answer(500, "{}") if number == 0 else answer(body, number)
    assert run("--language", "en").status == 0
    kept = run_yaml()["ratio"]["en"]
    probes = server.bodies[1:4]
    assert kept["requests"] == 4
    assert kept["prompt_tokens"] > sum(count_body(CL100K, body) for body in probes)


@pytest.mark.usefixtures("run")
def test_the_budget_holds_for_the_probes(call: Call, server: Server) -> None:
    """What asking costs is part of the budget: too small a one sends nothing, or ends in time."""
    ended = call("run", *options(server), "--budget", "10tok", "--out", "runs")
    assert ended.status == 3
    assert "does not bear asking" in ended.faults[0]
    assert not server.bodies
    english = [*options(server), "--language", "en"]
    ended = call("run", *english, "--budget", "11ktok", "--out", "runs")
    assert ended.status == 3
    assert "is used up" in ended.faults[0]
    counted = sum(count_body(own, body) + 5 for body in server.bodies)
    assert 4_000 < counted <= 11_000
    assert run_yaml()["ratio"]["en"]["prompt_tokens"] > 2_000
    assert call("run", *english, "--budget", "60ktok", "--out", "runs").status == 0
    assert len(outcomes()) == 6


def test_never_past_the_window(run: Callable[..., Called], server: Server) -> None:
    """A named grid's longest prompts and their replies fit the window by the endpoint's count."""
    window = 5_000
    ended = run("--window", str(window), "--length-count", "3", "--lengths", "1k")
    assert ended.status == 2  # lengths and their count exclude each other
    assert run("--window", str(window), "--lengths", "4.8k").status == 2
    assert run("--window", str(window), "--lengths", "1k,4.6k").status == 0
    for body in server.bodies:
        assert count_body(own, body) + body["max_tokens"] <= window


@pytest.mark.parametrize("more", [("--unit", "hanzi"), ("--count", "both")])
def test_what_can_not_be_is_refused(more: tuple[str, str], call: Call, server: Server) -> None:
    """Hanzi and vendor's tokens exclude each other, and any other count is none."""
    ended = call("plan", *options(server), *more)
    assert ended.status == 2
    assert "count" in ended.faults[0]


def test_the_common_count_tells_the_ratio(call: Call, server: Server, alone: Path) -> None:
    """Under the common count a run ends with the mean ratio of both counts, by language."""
    assert alone.is_dir()
    server.script = billing(lambda text: 2 * load_counting("o200k_base").count(text))
    said = [
        word
        for word in options(server, model="moonshot-v1-8k")
        if word not in ("--count", "vendor")
    ]
    ended = call("run", *said, "--out", "runs", "--yes")
    assert ended.status == 0
    assert "the endpoint's tokens for one of o200k_base: 2.0" in ended.err
    assert re.search(r"2\.0\d\d in English, 2\.0\d\d in Chinese", ended.err)
    assert run_yaml()["ratio"] is None


def test_all_tasks_are_fitted_to_one_count_of_their_text(
    run: Callable[..., Called], server: Server
) -> None:
    """Several tasks, controls, and needles in the other's text are fitted by its count."""
    tasks = ("--task", "single,multi,cross", "--controls", "all", "--language", "zh")
    assert run(*tasks).status == 0
    assert set(run_yaml()["ratio"]) == {"en", "zh"}
    lines = outcomes()
    assert {line["control"] for line in lines} == {None, "no_needle", "no_haystack"}
    for line in lines:
        told = pytest.approx(line["endpoint_prompt_tokens"], rel=0.01)
        assert line["context_length"] == told or line["control"] == "no_haystack"
    asked = len(server.bodies)
    folder = only_folder(Path("runs"))
    assert run(*tasks).status == 0
    assert len(server.bodies) == asked
    assert read_log(folder / "outcomes.jsonl") == lines
