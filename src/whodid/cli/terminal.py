"""What goes to people: errors and notes on standard error, never with a secret in them."""

from __future__ import annotations

import sys

from whodid.errors import WhodidError
from whodid.masking import without_secrets


def print_error(error: WhodidError) -> None:
    """Message and hint of an error on standard error."""
    _to_stderr(f"whodid: {without_secrets(error.message)}")
    if error.hint:
        _to_stderr(f"  {without_secrets(error.hint)}")


def note(text: str) -> None:
    """A line for people on standard error."""
    _to_stderr(without_secrets(text))


def _to_stderr(text: str) -> None:
    try:
        print(text.encode("utf-8", "replace").decode(), file=sys.stderr, flush=True)
    except (BrokenPipeError, ValueError):
        return
