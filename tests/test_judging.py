"""``needle score --scorer judge`` over a real loopback server: verdicts, failures, money, keys."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import KEY, Call, Start, finish, list_files, only_folder, read_log
from serving import Answer, Body, Server, refuse, reply

from needle.runs.judging import Case, score_verdict
from needle.words.types import Asked, Model, Reply

JUDGE_KEY = "wR7/judge+key=0815"
JUDGE_FIELDS = ["trial", "scorer", "score", "verdict", "explanation"]
JUDGE_FIELDS += ["model", "cost", "failure", "request", "tokens"]
ANSWERS = (
    "An enamel flute.",
    "一支珐琅长笛",
    "The text does not say.",
    "I can't help with that.",
    "",
)
TRIALS = 12
Grade = Callable[[str], Any]


def grade_by_words(answer: str) -> Any:
    """Grade an answer as a judge would that reads it."""
    return 10 if "flute" in answer or "长笛" in answer else 1


def read_fenced(body: Body) -> str:
    """Return the reply that a judge was asked about."""
    user: str = body["messages"][-1]["content"]
    fence = next(line for line in user.splitlines() if line.startswith("ANSWER-"))
    return user.split(fence)[1].strip("\n")


def serve(server: Server, grade: Grade = grade_by_words) -> None:
    """Answer as the model under test, or as the judge, by the model's name."""

    def script(body: Body, number: int) -> Answer:
        if body["model"] != "judge":
            return reply(ANSWERS[number % len(ANSWERS)])
        said = grade(read_fenced(body))
        if isinstance(said, Answer):
            return said
        text = said if isinstance(said, str) else json.dumps({"score": said, "reason": "so"})
        return reply(text, usage={"prompt_tokens": 500, "completion_tokens": 20})

    server.script = script


def judged(server: Server) -> list[str]:
    return [read_fenced(body) for body in server.bodies if body["model"] == "judge"]


def last_verdicts(folder: Path) -> dict[str, dict[str, Any]]:
    lines = [line for line in read_log(folder / "scores.jsonl") if line["scorer"] == "judge"]
    return {line["trial"]: line for line in lines}


def run_said(server: Server) -> list[str]:
    return [
        *("run", "--model", "moonshot-v1-8k", "--base-url", server.base_url, "--yes"),
        *("--lengths", "1k,2k", "--depths", "0,50,100", "--concurrency", "1"),
        *("--controls", "none"),
    ]


def score_said(server: Server, folder: Path, *more: str) -> list[str]:
    return [
        *("score", str(folder), "--scorer", "judge", "--judge-model", "judge"),
        *("--judge-base-url", server.base_url, *more),
    ]


