"""A whole engine on a Kafka topic: what must not be in it, what must not become of it, and who is refused."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from support.journals import draft, ids_of
from support.kafka import SILENT, KafkaCluster, read_topic
from support.stores import ids, rows
from whodid.config import Config
from whodid.engine import Engine
from whodid.errors import WhodidError
from whodid.event import Rejection
from whodid.journal import frame
from whodid.journal.kafka import KafkaStatus, Marker
from whodid.journal.kafka_topic import Identity

PARTITIONS = 2


@pytest.fixture
def topic(kafka: KafkaCluster) -> str:
    return f"audit-{uuid.uuid4().hex[:12]}"


@contextmanager
def engine(
    kafka: KafkaCluster, topic: str, folder: Path, *, store: str = "duckdb", age_ms: int = 50, **options: Any
) -> Iterator[Engine]:
    usual = {"security": "plaintext", "min_insync": 1, "partitions": PARTITIONS, "keep_ms": -1}
    query = "&".join(f"{name}={value}" for name, value in {**usual, **options}.items())
    url = f"kafka://{kafka.bootstrap}/{topic}?{query}"
    config = Config(data=str(folder / "data"), store=store, journal=url, segment_age_ms_max=age_ms)
    with Engine.open(config) as opened:
        yield opened


def status_of(opened: Engine) -> KafkaStatus:
    """How the journal stands after a look."""
    opened.journal.look(opened.store.positions())  # type: ignore[union-attr]
    status = opened.journal.status()
    assert isinstance(status, KafkaStatus)
    return status


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"no {what} within {timeout_s} s"
        time.sleep(0.05)
    return found


def produce(kafka: KafkaCluster, topic: str, *values: bytes | None, partition: int = 0) -> None:
    settings: dict[str, Any] = {"bootstrap.servers": kafka.bootstrap, "logger": SILENT}
    producer = Producer(settings)
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(10) == 0


def test_a_poisoned_record_is_kept_aside_and_the_rest_goes_on(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    with engine(kafka, topic, tmp_path) as opened:
        sent = [draft(3, key_id=str(n)) for n in range(4)]
        opened.journal.append_blocking(sent[0])
        # The last one is a frame, with a right sum, of what is no event.
        odd = b"".join(frame.number(frame.prepare(draft(1, events=b'[{"id":1}]'), b'"x"'), 1))[:-1]
        foreign = (b'{"not": "a frame"}', b"\xff\xfe", None, odd)
        for number in range(PARTITIONS):
            produce(kafka, topic, *foreign, partition=number)
        for each in sent[1:]:
            opened.journal.append_blocking(each)
        opened.flush(30)
        assert ids(opened.store) == sorted(ids_of(sent))
        status = wait_for(lambda: found if (found := status_of(opened)).lag_records == 0 else None, "lag of 0")
        assert (status.poisoned, status.lost, len(status.quarantine)) == (3 * PARTITIONS, 0, PARTITIONS)
        kept = rows(opened.store, "SELECT code, message, raw, source, receiver FROM rejected_events")
        assert len(kept) == 3 * PARTITIONS and {one["code"] for one in kept} == {"invalid"}
        assert {one["receiver"] for one in kept} == set(opened.journal.streams)
        assert sum(one["raw"] == '{"not": "a frame"}' for one in kept) == PARTITIONS
        assert any(f"of partition 1 of the topic {topic}" in one["message"] for one in kept)
        assert opened.writer.status().poisoned == 0, "no batch went with it"


def test_every_stored_event_tells_its_record(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    with engine(kafka, topic, tmp_path) as opened:
        for _ in range(3):
            opened.journal.append_blocking(draft(4))
        opened.flush(30)
        stored = rows(opened.store, "SELECT id, receiver, seq FROM events")
    there = {(one.partition(), one.offset()): frame.decode(one.value()) for one in read_topic(kafka.bootstrap, topic)}
    assert len(stored) == 12
    for event in stored:
        offset, place = divmod(event["seq"] - 1, 10_000)
        partition = int(event["receiver"].rpartition("-")[2])
        assert there[partition, offset].events[place].id == event["id"]


@pytest.mark.postgresql
def test_two_writers_of_one_partition_store_each_event_once(
    kafka: KafkaCluster, topic: str, tmp_path: Path, postgresql_url: str
) -> None:
    # Two groups: what a writer that was taken for dead does for a moment, these two do all the time.
    folders = [tmp_path / name for name in "ab"]
    reject = Rejection(index=0, code="invalid", message="m")
    with (
        engine(kafka, topic, folders[0], store=postgresql_url, group=f"{topic}-a", age_ms=30) as one,
        engine(kafka, topic, folders[1], store=postgresql_url, group=f"{topic}-b", age_ms=70) as two,
    ):
        sent = [draft(3, rejects=[reject]) for _ in range(60)]
        for place, each in enumerate(sent):
            (one, two)[place % 2].journal.append_blocking(each)
        for opened in (one, two):
            opened.flush(60)
        wait_for(lambda: all(not one.writer.status().lag_batches for one in (one, two)), "end of both")
        assert ids(one.store) == sorted(ids_of(sent))
        assert one.store.stats().rejects == len(sent)
        written = [opened.writer.status() for opened in (one, two)]
        assert sum(status.stored for status in written) == 3 * len(sent)
        assert sum(status.duplicates for status in written) == 0


def test_brokers_of_another_cluster_are_refused(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    with engine(kafka, topic, tmp_path) as opened:
        # As if the store had been filled out of another cluster before.
        opened.store.write([Marker(Identity("another-cluster", topic, "its-id").marker)])
        own = status_of(opened).topic_id
        opened.journal.append_blocking(draft())
        opened.flush(30)
    with engine(kafka, topic, tmp_path):
        pass
    other = f"{topic}-b"
    with pytest.raises(WhodidError) as refused, engine(kafka, other, tmp_path):
        pass
    assert refused.value.code == "conflict"
    assert "another-cluster" in refused.value.message and kafka.cluster_id in refused.value.message
    assert "accept=" in str(refused.value.hint) and own not in str(refused.value)
    with engine(kafka, other, tmp_path, accept=kafka.cluster_id) as opened:
        opened.journal.append_blocking(draft())
        opened.flush(30)
        assert len(ids(opened.store)) == 2
    with engine(kafka, other, tmp_path):
        pass


def test_a_topic_that_is_made_anew_is_refused_while_running_and_at_the_start(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    admin = kafka.admin()
    with engine(kafka, topic, tmp_path, timeout_ms=1_000) as opened:
        opened.journal.append_blocking(draft())
        opened.flush(30)
        admin.delete_topics([topic])[topic].result(30)
        kafka.create_topic(topic, PARTITIONS)
        refusal = wait_for(lambda: status_of(opened).refusal, "refusal")
        assert "The brokers have topic" in refusal and "another topic" in refusal
        with pytest.raises(WhodidError) as refused:
            opened.journal.append_blocking(draft())
        assert refused.value.code == "unavailable" and refused.value.retry_after_s
    with pytest.raises(WhodidError) as refused, engine(kafka, topic, tmp_path):
        pass
    assert refused.value.code == "conflict" and topic in refused.value.message


@pytest.mark.parametrize(
    ("config", "options", "told"),
    [
        ({}, {"min_insync": 2}, "1 replica"),
        ({"cleanup_policy": "compact"}, {}, "compacted"),
    ],
)
def test_a_topic_that_would_lose_events_is_refused(
    kafka: KafkaCluster, topic: str, tmp_path: Path, config: dict[str, str], options: dict[str, Any], told: str
) -> None:
    kafka.create_topic(topic, PARTITIONS, **config)
    with pytest.raises(WhodidError) as refused, engine(kafka, topic, tmp_path, **options):
        pass
    assert refused.value.code == "conflict" and told in refused.value.message and refused.value.hint


def test_a_topic_is_not_made_with_too_few_brokers(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    with pytest.raises(WhodidError) as refused, engine(kafka, topic, tmp_path, min_insync=2):
        pass
    assert refused.value.code == "conflict" and "1 broker" in refused.value.message


def test_what_an_administrator_should_know_of_a_topic_is_told(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    kafka.create_topic(topic, PARTITIONS, retention_ms="3600000", unclean_leader_election_enable="true")
    with engine(kafka, topic, tmp_path) as opened:
        warnings = " ".join(status_of(opened).warnings)
    assert "retention.ms=3600000" in warnings and "unclean.leader.election.enable" in warnings


def test_records_that_were_deleted_before_they_were_stored_are_counted(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    with engine(kafka, topic, tmp_path, key="none", partitions=1) as opened:
        opened.journal.append_blocking(draft())
        opened.flush(30)
    with engine(kafka, topic, tmp_path, key="none", writer="no") as opened:
        for _ in range(4):
            opened.journal.append_blocking(draft())
    place = TopicPartition(topic, 0, 3)
    admin = kafka.admin()
    admin.delete_records([place])[place].result(10)
    with engine(kafka, topic, tmp_path, key="none") as opened:
        opened.journal.append_blocking(draft())
        opened.flush(30)
        assert len(ids(opened.store)) == 4
        assert status_of(opened).lost == 2


def test_what_is_stored_and_old_enough_is_deleted_from_the_topic(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    with engine(kafka, topic, tmp_path, key="none", partitions=1, keep_ms=0) as opened:
        for _ in range(3):
            opened.journal.append_blocking(draft())
        opened.flush(30)
        admin = kafka.admin()
        place, earliest = TopicPartition(topic, 0), OffsetSpec.earliest()  # type: ignore[no-untyped-call]

        def begins() -> int:
            opened.journal._forget_at_s = 0.0  # type: ignore[union-attr]
            status_of(opened)
            found = admin.list_offsets({place: earliest})[place].result(10)
            return int(found.offset)

        wait_for(lambda: begins() == 3, "free space")
    with engine(kafka, topic, tmp_path, key="none") as opened:
        assert status_of(opened).lost == 0


def test_what_waits_for_the_store_has_a_limit(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    with engine(kafka, topic, tmp_path, writer="no") as opened:
        opened.journal._watch._backlog_bytes_max = 5_000  # type: ignore[union-attr]
        for _ in range(20):
            opened.journal.append_blocking(draft(5))
        status = status_of(opened)
        assert status.backlog_bytes > 5_000 and status.lag_records >= 20 and not status.writer
        with pytest.raises(WhodidError, match="wait for the store") as refused:
            opened.journal.append_blocking(draft())
        assert refused.value.code == "busy" and refused.value.retry_after_s


def test_a_journal_on_disk_with_events_in_it_is_not_left_behind(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "journal"
    folder.mkdir(parents=True)
    (folder / "000000000007.sealed").write_bytes(b"x")
    with pytest.raises(WhodidError) as refused, engine(kafka, topic, tmp_path):
        pass
    assert refused.value.code == "conflict" and "--journal disk" in str(refused.value.hint)


def test_brokers_that_are_not_there_are_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("whodid.journal.kafka.START_S_MAX", 1.0)
    nowhere = "kafka://ada:hush@127.0.0.1:1/audit?security=sasl_plaintext&mechanism=PLAIN"
    with pytest.raises(WhodidError) as refused:
        Engine.open(Config(data=str(tmp_path), journal=nowhere))
    assert refused.value.code == "unavailable" and "hush" not in str(refused.value)
    assert "127.0.0.1:1" in str(refused.value.hint) and "Connection refused" in str(refused.value.hint)
    assert "Waiting for the brokers at 127.0.0.1:1." in caplog.messages, "nobody sits before a silent terminal"
    assert "hush" not in caplog.text


def test_brokers_that_speak_in_clear_are_told_to_whoever_asks_for_tls(
    kafka: KafkaCluster, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whodid.journal.kafka.START_S_MAX", 1.0)
    with pytest.raises(WhodidError) as refused:
        Engine.open(Config(data=str(tmp_path), journal=f"kafka://{kafka.bootstrap}/{topic}"))
    # How far the handshake got says whether Kafka's client guesses that they speak in clear.
    assert "SSL" in str(refused.value.hint) and "security in the journal's URL" in str(refused.value.hint)


def test_who_is_not_let_in_hears_so_at_once(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    address = kafka.secure_bootstrap
    given = f"security=sasl_ssl&mechanism=PLAIN&ca_file={kafka.ca_file}&min_insync=1&partitions=1&keep_ms=-1"
    with Engine.open(Config(data=str(tmp_path), journal=f"kafka://ada:right-secret@{address}/{topic}?{given}")) as one:
        one.journal.append_blocking(draft())
        one.flush(30)
    began = time.monotonic()
    with pytest.raises(WhodidError) as refused:
        Engine.open(Config(data=str(tmp_path), journal=f"kafka://ada:wrong-secret@{address}/{topic}?{given}"))
    assert refused.value.code == "unauthorized" and "secret" not in refused.value.message
    assert time.monotonic() - began < 20


def test_senders_that_bring_more_than_brokers_take_hear_busy(tmp_path: Path, kafka: KafkaCluster, topic: str) -> None:
    with engine(kafka, topic, tmp_path, writer="no", waiting_bytes_max=1_000_000, linger_ms=900) as opened:
        outcomes: list[Any] = []

        async def many() -> None:
            big = [draft(10, parameters={"text": "x" * 20_000}) for _ in range(10)]
            outcomes.extend(await asyncio.gather(*map(opened.journal.append, big), return_exceptions=True))

        asyncio.run(many())
        refused = [one for one in outcomes if isinstance(one, WhodidError)]
        assert 0 < len(refused) < 10 and {one.code for one in refused} == {"busy"}
        assert opened.journal.status().waiting_bytes == 0
