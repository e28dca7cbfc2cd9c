"""Lists: filtered, sorted, paged. What the database can look up it looks up; else every resource is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from whodid.web.requests import number, one
from whodid.web.scim.clean import Document
from whodid.web.scim.errors import ScimError
from whodid.web.scim.filters import Both, Compare, Filter, Path, Within, find, fits, parse
from whodid.web.scim.schema import Resource

RESULTS_MAX: Final = 1_000
RESULTS: Final = 100
READ_AT_ONCE: Final = 1_000

T = TypeVar("T")


class Wanted(NamedTuple):
    """Which resources, in which order, which page; `equal` is what the database can look up for it."""

    filter: Filter | None
    equal: dict[str, str]
    sort_by: Path | None
    descending: bool
    first: int
    results: int


class Source(Protocol[T]):
    """Where resources come from."""

    def count(self, equal: Mapping[str, str]) -> int: ...

    def read(self, equal: Mapping[str, str], limit: int, offset: int) -> list[T]: ...


def wanted_of(given: Mapping[str, list[str]], resource: Resource, lookups: Mapping[str, str]) -> Wanted:
    """What the query parameters ask for. `lookups` are columns that the database finds, by attribute."""
    text, by = one(dict(given), "filter"), one(dict(given), "sortBy")
    order = one(dict(given), "sortOrder", "ascending").lower()
    if order not in ("ascending", "descending"):
        raise ScimError("invalidValue", f"sortOrder is {order[:50]!r}.", "ascending or descending.")
    sort_by = find(by, resource) if by else None
    if by and sort_by is None:
        raise ScimError("invalidPath", f"There is no attribute {by[:100]!r} to sort by.")
    wanted = parse(text, resource) if text else None
    return Wanted(
        filter=wanted,
        equal=_looked_up(wanted, lookups),
        sort_by=sort_by,
        descending=order == "descending",
        first=max(1, number("startIndex", one(dict(given), "startIndex", "1"))),
        results=min(RESULTS_MAX, max(0, number("count", one(dict(given), "count", str(RESULTS))))),
    )


def page(wanted: Wanted, source: Source[T], show: Callable[[list[T]], list[Document]]) -> tuple[list[Document], int]:
    """A page of documents and how many there are in all."""
    if wanted.filter is None and wanted.sort_by is None:
        total = source.count({})
        if wanted.results == 0:
            return [], total
        return show(source.read({}, wanted.results, wanted.first - 1)), total
    found = [each for each in _all(source, wanted.equal, show) if wanted.filter is None or fits(wanted.filter, each)]
    if wanted.sort_by is not None:
        path = wanted.sort_by
        # What has no value comes last, first when descending (RFC 7644, section 3.4.2.3).
        found.sort(key=lambda each: _order(path, each), reverse=wanted.descending)
    return found[wanted.first - 1 : wanted.first - 1 + wanted.results], len(found)


def mentions(wanted: Wanted, name: str) -> bool:
    """Whether filter or order need an attribute."""
    paths = [*_paths(wanted.filter)] + ([wanted.sort_by] if wanted.sort_by else [])
    return any(path.attribute.name == name for path in paths)


def _all(source: Source[T], equal: Mapping[str, str], show: Callable[[list[T]], list[Document]]) -> Iterator[Document]:
    offset = 0
    while True:
        read = source.read(equal, READ_AT_ONCE, offset)
        yield from show(read)
        if len(read) < READ_AT_ONCE:
            return
        offset += len(read)


def _looked_up(wanted: Filter | None, lookups: Mapping[str, str]) -> dict[str, str]:
    if isinstance(wanted, Both) and wanted.word == "and":
        return {name: value for term in wanted.terms for name, value in _looked_up(term, lookups).items()}
    if not isinstance(wanted, Compare) or wanted.word != "eq" or not isinstance(wanted.value, str):
        return {}
    path = wanted.path
    column = lookups.get(path.attribute.name) if path.urn is None and path.part is None else None
    return {column: wanted.value} if column else {}


def _paths(wanted: Filter | None) -> Iterable[Path]:
    if wanted is None:
        return
    if isinstance(wanted, Both):
        for term in wanted.terms:
            yield from _paths(term)
    elif isinstance(wanted, Compare | Within):
        yield wanted.path
    else:
        yield from _paths(wanted.filter)


def _order(path: Path, document: Document) -> tuple[bool, str]:
    holder: Any = document.get(path.urn, {}) if path.urn else document
    value = holder.get(path.attribute.name)
    if isinstance(value, list):
        value = next((each for each in value if each.get("primary")), value[0] if value else None)
    if isinstance(value, dict):
        value = value.get(path.part.name if path.part else "value")
    text = "" if value is None else str(value)
    leaf = path.part or path.attribute
    return (value is None, text if leaf.exact else text.lower())
