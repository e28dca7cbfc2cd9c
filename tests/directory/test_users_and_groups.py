"""Users and groups: made, changed, nested without circles, taken away; every change is told."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from support.directories import NOON, mentions
from whodid.directory import Directory
from whodid.errors import WhodidError
from whodid.event import Event, parameters_of


def refused(code: str) -> pytest.RaisesExc[WhodidError]:
    return pytest.raises(WhodidError, check=lambda error: error.code == code and bool(error.hint))


def test_a_user_has_a_stable_id_and_a_group_of_its_own(directory: Directory) -> None:
    user = directory.create_user("ada", friendly_name="Ada L.", email="ada@example.org")
    assert uuid.UUID(user.id).version == 5
    assert (user.login, user.friendly_name, user.email, user.made) == ("ada", "Ada L.", "ada@example.org", True)
    personal = directory.group(user.group_id or "")
    assert (personal.name, personal.friendly_name, personal.personal) == ("ada", "Ada L.", True)
    assert directory.user("ada") == directory.user(user.id) == user
    assert directory.groups() == []


def test_a_user_may_bring_its_id(directory: Directory) -> None:
    given = str(uuid.uuid4())
    assert directory.create_user("ada", id=given).id == given
    directory.observe(mentions(users=("ada",)))
    assert [user.id for user in directory.users()] == [given]


def test_the_same_login_is_made_once(directory: Directory) -> None:
    directory.create_user("ada")
    with refused("conflict"):
        directory.create_user("ada")


@pytest.mark.parametrize(("login", "fields"), [("", {}), ("x" * 201, {}), ("ada", {"group_id": "x"})])
def test_senseless_users_are_refused(directory: Directory, login: str, fields: dict[str, str]) -> None:
    with refused("invalid"):
        directory.create_user(login, **fields)
    assert directory.users() == []


def test_a_user_that_appeared_is_taken_over_with_what_is_known_of_it(directory: Directory) -> None:
    directory.observe(mentions(users=("ada",)))
    appeared = directory.user("ada")
    assert not appeared.made
    assert not directory.has_keys_or_users()
    made = directory.create_user("ada", friendly_name="Ada L.")
    assert (made.id, made.group_id, made.first_seen, made.made) == (appeared.id, appeared.group_id, NOON, True)
    assert directory.has_keys_or_users()


def test_users_are_found_by_text(directory: Directory) -> None:
    directory.create_user("ada", friendly_name="Ada Lovelace")
    directory.create_user("bob", email="bob_x@example.org")
    directory.create_user("bobxx")
    directory.create_user("cid", name="Cid Campeador")
    assert [user.login for user in directory.users(text="LOVE")] == ["ada"]
    assert [user.login for user in directory.users(text="campe")] == ["cid"]
    assert [user.login for user in directory.users(text="b_x")] == ["bob"]
    assert [user.login for user in directory.users(limit=2)] == ["ada", "bob"]


def test_a_deleted_user_loses_groups_keys_and_browsers_and_comes_back_with_new_events(directory: Directory) -> None:
    directory.create_user("ada")
    directory.create_group("analysts")
    directory.add_member("analysts", user="ada")
    _, secret = directory.create_key("laptop", ["write"], user="ada")
    _, cookie = directory.sign_in(directory.create_sign_in_token("ada"))
    directory.observe(mentions(users=("ada",)))
    directory.delete_user("ada")
    assert directory.verify_key(secret) is None
    assert directory.browser_session(cookie) is None
    assert directory.members("analysts") == []
    assert directory.groups(personal=True) == [directory.group("analysts")]
    with refused("not_found"):
        directory.user("ada")
    directory.observe(mentions(users=("ada",), minutes=0.1))
    assert not directory.user("ada").made


def test_members_are_found_through_groups_within_groups(directory: Directory) -> None:
    for login in ("ada", "bob", "eve"):
        directory.create_user(login)
    for name in ("all", "analysts", "seniors"):
        directory.create_group(name)
    directory.add_member("all", subgroup="analysts")
    directory.add_member("analysts", subgroup="seniors")
    directory.add_member("analysts", user="bob", is_admin=True)
    directory.add_member("seniors", user="ada")
    directory.add_member("all", user="ada")
    assert directory.group_logins("all") == ["ada", "bob"]
    assert directory.group_logins("seniors") == ["ada"]
    assert [group.name for group in directory.groups_of("ada")] == ["all", "analysts", "seniors"]
    assert [group.name for group in directory.groups_of("bob")] == ["all", "analysts"]
    assert directory.groups_of("eve") == []
    members = [(member.group.name, member.group.personal, member.is_admin) for member in directory.members("analysts")]
    assert members == [("bob", True, True), ("seniors", False, False)]


def test_a_group_never_lies_within_itself(directory: Directory) -> None:
    for name in ("a", "b", "c"):
        directory.create_group(name)
    directory.add_member("a", subgroup="b")
    directory.add_member("b", subgroup="c")
    for inner in ("a", "b", "c"):
        with refused("invalid"):
            directory.add_member("c", subgroup=inner)
    assert directory.members("c") == []


def test_membership_ends_one_step_at_a_time(directory: Directory) -> None:
    directory.create_user("ada")
    directory.create_group("a")
    directory.add_member("a", user="ada")
    directory.add_member("a", user="ada", is_admin=True)
    directory.remove_member("a", user="ada")
    with refused("not_found"):
        directory.remove_member("a", user="ada")


def test_groups_have_names_of_their_own(directory: Directory) -> None:
    directory.create_user("ada")
    first = directory.create_group("ada", description="not the person")
    second = directory.create_group("b")
    with refused("conflict"):
        directory.create_group("ada")
    with refused("conflict"):
        directory.change_group("b", name="ada")
    assert directory.change_group("b", name="b", friendly_name="B").id == second.id
    assert directory.group("ada") == first
    directory.delete_group("ada")
    assert [group.name for group in directory.groups()] == ["b"]


def test_a_personal_group_is_changed_through_its_user_only(directory: Directory) -> None:
    personal = directory.create_user("ada").group_id or ""
    directory.create_user("bob")
    with refused("invalid"):
        directory.delete_group(personal)
    with refused("invalid"):
        directory.change_group(personal, name="x")
    with refused("invalid"):
        directory.add_member(personal, user="bob")


def test_every_change_is_told_with_before_and_after(directory: Directory, told: list[Event]) -> None:
    directory.create_user("ada", by="root")
    directory.change_user("ada", email="a@example.org", by="root")
    directory.create_group("g", by="root")
    directory.add_member("g", user="ada", by="root")
    directory.change_group("g", description="d", by="root")
    directory.remove_member("g", user="ada", by="root")
    directory.delete_group("g", by="root")
    directory.delete_user("ada", by="root")
    types = ["user-created", "user-changed", "group-created", *["group-changed"] * 3, "group-deleted", "user-deleted"]
    assert [event.type for event in told] == types
    assert {(event.user, event.source, event.level, event.topic) for event in told} == {
        ("root", "server", "audit", "generic")
    }
    change = parameters_of(told[1])
    assert (change["before"]["email"], change["after"]["email"]) == (None, "a@example.org")
    assert (told[1].entities[0].type, told[1].entities[0].name) == ("user", "ada")
    assert parameters_of(told[3]) == {"after": {"member": "ada", "is_admin": False}}
    for event in told:
        assert msgspec.json.decode(msgspec.json.encode(event), type=Event).id == event.id
        assert abs(event.time - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("way", ["login", "id"])
def test_nothing_of_a_user_that_is_taken_away_opens_anything(directory: Directory, way: str) -> None:
    user = directory.create_user("ada")
    _, key = directory.create_key("hers", ["read"], user="ada")
    _, cookie = directory.sign_in(directory.create_sign_in_token("ada", ["read"]))
    link = directory.create_sign_in_token("ada", ["read"])
    assert directory.verify_key(key)
    directory.delete_user("ada" if way == "login" else user.id)
    assert (directory.verify_key(key), directory.browser_session(cookie)) == (None, None)
    with refused("unauthorized"):
        directory.sign_in(link)


def test_a_group_that_was_refused_is_in_nobodys_way(directory: Directory) -> None:
    for name in ("all", "team", "part"):
        directory.create_group(name)
    directory.add_member("all", subgroup="team")
    directory.add_member("team", subgroup="part")
    kept = []
    for _ in range(3):
        with pytest.raises(WhodidError, match="lies within") as caught:
            directory.add_member("part", subgroup="part")
        # Whoever keeps the error keeps what it was raised among.
        kept.append(caught)
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda number: directory.create_group(f"group {number}"), range(20)))
    assert {group.name for group in directory.groups()} >= {group.name for group in made}
