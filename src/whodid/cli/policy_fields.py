"""What the command line says of a rule, as the fields of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from cyclopts import Group, Parameter

from whodid.errors import WhodidError

Texts = list[str] | None

_SUBJECT = Group("For whom", sort_key=10)
_LOGGED = Group("What is logged", sort_key=20)
_HIDDEN = Group("Values of parameters", sort_key=30)
_TIMES = Group("What clients keep", sort_key=40)
_PLACE = Group("Where in the order", sort_key=50)

# What --clear empties, and with what.
EMPTY: Final[dict[str, dict[str, Any]]] = {
    "type": {"types": []},
    "off": {"switched_off": []},
    "leave-out": {"left_out": []},
    "hash": {"hashed": []},
    "truncate": {"truncated": {}},
    "sample": {"sampling": {}},
    "flush-interval-ms": {"flush_interval_ms": None},
    "request-timeout-ms": {"request_timeout_ms": None},
    "session-idle-ms": {"session_idle_ms": None},
    "note": {"note": None},
    "subject": {"user": None, "group": None},
}
Clearable = Literal[
    "type", "off", "leave-out", "hash", "truncate", "sample", "flush-interval-ms", "request-timeout-ms",
    "session-idle-ms", "note", "subject",
]  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RuleOptions:
    """The options of a rule."""

    user: Annotated[str | None, Parameter(group=_SUBJECT, help="For this login; without --user and --group: all.")] = (
        None
    )
    group: Annotated[str | None, Parameter(group=_SUBJECT, help="For the members of this group, and groups in it.")] = (
        None
    )
    level: Annotated[
        Literal["standard", "verbose", "custom"] | None,
        Parameter(
            group=_LOGGED,
            help="standard (without noisy types of the interface), verbose (all), custom (--type) [default: standard].",
        ),
    ] = None
    type: Annotated[Texts, Parameter(group=_LOGGED, help="Level custom: log this type; * stands for anything.")] = None
    off: Annotated[Texts, Parameter(group=_LOGGED, help="Do not log this type; * stands for anything.")] = None
    sample: Annotated[
        Texts, Parameter(group=_LOGGED, help="TYPE=SHARE: log a share of this type's events: click=10% or click=0.1.")
    ] = None
    unknown: Annotated[
        bool,
        Parameter(group=_LOGGED, help="Take types never sent, users never seen, groups without members."),
    ] = False
    leave_out: Annotated[Texts, Parameter(group=_HIDDEN, help="Leave this parameter out.")] = None
    hash: Annotated[
        Texts, Parameter(group=_HIDDEN, help="Keep a keyed hash of this parameter; 'policy hash' finds a value again.")
    ] = None
    truncate: Annotated[Texts, Parameter(group=_HIDDEN, help="NAME=N: keep N characters of this parameter.")] = None
    flush_interval_ms: Annotated[int | None, Parameter(group=_TIMES, help="Loggers send this often.")] = None
    request_timeout_ms: Annotated[int | None, Parameter(group=_TIMES, help="Loggers wait this long for an answer.")] = (
        None
    )
    session_idle_ms: Annotated[int | None, Parameter(group=_TIMES, help="A session ends after this long idle.")] = None
    note: Annotated[str | None, Parameter(group=_LOGGED, help="Why the rule is there.")] = None

    def fields(self) -> dict[str, Any]:
        """What was said, as fields of a request."""
        given = {
            "user": self.user,
            "group": self.group,
            "level": self.level or ("custom" if self.type else None),
            "types": self.type,
            "switched_off": self.off,
            "left_out": self.leave_out,
            "hashed": self.hash,
            "truncated": _numbers(self.truncate),
            "sampling": _shares(self.sample),
            "flush_interval_ms": self.flush_interval_ms,
            "request_timeout_ms": self.request_timeout_ms,
            "session_idle_ms": self.session_idle_ms,
            "note": self.note,
        }
        return {name: value for name, value in given.items() if value is not None}


@Parameter(name="*", group=_PLACE)
@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Where a rule goes."""

    before: Annotated[str | None, Parameter(help="Before this rule.")] = None
    after: Annotated[str | None, Parameter(help="Behind this rule.")] = None
    position: Annotated[int | None, Parameter(help="At this position, from 1.")] = None

    def fields(self) -> dict[str, Any]:
        """What was said, as fields of a request."""
        given = {"before": self.before, "after": self.after, "position": self.position}
        return {name: value for name, value in given.items() if value is not None}


def _pairs(texts: Texts, what: str) -> list[tuple[str, str]] | None:
    if texts is None:
        return None
    pairs = [text.rpartition("=") for text in texts]
    for (name, equals, value), text in zip(pairs, texts, strict=True):
        if not (name and equals and value):
            raise WhodidError("invalid", f"{text!r} is not {what}.", "See: whodid policy create --help")
    return [(name, value) for name, _, value in pairs]


def _numbers(texts: Texts) -> dict[str, int] | None:
    pairs = _pairs(texts, "NAME=N")
    if pairs is None:
        return None
    try:
        return {name: int(value) for name, value in pairs}
    except ValueError:
        raise WhodidError("invalid", "--truncate takes NAME=N, a number of characters.", "query=200") from None


def _shares(texts: Texts) -> dict[str, float] | None:
    pairs = _pairs(texts, "TYPE=SHARE")
    if pairs is None:
        return None
    try:
        return {name: float(value[:-1]) / 100 if value.endswith("%") else float(value) for name, value in pairs}
    except ValueError:
        raise WhodidError("invalid", "--sample takes TYPE=SHARE.", "click=10% or click=0.1") from None
