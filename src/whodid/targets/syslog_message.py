"""An event as a syslog message (RFC 5424).

<PRI>1 TIMESTAMP HOSTNAME whodid - MSGID [whodid@PEN id="…" type="…" …] BOM line
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Final

from whodid.errors import WhodidError
from whodid.event import LEVELS
from whodid.targets.base import Label

FACILITIES: Final = {
    "kern": 0,
    "user": 1,
    "mail": 2,
    "daemon": 3,
    "auth": 4,
    "syslog": 5,
    "authpriv": 10,
    "audit": 13,
    "alert": 14,
    **{f"local{number}": 16 + number for number in range(8)},
}
SEVERITIES: Final = {
    "emerg": 0,
    "alert": 1,
    "crit": 2,
    "err": 3,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}
SEVERITY_OF_LEVEL: Final = {
    "audit": "notice",
    "usage": "info",
    "error": "err",
    "warning": "warning",
    "info": "info",
    "debug": "debug",
}
BOM: Final = b"\xef\xbb\xbf"
_NOT_IN_HEADER: Final = re.compile(r"[^!-~]")
_TO_ESCAPE: Final = re.compile(r'["\\\]]')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What structured data tells besides `seq`; a receiver can sort by it without reading the message.
_TOLD: Final = ("id", "type", "level", "topic", "user", "session", "status", "node_type", "routing_key")


class Messages:
    """Makes the messages of one target.

    severities  by level; levels that are not named keep their usual one.
    Raises      WhodidError("invalid")  there is no such facility, level or severity.
    """

    def __init__(self, *, facility: str, severities: Mapping[str, str], app_name: str, enterprise: int, bom: bool,
                 host: str):  # fmt: skip
        chosen = {**SEVERITY_OF_LEVEL, **severities}
        for level, severity in chosen.items():
            if level not in LEVELS or severity not in SEVERITIES:
                raise WhodidError(
                    "invalid",
                    f"severities has {level} => {severity}.",
                    f"Levels: {', '.join(LEVELS)}. Severities: {', '.join(SEVERITIES)}.",
                    field="severities",
                )
        if _header(app_name, 48) != app_name:
            raise WhodidError(
                "invalid", f"app_name is {app_name[:100]!r}.", "Up to 48 printable ASCII characters.", field="app_name"
            )
        if enterprise < 1:
            raise WhodidError(
                "invalid",
                f"enterprise_id is {enterprise}.",
                "It is a number that IANA gave out.",
                field="enterprise_id",
            )
        self._priorities = {level: FACILITIES[facility] * 8 + SEVERITIES[name] for level, name in chosen.items()}
        self._app_name = app_name
        self._enterprise = enterprise
        self._bom = BOM if bom else b""
        self._host = host

    def head(self, seq: int, label: Label, more: str = "") -> bytes:
        """Everything of a message before its line; `more` are further parameters of its structured data."""
        at = label.time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        told = [(name, getattr(label, name)) for name in _TOLD]
        data = "".join([f' {name}="{_value(value)}"' for name, value in told if value])
        return (
            f"<{self._priorities[label.level]}>1 {at}Z {_header(label.node or self._host, 255)} {self._app_name} - "
            f'{_header(label.type, 32)} [whodid@{self._enterprise}{data} seq="{seq}"{more}] '
        ).encode() + self._bom


def cut(text: bytes, most: int) -> bytes:
    """The beginning of UTF-8 text, no character cut in two."""
    return text[: max(0, most)].decode("utf-8", "ignore").encode()


def _header(text: str, most: int) -> str:
    return _NOT_IN_HEADER.sub("_", text)[:most] or "-"


def _value(text: str) -> str:
    return _TO_ESCAPE.sub(r"\\\g<0>", _CONTROL.sub(" ", text))
