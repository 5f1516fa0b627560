"""The distracted reader: it takes a sentence like the one asked for with a declared chance."""

import json

from needle.runs.replies import read_request, reply
from needle.simulated.surfaces import draw, take

FACT = "The harbour clock of Velmora strikes the hour on a pewter teapot."
RIVAL = "The harbour clock of Tamdalen strikes the hour on a cedar kite."
QUESTION = "What does the harbour clock of Velmora strike to mark the hour?"
FILLER = "It rained on the old road all day, and nobody came by. "


def ask(prompt: str, seed: int) -> str:
    """Return what sim/distracted answers."""
    said = [{"role": "user", "content": prompt}]
    request = json.dumps({"model": "sim/distracted", "messages": said}).encode()
    answered = reply(read_request(request), None, seed, 131_072)
    text = json.loads(answered.body)["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


def test_rivals_are_taken_as_declared() -> None:
    """sim/distracted takes a rival where its draws say so, in about a tenth of the prompts."""
    replies = []
    for number in range(80):
        prompt = f"{FILLER * 20}{RIVAL} {FILLER * number}{FACT}\n\n{QUESTION}"
        taken = (FACT, RIVAL)[take(2, draw(3, "distraction", prompt))]
        assert ask(prompt, 3) == taken
        replies.append(taken)
    assert 2 < replies.count(RIVAL) < 20


def test_nothing_else_distracts() -> None:
    """Where no sentence is like the one asked for, sim/distracted finds it every time."""
    for number in range(40):
        prompt = f"{FILLER * 20}{FILLER * number}{FACT}\n\n{QUESTION}"
        assert ask(prompt, 3) == FACT
