"""Declared surfaces: the chance that a simulated model sees a sentence, by length and depth.

Pure. Because each surface is a formula, the true recall of every cell of a simulated run is
known in advance, and what the suite measures can be held against it.
"""

import hashlib
import math
from collections.abc import Callable

SIGHT = 32_000
"""Tokens at the prompt's end that ``window`` sees."""

Surface = Callable[[int, float], float]


def full(tokens: int, depth_percent: float) -> float:  # noqa: ARG001 - a surface's two axes
    """Recall 1 everywhere."""
    return 1.0


def none(tokens: int, depth_percent: float) -> float:  # noqa: ARG001 - a surface's two axes
    """Recall 0 everywhere."""
    return 0.0


def middle(tokens: int, depth_percent: float) -> float:
    """Recall of a model that loses the middle of long contexts, the more the longer they are.

        recall = 1 / (1 + exp(-(|depth - 55| - half) / 2))
        half   = min(9 log2(tokens / 32,000), 35)

    A valley round 55% depth with soft edges, ``half`` percentage points to either side of
    its centre. At the centre recall is 0.99 at 16k tokens, 0.5 at 32k, 0.01 at 64k; at 128k
    the valley reaches from 37 to 73%. It never reaches the ends: at 0 and 100% recall is
    above 0.99 at every length.
    """
    half = min(9 * math.log2(max(tokens, 1) / 32_000), 35.0)
    return 1 / (1 + math.exp(-(abs(depth_percent - 55) - half) / 2))


def window(tokens: int, depth_percent: float) -> float:
    """Recall of a model that sees only the last 32,000 tokens of the prompt: a cliff.

    recall = 1 if tokens (1 - depth / 100) <= 32,000 else 0
    """
    return 1.0 if tokens * (1 - depth_percent / 100) <= SIGHT else 0.0


SURFACES: dict[str, Surface] = {"full": full, "none": none, "middle": middle, "window": window}


def recall(surface: str, tokens: int, depth_percent: float, model_window: int) -> float:
    """Return the declared recall, 0-1, of a cell.

    ``tokens`` are those of all message contents; ``model_window`` is the model's window in
    tokens. A prompt that is longer has no reply at all, and so no recall.
    """
    return SURFACES[surface](tokens, depth_percent) if tokens <= model_window else 0.0


DISTRACTION = 0.1
"""The chance that each rival sentence has to be taken for the answer by a distracted reader."""


def take(near: int, drawn: float) -> int:
    """Return which of so many near sentences, nearest first, a distracted reader answers with.

    The nearest if ``drawn``, within 0-1, is below its declared recall among ``near - 1`` rivals,
    (1 - 0.1) ** (near - 1); else one of the rivals, each as likely as the others.
    """
    recall = (1 - DISTRACTION) ** (near - 1)
    return 0 if drawn < recall else 1 + int((near - 1) * (drawn - recall) / (1 - recall))


def draw(seed: int, surface: str, prompt: str) -> float:
    """Draw a number within 0-1 from a seed, a surface and a prompt: the same one every time.

    A sentence is seen if the draw is below the recall at its place.
    """
    salt = hashlib.sha256(f"{surface} {seed}".encode()).digest()
    digest = hashlib.sha256(salt + prompt.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:7]) / 2**56
