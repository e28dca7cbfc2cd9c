"""Text that comes from outside, made fit for a terminal."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of text.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def printable(text: str) -> str:
    """Text without characters that command a terminal or turn its direction; they are shown as escapes."""
    return _UNPRINTABLE.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    letter = match[0]
    plain = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter)
    return plain or (f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}")
