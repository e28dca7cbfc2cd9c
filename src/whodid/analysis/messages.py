"""Messages of errors without what differs from one time to the next."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MESSAGE_CHARS_MAX: Final = 2_000


class _Rule(NamedTuple):
    """What is taken out, what stands for it, and its name in an explanation."""

    pattern: re.Pattern[str]
    mark: str
    name: str


_RULES: Final = (
    _Rule(re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>", "UUIDs"),
    _Rule(re.compile(r"[\w.+\-]{1,64}@[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,8}"), "<email>", "e-mail addresses"),
    _Rule(re.compile(r"\b[a-z][a-z0-9+.\-]{1,20}://[^\s'\"<>,;)]+", re.IGNORECASE), "<url>", "URLs"),
    _Rule(
        re.compile(
            r"(?<!\w)(?:'[^'\n]{0,500}'(?!\w)|\"[^\"\n]{0,500}\"|`[^`\n]{0,500}`|“[^”\n]{0,500}”|«[^»\n]{0,500}»)"
        ),
        "<value>",
        "quoted values",
    ),
    _Rule(
        re.compile(r"(?<![\w/.])(?:[A-Za-z]:\\|\\\\)[^\s:*?\"<>|,;]+|(?<![\w<])~?(?:/[\w.@+\-%=]+){2,}/?"),
        "<path>",
        "paths",
    ),
    _Rule(
        re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+\-]\d\d:?\d\d)?)?"),
        "<time>",
        "times",
    ),
    _Rule(re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b"), "<address>", "addresses"),
    _Rule(re.compile(r"\b0x[0-9a-f]+\b|@[0-9a-f]{6,16}\b", re.IGNORECASE), "<address>", "addresses"),
    _Rule(re.compile(r"\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,}\b", re.IGNORECASE), "<id>", "ids"),
    _Rule(re.compile(r"\b(?=[\w\-]*\d)(?=[\w\-]*[A-Za-z])[A-Za-z0-9]+(?:[_\-][A-Za-z0-9]+)+\b"), "<id>", "ids"),
    _Rule(re.compile(r"\b(?=[a-z]*\d)(?=\d*[A-Za-z])[A-Za-z]*\d[A-Za-z0-9]{7,}\b", re.IGNORECASE), "<id>", "ids"),
    _Rule(
        re.compile(r"(?<![A-Za-z_0-9])[+\-]?\d(?:[\d,._']*\d)?(?:e[+\-]?\d+)?", re.IGNORECASE), "<number>", "numbers"
    ),
    _Rule(re.compile(r"(?<=[A-Za-z_])\d{3,}"), "<number>", "numbers"),
)
_SPACES: Final = re.compile(r"\s+")


def normalised(message: str) -> str:
    """The message with marks for addresses, ids, numbers, paths, quoted values, e-mail, times and UUIDs."""
    return _taken_out(message)[0]


def taken_out(message: str) -> list[str]:
    """What `normalised` takes out of this message, in words."""
    return _taken_out(message)[1]


def _taken_out(message: str) -> tuple[str, list[str]]:
    text = message[:MESSAGE_CHARS_MAX]
    names: dict[str, None] = {}
    for rule in _RULES:
        text, count = rule.pattern.subn(rule.mark, text)
        if count:
            names[rule.name] = None
    return _SPACES.sub(" ", text).strip(), list(names)
