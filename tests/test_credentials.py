"""Keys come from the environment or .env, and from nowhere else."""

from pathlib import Path

import pytest
from driving import KEY, Call, list_files
from serving import Server

from needle.edges.credentials import find_key
from needle.edges.models import find_model
from needle.words.errors import UsageError

MODEL = find_model("moonshot-v1-8k", None, None)


def test_the_environment_comes_before_the_file(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key stands in its variable or, where that is unset or empty, in .env."""
    (alone / ".env").write_text("MOONSHOT_API_KEY='from $file'\n", encoding="utf-8")
    assert find_key(MODEL) == KEY
    monkeypatch.setenv("MOONSHOT_API_KEY", " ")
    (alone / ".env").write_text("# mine\nexport MOONSHOT_API_KEY='sk-$file'\n", encoding="utf-8")
    assert find_key(MODEL) == "sk-$file"


def test_no_key_is_one_line(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the line names the variable and the file; an unknown model may do without."""
    monkeypatch.delenv("MOONSHOT_API_KEY")
    (alone / ".env").write_text("OTHER=1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="MOONSHOT_API_KEY is not set") as fault:
        find_key(MODEL)
    assert ".env" in str(fault.value)
    assert find_key(find_model("mine", "http://127.0.0.1:1/v1", None)) is None


@pytest.mark.parametrize("wrong", ["sk-1 sk-2", "sk-“quoted”"])
def test_what_is_no_key_is_not_sent(
    wrong: str, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that no header could carry is refused, and not repeated."""
    assert alone.is_dir()
    monkeypatch.setenv("MOONSHOT_API_KEY", wrong)
    with pytest.raises(UsageError, match="MOONSHOT_API_KEY") as fault:
        find_key(MODEL)
    assert wrong not in str(fault.value)


@pytest.mark.parametrize("option", ["--api-key", "--key"])
@pytest.mark.parametrize("command", ["run", "plan", "prompt", "check", "resume"])
def test_a_key_on_the_command_line_is_refused(
    command: str, option: str, call: Call, server: Server, alone: Path
) -> None:
    """A key as an option's value ends in one line that does not repeat it; nothing is sent."""
    for said in ([option, "sk-0123456789"], [f"{option}=sk-0123456789"]):
        ended = call(command, "--base-url", server.base_url, *said)
        assert ended.status == 2
        assert len(ended.faults) == 1
        assert "0123456789" not in ended.err + ended.out
    assert not server.bodies
    assert not list_files(alone)
