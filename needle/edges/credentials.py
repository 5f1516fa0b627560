"""API keys: from the environment, or from a file .env in the folder that needle is called in.

They are read when they are needed, and written nowhere.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from needle.words.errors import UsageError
from needle.words.types import Model

ENV_FILE = ".env"
_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_SECRET = re.compile(r"(?=.*[A-Za-z])(?=.*[^A-Za-z])\S+")
_SHORTEST = 8  # characters of a value that is taken for a secret


def read_variable(name: str) -> str:
    """Return a variable of the environment or else of .env; empty where neither has it."""
    value = os.environ.get(name, "").strip()
    if value or not Path(ENV_FILE).is_file():
        return value
    from dotenv import dotenv_values

    try:
        return (dotenv_values(ENV_FILE, interpolate=False).get(name) or "").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"can't read {ENV_FILE} for {name}: {error}") from error


def find_key(model: Model) -> str | None:
    """Return a model's API key from its variable; raise UsageError if it is not set.

    A model that takes none, or that the catalogue does not know, may do without.
    """
    if model.key_variable is None:
        return None
    key = read_variable(model.key_variable)
    if not key and model.known:
        raise UsageError(
            f"{model.key_variable} is not set: export {model.key_variable}=... with your key for "
            f"{model.name} ({model.vendor}), or write it into {ENV_FILE}"
        )
    if not key.isascii() or any(character.isspace() for character in key):
        raise UsageError(
            f"{model.key_variable} holds a space or a letter that no key has: "
            f"set it to the key alone"
        )
    return key or None


def read_secrets(names: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the values of what is named like a secret in the environment and .env.

    ``names`` are further variables. Short values, plain words and numbers are left out: taking
    them out of a text would take words and numbers out.
    """
    from dotenv import dotenv_values

    try:
        own = dotenv_values(ENV_FILE, interpolate=False) if Path(ENV_FILE).is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"can't read {ENV_FILE}: {error}") from error
    wanted = set(names)
    values = {
        value.strip()
        for variables in (own, os.environ)
        for name, value in variables.items()
        if value and (name in wanted or _SECRET_NAME.search(name))
    }
    found = {v for v in values if len(v) >= _SHORTEST and _SECRET.fullmatch(v)}
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


def refuse_key(option: str) -> None:
    """Raise UsageError for a key on the command line, where others may read it."""
    raise UsageError(
        f"keys are not taken on the command line ({option}): put it into the model's variable, "
        f"such as MOONSHOT_API_KEY, or into {ENV_FILE} (needle models shows which variable)"
    )
