"""Users, sessions and entities that events mention appear by themselves, exactly once."""

from __future__ import annotations

import threading
import uuid

import pytest
from sqlalchemy import func, select

from support.directories import NOON, mentions
from whodid.directory import Directory, tables
from whodid.directory.known import Known, Span
from whodid.errors import WhodidError
from whodid.event import entity_uuid, foreign_id

SESSION = "5e550000-0000-4000-8000-000000000001"


def count(directory: Directory) -> dict[str, int]:
    with directory.reading() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (*tables.PUBLIC, tables.known_users, tables.known_entities, tables.entity_names)
        }


def test_what_is_mentioned_appears_once_however_often_it_is_told(directory: Directory, url: str) -> None:
    told = mentions(users=("ada", "bob"), sessions=((SESSION, "ada"),), entities=(("query", "7", "Sales"),))
    directory.observe(told)
    seen = count(directory)
    assert (seen["users"], seen["groups"], seen["users_sessions"], seen["entities"]) == (2, 2, 1, 1)
    directory.observe(told)
    elsewhere = Directory.open(url)
    elsewhere.observe(told)
    elsewhere.close()
    assert count(directory) == seen
    assert not directory.has_keys_or_users()


def test_sessions_belong_to_their_users_and_grow(directory: Directory) -> None:
    directory.observe(mentions(sessions=((SESSION, None), ("web-17", "bob")), minutes=10))
    directory.observe(mentions(sessions=((SESSION.upper(), "ada"),), minutes=30))
    directory.observe(mentions(sessions=((SESSION, None),), minutes=0))
    (session,) = directory.sessions(user="ada")
    assert (session.id, session.ip, session.type) == (SESSION, "10.0.0.7", "client")
    assert session.started == NOON
    assert session.ended is not None
    assert (session.ended - NOON).total_seconds() == 30 * 60
    assert [session.id for session in directory.sessions(user="bob")] == [foreign_id("web-17")]
    assert [user.login for user in directory.users()] == ["ada", "bob"]


def test_an_entity_is_called_by_its_latest_name_in_whatever_order_they_come(directory: Directory) -> None:
    for minutes, name in ((10, "Sales"), (20, "Sales 2"), (5, "Draft"), (20.5, None)):
        directory.observe(mentions(entities=(("query", "7", name),), minutes=minutes))
    entity = directory.entity("query", "7")
    assert entity.name == "Sales 2"
    assert entity.entity_id == str(entity_uuid("query", "7"))
    assert (entity.last_seen - entity.first_seen).total_seconds() == 15 * 60
    assert [name.name for name in directory.entity_names("query", "7")] == ["Sales 2", "Sales", "Draft"]
    with pytest.raises(WhodidError) as caught:
        directory.entity("query", "8")
    assert caught.value.code == "not_found"


def test_an_import_of_old_events_does_not_rename_after_a_restart(directory: Directory, url: str) -> None:
    directory.observe(mentions(entities=(("query", "7", "Sales 2"),), minutes=20))
    elsewhere = Directory.open(url)
    elsewhere.observe(mentions(entities=(("query", "7", "Sales"),), minutes=1))
    assert elsewhere.entity("query", "7").name == "Sales 2"
    elsewhere.close()


def test_entities_are_listed_by_type_and_text(directory: Directory) -> None:
    directory.observe(mentions(entities=(("query", "q1", "Sales"), ("query", "q2", None), ("model", "m1", "Churn"))))
    assert {entity.id for entity in directory.entities(entity_type="query")} == {"q1", "q2"}
    assert [entity.id for entity in directory.entities(text="sal")] == ["q1"]
    assert [entity.id for entity in directory.entities(text="M1")] == ["m1"]


def test_ids_that_are_uuids_stay_and_odd_ones_do_no_harm(directory: Directory) -> None:
    same = str(uuid.uuid4())
    odd = ("0" * 32, "-" * 36, "1000-00000000-0000-0000-000000000000", "' OR 1=1 --", "日本")
    directory.observe(
        mentions(
            sessions=tuple((text, "ada") for text in odd),
            entities=(("query", same, "a"), ("board", same, "b"), *(("query", text, text) for text in odd)),
        )
    )
    assert len(directory.sessions(user="ada")) == len(odd)
    assert len(directory.entities()) == len(odd) + 1
    assert directory.entities(text=same)[0].entity_id == same


def test_two_servers_learn_the_same_at_once(directory: Directory, url: str) -> None:
    logins = tuple(f"user{number}" for number in range(200))
    entities = tuple(("query", str(number), f"Q{number}") for number in range(500))
    others = [Directory.open(url) for _ in range(2)]
    failures: list[BaseException] = []

    def learn(who: Directory, backwards: bool) -> None:
        try:
            for minutes in (0, 5):
                step = -1 if backwards else 1
                who.observe(mentions(users=logins[::step], entities=entities[::step], minutes=minutes))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=learn, args=(other, place == 1)) for place, other in enumerate(others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for other in others:
        other.close()
    assert failures == []
    seen = count(directory)
    assert (seen["users"], seen["groups"], seen["entities"], seen["entity_names"]) == (200, 200, 500, 500)


def test_memory_of_the_known_is_bounded() -> None:
    known: Known[int] = Known(count_max=10)
    for number in range(1_000):
        known.put(number, Span(NOON, NOON))
        assert known.get(0) is not None or number > 5
    assert sum(known.get(number) is not None for number in range(1_000)) <= 10
