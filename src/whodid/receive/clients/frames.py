"""Exceptions that were told as frames, as text: the stack trace that the platform itself would have printed."""

from __future__ import annotations

from typing import Any, Final

FRAMES_MAX: Final = 500
_CHAIN: Final = {
    "__cause__": "\nThe above exception was the direct cause of the following exception:\n",
    "__context__": "\nDuring handling of the above exception, another exception occurred:\n",
}
_BETWEEN: Final = "\nThe above exception led to the following exception:\n"


def message(exception: dict[str, Any]) -> str | None:
    """`TYPE: VALUE` of an exception; None if it says neither."""
    kind, value = exception.get("type"), exception.get("value")
    told = [str(part) for part in (kind, value) if part not in (None, "")]
    return ": ".join(told) or None


def stack_trace(exceptions: list[dict[str, Any]], platform: str) -> str | None:
    """The stack traces of exceptions that led to each other, the first cause first; None if there are no frames.

    Frames are listed from the outermost call to the innermost. Python prints them so; the others the other way round.
    """
    if not any(frames_of(each) for each in exceptions):
        return None
    if platform != "python":
        return "\n".join(_innermost_first(each, platform) for each in reversed(exceptions))
    parts: list[str] = []
    for before, each in zip([None, *exceptions], exceptions, strict=False):
        if before is not None:
            parts.append(_link(before))
        parts.append(_outermost_first(each))
    return "\n".join(parts)


def _link(before: dict[str, Any]) -> str:
    mechanism = before.get("mechanism")
    source = mechanism.get("source") if isinstance(mechanism, dict) else None
    return _CHAIN.get(source, _BETWEEN) if isinstance(source, str) else _BETWEEN


def _outermost_first(exception: dict[str, Any]) -> str:
    lines = ["Traceback (most recent call last):"]
    for frame in frames_of(exception):
        lines.append(f'  File "{_file(frame)}", line {frame.get("lineno", "?")}, in {_function(frame)}')
        if isinstance(frame.get("context_line"), str) and frame["context_line"].strip():
            lines.append(f"    {frame['context_line'].strip()}")
    return "\n".join([*lines, message(exception) or ""])


def _innermost_first(exception: dict[str, Any], platform: str) -> str:
    lines = [message(exception) or ""]
    for frame in reversed(frames_of(exception)):
        function = _function(frame)
        if platform == "java" and frame.get("module"):
            function = f"{frame['module']}.{function}"
        place = ":".join(str(frame[name]) for name in ("lineno", "colno") if frame.get(name) is not None)
        lines.append(f"    at {function} ({_file(frame)}{':' if place else ''}{place})")
    return "\n".join(lines)


def frames_of(exception: dict[str, Any]) -> list[dict[str, Any]]:
    """The frames of an exception, the last `FRAMES_MAX` of them."""
    stack = exception.get("stacktrace")
    frames = stack.get("frames") if isinstance(stack, dict) else None
    return [each for each in frames or () if isinstance(each, dict)][-FRAMES_MAX:] if isinstance(frames, list) else []


def _file(frame: dict[str, Any]) -> str:
    return str(frame.get("abs_path") or frame.get("filename") or frame.get("module") or "<unknown>")


def _function(frame: dict[str, Any]) -> str:
    return str(frame.get("function") or "<anonymous>")
