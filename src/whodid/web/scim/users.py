"""Users of the directory as SCIM's, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whodid.directory.model import Group
from whodid.directory.people import Person, Profile
from whodid.web.scim.clean import Document
from whodid.web.scim.schema import ENTERPRISE, USER

# What the directory has fields of its own for; the rest of a resource is kept as it is.
_OWN = ("userName", "externalId")


def profile_of(document: Document) -> Profile:
    """What a user is to be."""
    rest = {name: value for name, value in document.items() if name not in _OWN}
    return Profile(
        login=document["userName"],
        fields=_fields(rest, document["userName"]),
        active=document.get("active", True),
        external_id=document.get("externalId"),
        attributes=rest,
    )


def document_of(person: Person) -> Document:
    """A user as it is patched: what clients may write. What was changed elsewhere since is told as it is there."""
    user = person.user
    found: Document = dict(person.attributes)
    told = _fields(found, user.login)
    for field, part in (("first_name", "givenName"), ("last_name", "familyName")):
        if getattr(user, field) != told[field]:
            found["name"] = _with(found.get("name"), part, getattr(user, field))
    if user.friendly_name != told["friendly_name"] and user.friendly_name:
        found["displayName"] = user.friendly_name
    for field, name, kind in (("email", "emails", "work"), ("picture", "photos", "photo")):
        if getattr(user, field) != told[field]:
            found[name] = _with_first(found.get(name) or [], getattr(user, field), kind)
    found = {name: value for name, value in found.items() if value not in (None, [], {})}
    found["userName"] = user.login
    if "active" in found or not user.active or not person.attributes:
        found["active"] = user.active
    return found | ({"externalId": user.external_id} if user.external_id else {})


def shown(person: Person, document: Document, groups: Sequence[Group], base: str) -> Document:
    """A user as clients see it, but for `meta`."""
    schemas = [USER, ENTERPRISE] if ENTERPRISE in document else [USER]
    found: Document = {"schemas": schemas, "id": person.user.id, **document}
    if groups:
        found["groups"] = [
            {"value": each.id, "$ref": f"{base}/Groups/{each.id}", "display": each.name, "type": "direct"}
            for each in groups
        ]
    manager = document.get(ENTERPRISE, {}).get("manager")
    if manager and "value" in manager:
        more = {"$ref": manager.get("$ref", f"{base}/Users/{manager['value']}")}
        found[ENTERPRISE] = document[ENTERPRISE] | {"manager": manager | more}
    return found


def _fields(document: Document, login: str) -> dict[str, str | None]:
    name = document.get("name") or {}
    parts = " ".join(filter(None, (name.get("givenName"), name.get("familyName"))))
    whole = name.get("formatted") or parts or login
    return {
        "name": whole,
        "first_name": name.get("givenName"),
        "last_name": name.get("familyName"),
        "friendly_name": document.get("displayName") or whole,
        "email": _first(document.get("emails")),
        "picture": _first(document.get("photos")),
    }


def _first(values: list[Any] | None) -> str | None:
    """The value that counts: the primary one, else that of work, else the first."""
    if not values:
        return None
    ranked = sorted(values, key=lambda each: (not each.get("primary"), each.get("type") != "work"))
    return next((each["value"] for each in ranked if each.get("value")), None)


def _with_first(values: list[Any], value: str | None, kind: str) -> list[Any]:
    first = _first(values)
    kept = [each for each in values if each.get("value") != first]
    return [*kept, {"value": value, "type": kind, "primary": True}] if value else kept


def _with(value: Document | None, name: str, inner: str | None) -> Document:
    found = {part: each for part, each in (value or {}).items() if part not in (name, "formatted")}
    return found | ({name: inner} if inner else {})