@pytest.fixture
def folder(server: Server, call: Call, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a run of twelve trials, two of them without an answer in words."""
    monkeypatch.setenv("OPENAI_API_KEY", JUDGE_KEY)
    serve(server)
    assert call(*run_said(server)).status == 0
    return only_folder(Path("runs"))


def test_a_run_is_judged(server: Server, folder: Path, draw: Call) -> None:
    """Each reply gets one verdict with the judge's fields; figures are drawn by it from then on."""
    ended = draw(*score_said(server, folder, "--yes"))
    assert ended.status == 0, ended.err
    lines = last_verdicts(folder)
    assert len(lines) == TRIALS
    assert all(list(line) == JUDGE_FIELDS for line in lines.values())
    answers = {line["trial"]: line["response"] for line in read_log(folder / "outcomes.jsonl")}
    for trial, line in lines.items():
        score, verdict = 0.0, "missed"
        if "flute" in answers[trial] or "长笛" in answers[trial]:
            score, verdict = 1.0, "found"
        elif "help" in answers[trial]:
            verdict = "refused"
        assert (line["score"], line["verdict"], line["failure"]) == (score, verdict, None)
        assert line["model"] == ("judge" if answers[trial] else None)
        assert line["tokens"] == (520 if answers[trial] else 0)
    empty = sum(not answer for answer in answers.values())
    assert sorted(judged(server)) == sorted(answer for answer in answers.values() if answer)
    assert len(judged(server)) == TRIALS - empty
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert settled["primary_scorer"] == "judge"
    assert settled["scorers"] == ["judge", "keyword"]
    assert settled["judge"]["name"] == "judge"
    assert ended.out.count("by judge of") == 2
    assert "English: keyword recall and the judge judge agree on" in ended.out
    assert "kappa" in ended.out
    assert {
        key
        for body, key in zip(server.bodies, server.keys, strict=True)
        if body["model"] == "judge"
    } == {JUDGE_KEY}
    for data in list_files(folder).values():
        assert KEY.encode() not in data
        assert JUDGE_KEY.encode() not in data
    table = (folder / "table.csv").read_text(encoding="utf-8")
    assert "judge_model" in table.splitlines()[0]
    assert draw("heatmap", folder, "--scorer", "keyword").status == 0
    assert (folder / "heatmap-single-en-keyword.png").is_file()


def test_a_verdict_is_paid_for_once(server: Server, folder: Path, call: Call) -> None:
    """Scored again, by whatever scorer, a run with its verdicts asks and changes nothing."""
    assert call(*score_said(server, folder, "--yes")).status == 0
    asked, files = len(server.bodies), list_files(folder)
    for said in (
        score_said(server, folder),
        ["score", str(folder), "--scorer", "judge"],
        ["score", str(folder)],
    ):
        assert call(*said).status == 0
    assert len(server.bodies) == asked
    assert list_files(folder) == files


def test_other_accepted_answers_are_asked_about(
    server: Server, folder: Path, call: Call, tmp_path: Path
) -> None:
    """Where accepted answers have changed, the replies about them are judged again, no others."""
    assert call(*score_said(server, folder, "--yes")).status == 0
    before = len(judged(server))
    shipped = Path(__file__).resolve().parents[1] / "configs" / "needles" / "fictional.yaml"
    changed = tmp_path / "changed.yaml"
    changed.write_text(
        shipped.read_text(encoding="utf-8").replace(
            '- - "{material.en} {thing.en}"', '- - "{thing.en}"'
        ),
        encoding="utf-8",
    )
    said = score_said(server, folder, "--yes", "--needle", str(changed))
    assert call(*said).status == 0
    english = [
        line["response"]
        for line in read_log(folder / "outcomes.jsonl")
        if line["language"] == "en" and line["response"]
    ]
    assert sorted(judged(server)[before:]) == sorted(english)


def test_another_judge_is_asked(server: Server, folder: Path, call: Call) -> None:
    """The verdicts of one judge are not taken for another's."""
    assert call(*score_said(server, folder, "--yes")).status == 0
    before = len(judged(server))
    server.script = lambda _body, _number: reply("Score: 5")
    said = ["other" if word == "judge" else word for word in score_said(server, folder, "--yes")]
    said[said.index("--scorer") + 1] = "judge"
    assert call(*said).status == 0
    assert sum(body["model"] == "other" for body in server.bodies) == before
    verdicts = last_verdicts(folder).values()
    assert {line["model"] for line in verdicts} == {"other", None}
    assert {line["verdict"] for line in verdicts if line["model"]} == {"partial"}


def test_judging_can_be_stopped(
    server: Server, folder: Path, call: Call, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C waits for the verdicts in flight, and the same command asks only for the rest."""
    monkeypatch.setenv("OPENAI_API_KEY", JUDGE_KEY)
    before = len(server.bodies)
    server.let(3)
    process = start(*score_said(server, folder, "--yes", "--concurrency", "2"))
    server.wait_for(before + 5)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "in flight" not in process.stderr.readline():
        assert process.poll() is None
    server.let(None)
    ended = finish(process)
    assert ended.status == 130, ended.err
    assert len(server.bodies) == before + 5
    kept = {trial for trial, line in last_verdicts(folder).items() if line["model"]}
    assert len(kept) == 5
    assert call(*score_said(server, folder, "--yes")).status == 0
    fenced = judged(server)
    answered = [line["response"] for line in read_log(folder / "outcomes.jsonl")]
    assert sorted(fenced) == sorted(answer for answer in answered if answer)


def test_failures_of_the_judge_are_apart(server: Server, folder: Path, call: Call) -> None:
    """A judge that gives no legal grade has failed: no score, not wrong, and asked again."""
    serve(server, lambda answer: "It is fine." if "flute" in answer else 1)
    ended = call(*score_said(server, folder, "--yes"))
    assert ended.status == 1
    assert "ask the judge again" in ended.err
    failed = {t: line for t, line in last_verdicts(folder).items() if line["failure"]}
    assert failed
    for line in failed.values():
        assert (line["score"], line["verdict"]) == (None, "failed")
        assert line["failure"]["kind"] == "no_grade"
        assert "It is fine." in line["failure"]["message"]
        assert line["tokens"] == 520
    before = len(judged(server))
    serve(server)
    assert call("score", folder, "--scorer", "judge", "--yes").status == 0
    assert len(judged(server)) - before == len(failed)
    assert all(line["failure"] is None for line in last_verdicts(folder).values())
    assert all(last_verdicts(folder)[trial]["score"] == 1.0 for trial in failed)


def test_passing_failures_of_the_judge_are_retried(
    server: Server, folder: Path, call: Call
) -> None:
    """A 429 or 500 is asked again at once; what fails to the end is kept apart."""
    seen: dict[str, int] = {}

    def grade(answer: str) -> Any:
        seen[answer] = seen.get(answer, 0) + 1
        return refuse(429, "slow down", retry_after="0") if seen[answer] == 1 else 10

    serve(server, grade)
    assert call(*score_said(server, folder, "--yes")).status == 0
    assert all(line["failure"] is None for line in last_verdicts(folder).values())


def test_a_bad_key_stops_the_judging(server: Server, folder: Path, call: Call) -> None:
    """A judge that takes no key stops it all, with what is done kept, and can be gone on with."""
    serve(server, lambda _: refuse(401, f"Incorrect API key provided: {JUDGE_KEY}"))
    ended = call(*score_said(server, folder, "--yes", "--concurrency", "1"))
    assert ended.status == 3
    assert "go on with: needle score" in ended.err
    assert len(judged(server)) == 1
    assert JUDGE_KEY not in ended.err + ended.out
    assert all(JUDGE_KEY.encode() not in data for data in list_files(folder).values())
    serve(server)
    assert call("score", folder, "--scorer", "judge", "--yes").status == 0


def test_a_budget_is_kept_over_all_judging(server: Server, folder: Path, call: Call) -> None:
    """A budget in tokens is never exceeded, what earlier judging spent included."""
    ended = call(*score_said(server, folder, "--budget", "5ktok", "--concurrency", "1"))
    assert ended.status == 3
    assert "the budget of 5,000 tokens is used up" in ended.err
    spent = sum(line["tokens"] for line in read_log(folder / "scores.jsonl") if "tokens" in line)
    assert 0 < spent <= 5_000
    asked = len(judged(server))
    assert call("score", folder, "--scorer", "judge", "--budget", "5ktok").status == 3
    assert len(judged(server)) == asked
    assert call("score", folder, "--scorer", "judge", "--budget", "1Mtok").status == 0
    assert len(last_verdicts(folder)) == TRIALS


def test_a_verdict_without_usage_counts_with_its_whole_reply() -> None:
    """What a judge does not tell of its verdict's length is paid as the longest, later too."""
    judge = Model("judge", "v", "http://judge.example/v1", "KEY", reply_tokens=512)
    case = Case("t", "en", Reply("a flute"), (), "r", 300)
    score = score_verdict(judge, case, Asked(Reply("GRADE: 1"), 1, 0, 0.1, "2026-11-01T00:00:00Z"))
    assert score.extra["tokens"] == 300 + 512


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "say --yes, or give a --budget"),
        (("--budget", "5USD"), "has no known price"),
        (("--scorer", "taste"), "unknown scorer 'taste'"),
        (("--judge-model", "sim/reader"), "can't judge"),
    ],
)
def test_nothing_is_sent_without_leave(
    more: tuple[str, ...], words: str, server: Server, folder: Path, call: Call
) -> None:
    """Without leave, a price for the budget or a model that can judge, one line says so."""
    files = list_files(folder)
    said = score_said(server, folder, *more)
    ended = call(*said)
    assert ended.status == 2
    assert len(ended.faults) == 1
    assert words in ended.faults[0]
    assert not judged(server)
    assert list_files(folder) == files


