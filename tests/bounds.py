"""What an ideal prefix cache has to read of a plan's prompts, in any tokens.

It keeps every token of every prompt from the moment that it is sent: whatever the order, it has
to read each distinct beginning once.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, starmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from needle.contexts.prompts import build_messages, choose_template
from needle.runs.prepare import Prepared
from needle.runs.writing import passage_reader

Encode = Callable[[str], Sequence[int]]
_A_MESSAGE = 2**30  # stands for a message's beginning, and is no token's number


def load_tokenizer(path: Path) -> Encode:
    """Return what turns a text into the tokens of a tokenizer.json."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))

    def encode(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    return encode


def encode_prompts(prepared: Prepared, encode: Encode) -> list[NDArray[np.int32]]:
    """Return every prompt of a plan as tokens."""
    read, prompts = passage_reader(prepared), []
    for trial in prepared.plan.trials:
        template = choose_template(prepared.run.templates, trial.task, trial.language)
        messages = build_messages(trial, template, read(trial))
        ids = [token for message in messages for token in (_A_MESSAGE, *encode(message["content"]))]
        prompts.append(np.array(ids, np.int32))
    return prompts


def count_ideal(prompts: list[NDArray[np.int32]], readings: int = 1) -> int:
    """Return the tokens that an ideal prefix cache has to read of prompts.

    With two readings it serves what two others had in common before it, and not what one had.
    """
    order = sorted(prompts, key=lambda ids: ids.astype(">i4").tobytes())
    shared = [0, *starmap(_count_common, pairwise(order))]
    once = sum(map(len, order)) - sum(shared)
    twice = sum(max(0, after - before) for before, after in pairwise([*shared, 0]))
    return once if readings == 1 else once + twice


def _count_common(one: NDArray[np.int32], other: NDArray[np.int32]) -> int:
    """Return with how many same tokens two prompts begin."""
    least = min(len(one), len(other))
    differ = np.flatnonzero(one[:least] != other[:least])
    return int(differ[0]) if len(differ) else least
