"""Prompts: a template, a context and a question put together into chat messages. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from needle.contexts.context import plant
from needle.contexts.counting import Slice
from needle.contexts.tasks import text_language
from needle.words.types import Language, Message, Template, Trial

CONTEXT = "{context}"
QUESTION = "{question}"

CHAT_OVERHEAD = 32
"""Tokens kept free for the chat format's own marks around two or three messages."""

BARE = Template("bare", "en", (("user", QUESTION),), "")
"""The question without any text, as a user would ask it, whatever its language: a template's
instruction to answer from the document would keep a model from saying what it knows."""


def choose_template(
    templates: Mapping[Language, Template], task: str, language: Language
) -> Template:
    """Return the prompt of a task and language, with the separator of the text's language."""
    separator = templates[text_language(task, language)].separator
    return replace(templates[language], separator=separator)


def split_template(template: Template, question: str) -> tuple[tuple[str, str], list[str]]:
    """Return the text around the context in its message, and the other messages' contents.

    Braces in a question or a haystack are text: only the template's own marks are filled.
    """
    around, others = ("", ""), []
    for _, content in template.messages:
        if CONTEXT in content:
            before, after = content.split(CONTEXT)
            around = (_ask(before, question), _ask(after, question))
        else:
            others.append(_ask(content, question))
    return around, others


def _ask(text: str, question: str) -> str:
    return text.replace(QUESTION, question)


def build_messages(trial: Trial, template: Template, passage: str) -> list[Message]:
    """Build a trial's messages from the text of its replicate's passage.

    Where there is no haystack, ``BARE`` stands for the template.
    """
    question = trial.needle.question
    if trial.control == "no_haystack":
        return [{"role": role, "content": _ask(text, question)} for role, text in BARE.messages]
    (before, after), _ = split_template(template, question)
    positions = [place.position for place in trial.places]
    inserts = [place.text for place in trial.places]
    planted = plant(positions, inserts, trial.cut, template.separator)
    # One join: a prompt may be megabytes long, and each further copy costs milliseconds.
    filled = "".join(
        passage[part.start : part.end] if isinstance(part, Slice) else part
        for part in (before, *planted, after)
    )
    return _put_in(template, question, filled)


def fill_template(template: Template, question: str, context: str) -> list[Message]:
    """Build messages of any context: those of a probe, which is no trial."""
    (before, after), _ = split_template(template, question)
    return _put_in(template, question, f"{before}{context}{after}")


def _put_in(template: Template, question: str, filled: str) -> list[Message]:
    return [
        {"role": role, "content": filled if CONTEXT in content else _ask(content, question)}
        for role, content in template.messages
    ]
