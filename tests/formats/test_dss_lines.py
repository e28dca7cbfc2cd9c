"""Lines of a DSS audit together: what they are alone, ids that stay, bad ones among good ones."""

from __future__ import annotations

import pytest
from xxhash import xxh3_128_digest

from support.dss import LOG4J, MESSAGE, check, decode, line, log4j, one
from whodid import formats
from whodid.event import content_id, parameters_of
from whodid.formats.repeats import WINDOW_LINES


def test_lines_of_all_kinds_read_together_are_what_they_are_alone() -> None:
    usual = [log4j({**MESSAGE, "rows": rows}) for rows in range(20)]
    others = [
        log4j({**MESSAGE, "status": "failed", "dssNodeId": "design-1", "requestId": "r-1"}),
        log4j({**MESSAGE, "endpointId": "score", "error": "no such model"}, callTime=-1),
        log4j({**MESSAGE, "datasetName": "CRM.contacts"}),
        log4j({**MESSAGE, "datasetName": ""}),
        log4j({**MESSAGE, "recipeName": "compute_orders", "jobId": "job-7"}),
        log4j({"msgType": "project-open", "projectKey": "SALES"}),
        log4j({"msgType": "dataset-read-data", "datasetName": "orders"}),
        log4j({"msgType": "scenario-run", "authVia": ["scenario=SALES.nightly"]}, mdc=None),
        log4j({"msgType": "login"}, callTime="9", logger=None),
        log4j({"computeResourceUsage": {"context": {"projectKey": "SALES", "jobId": "j1"}}}),
        *(log4j(timestamp=told) for told in ("2020-02-19T16:05:02.441+0530", "2020-02-19 16:05:02Z", 1582128302441)),
    ]
    together = [line for pair in zip(usual, others, strict=False) for line in pair]
    assert decode("dss-log4j", *together).events == [decode("dss-log4j", line).events[0] for line in together]


def test_ids_come_from_time_and_content() -> None:
    raw = line(LOG4J)
    assert one(raw).id == content_id(1582124702441, xxh3_128_digest(raw))
    assert one(raw).id == one(raw + b"\r").id
    assert one(raw).id != one(log4j(callTime=10)).id


def test_equal_lines_are_events_of_their_own_and_the_same_again_in_the_same_file() -> None:
    other = log4j(callTime=1)
    lines = [line(LOG4J), other, line(LOG4J), line(LOG4J), log4j(callTime=2)]
    once = [event.id for event in decode("dss-log4j", *lines).events]
    assert len(set(once)) == 5
    assert once == [event.id for event in decode("dss-log4j", *lines).events]


def test_how_a_file_is_cut_into_runs_does_not_change_its_ids() -> None:
    lines = [log4j(callTime=number % 90) for number in range(700)]
    whole = [event.id for event in decode("dss-log4j", *lines).events]
    assert len(set(whole)) == 700
    for step in (1, 7, 256):
        found: list[str] = []
        state = b""
        for start in range(0, len(lines), step):
            decoder = formats.decoder("dss-log4j")
            decoder.restore(state)
            found += [event.id for event in decoder.decode(b"\n".join(lines[start : start + step])).events]
            state = decoder.state()
            assert len(state) <= 20 * WINDOW_LINES
        assert found == whole


BAD = [
    (b"nothing", "not_json"),
    (line(LOG4J)[:-20], "not_json"),
    (line(LOG4J).replace(b":9,", b":NaN,"), "not_json"),
    (b"[1]", "not_an_event"),
    (b'"text"', "not_an_event"),
    (log4j(message="just text"), "not_an_event"),  # type: ignore[arg-type]
    (log4j(message=[1]), "not_an_event"),  # type: ignore[arg-type]
    (log4j(timestamp=None), "bad_time"),
    (log4j(timestamp="2020-02-19T16:05:02.441"), "bad_time"),
    (log4j(timestamp="9999-12-31T23:59:59.999+0000"), "bad_time"),
    (log4j(timestamp="1601-01-01T00:00:00.000+0000"), "bad_time"),
    (log4j(timestamp="2020-02-30T16:05:02.441+0000"), "bad_time"),
    (log4j(timestamp="2020-02-19T16:05:99.441+0000"), "bad_time"),
    (log4j(timestamp="2020-02-19T16:05:02.x41+0000"), "bad_time"),
    (line({"msgType": "x"}), "bad_time"),
    (b"[" * 5000, "too_deep"),
    (line(LOG4J)[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
    (log4j({"msgType": "x", "t": "x" * 1024 * 1024}), "too_large"),
    (log4j({"msgType": "x"} | {f"p{number}": 1 for number in range(1001)}), "too_many"),
]


@pytest.mark.parametrize(("bad", "code"), BAD, ids=[f"{code}-{number}" for number, (_, code) in enumerate(BAD)])
def test_a_bad_line_rejects_itself_and_not_its_neighbours(bad: bytes, code: str) -> None:
    decoder = formats.decoder("dss-log4j")
    decoded = decoder.decode(b"\n\n".join([log4j(callTime=1), bad, log4j(callTime=2)]), first_line=21)
    check(decoded)
    assert [event.duration_ms for event in decoded.events] == [1, 2]
    (reject,) = decoded.rejects
    assert (reject.index, reject.line, reject.code, reject.raw_size_bytes) == (1, 23, code, len(bad))


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        (log4j({"msgType": "x", "f": "caf@"}).replace(b"@", b"\xe9"), "f", "caf\\xe9"),
        (log4j({"msgType": "x", "f": "@"}).replace(b"@", rb"\ud83d"), "f", "\\ud83d"),
        (log4j({"msgType": "x", "f": "@"}).replace(b"@", rb"\u0000"), "f", "␀"),
        (log4j({"msgType": "x", "f": "@"}).replace(b'"@"', b"1e99999"), "f", "1e99999"),
        (log4j({"msgType": "x", "f": 2**70}), "f", 2**70),
        (log4j({"msgType": "x", "f": "@"}).replace(b'"f"', b'"f":1,"f"'), "f", "@"),
        (log4j({"msgType": "x", "f": "ünï"}), "f", "ünï"),
        (log4j({"msgType": "x", "datasetName": {"a": 1}, "callPath": [1]}), "datasetName", {"a": 1}),
    ],
)
def test_odd_lines_are_read_without_loss(raw: bytes, name: str, value: object) -> None:
    event = one(raw)
    assert parameters_of(event)[name] == value
    assert (event.type, event.function, event.duration_ms) == ("x", "/api/datasets", 9)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert one(b"\xef\xbb\xbf" + line(LOG4J)).user == "ann"
