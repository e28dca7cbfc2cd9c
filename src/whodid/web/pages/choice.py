"""What a page is narrowed to: its filter bar, whose state is the page's address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from whodid.errors import WhodidError
from whodid.reading.filters import NOT
from whodid.web.pages.spans import SPAN_USUAL, Span, span_of
from whodid.web.words import moment

VALUES_MAX: Final = 50
LENGTH_MAX: Final = 500


class Field(NamedTuple):
    """One thing to narrow by: its name in addresses, in reports (empty: events only), and what people read."""

    name: str
    parameter: str
    label: str
    example: str
    help: str


FIELDS: Final[tuple[Field, ...]] = (
    Field("user", "users", "User", "erika.brandt", "what a login did, and what was done for it"),
    Field("group", "groups", "Group", "Chemistry", "what members of a group did"),
    Field("project", "projects", "Project", "SALES", "a project, by its key"),
    Field("entity", "entities", "Entity", "dataset:SALES.orders", "a thing that was touched, as type:id"),
    Field("type", "types", "Type", "query-*", "a type of event; * stands for anything"),
    Field("kind", "", "Kind", "run", "what reports count it as: run, use or error"),
    Field("level", "levels", "Level", "error", "audit, usage, error, warning, info or debug"),
    Field("topic", "topics", "Topic", "apinode-query", "a topic"),
    Field("function", "", "Function", "Sales:byRegion", "a function that was run"),
    Field("status", "", "Status", "failed", "what came of it"),
    Field("node", "", "Node", "design-1", "the server or node that sent it"),
    Field("session", "", "Session", "0190a000-…", "a session, by its id"),
    Field("request_id", "", "Request", "r-17", "a request, by its id"),
    Field("error_hash", "", "Error", "6f1c…", "a group of errors, by its hash"),
    Field("item", "", "Item", "click:toolbar", "an item of the interface, as kind:name"),
    Field("service", "", "Service", "churn", "an API service that was asked"),
    Field("endpoint", "", "Endpoint", "predict", "an endpoint of an API service"),
    Field("version", "", "Version", "v3", "the version of an API service that answered"),
    Field("caller", "", "Caller", "webshop", "who asked an API service"),
    Field("parameter", "", "Parameter", "table=orders", "name=value of a parameter"),
    Field("text", "", "Text", "timeout", "a part of a description, name, error or parameter"),
)
# What the filter bar of every page offers; the others come from links and from the search of events.
COMMON: Final = tuple(field for field in FIELDS if field.parameter)
NAMES: Final = tuple(field.name for field in FIELDS)
TIMES: Final = ("range", "since", "until")
ADDRESS_NAMES: Final = (*TIMES, *NAMES)


class Chip(NamedTuple):
    """A field is (or is not) a value; `turned` and `removed` are the choices that its two buttons lead to."""

    field: Field
    value: str
    negated: bool
    turned: Choice
    removed: Choice


class Choice(Struct, frozen=True):
    """A time range and conditions; `zone` is the reader's time zone."""

    zone: str
    range: str = SPAN_USUAL
    since: str = ""
    until: str = ""
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def span(self) -> Span:
        """The time range, as of this moment."""
        return span_of(self.range, self.zone, since=self.since, until=self.until)

    def chips(self) -> list[Chip]:
        """What is narrowed to, in the order of `FIELDS`."""
        return [
            Chip(
                field,
                value if field.name == "text" else value.removeprefix(NOT),
                value.startswith(NOT) and not value.startswith(NOT + NOT) and field.name != "text",
                self.without(field.name, value).with_value(field.name, _turned(value)),
                self.without(field.name, value),
            )
            for field in FIELDS
            for value in self.of(field.name)
        ]

    def of(self, name: str) -> tuple[str, ...]:
        """The values of an address's name; without any, none."""
        return dict(self.values).get(name, ())

    def pairs(self) -> list[tuple[str, str]]:
        """The choice as parameters of an address; what is usual is left out."""
        found = [("range", self.range)] if self.range != SPAN_USUAL and not (self.since or self.until) else []
        found += [(name, value) for name, value in (("since", self.since), ("until", self.until)) if value]
        return found + [(name, value) for name, values in self.values for value in values]

    def address(self, **more: str | int | None) -> str:
        """`?…` with this choice and `more`; empty when there is nothing to say."""
        pairs = self.pairs() + [(name, str(value)) for name, value in more.items() if value not in (None, "")]
        return f"?{urlencode(pairs)}" if pairs else ""

    def with_range(self, name: str) -> Choice:
        return replace(self, range=name, since="", until="")

    def in_time(self) -> Choice:
        """Its time range alone."""
        return replace(self, values=())

    def without(self, name: str, value: str) -> Choice:
        """The choice without one value."""
        return self.with_values(name, [one for one in self.of(name) if one != value])

    def with_value(self, name: str, value: str) -> Choice:
        """The choice with one value more."""
        return self if value in self.of(name) else self.with_values(name, [*self.of(name), value])

    def with_values(self, name: str, values: Sequence[str]) -> Choice:
        """The choice with these values in place of those there were."""
        kept = {**dict(self.values), name: tuple(values)}
        ordered = [one for one in ADDRESS_NAMES if kept.get(one)]
        return replace(self, values=tuple((one, kept[one]) for one in ordered))


def _turned(value: str) -> str:
    """The other side of a condition; what begins like one that is turned round can be wanted alone."""
    if value.startswith(NOT + NOT):
        return value
    return value.removeprefix(NOT) if value.startswith(NOT) else NOT + value


def choice_of(given: Mapping[str, Iterable[str]], zone: str) -> Choice:
    """The choice that an address states; empty values state nothing.

    Raises
    ------
    WhodidError("invalid")
        There are too many values, one is too long, a time cannot be read or is no known range, or it ends before it
        begins.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in ADDRESS_NAMES:
        # Of names spaces may be a part, of times they are not.
        told = (value.strip() if name in TIMES else value for value in given.get(name, ()))
        values = tuple(dict.fromkeys(value for value in told if value))
        if len(values) > VALUES_MAX or any(len(value) > LENGTH_MAX or "\0" in value for value in values):
            raise WhodidError(
                "invalid", f"{name} has too much.", f"At most {VALUES_MAX} values of {LENGTH_MAX} characters."
            )
        if values:
            found[name] = values
    single = {name: found.pop(name)[0] for name in TIMES if name in found}
    choice = Choice(zone=zone, values=tuple(found.items()), **single)
    span = choice.span()
    if span.since > span.until:
        raise WhodidError(
            "invalid",
            f"The time begins on {moment(span.since, zone)}, after it ends on {moment(span.until, zone)}.",
            "Turn them round.",
            field="since",
        )
    return choice
