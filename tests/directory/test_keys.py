"""Keys: made once, verified from memory, ended everywhere within a second."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from whodid.directory import Directory
from whodid.directory.snapshot import Snapshot
from whodid.errors import WhodidError
from whodid.event import Event


def test_a_secret_is_shown_once_and_only_its_digest_is_kept(tmp_path: Path) -> None:
    directory = Directory.open(f"sqlite:///{tmp_path}/settings.db")
    key, secret = directory.create_key("etl", ["write"])
    assert secret.startswith("whodid_")
    assert len(secret) >= len("whodid_") + 40
    assert secret.startswith(key.prefix)
    assert directory.verify_key(secret) == key
    directory.close()
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()
        assert bytes.fromhex(secret.removeprefix("whodid_")) not in file.read_bytes()


def test_the_settings_file_is_the_owners_alone(tmp_path: Path) -> None:
    Directory.open(f"sqlite:///{tmp_path}/settings.db").close()
    assert (tmp_path / "settings.db").stat().st_mode & 0o077 == 0


def test_a_key_outlives_a_restart_with_all_it_has(directory: Directory, url: str) -> None:
    ends = datetime.now(UTC) + timedelta(days=1)
    key, secret = directory.create_key("etl", ["read", "write"], ["generic"], ["n1"], ["rk"], "ada", ends, by="root")
    directory.close()
    again = Directory.open(url)
    assert again.verify_key(secret) == key
    assert (key.scopes, key.topics, key.nodes, key.routing_keys) == (("write", "read"), ("generic",), ("n1",), ("rk",))
    assert (key.user, key.expires_at, key.created_by) == ("ada", ends, "root")
    again.close()


def test_two_valid_keys_never_share_a_name(directory: Directory) -> None:
    directory.create_key("etl", ["write"])
    with pytest.raises(WhodidError, match="already") as caught:
        directory.create_key("etl", ["write"])
    assert caught.value.code == "conflict"
    directory.revoke_key("etl")
    directory.create_key("etl", ["write"])


@pytest.mark.parametrize(
    ("name", "scopes", "expires_at"),
    [
        ("", ["write"], None),
        ("x" * 201, ["write"], None),
        ("x", [], None),
        ("x", ["root"], None),
        ("x", ["scim", "read"], None),
        ("x", ["admin", "scim"], None),
        ("x", ["write"], datetime(2020, 1, 1, tzinfo=UTC)),
        ("x", ["write"], datetime(2120, 1, 1)),
    ],
)
def test_senseless_keys_are_refused(
    directory: Directory, name: str, scopes: list[str], expires_at: datetime | None
) -> None:
    with pytest.raises(WhodidError) as caught:
        directory.create_key(name, scopes, expires_at=expires_at)
    assert caught.value.code == "invalid"
    assert caught.value.hint
    assert not directory.snapshot.closed


def test_a_revoked_key_counts_no_more(directory: Directory) -> None:
    key, secret = directory.create_key("etl", ["write"])
    revoked = directory.revoke_key(key.prefix)
    assert revoked.revoked_at is not None
    assert directory.verify_key(secret) is None
    assert directory.keys() == []
    assert directory.keys(revoked=True) == [revoked]
    assert directory.revoke_key(key.id) == revoked


def test_an_unknown_key_is_not_found(directory: Directory) -> None:
    with pytest.raises(WhodidError) as caught:
        directory.revoke_key("nobody")
    assert caught.value.code == "not_found"


def test_a_revocation_elsewhere_is_seen_within_a_second(directory: Directory, url: str) -> None:
    _, secret = directory.create_key("etl", ["write"])
    directory.watch()
    elsewhere = Directory.open(url)
    elsewhere.revoke_key("etl")
    deadline = time.monotonic() + 1
    while directory.verify_key(secret) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    elsewhere.close()


def test_a_key_expires_by_itself(directory: Directory) -> None:
    _, secret = directory.create_key("etl", ["write"], expires_at=datetime.now(UTC) + timedelta(milliseconds=300))
    directory.watch()
    assert directory.verify_key(secret) is not None
    deadline = time.monotonic() + 5
    while directory.verify_key(secret) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_when_a_key_was_used_is_noted_in_one_go(directory: Directory) -> None:
    ids = [directory.create_key(name, ["write"])[0].id for name in ("a", "b", "c")]
    directory.used.update(ids[:2])
    directory.note_used()
    assert [key.last_used_at is not None for key in directory.keys()] == [True, True, False]  # noqa: SIM118
    assert directory.used == set()


def test_every_change_is_told_without_a_secret(directory: Directory, told: list[Event]) -> None:
    _, secret = directory.create_key("etl", ["write"], by="root")
    directory.revoke_key("etl", by="root")
    assert [(event.type, event.user, event.source, event.level) for event in told] == [
        ("key-created", "root", "server", "audit"),
        ("key-revoked", "root", "server", "audit"),
    ]
    assert b'"after":{"name":"etl"' in bytes(told[0].parameters)
    assert all(secret.encode() not in bytes(event.parameters) for event in told)


def test_what_cannot_be_audited_does_not_happen_but_a_revocation_does(url: str) -> None:
    def refuse(event: Event) -> None:
        raise WhodidError("full", "No space.", "Free some.")

    first = Directory.open(url)
    _, secret = first.create_key("leaked", ["write"])
    first.close()
    directory = Directory.open(url, on_change=refuse)
    with pytest.raises(WhodidError, match="No space"):
        directory.create_key("etl", ["write"])
    assert [key.name for key in directory.keys()] == ["leaked"]  # noqa: SIM118
    with pytest.raises(WhodidError, match="No space"):
        directory.revoke_key("leaked")
    assert directory.verify_key(secret) is None
    directory.close()


def test_making_a_key_ends_access_without_one_for_good(directory: Directory, url: str) -> None:
    assert not directory.snapshot.closed
    directory.create_key("etl", ["write"])
    directory.revoke_key("etl")
    assert directory.snapshot.closed
    again = Directory.open(url)
    assert again.snapshot.closed
    again.close()


def test_a_revocation_is_noticed_whatever_went_wrong_before(
    directory: Directory, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a database that is being restored lacks its tables for a moment."""
    _, secret = directory.create_key("etl", ["write"])
    looked = threading.Event()

    def broken() -> Snapshot:
        looked.set()
        raise RuntimeError("no such table")

    with monkeypatch.context() as patch:
        patch.setattr(directory, "refresh", broken)
        directory.watch()
        assert looked.wait(5)
    elsewhere = Directory.open(url)
    elsewhere.revoke_key("etl")
    elsewhere.close()
    deadline = time.monotonic() + 5
    while directory.verify_key(secret) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
