"""A message: what a program tells the Logger, as callbacks see and change it. Its JSON is the event's."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from msgspec import Struct

from whodid.event import ENTITIES_MAX, Entity

# What a processor returns to keep a message from being sent; it is counted.
DROP: Final = object()

# (type, id), (type, id, name) or (type, id, name, role); or an Entity; or a dict of its fields.
EntityLike = Entity | tuple[Any, ...] | dict[str, Any]

_NAMES: Final = {"message": "description", "params": "parameters", "stack_trace": "error_stack_trace"}


class Message(Struct, kw_only=True, omit_defaults=True, rename=_NAMES):
    """One message on its way to the server.

    `message` is the event's description, `params` its parameters (always a dict, the message's own: change it freely),
    `stack_trace` the stack trace of an error. `time` has a zone. The other fields are those of `whodid.Event`.
    """

    id: str
    time: datetime
    type: str
    level: str = "audit"
    message: str | None = None
    params: dict[str, Any] = {}
    entities: list[Entity] = []
    user: str | None = None
    session: str | None = None
    acting_for: str | None = None
    via: str | None = None
    request_id: str | None = None
    function: str | None = None
    duration_ms: float | None = None
    status: str | None = None
    error_message: str | None = None
    stack_trace: str | None = None
    topic: str = "generic"
    routing_key: str | None = None
    source: str = "client"
    node: str | None = None
    node_type: str | None = None

    @property
    def audit_type(self) -> str:
        """The type, by the name that Datagrok's logger has for it."""
        return self.type

    @audit_type.setter
    def audit_type(self, value: str) -> None:
        self.type = value


class FieldsOfError(TypedDict, total=False):
    """What may be told of an error by name, beside its text, its parameters and its stack trace."""

    entities: Iterable[EntityLike] | EntityLike
    user: str | None
    session: str | None
    acting_for: str | None
    via: str | None
    request_id: str | None
    function: str | None
    duration_ms: float | None
    status: str | None
    error_message: str | None
    topic: str
    routing_key: str | None
    source: Literal["client", "server"]
    node: str | None
    node_type: str | None
    id: str
    time: datetime


class Fields(FieldsOfError, total=False):
    """What may be told of a message by name, beside its text, its parameters and its type."""

    stack_trace: str | None


def entities_of(given: Iterable[EntityLike] | EntityLike) -> list[Entity]:
    """Entities as events carry them.

    Raises
    ------
    TypeError, ValueError
        One of them is nothing of the kind `EntityLike`.
    """
    if isinstance(given, (Entity, dict)) or (isinstance(given, tuple) and given and isinstance(given[0], str)):
        return [_entity(given)]
    return [_entity(each) for each in itertools.islice(given, ENTITIES_MAX)]


def _entity(given: EntityLike) -> Entity:
    if isinstance(given, Entity):
        kind, identifier, name, role = given.type, given.id, given.name, given.role
    elif isinstance(given, dict):
        kind, identifier, name, role = given["type"], given["id"], given.get("name"), given.get("role")
    else:
        kind, identifier, name, role = (*given, None, None)[:4]
    if not kind or identifier is None or identifier == "":
        raise ValueError("an entity needs a type and an id")
    return Entity(
        type=str(kind)[:200],
        id=str(identifier)[:1000],
        name=None if name is None else str(name)[:1000],
        role=None if role is None else str(role)[:200],
    )


class _Tails(threading.local):
    """Random hexadecimal digits for ids, fetched many at a time: a call of the kernel for each would cost more."""

    digits = ""
    at = 0


_TAIL_DIGITS: Final = 20
_TAILS_AT_ONCE: Final = 128
_tails = _Tails()


def fresh_id() -> str:
    """A UUID v7 (RFC 9562) of this moment, as `whodid.event.new_id` makes it, in a fraction of its time."""
    at = _tails.at
    digits = _tails.digits
    if at >= len(digits):
        digits = _tails.digits = os.urandom(_TAILS_AT_ONCE * _TAIL_DIGITS // 2).hex()
        at = 0
    _tails.at = at + _TAIL_DIGITS
    moment = f"{time.time_ns() // 1_000_000:012x}"
    variant = "89ab"[int(digits[at + 3], 16) & 3]
    return (
        f"{moment[:8]}-{moment[8:]}-7{digits[at : at + 3]}-{variant}{digits[at + 4 : at + 7]}"
        f"-{digits[at + 7 : at + 19]}"
    )


def _forget_in_fork() -> None:
    """A fork has its parent's random digits: both would make the same ids."""
    global _tails
    _tails = _Tails()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_fork)