def test_the_price_is_shown_first(
    server: Server, folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies, tokens and money are told before the judge is asked, and costs are kept."""
    monkeypatch.setenv("OPENAI_API_KEY", JUDGE_KEY)
    server.script = lambda _body, _number: reply(
        "10", usage={"prompt_tokens": 500, "completion_tokens": 20}
    )
    said = score_said(server, folder, "--yes")
    said[said.index("--judge-model") + 1] = "gpt-4-turbo"
    ended = call(*said)
    assert ended.status == 0
    assert "judging" in ended.err
    assert "USD with every verdict at its longest" in ended.err
    costs = [line["cost"] for line in last_verdicts(folder).values() if line["model"]]
    assert costs
    assert all(
        cost == {"amount": pytest.approx((500 * 10 + 20 * 30) / 1e6), "currency": "USD"}
        for cost in costs
    )


def test_a_judge_needs_a_name(folder: Path, call: Call) -> None:
    """--scorer judge without a model, or a model without --scorer judge, is one line."""
    assert "--judge-model" in call("score", folder, "--scorer", "judge").faults[0]
    assert "--scorer judge" in call("score", folder, "--judge-model", "judge").faults[0]
    (unknown,) = call("score", folder, "--scorer", "judge", "--judge-model", "nobody").faults
    assert "unknown model 'nobody' (--judge-model)" in unknown
    assert "any other needs --judge-base-url" in unknown


def test_a_run_asks_its_judge_at_its_end(
    server: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``needle run --scorer judge`` judges once all replies are there; resume goes on with it."""
    monkeypatch.setenv("OPENAI_API_KEY", JUDGE_KEY)
    serve(server, lambda _: "no grade")
    judge = ["--scorer", "judge,exact", "--judge-model", "judge"]
    judge += ["--judge-base-url", server.base_url]
    ended = call(*run_said(server), *judge)
    assert ended.status == 1
    folder = only_folder(Path("runs"))
    models = [body["model"] for body in server.bodies]
    assert models == sorted(models, reverse=True)  # moonshot's before the judge's
    scorers = {line["scorer"] for line in read_log(folder / "scores.jsonl")}
    assert scorers == {"keyword", "exact", "judge"}
    serve(server)
    assert call("resume", folder).status == 0
    assert all(line["failure"] is None for line in last_verdicts(folder).values())
    settled = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    assert settled["primary_scorer"] == "judge"


def test_one_budget_is_for_requests_and_verdicts(
    server: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget of a run covers its replies and its verdicts together, and is never exceeded."""
    monkeypatch.setenv("OPENAI_API_KEY", JUDGE_KEY)
    serve(server)
    judge = ["--scorer", "judge", "--judge-model", "judge", "--judge-base-url", server.base_url]
    ended = call(*run_said(server), *judge, "--budget", "17ktok")
    assert ended.status == 3, ended.err
    folder = only_folder(Path("runs"))
    replies = sum(
        line["endpoint_prompt_tokens"] + line["completion_tokens"]
        for line in read_log(folder / "outcomes.jsonl")
    )
    verdicts = sum(line["tokens"] for line in last_verdicts(folder).values())
    assert verdicts > 0
    assert replies + verdicts <= 17_000
    assert "is used up (--budget)" in ended.err


def test_a_finished_run_takes_on_a_judge(server: Server, folder: Path, call: Call) -> None:
    """The same run asked for again with a judge pays for verdicts alone, and asks leave first."""
    asked = len(server.bodies)
    judge = ["--scorer", "judge", "--judge-model", "judge", "--judge-base-url", server.base_url]
    without = [word for word in run_said(server) if word != "--yes"]
    assert call(*without, *judge).status == 2
    assert len(server.bodies) == asked
    assert call(*run_said(server), *judge).status == 0
    assert {body["model"] for body in server.bodies[asked:]} == {"judge"}
    assert len(last_verdicts(folder)) == TRIALS


def test_an_order_within_an_answer_stays_data(server: Server, folder: Path, call: Call) -> None:
    """What the judge is told before and after an answer is the same whatever the answer orders."""
    assert call(*score_said(server, folder, "--yes")).status == 0
    bodies = [body for body in server.bodies if body["model"] == "judge"]
    heads = set()
    for body in bodies:
        user = body["messages"][-1]["content"]
        fence = next(line for line in user.splitlines() if line.startswith("ANSWER-"))
        before, _, after = user.split(fence)
        heads.add((body["messages"][0]["content"].replace(fence, "F"), before, after))
    assert len(heads) == 2  # one a language
