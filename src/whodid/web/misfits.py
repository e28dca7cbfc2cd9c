"""What a body has that its type does not allow, told with what it allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import inspect

from whodid.errors import WhodidError

# `msgspec` tells what is wrong in words only; the tests hold them still.
_CHOICE: Final = re.compile(r"Invalid enum value (?P<value>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<value>.*?)`(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.(?P<name>[^.\[]+)|\[(?:\d+|\.\.\.)\]")
_SHOWN_MAX: Final = 100


def misfit(error: Exception, kind: Any) -> WhodidError:
    """`invalid`: what is wrong with a body that should have been `kind`, by what `msgspec` says of it.

    A wrong choice is told with those there are, an unknown field with the known ones.
    """
    said = str(error)
    if (found := _CHOICE.fullmatch(said)) and (choices := _choices(_types_at(kind, found["path"]))):
        message = f"{_name(found['path'])} cannot be {_short(found['value'])}."
        return WhodidError("invalid", message, f"It is one of: {', '.join(choices)}.")
    if (found := _UNKNOWN.fullmatch(said)) and (names := _fields(_types_at(kind, found["path"]))):
        within = f" in {_name(found['path'])}" if found["path"] else ""
        return WhodidError(
            "invalid", f"There is no field {_short(found['value'])!r}{within}.", f"Fields: {', '.join(names)}."
        )
    return WhodidError("invalid", f"The body cannot be read: {said}.", "See /docs for what belongs into it.")


def _types_at(kind: Any, path: str | None) -> list[inspect.Type]:
    """The types that a value at a path such as `.to.mail[0]` may have."""
    types = list(_alternatives(inspect.type_info(kind)))
    for step in _STEP.finditer(path or ""):
        types = [one for above in types for below in _below(above, step["name"]) for one in _alternatives(below)]
    return types


def _alternatives(kind: inspect.Type) -> Iterable[inspect.Type]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _below(kind: inspect.Type, name: str | None) -> Iterator[inspect.Type]:
    """The types of a member, by its name; of any element or value without one."""
    if isinstance(kind, inspect.StructType) and name is not None:
        yield from (field.type for field in kind.fields if field.encode_name == name)
    elif isinstance(kind, inspect.CollectionType) and name is None:
        yield kind.item_type
    elif isinstance(kind, inspect.DictType) and name is None:
        yield kind.value_type


def _choices(types: Iterable[inspect.Type]) -> list[str]:
    return [str(value) for kind in types if isinstance(kind, inspect.LiteralType) for value in kind.values]


def _fields(types: Iterable[inspect.Type]) -> list[str]:
    return [field.encode_name for kind in types if isinstance(kind, inspect.StructType) for field in kind.fields]


def _name(path: str | None) -> str:
    return (path or "").lstrip(".") or "The body"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"
