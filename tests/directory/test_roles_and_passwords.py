"""Roles, passwords, identities and failed sign-ins: the same in SQLite and PostgreSQL, at several servers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from whodid.directory import Directory, passwords, tables
from whodid.directory.attempts import ACCOUNT
from whodid.errors import WhodidError

PASSWORD = "correct horse battery staple"
ISSUER = "https://login.example"


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    usual = passwords._hasher
    quick = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    passwords._nobodys_hash.cache_clear()
    passwords._hasher = lambda: quick  # type: ignore[assignment]
    yield
    passwords._hasher = usual
    passwords._nobodys_hash.cache_clear()


def roles(directory: Directory, login: str) -> list[str]:
    directory.refresh()
    return sorted(grant.role for grant in directory.roles_of(login))


def test_roles_reach_users_through_groups_within_groups(directory: Directory) -> None:
    directory.create_user("ada")
    for name in ("inner", "outer"):
        directory.create_group(name)
    directory.add_member("outer", subgroup="inner")
    directory.add_member("inner", user="ada")
    directory.grant("reader", group="outer", projects=["P"])
    directory.grant("writer", user="ada")
    assert roles(directory, "ada") == ["reader", "writer"]
    directory.remove_member("inner", user="ada")
    assert roles(directory, "ada") == ["writer"]


def test_a_role_ends_with_its_user_or_group_and_another_of_that_name_has_none(directory: Directory) -> None:
    directory.create_user("ada")
    directory.create_user("bob")
    directory.create_group("team")
    directory.add_member("team", user="bob")
    directory.grant("admin", user="ada")
    directory.grant("auditor", group="team")
    directory.set_password("ada", PASSWORD)
    directory.delete_user("ada")
    directory.create_user("ada")
    assert roles(directory, "ada") == []
    assert not directory.has_password("ada")
    directory.delete_group("team")
    directory.create_group("team")
    directory.add_member("team", user="bob")
    assert roles(directory, "bob") == []
    assert directory.grants() == []


def test_of_the_same_grant_twice_there_is_one(directory: Directory) -> None:
    directory.create_user("ada")
    directory.grant("auditor", user="ada")
    with pytest.raises(WhodidError) as caught:
        directory.grant("auditor", user="ada")
    assert caught.value.code == "conflict"
    directory.grant("reader", user="ada", projects=["A"])
    directory.grant("reader", user="ada", projects=["B"])
    assert len(directory.grants()) == 3


def test_a_password_fits_or_does_not_and_is_forgotten_when_it_is_removed(directory: Directory) -> None:
    directory.create_user("ada")
    directory.set_password("ada", PASSWORD)
    assert directory.check_password("ada", PASSWORD, address="10.0.0.1").login == "ada"
    with pytest.raises(WhodidError, match="do not fit"):
        directory.check_password("ada", PASSWORD + "x")
    directory.remove_password("ada")
    with pytest.raises(WhodidError, match="do not fit"):
        directory.check_password("ada", PASSWORD)


def test_many_at_once_guess_no_more_often_than_one_after_the_other(directory: Directory) -> None:
    directory.create_user("ada")
    directory.set_password("ada", PASSWORD)
    outcomes: list[str] = []

    def guess() -> None:
        try:
            directory.check_password("ada", "wrong", address="10.0.0.1")
        except WhodidError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=guess) for _ in range(3 * ACCOUNT.free)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes.count("unauthorized") <= ACCOUNT.free + 2
    assert outcomes.count("unauthorized") + outcomes.count("busy") == len(threads)


def test_failures_are_forgotten_after_a_day(directory: Directory) -> None:
    for _ in range(ACCOUNT.free):
        directory.attempt("ada", None)
    with pytest.raises(WhodidError, match="Too many"):
        directory.attempt("ada", None)
    with directory.writing() as connection:
        row = connection.execute(tables.sign_in_attempts.select()).one()
        past = row.last_at - timedelta(days=2)
        connection.execute(tables.sign_in_attempts.update().values(last_at=past))
    directory.attempt("ada", None)


def test_an_identity_is_the_same_user_for_ever_and_its_groups_follow(directory: Directory) -> None:
    directory.create_group("kept")
    first = directory.identified(ISSUER, "s-1", login="ada", groups=["one", "/two"], email="a@example.com")
    directory.add_member("kept", user="ada")
    again = directory.identified(ISSUER, "s-1", login="renamed", groups=["two", "three"])
    assert first.id == again.id
    assert [group.name for group in directory.groups_of("ada")] == ["kept", "three", "two"]
    directory.identified(ISSUER, "s-1", login="ada", groups=None)
    assert [group.name for group in directory.groups_of("ada")] == ["kept", "three", "two"]
    with pytest.raises(WhodidError) as caught:
        directory.identified("https://another.example", "s-1", login="ada")
    assert caught.value.code == "conflict"


def test_server_keys_are_the_same_everywhere_and_can_be_replaced(directory: Directory) -> None:
    first = directory.server_key("panes")
    assert directory.server_key("panes") == first
    assert len(first) == 32
    directory.rotate_server_key("panes")
    assert directory.server_key("panes") != first


def test_changes_are_told_without_secrets(tmp_path: Path) -> None:
    seen: list[Any] = []
    directory = Directory.open(f"sqlite:///{tmp_path}/settings.db", on_change=seen.append)
    directory.create_user("ada", by="root")
    directory.set_password("ada", PASSWORD, by="root")
    directory.grant("admin", user="ada", by="root")
    directory.rotate_server_key("panes", by="root")
    directory.remove_password("ada", by="root")
    directory.close()
    kinds = [event.type for event in seen]
    assert kinds == ["user-created", "password-changed", "role-granted", "server-key-rotated", "password-removed"]
    assert {event.user for event in seen} == {"root"}
    assert PASSWORD not in str(seen) and "argon2" not in str(seen)


def test_a_directory_of_an_earlier_version_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/settings.db"
    directory = Directory.open(url)
    directory.sign_in(directory.create_sign_in_token())
    with directory.writing() as connection:
        for column in ("way", "user_agent", "last_seen_at", "idle_ms"):
            connection.exec_driver_sql(f"ALTER TABLE browser_sessions DROP COLUMN {column}")
    directory.close()
    again = Directory.open(url)
    (session,) = again.browser_sessions()
    assert session.idle_ms is None
    again.sign_in(again.create_sign_in_token())
    again.close()
