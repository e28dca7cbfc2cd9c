"""Ids in hex digits are those that the events' own words make."""

from __future__ import annotations

import pytest

from whodid.directory.ids import entity_hex, session_hex
from whodid.event import entity_uuid, foreign_id

UUID = "000E0000-0000-4000-8000-0000000006bc"


@pytest.mark.parametrize(
    "text", [UUID, UUID.lower(), UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}", "7", "日本"]
)
def test_an_entity_has_one_id_however_it_is_made(text: str) -> None:
    assert entity_hex("query", text) == entity_uuid("query", text).hex


def test_a_session_keeps_its_uuid_and_anything_else_gets_one() -> None:
    assert session_hex(UUID) == UUID.lower().replace("-", "")
    for text in ("web-17", UUID.replace("-", ""), "日本"):
        assert session_hex(text) == foreign_id(text).replace("-", "")
