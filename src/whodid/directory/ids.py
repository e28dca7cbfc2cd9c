"""Ids of what events mention, as 32 hex digits: both databases take them so, and they cost little to make."""

from __future__ import annotations

import re
from hashlib import sha1
from typing import Final

from whodid.event import FOREIGN_IDS, entity_uuid

_is_uuid: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}").fullmatch
_PREFIX: Final = sha1(FOREIGN_IDS.bytes, usedforsecurity=False)


def session_hex(session: str) -> str:
    """`session` where that is a UUID, else its `event.foreign_id`."""
    lower = session.lower()
    return lower.replace("-", "") if _is_uuid(lower) else _uuid5_hex(session)


def entity_hex(entity_type: str, entity_id: str) -> str:
    """The same as `event.entity_uuid`."""
    if _is_uuid(entity_id):
        return entity_id.replace("-", "")
    # Other ways to write a UUID are longer than its digits.
    return entity_uuid(entity_type, entity_id).hex if len(entity_id) >= 32 else _uuid5_hex(f"{entity_type}:{entity_id}")


def _uuid5_hex(name: str) -> str:
    digest = _PREFIX.copy()
    digest.update(name.encode())
    value = bytearray(digest.digest()[:16])
    value[6] = 0x50 | value[6] & 0x0F
    value[8] = 0x80 | value[8] & 0x3F
    return value.hex()
