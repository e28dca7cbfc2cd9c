"""What every store answers, and what it does not, whichever engine it has."""

from __future__ import annotations

import threading
import time

import pyarrow as pa
import pytest

from contracts.conftest import StorePlace
from support.batches import Batches
from support.events import FULL, START, event, many
from support.stores import ids
from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.reading.read import missing
from whodid.stores.base import MISSING, Store
from whodid.stores.writer_batches import Apology


def test_parameters_by_name_and_by_position(store: Store, batches: Batches) -> None:
    store.write([batches.of([event(user="ann"), event(user="ben"), event(user="o'x")])])
    by_name = store.query('SELECT "user" FROM events WHERE "user" = $login', {"login": "o'x"})
    assert by_name.table.to_pylist() == [{"user": "o'x"}]
    by_position = store.query('SELECT count(*) AS n FROM events WHERE "user" IN ($1, $2)', ["ann", "ben"])
    assert by_position.table.to_pylist() == [{"n": 2}]


def test_times_can_be_compared_with_parameters(store: Store, batches: Batches) -> None:
    store.write([batches.of(many(10))])
    found = store.query("SELECT count(*) AS n FROM events WHERE time >= $since", {"since": START.replace(tzinfo=None)})
    assert found.table.to_pylist() == [{"n": 10}]


def test_what_went_to_another_store_is_found_among_the_rejections(store: Store, batches: Batches) -> None:
    batch = batches.of([event()], rejects=[Rejection(index=0, code="not_json", message="No JSON.")])
    store.write([batch, Apology(batches.receiver, 7, "Batches 2 to 7 are elsewhere.", code=MISSING)])
    assert store.position(batches.receiver) == 7
    assert [one["message"] for one in missing(store).table.to_pylist()] == ["Batches 2 to 7 are elsewhere."]


def test_answers_are_cut_at_the_limit(store: Store, batches: Batches) -> None:
    store.write([batches.of(many(10))])
    cut = store.query("SELECT id FROM events ORDER BY time", limit=9)
    assert (cut.table.num_rows, cut.truncated) == (9, True)
    whole = store.query("SELECT id FROM events ORDER BY time", limit=10)
    assert (whole.table.num_rows, whole.truncated) == (10, False)
    none = store.query("SELECT id FROM events WHERE false")
    assert (none.table.num_rows, none.truncated, none.table.column_names) == (0, False, ["id"])


def test_answers_have_plain_types(store: Store, batches: Batches) -> None:
    store.write([batches.of([FULL])])
    schema = store.query("SELECT id, time, seq, duration_ms, parameters, type FROM events").table.schema
    assert [str(type_) for type_ in schema.types] == ["string", "timestamp[us]", "int64", "double", "string", "string"]
    assert schema.field("parameters").metadata == {b"whodid": b"json"}
    counted = store.query("SELECT sum(seq) AS total, count(*) AS n FROM events").table
    assert all(pa.types.is_integer(type_) for type_ in counted.schema.types)


def test_a_runaway_statement_is_stopped_in_time(store: Store, batches: Batches) -> None:
    store.write([batches.of(many(2_000))])
    started = time.monotonic()
    with pytest.raises(WhodidError) as stopped:
        store.query(
            "SELECT count(*) FROM events a, events b, events c, events d WHERE a.seq + b.seq + c.seq > d.seq",
            timeout_ms=300,
        )
    assert stopped.value.code == "timeout"
    assert time.monotonic() - started < 5
    assert store.query("SELECT count(*) AS n FROM events").table.to_pylist() == [{"n": 2_000}]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT 1; SELECT 2", "invalid"),
        ("", "invalid"),
        ("SELEC 1", "invalid"),
        ("SELECT nothing_like_it FROM events", "invalid"),
        ("DELETE FROM events", "forbidden"),
        ("UPDATE events SET type = 'x'", "forbidden"),
        ("INSERT INTO events SELECT * FROM events", "forbidden"),
        ("WITH gone AS (DELETE FROM events RETURNING id) SELECT * FROM gone", "forbidden"),
        ("CREATE TABLE mine AS SELECT 1", "forbidden"),
        ("COPY events TO '/tmp/whodid-stolen'", "forbidden"),
        ("SELECT * FROM journal_position", "forbidden"),
        ("SELECT * FROM rejected_events", "forbidden"),
        ("SELECT * FROM pg_tables", "forbidden"),
        ("SELECT * FROM information_schema.tables", "forbidden"),
    ],
)
def test_only_one_select_on_events_is_answered(store: Store, batches: Batches, sql: str, code: str) -> None:
    store.write([batches.of(many(2))])
    with pytest.raises(WhodidError) as refused:
        store.query(sql)
    assert refused.value.code == code
    assert len(ids(store)) == 2


