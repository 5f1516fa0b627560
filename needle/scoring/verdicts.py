"""What kind of reply it is: an answer, "the text does not say", or a refusal on policy. Pure.

docs/scoring.md states the rules, and how often they are right on a labelled set.
"""

import re
from typing import Literal

from needle.scoring.folding import plain
from needle.scoring.wordings import (
    ASKS_BACK,
    BARE,
    CLAUSES,
    DECLINED,
    GROUND,
    GUESS,
    LACKING,
    REFUSED,
)

Kind = Literal["answer", "not_said", "refused", "empty"]
KINDS: tuple[Kind, ...] = ("answer", "not_said", "refused", "empty")

_LETTER = re.compile(r"[^\W_]")


def classify_reply(response: str, gives_fact: bool = False) -> Kind:
    """Tell whether a reply answers, says that the text does not say, declines, or is empty.

    ``gives_fact`` tells that the reply names the needle's fact or a part of it, which makes
    it an answer whatever else it says. So does a guess beside "the text does not say". A
    reason that lies in the text goes before a plain "I can't help", a policy before both.
    """
    text = plain(response).replace("’", "'").replace("`", "'")
    if not _LETTER.search(text):
        return "empty"
    if gives_fact:
        return "answer"
    if REFUSED.search(text):
        return "refused"
    declines = DECLINED.search(text) is not None
    if _lacks(DECLINED.sub(" ", text)) or (declines and GROUND.search(text)):
        return "answer" if _guesses(text) else "not_said"
    if declines:
        return "refused"
    if text.rstrip().endswith(("?", "？")) and ASKS_BACK.search(text):
        return "not_said"
    return "answer"


def _lacks(text: str) -> bool:
    """Tell whether a text says, or is no more than a word for, that there is no answer."""
    bare = " ".join(text.strip(" \n.。!！*\"'“”").split())
    return bool(BARE.fullmatch(bare) or LACKING.search(text))


def _guesses(text: str) -> bool:
    """Tell whether a text guesses in a clause that does not itself say that it lacks something."""
    return any(GUESS.search(clause) and not _lacks(clause) for clause in CLAUSES.split(text))
