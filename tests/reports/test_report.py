"""The header of a report's file."""

from __future__ import annotations

import pytest

from whodid.errors import WhodidError
from whodid.reports.report import parse

TEXT = """-- family: overview
-- title: Things
-- question: How many things?
-- parameter: since time = 7d | from when on
-- parameter: before time = @before | worked out
-- column: type text | the type
-- column: p95_ms number ms | how long
-- chart: bar x=p95_ms y=type
-- drill: /events?type={type}
SELECT 1
"""


def test_a_header_is_read() -> None:
    report = parse("things", TEXT)
    assert (report.title, report.question, report.sql) == ("Things", "How many things?", "SELECT 1")
    since, before = report.parameters
    assert (since.name, since.type, since.default, since.help) == ("since", "time", "7d", "from when on")
    assert before.is_derived
    assert not since.is_derived
    assert [(column.name, column.unit) for column in report.columns] == [("type", None), ("p95_ms", "ms")]
    assert report.chart is not None
    assert (report.chart.mark, report.chart.encodings) == ("bar", {"x": "p95_ms", "y": "type"})
    assert report.drill == "/events?type={type}"
    assert (report.parts, report.needs) == ([], None)


def test_a_header_names_common_tables_and_the_one_that_is_needed() -> None:
    report = parse("things", f"-- with: flow_told\n-- with: flow_edges\n-- needs: flow_told\n{TEXT}")
    assert (report.parts, report.needs) == (["flow_told", "flow_edges"], "flow_told")


@pytest.mark.parametrize(
    "line",
    ["-- question:", "-- parameter: since wrong = 7d | x", "-- column: type", "-- what is this", "-- family: things"],
)
def test_a_header_that_cannot_be_read_names_its_line(line: str) -> None:
    with pytest.raises(WhodidError) as broken:
        parse("things", f"{line}\n{TEXT}")
    assert "Report things" in broken.value.message
    assert line.removeprefix("-- ").partition(": ")[2] in broken.value.message
