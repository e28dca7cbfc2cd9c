"""The form of a target: fields from the option rows of its kind, what it takes, what goes along."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from whodid.directory.sealed import HIDDEN
from whodid.dispatch.lines import FORMATS
from whodid.dispatch.management import NewTarget, TargetFields
from whodid.dispatch.row import DEADLINE_S_DEFAULT, Selection, Shaping, implementation
from whodid.event import LEVELS
from whodid.targets.base import OptionKind, TargetOption
from whodid.web.pages.forms import OPTION, Field, FieldKind, lengths, shown

_KINDS: Final[dict[OptionKind, FieldKind]] = {
    "text": "text",
    "whole": "text",
    "number": "text",
    "flag": "choice",
    "choice": "choice",
    "list": "list",
    "map": "map",
}
_YES_NO: Final = (("true", "yes"), ("false", "no"))
_FORMATS: Final = tuple((name, name) for name in FORMATS)

NAME: Final = Field("name", "Name", required=True, help="Letters, digits, - and _.")
_STARTS: Final = Field("start", "Begin with", help="now, beginning (all that is stored), or a time: 2026-06-01, 30d.")
_TAKES: Final[tuple[Field, ...]] = (
    Field("takes_levels", "Only levels", "checks", "Without any: all.", choices=tuple((one, one) for one in LEVELS)),
    Field("takes_topics", "Only topics", "list", "Without any: all.", more=True),
    Field("takes_types", "Only types", "list", "* stands for anything. Without any: all.", more=True),
    Field("takes_routing_keys", "Only routing keys", "list", more=True),
    Field("takes_users", "Only users", "list", "Who did it, or for whom it was done.", more=True),
    Field("takes_groups", "Only groups", "list", "With all users in them.", more=True),
)
_SHAPES: Final[tuple[Field, ...]] = (
    Field(
        "shape_only", "Nothing but these fields", "list", "user, parameters.query; * stands for anything.", more=True
    ),
    Field("shape_left_out", "Without these fields", "list", more=True),
    Field("shape_hashed", "Hashed fields", "list", "A keyed hash instead of the value.", more=True),
    Field("shape_truncated", "Cut fields", "map", "To so many characters: parameters.sql = 200.", more=True),
)
_HOW: Final[tuple[Field, ...]] = (
    Field("format", "Format", "choice", "How an event is written.", choices=_FORMATS, required=True, more=True),
    Field("deadline_s", "Given up after", "number", "A call of the target that takes longer.", unit="s", more=True),
)


def fields_of(kind: str, *, is_new: bool) -> tuple[Field, ...]:
    """The fields of a form. Raises WhodidError("invalid") for an unknown kind, or one whose driver is missing."""
    options = tuple(_field(option, is_new) for option in implementation(kind).OPTIONS)
    needed = tuple(field for field in options if not field.more)
    rest = tuple(field for field in options if field.more)
    first = (NAME,) if is_new else ()
    return (*first, *needed, *((_STARTS,) if is_new else ()), *_TAKES[:1], *rest, *_TAKES[1:], *_SHAPES, *_HOW)


def values_of(fields: Sequence[Field], target: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in the form of a target that there is; its secrets do not."""
    selection, shaping = target.get("selection") or {}, target.get("shaping") or {}
    values = {
        **{f"{OPTION}{name}": _plain(value) for name, value in target["options"].items() if value != HIDDEN},
        **{f"takes_{name}": value for name, value in selection.items()},
        **{f"shape_{name}": value for name, value in shaping.items()},
        "format": target["format"],
        "deadline_s": target["deadline_s"],
    }
    return shown(fields, values)


def first_values() -> dict[str, Any]:
    """What stands in an empty form."""
    return {"start": "now", "format": "native", "deadline_s": f"{DEADLINE_S_DEFAULT:g}"}


def new_target(kind: str, values: Mapping[str, Any], *, running: bool) -> NewTarget:
    """The target that a form describes. Raises Problems."""
    return NewTarget(
        name=values["name"],
        kind=kind,
        options=_options(kind, values, keep=False),
        start=values["start"] or "now",
        running=running,
        **_rest(values),
    )


def changes(kind: str, values: Mapping[str, Any]) -> TargetFields:
    """What a form changes: a secret that is left empty stays. Raises Problems."""
    return TargetFields(options=_options(kind, values, keep=True), **_rest(values))


def _rest(values: Mapping[str, Any]) -> dict[str, Any]:
    cut = lengths("shape_truncated", values["shape_truncated"])
    selection = {field: values[f"takes_{field}"] for field in Selection.__struct_fields__}
    shaping = {field: values[f"shape_{field}"] for field in Shaping.__struct_fields__ if field != "truncated"}
    return {
        "selection": Selection(**selection),
        "shaping": Shaping(**shaping, truncated=cut),
        "format": values["format"],
        "deadline_s": values["deadline_s"] or DEADLINE_S_DEFAULT,
    }


def _options(kind: str, values: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
    """Options by name. Where they are kept, an empty one goes back to its default, but a secret stays."""
    found: dict[str, Any] = {}
    for option in implementation(kind).OPTIONS:
        value = values[f"{OPTION}{option.name}"]
        if value in (None, [], {}):
            if keep and not option.secret:
                found[option.name] = None
            continue
        found[option.name] = value
    return found


def _field(option: TargetOption, is_new: bool) -> Field:
    is_needed = option.default is None and not option.optional
    told = f"{option.help[:1].upper()}{option.help[1:]}."
    if option.secret and not is_new:
        told += " Empty: it stays as it is."
    choices = _YES_NO if option.kind == "flag" else tuple((one, one) for one in option.choices)
    return Field(
        f"{OPTION}{option.name}",
        label_of(option.name),
        "secret" if option.secret else _KINDS[option.kind],
        told,
        required=is_needed and (is_new or not option.secret),
        choices=choices,
        placeholder="" if option.default in (None, "", [], {}, ()) else _text(option.default),
        unit=option.unit if option.unit not in ("text", "name", "flag", "map", "list", "") else "",
        more=not is_needed and not option.secret and option.name not in _SHOWN,
    )


def label_of(name: str) -> str:
    """An option's name as a label; its unit stands beside it."""
    words = re.sub(r"_(s|ms|bytes|minutes)$", "", name).replace("_", " ")
    return words[:1].upper() + words[1:]


# Options that are not needed but asked for first.
_SHOWN: Final = ("access_key_id", "user", "username", "login", "prefix", "streams", "region")


def _plain(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(_plain(value))
    if isinstance(value, Mapping):
        return "\n".join(f"{name} = {one}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
