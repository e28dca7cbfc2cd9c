"""The search of events: what one writes is what is found, and comes back as one wrote it."""

from __future__ import annotations

import pytest

from whodid.errors import WhodidError
from whodid.web.pages.choice import Choice
from whodid.web.pages.search import parse, written

ANYTHING = Choice(zone="Europe/Berlin", range="7d")


def found(text: str) -> dict[str, list[str]]:
    """What a search states in an address."""
    given: dict[str, list[str]] = {}
    for name, value in parse(text, ANYTHING).pairs():
        given.setdefault(name, []).append(value)
    return given


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"range": ["7d"]}),
        ("user:erika", {"range": ["7d"], "user": ["erika"]}),
        ("user:erika user:otto -type:query-*", {"range": ["7d"], "user": ["erika", "otto"], "type": ["!query-*"]}),
        ('"timeout"', {"range": ["7d"], "text": ["timeout"]}),
        ("lost connection", {"range": ["7d"], "text": ["lost connection"]}),
        ("-5 degrees", {"range": ["7d"], "text": ["-5 degrees"]}),
        ("entity:dataset:SALES.orders", {"range": ["7d"], "entity": ["dataset:SALES.orders"]}),
        ('entity:"query:a b"', {"range": ["7d"], "entity": ["query:a b"]}),
        ('"-timeout"', {"range": ["7d"], "text": ["-timeout"]}),
        (r'"say \"hi\""', {"range": ["7d"], "text": ['say "hi"']}),
        ('user:" erika "', {"range": ["7d"], "user": [" erika "]}),
        ("parameter:table=orders", {"range": ["7d"], "parameter": ["table=orders"]}),
        ("error:6f1c request:r-1", {"range": ["7d"], "error_hash": ["6f1c"], "request_id": ["r-1"]}),
        ("after:2026-11-01", {"since": ["2026-11-01"]}),
        ("after:2026-11-01 before:2026-11-02T12:00", {"since": ["2026-11-01"], "until": ["2026-11-02T12:00"]}),
    ],
)
def test_a_search_means_what_it_says(text: str, expected: dict[str, list[str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "user:erika -level:debug type:query-*",
        'group:"Data Science" "a \\"quoted\\" text"',
        "entity:dataset:SALES.orders project:SALES",
        'type:"a b" -node:design-1',
        'user:" erika" -user:"erika "',
    ],
)
def test_what_is_written_back_means_the_same(text: str) -> None:
    once = parse(text, ANYTHING)
    assert parse(written(once), ANYTHING) == once


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("usr:erika", "Did you mean user:?"),
        ("http://x", "in quotes"),
        ('-"timeout"', 'quotes: "-timeout"'),
        ("after:yesterdayish", "Write 2026-11-01"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_to_write_instead(text: str, told: str) -> None:
    with pytest.raises(WhodidError) as error:
        parse(text, ANYTHING)
    assert told in (error.value.hint or "")
