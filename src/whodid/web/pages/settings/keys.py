"""Pages of keys: made with what they may and until when, shown once, revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Response

from whodid.amounts import counted
from whodid.directory.model import Key
from whodid.reading.dialect import dialect_of
from whodid.stores.base import Store
from whodid.web.pages import frame
from whodid.web.pages.blocks import Block, Button, Facts, Item, Table, Text
from whodid.web.pages.forms import Field
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    doubted,
    moment_item,
    segment,
    sent,
    show,
    to,
    tried,
)
from whodid.web.requests import Req, segments, services_of
from whodid.web.words import moment

HERE: Final = "/settings/keys"
ADD: Final = "/settings/add/keys"

FIELDS: Final = (
    Field("name", "Name", required=True, help="What uses it: the name of a program or server."),
    Field(
        "scopes",
        "May",
        "checks",
        "Users and groups are provisioned by a key of their own.",
        required=True,
        choices=(
            ("write", "write events"),
            ("read", "read everything"),
            ("admin", "administer"),
            ("scim", "provision users and groups (SCIM)"),
        ),
    ),
    Field("expires_at", "Until", "time", "It counts no more from then on; empty: until it is revoked."),
    Field("user", "Person", help="Whose key it is: events without a user are this login's.", more=True, suggest="user"),
    Field("topics", "Only topics", "list", "It writes only these; empty: any.", more=True, placeholder="apinode-query"),
    Field("nodes", "Only nodes", "list", "It writes only as these; a key of one node sets it.", more=True),
    Field("node_type", "Only type of node", help="It writes only as nodes of this type, and sets it.", more=True),
    Field("routing_keys", "Only routing keys", "list", "It writes only these; empty: any.", more=True),
)


async def keys(request: Req) -> Response[bytes]:
    """The keys; with `revoked` those that count no more, too."""
    given, services = asked(request, "revoked"), services_of(request)
    everything = given["revoked"] == "true"
    found = await services.call(services.directory.keys, revoked=everything)
    rows = [
        [
            Item(key.name, f"{HERE}/{key.id}", note=f"{key.prefix}…"),
            Item(", ".join(key.scopes)),
            _state(key),
            Item(key.user or ""),
            moment_item(key.last_used_at, request),
            Item(buttons=[Button("Revoke", f"{HERE}/{key.id}/revoke", label=f"Revoke {key.name}")])
            if key.revoked_at is None
            else Item(),
        ]
        for key in found
    ]
    table = Table("", ("Key", "May", "State", "Person", "Last used", ""), rows, "There are no keys yet.")
    other = Button("Only those that count", HERE) if everything else Button("Revoked ones too", f"{HERE}?revoked=true")
    return show(request, "Keys", [table], buttons=[Button("Add a key", ADD, kind="main"), other])


async def new_key(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """The form of a key."""
    asked(request)
    blocks: list[Block] = [ask(failed, "key", ADD, FIELDS, "Make the key")]
    if not services_of(request).directory.has_keys_or_users():
        words = "The first user or key ends access without a key from this machine."
        blocks.insert(0, Text([words], kind="warning"))
    return show(request, "Add a key", blocks, back=(HERE, "Keys"), status=failed.status if failed else 200)


async def create_key(request: Req) -> Response[bytes]:
    """Make a key, and show its secret this once."""
    services, given = services_of(request), await sent(request)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        key, secret = await services.call(services.directory.create_key, by=by(request), **values)
        told = Text(["Copy it: it is shown only here, and nobody can have it again."], "The secret", "good", secret)
        used = Text(["Programs send it with each request:"], "How it is used", code=f"Authorization: Bearer {secret}")
        blocks = [told, used, *await doubted(request, [key.user]), _facts(key, request)]
        return show(request, f"{key.name} is made", blocks, back=(HERE, "Keys"), status=201)

    return await tried(request, "key", FIELDS, given, work, lambda failed: new_key(request, failed))


async def key(request: Req) -> Response[bytes]:
    """One key."""
    asked(request)
    services, which = services_of(request), segments(request)[2]
    found = await services.call(services.directory.key, which)
    buttons = [] if found.revoked_at else [Button("Revoke", f"{HERE}/{found.id}/revoke", kind="danger")]
    events = Button("Its events", f"/console?sql={segment(_EVENTS_OF.format(id=found.id))}")
    return show(request, found.name, [_facts(found, request)], buttons=[events, *buttons], back=(HERE, "Keys"))


async def confirm_revoke(request: Req) -> Response[bytes]:
    """What revoking a key will do."""
    asked(request)
    services, which = services_of(request), segments(request)[2]
    found = await services.call(services.directory.key, which)
    events = await services.call(events_of, services.store, found.id)
    used = (
        "was never used"
        if found.last_used_at is None
        else f"was last used {moment_item(found.last_used_at, request).text}"
    )
    sentences = [
        f"{found.name} ({', '.join(found.scopes)}) {used}; {counted(events, 'event')} of the last 7 days came with it.",
        "It counts no more within a second: programs that show it are refused. The events stay.",
        "This cannot be taken back; a further key can be made.",
    ]
    return confirm(request, f"Revoke {found.name}?", sentences, action=f"{HERE}/{found.id}/revoke",
                   words="Revoke the key", back=HERE)  # fmt: skip


async def revoke_key(request: Req) -> Response[bytes]:
    """End a key."""
    await sent(request)
    services, which = services_of(request), segments(request)[2]
    found = await services.call(services.directory.revoke_key, which, by=by(request))
    return to(HERE, f"{found.name} is revoked.")


_EVENTS_OF: Final = """SELECT time, type, "user", entity_type, entity_name
FROM events
WHERE key_id = '{id}'
ORDER BY time DESC
LIMIT 100"""
_COUNT: Final = (
    "SELECT count(*) AS events FROM {events} e"
    " WHERE e.key_id = $key AND e.\"time\" >= CAST(now() AS timestamp) - INTERVAL '7 days'"
)


def events_of(store: Store, key_id: str) -> int:
    """How many events of the last 7 days came with a key; blocks."""
    sql = _COUNT.format(events=dialect_of(store.kind).events)
    return int(store.query(sql, {"key": key_id}, trusted=True).table.column("events")[0].as_py())


def _state(key: Key) -> Item:
    if key.revoked_at is not None:
        return Item("revoked", tag="bad")
    if key.expires_at is not None:
        gone = key.expires_at <= datetime.now(UTC)
        return Item("expired" if gone else f"until {key.expires_at:%Y-%m-%d}", tag="bad" if gone else "")
    return Item("counts")


def _facts(key: Key, request: Req) -> Facts:
    zone = frame.zone(request)
    bound = [
        (f"Only {name.replace('_', ' ')}", ", ".join(getattr(key, name)), "") for name in _BOUND if getattr(key, name)
    ]
    if key.node_type:
        bound.append(("Only type of node", key.node_type, ""))
    return Facts(
        [
            ("Begins with", f"{key.prefix}…", ""),
            ("May", ", ".join(key.scopes), ""),
            ("State", _state(key).text, _state(key).tag),
            ("Person", key.user or "nobody's", ""),
            *bound,
            ("Made", f"{moment(key.created_at, zone)} by {key.created_by or 'somebody'}", ""),
            ("Expires", "never" if key.expires_at is None else moment(key.expires_at, zone), ""),
            ("Last used", "never" if key.last_used_at is None else moment(key.last_used_at, zone), ""),
        ]
    )


_BOUND: Final = ("topics", "nodes", "routing_keys")
