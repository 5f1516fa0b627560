from pathlib import Path

import pytest
from driving import Call, only_folder
from pages import read_data

from needle.runs.drawing import collect_heatmaps
from needle.runs.replies import read_names
from needle.runs.simulator import SIMULATE, running
from needle.words.errors import UsageError


def test_a_simulated_model_under_another_name_says_so(
    call: Call, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever name the built-in endpoint answers by, all that is drawn says simulated."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with running(command=(*SIMULATE, "--as", "gpt-4-turbo=sim/reader")) as base_url:
        said = ("--lengths", "1k", "--depths", "0,100", "--base-url", base_url, "--yes")
        assert call("run", "--model", "gpt-4-turbo", *said).status == 0
    folder = only_folder(alone / "runs")
    assert all(heatmap.simulated for heatmap in collect_heatmaps(folder))
    assert "gpt-4-turbo (simulated)" in call("compare", folder, "--out", alone / "cmp").out
    assert call("report", folder).status == 0
    (run,) = read_data((folder / "report.html").read_bytes())["runs"]
    assert run["simulated"]


@pytest.mark.parametrize("text", ["gpt-4-turbo", "=sim/reader", "x=sim/nobody", "x="])
def test_names_that_are_none(text: str) -> None:
    """A name for a model that there isn't is refused in one line with those there are."""
    with pytest.raises(UsageError, match="--as") as caught:
        read_names([text])
    assert "sim/reader" in str(caught.value)
