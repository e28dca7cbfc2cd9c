"""Names that follow from an event: of topics and the like, with `%{field}` and `%Y %M %D %H`."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Final

from whodid.errors import WhodidError
from whodid.targets.base import Label

FIELDS: Final = ("type", "topic", "routing_key", "level", "node", "node_type", "user")
MISSING: Final = "none"
_SIGN: Final = re.compile(r"%(?:([YMDH])|\{(\w+)\})")
_TIMES: Final = {"Y": "%Y", "M": "%m", "D": "%d", "H": "%H"}


class Naming:
    """An option's text, read and found good.

    text       such as `audit-%{topic}-%Y-%M`; times are in UTC, a field without value becomes `none`.
    allowed    the characters that values may bring, as in a regular expression's brackets; others become `_`.
    most       characters that a name may have; longer ones are cut.
    Raises     WhodidError("invalid")  it has a sign or field that there is not, or characters that are not allowed.
    """

    def __init__(self, option: str, text: str, *, allowed: str, most: int):
        self.text = text
        self.is_plain = _SIGN.search(text) is None
        self._most = most
        self._not_allowed = re.compile(f"[^{allowed}]")
        unknown = [found[0] for found in _SIGN.finditer(text) if found[2] and found[2] not in FIELDS]
        bare = _SIGN.sub("", text)
        if unknown or "%" in bare:
            raise WhodidError(
                "invalid",
                f"{option} is {text[:100]!r}, which names what events do not have: {unknown[0] if unknown else '%'}.",
                f"There are %Y %M %D %H and {', '.join(f'%{{{field}}}' for field in FIELDS)}.",
                field=option,
            )
        if not text or self._not_allowed.search(bare) or len(bare) > most:
            raise WhodidError("invalid", f"{option} is {text[:100]!r}, which cannot be such a name.", field=option)

    def of(self, label: Label) -> str:
        """The name for an event."""
        if self.is_plain:
            return self.text

        def value(sign: re.Match[str]) -> str:
            if sign[1]:
                return label.time.astimezone(UTC).strftime(_TIMES[sign[1]])
            return str(getattr(label, sign[2]) or MISSING)

        return self._not_allowed.sub("_", _SIGN.sub(value, self.text))[: self._most]
