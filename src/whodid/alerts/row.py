"""What is said of a rule: the row, and whether it makes sense."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, get_args

from msgspec import UNSET, Struct, UnsetType

from whodid import reports
from whodid.alerts.kinds import kind_of, read_options
from whodid.delivery.mail import RECIPIENTS_MAX, checked_address
from whodid.delivery.settings import check_name
from whodid.errors import WhodidError, about
from whodid.reading.times import instant
from whodid.typed import convert

SETTING: Final = "alert/"
RENOTIFY_MINUTES: Final = 240
WEBHOOKS_MAX: Final = 20
_AHEAD: Final = re.compile(r"(\d{1,6})\s*(m|h|d|w)")
_UNTIL: Final = "Write how long, such as 2h or 3d, or until when: 2026-12-01."
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[str, ...]] = get_args(Severity)


class Rule(Struct, kw_only=True, frozen=True):
    """What is looked for, and who is told.

    renotify_minutes  while it lasts it is told again after this long; 0: never.
    since             from when on it looks: what came in before is not told.
    """

    name: str
    kind: str
    options: dict[str, Any] = {}
    mail: list[str] = []
    webhooks: list[str] = []
    severity: Severity = "warning"
    renotify_minutes: int = RENOTIFY_MINUTES
    enabled: bool = True
    muted_until: datetime | None = None
    description: str | None = None
    since: datetime
    created_at: datetime
    created_by: str | None = None

    def is_muted(self, at: datetime) -> bool:
        return self.muted_until is not None and at < self.muted_until

    def tells_nobody(self, at: datetime) -> bool:
        """Whether nobody hears of what it finds: it is muted, or nobody is named."""
        return self.is_muted(at) or not (self.mail or self.webhooks)


class NewAlert(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is given to make one."""

    name: str
    kind: str
    options: dict[str, Any] = {}
    mail: list[str] = []
    webhooks: list[str] = []
    severity: Severity = "warning"
    renotify_minutes: int = RENOTIFY_MINUTES
    enabled: bool = True
    description: str | None = None


class AlertFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change; what is left out stays. Options one by one; an empty one is as if it was never given."""

    options: dict[str, Any] | UnsetType = UNSET
    mail: list[str] | UnsetType = UNSET
    webhooks: list[str] | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    renotify_minutes: int | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


def rule_of(value: Any) -> Rule:
    """The rule of a setting's value."""
    return convert(value, Rule)


def check(rule: Rule) -> None:
    """Raises WhodidError("invalid") with what makes no sense."""
    check_name("an alert", rule.name)
    options = read_options(kind_of(rule.kind), rule.options)
    if len(rule.mail) > RECIPIENTS_MAX or len(rule.webhooks) > WEBHOOKS_MAX:
        raise WhodidError(
            "invalid", f"At most {RECIPIENTS_MAX} addresses and {WEBHOOKS_MAX} webhooks are told.", field="mail"
        )
    for address in rule.mail:
        with about("mail"):
            checked_address(address)
    if not 0 <= rule.renotify_minutes <= 60 * 24 * 31:
        raise WhodidError(
            "invalid",
            f"renotify_minutes is {rule.renotify_minutes}.",
            "0 is never; at most a month.",
            field="renotify_minutes",
        )
    if rule.kind == "report":
        _check_report(options)


def _check_report(options: dict[str, Any]) -> None:
    chosen = reports.report(options["report"])
    numbers = [column.name for column in chosen.columns if column.type in ("integer", "number")]
    if options["column"] not in numbers:
        raise WhodidError(
            "invalid",
            f"{chosen.name} has no number {options['column'][:100]!r}.",
            f"It has: {', '.join(numbers)}.",
            field="column",
        )
    known = {parameter.name for parameter in chosen.parameters if not parameter.is_derived}
    for name in options["parameters"]:
        if name not in known:
            raise WhodidError(
                "invalid",
                f"{chosen.name} has no parameter {name[:100]!r}.",
                f"It has: {', '.join(known)}.",
                field="parameters",
            )


def until_of(text: str, now: datetime) -> datetime:
    """The moment that `2h`, `3d` from now on means, or a time in ISO 8601. Raises WhodidError("invalid")."""
    if ahead := _AHEAD.fullmatch(text.strip()):
        with suppress(OverflowError):
            return now + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})
    try:
        at = instant(text, name="until", now=now).replace(tzinfo=UTC)
    except WhodidError as error:
        raise WhodidError("invalid", error.message, _UNTIL, field="until") from None
    if at <= now:
        raise WhodidError("invalid", f"until is {text[:50]!r}, which is over.", _UNTIL, field="until")
    return at
