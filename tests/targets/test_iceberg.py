"""The Iceberg target: each event is in the table once whatever happens, and the table stays tidy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec import Raw
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.snapshots import Operation
from pyiceberg.types import LongType, StringType

from support import lake
from support.iceberg_rest import TOKEN, rest_catalog
from support.laid_out import filled, numbered, target_of
from support.postgresql import PostgreSQLServer
from support.s3 import s3_server
from support.targets import delivery_of, event, wait_until, watched
from whodid.dispatch.management import NewTarget
from whodid.errors import WhodidError
from whodid.event import Entity
from whodid.targets.iceberg.options import properties_of
from whodid.targets.iceberg.table import PLACE, LakeTable
from whodid.targets.iceberg.upkeep import cleaned, expired

POINTS = (
    "iceberg.before-upload",
    "iceberg.mid-upload",
    "iceberg.after-upload",
    "iceberg.before-commit",
    "iceberg.after-commit",
    "iceberg.after-rewrite-upload",
    "iceberg.after-rewrite",
    "iceberg.after-expire",
)
SOON = timedelta(hours=1)


@pytest.fixture
def options(postgresql_url: str, tmp_path: Path) -> dict[str, Any]:
    return lake.lake_options(postgresql_url, tmp_path / "warehouse")


def written(options: dict[str, Any], folder: Path, numbers: range, *, size: int = 10, **fields: Any) -> None:
    """Events by a target that is opened and closed for them."""
    target = target_of("iceberg", folder, options)
    filled(target, numbers, size, **fields)
    target.flush()
    target.close()


def test_any_program_reads_the_columns_of_every_store(options: dict[str, Any], tmp_path: Path) -> None:
    target = target_of("iceberg", tmp_path / "work", options)
    target.open()
    given = event(
        id="01890000-0000-7000-8000-000000000001",
        time=datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC),
        user="žofie",
        topic="apinode-query",
        entities=[Entity(type="project", id="SALES", name="Säles"), Entity(type="dataset", id="SALES.orders")],
        parameters=Raw(b'{"big": 123456789012345678901234567890}'),
        duration_ms=1.5,
    )
    target.send(delivery_of([given], first=7))
    target.flush()
    target.close()
    (row,) = lake.rows(options)
    assert row["id"] == given.id and row["time"] == datetime(2026, 11, 20, 23, 59, 59, 999_999)
    assert (row["user"], row["project"], row["entity_name"], row["duration_ms"]) == ("žofie", "SALES", "Säles", 1.5)
    assert (row["receiver"], row["seq"], row["orig_address"]) == ("receiver-a", 7, "10.1.2.3")
    assert row["parameters"] == '{"big":123456789012345678901234567890}' and '"SALES.orders"' in row["entities"]


def test_files_are_partitioned_by_topic_and_day_and_sorted_by_time(options: dict[str, Any], tmp_path: Path) -> None:
    written(options, tmp_path / "work", range(100))
    found = lake.table(options)
    files = [task.file for task in found.scan().plan_files()]
    assert {(file.partition[0], file.partition[1]) for file in files} == {
        (topic, (datetime(2026, 11, day) - datetime(1970, 1, 1)).days)
        for topic in ("generic", "apinode-query")
        for day in (20, 21)
    }
    assert sum(file.record_count for file in files) == 100
    one_day = found.scan(row_filter="topic = 'generic' AND time >= '2026-11-21T00:00:00'")
    assert len(list(one_day.plan_files())) == 1
    times = one_day.to_arrow()["time"].to_pylist()
    assert times == sorted(times) and len(times) == 29


@pytest.mark.parametrize("partition", ["node_type", "day alone"])
def test_other_partitions(options: dict[str, Any], tmp_path: Path, partition: str) -> None:
    options["partition"] = partition
    target = target_of("iceberg", tmp_path / "work", options)
    target.open()
    kinds = ["api", None, "", "design", "none", "it's % /"]
    target.send(delivery_of([numbered(place, node_type=kind) for place, kind in enumerate(kinds)], first=0))
    target.flush()
    target.close()
    rows = lake.rows(options)
    assert sorted((row["node_type"] or "-") for row in rows) == ["-", "-", "api", "design", "it's % /", "none"]
    files = list(lake.table(options).scan().plan_files())
    assert len(files) == (6 if partition == "node_type" else 1)


def test_killed_between_any_two_steps_each_event_is_there_once(
    postgresql_server: PostgreSQLServer, tmp_path: Path
) -> None:
    made = {
        point: (
            tmp_path / point,
            lake.lake_options(postgresql_server.create_database(), tmp_path / point / "warehouse", close_bytes=4_000),
        )
        for point in POINTS
    }
    for folder, _ in made.values():
        folder.mkdir()
    killed = lake.killed_until_done(made, count=30)
    assert all(killed.values()), killed
    for point, (folder, options) in made.items():
        assert lake.numbers(options) == list(range(30)), point
        found = lake.table(options)
        expired(found, datetime.now(UTC) + SOON)
        cleaned(found, datetime.now(UTC) + SOON)
        assert lake.files_below(folder / "warehouse") == lake.named(found), point
        assert lake.numbers(options) == list(range(30)), point


def test_the_table_alone_tells_the_place(options: dict[str, Any], tmp_path: Path) -> None:
    written(options, tmp_path / "work", range(30))
    target = target_of("iceberg", tmp_path / "another-disk", options)
    assert target.open() == {"receiver-a": 29}
    target.close()
    summary = lake.table(options).current_snapshot().summary.additional_properties  # type: ignore[union-attr]
    assert summary[f"{PLACE}target-1.receiver-a.receiver-a"] == "29"


def test_it_stays_when_another_tool_changes_and_expires(options: dict[str, Any], tmp_path: Path) -> None:
    written(options, tmp_path / "work", range(30))
    found = lake.table(options)
    found.delete("topic = 'generic'")
    expired(found, datetime.now(UTC) + SOON)
    assert len(found.metadata.snapshots) == 1
    written(options, tmp_path / "work", range(40))
    assert lake.numbers(options) == [*range(1, 30, 2), *range(30, 40)]


def test_a_table_that_was_rolled_back_is_filled_from_there(options: dict[str, Any], tmp_path: Path) -> None:
    written(options, tmp_path / "work", range(30))
    first = lake.table(options).current_snapshot().snapshot_id  # type: ignore[union-attr]
    written(options, tmp_path / "work", range(60))
    lake.table(options).manage_snapshots().rollback_to_snapshot(first).commit()
    written(options, tmp_path / "work", range(60))
    assert lake.numbers(options) == list(range(60))


def test_an_instance_that_was_given_up_cannot_write_any_more(options: dict[str, Any], tmp_path: Path) -> None:
    old = target_of("iceberg", tmp_path / "work", options)
    filled(old, range(20))
    written(options, tmp_path / "other-folder", range(20))
    with pytest.raises(WhodidError) as caught:
        old.flush()
    old.close()
    assert caught.value.kind.temporary
    assert lake.numbers(options) == list(range(20))


def test_one_instance_at_a_time_in_a_folder(options: dict[str, Any], tmp_path: Path) -> None:
    first, second = (target_of("iceberg", tmp_path / "work", options) for _ in range(2))
    first.open()
    with pytest.raises(WhodidError, match="Another instance"):
        second.open()
    second.close()
    first.close()


def test_a_table_that_is_partitioned_otherwise_meanwhile(options: dict[str, Any], tmp_path: Path) -> None:
    target = target_of("iceberg", tmp_path / "work", options)
    filled(target, range(20))
    with lake.table(options).update_spec() as update:
        update.remove_field("topic")
        update.add_identity("level")
    with pytest.raises(WhodidError, match="partitioned otherwise") as caught:
        target.flush()
    target.close()
    assert caught.value.kind.temporary
    written(options, tmp_path / "work", range(20))
    assert lake.numbers(options) == list(range(20))
    (file,) = (task.file for task in lake.table(options).scan(row_filter="level = 'audit'").plan_files())
    assert file.record_count == 20


def test_servers_write_at_once_each_with_its_place(options: dict[str, Any], tmp_path: Path) -> None:
    written(options, tmp_path / "first", range(1))

    def run(name: str, begin: int) -> None:
        target = target_of("iceberg", tmp_path / name, options, receiver=name)
        target.open()
        for start in range(begin, begin + 30, 10):
            events = [numbered(number) for number in range(start, start + 10)]
            target.send(delivery_of(events, receiver=name, first=start))
            target.flush()
        target.close()

    threads = [threading.Thread(target=run, args=(f"receiver-{begin}", begin)) for begin in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lake.numbers(options) == [0, *range(100, 130), *range(200, 230), *range(300, 330)]


def test_small_files_become_large_ones_and_rows_stay(options: dict[str, Any], tmp_path: Path) -> None:
    for end in (20, 40, 60):
        written(options, tmp_path / "work", range(end))
    before = lake.rows(options)
    done = lake.tidied(options, tmp_path, small_files_min=3)
    assert (done.small, done.large) == (6, 2)
    found = lake.table(options)
    snapshot = found.current_snapshot()
    assert snapshot is not None and snapshot.summary is not None
    assert snapshot.summary.operation is Operation.REPLACE
    assert snapshot.summary["total-records"] == "60"
    assert lake.ids(lake.rows(options)) == lake.ids(before)
    assert {row["id"]: row for row in lake.rows(options)} == {row["id"]: row for row in before}
    target = target_of("iceberg", tmp_path / "work", options)
    assert target.open() == {"receiver-a": 59}
    target.close()
    assert not any(lake.tidied({**options, "upkeep_s": 3600.0}, tmp_path)), "another server has just done it"


def test_files_with_deletions_or_other_columns_are_left_alone(options: dict[str, Any], tmp_path: Path) -> None:
    for end in (20, 40):
        written(options, tmp_path / "work", range(end), size=20)
    with lake.table(options).update_schema() as update:
        update.add_column("cost", LongType())
        update.rename_column("description", "note")
    with lake.table(options).update_schema() as update:
        update.add_column("description", StringType())
    assert lake.tidied(options, tmp_path).large == 0
    assert lake.numbers(options) == list(range(40))
    assert {row["cost"] for row in lake.rows(options)} == {None}


def test_old_snapshots_and_what_only_they_have_go(options: dict[str, Any], tmp_path: Path) -> None:
    for end in (20, 40, 60):
        written(options, tmp_path / "work", range(end))
    lake.tidied(options, tmp_path)
    found = lake.table(options)
    assert expired(found, datetime.now(UTC) - SOON) == 0
    assert expired(found, datetime.now(UTC) + SOON) == 4
    assert cleaned(found, datetime.now(UTC) - SOON) == 0, "what is young may be somebody's who is writing"
    assert cleaned(found, datetime.now(UTC) + SOON) > 0
    assert lake.files_below(tmp_path / "warehouse") == lake.named(lake.table(options))
    assert lake.numbers(options) == list(range(60))


def test_a_table_of_other_things_is_refused(options: dict[str, Any], tmp_path: Path) -> None:
    given = lake.complete(options)
    catalog = load_catalog("lake", **properties_of(given))
    catalog.create_namespace("whodid")
    catalog.create_table("whodid.events", pa.schema([("time", pa.string())]))
    target = target_of("iceberg", tmp_path / "work", options)
    with pytest.raises(WhodidError, match=r"The column time of whodid\.events is string") as caught:
        target.open()
    target.close()
    assert not caught.value.kind.temporary


def test_a_table_made_by_an_earlier_version_gets_its_columns(options: dict[str, Any], tmp_path: Path) -> None:
    written(options, tmp_path / "work", range(5))
    with lake.table(options).update_schema() as update:
        update.delete_column("project")
    written(options, tmp_path / "work", range(10))
    assert lake.numbers(options) == list(range(10))
    assert "project" in lake.rows(options)[0]


def test_others_who_are_always_first_are_waited_for(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.targets.iceberg.table._PAUSE_S", 0.0)
    monkeypatch.setattr("whodid.targets.iceberg.table.COMMITS_MAX", 3)
    found = LakeTable(lake.complete(options), "x")

    def refuse(*_: Any) -> Any:
        raise CommitFailedException("somebody else")

    monkeypatch.setattr(type(found.catalog), "commit_table", refuse)
    with pytest.raises(WhodidError, match="all the time") as caught:
        found.append([], found.table.metadata.default_spec_id, {}, {"a": 1})
    assert caught.value.code == "busy"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"catalog": "glue"}, "uri is given"),
        ({"uri": None}, "uri is missing"),
        ({"uri": "postgresql://a:pa[ss@db/lake"}, "uri cannot be read"),
        ({"table": "events"}, "namespace.table"),
        ({"orphans_days": 0.5}, "orphans_days is"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], tmp_path: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(WhodidError, match=message):
        target_of("iceberg", tmp_path / "work", {**options, **given})


def test_a_rest_catalog_keeps_the_state_too(tmp_path: Path) -> None:
    with rest_catalog(tmp_path / "rest") as rest:
        options = {"catalog": "rest", "uri": rest.url, "warehouse": "lake", "token": TOKEN}
        for end in (20, 40):
            written(options, tmp_path / "work", range(end))
        assert lake.tidied(options, tmp_path).large == 2
        assert lake.numbers(options) == list(range(40))


def test_a_commit_whose_answer_is_lost_is_not_repeated(tmp_path: Path) -> None:
    with rest_catalog(tmp_path / "rest") as rest:
        options = {"catalog": "rest", "uri": rest.url, "warehouse": "lake", "token": TOKEN}
        written(options, tmp_path / "work", range(10))
        target = target_of("iceberg", tmp_path / "work", options)
        filled(target, range(20))
        rest.loses_answers = 1
        with pytest.raises(WhodidError) as caught:
            target.flush()
        target.close()
        assert caught.value.kind.temporary
        written(options, tmp_path / "work", range(30))
        assert lake.numbers(options) == list(range(30))


def test_a_wrong_token_is_permanent_and_not_told(tmp_path: Path) -> None:
    with rest_catalog(tmp_path / "rest") as rest:
        options = {"catalog": "rest", "uri": rest.url, "warehouse": "lake", "token": "wrong-token"}
        target = target_of("iceberg", tmp_path / "work", options)
        with pytest.raises(WhodidError) as caught:
            target.open()
        target.close()
        assert caught.value.code == "forbidden" and "wrong-token" not in str(caught.value)


def test_glue_keeps_the_state_too(tmp_path: Path) -> None:
    with s3_server() as server:
        server.bucket("lake")
        where = {name: value for name, value in server.options("lake").items() if name != "bucket"}
        options = {
            "catalog": "glue",
            "uri": None,
            "warehouse": "s3://lake/audit",
            "properties": {"glue.endpoint": server.endpoint},
            **where,
        }
        for end in (20, 40):
            written(options, tmp_path / "work", range(end))
        assert lake.tidied(options, tmp_path).large == 2
        assert lake.numbers(options) == list(range(40))


def test_a_server_fills_a_table_on_s3(postgresql_url: str, tmp_path: Path) -> None:
    with s3_server() as server:
        server.bucket("lake")
        options = lake.lake_options(
            postgresql_url,
            "s3://lake/audit",
            close_s=0.0,
            **{name: value for name, value in server.options("lake").items() if name != "bucket"},
        )
        with watched(tmp_path / "data") as engine:
            engine.dispatch.book.create(NewTarget(name="lake", kind="iceberg", options=options))
            ids = engine.post(25)
            engine.settled()
            wait_until(lambda: set(ids) <= set(lake.ids(lake.rows(options))))
        found = lake.ids(lake.rows(options))
        assert set(ids) <= set(found), "what the server does itself, such as making a target, is there besides"
        assert len(set(found)) == len(found)
        assert {one.key.split("/")[0] for one in server.bucket("lake").objects.all()} == {"audit"}


@pytest.fixture(autouse=True)
def no_region_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield
