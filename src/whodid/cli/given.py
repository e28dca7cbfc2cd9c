"""Texts out of files that the command line names."""

from __future__ import annotations

import sys
from pathlib import Path

from whodid.errors import WhodidError


def text_of(path: Path) -> str:
    """The text of a file, in UTF-8; `-` stands for standard input.

    Raises
    ------
    WhodidError("invalid")
        It cannot be read, or is no such text.
    """
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise WhodidError("invalid", f"{path} cannot be read: {why}.", "Name a file of text.") from error


def secret_of(path: Path | None) -> str:
    """A secret out of a file: on the command line it would be seen in the list of processes."""
    return "" if path is None else text_of(path).strip()
