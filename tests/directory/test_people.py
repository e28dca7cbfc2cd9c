"""Users are provisioned as a whole: deactivated, renamed, taken over."""

from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from support.directories import NOON, mentions
from whodid.directory import Directory
from whodid.directory.memberships import GroupProfile
from whodid.directory.people import Person, Profile
from whodid.errors import WhodidError
from whodid.event import Event, parameters_of


def refused(code: str) -> pytest.RaisesExc[WhodidError]:
    return pytest.raises(WhodidError, check=lambda error: error.code == code and bool(error.hint))


def profile(login: str, **more: object) -> Profile:
    fields = {"name": login, "friendly_name": login}
    return replace(Profile(login=login, fields=fields), **more)


def _profile(login: str, person: Person) -> Profile:
    return profile(login)


def test_a_deactivated_user_keeps_its_keys_but_they_count_for_nothing(directory: Directory, url: str) -> None:
    directory.make_person(profile("ada"))
    key, secret = directory.create_key("k", ["write"], user="ada")
    elsewhere = Directory.open(url)
    directory.set_active("ada", False)
    for each in (directory, elsewhere):
        each.refresh()
        assert each.verify_key(secret) is None
    elsewhere.close()
    with refused("forbidden"), directory.reading() as connection:
        directory._refuse_inactive(connection, "ada")
    directory.set_active("ada", True)
    assert directory.verify_key(secret) == key


def test_what_does_not_change_is_no_event(directory: Directory, told: list[Event]) -> None:
    user = directory.make_person(profile("ada", attributes={"title": "Lead"})).user
    before = len(told)
    directory.change_person(user.id, lambda person: profile("ada", attributes={"title": "Lead"}))
    directory.set_active("ada", True)
    assert len(told) == before


def test_what_a_change_raises_undoes_it(directory: Directory, told: list[Event]) -> None:
    user = directory.make_person(profile("ada")).user

    def fail(person: Person) -> Profile:
        raise WhodidError("invalid", "no", "no")

    with refused("invalid"):
        directory.change_person(user.id, fail)
    assert [event.type for event in told] == ["user-created"]


def test_former_logins_still_mean_the_user(directory: Directory, url: str) -> None:
    user = directory.make_person(profile("ada")).user
    directory.observe(mentions(sessions=(("s0", "ada"), ("s1", "lovelace"))))
    directory.change_person(user.id, lambda person: profile("lovelace"))
    elsewhere = Directory.open(url)
    elsewhere.observe(mentions(sessions=(("s2", "ada"), ("s3", "lovelace")), minutes=9))
    assert len(elsewhere.sessions(user="lovelace")) == 4
    assert elsewhere.user("lovelace").first_seen in (None, NOON)
    assert [each.login for each in elsewhere.users()] == ["lovelace"]
    elsewhere.close()
    back = directory.change_person(user.id, lambda person: profile("ada"))
    assert (back.user.id, back.user.login) == (user.id, "ada")


def test_logins_that_others_have_are_refused(directory: Directory) -> None:
    user = directory.make_person(profile("ada")).user
    directory.make_person(profile("bob"))
    for login, code in (("bob", "conflict"), ("BOB", "conflict"), ("", "invalid"), ("x" * 201, "invalid")):
        with refused(code):
            directory.change_person(user.id, partial(_profile, login))
    for login in ("ada", "ADA"):
        with refused("conflict"):
            directory.make_person(profile(login))
        with refused("conflict"):
            directory.create_user(login)
    assert directory.change_person(user.id, lambda person: profile("Ada")).user.login == "Ada"


@pytest.mark.parametrize("login", ["api:etl", "api:owner of the data folder", "no:auth"])
def test_nobody_is_given_the_login_of_a_program_but_events_may_mention_it(directory: Directory, login: str) -> None:
    directory.observe(mentions(users=(login,)))
    person = directory.make_person(profile("ada"))
    with refused("invalid"):
        directory.create_user(login)
    with refused("invalid"):
        directory.make_person(profile(login))
    with refused("invalid"):
        directory.change_person(person.user.id, partial(_profile, login))
    assert directory.user(login).made is False


def test_who_only_appeared_is_nobody_that_was_made(directory: Directory) -> None:
    directory.observe(mentions(users=("ada",)))
    with refused("not_found"):
        directory.person(directory.user("ada").id)
    assert (directory.people(), directory.count_people()) == ([], 0)


def test_a_large_group_is_changed_in_one_step_and_told_whole(directory: Directory, told: list[Event]) -> None:
    directory.observe(mentions(users=tuple(f"user{n:04}" for n in range(1_200))))
    ids = tuple(user.id for user in directory.users(limit=2_000))
    record = directory.make_group_record(GroupProfile(name="all", members=ids))
    assert len(record.members) == 1_200
    told.clear()
    after = directory.change_group_record(
        record.group.id, lambda each: GroupProfile(name="all", members=ids[:100]), by="root"
    )
    assert len(after.members) == 100
    removed = [parameters_of(event)["before"]["members"] for event in told]
    assert [len(part) for part in removed] == [1_000, 100]
    kept = directory.change_group_record(record.group.id, lambda each: GroupProfile(name="few", external_id="7"))
    assert (len(kept.members), kept.group.name, kept.external_id) == (100, "few", "7")
