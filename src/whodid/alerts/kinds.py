"""The kinds of alerts: rows of data. Forms, checks and documentation are made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from whodid.errors import WhodidError

VALUES_MAX: Final = 100
LENGTH_MAX: Final = 500


_BOUNDLESS: Final = 1e15


class Option(NamedTuple):
    """An option of a kind. `kind` is whole, number, text, texts, choice or map; a default of None is needed."""

    name: str
    kind: str
    default: Any
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = _BOUNDLESS


class Kind(NamedTuple):
    """A kind of alert.

    find      the function of `finding` that looks.
    lasting   it is found for as long as it lasts; when it is found no more, the alert ends.
    each      every server looks at itself; otherwise one of all looks.
    every_s   how often.
    """

    name: str
    title: str
    help: str
    find: str
    options: tuple[Option, ...]
    lasting: bool = True
    each: bool = False
    every_s: int = 60


_WINDOW: Final = Option(
    "window_minutes", "whole", 15, "how long a time is counted together", "min", least=1, most=1_440
)
_COMPARE: Final = Option(
    "compare", "choice", "above", "with a fixed number, or with what is usual at this time of the week",
    choices=("above", "usual"),
)  # fmt: skip
_K: Final = Option("k", "number", 5, "with usual: how many deviations above the median", least=1, most=100)
_ONLY: Final = (
    Option("projects", "texts", [], "only in these projects"),
    Option("users", "texts", [], "only what these logins did"),
    Option("groups", "texts", [], "only what members of these groups did"),
)
_MEASURES: Final = (
    "lag_seconds", "lag_batches", "backlog_bytes", "disk_free_bytes", "rejects", "dead_letters", "targets_waiting",
)  # fmt: skip
_TYPES: Final = Option("types", "texts", None, "types of events; * stands for anything")


def _per(default: str, *choices: str) -> Option:
    return Option("per", "choice", default, "what is told apart", choices=choices)


def _above(default: float, help: str, unit: str = "") -> Option:
    return Option("above", "number", default, help, unit)


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "new-error-group", "New error", "An error that nobody saw before, or a resolved one that is back.",
            "new_errors", _ONLY, lasting=False,
        ),
        Kind(
            "error-rate", "Error rate", "The share of errors among the events of a time.", "counts",
            (
                _per("all", "all", "function", "project"), _WINDOW, _COMPARE,
                _above(10, "more than this share", "%"), _K,
                Option("at_least", "whole", 10, "errors that there have to be", "events", least=1), *_ONLY,
            ),
        ),
        Kind(
            "failed-logins", "Failed logins", "Logins that failed.", "counts",
            (
                _per("account", "all", "account", "address"), _WINDOW, _COMPARE, _above(5, "more than so many"), _K,
                Option("at_least", "whole", 3, "failures that there have to be", "logins", least=1),
            ),
        ),
        Kind(
            "event-count", "Number of events", "Events of some types in a time.", "counts",
            (
                _TYPES, _per("all", "all", "type", "user", "entity", "project", "node"), _WINDOW, _COMPARE,
                _above(100, "more than so many", "events"), _K,
                Option("at_least", "whole", 1, "events that there have to be", "events", least=1), *_ONLY,
            ),
        ),
        Kind(
            "event", "Event", "An event of some types, each time: target-paused, role-granted, …", "events",
            (_TYPES, _per("entity", "event", "entity", "user", "type"), *_ONLY), lasting=False,
        ),
        Kind(
            "node-silent", "Node gone silent", "A node sends nothing any more; ends when it is back.", "silent_nodes",
            (Option("nodes", "texts", [], "only these nodes"),), lasting=False,
        ),
        Kind(
            "fading-user", "Fading user", "Somebody does much less than they used to.", "fading",
            (
                Option("users", "texts", [], "the users that matter; none: all"),
                Option("groups", "texts", [], "their groups"),
                Option("percent", "whole", 50, "less than this share of the own past", "%", least=1, most=100),
                Option("at_least", "whole", 5, "uses a week that a user must have had", "uses", least=1),
            ),
            every_s=3_600,
        ),
        Kind(
            "report", "Report", "A column of any report beyond a number.", "report",
            (
                Option("report", "text", None, "the report"),
                Option("parameters", "map", {}, "what it is asked with"),
                Option("column", "text", None, "the column, a number"),
                Option("comparison", "choice", "above", "how", choices=("above", "below", "equal", "not-equal")),
                Option("value", "number", None, "the number to compare with", least=-_BOUNDLESS),
                Option("every_minutes", "whole", 60, "how often it is asked", "min", least=1, most=10_080),
                Option("as_user", "text", "", "whose rights it has; empty: it sees everything"),
            ),
        ),
        Kind(
            "self", "whodid itself", "How this server stands: lag, rejects, dead letters, disk.", "own_measure",
            (
                Option("measure", "choice", None, "what", choices=_MEASURES),
                Option("comparison", "choice", "above", "how", choices=("above", "below")),
                Option("value", "number", None, "the number to compare with"),
                _WINDOW._replace(help="with rejects: how long a time is counted together"),
            ),
            each=True,
        ),
    )
}  # fmt: skip


def kind_of(name: str) -> Kind:
    """The kind of this name; raises WhodidError("invalid")."""
    if name not in KINDS:
        raise WhodidError("invalid", f"There is no kind of alert {name[:100]!r}.", f"Kinds: {', '.join(KINDS)}.")
    return KINDS[name]


def read_options(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all options, checked.

    Raises
    ------
    WhodidError("invalid")
        An option that there is not, one that is missing, or a value that is none of its kind.
    """
    known = {option.name: option for option in kind.options}
    for name in given:
        if name not in known:
            raise WhodidError(
                "invalid", f"{kind.name} has no option {name[:100]!r}.", f"Options: {', '.join(known)}.", field=name
            )
    return {name: _value(kind, option, given.get(name)) for name, option in known.items()}


