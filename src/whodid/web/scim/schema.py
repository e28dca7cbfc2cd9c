"""The schemas of users and groups, as rows of data: what is accepted, kept and served at `/scim/v2/Schemas`.

Source: RFC 7643, sections 4.1 to 4.3, 7 and 8.7.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, Literal, NamedTuple

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"
RESOURCE_TYPE: Final = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
PROVIDER: Final = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"

Kind = Literal["string", "boolean", "complex", "reference", "dateTime", "binary"]
Mutability = Literal["readWrite", "readOnly", "immutable"]


class Attribute(NamedTuple):
    """One attribute: its name and type, whether there may be several, and how it may change."""

    name: str
    help: str
    kind: Kind = "string"
    many: bool = False
    parts: tuple[Attribute, ...] = ()
    required: bool = False
    mutability: Mutability = "readWrite"
    exact: bool = False
    unique: Literal["none", "server"] = "none"
    refers: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def part(self, name: str) -> Attribute | None:
        """The sub-attribute of this name, in any case."""
        return _named(self.parts, name)


def _many(name: str, help: str, *types: str, kind: Kind = "string") -> Attribute:
    parts = (
        Attribute("value", f"One of the {help}.", kind, refers=("external",) if kind == "reference" else ()),
        Attribute("display", "Its name for people."),
        Attribute("type", "What it is for.", values=types),
        Attribute("primary", "Whether it is the first choice; one is at most.", "boolean"),
    )
    return Attribute(name, f"The {help}.", "complex", many=True, parts=parts)


_NAME: Final = Attribute(
    "name",
    "The parts of the name.",
    "complex",
    parts=(
        Attribute("formatted", "The whole name as it is written."),
        Attribute("familyName", "The family name."),
        Attribute("givenName", "The given name."),
        Attribute("middleName", "Names between."),
        Attribute("honorificPrefix", "What stands before the name."),
        Attribute("honorificSuffix", "What stands behind the name."),
    ),
)
_ADDRESSES: Final = Attribute(
    "addresses",
    "Postal addresses.",
    "complex",
    many=True,
    parts=(
        Attribute("formatted", "The whole address as it is written."),
        Attribute("streetAddress", "Street and number."),
        Attribute("locality", "The town."),
        Attribute("region", "The region."),
        Attribute("postalCode", "The postal code."),
        Attribute("country", "The country, by ISO 3166-1 alpha-2."),
        Attribute("type", "What it is for.", values=("work", "home", "other")),
        Attribute("primary", "Whether it is the first choice; one is at most.", "boolean"),
    ),
)
_GROUPS: Final = Attribute(
    "groups",
    "The groups that the user is in; they are changed at the groups.",
    "complex",
    many=True,
    mutability="readOnly",
    parts=(
        Attribute("value", "The id of the group.", mutability="readOnly"),
        Attribute("$ref", "Its address.", "reference", mutability="readOnly", refers=("Group",)),
        Attribute("display", "Its name.", mutability="readOnly"),
        Attribute("type", "Whether it is a member by itself.", mutability="readOnly", values=("direct", "indirect")),
    ),
)

_USER: Final = (
    Attribute("userName", "The login, as events name it.", required=True, unique="server"),
    _NAME,
    Attribute("displayName", "What the user is called for people."),
    Attribute("nickName", "The casual name."),
    Attribute("profileUrl", "A page about the user.", "reference", refers=("external",)),
    Attribute("title", "The title at work."),
    Attribute("userType", "The relation to the organisation."),
    Attribute("preferredLanguage", "The preferred language."),
    Attribute("locale", "The place whose formats are used."),
    Attribute("timezone", "The time zone, as in the IANA database."),
    Attribute("active", "Whether the user may sign in; otherwise its keys count for nothing too.", "boolean"),
    _many("emails", "e-mail addresses", "work", "home", "other"),
    _many("phoneNumbers", "telephone numbers", "work", "home", "mobile", "fax", "pager", "other"),
    _many("ims", "addresses for instant messages"),
    _many("photos", "addresses of pictures", "photo", "thumbnail", kind="reference"),
    _ADDRESSES,
    _GROUPS,
    _many("entitlements", "entitlements"),
    _many("roles", "roles"),
)
_ENTERPRISE: Final = (
    Attribute("employeeNumber", "The number in the organisation."),
    Attribute("costCenter", "The cost center."),
    Attribute("organization", "The organisation."),
    Attribute("division", "The division."),
    Attribute("department", "The department."),
    Attribute(
        "manager",
        "The manager.",
        "complex",
        parts=(
            Attribute("value", "The id of the manager."),
            Attribute("$ref", "The manager's address.", "reference", refers=("User",)),
            Attribute("displayName", "The manager's name.", mutability="readOnly"),
        ),
    ),
)
_GROUP: Final = (
    Attribute("displayName", "The name of the group.", required=True, unique="server"),
    Attribute(
        "members",
        "Users and groups that are directly in it.",
        "complex",
        many=True,
        parts=(
            Attribute("value", "The id of the member.", mutability="immutable"),
            Attribute("$ref", "Its address.", "reference", mutability="immutable", refers=("User", "Group")),
            Attribute("type", "What it is.", mutability="immutable", values=("User", "Group")),
        ),
    ),
)
# Of every resource, besides its schema.
COMMON: Final = (
    Attribute("id", "Made here; never changes.", exact=True, mutability="readOnly", unique="server"),
    Attribute("externalId", "What the identity provider calls it.", exact=True),
    Attribute(
        "meta",
        "When and where.",
        "complex",
        mutability="readOnly",
        parts=(
            Attribute("resourceType", "What it is.", mutability="readOnly"),
            Attribute("created", "When it was made.", "dateTime", mutability="readOnly"),
            Attribute("lastModified", "When it was changed last.", "dateTime", mutability="readOnly"),
            Attribute("location", "Its address.", "reference", mutability="readOnly", refers=("uri",)),
            Attribute("version", "Its ETag.", exact=True, mutability="readOnly"),
        ),
    ),
)


class Resource(NamedTuple):
    """A type of resource: its name, where it is served, its schema, and the extension it may have."""

    name: str
    endpoint: str
    schema: str
    attributes: tuple[Attribute, ...]
    extension: str | None = None
    extended: tuple[Attribute, ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of this name, in any case; common ones too."""
        return _named((*COMMON, *self.attributes), name)

    def of_extension(self, name: str) -> Attribute | None:
        """The attribute of the extension, in any case."""
        return _named(self.extended, name)


