"""Text that comes from outside, made fit for a terminal or a page."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of text or hide in it.
_UNSEEN: Final = "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
# Joiners belong to the writing of Arabic, Syriac and N'Ko, and of India and Sri Lanka; elsewhere two words that look
# the same could differ by one.
_JOINING: Final = "\u0620-\u065f\u066e-\u06dc\u06df-\u06ff\u0710-\u07ff\u0860-\u088e\u08a0-\u08e1\u08e3-\u0dff"
# Several emoji are one with joiners between them, each with a sign of style behind it or without.
_EMOJI: Final = "\u2190-\u2bff\U0001f000-\U0001faff"
_BETWEEN_LETTERS: Final = f"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
_BETWEEN_EMOJI: Final = f"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])"
_UNPRINTABLE: Final = re.compile(f"{_UNSEEN}|(?!{_BETWEEN_LETTERS}|{_BETWEEN_EMOJI})[\u200c\u200d]")


def printable(text: str) -> str:
    """Text without characters that command a terminal, turn its direction or hide; they are shown as escapes."""
    return _UNPRINTABLE.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    letter = match[0]
    plain = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter)
    return plain or (f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}")
