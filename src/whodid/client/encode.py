"""Messages to JSON, whatever is in their parameters: a logging call must not fail because of what it logs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypedDict

import msgspec

from whodid.client.message import Message
from whodid.event import ENTITIES_MAX, EVENT_BYTES_MAX, LEVELS, NESTING_MAX, PARAMETERS_MAX

REDACTED: Final = "[redacted]"
REPR_CHARS_MAX: Final = 1_000
TEXT_CHARS_MAX: Final = 100_000
ITEMS_MAX: Final = 1_000
_DEPTH_MAX: Final = 20
_SIZES_MAX: Final = {
    "type": 200, "topic": 200, "routing_key": 200, "user": 200, "acting_for": 200, "via": 1000, "function": 1000,
    "request_id": 1000, "status": 200, "node": 200, "node_type": 200,
}  # fmt: skip


_sized: Final = attrgetter(*_SIZES_MAX)


class _Limits(TypedDict):
    chars_max: int
    items_max: int
    is_secret: Callable[[str], bool] | None
    depth: int


def unserialisable(value: Any, chars_max: int = REPR_CHARS_MAX) -> dict[str, Any]:
    """What stands for a value that has no JSON: `{"$repr", "$type"}`, and `$truncated` when its repr was cut.

    Tables and arrays (what has a `shape`) give their shape in place of their content.
    """
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple) and shape:
            return {"$type": name, "$shape": [size if isinstance(size, int) else str(size) for size in shape]}
        text = repr(value)
    except Exception as error:
        return {"$repr": f"<{name} whose repr fails: {type(error).__name__}>", "$type": name}
    if len(text) <= chars_max:
        return {"$repr": _clean(text), "$type": name}
    return {"$repr": _clean(text[:chars_max]), "$type": name, "$truncated": True}


def plain(
    value: Any,
    *,
    chars_max: int = TEXT_CHARS_MAX,
    items_max: int = ITEMS_MAX,
    is_secret: Callable[[str], bool] | None = None,
    depth: int = 0,
) -> Any:
    """A copy of a value as JSON can hold it, bounded in text, items and depth; what was cut is marked.

    is_secret  tells names within mappings whose values are written as "[redacted]".
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(str.__str__(value), chars_max)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$repr": repr(float(value)), "$type": "float"}
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        if depth >= _DEPTH_MAX:
            return {"$repr": "…", "$type": type(value).__name__, "$truncated": True}
        limits: _Limits = {
            "chars_max": chars_max, "items_max": items_max, "is_secret": is_secret, "depth": depth + 1,
        }  # fmt: skip
        return _mapping(value, limits) if isinstance(value, dict) else _items(value, limits)
    try:
        if isinstance(value, os.PathLike):
            return _text(str(os.fspath(value)), chars_max)
        found = _scalar(value)
        if found is None:
            found = msgspec.to_builtins(value, enc_hook=_refuse)
        return plain(found, chars_max=chars_max, items_max=items_max, is_secret=is_secret, depth=depth + 1)
    except Exception:
        return unserialisable(value, min(chars_max, REPR_CHARS_MAX))


def encoded(message: Message) -> bytes:
    """The JSON of a message, an event that the server takes: within its limits, without what no store can hold.

    Raises
    ------
    Exception
        Not even its fields can be written; the parameters never are a reason.
    """
    try:
        line = _ENCODER.encode(message)
        if _is_ordinary(line, message):
            return line
    except (ValueError, TypeError, RecursionError, OverflowError):
        pass
    return _carefully(message)


def _is_ordinary(line: bytes, message: Message) -> bool:
    if len(line) > EVENT_BYTES_MAX or len(message.params) > PARAMETERS_MAX:
        return False
    for value, size_max in zip(_sized(message), _SIZES_MAX.values(), strict=True):
        if value is not None and len(value) > size_max:
            return False
    if not message.type or message.level not in LEVELS or len(message.entities) > ENTITIES_MAX:
        return False
    if line.count(b"[") + line.count(b"{") > NESTING_MAX:
        return False
    # A float that is no number is written as null.
    return b"null" not in line and b"\\u0000" not in line


def _carefully(message: Message) -> bytes:
    chars_max, items_max = TEXT_CHARS_MAX, ITEMS_MAX
    for name, size_max in _SIZES_MAX.items():
        value = getattr(message, name)
        if value is not None:
            setattr(message, name, _clean(str(value))[:size_max] or ("log" if name == "type" else None))
    if message.level not in LEVELS:
        message.params["level"] = message.level
        message.level = "info"
    del message.entities[ENTITIES_MAX:]
    whole = (message.params, message.message, message.error_message, message.stack_trace)
    while True:
        params, text, error_message, stack_trace = whole
        message.params = _mapping(
            params, {"chars_max": chars_max, "items_max": items_max, "is_secret": None, "depth": 1}
        )
        message.message = _cut(text, chars_max)
        message.error_message = _cut(error_message, chars_max)
        message.stack_trace = _cut(stack_trace, chars_max)
        line = _ENCODER.encode(message)
        if len(line) <= EVENT_BYTES_MAX or chars_max < 100:
            return line
        chars_max, items_max = chars_max // 4, max(10, items_max // 4)


def _mapping(value: dict[Any, Any], limits: _Limits) -> dict[str, Any]:
    found: dict[str, Any] = {}
    is_secret = limits["is_secret"]
    items_max = min(limits["items_max"], PARAMETERS_MAX - 1)
    for key, item in list(value.items())[:items_max]:
        name = _clean(key if isinstance(key, str) else str(key))[:1000]
        found[name] = REDACTED if is_secret is not None and is_secret(name) else plain(item, **limits)
    if len(value) > items_max:
        found["$left_out"] = len(value) - items_max
    return found


def _items(value: Any, limits: _Limits) -> Any:
    items = [plain(item, **limits) for _, item in zip(range(limits["items_max"]), value, strict=False)]
    if len(value) > len(items):
        return {"$first": items, "$length": len(value), "$truncated": True}
    return items


def _text(value: str, chars_max: int) -> Any:
    if len(value) <= chars_max:
        return _clean(value)
    return {"$text": _clean(value[:chars_max]), "$length": len(value), "$truncated": True}


def _cut(value: Any, chars_max: int) -> str | None:
    if value is None:
        return None
    text = _clean(value if isinstance(value, str) else str(value))
    return text if len(text) <= chars_max else f"{text[:chars_max]}… ({len(text):,} characters)"


def _clean(text: str) -> str:
    """Without NUL, which no store takes, and without halves of surrogate pairs, which have no UTF-8."""
    if "\0" in text:
        text = text.replace("\0", "␀")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _scalar(value: Any) -> Any:
    """The number or text within what numpy and its kin call a scalar, else None."""
    if getattr(value, "shape", None) != ():
        return None
    item = value.item()
    return item if isinstance(item, (str, int, float)) else None


def _refuse(value: Any) -> Any:
    raise TypeError(type(value))


def _hook(value: Any) -> Any:
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        # msgspec asks again for a key that is none in JSON, and would go on asking about what it is given.
        return str(value)[:REPR_CHARS_MAX]
    return plain(value)


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_hook)
