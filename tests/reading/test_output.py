"""Answers written out: exact, whole, and harmless to spreadsheets and terminals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.reading import NOW
from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.plugins import STORES, load
from whodid.reading import read
from whodid.reading.output import FORMATS, write
from whodid.reading.printable import printable
from whodid.reading.terminal import print_table
from whodid.stores.base import Store


def written(table: pa.Table, form: str) -> bytes:
    return b"".join(write([table], form))


def page(**given: Any) -> pa.Table:
    """A page of one event, as `read.events` gives it."""
    row = {
        "id": new_id(),
        "time": given.get("at", NOW),
        "type": "query-start",
        "user": given.get("user"),
        "description": given.get("description"),
        "entity_name": given.get("entity_name"),
        "entity_type": "query",
        "entities": json.dumps(given.get("entities", [])),
        "parameters": json.dumps(given.get("parameters", {})),
    }
    return pa.Table.from_pylist([row], schema=read.events_schema())


def test_an_event_in_json_has_objects_times_with_z_and_exact_numbers() -> None:
    raw = {"big": 2**53 + 1, "huge": 2**80, "text": 'quotation " mark', "none": None}
    table = page(parameters=raw, entities=[{"type": "query", "id": "q-1"}], at=NOW.replace(microsecond=123456))
    (found,) = json.loads(written(table, "json"))
    assert found["parameters"] == raw
    assert found["entities"] == [{"type": "query", "id": "q-1"}]
    assert found["time"] == "2026-11-20T12:00:00.123456Z"
    assert len(found["id"]) == 36
    assert found["user"] is None
    assert str(2**80).encode() in written(table, "json")


def test_every_type_that_an_engine_answers_with_becomes_json() -> None:
    table = pa.table(
        {
            "huge": pa.array([Decimal(2**100)], pa.decimal128(38, 0)),
            "money": pa.array([Decimal("12.50")], pa.decimal128(10, 2)),
            "nan": [float("nan")],
            "infinite": [float("inf")],
            "at": pa.array([datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("us")),
            "zoned": pa.array([datetime(2026, 1, 2, tzinfo=UTC)], pa.timestamp("ns", tz="Europe/Berlin")),
            "never": pa.array([2**63 - 1], pa.timestamp("us")),
            "day": [date(2026, 1, 2)],
            "list": [[1, None, 2]],
            "struct": [{"a": [Decimal("0.1")]}],
            "bytes": [b"\x00\xff"],
            "json": pa.array(['{"a":[1,12345678901234567890123]}'], pa.json_()),
            "broken": pa.array(["{"], pa.json_()),
            "none": pa.nulls(1),
        }
    )
    text = written(table, "ndjson").decode()
    (found,) = [json.loads(line, parse_float=Decimal) for line in text.splitlines()]
    assert found["huge"] == 2**100
    assert found["money"] == Decimal("12.50")
    assert found["nan"] is None and found["infinite"] is None and found["none"] is None
    assert found["at"] == "2026-01-02T03:04:05Z"
    assert found["zoned"] == "2026-01-02T00:00:00Z"
    assert found["day"] == "2026-01-02"
    assert found["list"] == [1, None, 2]
    assert found["struct"] == {"a": [Decimal("0.1")]}
    assert found["bytes"] == "AP8="
    assert found["json"] == {"a": [1, 12345678901234567890123]}
    assert found["broken"] == "{"
    assert len(list(csv.reader(io.StringIO(written(table, "csv").decode())))) == 2


@pytest.mark.parametrize(
    "cell",
    ["=cmd|'/c calc'!A1", "+1+2", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "=", "-", "+"],
)
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    header, row = csv.reader(io.StringIO(written(pa.table({cell: [cell]}), "csv").decode(), newline=""))
    assert header == ["'" + cell]
    assert row == ["'" + cell]


@pytest.mark.parametrize("cell", ["-5", "+5", "-1.5e3", "a=b", "2026-01-01", "", " x", "-.5"])
def test_numbers_and_plain_cells_stay_as_they_are(cell: str) -> None:
    table = pa.table({"value": [cell], "second": ["x"]})
    assert list(csv.reader(io.StringIO(written(table, "csv").decode())))[1] == [cell, "x"]


def test_negative_numbers_of_number_columns_stay_numbers_in_csv() -> None:
    assert written(pa.table({"n": [-5], "x": [-0.25]}), "csv") == b"n,x\r\n-5,-0.25\r\n"


def test_csv_follows_rfc_4180() -> None:
    table = pa.table({"a": ['say "hi", you', "two\nlines", None], "b": ["é", "x", "y"]})
    assert written(table, "csv").decode() == 'a,b\r\n"say ""hi"", you",é\r\n"two\nlines",x\r\n,y\r\n'


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_arrow_and_parquet_give_the_same_rows_back(form: str) -> None:
    table = page(user="erika", parameters={"a": 1})
    source = io.BytesIO(written(table, form))
    back = pq.read_table(source) if form == "parquet" else pa.ipc.open_stream(source).read_all()
    assert back.to_pylist() == table.to_pylist()


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_answer_is_whole_in_every_format(form: str) -> None:
    empty = page().slice(0, 0)
    data = written(empty, form)
    if form == "json":
        assert json.loads(data) == []
    elif form == "ndjson":
        assert data == b""
    elif form == "csv":
        assert data.startswith(b"id,time,")
    else:
        assert data


@pytest.mark.parametrize("form", FORMATS)
def test_writers_hand_on_pieces_before_the_last_table_is_read(form: str) -> None:
    read_so_far = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal read_so_far
        for _ in range(5):
            read_so_far += 1
            yield pa.table({"n": list(range(3_000))})

    pieces = write(tables(), form)
    while not next(pieces):
        pass
    assert read_so_far < 5
    assert list(pieces)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(WhodidError, match="no format"):
        write([], "xlsx")


def test_a_terminal_shows_control_characters_and_does_not_obey_them() -> None:
    nasty = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r\nhidden [bold]markup[/bold] :smile:"
    table = page(user=nasty[:50], description=nasty, entity_name=nasty)
    out = io.StringIO()
    print_table(table, to=out, width=600)
    shown = out.getvalue()
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(shown)
    assert "\\x1b]0;owned\\x07" in shown
    assert "[bold]markup[/bold] :smile:" in shown


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_a_table_keeps_to_the_width_of_its_terminal(width: int) -> None:
    table = pa.table({f"column_{i}": ["some text of middle length"] for i in range(30)})
    out = io.StringIO()
    print_table(table, to=out, width=width)
    assert max(len(line) for line in out.getvalue().splitlines()) <= width
    assert "more columns" in out.getvalue().replace("\n", " ")


def table_of(columns: dict[str, Any], width: int) -> list[str]:
    out = io.StringIO()
    print_table(pa.table(columns), to=out, width=width)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_is_shown_of_a_table_can_be_read(width: int) -> None:
    long = {f"text_{place}": ["a very long text, longer than any terminal is wide " * 3] for place in range(12)}
    at = datetime(2026, 11, 20, 14, 3, 5, 123456)
    head, _, row, *_ = table_of({"time": [at], "events": [1_234_567_890], **long}, width)[1:]
    names, cells = ([part.strip() for part in line.strip("┃│").split(line[0])] for line in (head, row))
    assert cells[:2] == ["2026-11-20T14:03:05Z", "1234567890"]
    assert all(len(cell) >= 6 for cell in cells)
    assert names == ["time", "events", *list(long)[: len(names) - 2]]


def test_what_needs_little_room_leaves_it_to_others() -> None:
    head, _, row, *_ = table_of({"a": ["x"], "b": ["y" * 20], "c": ["z" * 400]}, 80)[1:]
    widths = [len(part) for part in row.strip("│").split("│")]
    assert "y" * 20 in row
    assert sum(widths) + 4 == 80
    assert "…" in row and "…" not in head


def test_two_columns_may_have_one_name() -> None:
    out = io.StringIO()
    print_table(pa.table([[1], [2]], names=["a", "a"]), to=out, width=40)
    assert [part.strip() for part in out.getvalue().splitlines()[3].strip("│").split("│")] == ["1", "2"]


def test_numbers_with_a_fraction_are_told_to_six_digits() -> None:
    text = "\n".join(table_of({"ms": [61.540500000000044, 3427.3999999999996, 0.1, 12345678.25, 2.0]}, 80))
    assert [word for word in ("61.5405", "3427.4", "0.1", "12345678.25", "2.0") if word not in text] == []
    assert "0000" not in text and "9999" not in text


@pytest.mark.parametrize(
    "text",
    ["naïve 漢字 عربي", "👩‍🔬 🏳️‍🌈 ❤️‍🔥 🧑🏽‍🚀 👨‍👩‍👧 🤷🏽‍♂️", "می‌خواهم", "क्‍ष", "ශ්‍රී"],
    ids=["letters", "emoji", "persian", "hindi", "sinhala"],
)
def test_printable_keeps_letters_of_all_scripts_and_what_joins_them(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay\u200dpal", r"pay\u200dpal"),
        ("a\u200cb", r"a\u200cb"),
        ("\u200d🔬", r"\u200d🔬"),
        ("👩\u200d", r"👩\u200d"),
        ("👩\u200d\u200d🔬", r"👩\u200d\u200d🔬"),
        ("👩\u200c🔬", r"👩\u200c🔬"),
        ("می\u200c", r"می\u200c"),
        ("می\u202eخ", r"می\u202eخ"),
    ],
)
def test_printable_shows_what_hides_or_turns_the_direction(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.fixture
def duckdb_store(tmp_path: Path) -> Iterator[Store]:
    store = load(STORES, "duckdb")(tmp_path / "events.duckdb", journal_path=tmp_path / "journal")
    yield store
    store.close()


def answered(store: Store, sql: str) -> Any:
    return json.loads(b"".join(write([store.query(sql, trusted=True).table], "json")))


def test_lengths_of_time_are_text_in_every_format(duckdb_store: Store) -> None:
    sql = "SELECT TIMESTAMP '2026-03-01 10:00:01.5' - TIMESTAMP '2026-02-01' AS took, INTERVAL '1 month' AS month"
    assert answered(duckdb_store, sql) == [{"took": "28 days 10:00:01.5", "month": "1 month"}]
    parquet = b"".join(write([duckdb_store.query(sql, trusted=True).table], "parquet"))
    assert pq.read_table(io.BytesIO(parquet)).to_pylist() == [{"took": "28 days 10:00:01.5", "month": "1 month"}]


def test_times_beyond_all_calendars_are_told_as_such(duckdb_store: Store) -> None:
    sql = "SELECT 'infinity'::timestamp AS a, '-infinity'::timestamp AS b, '290000-01-01'::timestamp_s AS c"
    assert answered(duckdb_store, sql) == [
        {"a": "infinity", "b": "-infinity", "c": "9089348860800000000 microseconds since 1970"}
    ]
    for far in ("'infinity'::date", "['10000-01-01'::date]"):
        with pytest.raises(WhodidError, match="outside of the years 1 to 9999") as refused:
            answered(duckdb_store, f"SELECT {far} AS day")
        assert refused.value.code == "invalid"
