"""What a client sends, as the schema says it: attributes by their right names, values of their right types.

Names count in any case; what the schema does not know, and what only the server writes, is left out. Booleans may come
as text (`"True"`), a single value where several may stand, and a bare text where `{"value": …}` is meant: identity
providers send all of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from whodid.web.scim.errors import ScimError
from whodid.web.scim.filters import split_urn
from whodid.web.scim.schema import Attribute, Resource

TEXT_MAX: Final = 4_000
VALUES_MAX: Final = 1_000
MEMBERS_MAX: Final = 50_000

Document = dict[str, Any]


def cleaned(given: Any, resource: Resource) -> Document:
    """A resource as it is kept: no `schemas`, no `meta`, nothing that only the server writes.

    Raises
    ------
    ScimError("invalidValue")
        A value is of another type than the schema says, or a required one is missing.
    ScimError("invalidSyntax")
        It is no object.
    """
    if not isinstance(given, Mapping):
        raise ScimError("invalidSyntax", "A resource is a JSON object.")
    found: Document = {}
    for name, value in given.items():
        urn, rest = split_urn(str(name), resource)
        if urn and not rest:
            if isinstance(value, Mapping) and (extended := _extended(value, resource)):
                found[urn] = {**found.get(urn, {}), **extended}
        elif urn:
            if extended := _extended({rest: value}, resource):
                found[urn] = {**found.get(urn, {}), **extended}
        elif (attribute := resource.attribute(rest)) is not None and attribute.mutability != "readOnly":
            _put(found, attribute, value)
    for attribute in resource.attributes:
        if attribute.required and not str(found.get(attribute.name, "")).strip():
            raise ScimError("invalidValue", f"A {resource.name} needs {attribute.name}.")
    return found


def value_of(attribute: Attribute, value: Any) -> Any:
    """A value of an attribute; None for nothing."""
    if value is None:
        return None
    if not attribute.many:
        return _single(attribute, value)
    values = value if isinstance(value, list) else [value]
    most = MEMBERS_MAX if attribute.name == "members" else VALUES_MAX
    if len(values) > most:
        raise ScimError("tooMany", f"{attribute.name} has {len(values):,} values; at most {most:,}.", status=413)
    several = [each for each in (_single(attribute, each) for each in values) if each not in (None, {}, "")]
    if sum(isinstance(each, dict) and each.get("primary") is True for each in several) > 1:
        raise ScimError("invalidValue", f"Several {attribute.name} are primary; one is at most.")
    return several or None


def _extended(given: Mapping[str, Any], resource: Resource) -> Document:
    found: Document = {}
    for name, value in given.items():
        attribute = resource.of_extension(str(name))
        if attribute is not None:
            _put(found, attribute, value)
    return found


def _put(found: Document, attribute: Attribute, value: Any) -> None:
    kept = value_of(attribute, value)
    if kept not in (None, {}, [], ""):
        found[attribute.name] = kept


def _single(attribute: Attribute, value: Any) -> Any:
    if value is None:
        return None
    if attribute.kind == "complex":
        return _complex(attribute, value)
    if attribute.kind == "boolean":
        return _boolean(attribute, value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ScimError("invalidValue", f"{attribute.name} is a text, not {type(value).__name__}.")
    text = str(value)
    if len(text) > TEXT_MAX:
        raise ScimError("invalidValue", f"{attribute.name} has {len(text):,} characters; at most {TEXT_MAX:,}.")
    if "\0" in text or (not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text)):
        raise ScimError("invalidValue", f"{attribute.name} holds a character that no text may hold.")
    return text


def _complex(attribute: Attribute, value: Any) -> Document:
    if isinstance(value, str) and attribute.part("value") is not None:
        value = {"value": value}
    if not isinstance(value, Mapping):
        raise ScimError("invalidValue", f"{attribute.name} is an object, not {type(value).__name__}.")
    found: Document = {}
    for name, inner in value.items():
        part = attribute.part(str(name))
        if part is not None and part.mutability != "readOnly":
            _put(found, part, inner)
    return found


def _boolean(attribute: Attribute, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ScimError("invalidValue", f"{attribute.name} is true or false, not {str(value)[:50]!r}.")