def _value(kind: Kind, option: Option, given: Any) -> Any:
    if given is None or given == "":
        if option.default is None:
            raise WhodidError(
                "invalid", f"{kind.name} needs {option.name}: {option.help}.", _choices(option), field=option.name
            )
        return option.default
    try:
        return _READERS[option.kind](option, given)
    except (ValueError, TypeError, OverflowError):
        raise WhodidError(
            "invalid",
            f"{option.name} is {str(given)[:100]!r}.",
            _choices(option) or _bounds(option) or f"{option.name}: {option.help}.",
            field=option.name,
        ) from None


def _choices(option: Option) -> str | None:
    return f"It is one of: {', '.join(option.choices)}." if option.choices else None


def _bounds(option: Option) -> str | None:
    if option.kind not in ("whole", "number"):
        return None
    what = "whole numbers" if option.kind == "whole" else "numbers"
    least = f" from {option.least:,g}" if option.least > -_BOUNDLESS else ""
    most = f" to {option.most:,g}" if option.most < _BOUNDLESS else " on" if least else ""
    return f"It takes {what}{least}{most}."


def _text(_option: Option, given: Any) -> str:
    if not isinstance(given, str) or len(given) > LENGTH_MAX:
        raise TypeError
    return given


def _choice(option: Option, given: Any) -> str:
    if given not in option.choices:
        raise ValueError
    return str(given)


def _number(option: Option, given: Any) -> float:
    if isinstance(given, bool):
        raise TypeError
    value = float(given)
    if not option.least <= value <= option.most:
        raise ValueError
    return int(value) if value.is_integer() else value


def _whole(option: Option, given: Any) -> int:
    value = _number(option, given)
    if not isinstance(value, int):
        raise TypeError
    return value


def _texts(option: Option, given: Any) -> list[str]:
    values = [given] if isinstance(given, str) else list(given)
    if len(values) > VALUES_MAX:
        raise ValueError
    return [_text(option, value) for value in values]


def _map(option: Option, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or len(given) > VALUES_MAX:
        raise TypeError
    return {_text(option, name): _inner(option, value) for name, value in given.items()}


def _inner(option: Option, value: Any) -> Any:
    return _texts(option, value) if isinstance(value, list) else _text(option, str(value))


_READERS: Final = {
    "text": _text, "choice": _choice, "number": _number, "whole": _whole, "texts": _texts, "map": _map,
}  # fmt: skip
