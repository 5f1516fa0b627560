"""Every error that a user can cause, as one tree.

    NeedleError
    ├── UsageError        wrong use or configuration: nothing was sent      (exit 2)
    ├── StoreError        a run folder that can't be read, written or owned (exit 2)
    └── Stopped           a run that ended early and can be resumed         (exit 3)

Each message is one line: what is wrong, the value, the place, the remedy.
"""

from typing import TypeVar

Value = TypeVar("Value")


class NeedleError(Exception):
    """An error that ends in one line on the terminal."""

    exit_status = 2


class UsageError(NeedleError):
    """Wrong use or configuration; nothing was sent."""


class StoreError(NeedleError):
    """A run folder that can't be read, written or owned."""


class Stopped(NeedleError):  # noqa: N818 - it is a stop, not an error of the program
    """A run that ended before its last trial, with what is done kept."""

    exit_status = 3


def known(value: Value | None) -> Value:
    """Return what a run of needle's own always knows; raise UsageError for an imported one."""
    if value is None:
        raise UsageError("this run was imported: nothing of it can be sent")
    return value
