"""The search of the events page: `user:erika type:query-* -level:debug "timeout" after:2026-11-01`."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final, NamedTuple

from msgspec.structs import replace

from whodid.errors import WhodidError
from whodid.reading.filters import NOT
from whodid.web.pages.choice import FIELDS, Choice, choice_of

# Words that are no field of the filter bar, and what they mean in an address.
TIMES: Final = {"after": "since", "before": "until"}
SYNONYMS: Final = {"error": "error_hash", "request": "request_id"}
LENGTH_MAX: Final = 4_000

_TERM: Final = re.compile(r'(-?)(?:([A-Za-z_]+):)?("(?:[^"\\]|\\.)*"|\S+)|(\s+)')
_PLAIN: Final = re.compile(r"[^\s\"]+")


class Word(NamedTuple):
    """What may stand before a colon, and what help tells of it."""

    name: str
    help: str
    example: str


WORDS: Final[tuple[Word, ...]] = (
    *(Word(field.name, field.help, field.example) for field in FIELDS if field.name != "text"),
    Word("after", "from this time on", "2026-11-01"),
    Word("before", "before this time", "2026-11-08T12:00"),
)
_NAMES: Final = {word.name: word.name for word in WORDS} | SYNONYMS


def parse(text: str, before: Choice) -> Choice:
    """The choice that a search means; of `before` only the time range stays, unless the search states its own.

    Words that are no field are one text to look for, in the order in which they stand.

    Raises
    ------
    WhodidError("invalid")
        There is no such field, a value is none for it, or text is to be excluded.
    """
    if len(text) > LENGTH_MAX:
        raise WhodidError("invalid", f"The search is longer than {LENGTH_MAX:,} characters.")
    given: dict[str, list[str]] = {}
    looked_for: list[str] = []
    for minus, name, value, _space in _TERM.findall(text):
        if not value:
            continue
        plain = _unquoted(value)
        if not name:
            looked_for.append(_text(minus, value))
        elif name in TIMES:
            given[TIMES[name]] = [plain]
        else:
            given.setdefault(_field(name), []).append(f"{NOT if minus else ''}{plain}")
    if looked_for:
        given["text"] = [" ".join(looked_for)]
    found = choice_of(given, before.zone)
    if "since" in given or "until" in given:
        return found
    return replace(found, range=before.range, since=before.since, until=before.until)


def written(choice: Choice) -> str:
    """A choice as a search that means the same."""
    terms = []
    for chip in choice.chips():
        value = chip.value if _PLAIN.fullmatch(chip.value) else f'"{_escaped(chip.value)}"'
        if chip.field.name == "text":
            terms.append(f'"{_escaped(chip.value)}"')
        else:
            terms.append(f"{'-' if chip.negated else ''}{chip.field.name}:{value}")
    return " ".join(terms)


def _field(name: str) -> str:
    found = _NAMES.get(name.lower())
    if found is None:
        close = get_close_matches(name.lower(), _NAMES, n=1)
        hint = f"Did you mean {close[0]}:?" if close else f"Fields: {', '.join(word.name for word in WORDS)}."
        raise WhodidError(
            "invalid",
            f"There is no field {name[:50]!r}.",
            f'{hint} To look for it as text, put it in quotes: "{name}:…"',
        )
    return found


def _text(minus: str, value: str) -> str:
    """What is looked for as text: a minus is a part of it, unless quotes follow it, where it would mean to exclude."""
    plain = _unquoted(value)
    if minus and plain != value:
        raise WhodidError(
            "invalid", "Text cannot be excluded.", f'To look for it with the minus, put that in quotes: "-{plain}"'
        )
    return f"{minus}{plain}"


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
