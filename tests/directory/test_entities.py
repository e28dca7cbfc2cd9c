"""Things keep the names and types they had."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from support.directories import NOON, mentions
from whodid.directory import Directory, tables
from whodid.stores.base import Mentions

THING = "e0000000-0000-4000-8000-000000000001"


def test_a_thing_keeps_its_names_with_the_time_it_had_them(directory: Directory) -> None:
    for minutes, name in ((0, "Draft"), (10, "Draft"), (20, "Sales")):
        directory.observe(mentions(entities=(("query", "7", name),), minutes=minutes))
    latest, before = directory.entity_names("query", "7")
    assert (latest.name, latest.first_seen) == ("Sales", NOON + timedelta(minutes=20))
    assert (before.name, before.first_seen, before.last_seen) == ("Draft", NOON, NOON + timedelta(minutes=10))


def test_names_that_come_at_once_are_all_kept(directory: Directory, url: str) -> None:
    at_once = mentions(entities=(("query", "7", "Draft"), ("query", "7", None)))
    later = mentions(entities=(("query", "7", "Sales"),), minutes=10)
    between = mentions(entities=(("query", "7", "Between"),), minutes=5)
    directory.observe(
        Mentions(entities=[*later.entities, *at_once.entities, *between.entities]),
    )
    assert [each.name for each in directory.entity_names("query", "7")] == ["Sales", "Between", "Draft"]
    assert directory.entity("query", "7").name == "Sales"
    elsewhere = Directory.open(url)
    elsewhere.observe(Mentions(entities=[*mentions(entities=(("query", "7", "Old"),), minutes=-9).entities]))
    assert elsewhere.entity("query", "7").name == "Sales"
    elsewhere.close()


def test_a_thing_with_a_uuid_may_change_its_type(directory: Directory, url: str) -> None:
    directory.observe(mentions(entities=(("query", THING, "Sales"),), minutes=0))
    directory.observe(mentions(entities=(("report", THING, "Sales"),), minutes=10))
    elsewhere = Directory.open(url)
    elsewhere.observe(mentions(entities=(("query", THING, "Sales"),), minutes=5))
    for kind in ("query", "report"):
        entity = elsewhere.entity(kind, THING)
        assert (entity.type, entity.first_seen, entity.last_seen) == ("report", NOON, NOON + timedelta(minutes=10))
        assert [each.name for each in elsewhere.entity_types(kind, THING)] == ["report", "query"]
    things, types = tables.entities.c, tables.entities_types.c
    with elsewhere.reading() as connection:
        joined = select(types.name).join(tables.entities, things.entity_type_id == types.id)
        assert connection.execute(joined.where(things.id == THING)).scalars().all() == ["report"]
    elsewhere.close()


def test_a_type_that_comes_back_is_the_latest_again(directory: Directory) -> None:
    for minutes, kind in ((0, "query"), (10, "report"), (20, "query")):
        directory.observe(mentions(entities=((kind, THING, None),), minutes=minutes))
    assert directory.entity("report", THING).type == "query"


def test_both_types_may_come_at_once(directory: Directory) -> None:
    directory.observe(mentions(entities=(("a", THING, "x"), ("b", THING, "x"))))
    assert {each.name for each in directory.entity_types("a", THING)} == {"a", "b"}


def test_the_same_id_under_two_types_is_two_things_unless_it_is_a_uuid(directory: Directory) -> None:
    directory.observe(mentions(entities=(("query", "7", "Sales"), ("model", "7", "Churn"))))
    assert (directory.entity("query", "7").name, directory.entity("model", "7").name) == ("Sales", "Churn")
    assert [each.name for each in directory.entity_types("query", "7")] == ["query"]


def test_what_many_things_are_called_is_asked_at_once(directory: Directory) -> None:
    directory.observe(mentions(entities=(("query", "7", "Draft"), ("query", "8", None), ("query", THING, "Old"))))
    directory.observe(mentions(entities=(("query", "7", "Sales"), ("query", THING, "New")), minutes=5))
    asked = [("query", "7"), ("query", "8"), ("query", "9"), ("report", THING)]
    assert directory.entity_names_now(asked) == {("query", "7"): "Sales", ("report", THING): "New"}
