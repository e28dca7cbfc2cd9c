"""Where files of a partition lie: `/%{node_type}/%Y/%M/%D/.*`, the grammar that Dataiku uses for partitioned files.

`%Y %M %D %H` are year, month, day and hour in UTC (4, 2, 2 and 2 digits), `%{name}` is a dimension, and what is left is
literal text or, for reading, a regular expression such as `.*`. The same pattern names a folder to write into and finds
it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, unquote

from whodid.errors import WhodidError

Period = Literal["year", "month", "day", "hour"]

PATTERN_CHARACTERS_MAX: Final = 500
PATH_CHARACTERS_MAX: Final = 1024
MISSING: Final = "none"

# A matcher without end would let one pattern keep a processor busy: two are quadratic at most.
ENDLESS_MAX: Final = 2

_TOKEN: Final = re.compile(r"%(?:([A-Z])|\{([A-Za-z_][A-Za-z0-9_]{0,63})\})")
_PERIODS: Final[tuple[tuple[str, Period, str], ...]] = (
    ("Y", "year", "%Y"),
    ("M", "month", "%Y-%m"),
    ("D", "day", "%Y-%m-%d"),
    ("H", "hour", "%Y-%m-%d-%H"),
)
_FORMATS: Final = {period: form for _, period, form in _PERIODS}
_DIGITS: Final = {"Y": "%Y", "M": "%m", "D": "%d", "H": "%H"}
_REGULAR: Final = re.compile(r"\\[dDwWsSbB.\[\](){}*+?^$|\\]|[.*+?\[\](){}^$|]")
_ENDLESS: Final = re.compile(r"(?<!\\)(?:[*+]|\{\d*,\})")
_REPEATED_GROUP: Final = re.compile(r"(?<!\\)\)[*+{]|\(\?|\\\d")
_PLAIN: Final = "-_.~@ "


class Partition(NamedTuple):
    """One partition: the values of its dimensions, and when its period begins (None without a period)."""

    dimensions: tuple[tuple[str, str], ...]
    begins_at: datetime | None
    period: Period | None

    @property
    def name(self) -> str:
        """`design|2026-11-20`: the dimensions' values and the period, or `all` when there is neither."""
        parts = [value for _, value in self.dimensions]
        if self.begins_at is not None and self.period is not None:
            parts.append(self.begins_at.strftime(_FORMATS[self.period]))
        return "|".join(parts) or "all"


