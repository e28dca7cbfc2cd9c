"""What the handlers answer: resources with their ETag, lists, and only the attributes that are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from litestar import Response

from whodid.errors import WhodidError
from whodid.web.requests import Req, address_here, one
from whodid.web.scim.clean import Document
from whodid.web.scim.errors import ScimError, error_of
from whodid.web.scim.filters import find, split_urn
from whodid.web.scim.schema import Resource

MEDIA_TYPE: Final = "application/scim+json"
LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
ALWAYS: Final = ("schemas", "id")
QUERY: Final = ("filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes")


def scim_answer(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """A value as SCIM's JSON."""
    data = b"" if status in (204, 304) else msgspec.json.encode(body)
    return Response(data, status_code=status, media_type=MEDIA_TYPE, headers=headers or {})


def scim_error(error: WhodidError, headers: dict[str, str]) -> Response[bytes]:
    """An error in SCIM's shape."""
    status, body = error_of(error)
    return scim_answer(body, status=status, headers=headers)


def listed(resources: Sequence[Document], total: int, start: int) -> Response[bytes]:
    """A page of resources; `start` counts from 1."""
    return scim_answer(
        {
            "schemas": [LIST],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": len(resources),
            "Resources": resources,
        }
    )


def with_meta(
    shown: Document, document: Document, resource: Resource, made: datetime | None, changed: datetime | None, base: str
) -> Document:
    """A resource with its `meta`; `document` is what its version goes by."""
    meta = {
        "resourceType": resource.name,
        "created": _time(made),
        "lastModified": _time(changed or made),
        "location": f"{base}{resource.endpoint}/{shown['id']}",
        "version": etag_of(document),
    }
    return {**shown, "meta": {name: value for name, value in meta.items() if value is not None}}


def etag_of(document: Document) -> str:
    """The version of a resource: the same as long as clients could write nothing else."""
    data = msgspec.json.encode(document, order="deterministic")
    return f'W/"{hashlib.sha256(data).hexdigest()[:20]}"'


def check_version(request: Req, document: Document) -> None:
    """Raises an error of status 412 when `If-Match` names another version."""
    wanted = request.headers.get("if-match", "").strip()
    if not wanted or wanted == "*":
        return
    tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
    if etag_of(document).removeprefix("W/") not in tags:
        raise ScimError("", "It was changed meanwhile.", "Get it again, then change it.", status=412)


def is_known(request: Req, found: Document) -> bool:
    """Whether `If-None-Match` names this version."""
    tags = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    return found["meta"]["version"].removeprefix("W/") in tags


def base_of(request: Req) -> str:
    """The address of the interface, as the client sees it."""
    return f"{address_here(request)}/scim/v2"


def chosen(given: Mapping[str, list[str]], resource: Resource) -> Callable[[Document], Document]:
    """What keeps of a resource only `attributes`, or all but `excludedAttributes`."""
    wanted, unwanted = _names(given, "attributes"), _names(given, "excludedAttributes")
    if wanted and unwanted:
        raise ScimError("invalidValue", "attributes and excludedAttributes are one or the other.")
    if wanted:
        return lambda document: _only(document, wanted, resource)
    if unwanted:
        return lambda document: _without(document, unwanted, resource)
    return lambda document: document


def excludes(given: Mapping[str, list[str]], name: str) -> bool:
    """Whether an attribute is not asked for."""
    wanted, unwanted = _names(given, "attributes"), _names(given, "excludedAttributes")
    heads = {each.lower().rpartition(":")[2].partition(".")[0] for each in wanted or unwanted}
    return (name.lower() in heads) != bool(wanted) if wanted or unwanted else False


async def scim_body(request: Req) -> Any:
    """The JSON body. Raises unsupported, too_large, ScimError("invalidSyntax")."""
    media_type = request.headers.get("content-type", MEDIA_TYPE).partition(";")[0].strip().lower()
    if media_type not in (MEDIA_TYPE, "application/json"):
        raise WhodidError("unsupported", f"The body is {media_type[:100]!r}.", f"Send {MEDIA_TYPE}.")
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > BODY_BYTES_MAX:
            raise WhodidError("too_large", f"The body is longer than {BODY_BYTES_MAX:,} bytes.")
    try:
        return msgspec.json.decode(bytes(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ScimError("invalidSyntax", f"The body is no JSON: {error}") from error


def search_of(body: Any) -> dict[str, list[str]]:
    """The query parameters that the body of a search means. Raises ScimError("invalidSyntax")."""
    if not isinstance(body, Mapping):
        raise ScimError("invalidSyntax", "A search is a JSON object.")
    told = {str(name).lower(): value for name, value in body.items()}
    found = {}
    for name in QUERY:
        value = told.get(name.lower())
        if isinstance(value, list):
            value = ",".join(map(str, value))
        if value is not None:
            found[name] = [str(value)]
    return found


def _names(given: Mapping[str, list[str]], name: str) -> list[str]:
    text = one(dict(given), name)
    return [each.strip() for each in text.split(",") if each.strip()]


def _only(document: Document, names: list[str], resource: Resource) -> Document:
    found: Document = {name: document[name] for name in ALWAYS if name in document}
    for name in names:
        urn, rest = split_urn(name, resource)
        if urn and not rest and urn in document:
            found[urn] = document[urn]
            continue
        path = find(name, resource)
        holder = document.get(path.urn, {}) if path and path.urn else document
        if path is None or path.attribute.name not in holder:
            continue
        into = found.setdefault(path.urn, {}) if path.urn else found
        value = holder[path.attribute.name]
        if path.part is None:
            into[path.attribute.name] = value
        elif isinstance(value, dict):
            part = {path.part.name: value[path.part.name]} if path.part.name in value else {}
            into[path.attribute.name] = into.get(path.attribute.name, {}) | part
        elif isinstance(value, list):
            before = into.get(path.attribute.name) or [{} for _ in value]
            into[path.attribute.name] = [
                kept | ({path.part.name: each[path.part.name]} if path.part.name in each else {})
                for kept, each in zip(before, value, strict=True)
            ]
    return found


def _without(document: Document, names: list[str], resource: Resource) -> Document:
    found = dict(document)
    for name in names:
        urn, rest = split_urn(name, resource)
        if urn and not rest:
            found.pop(urn, None)
            continue
        path = find(name, resource)
        if path is None or path.attribute.name in ALWAYS:
            continue
        if path.urn:
            found[path.urn] = {
                key: value for key, value in found.get(path.urn, {}).items() if key != path.attribute.name
            }
        elif path.part is None:
            found.pop(path.attribute.name, None)
        else:
            found[path.attribute.name] = _without_part(found.get(path.attribute.name), path.part.name)
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def _without_part(value: Any, part: str) -> Any:
    if isinstance(value, list):
        return [{key: each for key, each in one.items() if key != part} for one in value]
    return {key: each for key, each in value.items() if key != part} if isinstance(value, dict) else value


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at is not None else None
