"""Filters (RFC 7644, section 3.4.2.2) and the paths of patches: text in, a tree out; and whether a resource fits.

FILTER  = attrExp / logExp / valuePath / *1"not" "(" FILTER ")"
attrExp = (attrPath SP "pr") / (attrPath SP compareOp SP compValue)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from whodid.web.scim.errors import ScimError
from whodid.web.scim.schema import Attribute, Resource

LENGTH_MAX: Final = 8_000
TERMS_MAX: Final = 100
DEPTH_MAX: Final = 20

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<mark>[()\[\]])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.:-])"""
    r"""|(?P<word>[A-Za-z$][\w$:.\-]*))"""
)
_COMPARED: Final = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")


class Path(NamedTuple):
    """An attribute, of the extension `urn` or the schema itself (None), and its sub-attribute if one is meant."""

    urn: str | None
    attribute: Attribute
    part: Attribute | None = None


class Compare(NamedTuple):
    path: Path
    word: str
    value: Any = None


class Within(NamedTuple):
    """One value of a multi-valued attribute that fits the filter."""

    path: Path
    filter: Filter


class Both(NamedTuple):
    word: str
    terms: tuple[Filter, ...]


class Not(NamedTuple):
    filter: Filter


Filter = Compare | Within | Both | Not


class Target(NamedTuple):
    """What a patch is aimed at: the attribute, of its values those that fit `filter`, of those a sub-attribute."""

    path: Path
    filter: Filter | None = None


def parse(text: str, resource: Resource) -> Filter:
    """The filter that a text is.

    Raises
    ------
    ScimError("invalidFilter")
        It cannot be read, names an attribute that there is not, or is too long.
    """
    parser = _Parser(text, resource, "invalidFilter")
    found = parser.either(0)
    parser.end()
    return found


def parse_path(text: str, resource: Resource) -> Target:
    """The target that a patch's path means. Raises ScimError("invalidPath")."""
    parser = _Parser(text, resource, "invalidPath")
    path = parser.path(parser.word())
    if parser.peek() != "[":
        parser.end()
        return Target(path)
    if path.part is not None or not path.attribute.many:
        raise parser.wrong(f"{path.attribute.name} has no several values to choose from.")
    chosen = parser.brackets(path, 0)
    if parser.peek():
        name = parser.word()
        part = path.attribute.part(name.removeprefix("."))
        if not name.startswith(".") or part is None:
            raise parser.wrong(f"{path.attribute.name} has no {name!r}.")
        path = path._replace(part=part)
    parser.end()
    return Target(path, chosen)


def split_urn(name: str, resource: Resource) -> tuple[str | None, str]:
    """The extension that a name belongs to (None: the schema itself), and the name without its URN."""
    lower = name.lower()
    for urn in filter(None, (resource.extension, resource.schema)):
        if lower == urn.lower():
            return urn if urn != resource.schema else None, ""
        if lower.startswith(f"{urn.lower()}:"):
            return (urn if urn != resource.schema else None), name[len(urn) + 1 :]
    return None, name


def find(name: str, resource: Resource) -> Path | None:
    """The attribute that a name such as `emails`, `name.givenName` or `urn:…:User:department` means."""
    urn, rest = split_urn(name, resource)
    first, _, second = rest.partition(".")
    attribute = resource.of_extension(first) if urn else resource.attribute(first)
    if attribute is None:
        return None
    part = attribute.part(second) if second else None
    return None if second and part is None else Path(urn, attribute, part)


