"""What an administrator says of a target: the row, and whether it makes sense."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar, get_args

import msgspec
from msgspec import Struct

from whodid.directory.sealed import Sealer, is_sealed
from whodid.dispatch.lines import FORMATS
from whodid.errors import WhodidError, about
from whodid.event import LEVELS
from whodid.plugins import TARGETS, load
from whodid.reading.times import instant
from whodid.targets.base import OptionKind, Target, TargetOption
from whodid.typed import convert

Number = TypeVar("Number", int, float)
PREFIX: Final = "target/"
NAMES_MAX: Final = 1_000
DEADLINE_S_DEFAULT: Final = 60.0
DEADLINE_S_MAX: Final = 3600.0
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RESERVED: Final = frozenset({"kinds", "dry-run"})
_TRUE: Final = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Selection(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which events a target takes: of each list one has to fit; an empty list takes all.

    types   names in which `*` stands for anything.
    users, groups
            logins, and names of groups with all users in them, through groups within groups: who did it or for whom
            it was done. An event fits with one of both.
    """

    topics: list[str] = []
    routing_keys: list[str] = []
    levels: list[str] = []
    types: list[str] = []
    users: list[str] = []
    groups: list[str] = []

    @property
    def takes_all(self) -> bool:
        return not (self.topics or self.routing_keys or self.levels or self.types or self.users or self.groups)


