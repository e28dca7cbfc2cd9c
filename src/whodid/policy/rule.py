"""A rule of the policy: whom it is for, and what of their events is logged; what makes sense and what does not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from whodid import catalogue
from whodid.errors import WhodidError, about
from whodid.policy.pattern import covers, is_glob, known_of, matches, overlap, protected, reaches_protected

Level = Literal["standard", "verbose", "custom"]
LEVELS: Final[tuple[str, ...]] = get_args(Level)

NAME_MAX: Final = 100
NAMES_MAX: Final = 1_000
TRUNCATED_MAX: Final = 1_000_000

# Timeouts that clients keep: name, least, most, in milliseconds.
TIMEOUTS: Final[tuple[tuple[str, int, int], ...]] = (
    ("flush_interval_ms", 50, 3_600_000),
    ("request_timeout_ms", 100, 600_000),
    ("session_idle_ms", 1_000, 30 * 24 * 3_600_000),
)

Seen = Callable[[Collection[str]], Collection[str]]


class Rule(Struct, kw_only=True, frozen=True):
    """A rule. Without `user` and `group` it is for everyone; `group` is an id.

    level              standard (without noisy types of the user interface), verbose (all), custom (`types` alone).
    types              custom: the types that are logged; `*` stands for anything.
    switched_off       types that are not logged, at any level.
    left_out, hashed   parameters that are taken out, or replaced by a keyed hash.
    truncated          parameters and how many characters are kept of each.
    sampling           types and the share of their events that is kept, between 0 and 1.
    enabled            False for a draft.
    """

    id: str
    name: str
    user: str | None = None
    group: str | None = None
    level: Level = "standard"
    types: list[str] = []
    switched_off: list[str] = []
    left_out: list[str] = []
    hashed: list[str] = []
    truncated: dict[str, int] = {}
    sampling: dict[str, float] = {}
    flush_interval_ms: int | None = None
    request_timeout_ms: int | None = None
    session_idle_ms: int | None = None
    enabled: bool = True
    note: str | None = None

    @property
    def is_for_everyone(self) -> bool:
        return self.user is None and self.group is None


class RuleFields(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What can be said of a rule; what is left out stays as it is. `user` or `group`, or neither for everyone."""

    user: str | UnsetType | None = UNSET
    group: str | UnsetType | None = UNSET
    level: Level | UnsetType = UNSET
    types: list[str] | UnsetType = UNSET
    switched_off: list[str] | UnsetType = UNSET
    left_out: list[str] | UnsetType = UNSET
    hashed: list[str] | UnsetType = UNSET
    truncated: dict[str, int] | UnsetType = UNSET
    sampling: dict[str, float] | UnsetType = UNSET
    flush_interval_ms: int | UnsetType | None = UNSET
    request_timeout_ms: int | UnsetType | None = UNSET
    session_idle_ms: int | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    note: str | UnsetType | None = UNSET

    def given(self) -> dict[str, Any]:
        """The fields that were said."""
        return {name: value for name in _FIELDS if (value := getattr(self, name)) is not UNSET}


_FIELDS: Final = RuleFields.__struct_fields__


def new_rule(name: str, fields: RuleFields) -> Rule:
    """A rule of these fields with an id of its own."""
    return Rule(id=str(uuid.uuid4()), name=name, **fields.given())


def changed(rule: Rule, fields: RuleFields, name: str | None = None) -> Rule:
    """The rule with other fields."""
    given = fields.given()
    if given.keys() & {"user", "group"}:
        given = {"user": None, "group": None} | given
    return msgspec.structs.replace(rule, **given, **({"name": name} if name is not None else {}))


def told(rule: Rule) -> dict[str, Any]:
    """A rule as plain values."""
    built: dict[str, Any] = msgspec.to_builtins(rule)
    return built


def check(rule: Rule, *, accept_unknown: bool = False, seen: Seen = lambda names: ()) -> None:
    """Raise WhodidError("invalid") for a rule that makes no sense; the message names rule and fault.

    accept_unknown  types that nobody documented or sent yet are meant as they are written.
    seen            which of some types, unknown to the catalogue, events had.
    """
    _check_words(rule)
    _check_parameters(rule)
    _check_numbers(rule)
    _check_reach(rule)
    if not accept_unknown:
        _check_known(rule, seen)


def _refuse(rule: Rule, message: str, hint: str, field: str) -> WhodidError:
    return WhodidError("invalid", f"Rule {rule.name!r}: {message}", hint, field=field)


def _check_words(rule: Rule) -> None:
    if not 1 <= len(rule.name) <= NAME_MAX or not rule.name.isprintable():
        raise WhodidError(
            "invalid", f"A rule's name has 1 to {NAME_MAX} characters.", "Name it after what it does.", field="name"
        )
    if rule.user is not None and rule.group is not None:
        raise _refuse(rule, "it is for a user and for a group.", "Make a rule for each.", "user")
    for field in ("types", "switched_off", "sampling"):
        with about(field):
            for pattern in getattr(rule, field):
                check_pattern(pattern)
    for field in ("types", "switched_off", "left_out", "hashed", "truncated"):
        if len(getattr(rule, field)) > NAMES_MAX:
            raise _refuse(rule, f"a list has more than {NAMES_MAX:,} names.", "Use * for several types.", field)
    if rule.level == "custom" and not rule.types:
        raise _refuse(
            rule, "level custom without types would log nothing.", "Name the types that are logged: --type.", "level"
        )
    if rule.level != "custom" and rule.types:
        raise _refuse(
            rule, f"types are listed, but the level is {rule.level}.", "Only level custom lists types.", "types"
        )