@pytest.mark.parametrize("sql", ["DELETE FROM events", "CREATE TABLE mine AS SELECT 1 AS a"])
def test_even_trusted_statements_only_read(store: Store, batches: Batches, sql: str) -> None:
    store.write([batches.of(many(2))])
    with pytest.raises(WhodidError):
        store.query(sql, trusted=True)
    assert len(ids(store)) == 2


def test_reading_goes_on_while_writing(store: Store, batches: Batches) -> None:
    """Readers see whole writes only: as many as some number of batches, never less than before."""
    problems: list[str] = []
    done = threading.Event()

    def read() -> None:
        seen = 0
        while not done.is_set():
            count = store.query("SELECT count(*) AS n FROM events").table.to_pylist()[0]["n"]
            if count % 200 or count < seen:
                problems.append(f"{seen} events, then {count}")
            seen = count

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(10):
        store.write([batches.of([event(number * 200 + at) for at in range(200)])])
    done.set()
    for reader in readers:
        reader.join(timeout=10)
    assert not problems
    assert len(ids(store)) == 2_000


def test_writing_goes_on_while_a_long_statement_runs(store: Store, batches: Batches) -> None:
    store.write([batches.of(many(2_000))])
    ended: list[str] = []

    def ask(timeout_ms: int) -> None:
        with pytest.raises(WhodidError) as stopped:
            store.query(
                "SELECT count(*) FROM events a, events b, events c, events d WHERE a.seq + b.seq + c.seq > d.seq",
                timeout_ms=timeout_ms,
            )
        ended.append(stopped.value.code)

    # A machine with much to do may not have written anything in three seconds.
    for timeout_ms in (3_000, 30_000):
        asking = threading.Thread(target=ask, args=[timeout_ms])
        asking.start()
        store.write([batches.of(many(10))])
        still_asking = asking.is_alive()
        store.write([batches.of(many(20))])
        asking.join(timeout=60)
        if still_asking:
            break
    assert set(ended) == {"timeout"}
    assert still_asking, "the writes waited for the statement"
    assert store.stats().events == 2_000 + 30 * len(ended)


def test_receivers_write_at_once_without_disturbing_each_other(store_place: StorePlace) -> None:
    store = store_place.open()
    shared = many(50)
    results: dict[str, int] = {}

    def write(receiver: str) -> None:
        own = store_place.batches(receiver)
        for number in range(4):
            results[receiver] = results.get(receiver, 0) + store.write([own.of([*shared, *many(10)])]).events
            assert store.position(receiver) == number + 1

    writers = [threading.Thread(target=write, args=(f"receiver-{name}",)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
    assert sum(results.values()) == 50 + 3 * 4 * 10
    assert len(ids(store)) == 170


def test_stats_tell_size_and_span(store: Store, batches: Batches) -> None:
    empty = store.stats()
    assert (empty.events, empty.rejects, empty.oldest, empty.newest) == (0, 0, None, None)
    store.write([batches.of(many(10))])
    stats = store.stats()
    assert (stats.events, stats.oldest) == (10, START)
    assert stats.newest is not None
    assert stats.newest > START
    assert stats.size_bytes > 0
    assert stats.version >= 1


def test_a_closed_store_says_so(store_place: StorePlace) -> None:
    store = store_place.open()
    store.close()
    store.close()
    with pytest.raises(WhodidError) as closed:
        store.query("SELECT 1")
    assert closed.value.code == "unavailable"