class Shaping(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of an event goes along. Names are fields (`user`, `description`, `orig_address`, …) and parameters
    (`parameters.query`; `*` stands for anything in them). `id`, `time` and `type` always go.

    only       nothing but these; empty: everything.
    left_out   not these.
    hashed     a keyed hash instead of the value: the same for the same value.
    truncated  at most so many characters.
    """

    only: list[str] = []
    left_out: list[str] = []
    hashed: list[str] = []
    truncated: dict[str, int] = {}

    @property
    def leaves_all(self) -> bool:
        return not (self.only or self.left_out or self.hashed or self.truncated)


class TargetRow(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A target as it is stored; the secrets among its options are encrypted.

    start        now, beginning, or the time since which events that were stored before are sent as well.
    boundary     by receiver, `seq` of the last event that was there when the target was made: up to it the receiver
                 `backfilled_by` sends, out of the store; behind it every receiver its own.
    keys         names of the keys that may write what the selection takes; any other key's are rejected at the door.
    deadline_s   a call of the target that takes longer is given up.
    reason       why it was paused by itself.
    revision     counts the changes, so that one there and back is one, too.
    """

    id: str
    name: str
    kind: str
    options: dict[str, Any] = {}
    selection: Selection = Selection()
    shaping: Shaping = Shaping()
    format: str = "native"
    start: str = "now"
    boundary: dict[str, int] = {}
    backfilled_by: str = ""
    keys: list[str] = []
    deadline_s: float = DEADLINE_S_DEFAULT
    running: bool = True
    reason: str | None = None
    revision: int = 0
    created_at: datetime
    created_by: str | None = None

    @property
    def since(self) -> datetime | None:
        """The time (UTC, without zone) from which events before the boundary are sent; None for all of them."""
        return None if self.start in ("now", "beginning") else datetime.fromisoformat(self.start).replace(tzinfo=None)

    def begins_at(self, receiver: str, own: str) -> int:
        """Where process `own` begins with a receiver's events: behind this `seq`."""
        if self.start == "now" or self.backfilled_by != own:
            return self.boundary.get(receiver, 0)
        return 0


def row_of(value: Any) -> TargetRow:
    """The row of a setting's value."""
    return convert(value, TargetRow)


def implementation(kind: str) -> type[Target]:
    """The class of a kind. Raises WhodidError("invalid") when there is none, or its driver is missing."""
    if kind not in TARGETS:
        raise WhodidError(
            "invalid", f"There is no kind of target {kind[:100]!r}.", f"Kinds: {', '.join(sorted(TARGETS))}."
        )
    found: type[Target] = load(TARGETS, kind)
    return found


def check(row: TargetRow) -> None:
    """Raises WhodidError("invalid") with what is wrong in a row besides its options."""
    if not _NAME.fullmatch(row.name) or row.name in _RESERVED:
        raise WhodidError(
            "invalid",
            f"{row.name[:120]!r} cannot be the name of a target.",
            "Use up to 100 letters, digits, dots, dashes and underscores; not kinds or dry-run.",
            field="name",
        )
    if row.format not in FORMATS:
        raise WhodidError(
            "invalid", f"There is no format {row.format!r}.", f"Known: {', '.join(FORMATS)}.", field="format"
        )
    if not 0 < row.deadline_s <= DEADLINE_S_MAX:
        raise WhodidError(
            "invalid",
            f"deadline_s is {row.deadline_s:g}.",
            f"Above 0, at most {DEADLINE_S_MAX:g} s.",
            field="deadline_s",
        )
    unknown = [level for level in row.selection.levels if level not in LEVELS]
    if unknown:
        raise WhodidError(
            "invalid", f"There is no level {unknown[0]!r}.", f"Levels: {', '.join(LEVELS)}.", field="levels"
        )
    for name in row.selection.__struct_fields__:
        if len(getattr(row.selection, name)) > NAMES_MAX:
            raise WhodidError(
                "invalid", f"The selection names more than {NAMES_MAX:,} {name}.", "Use a pattern.", field=name
            )
    _check_shaping(row.shaping)


def start_of(text: str, now: datetime) -> str:
    """`now`, `beginning`, or the time that `text` means (`2026-06-01`, `30d`), as it is stored: in UTC."""
    if text in ("now", "beginning"):
        return text
    return f"{instant(text, name='start', now=now).isoformat()}Z"


def read_options(options: Sequence[TargetOption], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all options, checked; texts are read as what the option is.

    Raises
    ------
    WhodidError("invalid")
        An option that there is not, one that is missing, or a value that is none of its kind.
    """
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise WhodidError("invalid", f"There is no option {name!r}.", f"Options: {', '.join(known)}.", field=name)
    return {name: _value(option, given.get(name)) for name, option in known.items()}


def sealed_options(row_name: str, options: Sequence[TargetOption], given: Mapping[str, Any], sealer: Sealer) -> Any:
    """What is stored: the options that were given, the secrets among them encrypted."""
    secret = {option.name for option in options if option.secret}
    return {
        name: sealer.seal(_as_text(value), _place(row_name, name))
        if name in secret and not is_sealed(value) and value is not None
        else value
        for name, value in given.items()
    }


def opened_options(row: TargetRow, sealer: Sealer) -> dict[str, Any]:
    """The options as the target gets them: checked, complete, secrets in clear."""
    clear = {
        name: sealer.unseal(value, _place(row.name, name)) if is_sealed(value) else value
        for name, value in row.options.items()
    }
    return read_options(implementation(row.kind).OPTIONS, clear)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _place(row_name: str, option: str) -> str:
    return f"targets/{row_name}/{option}"


def _value(option: TargetOption, given: Any) -> Any:
    if given is None or given == "":
        if option.default is None and not option.optional:
            raise WhodidError(
                "invalid", f"The option {option.name} is missing: {option.help}.", _example(option), field=option.name
            )
        return option.default
    value = _read(option, given)
    if option.choices and value not in option.choices:
        raise WhodidError(
            "invalid",
            f"{option.name} is {_shown(option, given)}.",
            f"It is one of: {', '.join(option.choices)}.",
            field=option.name,
        )
    return value


def _read(option: TargetOption, given: Any) -> Any:
    assert option.kind in get_args(OptionKind), option.kind
    try:
        return _READERS[option.kind](given)
    except (ValueError, TypeError, KeyError):
        raise WhodidError(
            "invalid",
            f"{option.name} is {_shown(option, given)}, which is no {_WORDS[option.kind]}.",
            f"{option.name}: {option.help} ({option.unit}).",
            field=option.name,
        ) from None


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError
    return given


def _whole(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise TypeError
    return _not_below_0(int(given))


def _number(given: Any) -> float:
    if isinstance(given, bool):
        raise TypeError
    value = float(given)
    if not value < float("inf"):
        raise ValueError
    return _not_below_0(value)


def _not_below_0(value: Number) -> Number:
    if value < 0:
        raise ValueError
    return value


def _flag(given: Any) -> bool:
    return given if isinstance(given, bool) else _TRUE[_text(given).lower()]


def _list(given: Any) -> list[str]:
    items = given.split(",") if isinstance(given, str) else given
    return [_text(item).strip() for item in items if item]


def _map(given: Any) -> dict[str, str]:
    """A JSON object, or text as people write it: `log => datagrok_log, * => other`."""
    if isinstance(given, str) and given.startswith("{"):
        given = msgspec.json.decode(given)
    if isinstance(given, Mapping):
        return {_text(name): _text(value) for name, value in given.items()}
    pairs = [pair.partition("=>") for pair in re.split(r"[,\n]", _text(given)) if pair.strip()]
    if not all(arrow for _, arrow, _ in pairs):
        raise ValueError
    return {name.strip(): value.strip() for name, _, value in pairs}


_READERS: Final = {
    "text": _text,
    "choice": _text,
    "whole": _whole,
    "number": _number,
    "flag": _flag,
    "list": _list,
    "map": _map,
}
_WORDS: Final = {
    "text": "text",
    "choice": "text",
    "whole": "whole number from 0 on",
    "number": "number from 0 on",
    "flag": "true or false",
    "list": "list of texts",
    "map": "map such as “error => errors, * => log”",
}


def _shown(option: TargetOption, given: Any) -> str:
    return "***" if option.secret else repr(given)[:100]


def _example(option: TargetOption) -> str:
    return f"Give it with: --option {option.name}={option.unit.upper()}"


def _check_shaping(shaping: Shaping) -> None:
    from whodid.dispatch.shaping import NOT_TEXT, check_name

    for field in ("only", "left_out", "hashed", "truncated"):
        with about(field):
            for name in getattr(shaping, field):
                check_name(name)
                if name in NOT_TEXT and field in ("hashed", "truncated"):
                    raise WhodidError("invalid", f"{name} is no text: it can be left out, not hashed or cut.")
    for name, characters in shaping.truncated.items():
        if characters < 1:
            raise WhodidError(
                "invalid",
                f"{name} would be cut to {characters} characters.",
                "Leave it out instead.",
                field="truncated",
            )
