"""Forms from rows of data: what a field takes, how its text is read, and beside which field an error is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from whodid.errors import WhodidError

FieldKind = Literal[
    "text", "secret", "whole", "number", "flag", "choice", "checks", "list", "map", "lines", "time", "hidden"
]
TEXT_MAX: Final = 20_000
# In front of the names of fields that are options of a kind, so that none is taken for a field of the form's own.
OPTION: Final = "option_"
# What stands in front of the names of fields, by the part of a setting that they belong to.
PARTS: Final = (OPTION, "takes_", "shape_")


class Field(NamedTuple):
    """One field of a form.

    kind     text; secret (written, never shown); whole and number; flag (a box); choice and checks (one or several of
             `choices`); list (one a line); map (`name = value`, one a line); lines (a longer text); time (of the
             reader's zone); hidden.
    choices  what is sent, and its words.
    more     whether it is folded away below the others.
    """

    name: str
    label: str
    kind: FieldKind = "text"
    help: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    placeholder: str = ""
    unit: str = ""
    more: bool = False
    suggest: str = ""


class Problems(Exception):
    """What is wrong with a form, by the name of the field; under "" what is wrong with the whole."""

    def __init__(self, by_field: Mapping[str, str]):
        super().__init__("; ".join(by_field.values()))
        self.by_field = dict(by_field)


class Form(NamedTuple):
    """A form as it is shown.

    submits  the buttons: value of `do` that is sent, and words; the first is the usual one.
    values   what stands in the fields: text, a list of what is ticked, True for a box.
    problems by field.
    open     False folds it away behind its title.
    """

    action: str
    fields: Sequence[Field]
    submits: Sequence[tuple[str, str]]
    values: Mapping[str, Any] = {}
    problems: Mapping[str, str] = {}
    title: str = ""
    help: str = ""
    open: bool = True
    danger: bool = False

    def value(self, field: Field) -> Any:
        """What stands in a field."""
        return self.values.get(field.name, [] if field.kind == "checks" else "")

    @property
    def folded(self) -> list[Field]:
        return [field for field in self.fields if field.more]

    @property
    def fold_is_open(self) -> bool:
        """Whether something in the folded part is wrong."""
        return any(field.name in self.problems for field in self.folded)


def read(fields: Sequence[Field], sent: Mapping[str, str], zone: str = "UTC") -> dict[str, Any]:
    """What was sent, read as the fields say; an empty field is None, an empty list [] or {}.

    Raises
    ------
    Problems
        A field that has to be filled is not, or cannot be read; every field that is wrong is named.
    """
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in fields:
        try:
            found[field.name] = _read(field, sent, zone)
        except ValueError as error:
            problems[field.name] = str(error)
            continue
        if field.required and found[field.name] in (None, [], {}):
            problems[field.name] = "This is needed."
    if problems:
        raise Problems(problems)
    return found


def kept(fields: Sequence[Field], sent: Mapping[str, str]) -> dict[str, Any]:
    """What was sent, to be shown again; secrets are not."""
    values: dict[str, Any] = {}
    for field in fields:
        if field.kind == "checks":
            values[field.name] = [name for name, _ in field.choices if f"{field.name}.{name}" in sent]
        elif field.kind == "flag":
            values[field.name] = field.name in sent
        elif field.kind != "secret":
            values[field.name] = sent.get(field.name, "")
    return values


def shown(fields: Sequence[Field], values: Mapping[str, Any], zone: str = "UTC") -> dict[str, Any]:
    """Values as the fields show them."""
    return {
        field.name: _shown(field, values[field.name], zone)
        for field in fields
        if field.kind != "secret" and values.get(field.name) is not None
    }


def about(error: WhodidError, fields: Sequence[Field]) -> dict[str, str]:
    """An error beside the field that it says it is about; else of the whole form."""
    words = f"{error.message} {error.hint or ''}".strip()
    names = {f"{part}{error.field}" for part in ("", *PARTS)} if error.field else set()
    return {next((field.name for field in fields if field.name in names and field.kind != "hidden"), ""): words}


def lengths(name: str, texts: Mapping[str, str]) -> dict[str, int]:
    """The numbers of characters that the field `name`, a map, tells. Raises Problems."""
    try:
        return {key: _whole(text, "") for key, text in texts.items()}
    except ValueError as error:
        raise Problems({name: str(error)}) from None


def _read(field: Field, sent: Mapping[str, str], zone: str) -> Any:
    if field.kind == "flag":
        return field.name in sent
    if field.kind == "checks":
        return [name for name, _ in field.choices if f"{field.name}.{name}" in sent]
    text = sent.get(field.name, "")
    if len(text) > TEXT_MAX and field.kind != "lines":
        raise ValueError(f"This is longer than {TEXT_MAX:,} characters.")
    if field.kind in ("list", "map"):
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines if field.kind == "list" else dict(_pair(line) for line in lines)
    text = text.replace("\r\n", "\n") if field.kind == "lines" else text.strip()
    if not text:
        return None
    if field.kind == "choice" and text not in {name for name, _ in field.choices}:
        raise ValueError("This is none of the choices.")
    return _READERS[field.kind](text, zone) if field.kind in _READERS else text


def _pair(line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=>" if "=>" in line else "=")
    if not equals or not name.strip():
        raise ValueError(f"{line[:80]!r} is no name = value.")
    return name.strip(), value.strip()


def _whole(text: str, zone: str) -> int:
    plain = text.replace(",", "").replace("_", "").replace(" ", "")
    if not re.fullmatch(r"[+-]?\d{1,18}", plain):
        raise ValueError(f"{text[:50]!r} is no whole number.")
    return int(plain)


def _number(text: str, zone: str) -> float:
    try:
        found = float(text.replace(",", ""))
    except ValueError:
        raise ValueError(f"{text[:50]!r} is no number.") from None
    if found != found or found in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:50]!r} is no number.")
    return found


def _time(text: str, zone: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:50]!r} is no time.") from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


_READERS: Final[dict[str, Callable[[str, str], Any]]] = {"whole": _whole, "number": _number, "time": _time}


def _shown(field: Field, value: Any, zone: str) -> Any:
    if field.kind == "flag":
        return bool(value)
    if field.kind == "checks":
        return list(value)
    if field.kind == "list":
        return "\n".join(map(str, value))
    if field.kind == "map":
        return "\n".join(f"{name} = {one}" for name, one in value.items())
    if isinstance(value, datetime):
        at = value if value.tzinfo else value.replace(tzinfo=UTC)
        return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
    return f"{value:g}" if isinstance(value, float) else str(value)
