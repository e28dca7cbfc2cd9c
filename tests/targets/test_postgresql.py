"""PostgreSQL as a target: real servers, killed, frozen, without rights, shared with a store."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from msgspec import Raw

from support.laid_out import filled, killed_until_done, numbered, target_of
from support.postgresql import PostgreSQLServer
from support.targets import delivery_of, event, form_of, wait_until
from whodid.dispatch.delivery import Part, PartsDelivery
from whodid.dispatch.row import implementation, read_options
from whodid.errors import WhodidError
from whodid.event import Entity, Provenance
from whodid.stores.postgresql import PostgreSQLStore
from whodid.targets.base import Context, Target


def made(folder: Path, url: str, *, receiver: str = "receiver-a", testing: bool = False) -> Target:
    kind: Any = implementation("postgresql")
    context = Context(name="t", id="id-1", folder=folder, receiver=receiver, format="native", node="n", testing=testing)
    target: Target = kind(read_options(kind.OPTIONS, {"url": url}), context)
    return target


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def numbers_in(url: str) -> list[int]:
    return [int(str(row[0])[-12:], 16) for row in rows(url, "SELECT id FROM public.events ORDER BY seq")]


def test_the_four_tables_answer_to_their_usual_names(postgresql_url: str, tmp_path: Path) -> None:
    target = made(tmp_path, postgresql_url)
    target.open()
    one = event(parameters=Raw(b'{"dose": 1.5}'), entities=[Entity(type="dataset", id="a")], session=None)
    answer = target.send(delivery_of([one], first=7)).answer
    target.close()
    assert answer == "1 rows added, 0 were there"
    tables = ("events", "event_types", "event_parameters", "event_parameter_values")
    assert all(rows(postgresql_url, f"SELECT count(*) FROM public.{name}")[0][0] for name in tables)
    told = rows(postgresql_url, 'SELECT seq, receiver, "user", parameters FROM whodid.events')
    assert told == [(7, "receiver-a", "ada", {"dose": 1.5})]


def test_another_whodid_reads_them_as_its_store(postgresql_url: str, tmp_path: Path) -> None:
    target = made(tmp_path, postgresql_url)
    target.open()
    target.send(delivery_of([event() for _ in range(3)]))
    target.close()
    store = PostgreSQLStore(postgresql_url)
    assert store.stats().events == 3
    store.close()


def test_gaps_and_provenances_are_kept(postgresql_url: str, tmp_path: Path) -> None:
    parts = [
        Part(
            Provenance(received_at=datetime(2026, 5, 4, 10, tzinfo=UTC), receiver="receiver-a", orig_address=address),
            seqs,
            [msgspec.json.encode(event()) for _ in seqs],
        )
        for address, seqs in (("10.0.0.1", [2, 3, 7]), ("10.0.0.2", [8, 12]))
    ]
    delivery = PartsDelivery("receiver-a", 1, 20, count=5, parts=lambda: parts, form=form_of())
    target = made(tmp_path, postgresql_url)
    target.open()
    assert target.send(delivery).events == 5
    target.close()
    told = rows(postgresql_url, "SELECT seq, orig_address FROM whodid.events ORDER BY seq")
    assert told == [(2, "10.0.0.1"), (3, "10.0.0.1"), (7, "10.0.0.1"), (8, "10.0.0.2"), (12, "10.0.0.2")]
    again = made(tmp_path, postgresql_url)
    assert again.open() == {"receiver-a": 20}
    again.close()


def test_servers_that_share_a_target_keep_places_of_their_own(postgresql_url: str, tmp_path: Path) -> None:
    for receiver, first in (("receiver-a", 1), ("receiver-b", 101)):
        target = made(tmp_path, postgresql_url, receiver=receiver)
        assert target.open() == {}
        target.send(delivery_of([event()], receiver=receiver, first=first))
        # What was stored before the target was made is sent by the server on which it was made.
        target.send(delivery_of([event()], receiver="receiver-c", first=first))
        target.close()
    for receiver, first in (("receiver-a", 1), ("receiver-b", 101)):
        target = made(tmp_path, postgresql_url, receiver=receiver)
        assert target.open() == {receiver: first, "receiver-c": first}
        target.close()


def test_what_the_tables_cannot_hold_is_refused_with_its_reason(postgresql_url: str, tmp_path: Path) -> None:
    target = made(tmp_path, postgresql_url)
    target.open()
    long = Entity(type="file", id="".join(chr(0x4E00 + number) for number in range(1_000)))
    events = [event(), event(entities=[long]), event(description="a\0b", parameters=Raw(b'{"x":"\\u0000"}')), event()]
    outcome = target.send(delivery_of(events, first=10))
    assert [(refusal.seq, refusal.code) for refusal in outcome.refused] == [(11, "too_large")]
    assert "longer than an index can hold" in outcome.refused[0].message
    assert outcome.events == 3
    target.close()
    assert len(rows(postgresql_url, "SELECT 1 FROM whodid.events")) == 3


def test_an_event_of_a_mebibyte_is_a_row_like_others(postgresql_url: str, tmp_path: Path) -> None:
    target = made(tmp_path, postgresql_url)
    target.open()
    assert target.send(delivery_of([event(description="é😀" * 170_000)])).events == 1
    target.close()
    assert rows(postgresql_url, "SELECT length(description) FROM whodid.events") == [(340_000,)]


def test_trials_and_replays_move_no_place(postgresql_url: str, tmp_path: Path) -> None:
    for name in ("test-1", "replay-1", "replay-2"):
        target = made(tmp_path, postgresql_url, testing=True)
        target.open()
        target.send(delivery_of([event()], receiver=name))
        target.close()
    target = made(tmp_path, postgresql_url)
    assert target.open() == {}
    target.close()
    assert len(rows(postgresql_url, "SELECT 1 FROM whodid.events")) == 3
    assert len(rows(postgresql_url, "SELECT 1 FROM whodid.journal_position")) == 1


@pytest.mark.crash
@pytest.mark.parametrize("point", ["store.before-commit", "store.after-commit"])
def test_killed_at_any_point_each_event_is_there_once(postgresql_url: str, tmp_path: Path, point: str) -> None:
    assert killed_until_done("postgresql", tmp_path, {"url": postgresql_url}, point, 30) >= 1
    assert numbers_in(postgresql_url) == list(range(30))


def test_an_instance_that_was_given_up_adds_nothing_twice(postgresql_url: str, tmp_path: Path) -> None:
    old, new = made(tmp_path, postgresql_url), made(tmp_path, postgresql_url)
    old.open()
    new.open()
    old.send(delivery_of([numbered(number) for number in range(4)]))
    new.send(delivery_of([numbered(number) for number in range(6)]))
    old.send(delivery_of([numbered(number) for number in range(4, 6)], first=5))
    old.close()
    new.close()
    assert numbers_in(postgresql_url) == list(range(6))


@pytest.fixture
def walled(postgresql_server: PostgreSQLServer, postgresql_url: str) -> Iterator[str]:
    """The URL of a database for a user who has to show a password and may not make tables."""
    access = postgresql_server.data / "pg_hba.conf"
    before = access.read_text()
    access.write_text(f"local all walled scram-sha-256\n{before}")
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SET password_encryption = 'scram-sha-256'")
        connection.execute("CREATE ROLE walled LOGIN PASSWORD 'right-secret'")
        connection.execute("SELECT pg_reload_conf()")
    yield postgresql_url.replace("postgres@", "walled:right-secret@")
    access.write_text(before)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("DROP ROLE walled")


def test_who_is_not_let_in_pauses_and_tells_no_secret(walled: str, tmp_path: Path) -> None:
    wrong = {
        walled.replace("right-secret", "wrong-secret"): "password authentication failed",
        walled.replace(":right-secret", ""): "no password supplied",
        walled.replace("walled:right-secret", "nobody"): "does not exist",
        walled: "permission denied",
    }
    for url, told in wrong.items():
        target = made(tmp_path, url)

        def refused(target: Target = target, told: str = told) -> WhodidError:
            with pytest.raises(WhodidError, match=told) as caught:
                target.open()
            return caught.value

        error = refused()
        target.close()
        assert not error.kind.temporary
        assert "secret" not in str(error)


def test_an_address_has_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(WhodidError, match="url is no address"):
        made(tmp_path, "mysql://u:hunter2@host/x")


def test_other_forms_have_no_tables(postgresql_url: str) -> None:
    with pytest.raises(WhodidError, match="native"):
        target_of("postgresql", Path("/tmp"), {"url": postgresql_url}, format="ocsf")


def test_a_server_that_stops_costs_time_and_no_event(own_postgresql_server: PostgreSQLServer, tmp_path: Path) -> None:
    url = own_postgresql_server.create_database()
    target = target_of("postgresql", tmp_path, {"url": url})
    filled(target, range(10))
    own_postgresql_server.crash()
    with pytest.raises(WhodidError) as caught:
        target.send(delivery_of([numbered(10)], first=10))
    assert caught.value.kind.temporary
    target.close()
    with pytest.raises(WhodidError) as caught:
        filled(target_of("postgresql", tmp_path, {"url": url}), range(20))
    assert caught.value.kind.temporary
    own_postgresql_server.start()
    target = target_of("postgresql", tmp_path, {"url": url})
    filled(target, range(40))
    target.close()
    assert numbers_in(url) == list(range(40))


def test_a_server_that_hangs_is_left_alone_and_taken_up_again(postgresql_url: str, tmp_path: Path) -> None:
    """Its process stops in the middle of a call: dispatch gives the call up, and the next instance finds the place."""
    target: Any = made(tmp_path, postgresql_url)
    target.open()
    target.send(delivery_of([numbered(0)]))
    pid = target._store._writer.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    hanging = threading.Thread(target=target.send, args=(delivery_of([numbered(1)], first=2),), daemon=True)
    try:
        hanging.start()
        time.sleep(0.2)
        assert hanging.is_alive()
        after = made(tmp_path, postgresql_url)
        assert after.open() == {"receiver-a": 1}
    finally:
        os.kill(pid, signal.SIGCONT)
    hanging.join(20)
    after.send(delivery_of([numbered(1), numbered(2)], first=2))
    after.close()
    target.close()
    wait_until(lambda: numbers_in(postgresql_url) == [0, 1, 2])