def check_pattern(pattern: str) -> None:
    """Raise WhodidError("invalid") for what cannot name a type."""
    if not 1 <= len(pattern) <= 200 or not pattern.isprintable():
        raise WhodidError("invalid", f"{pattern[:100]!r} names no type.", "A type has 1 to 200 printable characters.")
    if set(pattern) & set("?[]"):
        raise WhodidError("invalid", f"{pattern!r} holds one of ? [ ].", "Only * stands for something else: query-*")


def _check_parameters(rule: Rule) -> None:
    places: dict[str, str] = {}
    for place, names in (("left_out", rule.left_out), ("hashed", rule.hashed), ("truncated", rule.truncated)):
        for name in names:
            if not 1 <= len(name) <= 1_000:
                raise _refuse(rule, f"{place} has a name of {len(name)} characters.", "A parameter has a name.", place)
            if places.setdefault(name, place) != place:
                raise _refuse(rule, f"{name!r} is in {places[name]} and in {place}.", "Choose one of them.", place)
    for name, chars in rule.truncated.items():
        if not 1 <= chars <= TRUNCATED_MAX:
            raise _refuse(
                rule, f"{name!r} is to be cut to {chars} characters.", "Leave it out, or keep at least 1.", "truncated"
            )


def _check_numbers(rule: Rule) -> None:
    for pattern, share in rule.sampling.items():
        if not 0 < share < 1:
            hint = "More than 0 % and less than 100 % can be kept; to log none switch it off, to log all leave it out."
            raise _refuse(rule, f"the share of {pattern!r} is {100 * share:.6g} %.", hint, "sampling")
    for name, least, most in TIMEOUTS:
        value = getattr(rule, name)
        if value is not None and not least <= value <= most:
            raise _refuse(rule, f"{name} is {value}.", f"It goes from {least:,} to {most:,} ms.", name)


def _check_reach(rule: Rule) -> None:
    for field, place in (("switched_off", "switched off"), ("sampling", "sampled")):
        for pattern in getattr(rule, field):
            if reaches_protected(pattern) and not (is_glob(pattern) and _reaches_others(pattern)):
                what = "only security types" if is_glob(pattern) else "a security type"
                hint = "These are always logged, and whole."
                raise _refuse(rule, f"{pattern!r} is {what} and cannot be {place}.", hint, field)
    for pattern in rule.switched_off if rule.level == "custom" else ():
        if not any(overlap(pattern, one) for one in rule.types):
            raise _refuse(
                rule, f"{pattern!r} is switched off, but not among its types.", "Leave it out.", "switched_off"
            )
    for one in rule.types:
        if any(covers(pattern, one) for pattern in rule.switched_off):
            raise _refuse(rule, f"{one!r} is among its types and switched off.", "Choose one of them.", "types")
    for pattern in rule.sampling:
        if any(covers(off, pattern) for off in off_patterns(rule)):
            raise _refuse(
                rule, f"{pattern!r} is sampled, but is not logged at all.", "Leave out one of them.", "sampling"
            )


def _reaches_others(pattern: str) -> bool:
    """Whether a glob means something besides protected types: a known type, or whatever may come."""
    return bool(known_of(pattern)) or not any(matches(pattern, name) for name in protected())


def off_patterns(rule: Rule) -> list[str]:
    """What is not logged at all: by the level Standard, and what is switched off."""
    return [*(noisy_types() if rule.level == "standard" else ()), *rule.switched_off]


def noisy_types() -> list[str]:
    """The types that Standard leaves out."""
    return sorted(entry.name for entry in catalogue.entries().values() if not entry.standard)


def _check_known(rule: Rule, seen: Seen) -> None:
    for field in ("types", "switched_off", "sampling"):
        names = [name for name in getattr(rule, field) if not is_glob(name)]
        with about(field):
            refuse_unknown(names, f"Rule {rule.name!r}", seen)


def refuse_unknown(names: Iterable[str], whose: str, seen: Seen) -> None:
    """Raise WhodidError("invalid") if a type is neither documented nor was ever sent."""
    from difflib import get_close_matches

    unknown = [name for name in names if name not in catalogue.known_types()]
    if not unknown:
        return
    known = set(seen(unknown))
    for name in unknown:
        if name not in known:
            close = get_close_matches(name, catalogue.known_types(), n=1, cutoff=0.75)
            meant = f"Did you mean {close[0]!r}? If not" if close else "If it will be sent"
            raise WhodidError(
                "invalid",
                f"{whose}: no event of type {name!r} is known.",
                f"{meant}: --unknown (accept_unknown) takes it as it is.",
            )
