"""The routes of `/scim/v2`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from litestar import Response
from msgspec import Struct, field

from whodid.directory import Directory
from whodid.directory.memberships import GroupRecord
from whodid.directory.people import Person
from whodid.errors import WhodidError
from whodid.web.requests import Req, caller_of, name_of, query_of, segments, services_of
from whodid.web.scim import answers, groups, schema, users
from whodid.web.scim.answers import QUERY, base_of, check_version, chosen, excludes, scim_answer, scim_body
from whodid.web.scim.clean import Document, cleaned
from whodid.web.scim.errors import ScimError
from whodid.web.scim.listing import RESULTS_MAX, Wanted, mentions, page, wanted_of
from whodid.web.scim.patch import patched
from whodid.web.scim.schema import GROUPS, USERS

SHAPE: Final = ("attributes", "excludedAttributes")
_USER_COLUMNS: Final = {
    "userName": "login",
    "externalId": "external_id",
    "id": "id",
    "displayName": "friendly_name",
}
_GROUP_COLUMNS: Final = {"displayName": "name", "externalId": "external_id", "id": "id"}

Change = Callable[[Document], Document]


class ScimUser(Struct):
    """A user, as RFC 7643 describes it in section 4.1; besides these attributes it may have all of `/Schemas`."""

    userName: str
    externalId: str | None = None
    displayName: str | None = None
    active: bool = True
    name: dict[str, str] = {}
    emails: list[dict[str, str | bool]] = []


class ScimGroup(Struct):
    """A group, as RFC 7643 describes it in section 4.2."""

    displayName: str
    externalId: str | None = None
    members: list[dict[str, str]] = []


class ScimSearch(Struct):
    """A question as a body (RFC 7644, section 3.4.3)."""

    attributes: list[str] = []
    excludedAttributes: list[str] = []
    filter: str | None = None
    sortBy: str | None = None
    sortOrder: str | None = None
    startIndex: int | None = None
    count: int | None = None


class ScimOperation(Struct):
    """One operation of a patch."""

    op: str
    path: str | None = None
    value: Any = None


class ScimPatch(Struct):
    """Operations, all of which are done or none."""

    operations: list[ScimOperation] = field(name="Operations", default=[])


async def service_provider_config(request: Req) -> Response[bytes]:
    """What this SCIM interface can do."""
    query_of(request, [])
    return scim_answer(schema.provider_config(base_of(request), RESULTS_MAX))


async def resource_types(request: Req) -> Response[bytes]:
    """The types of resources: User and Group."""
    return _described(request, schema.resource_types(base_of(request)))


async def schemas(request: Req) -> Response[bytes]:
    """The schemas of users and groups."""
    return _described(request, schema.schemas(base_of(request)))


async def list_users(request: Req) -> Response[bytes]:
    """Users that were made: filtered, sorted, paged."""
    return await _list_users(request, query_of(request, QUERY))


async def search_users(request: Req) -> Response[bytes]:
    """The same, asked for in a body."""
    return await _list_users(request, answers.search_of(await scim_body(request)))


async def _list_users(request: Req, given: Mapping[str, list[str]]) -> Response[bytes]:
    wanted = wanted_of(given, USERS, _USER_COLUMNS)
    found, total = await services_of(request).call(_page_of_users, request, given, wanted)
    return answers.listed(found, total, wanted.first)


async def show_user(request: Req) -> Response[bytes]:
    """A user by its id."""
    directory, which = services_of(request).directory, _id_of(request)
    person = await services_of(request).call(directory.person, which)
    return await _one_user(request, person)


async def create_user(request: Req) -> Response[bytes]:
    """Make a user, or take one over that events mention."""
    document = cleaned(await scim_body(request), USERS)
    directory, by = services_of(request).directory, name_of(caller_of(request))
    person = await services_of(request).call(directory.make_person, users.profile_of(document), by=by)
    return await _one_user(request, person, status=201)


async def replace_user(request: Req) -> Response[bytes]:
    """Give a user exactly these attributes; what is left out goes."""
    document = cleaned(await scim_body(request), USERS)
    return await _change_user(request, lambda before: {"active": before["active"], **document})


async def patch_user(request: Req) -> Response[bytes]:
    """Change attributes of a user by operations."""
    body = await scim_body(request)
    return await _change_user(request, lambda before: patched(before, body, USERS))


async def delete_user(request: Req) -> Response[bytes]:
    """Take a user away, with its group, keys and signed-in browsers. Its events stay."""
    services, which = services_of(request), _id_of(request)

    def delete(directory: Directory, by: str) -> None:
        person = directory.person(which)
        check_version(request, users.document_of(person))
        directory.delete_user(person.user.login, by=by)

    await services.call(delete, services.directory, name_of(caller_of(request)))
    return scim_answer(None, status=204)


async def list_groups(request: Req) -> Response[bytes]:
    """Groups: filtered, sorted, paged."""
    return await _list_groups(request, query_of(request, QUERY))


async def search_groups(request: Req) -> Response[bytes]:
    """The same, asked for in a body."""
    return await _list_groups(request, answers.search_of(await scim_body(request)))


async def _list_groups(request: Req, given: Mapping[str, list[str]]) -> Response[bytes]:
    wanted = wanted_of(given, GROUPS, _GROUP_COLUMNS)
    found, total = await services_of(request).call(_page_of_groups, request, given, wanted)
    return answers.listed(found, total, wanted.first)


async def search_all(request: Req) -> Response[bytes]:
    """Users, then groups, asked for in a body."""
    given, services = answers.search_of(await scim_body(request)), services_of(request)
    found: list[Document] = []
    total = 0
    asked = wanted_of({name: given[name] for name in ("startIndex", "count") if name in given}, USERS, {})
    for resource, columns, read in ((USERS, _USER_COLUMNS, _page_of_users), (GROUPS, _GROUP_COLUMNS, _page_of_groups)):
        try:
            wanted = wanted_of(given, resource, columns)
        except ScimError as error:
            if error.scim_type in ("invalidFilter", "invalidPath") and resource is GROUPS:
                # An attribute that only users have: no group has it.
                continue
            raise
        wanted = wanted._replace(first=max(1, asked.first - total), results=asked.results - len(found))
        more, count = await services.call(read, request, given, wanted)
        found, total = found + more, total + count
    return answers.listed(found, total, asked.first)


async def show_group(request: Req) -> Response[bytes]:
    """A group by its id, with its members."""
    given, directory, which = query_of(request, SHAPE), services_of(request).directory, _id_of(request)
    members = not excludes(given, "members")
    return _one_group(
        request, await services_of(request).call(directory.group_record, which, members=members), members=members
    )


async def create_group(request: Req) -> Response[bytes]:
    """Make a group with its members."""
    document = cleaned(await scim_body(request), GROUPS)
    directory, by = services_of(request).directory, name_of(caller_of(request))
    record = await services_of(request).call(directory.make_group_record, groups.profile_of(document), by=by)
    return _one_group(request, record, status=201)


async def replace_group(request: Req) -> Response[bytes]:
    """Give a group exactly this name and these members."""
    document = cleaned(await scim_body(request), GROUPS)
    return await _change_group(request, lambda _: document)


async def patch_group(request: Req) -> Response[bytes]:
    """Change a group and its members by operations."""
    body = await scim_body(request)
    return await _change_group(request, lambda before: patched(before, body, GROUPS))


async def delete_group(request: Req) -> Response[bytes]:
    """Take a group away; its members stay."""
    services, which = services_of(request), _id_of(request)

    def delete(directory: Directory, by: str) -> None:
        record = directory.group_record(which)
        check_version(request, groups.document_of(record))
        directory.delete_group(record.group.id, by=by)

    await services.call(delete, services.directory, name_of(caller_of(request)))
    return scim_answer(None, status=204)


async def _change_user(request: Req, change: Change) -> Response[bytes]:
    services, which = services_of(request), _id_of(request)

    def profile(person: Person) -> Any:
        before = users.document_of(person)
        check_version(request, before)
        return users.profile_of(change(before))

    by = name_of(caller_of(request))
    return await _one_user(request, await services.call(services.directory.change_person, which, profile, by=by))


async def _change_group(request: Req, change: Change) -> Response[bytes]:
    services, which = services_of(request), _id_of(request)

    def profile(record: GroupRecord) -> Any:
        before = groups.document_of(record)
        check_version(request, before)
        return groups.profile_of(change(before))

    by = name_of(caller_of(request))
    return _one_group(request, await services.call(services.directory.change_group_record, which, profile, by=by))


async def _one_user(request: Req, person: Person, *, status: int = 200) -> Response[bytes]:
    given, services = query_of(request, SHAPE), services_of(request)
    (found,) = await services.call(_shown_users, services.directory, [person], base_of(request), True)
    return _answered(request, found, chosen(given, USERS), status)


def _one_group(request: Req, record: GroupRecord, *, status: int = 200, members: bool = True) -> Response[bytes]:
    given = query_of(request, SHAPE)
    return _answered(request, _shown_group(record, base_of(request)), chosen(given, GROUPS), status, tagged=members)


def _answered(request: Req, found: Document, keep: Change, status: int, *, tagged: bool = True) -> Response[bytes]:
    headers = {"location": found["meta"]["location"]}
    if tagged:
        headers["etag"] = found["meta"]["version"]
        if request.method == "GET" and answers.is_known(request, found):
            return scim_answer(None, status=304, headers=headers)
    else:
        # Without its members its version cannot be told.
        del found["meta"]["version"]
    return scim_answer(keep(found), status=status, headers=headers)


def _shown_users(directory: Directory, people: list[Person], base: str, with_groups: bool) -> list[Document]:
    in_groups = directory.groups_by_user([person.user.id for person in people]) if with_groups else {}
    found = []
    for person in people:
        document = users.document_of(person)
        whole = users.shown(person, document, in_groups.get(person.user.id, ()), base)
        found.append(answers.with_meta(whole, document, USERS, person.user.joined, person.changed_at, base))
    return found


def _shown_group(record: GroupRecord, base: str) -> Document:
    document = groups.document_of(record)
    whole = groups.shown(record, document, base)
    return answers.with_meta(whole, document, GROUPS, record.created_at, record.changed_at, base)


def _page_of_users(request: Req, given: Mapping[str, list[str]], wanted: Wanted) -> tuple[list[Document], int]:
    directory, base, keep = services_of(request).directory, base_of(request), chosen(given, USERS)
    with_groups = not excludes(given, "groups") or mentions(wanted, "groups")
    found, total = page(wanted, _People(directory), lambda some: _shown_users(directory, some, base, with_groups))
    return [keep(each) for each in found], total


def _page_of_groups(request: Req, given: Mapping[str, list[str]], wanted: Wanted) -> tuple[list[Document], int]:
    directory, base, keep = services_of(request).directory, base_of(request), chosen(given, GROUPS)
    members = not excludes(given, "members") or mentions(wanted, "members")

    def show(records: list[GroupRecord]) -> list[Document]:
        found = [_shown_group(record, base) for record in records]
        for each in found if not members else ():
            # Without its members its version cannot be told.
            del each["meta"]["version"]
        return found

    found, total = page(wanted, _Groups(directory, members), show)
    return [keep(each) for each in found], total


def _described(request: Req, found: list[dict[str, Any]]) -> Response[bytes]:
    """All descriptions, or the one that the path names."""
    query_of(request, [*QUERY])
    if request.query_params.get("filter"):
        raise WhodidError("forbidden", "Descriptions are not filtered.", "Leave the filter out.")
    parts = segments(request)
    if len(parts) <= 3:
        return answers.listed(found, len(found), 1)
    for each in found:
        if each["id"].lower() == parts[3].lower():
            return scim_answer(each)
    raise WhodidError("not_found", f"There is no {parts[2]} {parts[3][:200]!r}.")


def _id_of(request: Req) -> str:
    return segments(request)[3]


class _People:
    def __init__(self, directory: Directory):
        self._directory = directory

    def count(self, equal: Mapping[str, str]) -> int:
        return self._directory.count_people(equal=equal)

    def read(self, equal: Mapping[str, str], limit: int, offset: int) -> list[Person]:
        return self._directory.people(equal=equal, limit=limit, offset=offset)


class _Groups:
    def __init__(self, directory: Directory, members: bool):
        self._directory, self._members = directory, members

    def count(self, equal: Mapping[str, str]) -> int:
        return self._directory.count_group_records(equal=equal)

    def read(self, equal: Mapping[str, str], limit: int, offset: int) -> list[GroupRecord]:
        return self._directory.group_records(equal=equal, members=self._members, limit=limit, offset=offset)
