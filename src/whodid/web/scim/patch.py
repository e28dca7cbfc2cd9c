"""Patches (RFC 7644, section 3.5.2), also in the forms that Okta and Microsoft Entra ID send.

Those are: operations in any case (`Replace`), values without a path whose names are paths themselves
(`{"name.givenName": "Ada"}`, `{"urn:…:User:department": "R&D"}`), booleans as text, and `remove` of `members` with the
members to take away as its value.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from whodid.web.scim.clean import Document, cleaned, value_of
from whodid.web.scim.errors import ScimError
from whodid.web.scim.filters import Both, Compare, Filter, Target, find, fits_value, parse_path, split_urn
from whodid.web.scim.schema import Attribute, Resource

PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
OPERATIONS_MAX: Final = 1_000


def patched(document: Document, body: Any, resource: Resource) -> Document:
    """A resource after the operations of a patch: all of them or none.

    Raises
    ------
    ScimError("invalidSyntax"), ScimError("invalidPath"), ScimError("invalidValue")
        An operation cannot be read.
    ScimError("noTarget")
        A filter in a path fits nothing, or `remove` has no path.
    ScimError("mutability")
        Only the server writes the attribute.
    """
    after = copy.deepcopy(document)
    for verb, path, value in _operations(body):
        if resource.extension and path.lower() == resource.extension.lower():
            if verb == "remove":
                after.pop(resource.extension, None)
            else:
                _act_on_all(after, verb, {resource.extension: value}, resource)
        elif path:
            _act(after, verb, parse_path(path, resource), value)
        elif verb == "remove":
            raise ScimError("noTarget", "remove needs a path.")
        else:
            _act_on_all(after, verb, value, resource)
    return cleaned(after, resource)


def _operations(body: Any) -> list[tuple[str, str, Any]]:
    given = {str(name).lower(): value for name, value in body.items()} if isinstance(body, Mapping) else {}
    operations = given.get("operations")
    if not isinstance(operations, list) or not operations:
        raise ScimError("invalidSyntax", "A patch is an object with Operations.")
    if len(operations) > OPERATIONS_MAX:
        raise ScimError("tooMany", f"{len(operations):,} operations; at most {OPERATIONS_MAX:,}.", status=413)
    found = []
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise ScimError("invalidSyntax", "An operation is an object.")
        told = {str(name).lower(): value for name, value in operation.items()}
        verb, path = str(told.get("op", "")).lower(), told.get("path") or ""
        if verb not in ("add", "remove", "replace"):
            raise ScimError("invalidSyntax", f"There is no operation {verb[:50]!r}.", "add, remove or replace.")
        if not isinstance(path, str):
            raise ScimError("invalidPath", "A path is a text.")
        if verb != "remove" and "value" not in told:
            raise ScimError("invalidValue", f"{verb} needs a value.")
        found.append((verb, path, told.get("value")))
    return found


def _act_on_all(document: Document, verb: str, value: Any, resource: Resource) -> None:
    if not isinstance(value, Mapping):
        raise ScimError("invalidValue", f"{verb} without a path needs an object of attributes.")
    for name, inner in value.items():
        urn, rest = split_urn(str(name), resource)
        if urn and not rest and isinstance(inner, Mapping):
            _act_on_all(document, verb, {f"{urn}:{part}": each for part, each in inner.items()}, resource)
            continue
        if "[" in str(name):
            _act(document, verb, parse_path(str(name), resource), inner)
            continue
        path = find(str(name), resource)
        # As in a whole resource: what is unknown or the server's own is left out.
        if path is not None and path.attribute.mutability != "readOnly":
            _act(document, verb, Target(path), inner)


def _act(document: Document, verb: str, target: Target, value: Any) -> None:
    path = target.path
    if "readOnly" in (path.attribute.mutability, path.part.mutability if path.part else ""):
        raise ScimError("mutability", f"Only the server writes {(path.part or path.attribute).name}.")
    holder = document.setdefault(path.urn, {}) if path.urn else document
    if verb == "remove":
        _remove(holder, target, value)
    elif target.filter is not None:
        _put_chosen(holder, verb, target, value)
    elif path.part is not None:
        _put_part(holder, path.attribute, path.part, value)
    else:
        _put_whole(holder, verb, path.attribute, value)


def _put_whole(holder: Document, verb: str, attribute: Attribute, value: Any) -> None:
    kept = value_of(attribute, value)
    before = holder.get(attribute.name)
    if kept is None:
        if verb == "replace":
            holder.pop(attribute.name, None)
    elif attribute.many and verb == "add":
        holder[attribute.name] = _joined(attribute, before or [], kept)
    elif not attribute.many and isinstance(kept, dict):
        holder[attribute.name] = {**(before or {}), **kept}
    else:
        holder[attribute.name] = kept


def _put_part(holder: Document, attribute: Attribute, part: Attribute, value: Any) -> None:
    kept = value_of(part, value)
    if not attribute.many:
        holder[attribute.name] = _with(holder.get(attribute.name) or {}, part.name, kept)
        return
    values = holder.get(attribute.name) or [{}]
    holder[attribute.name] = [_with(each, part.name, kept) for each in values]


def _put_chosen(holder: Document, verb: str, target: Target, value: Any) -> None:
    attribute, part = target.path.attribute, target.path.part
    values, chosen = _chosen(holder, target)
    if not chosen:
        if verb == "replace":
            raise _no_target(target)
        chosen = [len(values)]
        values.append(_meant(target.filter))
    if part is not None:
        kept = value_of(part, value)
        for index in chosen:
            values[index] = _with(values[index], part.name, kept)
    else:
        told = value_of(attribute._replace(many=False), value)
        for index in chosen:
            values[index] = {**values[index], **told} if isinstance(told, dict) else told
    holder[attribute.name] = _one_primary(values, set(chosen))


def _remove(holder: Document, target: Target, value: Any) -> None:
    attribute, part = target.path.attribute, target.path.part
    if target.filter is not None:
        values, chosen = _chosen(holder, target)
        if not chosen:
            raise _no_target(target)
        if part is None:
            taken = set(chosen)
            values = [each for index, each in enumerate(values) if index not in taken]
        else:
            for index in chosen:
                values[index] = _with(values[index], part.name, None)
        holder[attribute.name] = values
    elif part is not None:
        before = holder.get(attribute.name)
        if isinstance(before, list):
            holder[attribute.name] = [_with(each, part.name, None) for each in before]
        elif before:
            holder[attribute.name] = _with(before, part.name, None)
    elif attribute.many and value not in (None, [], ""):
        gone = {_value(each) for each in value_of(attribute, value) or ()}
        holder[attribute.name] = [each for each in holder.get(attribute.name) or [] if _value(each) not in gone]
    else:
        holder.pop(attribute.name, None)


def _chosen(holder: Document, target: Target) -> tuple[list[Any], list[int]]:
    values = list(holder.get(target.path.attribute.name) or [])
    assert target.filter is not None
    return values, [index for index, each in enumerate(values) if fits_value(target.filter, each)]


def _meant(wanted: Filter | None) -> Document:
    """The value that a filter describes, such as `type eq "work"`: what `add` makes when there is none."""
    terms = wanted.terms if isinstance(wanted, Both) and wanted.word == "and" else (wanted,)
    found: Document = {}
    for term in terms:
        if isinstance(term, Compare) and term.word == "eq" and term.path.part is not None:
            found[term.path.part.name] = term.value
    return found


def _joined(attribute: Attribute, before: list[Any], more: list[Any]) -> list[Any]:
    there = {_key(attribute, each) for each in before}
    values, fresh = list(before), set()
    for each in more:
        if _key(attribute, each) not in there:
            there.add(_key(attribute, each))
            fresh.add(len(values))
            values.append(each)
    return _one_primary(values, fresh)


def _one_primary(values: list[Any], fresh: set[int]) -> list[Any]:
    """The value that became primary is the only one."""
    firsts = [index for index in fresh if isinstance(values[index], dict) and values[index].get("primary") is True]
    if not firsts:
        return values
    return [
        {**each, "primary": False} if index != firsts[-1] and isinstance(each, dict) and each.get("primary") else each
        for index, each in enumerate(values)
    ]


def _key(attribute: Attribute, value: Any) -> Any:
    """What makes two values of an attribute the same: of members the id, else value and type."""
    if not isinstance(value, Mapping):
        return value
    if "value" in value:
        return (str(value["value"]).lower(), None if attribute.name == "members" else value.get("type"))
    return repr(sorted(value.items(), key=str))


def _value(each: Any) -> str:
    return str(each.get("value") if isinstance(each, Mapping) else each).lower()


def _with(value: Any, name: str, inner: Any) -> Document:
    found = dict(value) if isinstance(value, Mapping) else {}
    found.pop(name, None)
    if inner not in (None, "", [], {}):
        found[name] = inner
    return found


def _no_target(target: Target) -> ScimError:
    return ScimError("noTarget", f"None of {target.path.attribute.name} fits the filter.")