class PathPattern:
    """A pattern that was read and found good.

    Attributes
    ----------
    text
        The pattern as written.
    dimensions
        The names in `%{…}`, in their order.
    period
        The finest of year, month, day, hour; None without one.

    Raises
    ------
    WhodidError("invalid")
        No leading `/`, an unknown `%` sign, a period with a level left out, a name twice, a regular expression that
        cannot be read or could take without end. The message says which and where.
    """

    def __init__(self, text: str):
        self.text = text
        if not text.startswith("/"):
            raise _bad(text, "does not begin with /", "Write it like /%{node_type}/%Y/%M/%D/.*")
        if len(text) > PATTERN_CHARACTERS_MAX:
            raise _bad(text[:60] + "…", f"is longer than {PATTERN_CHARACTERS_MAX} characters", None)
        letters, names = _tokens(text)
        self.dimensions: tuple[str, ...] = tuple(names)
        self.period = _period(text, letters)
        self._literals = _TOKEN.sub("\0", text).split("\0")
        self.is_folder = not any(_REGULAR.search(literal) for literal in self._literals)
        self._expression = self._compiled()

    def match(self, path: str) -> Partition | None:
        """The partition that the file at `path` belongs to; None when it lies outside of the pattern."""
        if len(path) > PATH_CHARACTERS_MAX:
            return None
        found = self._expression.fullmatch(path if path.startswith("/") else f"/{path}")
        if found is None:
            return None
        values = found.groupdict()
        try:
            begins_at = self._begins_at(values)
        except ValueError:
            return None
        dimensions = tuple((name, unquote(values[f"d_{name}"])) for name in self.dimensions)
        return Partition(dimensions, begins_at, self.period)

    def folder(self, values: Mapping[str, Any], at: datetime) -> str:
        """The folder for an event with these values of the dimensions at this time, without the leading `/`.

        A value that is None is `none`; what could leave the folder or be read as a sign is percent-encoded.

        Raises
        ------
        WhodidError("invalid")
            The pattern holds a regular expression, so it can only be read.
        """
        if not self.is_folder:
            raise _bad(self.text, "holds a regular expression, so nothing can be written by it", "Leave it out.")
        at = at.astimezone(UTC)

        def value(found: re.Match[str]) -> str:
            return at.strftime(_DIGITS[found[1]]) if found[1] else safe_name(values.get(found[2]))

        return _TOKEN.sub(value, self.text).strip("/")

    def prefix(self, values: Mapping[str, str] | None = None, at: datetime | None = None) -> str:
        """The longest folder that holds every file of the dimensions and the time that are given: what to list."""
        known = ""
        place = 0
        for token in _TOKEN.finditer(self.text):
            literal = self.text[place : token.start()]
            plain = _REGULAR.split(literal)[0]
            known += plain
            filled = _filled(token, values or {}, at)
            if plain != literal or filled is None:
                return known.rpartition("/")[0].strip("/")
            known += filled
            place = token.end()
        return (known + _REGULAR.split(self.text[place:])[0]).rpartition("/")[0].strip("/")

    def _begins_at(self, values: Mapping[str, str]) -> datetime | None:
        if self.period is None:
            return None
        return datetime(
            int(values["Y"]),
            int(values.get("M") or 1),
            int(values.get("D") or 1),
            int(values.get("H") or 0),
            tzinfo=UTC,
        )

    def _compiled(self) -> re.Pattern[str]:
        def group(found: re.Match[str]) -> str:
            if found[2]:
                return f"(?P<d_{found[2]}>[^/]+)"
            return f"(?P<{found[1]}>[0-9]{{{4 if found[1] == 'Y' else 2}}})"

        literals = "".join(self._literals)
        if _REPEATED_GROUP.search(literals) or len(_ENDLESS.findall(literals)) > ENDLESS_MAX:
            raise _bad(
                self.text,
                "holds a regular expression that could take without end",
                f"Use at most {ENDLESS_MAX} of * and +, none after a group, and no back references.",
            )
        try:
            return re.compile(_TOKEN.sub(group, self.text))
        except re.error as error:
            raise _bad(self.text, f"cannot be read: {error}", "Put \\ before signs that are meant literally.") from None


def safe_name(value: Any) -> str:
    """`value` as one name of a folder or file: percent-encoded where it is not plain, `none` for None and ''."""
    text = MISSING if value in (None, "") else str(value)
    encoded = quote(text, safe=_PLAIN)[:200]
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded


def _tokens(text: str) -> tuple[list[str], list[str]]:
    letters: list[str] = []
    names: list[str] = []
    for found in re.finditer(r"%(.?)", text):
        token = _TOKEN.match(text, found.start())
        if token is None or (token[1] and token[1] not in _DIGITS):
            raise _bad(text, f"has {found[0]!r} at character {found.start() + 1}, which means nothing", _SIGNS)
        if token[2]:
            if token[2] in names:
                raise _bad(text, f"names %{{{token[2]}}} twice", None)
            names.append(token[2])
        elif token[1] in letters:
            raise _bad(text, f"has %{token[1]} twice", None)
        else:
            letters.append(token[1])
    return letters, names


def _period(text: str, letters: list[str]) -> Period | None:
    finest = None
    for place, (letter, period, _) in enumerate(_PERIODS):
        if letter in letters:
            missing = [coarser for coarser, _, _ in _PERIODS[:place] if coarser not in letters]
            if missing:
                raise _bad(text, f"has %{letter} without %{missing[0]}", "Name every level of the time.")
            finest = period
    return finest


def _filled(token: re.Match[str], values: Mapping[str, str], at: datetime | None) -> str | None:
    if token[1]:
        return at.astimezone(UTC).strftime(_DIGITS[token[1]]) if at is not None else None
    return safe_name(values[token[2]]) if token[2] in values else None


def _bad(text: str, what: str, hint: str | None) -> WhodidError:
    return WhodidError("invalid", f"The pattern {text!r} {what}.", hint, field="partitioning")


_SIGNS: Final = "Known are %Y %M %D %H and %{name}."
