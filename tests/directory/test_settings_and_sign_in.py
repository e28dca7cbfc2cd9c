"""Settings keep every version; a sign-in link works once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.directories import mentions
from support.postgresql import PostgreSQLServer
from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.event import Event, parameters_of


def test_every_version_of_a_setting_is_kept(directory: Directory, url: str) -> None:
    assert directory.setting("limits", {"rows": 1}) == {"rows": 1}
    directory.change_setting("limits", {"rows": 5}, by="ada")
    directory.change_setting("limits", {"rows": 5}, by="bob")
    directory.change_setting("limits", {"rows": 7}, by="bob")
    assert directory.setting("limits") == {"rows": 7}
    versions = [(each.version, each.value, each.changed_by) for each in directory.setting_versions("limits")]
    assert versions == [(2, {"rows": 7}, "bob"), (1, {"rows": 5}, "ada")]
    again = Directory.open(url)
    assert again.setting("limits") == {"rows": 7}
    assert [setting.version for setting in again.settings()] == [2]
    again.close()


def test_a_setting_that_is_taken_away_has_its_default_again_and_its_history(directory: Directory) -> None:
    directory.change_setting("a", 1)
    directory.change_setting("a", None)
    assert directory.setting("a", "default") == "default"
    assert directory.settings() == []
    assert directory.change_setting("a", 2).version == 3


def test_two_who_change_the_same_version_do_not_overwrite_each_other(directory: Directory) -> None:
    directory.change_setting("a", 1, expected_version=0)
    directory.change_setting("a", 2, expected_version=1)
    with pytest.raises(WhodidError) as caught:
        directory.change_setting("a", 3, expected_version=1)
    assert caught.value.code == "conflict"
    assert directory.setting("a") == 2


def test_false_and_zero_are_values_of_their_own(directory: Directory) -> None:
    directory.change_setting("a", 0)
    assert directory.change_setting("a", False).version == 2
    assert directory.setting("a") is False


def test_a_change_of_settings_is_told_without_what_looks_like_a_secret(directory: Directory, told: list[Event]) -> None:
    directory.change_setting("target", {"bucket": "b", "secret_key": "s3cr3t", "list": [{"password": "s3cr3t"}]})
    directory.change_setting("target", {"bucket": "c", "secret_key": "s3cr3t"}, by="ada")
    assert [event.type for event in told] == ["settings-changed"] * 2
    change = parameters_of(told[1])
    assert (change["before"]["value"]["bucket"], change["after"]["value"]["bucket"]) == ("b", "c")
    assert all(b"s3cr3t" not in bytes(event.parameters) for event in told)


def test_a_change_elsewhere_is_seen_within_a_second(directory: Directory, url: str) -> None:
    directory.watch()
    elsewhere = Directory.open(url)
    elsewhere.change_setting("a", 1)
    elsewhere.close()
    deadline = time.monotonic() + 1
    while directory.setting("a") != 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_sign_in_link_works_once(directory: Directory, url: str) -> None:
    token = directory.create_sign_in_token("ada", ["read"])
    session, cookie = directory.sign_in(token, address="127.0.0.1")
    assert (session.user, session.scopes, session.address) == ("ada", ("read",), "127.0.0.1")
    assert directory.browser_session(cookie) == session
    with pytest.raises(WhodidError) as caught:
        directory.sign_in(token)
    assert caught.value.code == "unauthorized"
    again = Directory.open(url)
    assert again.browser_session(cookie) == session
    again.close()


def test_of_many_who_use_a_link_at_once_one_gets_in(directory: Directory) -> None:
    token = directory.create_sign_in_token()
    signed_in: list[str] = []
    refused: list[str] = []

    def use() -> None:
        try:
            signed_in.append(directory.sign_in(token)[1])
        except WhodidError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(signed_in), refused) == (1, ["unauthorized"] * 7)


def test_links_and_sessions_end_by_themselves(directory: Directory) -> None:
    late = directory.create_sign_in_token(lifetime_s=-1)
    with pytest.raises(WhodidError, match="too old"):
        directory.sign_in(late)
    _, cookie = directory.sign_in(directory.create_sign_in_token(), lifetime_s=0.2)
    directory.watch()
    deadline = time.monotonic() + 5
    while directory.browser_session(cookie) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_signing_out_ends_the_session_and_nobody_elses(directory: Directory) -> None:
    (first, cookie), (_, other) = (directory.sign_in(directory.create_sign_in_token(who)) for who in ("ada", "bob"))
    directory.sign_out(first.id)
    assert directory.browser_session(cookie) is None
    assert directory.browser_session(other) is not None
    assert [session.user for session in directory.browser_sessions()] == ["bob"]


def test_neither_links_nor_cookies_are_kept_as_they_are(tmp_path: Path) -> None:
    directory = Directory.open(f"sqlite:///{tmp_path}/settings.db")
    unused = directory.create_sign_in_token()
    _, cookie = directory.sign_in(directory.create_sign_in_token())
    directory.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert unused.encode() not in kept
    assert cookie.encode() not in kept


def test_what_another_whodid_made_is_not_touched(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/settings.db"
    directory = Directory.open(url)
    with directory.writing() as connection:
        connection.exec_driver_sql("UPDATE directory_state SET version = 99")
    directory.close()
    with pytest.raises(WhodidError, match="version 99") as caught:
        Directory.open(url)
    assert caught.value.code == "conflict"


def test_a_database_out_of_reach_is_a_temporary_error_without_its_password() -> None:
    with pytest.raises(WhodidError) as caught:
        Directory.open("postgresql://whodid:geheim@127.0.0.1:1/none?connect_timeout=1")
    assert caught.value.code == "unavailable"
    assert caught.value.kind.temporary
    assert "geheim" not in str(caught.value)


@pytest.mark.postgresql
def test_keys_go_on_counting_while_the_database_is_away_and_it_comes_back(
    own_postgresql_server: PostgreSQLServer,
) -> None:
    from whodid.stores.postgresql import PostgreSQLStore

    url = own_postgresql_server.create_database()
    PostgreSQLStore(url).close()
    directory = Directory.open(url)
    key, secret = directory.create_key("etl", ["write"])
    directory.watch()
    own_postgresql_server.stop()
    with pytest.raises(WhodidError) as caught:
        directory.revoke_key("etl")
    assert caught.value.code == "unavailable"
    with pytest.raises(WhodidError):
        directory.observe(mentions(users=("ada",)))
    assert directory.verify_key(secret) == key
    own_postgresql_server.start()
    directory.observe(mentions(users=("ada",)))
    elsewhere = Directory.open(url)
    elsewhere.revoke_key("etl")
    elsewhere.close()
    deadline = time.monotonic() + 3
    while directory.verify_key(secret) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [user.login for user in directory.users()] == ["ada"]
    directory.close()


@pytest.mark.parametrize(
    "damage", [lambda whole: b"x" * len(whole), lambda whole: whole[:4_096] + b"x" * (len(whole) - 4_096)]
)
def test_a_damaged_file_says_how_to_go_on(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "settings.db"
    Directory.open(f"sqlite:///{path}").close()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WhodidError, match=r"settings\.db are damaged") as caught:
        Directory.open(f"sqlite:///{path}")
    assert caught.value.code == "internal" and "Put a copy of the file back." in (caught.value.hint or "")
