"""The native format: strict input as it is, odd input read without loss, bad input rejected alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from whodid import formats
from whodid.errors import WhodidError
from whodid.event import Event, foreign_id, new_id, parameters_of
from whodid.formats.base import Decoded
from whodid.formats.careful import careful_event
from whodid.formats.native import NativeDecoder, NativeEncoder, decode_body
from whodid.formats.strict import strict_events

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
GOOD = {"id": new_id(1_700_000_000_000), "time": "2026-05-01T10:00:00.123Z", "type": "query-start"}


def text(**fields: object) -> bytes:
    return json.dumps({**GOOD, "id": new_id(1_700_000_000_000), **fields}, separators=(",", ":")).encode()


def one(body: bytes) -> Event:
    decoded = decode_body(body, "json", received_at=NOW)
    check(decoded)
    assert not decoded.rejects, decoded.rejects
    assert len(decoded.events) == 1
    return decoded.events[0]


def check(decoded: Decoded) -> None:
    """What a journal asks of every payload."""
    assert b"\n" not in decoded.payload
    again = strict_events(decoded.payload)
    assert again is not None
    assert again == decoded.events
    assert decoded.count == len(decoded.events)


def test_strict_events_are_kept_as_the_sender_wrote_them() -> None:
    first, second = text(user="ann"), text(parameters={"a": [1, {"b": 2}]})
    array = b"[%b, %b]" % (first, second)
    assert decode_body(array, "json").payload == array
    assert decode_body(first + b"\n" + second + b"\n", "ndjson").payload == b"[%b,%b]" % (first, second)
    assert decode_body(first, "json").payload == b"[%b]" % first


def test_lines_may_end_in_crlf_and_be_blank() -> None:
    decoded = decode_body(b"\r\n" + text() + b"\r\n\r\n" + text() + b"\r\n", "ndjson")
    check(decoded)
    assert (decoded.count, decoded.rejects) == (2, [])


def test_several_lines_sent_as_json_are_read_as_lines() -> None:
    assert decode_body(text() + b"\n" + text(), "json").count == 2


def test_a_pretty_printed_event_is_one_event() -> None:
    assert one(json.dumps(GOOD, indent=2).encode()).type == "query-start"


def test_missing_id_and_time_are_made() -> None:
    event = one(b'{"type":"login"}')
    assert event.time == NOW
    assert event.id[14] == "7"
    assert one(b'{"type":"login"}').id != event.id


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("2026-05-01T10:00:00+02:00", datetime(2026, 5, 1, 8, tzinfo=UTC)),
        ("2026-05-01T10:00:00.441+0100", datetime(2026, 5, 1, 9, 0, 0, 441000, tzinfo=UTC)),
        ("2026-05-01t10:00:00z", datetime(2026, 5, 1, 10, tzinfo=UTC)),
        (1_777_629_600, datetime(2026, 5, 1, 10, tzinfo=UTC)),
        (1_777_629_600_123, datetime(2026, 5, 1, 10, 0, 0, 123000, tzinfo=UTC)),
        (1_777_629_600_123_456, datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("1777629600123", datetime(2026, 5, 1, 10, 0, 0, 123000, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_instants(told: object, read: datetime) -> None:
    assert one(text(time=told)).time == read


def test_ids_that_are_no_uuids_stay_the_same_event_and_are_kept() -> None:
    event = one(text(id="order-17"))
    assert event.id == foreign_id("order-17") == one(text(id="order-17")).id
    assert parameters_of(event) == {"foreign_id": "order-17"}
    assert one(text(id=GOOD["id"].upper())).id == GOOD["id"]


def test_sessions_that_are_no_uuids_become_uuids_and_are_kept() -> None:
    event = one(text(session="s1"))
    assert event.session == foreign_id("s1")
    assert parameters_of(event) == {"foreign_session": "s1"}


def test_unknown_fields_become_parameters_and_never_replace_one() -> None:
    event = one(text(color="red", shape={"a": 1}, parameters={"color": "blue"}))
    assert parameters_of(event) == {"color": "blue", "event.color": "red", "shape": {"a": 1}}


def test_a_sender_cannot_write_provenance() -> None:
    event = one(text(received_at="2020-01-01T00:00:00Z", key_id="k", orig_address="1.2.3.4", seq=4))
    origin = {"received_at": "2020-01-01T00:00:00Z", "key_id": "k", "orig_address": "1.2.3.4", "seq": 4}
    assert parameters_of(event) == {"origin": origin}


def test_null_says_nothing() -> None:
    exported = dict.fromkeys(("session", "user", "entity_type", "description", "duration_ms", "level", "seq"))
    event = one(text(**exported, entities=[{"type": "query", "id": 7, "name": None}], unknown=None))
    assert (event.user, event.session, event.level) == (None, None, "audit")
    assert (event.entities[0].id, event.entities[0].name) == ("7", None)
    assert parameters_of(event) == {"unknown": None}


def test_parameters_that_are_no_object_are_kept() -> None:
    assert parameters_of(one(text(parameters=[1, 2]))) == {"value": [1, 2]}
    assert parameters_of(one(text(parameters=None))) == {}


def test_numbers_keep_their_text() -> None:
    event = one(text()[:-1] + b',"parameters":{"big":123456789012345678901234567890,"e":1e999,"f":1.50}}')
    assert bytes(event.parameters) == b'{"big":123456789012345678901234567890,"e":1e999,"f":1.50}'
    event = one(text()[:-1] + b',"parameters":{"huge":-1e99999,"id":"1e99999","long":%b}}' % (b"9" * 1001))
    assert parameters_of(event) == {"huge": "-1e99999", "id": "1e99999", "long": "9" * 1001}


def test_identifiers_that_look_like_huge_numbers_stay_on_the_fast_path() -> None:
    raw = text(parameters={"job": "Build_1e99999", "hash": "7f3e12345-1e-12345"})
    assert decode_body(raw, "json").payload == b"[%b]" % raw


def test_what_no_store_can_hold_in_text_becomes_visible() -> None:
    event = one(text()[:-1] + rb',"description":"a\u0000b","parameters":{"k":"\ud83d|\\u0000|\ud83d\ude00"}}')
    assert event.description == "a␀b"
    assert parameters_of(event) == {"k": "\\ud83d|\\u0000|😀"}


def test_the_last_of_two_equal_keys_counts() -> None:
    assert one(text()[:-1] + b',"user":"a","user":"b"}').user == "b"


def test_a_byte_order_mark_is_passed_over() -> None:
    assert one(b"\xef\xbb\xbf" + text()).type == "query-start"
    assert NativeDecoder().decode(b"\xef\xbb\xbf" + text() + b"\n").count == 1


def test_errors_are_grouped_when_their_sender_did_not() -> None:
    trace = "Error: x\n    at f (app.js:1:2)\n    at g (app.js:3:4)"
    event = one(text(error_stack_trace=trace))
    other = one(text(error_stack_trace=trace.replace("1:2", "9:9")))
    assert event.error_hash is not None
    assert event.error_hash == other.error_hash
    assert one(text(error_stack_trace=trace, error_hash=GOOD["id"])).error_hash == GOOD["id"]


def test_levels_of_other_loggers_are_understood() -> None:
    assert one(text(level="WARN")).level == "warning"
    assert one(text(user=17, status=True)).user == "17"


BAD = [
    (b'{"type":"a"', "not_json"),
    (b"nothing", "not_json"),
    (b'{"type":"a","x":NaN}', "not_json"),
    (b'{"type":"a","x":-Infinity}', "not_json"),
    (b'{"type":"a","x":"\x01"}', "not_json"),
    (b'{"type":"a","user":"\xff"}', "not_utf8"),
    (b'{"type":"a","parameters":{"x":"\xc3("}}', "not_utf8"),
    (b'"text"', "not_an_event"),
    (b"[1]", "not_an_event"),
    (b"null", "not_an_event"),
    (b"{}", "no_type"),
    (b'{"type":""}', "no_type"),
    (b'{"type":{"a":1}}', "bad_field"),
    (b'{"type":"%b"}' % (b"a" * 201), "bad_field"),
    (b'{"type":"a","level":"loud"}', "bad_field"),
    (b'{"type":"a","duration_ms":-1}', "bad_field"),
    (b'{"type":"a","duration_ms":1e999}', "bad_field"),
    (b'{"type":"a","entities":{}}', "bad_field"),
    (b'{"type":"a","entities":[{"type":"t"}]}', "bad_field"),
    (b'{"type":"a","entities":[%b]}' % b",".join([b'{"type":"t","id":"1"}'] * 101), "too_many"),
    (b'{"type":"a","parameters":{%b}}' % b",".join(b'"p%d":1' % n for n in range(1001)), "too_many"),
    (b'{"type":"a","parameters":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
    (b"[" * 5000, "too_deep"),
    (b'{"a":' * 5000, "too_deep"),
    (b'{"type":"a","description":"%b"}' % (b"x" * 1024 * 1024), "too_large"),
    (b'{"type":"a","time":"9999-12-31T23:59:59Z"}', "bad_time"),
    (b'{"type":"a","time":"1601-01-01T00:00:00Z"}', "bad_time"),
    (b'{"type":"a","time":"2026-05-01T10:00:00"}', "bad_time"),
    (b'{"type":"a","time":"2026-02-30T10:00:00Z"}', "bad_time"),
    (b'{"type":"a","time":1e300}', "bad_time"),
    (b'{"type":"a","time":123456789012345678901234567890}', "bad_time"),
    (b'{"type":"a","time":[1]}', "bad_time"),
]


@pytest.mark.parametrize(("bad", "code"), BAD, ids=[f"{code}-{number}" for number, (_, code) in enumerate(BAD)])
def test_a_bad_event_rejects_itself_and_not_its_neighbours(bad: bytes, code: str) -> None:
    before, after = text(user="before"), text(user="after")
    lines = b"\n".join([before, bad, after]) + b"\n"
    for decoded in (decode_body(lines, "ndjson"), NativeDecoder().decode(lines)):
        check(decoded)
        assert [event.user for event in decoded.events] == ["before", "after"]
        (reject,) = decoded.rejects
        assert (reject.index, reject.code, reject.raw_size_bytes) == (1, code, len(bad))
        assert reject.message.endswith(".")
    assert NativeDecoder().decode(lines, first_line=11).rejects[0].line == 12


def test_a_broken_array_keeps_the_elements_that_can_be_told_apart() -> None:
    decoded = decode_body(b'[%b,{"type":"a","x":NaN},%b,{"type":"}]{[","y":01},%b' % (text(), text(), text()), "json")
    check(decoded)
    assert (decoded.count, [reject.index for reject in decoded.rejects]) == (3, [1, 3])


def test_a_truncated_array_keeps_what_is_whole() -> None:
    body = b"[%b,%b,%b" % (text(), text(), text()[:-9])
    decoded = decode_body(body, "json")
    check(decoded)
    assert (decoded.count, [reject.code for reject in decoded.rejects]) == (2, ["not_json"])


def test_two_events_of_one_id_are_one_and_the_other_is_kept_aside() -> None:
    same = text(id=GOOD["id"])
    for decoded in (decode_body(b"[%b,%b]" % (same, same), "json"), NativeDecoder().decode(same + b"\n" + same)):
        check(decoded)
        assert (decoded.count, decoded.rejects[0].code, decoded.rejects[0].index) == (1, "duplicate", 1)


def test_large_but_allowed_parameters_are_strict() -> None:
    for parameters in (
        {"list": [{"a": [1]}] * 150},
        {f"p{number}": number for number in range(1000)},
        {"x": "9" * 9999},
    ):
        raw = text(parameters=parameters)
        assert decode_body(raw, "json").payload == b"[%b]" % raw


# What is around the place where a large array may be cut: it must not matter to what is read.
LARGE = 150 * 1024
AROUND: tuple[dict[str, object], ...] = (
    {},
    {"entities": [{"id": "1", "type": "a"}, {"id": "2", "type": "b"}]},
    {"parameters": {"list": [{"id": 1}, {"id": 2}, {"id": 3}]}},
    {"description": '},{"id":"' * 3},
    {"description": '\\"},{"id":'},
    {"description": "ü" * 40},
)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,  ", " : ")])
@pytest.mark.parametrize("around", AROUND)
def test_large_arrays_of_which_ids_suffice_are_read_as_any(
    around: dict[str, object], separators: tuple[str, str]
) -> None:
    size = len(json.dumps({**GOOD, **around}, separators=separators).encode())
    for extra in range(4):
        sent = [{**GOOD, "id": new_id(1_700_000_000_000), **around} for _ in range(LARGE // size + 1)]
        sent[0]["session"] = None
        sent[0]["via"] = "x" * (37 * extra)
        body = json.dumps(sent, separators=separators, ensure_ascii=False).encode()
        decoded = decode_body(body, "json", looked_at=False)
        assert set(decoded.ids) == {each["id"] for each in sent}
        assert (decoded.payload, decoded.count, decoded.rejects) == (body, len(sent), [])
        check(decoded)


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"time": "2026-05-01T10:00:00.123+01:00"}, None),
        ({"unknown": 1}, None),
        ({"node": "n1"}, None),
        ({"id": GOOD["id"]}, "duplicate"),
        ({"level": "loud"}, "bad_field"),
        ({"parameters": {"a": "b" * 1_100_000}}, "too_large"),
    ],
)
def test_one_odd_event_in_a_large_array_is_found_wherever_it_stands(odd: dict[str, object], code: str | None) -> None:
    good = [text(id=GOOD["id"]), *(text() for _ in range(LARGE // 100))]
    for place in (1, len(good) // 2, len(good)):
        body = b"[%b]" % b",".join([*good[:place], text(**odd), *good[place:]])
        read, expected = (decode_body(body, "json", received_at=NOW, looked_at=one) for one in (False, True))
        assert read.events == expected.events
        assert [(reject.index, reject.code) for reject in read.rejects] == ([(place, code)] if code else [])


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "0197f6f0-0000-7000-8000-00000000000G"},
        {"id": "0197F6F0-0000-7000-8000-000000000001"},
        {"session": "1"},
        {"session": ""},
        {"error_hash": ""},
        {"error_hash": "g" * 36},
        {"error_stack_trace": "Error: no\n    at f"},
        {"entities": [{"type": "a", "id": "1"}] * 101},
        {"time": "2026-05-01T10:00:00.123+01:00"},
        {"time": "1969-12-31T23:59:59Z"},
        *({"parameters": value} for value in ([1], "{", 1, True, None)),
    ],
)
def test_one_event_that_is_not_strict_is_seen_among_many_that_are(odd: dict[str, object]) -> None:
    strict = [text(session=GOOD["id"], error_hash=GOOD["id"], error_stack_trace="Error") for _ in range(20)]
    assert strict_events(b"[%b]" % b",".join(strict)) is not None
    for place in (0, 10, 20):
        assert strict_events(b"[%b]" % b",".join([*strict[:place], text(**odd), *strict[place:]])) is None


def test_a_bad_element_of_a_large_array_is_found_as_in_any() -> None:
    good = [text() for _ in range(LARGE // 100)]
    for bad, _ in BAD:
        body = b"[%b]" % b",".join([*good[:700], bad, *good[700:]])
        read, expected = (decode_body(body, "json", received_at=NOW, looked_at=one) for one in (False, True))
        assert (read.rejects, read.count) == (expected.rejects, expected.count), bad[:100]
        assert read.rejects


def test_a_request_holds_ten_thousand_events_at_most() -> None:
    with pytest.raises(WhodidError, match="10,000") as caught:
        decode_body(b"[%b]" % b",".join([b'{"type":"a"}'] * 10_001), "json")
    assert caught.value.code == "too_large"


def test_rejected_bytes_are_kept_up_to_a_limit() -> None:
    (reject,) = decode_body(b'{"type":"%b' % ("ü".encode() * 100_000), "json").rejects
    assert reject.raw is not None
    assert reject.raw_size_bytes == 200_009
    assert 65_000 < len(reject.raw.encode()) <= 65_536
    assert reject.raw_encoding == "utf-8"


def test_span_and_parts_are_known_without_reading_the_events() -> None:
    lines = [
        text(topic="a" if number % 3 else "b", time=f"2026-05-01T10:{number % 60:02}:00Z") for number in range(700)
    ]
    decoded = NativeDecoder().decode(b"\n".join(lines))
    assert decoded.span.topics == {"a": 466, "b": 234}
    assert decoded.span.first == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert decoded.span.hours == {datetime(2026, 5, 1, 10, tzinfo=UTC).timestamp() // 3600}
    assert decoded.span.last == datetime(2026, 5, 1, 10, 59, tzinfo=UTC)
    assert [count for _, count in decoded.parts] == [700]
    check(decoded)


def test_written_and_read_again_events_are_the_same() -> None:
    events = [one(text(user="ü", parameters={"a": 1.5}, entities=[{"type": "query", "id": "7"}])), one(text())]
    written = NativeEncoder().encode(events)
    decoded = formats.decoder("native").decode(written)
    assert decoded.events == events
    assert formats.encoder("native").encode(decoded.events) == written


def test_fast_and_careful_reading_agree_on_strict_events() -> None:
    raw = text(
        user="ann",
        via="webapp:P.w",
        session=new_id(),
        entities=[{"type": "query", "id": "7", "role": "query", "name": "Q"}],
        duration_ms=12.5,
        parameters={"a": {"b": [1, 2]}},
        level="usage",
        source="server",
        error_hash=new_id(),
    )
    strict = strict_events(b"[%b]" % raw)
    assert strict is not None
    assert msgspec.json.encode(careful_event(raw, default_time=NOW)) == msgspec.json.encode(strict[0])


def test_lines_of_a_file_without_id_get_the_same_ids_at_every_reading() -> None:
    lines = b'{"type":"a","time":"2026-05-04T10:00:00Z"}\n' * 2 + b'{"type":"b"}\n'
    once, again = (NativeDecoder().decode(lines) for _ in range(2))
    ids = [event.id for event in once.events]
    assert ids == [event.id for event in again.events]
    assert len(set(ids)) == 3, "equal lines are different events"


def test_the_order_of_equal_lines_is_kept_over_a_restart() -> None:
    line = b'{"type":"a","time":"2026-05-04T10:00:00Z"}\n'
    whole = [event.id for event in NativeDecoder().decode(line * 3).events]
    first, second = NativeDecoder(), NativeDecoder()
    begun = [event.id for event in first.decode(line).events]
    second.restore(first.state())
    assert [*begun, *(event.id for event in second.decode(line * 2, first_line=2).events)] == whole
