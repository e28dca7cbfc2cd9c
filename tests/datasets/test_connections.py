"""Connections: credentials that never show, and who may use them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.connected import Connected, connected
from whodid.datasets.connections import Connection
from whodid.errors import WhodidError

S3 = {"bucket": "audit", "access_key_id": "AKIA", "secret_access_key": "hunter2"}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Connected]:
    made = connected(tmp_path)
    yield made
    made.directory.close()


def test_a_secret_is_kept_encrypted_and_shown_nowhere(parts: Connected, tmp_path: Path) -> None:
    made = parts.connections.create(Connection(name="lake", kind="s3", options=S3), by="ada")
    assert made.shown()["options"]["secret_access_key"] == "***"
    assert "hunter2" not in repr(made) + repr([bytes(event.parameters) for event in parts.announced])
    parts.directory.close()
    for file in tmp_path.glob("settings.db*"):
        assert b"hunter2" not in file.read_bytes()


def test_the_place_of_a_connection_has_the_secret(parts: Connected) -> None:
    parts.connections.create(Connection(name="lake", kind="s3", options=S3))
    place: Any = parts.connections.open("lake")
    assert place.store.config["secret_access_key"] == "hunter2"


def test_a_change_leaves_what_it_does_not_name(parts: Connected) -> None:
    parts.connections.create(Connection(name="lake", kind="s3", options=S3))
    parts.connections.change("lake", {"options": {"region": "eu-central-1"}, "description": "the lake"}, by="ada")
    place: Any = parts.connections.open("lake")
    assert place.store.config["secret_access_key"] == "hunter2"
    assert place.store.config["region"] == "eu-central-1"
    assert parts.connections.get("lake").description == "the lake"
    event = parts.announced[-1]
    assert (event.type, event.user) == ("settings-changed", "ada")


def test_what_is_shown_cannot_be_given_back_as_a_secret(parts: Connected) -> None:
    made = parts.connections.create(Connection(name="lake", kind="s3", options=S3))
    with pytest.raises(WhodidError, match="given encrypted"):
        parts.connections.create(
            Connection(name="copy", kind="s3", options={**S3, "secret_access_key": made.options["secret_access_key"]})
        )


def test_administrators_only_until_somebody_is_let_in(parts: Connected) -> None:
    directory, connections = parts.directory, parts.connections
    for login in ("erika", "max", "eve"):
        directory.create_user(login=login)
    directory.create_group(name="inner")
    directory.create_group(name="outer")
    directory.add_member("inner", user="max")
    directory.add_member("outer", subgroup="inner")
    assert connections.may_use("files", None, is_admin=True)
    assert not any(connections.may_use("files", login, is_admin=False) for login in ("erika", "max", "eve", None))
    connections.change("files", {"users": ["erika"], "groups": ["outer"]})
    allowed = [login for login in ("erika", "max", "eve") if connections.may_use("files", login, is_admin=False)]
    assert allowed == ["erika", "max"]
    with pytest.raises(WhodidError) as caught:
        connections.require_use("files", "eve", is_admin=False)
    assert caught.value.code == "forbidden"


@pytest.mark.parametrize(
    ("connection", "code", "complaint"),
    [
        (Connection(name="a b", kind="folder", options={"path": "/a"}), "invalid", "cannot be the name"),
        (Connection(name="a", kind="ftp", options={}), "invalid", "no kind of place"),
        (Connection(name="a", kind="s3", options={}), "invalid", "needs bucket"),
        (Connection(name="a", kind="s3", options={"bucket": "b", "x": "y"}), "invalid", "no option 'x'"),
        (Connection(name="a", kind="folder", options={"path": "audit"}), "invalid", "not absolute"),
        (Connection(name="files", kind="folder", options={"path": "/a"}), "conflict", "already"),
        (Connection(name="a", kind="folder", options={"path": "/a"}, users=("nobody",)), "not_found", "nobody"),
        (Connection(name="a", kind="folder", options={"path": "/a"}, groups=("none",)), "not_found", "none"),
    ],
)
def test_what_is_not_good_is_named(parts: Connected, connection: Connection, code: str, complaint: str) -> None:
    with pytest.raises(WhodidError, match=complaint) as caught:
        parts.connections.create(connection)
    assert caught.value.code == code


def test_a_connection_is_forgotten(parts: Connected) -> None:
    parts.connections.delete("files", by="ada")
    assert parts.connections.all() == []
    with pytest.raises(WhodidError, match="There is no connection 'files'"):
        parts.connections.open("files")
