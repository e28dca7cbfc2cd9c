"""JSON and plain values as objects of a type, whichever thread is the first to ask for it.

msgspec looks at a type when something is first read as it, and where two threads do that at once, the process ends with
a segmentation fault (msgspec 0.22). A decoder that a module makes when it is loaded is made by one thread, too; what
several modules read is looked at where it is defined.
"""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_looking: Final = threading.Lock()
_looked_at: Final[set[Any]] = set()


def look_at(*kinds: Any) -> None:
    """Have msgspec look at these types, each once, one after the other."""
    for kind in kinds:
        if kind not in _looked_at:
            with _looking:
                msgspec.json.Decoder(kind)
                _looked_at.add(kind)


def decode(data: bytes | str, kind: type[T]) -> T:
    """JSON as an object of this type.

    Raises
    ------
    msgspec.DecodeError, msgspec.ValidationError, RecursionError
        It is none, or nests too deep.
    """
    look_at(kind)
    return msgspec.json.decode(data, type=kind)


def convert(value: Any, kind: type[T], *, strict: bool = True) -> T:
    """Numbers, texts, lists and mappings as an object of this type; not `strict`: a text may be a number, too.

    Raises
    ------
    msgspec.ValidationError
        They are none.
    """
    look_at(kind)
    return msgspec.convert(value, kind, strict=strict)