USERS: Final = Resource("User", "/Users", USER, _USER, ENTERPRISE, _ENTERPRISE)
GROUPS: Final = Resource("Group", "/Groups", GROUP, _GROUP)
RESOURCES: Final = (USERS, GROUPS)

_SCHEMAS: Final = (
    (USER, "User", "People and programs.", _USER),
    (GROUP, "Group", "Groups of users and groups.", _GROUP),
    (ENTERPRISE, "EnterpriseUser", "What an organisation knows of a user.", _ENTERPRISE),
)


def schemas(base: str) -> list[dict[str, Any]]:
    """What `/Schemas` lists; `base` is the address of the interface."""
    return [
        {
            "schemas": [SCHEMA],
            "id": urn,
            "name": name,
            "description": help,
            "attributes": [_described(attribute) for attribute in attributes],
            "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
        }
        for urn, name, help, attributes in _SCHEMAS
    ]


def resource_types(base: str) -> list[dict[str, Any]]:
    """What `/ResourceTypes` lists."""
    return [
        {
            "schemas": [RESOURCE_TYPE],
            "id": resource.name,
            "name": resource.name,
            "endpoint": resource.endpoint,
            "description": f"{resource.name}s of whodid.",
            "schema": resource.schema,
            "schemaExtensions": [{"schema": resource.extension, "required": False}] if resource.extension else [],
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{resource.name}"},
        }
        for resource in RESOURCES
    ]


def provider_config(base: str, results_max: int) -> dict[str, Any]:
    """What `/ServiceProviderConfig` says."""
    return {
        "schemas": [PROVIDER],
        "documentationUri": "https://datatracker.ietf.org/doc/html/rfc7644",
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": results_max},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Key",
                "description": "A key of scope scim or admin as Authorization: Bearer KEY",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def _described(attribute: Attribute) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": attribute.name,
        "type": attribute.kind,
        "multiValued": attribute.many,
        "description": attribute.help,
        "required": attribute.required,
        "caseExact": attribute.exact or attribute.kind in ("reference", "binary"),
        "mutability": attribute.mutability,
        "returned": "default",
        "uniqueness": attribute.unique,
    }
    if attribute.refers:
        told["referenceTypes"] = list(attribute.refers)
    if attribute.values:
        told["canonicalValues"] = list(attribute.values)
    if attribute.parts:
        told["subAttributes"] = [_described(part) for part in attribute.parts]
    return told


@cache
def _named(attributes: tuple[Attribute, ...], name: str) -> Attribute | None:
    lower = name.lower()
    return next((attribute for attribute in attributes if attribute.name.lower() == lower), None)
