"""CloudWatch Logs: the service's real limits, streams by type, throttling and partial rejection."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from support.cloudwatch import Service, cloudwatch
from support.laid_out import target_of
from support.targets import delivery_of, event, wait_until, watched
from whodid.dispatch.management import NewTarget
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.targets.base import Sent
from whodid.targets.cloudwatch import BATCH_BYTES_MAX, SPAN_MS_MAX, Entry, batches, explained

THROTTLED_S = float(os.environ.get("WHODID_AWAY_S", "0"))


@pytest.fixture
def service() -> Iterator[Service]:
    with cloudwatch() as started:
        yield started


def sent(service: Service, tmp_path: Any, events: list[Event], **options: Any) -> Sent:
    target = target_of("cloudwatch", tmp_path / "work", service.options(**options))
    target.open()
    try:
        return target.send(delivery_of(events))
    finally:
        target.close()


def test_types_go_to_the_streams_they_are_mapped_to(service: Service, tmp_path: Any) -> None:
    streams = {"log": "datagrok_log", "*-error": "datagrok_errors", "*": "%{topic}-%Y"}
    events = [event(type="log"), event(type="query-error"), event(type="login", topic="authfail")]
    sent(service, tmp_path, events, streams=streams)
    found = {name: service.messages(stream=name) for name in ("datagrok_log", "datagrok_errors", "authfail-2026")}
    assert [len(messages) for messages in found.values()] == [1, 1, 1]
    assert json.loads(found["datagrok_log"][0])["id"] == events[0].id


def test_what_spans_more_than_a_day_goes_in_batches_of_a_day(service: Service, tmp_path: Any) -> None:
    now = datetime.now(UTC)
    events = [event(time=now - timedelta(hours=7 * number)) for number in range(40)]
    sent(service, tmp_path, events)
    assert len(service.messages()) == 40
    assert len(service.puts) == 10


def test_batches_are_as_full_as_the_service_lets_them(service: Service, tmp_path: Any) -> None:
    events = [event(description="x" * 2_000) for _ in range(5_000)]
    sent(service, tmp_path, events)
    assert len(service.messages()) == 5_000
    full = [size_bytes / BATCH_BYTES_MAX for _, size_bytes in service.puts[:-1]]
    assert min(full) > 0.99


def test_what_the_service_rejects_is_refused_by_number(service: Service, tmp_path: Any) -> None:
    now = datetime.now(UTC)
    ages = [
        timedelta(days=20),
        timedelta(days=15),
        timedelta(hours=1),
        timedelta(0),
        timedelta(hours=-1),
        timedelta(hours=-3),
    ]
    told = sent(service, tmp_path, [event(time=now - age) for age in ages])
    assert sorted(refusal.seq for refusal in told.refused) == [1, 2, 6]
    assert told.events == 3
    assert len(service.messages()) == 3


def test_an_event_that_is_too_large_is_refused_alone(service: Service, tmp_path: Any) -> None:
    events = [event(), event(description="y" * 1_100_000), event()]
    told = sent(service, tmp_path, events)
    assert [(refusal.seq, refusal.code) for refusal in told.refused] == [(2, "too_large")]
    assert len(service.messages()) == 2


def test_throttling_is_temporary(service: Service, tmp_path: Any) -> None:
    service.throttled_until = time.monotonic() + 60
    with pytest.raises(WhodidError) as caught:
        sent(service, tmp_path, [event()])
    assert (caught.value.code, caught.value.kind.temporary) == ("busy", True)
    assert service.throttled == 1
    service.throttled_until = 0
    assert sent(service, tmp_path, [event()]).events == 1


def test_who_may_not_write_is_told_so(service: Service, tmp_path: Any) -> None:
    reader = service.server.with_rights("logs:DescribeLogGroups", "logs:GetLogEvents")
    keys = {"access_key_id": reader.access_key_id, "secret_access_key": reader.secret_access_key}
    with pytest.raises(WhodidError, match="CreateLogGroup") as caught:
        sent(service, tmp_path, [event()], **keys)
    assert (caught.value.code, caught.value.kind.temporary) == ("forbidden", False)


def test_a_group_that_was_taken_away_is_made_again(service: Service, tmp_path: Any) -> None:
    target = target_of("cloudwatch", tmp_path / "work", service.options())
    target.open()
    target.send(delivery_of([event()]))
    service.server.client("logs").delete_log_group(logGroupName="/whodid")
    target.send(delivery_of([made := event()]))
    target.close()
    assert [json.loads(message)["id"] for message in service.messages()] == [made.id]


def test_a_clock_that_is_off_is_waited_out() -> None:
    said = {"Error": {"Code": "InvalidSignatureException", "Message": "Signature expired: 20261120T161839Z is now"}}
    with pytest.raises(WhodidError, match="clock is off") as caught, explained():
        raise ClientError(said, "PutLogEvents")
    assert caught.value.kind.temporary


def test_throttling_and_rejections_on_the_whole_way(service: Service, tmp_path: Any) -> None:
    service.throttled_until = time.monotonic() + 3_600
    now = datetime.now(UTC)
    ages = [timedelta(days=20), timedelta(hours=1), timedelta(0)]
    with watched(tmp_path / "data") as running:
        options = service.options(batch_s=0.2)
        running.dispatch.book.create(NewTarget(name="logs", kind="cloudwatch", options=options))
        posted = running.post([event(time=now - age) for age in ages])
        wait_until(lambda: service.throttled >= 2, lambda: running.status("logs"))
        assert "ThrottlingException" in str(running.status("logs").last_error)
        time.sleep(THROTTLED_S)
        assert not service.messages()
        service.throttled_until = 0
        wait_until(lambda: running.status("logs").dead_letters == 1)
        running.settled()
        messages = [json.loads(message) for message in service.messages()]
        assert sorted(found["id"] for found in messages if found["id"] in posted) == sorted(posted[1:])


def test_a_group_that_is_made_has_the_retention(service: Service, tmp_path: Any) -> None:
    sent(service, tmp_path, [event()], retention_days=30)
    group = service.server.client("logs").describe_log_groups()["logGroups"][0]
    assert (group["logGroupName"], group["retentionInDays"]) == ("/whodid", 30)


def test_a_role_is_assumed(service: Service, tmp_path: Any) -> None:
    role = "arn:aws:iam::123456789012:role/audit-writer"
    users = service.server.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    users.create_role(
        RoleName="audit-writer",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    users.put_role_policy(
        RoleName="audit-writer",
        PolicyName="all",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        ),
    )
    assert sent(service, tmp_path, [event()], role_arn=role, external_id="whodid-1").events == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"streams": {}}, "No stream"),
        ({"streams": {"*": "%{password}"}}, "do not have"),
        ({"streams": {"*": "%Q"}}, "do not have"),
        ({"batch_events": 20_000}, "batch_events is 20,000"),
        ({"batch_bytes": 0}, "batch_bytes is 0"),
    ],
)
def test_bad_options_are_named(tmp_path: Any, options: dict[str, Any], complaint: str) -> None:
    given = {"log_group": "g", "region": "us-east-1", **options}
    with pytest.raises(WhodidError, match=complaint):
        target_of("cloudwatch", tmp_path / "work", given)


entries = st.lists(
    st.builds(
        lambda time_ms, size_bytes: Entry(time_ms, "", size_bytes, 0),
        st.integers(0, 5 * SPAN_MS_MAX),
        st.integers(27, 600_000),
    ),
    max_size=60,
).map(lambda found: sorted(found, key=lambda entry: entry.time_ms))


@settings(deadline=None)
@given(entries, st.integers(1, 20))
def test_every_batch_keeps_to_the_limits_and_nothing_is_left_out(found: list[Entry], events_max: int) -> None:
    cut = list(batches(found, events_max, BATCH_BYTES_MAX))
    assert [entry for batch in cut for entry in batch] == found
    for batch in cut:
        assert 1 <= len(batch) <= events_max
        assert sum(entry.size_bytes for entry in batch) <= BATCH_BYTES_MAX
        assert batch[-1].time_ms - batch[0].time_ms < SPAN_MS_MAX
    for batch, following in pairwise(cut):
        first = following[0]
        assert (
            len(batch) == events_max
            or sum(entry.size_bytes for entry in batch) + first.size_bytes > BATCH_BYTES_MAX
            or first.time_ms - batch[0].time_ms >= SPAN_MS_MAX
        )
