"""The form of an alert: fields from the option rows of its kind, who is told, how loudly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from whodid import reports
from whodid.alerts.kinds import Kind, Option, kind_of
from whodid.alerts.row import RENOTIFY_MINUTES, SEVERITIES, AlertFields, NewAlert, Rule
from whodid.web.pages.forms import OPTION, Field, FieldKind, shown
from whodid.web.pages.settings.target_forms import label_of

_KINDS: Final[dict[str, FieldKind]] = {
    "whole": "whole",
    "number": "number",
    "text": "text",
    "texts": "list",
    "choice": "choice",
    "map": "map",
}
NAME: Final = Field("name", "Name", required=True, help="Letters, digits, . _ and -.")
_ENABLED: Final = Field("enabled", "It looks", "flag", "Without: it rests.")
# How long one may be quiet, as the form offers it.
QUIET: Final = (("1h", "1 hour"), ("4h", "4 hours"), ("1d", "a day"), ("7d", "a week"), ("30d", "30 days"))
MUTING: Final = (Field("until", "For", "choice", required=True, choices=QUIET),)


def fields_of(kind: str, webhooks: Sequence[str], *, is_new: bool) -> tuple[Field, ...]:
    """The fields of a form. Raises WhodidError("invalid") for an unknown kind."""
    found = kind_of(kind)
    hooks = Field("webhooks", "Webhooks", "checks", "That are told.", choices=tuple((one, one) for one in webhooks))
    told = (
        Field("mail", "Mail to", "list", "Addresses that are told."),
        *((hooks,) if webhooks else ()),
        Field("severity", "Severity", "choice", required=True, choices=tuple((one, one) for one in SEVERITIES)),
        Field("renotify_minutes", "Told again after", "whole", "While it lasts; 0: never.", unit="min", more=True),
        Field("description", "Description", help="Is sent along: what to do then.", more=True),
    )
    return (NAME, *_options(found), *told) if is_new else (_ENABLED, *_options(found), *told)


def first_values(kind: str) -> dict[str, Any]:
    """What stands in an empty form."""
    chosen = {f"{OPTION}{option.name}": option.default for option in kind_of(kind).options if option.choices}
    return {"severity": "warning", "renotify_minutes": str(RENOTIFY_MINUTES), **chosen}


def values_of(fields: Sequence[Field], rule: Rule) -> dict[str, Any]:
    """What stands in the form of a rule that there is."""
    named = {name: getattr(rule, name) for name in ("mail", "webhooks", "severity", "renotify_minutes", "description")}
    options = {f"{OPTION}{name}": value for name, value in rule.options.items()}
    return shown(fields, {**first_values(rule.kind), **named, **options, "enabled": rule.enabled})


def new_alert(kind: str, values: Mapping[str, Any]) -> NewAlert:
    """The rule that a form describes."""
    options = {name: value for name, value in options_of(kind, values).items() if value not in (None, [], {})}
    return NewAlert(name=values["name"], kind=kind, options=options, **_told(values))


def changes(kind: str, values: Mapping[str, Any]) -> AlertFields:
    """What a form changes: an option that is left empty goes back to its default."""
    return AlertFields(options=options_of(kind, values), enabled=values["enabled"], **_told(values))


def options_of(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a form states; None for one that is left empty."""
    found = {option.name: values[f"{OPTION}{option.name}"] for option in kind_of(kind).options}
    return {name: None if value in ([], {}) else value for name, value in found.items()}


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mail": values["mail"],
        "webhooks": values.get("webhooks", []),
        "severity": values["severity"],
        "renotify_minutes": RENOTIFY_MINUTES if values["renotify_minutes"] is None else values["renotify_minutes"],
        "description": values["description"],
    }


def _options(kind: Kind) -> tuple[Field, ...]:
    return tuple(_field(option) for option in kind.options)


def _field(option: Option) -> Field:
    default = option.default
    choices = tuple((one, one) for one in option.choices)
    if option.name == "report":
        choices = tuple((one.name, f"{one.name}: {one.title}") for one in reports.catalogue())
    return Field(
        f"{OPTION}{option.name}",
        _LABELS.get(option.name) or label_of(option.name),
        "choice" if choices else _KINDS[option.kind],
        f"{option.help[:1].upper()}{option.help[1:]}.",
        required=default is None or bool(option.choices),
        choices=choices,
        placeholder=""
        if default in (None, [], {}, "")
        else f"{default:g}"
        if isinstance(default, float)
        else str(default),
        unit=option.unit,
        more=option.name in _RARE,
        suggest={"users": "user", "groups": "group"}.get(option.name, "") if option.kind == "text" else "",
    )


_LABELS: Final = {"per": "By", "k": "Deviations", "compare": "Compared", "as_user": "With the rights of"}
# Options that few need.
_RARE: Final = ("projects", "users", "groups", "k", "at_least", "as_user", "every_minutes")
