"""``needle check --model``: one tiny request tells in plain words what works."""

import pytest
from driving import KEY, Call
from serving import Answer, Body, Server, refuse, reply


def check(call: Call, server: Server) -> tuple[int, str, str]:
    ended = call("check", "--model", "moonshot-v1-8k", "--base-url", server.base_url)
    return ended.status, ended.out, ended.err


def test_a_good_endpoint_is_told_to_be_good(server: Server, call: Call) -> None:
    """One request is sent, and key, model, window, usage, cache, parameters, clock are told."""
    usage = {"prompt_tokens": 14, "completion_tokens": 2, "cached_tokens": 0}
    server.script = lambda _body, _number: reply("OK", usage=usage)
    server.listed = [{"id": "moonshot-v1-8k", "context_length": 8_192}]
    status, out, _ = check(call, server)
    assert status == 0
    assert len(server.bodies) == 1
    for told in (
        "served as served-model",
        "key: taken (MOONSHOT_API_KEY)",
        "8,192 tokens by the catalogue; 8,192 tokens by the endpoint's list of models",
        "usage: reported: 14 prompt tokens",
        "cached tokens: reported",
        "all that needle sends are taken",
        "clock: agrees",
        "CNY",
    ):
        assert told in out
    assert KEY not in out


def test_what_is_not_reported_is_said_to_be_missing(server: Server, call: Call) -> None:
    """An endpoint without usage and list of models is told to be one; it still answers."""
    server.script = lambda _body, _number: reply("OK", usage=None)
    status, out, _ = check(call, server)
    assert status == 0
    assert "usage: not reported" in out
    assert "cached tokens: not reported" in out
    assert "does not list this model" in out


def test_rejected_parameters_are_named(server: Server, call: Call) -> None:
    """Each parameter that is refused by name is left out, or takes its other name, and told."""

    def script(body: Body, _number: int) -> Answer:
        if "max_tokens" in body:
            words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return refuse(400, words, "unsupported_parameter")
        if "temperature" in body:
            return refuse(400, "Unsupported value: 'temperature' does not support 0.0")
        return reply("OK")

    server.script = script
    status, out, _ = check(call, server)
    assert status == 0
    assert len(server.bodies) == 3
    assert "max_completion_tokens" in server.bodies[-1]
    assert "rejects max_tokens, temperature" in out


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (refuse(401, f"Incorrect API key provided: {KEY}"), 3, "can't be asked"),
        (refuse(404, "no such model", "model_not_found"), 3, "can't be asked"),
        (refuse(400, "I do not like it"), 1, "I do not like it"),
        (refuse(500, "oops"), 1, "server"),
    ],
)
def test_what_does_not_work_is_told(
    answer: Answer, status: int, told: str, server: Server, call: Call
) -> None:
    """A bad key or model ends in one line; another failure is told with its kind."""
    server.script = lambda _body, _number: answer
    ended, out, err = check(call, server)
    assert ended == status
    assert told in out + err
    assert KEY not in out + err
    assert len(server.bodies) == 1


def test_a_clock_that_is_wrong_is_told(
    server: Server, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock more than half a minute from the endpoint's is told, with how far."""
    monkeypatch.setattr("needle.commands.checkup._SKEW_S", -1.0)
    _, out, _ = check(call, server)
    assert "0 s ahead of the endpoint's" in out or "1 s ahead of the endpoint's" in out
