"""What goes to people: errors and notes on standard error, never with a secret in them."""

from __future__ import annotations

import re
import sys
from typing import Final

from whodid.errors import WhodidError

_PASSWORD_IN_URL: Final = re.compile(r"(\w+://[^\s/:@]*):[^\s@]+@")
# In an explanation KEY stands for a key.
_BEARER: Final = re.compile(r"(?i)(bearer\s+)(?!(?-i:KEY)['\"\s])\S+")


def without_secrets(text: str) -> str:
    """The text with passwords of URLs and bearer keys masked."""
    return _BEARER.sub(r"\1***", _PASSWORD_IN_URL.sub(r"\1:***@", text))


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
