"""Where a frame is, as it counts for grouping: without what differs between builds, machines and runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_VERSION: Final = re.compile(r"^v?\d+(?:\.\d+)+(?:[-+][\w.]+)?$")
_HASHED: Final = re.compile(r"(?<=[.\-~_])(?=[0-9a-f]*\d)[0-9a-f]{6,64}(?=[.\-~_]|$)", re.IGNORECASE)
_NUMBERED: Final = re.compile(r"\d{3,}")
# File names that say nothing without their folder.
_PLAIN_NAMES: Final = frozenset(["__init__.py", "__main__.py", "index.js", "index.mjs", "index.ts", "package.js"])
_PYTHON_INPUT: Final = re.compile(r"<ipython-input-\d+-\w+>|/ipykernel_\d+/\d+\.py$|<string>")

_CLEANED_MEMBERS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"^(?:async|new|static) "), ""),
    (re.compile(r" \[as [^\]]*\]$"), ""),
    (re.compile(r"<anonymous(?: closure)?>|\(anonymous function\)|Anonymous function"), "<fn>"),
    (re.compile(r"<fn>_async_body|_async_body"), "<fn>"),
    (re.compile(r"^Object\.(?=.)"), ""),
    (re.compile(r"lambda\$(\w*?)\$\d+"), r"lambda$\1"),
    (re.compile(r"access\$\d+"), "access$"),
    (re.compile(r"(?:/<)+$"), "/<"),
    (re.compile(r"\d{2,}"), "#"),
)
_CLEANED_CLASSES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\$\$(?:Lambda|EnhancerBy\w+|FastClassBy\w+|SpringCGLIB)\b[\w$/]*"), "$$generated"),
    (re.compile(r"\$Proxy\d+"), "$Proxy"),
    (re.compile(r"\$\d+"), "$#"),
    (re.compile(r"GeneratedMethodAccessor\d+|GeneratedConstructorAccessor\d+"), "GeneratedAccessor"),
)


def member_of(language: str, member: str) -> str:
    """A function's name without numbers that a compiler gave it."""
    text = member.strip()
    if language == "r":
        return text
    for pattern, replacement in _CLEANED_MEMBERS:
        text = pattern.sub(replacement, text)
    return text or "<fn>"


def file_of(language: str, place: str) -> str:
    """A file's name (with its folder where the name alone says little), a Java class, a Dart library."""
    return _FILES.get(language, _file_name)(place)


def _java_class(place: str) -> str:
    for pattern, replacement in _CLEANED_CLASSES:
        place = pattern.sub(replacement, place)
    return place


def _dart_library(place: str) -> str:
    return place if place.startswith(("package:", "dart:")) else _file_name(place)


def _python_file(place: str) -> str:
    if _PYTHON_INPUT.search(place):
        return "<cell>"
    return _file_name(place)


def _file_name(place: str) -> str:
    path = re.split(r"[?#]", place, maxsplit=1)[0].replace("\\", "/")
    parts = [part for part in path.split("/") if part and not _VERSION.match(part)]
    if not parts:
        return place
    name = _stable(parts[-1])
    if name not in _PLAIN_NAMES or len(parts) < 2:
        return name
    # Build folders say nothing either.
    folders = [part for part in parts[:-1] if part not in ("dist", "build", "src", "lib", "out", "bin")]
    return f"{_stable(folders[-1])}/{name}" if folders and ":" not in folders[-1] else name


def _stable(name: str) -> str:
    return _NUMBERED.sub("#", _HASHED.sub("#", name))


_FILES: Final[dict[str, Callable[[str], str]]] = {
    "java": _java_class,
    "dart": _dart_library,
    "python": _python_file,
    "r": str,
}
