"""How much of a grid llama.cpp's own server has to evaluate, in the order that needle sends it."""

from pathlib import Path

import pytest
from bounds import count_ideal, encode_prompts, load_tokenizer
from driving import Start, finish, only_folder, read_log
from real.parts import RUN_S, serving_llama
from rehearsing import prepare_grid

WINDOW, COUNT, DEPTHS = 6_000, 6, 7
LONGEST_S = 3 * RUN_S


@pytest.mark.parametrize("slots", [1, 4])
def test_little_more_is_evaluated_than_must_be(slots: int, start: Start, tmp_path: Path) -> None:
    """llama.cpp evaluates at most 10% more than an ideal prefix cache, and less than row by row."""
    evaluated = {}
    for order, said in {"row by row": ("--cache", "none"), "needle's": ()}.items():
        folder = tmp_path / order
        folder.mkdir()
        with serving_llama(folder, WINDOW, slots) as llama:  # nothing is in its slots yet
            asked = (
                *("run", "--model", "llama.cpp/needle-random", "--base-url", llama.base_url),
                *("--yes", "--controls", "none", "--language", "en", "--reply-tokens", "8"),
                *("--tokenizer", str(llama.tokenizer), "--window", str(WINDOW)),
                *("--length-count", str(COUNT), "--depth-count", str(DEPTHS)),
                *("--concurrency", str(slots), "--out", str(folder / "runs"), *said),
            )
            called = finish(start(*asked), LONGEST_S)
        assert called.status == 0, called.err
        outcomes = read_log(only_folder(folder / "runs") / "outcomes.jsonl")
        assert len(outcomes) == COUNT * DEPTHS
        evaluated[order] = sum(
            line["endpoint_prompt_tokens"] - line["cached_tokens"] for line in outcomes
        )
    grid = prepare_grid(
        COUNT, DEPTHS, window=WINDOW, reply_tokens=8, tokenizer=str(llama.tokenizer)
    )
    ideal = count_ideal(encode_prompts(grid, load_tokenizer(llama.tokenizer)))
    assert ideal < evaluated["needle's"] < 1.1 * ideal
    assert evaluated["needle's"] < evaluated["row by row"]