class _Parser:
    def __init__(self, text: str, resource: Resource, kind: str):
        self.text, self.resource, self.kind = text, resource, kind
        self.terms = 0
        if len(text) > LENGTH_MAX:
            raise ScimError(kind, f"The filter is longer than {LENGTH_MAX:,} characters.")
        self.tokens = self._tokens()
        self.at = 0

    def wrong(self, what: str) -> ScimError:
        return ScimError(self.kind, f"{self.text[:200]!r} cannot be read: {what}")

    def _tokens(self) -> list[str]:
        found: list[str] = []
        at, text = 0, self.text.rstrip()
        while at < len(text):
            # Behind a bracket comes the sub-attribute.
            if found and found[-1] == "]" and text[at] == ".":
                match = re.compile(r"\.[\w$]+").match(text, at)
                kind = 0
            else:
                match = _TOKEN.match(text, at)
                kind = match.lastindex or 0 if match else 0
            if match is None:
                raise self.wrong(f"there is something odd at character {at + 1}.")
            found.append(match.group(kind) if kind else match.group().strip())
            at = match.end()
        return found

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def word(self) -> str:
        token = self.peek()
        if not token:
            raise self.wrong("it ends too early.")
        self.at += 1
        return token

    def end(self) -> None:
        if self.peek():
            raise self.wrong(f"{self.peek()[:50]!r} is too much.")

    def expect(self, mark: str) -> None:
        if self.word() != mark:
            raise self.wrong(f"{mark!r} is missing.")

    def either(self, depth: int, within: Path | None = None) -> Filter:
        return self._joined("or", lambda: self._joined("and", lambda: self.term(depth, within)))

    def _joined(self, word: str, inner: Callable[[], Filter]) -> Filter:
        terms = [inner()]
        while self.peek().lower() == word:
            self.at += 1
            terms.append(inner())
        return terms[0] if len(terms) == 1 else Both(word, tuple(terms))

    def term(self, depth: int, within: Path | None) -> Filter:
        self.terms += 1
        if depth > DEPTH_MAX or self.terms > TERMS_MAX:
            raise self.wrong(f"at most {TERMS_MAX} terms, {DEPTH_MAX} deep.")
        name = self.word()
        negative = name.lower() == "not"
        if negative:
            name = self.word()
        if name == "(":
            found = self.either(depth + 1, within)
            self.expect(")")
            return Not(found) if negative else found
        if negative:
            raise self.wrong("not stands before parentheses.")
        path = self.path(name, within)
        if self.peek() == "[" and within is None:
            return Within(path, self.brackets(path, depth))
        return self.compare(path)

    def brackets(self, path: Path, depth: int) -> Filter:
        self.expect("[")
        found = self.either(depth + 1, path)
        self.expect("]")
        return found

    def compare(self, path: Path) -> Compare:
        word = self.word().lower()
        if word == "pr":
            return Compare(path, word)
        if word not in _COMPARED:
            raise self.wrong(f"{word[:50]!r} is no comparison.")
        token = self.word()
        try:
            value = json.loads(token, strict=False)
        except ValueError:
            lower = token.lower()
            if lower not in ("true", "false"):
                raise self.wrong(f"{token[:50]!r} is no value; texts stand in quotation marks.") from None
            value = lower == "true"
        return Compare(path, word, value)

    def path(self, name: str, within: Path | None = None) -> Path:
        if within is not None:
            part = within.attribute.part(name)
            if part is None:
                raise self.wrong(f"{within.attribute.name} has no {name[:100]!r}.")
            return within._replace(part=part)
        found = find(name, self.resource)
        if found is None and name.lower() != "schemas":
            raise self.wrong(f"a {self.resource.name} has no attribute {name[:100]!r}.")
        return found or Path(None, Attribute("schemas", "", "reference", many=True))


def fits(wanted: Filter, resource: Mapping[str, Any]) -> bool:
    """Whether a resource passes a filter."""
    if isinstance(wanted, Both):
        return (all if wanted.word == "and" else any)(fits(term, resource) for term in wanted.terms)
    if isinstance(wanted, Not):
        return not fits(wanted.filter, resource)
    if isinstance(wanted, Within):
        return any(fits_value(wanted.filter, value) for value in _many(_of(wanted.path, resource)))
    return _compared(wanted, list(_values(wanted.path, _of(wanted.path, resource))))


def fits_value(wanted: Filter, value: Any) -> bool:
    """Whether one value of a multi-valued attribute passes the filter in its brackets."""
    if isinstance(wanted, Both):
        return (all if wanted.word == "and" else any)(fits_value(term, value) for term in wanted.terms)
    if isinstance(wanted, Not):
        return not fits_value(wanted.filter, value)
    if isinstance(wanted, Within):
        return False
    return _compared(wanted, list(_values(wanted.path, value)))


def _of(path: Path, resource: Mapping[str, Any]) -> Any:
    inner = resource.get(path.urn, {}) if path.urn else resource
    return inner.get(path.attribute.name) if isinstance(inner, Mapping) else None


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _values(path: Path, value: Any) -> Iterable[Any]:
    for each in _many(value):
        if isinstance(each, Mapping):
            # A complex attribute without sub-attribute means its value.
            each = each.get(path.part.name if path.part else "value", each if path.part is None else None)
        if each not in (None, "", [], {}):
            yield each


def _compared(wanted: Compare, found: list[Any]) -> bool:
    if wanted.word == "pr":
        return bool(found)
    if wanted.value is None:
        return (not found) if wanted.word == "eq" else bool(found) if wanted.word == "ne" else False
    leaf = wanted.path.part or wanted.path.attribute
    if wanted.word == "ne":
        return not any(_pair(leaf, "eq", each, wanted.value) for each in found)
    return any(_pair(leaf, wanted.word, each, wanted.value) for each in found)


def _pair(leaf: Attribute, word: str, found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return word == "eq" and str(found).lower() == str(value).lower()
    if leaf.kind == "dateTime" and word not in _OF_TEXTS:
        found, value = _time(found), _time(value)
        return found is not None and value is not None and _ORDER[word](found, value)
    left, right = str(found), str(value)
    if not leaf.exact:
        left, right = left.lower(), right.lower()
    return _ORDER[word](left, right)


_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": lambda left, right: left == right,
    "co": lambda left, right: right in left,
    "sw": lambda left, right: left.startswith(right),
    "ew": lambda left, right: left.endswith(right),
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
}


# What no time is asked, but its text: `meta.lastModified sw "2026-11"`.
_OF_TEXTS: Final = ("co", "sw", "ew")


def _time(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
