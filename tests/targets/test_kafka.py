"""Kafka as a target: librdkafka's mock shows what messages look like, real brokers what is promised."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import admin
from msgspec import Raw

from conftest import absent
from support.kafka import KafkaCluster, KafkaMissing, kafka_cluster, read_topic
from support.kafka_cases import mock_brokers, signed_in
from support.laid_out import filled, killed_until_done, numbered, target_of
from support.targets import delivery_of, event, form_of, wait_until
from whodid.dispatch.row import implementation, read_options
from whodid.errors import WhodidError
from whodid.event import Entity
from whodid.targets.base import Context, Target


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    with mock_brokers() as bootstrap:
        yield bootstrap


@pytest.fixture
def topic(kafka: KafkaCluster) -> str:
    return kafka.create_topic(f"t-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaCluster]:
    try:
        with kafka_cluster(tmp_path / "kafka") as cluster:
            yield cluster
    except KafkaMissing as missing:
        absent(str(missing))


def made(folder: Path, bootstrap: str, *, format: str = "native", **options: Any) -> Target:
    kind: Any = implementation("kafka")
    # Groups and transactional ids follow from the target's id: one for each test.
    context = Context(name="t", id=f"id-{folder.name}", folder=folder, receiver="receiver-a", format=format, node="n-1")
    given = {"brokers": bootstrap, "security": "plaintext", **options}
    target: Target = kind(read_options(kind.OPTIONS, given), context)
    return target


def sent(folder: Path, bootstrap: str, *events: Any, format: str = "native", **options: Any) -> Any:
    """Send events by a target of its own."""
    target = made(folder, bootstrap, format=format, **options)
    try:
        target.open()
        return target.send(delivery_of(list(events), form=form_of(format=format)))
    finally:
        target.close()


def numbers_in(bootstrap: str, topic: str, *, committed_only: bool = True) -> list[int]:
    found = read_topic(bootstrap, topic, committed_only=committed_only)
    return [int(json.loads(one.value())["id"][-12:], 16) for one in found]


def test_headers_tell_what_it_is_about(mock: str, tmp_path: Path) -> None:
    one = event(node="edge-é", level="error", topic="apinode-query", type="run 😀")
    answer = sent(tmp_path, mock, one, exactly_once="no", topic="headers").answer
    (message,) = read_topic(mock, "headers")
    assert {name: value.decode() for name, value in message.headers()} == {
        "id": one.id,
        "type": "run 😀",
        "topic": "apinode-query",
        "level": "error",
        "node": "edge-é",
        "format": "native",
        "content-type": "application/json",
    }
    assert answer == "1 messages to headers"


@pytest.mark.parametrize(
    ("key", "expected"),
    [("user", "žofie"), ("node", "n-7"), ("entity", "dataset:a/b"), ("session", None), ("none", None)],
)
def test_messages_are_keyed_by_what_is_wanted(mock: str, tmp_path: Path, key: str, expected: str | None) -> None:
    one = event(user="žofie", node="n-7", entities=[Entity(type="dataset", id="a/b"), Entity(type="x", id="y")])
    sent(tmp_path, mock, one, exactly_once="no", topic=f"keys-{key}", key=key)
    (message,) = read_topic(mock, f"keys-{key}")
    assert (message.key().decode() if message.key() else None) == expected


@pytest.mark.parametrize("compression", ["zstd", "lz4", "snappy", "gzip", "none"])
def test_any_compression_comes_out_as_it_went_in(mock: str, tmp_path: Path, compression: str) -> None:
    one = event(parameters=Raw(b'{"text":"%b"}' % ("ä😀" * 200).encode()))
    sent(tmp_path, mock, one, exactly_once="no", topic=f"packed-{compression}", compression=compression)
    (message,) = read_topic(mock, f"packed-{compression}")
    assert json.loads(message.value())["parameters"]["text"] == "ä😀" * 200


def test_lines_come_in_the_format_of_the_target(mock: str, tmp_path: Path) -> None:
    sent(tmp_path, mock, event(), exactly_once="no", topic="formats", format="cloudevents")
    (message,) = read_topic(mock, "formats")
    assert json.loads(message.value())["specversion"] == "1.0"
    assert dict(message.headers())["content-type"] == b"application/cloudevents+json"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"topic": "a b"}, "topic is"),
        ({"topic": "x-%{nothing}"}, "what events do not have"),
        ({"topic": "x" * 250}, "topic is"),
        ({"brokers": ","}, "brokers names nobody"),
        ({"settings": "enable.idempotence => false"}, "cannot be set here"),
        ({"settings": "plugin.library.paths => /tmp/x.so"}, "cannot be set here"),
        ({"settings": "error_cb => x"}, "cannot be set here"),
        ({"settings": "no.such.property => 1"}, "No such configuration property"),
        ({"security": "ssl", "ca_file": "/nowhere.pem"}, "ssl.ca.location"),
    ],
)
def test_options_that_make_no_sense_are_told(tmp_path: Path, options: dict[str, str], told: str) -> None:
    with pytest.raises(WhodidError, match=told) as caught:
        sent(tmp_path, "127.0.0.1:1", event(), **{"topic": "t", **options})
    assert not caught.value.kind.temporary


def test_topics_follow_from_events_and_are_made_when_wanted(kafka: KafkaCluster, tmp_path: Path) -> None:
    prefix = uuid.uuid4().hex[:8]
    options: dict[str, Any] = {"topic": f"{prefix}-%{{topic}}-%Y", "create_partitions": 2}
    target = made(tmp_path, kafka.bootstrap, **options)
    assert target.open() == {}
    target.send(delivery_of([numbered(0), numbered(1), numbered(2)], first=5))
    target.close()
    assert numbers_in(kafka.bootstrap, f"{prefix}-generic-2026") == [0, 2]
    assert numbers_in(kafka.bootstrap, f"{prefix}-apinode-query-2026") == [1]
    again = made(tmp_path, kafka.bootstrap, **options)
    assert again.open() == {"receiver-a": 7}
    again.close()


def test_consumers_see_a_delivery_as_a_whole_or_not_at_all(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    target: Any = made(tmp_path, kafka.bootstrap, topic=topic)
    target.open()
    target.send(delivery_of([numbered(0)], first=0))
    target._producing.begin_transaction()
    target._in_transaction = True
    target._deliver(target._messages(delivery_of([numbered(1)], first=1))[0])
    assert numbers_in(kafka.bootstrap, topic) == [0]
    assert numbers_in(kafka.bootstrap, topic, committed_only=False) == [0, 1]
    target.close()
    assert numbers_in(kafka.bootstrap, topic) == [0]


@pytest.mark.crash
@pytest.mark.parametrize("point", ["kafka.before-commit", "kafka.after-commit"])
def test_killed_at_any_point_each_event_is_there_once(
    kafka: KafkaCluster, topic: str, tmp_path: Path, point: str
) -> None:
    # One transactional id each.
    kafka_options = {"brokers": [kafka.bootstrap], "topic": topic, "security": "plaintext"}
    assert killed_until_done("kafka", tmp_path, kafka_options, point, 30) >= 1
    assert numbers_in(kafka.bootstrap, topic) == list(range(30))


def test_who_was_taken_over_ends_and_sends_nothing_twice(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    old, new = made(tmp_path, kafka.bootstrap, topic=topic), made(tmp_path, kafka.bootstrap, topic=topic)
    old.open()
    old.send(delivery_of([numbered(0)], first=0))
    assert new.open() == {"receiver-a": 0}
    with pytest.raises(WhodidError, match="taken over") as caught:
        old.send(delivery_of([numbered(1)], first=1))
    assert caught.value.kind.temporary
    old.close()
    new.send(delivery_of([numbered(1)], first=1))
    new.close()
    assert numbers_in(kafka.bootstrap, topic) == [0, 1]


def test_events_of_a_mebibyte_go_where_the_topic_takes_them(kafka: KafkaCluster, tmp_path: Path) -> None:
    topic = kafka.create_topic(f"big-{uuid.uuid4().hex[:8]}", max_message_bytes="2000000")
    big = event(description="é" * 500_000)
    options = {"topic": topic, "compression": "none"}
    outcome = sent(tmp_path, kafka.bootstrap, event(), big, event(), message_bytes_max=2_000_000, **options)
    assert (outcome.events, list(outcome.refused)) == (3, [])
    outcome = sent(tmp_path, kafka.bootstrap, event(), big, event(), message_bytes_max=900_000, **options)
    assert [(refusal.seq, refusal.code) for refusal in outcome.refused] == [(2, "too_large")]
    assert len(read_topic(kafka.bootstrap, topic)) == 5


@pytest.mark.parametrize("exactly_once", [True, False])
def test_a_topics_smaller_limit_is_learnt(kafka: KafkaCluster, tmp_path: Path, exactly_once: bool) -> None:
    topic = kafka.create_topic(f"small-{uuid.uuid4().hex[:8]}", max_message_bytes="3000")
    target = made(tmp_path, kafka.bootstrap, topic=topic, compression="none", exactly_once=exactly_once)
    target.open()
    small, big = [event() for _ in range(40)], event(description="x" * 5_000)
    outcome = target.send(delivery_of([*small[:20], big, *small[20:]]))
    target.close()
    assert [(refusal.seq, refusal.code) for refusal in outcome.refused] == [(21, "too_large")]
    assert "3,000" in outcome.refused[0].message
    got = [json.loads(one.value())["id"] for one in read_topic(kafka.bootstrap, topic)]
    assert set(got) == {one.id for one in small}
    assert len(got) == len(small) or not exactly_once


def test_what_was_refused_before_a_crash_goes_if_it_may_by_then(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    events = [event(), event(description="x" * 2_000), event(), event(description="x" * 2_000)]
    target = made(tmp_path, kafka.bootstrap, topic=topic, message_bytes_max=2_000)
    target.open()
    assert len(target.send(delivery_of(events)).refused) == 2
    target.close()
    target = made(tmp_path, kafka.bootstrap, topic=topic, message_bytes_max=9_000)
    assert target.open() == {"receiver-a": 1}
    assert target.send(delivery_of(events[1:], first=2)).events == 3
    target.close()
    got = [json.loads(one.value())["id"] for one in read_topic(kafka.bootstrap, topic)]
    assert sorted(got) == sorted(one.id for one in events)


def test_what_was_refused_before_a_crash_is_offered_again_alone(
    kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    events = [event(), event(description="x" * 2_000), event(), event()]
    for _ in range(2):
        # Nobody noted the dead letter: the process died right behind the commit.
        target = made(tmp_path, kafka.bootstrap, topic=topic, message_bytes_max=2_000)
        first = target.open().get("receiver-a", 0) + 1
        outcome = target.send(delivery_of(events[first - 1 :], first=first))
        target.close()
        assert [refusal.seq for refusal in outcome.refused] == [2]
    assert first == 2
    target = made(tmp_path, kafka.bootstrap, topic=topic, message_bytes_max=2_000)
    target.open()
    target.send(delivery_of(events[1:], first=2))
    target.send(delivery_of([event()], first=5))
    target.close()
    got = [json.loads(one.value())["id"] for one in read_topic(kafka.bootstrap, topic)]
    assert got[:3] == [events[0].id, events[2].id, events[3].id] and len(got) == 4
    target = made(tmp_path, kafka.bootstrap, topic=topic, message_bytes_max=2_000)
    assert target.open() == {"receiver-a": 5}
    target.close()


@pytest.mark.parametrize("exactly_once", [True, False])
def test_a_topic_that_is_not_there_is_told(kafka: KafkaCluster, tmp_path: Path, exactly_once: bool) -> None:
    with pytest.raises(WhodidError) as caught:
        sent(tmp_path, kafka.bootstrap, event(), topic="not-there", exactly_once=exactly_once, timeout_s=3)
    assert caught.value.code == "not_found"
    assert "create_partitions" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"password": "wrong-secret"}, "unauthorized"),
        ({"ca_file": None}, "forbidden"),
        ({"username": "mallory", "password": "mallorys-secret"}, "forbidden"),
        ({"username": "mallory", "password": "mallorys-secret", "exactly_once": "no"}, "forbidden"),
    ],
)
def test_who_is_not_let_in_pauses_at_once(
    kafka: KafkaCluster, topic: str, tmp_path: Path, wrong: dict[str, Any], code: str
) -> None:
    began = time.monotonic()
    with pytest.raises(WhodidError) as caught:
        sent(tmp_path, "", event(), **{**signed_in(kafka, "ada", "right-secret"), "topic": topic, **wrong})
    assert caught.value.code == code, caught.value
    assert time.monotonic() - began < 10
    assert "secret" not in str(caught.value)


def test_passwords_travel_as_scram_by_default(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    credential = admin.UserScramCredentialUpsertion(
        "ada", admin.ScramCredentialInfo(admin.ScramMechanism.SCRAM_SHA_512, 4096), b"scram-secret"
    )
    client = kafka.admin()
    for made_user in client.alter_user_scram_credentials([credential]).values():
        made_user.result(10)
    options = {**signed_in(kafka, "ada", "scram-secret"), "mechanism": "SCRAM-SHA-512", "topic": topic}
    assert sent(tmp_path, "", event(), **options).events == 1
    with pytest.raises(WhodidError) as caught:
        sent(tmp_path, "", event(), **{**options, "password": "wrong-secret"})
    assert caught.value.code == "unauthorized"


def test_rights_that_documentation_names_are_enough(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    rights = [
        (admin.ResourceType.TOPIC, topic, admin.AclOperation.WRITE),
        (admin.ResourceType.TOPIC, topic, admin.AclOperation.READ),
        (admin.ResourceType.TRANSACTIONAL_ID, f"whodid-id-{tmp_path.name}", admin.AclOperation.WRITE),
        (admin.ResourceType.GROUP, f"whodid-id-{tmp_path.name}", admin.AclOperation.READ),
    ]
    bindings = [
        admin.AclBinding(
            kind,
            name,
            admin.ResourcePatternType.PREFIXED,
            "User:mallory",
            "*",
            operation,
            admin.AclPermissionType.ALLOW,
        )
        for kind, name, operation in rights
    ]
    client = kafka.admin()
    for made_acl in client.create_acls(bindings).values():
        made_acl.result(10)
    one = event()
    sent(tmp_path, "", one, **signed_in(kafka, "mallory", "mallorys-secret"), topic=topic)
    assert [json.loads(message.value())["id"] for message in read_topic(kafka.bootstrap, topic)] == [one.id]


def test_a_call_is_broken_off_from_another_thread(tmp_path: Path) -> None:
    target = made(tmp_path, "127.0.0.1:1", topic="t", timeout_s=60)
    failed: list[WhodidError] = []

    def opening() -> None:
        try:
            target.open()
        except WhodidError as error:
            failed.append(error)

    thread = threading.Thread(target=opening)
    thread.start()
    target.cancel()
    thread.join(10)
    assert not thread.is_alive()
    target.close()
    assert failed[0].kind.temporary


def test_brokers_that_hang_and_die_cost_time_and_no_event(own_kafka: KafkaCluster, tmp_path: Path) -> None:
    topic = own_kafka.create_topic("audit")
    options = {"brokers": [own_kafka.bootstrap], "topic": topic, "security": "plaintext", "timeout_s": 3.0}
    target = target_of("kafka", tmp_path, options)
    filled(target, range(10))
    own_kafka.freeze()
    began = time.monotonic()
    with pytest.raises(WhodidError) as caught:
        target.send(delivery_of([numbered(10)], first=10))
    assert caught.value.kind.temporary and time.monotonic() - began < 10
    target.close()
    own_kafka.kill()
    own_kafka.restart()

    def goes_on() -> bool:
        target = target_of("kafka", tmp_path, options)
        try:
            filled(target, range(40))
        except WhodidError as error:
            assert error.kind.temporary
            return False
        finally:
            target.close()
        return True

    wait_until(goes_on)
    assert numbers_in(own_kafka.bootstrap, topic) == list(range(40))
