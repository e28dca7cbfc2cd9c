"""JSON in arrays and over several lines, as one event a line."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whodid.formats.one_a_line import BREAKS_MAX, OneALine, open_stream

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab"\\[]{},:\n\r é😀', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.lists(st.fixed_dictionaries({"type": st.just("login"), "parameters": VALUES}), max_size=5)
INDENTS = st.sampled_from([None, 0, 2])


def lines(text: bytes, *cuts: int) -> bytes:
    """What the text becomes when it is fed in chunks that end at these places."""
    made, told, begin = OneALine(), b"", 0
    for end in (*sorted(cuts), len(text)):
        told, begin = told + made.feed(text[begin:end]), end
    return told + made.end()


def told(text: bytes) -> list[Any]:
    return [json.loads(line) for line in text.split(b"\n") if line.strip()]


@given(EVENTS, INDENTS, st.booleans())
def test_an_array_is_its_events_one_a_line(events: list[Any], indent: int | None, is_ascii: bool) -> None:
    assert told(lines(json.dumps(events, indent=indent, ensure_ascii=is_ascii).encode())) == events


@given(EVENTS, INDENTS, st.sampled_from(["\n", " ", "", ",\n"]))
def test_objects_one_after_another_are_lines_however_they_are_parted(
    events: list[Any], indent: int | None, between: str
) -> None:
    assert told(lines(between.join(json.dumps(event, indent=indent) for event in events).encode())) == events


@given(EVENTS, INDENTS, st.data())
def test_it_does_not_matter_where_chunks_end(events: list[Any], indent: int | None, data: st.DataObject) -> None:
    text = json.dumps(events, indent=indent, ensure_ascii=False).encode()
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    assert lines(text, *cuts) == lines(text)


@given(EVENTS.filter(bool))
def test_an_event_is_in_the_line_in_which_it_began(events: list[Any]) -> None:
    text = json.dumps(events, indent=2).encode()
    begun = [number for number, line in enumerate(text.split(b"\n")) if line == b"  {"]
    assert [number for number, line in enumerate(lines(text).split(b"\n")) if line.strip()] == begun


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (b'[{"a":1},{"b":2}]', b'{"a":1}\n{"b":2}\n'),
        (b'\xef\xbb\xbf[{"a":1}]\n', b'{"a":1}\n'),
        (b'[\n{"a":1},\n{"b":2}\n]\n', b'\n{"a":1}\n{"b":2}\n\n'),
        (b"[]", b"\n"),
        # An event that is cut off lacks its line break, as a last line does that may still grow.
        (b'[{"a":1},{"b":', b'{"a":1}\n{"b":'),
        (b'[{"a":1},{"b":"\\', b'{"a":1}\n{"b":"\\'),
        # What is no event stays, each on a line of its own.
        (b'[{"a":1}, 2, "x", [3]]', b'{"a":1}\n 2 \n"x" \n[3]\n'),
        (b'{"a":1}]}\n{"b":2}', b'{"a":1}\n]\n}\n{"b":2}\n'),
        # A raw line break within a string is not allowed there, and does not become what is.
        (b'[{"a":"x\ny"},{"b":2}]', b'{"a":"x\ny"}\n{"b":2}\n'),
    ],
)
def test_what_is_between_events_goes(text: bytes, made: bytes) -> None:
    assert open_stream(io.BytesIO(text)).read() == made


def test_an_event_of_very_many_lines_leaves_no_more_of_them_empty() -> None:
    made = lines(b"[[" + b"\n" * (BREAKS_MAX + 9) + b'],{"a":1}]')
    assert (made.count(b"\n"), made.endswith(b'\n{"a":1}\n')) == (BREAKS_MAX + 1, True)
