"""The progress of many runs: a line for each on a terminal, plain lines elsewhere."""

import io

from rehearsing import prepare_grid
from rich.console import Console

from needle.runs.board import Board, Row
from needle.words.types import Asked, Reply, Score


def fill(board: Board, name: str, done: int) -> Row:
    """Add a run to the board, of which so many of its trials are done."""
    prepared = prepare_grid("1k", 3)
    row = board.add_row(name, prepared.run)
    trials = prepared.plan.trials
    row.begin(trials, [])
    for trial in trials[:done]:
        asked = Asked(Reply("x", endpoint_prompt_tokens=900, completion_tokens=100), 1, 0, 0.1, "")
        row.show(trial, asked, Score(trial.key, "keyword", 1.0, "found", ""), None)
    return row


def test_plain_lines_tell_of_runs_that_are_done() -> None:
    """Elsewhere than on a terminal each run is told of once it is done, and all can be told."""
    stream = io.StringIO()
    board = Board(stream)
    with board:
        fill(board, "first", 3)
        fill(board, "second", 1).say("a word")
    assert stream.getvalue().splitlines() == [
        "first: 3/3 trials · 3,000 tokens",
        "second: a word",
    ]
    assert board.describe() == "1/2 runs · 4/6 trials · 4,000 tokens"


def test_runs_that_are_done_give_way() -> None:
    """Where the terminal has no room for all runs, those at work are shown."""
    console = Console(file=io.StringIO(), width=80, height=5)
    board = Board(console=console)
    for number in range(4):
        fill(board, f"done-{number}", 3)
    fill(board, "at-work", 1)
    console.print(board.render())
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "at-work" in shown
    assert sum(f"done-{number}" in shown for number in range(4)) == 1
    assert "4/5 runs" in shown
