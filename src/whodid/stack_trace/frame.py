"""One frame of a stack trace, and the ideas of text that Dart has and Python has otherwise."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# Longer lines are unparsed: every reader below needs time in proportion to a line, some a little more.
LINE_CHARS_MAX: Final = 8 * 1024

# `\s` of a Dart (ECMAScript) regular expression, for use within [].
SPACE: Final = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
LINE_ENDS: Final = re.compile(r"[\n\r\u2028\u2029]")

_WIDE_SPACES: Final = "".join(map(chr, range(0x2000, 0x200B)))
_TRIMMED: Final = f"\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff{_WIDE_SPACES}"
_INTEGER_MAX: Final = 2**63 - 1


class Frame(NamedTuple):
    """Where a call was: its library (URI or path) and member, written as Dart writes them."""

    library: str
    member: str


def unparsed(line: str) -> Frame:
    """The frame of a line that no format fits."""
    return Frame("unparsed", line)


def trimmed(text: str) -> str:
    """`text` without white space at both ends, by Dart's idea of white space."""
    return text.strip(_TRIMMED)


def fits_integer(digits: str) -> bool:
    """Whether Dart's int.parse takes these decimal digits; beyond 63 bits it refuses the whole frame."""
    return len(digits) < 19 or (len(digits) <= 40 and int(digits) <= _INTEGER_MAX)
