"""Groups of the directory as SCIM's, and the other way round."""

from __future__ import annotations

from whodid.directory.memberships import GroupProfile, GroupRecord
from whodid.web.scim.clean import Document
from whodid.web.scim.schema import GROUP

_KINDS = {"user": ("User", "Users"), "group": ("Group", "Groups")}


def profile_of(document: Document) -> GroupProfile:
    """What a group is to be."""
    members = tuple(str(each.get("value", "")) for each in document.get("members") or ())
    return GroupProfile(name=document["displayName"], external_id=document.get("externalId"), members=members)


def document_of(record: GroupRecord) -> Document:
    """A group as it is patched: what clients may write."""
    found: Document = {"displayName": record.group.name}
    if record.external_id:
        found["externalId"] = record.external_id
    if record.members:
        found["members"] = [{"value": member.id, "type": _KINDS[member.kind][0]} for member in record.members]
    return found


def shown(record: GroupRecord, document: Document, base: str) -> Document:
    """A group as clients see it, but for `meta`."""
    found: Document = {"schemas": [GROUP], "id": record.group.id, **document}
    if record.members:
        found["members"] = [
            {
                "value": member.id,
                "$ref": f"{base}/{_KINDS[member.kind][1]}/{member.id}",
                "type": _KINDS[member.kind][0],
            }
            for member in record.members
        ]
    return found
