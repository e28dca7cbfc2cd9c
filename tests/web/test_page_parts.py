"""Ranges, filters, numbers, charts and graphs, as pages write them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import combinations
from typing import Any

import pytest
from markupsafe import Markup

from whodid import reports
from whodid.errors import WhodidError
from whodid.reading.filters import literal
from whodid.reading.sight import EVERYTHING
from whodid.reports.report import Chart, Column
from whodid.web import words
from whodid.web.pages import charts, links
from whodid.web.pages.answers import days_before, parameters
from whodid.web.pages.catalogue import PAGES
from whodid.web.pages.cells import grid, meant
from whodid.web.pages.choice import Choice, choice_of
from whodid.web.pages.event_shape import shaped
from whodid.web.pages.found import Shape
from whodid.web.pages.frame import environment
from whodid.web.pages.graph import NODE_WIDTH, graph
from whodid.web.pages.known import KNOWN_MAX, Known
from whodid.web.pages.multiples import HEIGHT, multiples
from whodid.web.pages.rows import Tile, without_holes
from whodid.web.pages.sentence import sentence
from whodid.web.pages.spans import day_words, span_of
from whodid.web.words import of_json

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "zone", "since", "until"),
    [
        ("24h", "UTC", "2026-11-19T12:00", "2026-11-20T12:00"),
        ("today", "Europe/Berlin", "2026-11-19T23:00", "2026-11-20T12:00"),
        ("30d", "Europe/Berlin", "2026-10-21T22:00", "2026-11-20T12:00"),
        ("yesterday", "America/New_York", "2026-11-19T05:00", "2026-11-20T05:00"),
        ("last-month", "UTC", "2026-10-01T00:00", "2026-11-01T00:00"),
    ],
)
def test_ranges_are_days_of_the_reader(name: str, zone: str, since: str, until: str) -> None:
    span = span_of(name, zone, now=NOW)
    assert (span.since.isoformat()[:16], span.until.isoformat()[:16]) == (since, until)


def test_a_range_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(WhodidError) as error:
        choice_of({"range": ["2w"]}, "UTC")
    assert (error.value.code, error.value.field) == ("invalid", "range")
    assert "7d, 30d" in (error.value.hint or "")


def test_times_of_an_address_are_the_readers_own() -> None:
    span = span_of("30d", "Europe/Berlin", since="2026-11-01", until="2026-11-02T12:00", now=NOW)
    assert span.since == datetime(2026, 10, 31, 23)
    assert span.until == datetime(2026, 11, 2, 11)
    assert day_words(span.since, span.until, "Europe/Berlin") == "1 Nov – 2 Nov 2026"


def test_a_time_without_length_begins_and_ends_on_its_day() -> None:
    span = span_of("30d", "UTC", since="2026-11-01", until="2026-11-01", now=NOW)
    assert day_words(span.since, span.until, "UTC") == "1 Nov 2026"


def test_values_of_a_sentence_stand_alone_whichever_way_they_are_written() -> None:
    choice = Choice(zone="UTC", since="2026-11-01", until="2026-11-03").with_value("user", "مستخدم <b>")
    told = sentence(choice, EVERYTHING)
    assert told == "Where user is <bdi>مستخدم &lt;b&gt;</bdi>, 1 Nov – 2 Nov 2026, times in UTC"


@pytest.mark.parametrize(
    ("events", "errors", "told"), [(1, 1, "1 event, 1 error"), (5, 0, "5 events, 0 errors")], ids=["one", "several"]
)
def test_one_event_is_no_events(events: int, errors: int, told: str) -> None:
    shape = shaped(
        Shape("day", [{"at": datetime(2026, 11, 3), "events": events, "errors": errors}]), Choice(zone="UTC")
    )
    shown = environment().get_template("events_shape.html").render(drill="", **shape)
    assert Markup(shown).striptags().startswith(told)


def test_a_choice_is_turned_round_and_back() -> None:
    choice = Choice(zone="UTC").with_value("user", "erika").with_value("type", "a")
    (chip, _) = choice.chips()
    assert chip.turned.address() == "?user=%21erika&type=a"
    assert chip.turned.chips()[0].turned.address() == choice.address() == "?user=erika&type=a"
    assert chip.removed.address() == "?type=a"


@pytest.mark.parametrize(
    ("value", "told"),
    [(1234567, "1,234,567"), (0.5, "0.50"), (12.345, "12.3"), (456.7, "457"), (0.0004, "<0.01"), (None, "unknown")],
)
def test_numbers_have_the_digits_that_matter(value: float | None, told: str) -> None:
    assert words.count(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (123_456_789, "123 MB"), (None, "unknown")]
)
def test_sizes_are_told_in_the_largest_unit(value: float | None, told: str) -> None:
    assert words.size(value) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0 h"), (0.0058, "20.9 s"), (0.64, "38.4 min"), (1.6, "1.6 h"), (4366.2, "4,366 h"), (None, "unknown")],
)
def test_hours_are_told_in_the_unit_that_suits(value: float | None, told: str) -> None:
    assert words.hours(value) == told


def test_a_year_is_told_where_it_is_not_this_one() -> None:
    this = datetime.now(UTC).replace(month=3, day=5, hour=7, minute=8, second=9)
    assert words.stamp(this) == "5 Mar 07:08:09"
    assert words.stamp(this.replace(year=1970)) == "5 Mar 1970 07:08:09"
    assert words.stamp(None) == "unknown"


@pytest.mark.parametrize(("days", "shift"), [(1, 1), (7, 7), (30, 35), (90, 91)])
def test_the_time_before_lies_weekday_on_weekday(days: int, shift: int) -> None:
    since = datetime(2026, 1, 1)
    assert days_before(since, datetime.fromordinal(since.toordinal() + days)) == shift


def report_of(*columns: tuple[str, str], chart: str) -> reports.Report:
    made = [Column(name=name, type=kind, unit=None, help="") for name, kind in columns]
    mark, *encodings = chart.split()
    return reports.Report(
        name="made", family="overview", title="", question="", parameters=[], columns=made,
        chart=Chart(mark=mark, encodings=dict(one.split("=") for one in encodings)), drill=None, step=None, sql="",
    )  # fmt: skip


def test_a_line_breaks_where_days_have_no_data_and_axes_begin_at_zero() -> None:
    report = report_of(("period", "local"), ("users", "integer"), chart="line x=period y=users")
    rows = [{"period": datetime(2026, 11, day), "users": day} for day in (1, 2, 5)]
    spec = charts.spec(report, rows)
    assert spec is not None
    values: list[dict[str, Any]] = spec["data"]["values"]
    assert [(value["x"][:10], value["y"]) for value in values] == [
        ("2026-11-01", 1), ("2026-11-02", 2), ("2026-11-03", None), ("2026-11-05", 5)
    ]  # fmt: skip
    assert spec["encoding"]["y"]["scale"] == {"zero": True}


def test_a_cell_of_a_heat_map_leads_to_what_is_behind_it_under_the_same_conditions() -> None:
    rows = [{"weekday": 2, "day": "Tuesday", "hour": 9, "users": 3, "uses": 4, "errors": 0}]
    choice = Choice(zone="UTC", range="7d", values=(("group", ("Chemistry",)),))
    leads = partial(links.drill, reports.report("hours").drill or "", choice=choice)
    spec = charts.spec(reports.report("hours"), rows, leads=leads)
    assert spec is not None
    assert spec["data"]["values"][0]["href"] == "/hours/Tuesday/9?range=7d&group=Chemistry"


def test_a_point_leads_to_the_one_run_it_stands_for() -> None:
    report = reports.report("runs")
    row = {"id": "0190a000-0000-7000-8000-000000000001", "time": datetime(2026, 11, 3), "duration_ms": 5.0}
    leads = partial(links.drill, report.drill or "", choice=Choice(zone="UTC"))
    spec = charts.spec(report, [row], leads=leads)
    assert spec is not None and spec["data"]["values"][0]["href"] == f"/events/{row['id']}"
    activity = reports.report("activity")
    bars = charts.spec(activity, [{"period": datetime(2026, 11, 3), "users": 1}], leads=leads)
    assert bars is not None and "href" not in bars["data"]["values"][0]


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("dialog", "/events?item=dialog:Save%20as"),
        ("click", "/events?item=click:Save%20as"),
        ("gesture", None),
    ],
)
def test_an_item_of_the_interface_leads_to_its_events(kind: str, address: str | None) -> None:
    assert links.link("item", {"kind": kind, "item": "Save as"}, Choice(zone="UTC")) == address


@pytest.mark.parametrize(
    ("report", "row", "address"),
    [
        ("features", {"kind": "type", "feature": "click"}, "/events?kind=use&type=click"),
        ("features", {"kind": "function", "feature": "A:b"}, "/events?kind=use&function=A%3Ab"),
        ("group-features", {"group": "Ops", "kind": "type", "feature": "x"}, "/events?kind=use&group=Ops&type=x"),
        ("adoption-families", {"family": "query"}, "/events?type=query&type=query-*"),
    ],
)
def test_a_feature_leads_to_its_uses_whether_it_is_a_function_or_a_type(
    report: str, row: dict[str, str], address: str
) -> None:
    assert links.drill(reports.report(report).drill or "", row, Choice(zone="UTC")) == address


def test_who_registered_an_item_leads_to_its_registrations_whenever_they_were() -> None:
    address = links.link("registered_by", {"registered_by": "crm"}, Choice(zone="UTC", range="7d"))
    assert address == "/events?type=package-published&type=interface-registered&text=crm&range=all"


@pytest.mark.parametrize(
    ("found", "address"),
    [
        (links.user_link(".."), "/events?user=.."),
        (links.user_link("a.b"), "/users/a.b"),
        (links.entity_link("dataset", "."), "/events?entity=dataset:."),
        (links.entity_link("..", "a/b"), "/events?entity=..:a%2Fb"),
        (links.link("service", {"service": ".."}, Choice(zone="UTC")), "/events?entity=api-service:.."),
        (links.link("node", {"node": "."}, Choice(zone="UTC", range="7d")), "/events?node=.&range=7d"),
        (links.drill("/functions/{function}", {"function": ".."}, Choice(zone="UTC")), "/events?function=.."),
        (links.link("package", {"package": ".."}, Choice(zone="UTC")), "/events?parameter=package=.."),
    ],
)
def test_what_is_called_like_a_way_leads_to_its_events(found: str | None, address: str) -> None:
    assert found == address


def test_a_category_has_one_colour_everywhere_and_red_is_for_errors() -> None:
    assert charts.hues(["audit", "usage"])["audit"] == charts.hues(["audit", "error", "x"])["audit"]
    assert charts.hues(["error", "x"])["error"] == "var(--bad)"
    many = [f"type-{number}" for number in range(7)]
    assert len(set(charts.hues(many).values())) == 7
    assert "var(--bad)" not in charts.hues(many).values()


def test_what_is_beyond_seven_categories_is_told_as_others() -> None:
    report = report_of(("period", "local"), ("type", "text"), ("n", "integer"), chart="bar x=period y=n color=type")
    rows = [{"period": datetime(2026, 11, 1), "type": f"t{place}", "n": 20 - place} for place in range(12)]
    spec = charts.spec(report, rows)
    assert spec is not None
    names = [name for name, _ in charts.legend(spec)]
    assert len(names) == 7 and names[-1] == charts.OTHERS


def test_a_graph_lies_from_left_to_right_with_the_thing_in_its_place() -> None:
    def way(begin: str, end: str, depth: int) -> dict[str, Any]:
        names = {"from_name": None, "to_name": None, "from_type": "dataset", "to_type": "dataset"}
        return {**names, "from_id": begin, "to_id": end, "depth": depth, "runs": 3, "failed": 0, "last": NOW}

    drawn = graph([way("raw", "thing", -1), way("older", "raw", -2), way("thing", "after", 1)], ("dataset", "thing"))
    left_to_right = [node.name for node in sorted(drawn.nodes, key=lambda node: node.x)]
    assert left_to_right == ["older", "raw", "thing", "after"]
    assert [node.name for node in drawn.nodes if node.is_subject] == ["thing"]
    assert drawn.width >= 4 * NODE_WIDTH and len(drawn.edges) == 3


def test_every_tile_names_a_report_and_columns_that_there_are() -> None:
    known = {report.name: report for report in reports.catalogue()}
    for page in PAGES:
        assert len({tile.name for tile in page.tiles}) == len(page.tiles)
        for tile in page.tiles:
            if tile.form == "part":
                continue
            columns = {column.name for column in known[tile.report].columns}
            asked = {parameter.name for parameter in known[tile.report].parameters}
            assert {name for name, _ in tile.parameters} <= asked, (page.name, tile.name)
            assert tile.form == "numbers" or set(tile.columns) <= columns, (page.name, tile.name)


def test_a_way_back_begins_and_ends_at_the_sides_that_face_each_other() -> None:
    names = {"from_name": None, "to_name": None, "from_type": "dataset", "to_type": "dataset", "runs": 1, "failed": 0}
    ways = [("thing", "after", 1), ("after", "last", 2), ("last", "thing", 3)]
    rows = [{**names, "from_id": begin, "to_id": end, "depth": depth, "last": NOW} for begin, end, depth in ways]
    drawn = graph(rows, ("dataset", "thing"))
    places = {node.name: node.x for node in drawn.nodes}
    (back,) = [edge for edge in drawn.edges if edge.path.startswith(f"M{places['last']:.0f} ")]
    assert back.path.endswith(f" {places['thing'] + NODE_WIDTH:.0f} {back.path.rsplit(' ', 1)[1]}")


def test_no_age_of_a_way_stands_on_another() -> None:
    names = {"from_name": None, "to_name": None, "from_type": "dataset", "to_type": "dataset", "runs": 1, "failed": 0}
    ways = [("thing", f"after {place}", 1) for place in range(9)] + [
        (f"after {place}", "last", 2) for place in range(9)
    ]
    rows = [{**names, "from_id": begin, "to_id": end, "depth": depth, "last": NOW} for begin, end, depth in ways]
    placed = graph(rows, ("dataset", "thing")).edges
    assert len(placed) == 18
    assert all(abs(one.y - other.y) >= 12 for one, other in combinations(placed, 2) if one.x == other.x)


def test_descriptions_have_the_values_of_their_parameters() -> None:
    row = {
        "description": "@user shared @thing with @group",
        "parameters": '{"group": "Sales"}',
        "user": "ada",
        "acting_for": None,
    }
    assert words.told(row) == "ada shared @thing with Sales"
    assert words.told({**row, "parameters": "no JSON"}) == "ada shared @thing with @group"
    assert words.told({**row, "description": None}) == ""


@pytest.mark.parametrize(
    ("fixed", "chosen", "asked"),
    [
        ("{login}", ("query-*",), [literal("erika")]),
        ("menu* click", ("query-*",), ["menu*", "click"]),
        ("!audit-*", ("query-*",), ["query-*", "!audit-*"]),
        ("!audit-*", (), ["!audit-*"]),
    ],
)
def test_a_tile_is_about_its_page_or_narrows_what_the_reader_chose(
    fixed: str, chosen: tuple[str, ...], asked: list[str]
) -> None:
    choice = Choice(zone="UTC")
    for one in chosen:
        choice = choice.with_value("type", one)
    tile = Tile("types", "types", parameters=(("types", fixed),))
    given = parameters(reports.report("types"), tile, choice, {"login": "erika"})
    assert given["types"] == asked


def test_things_of_a_run_are_told_by_their_roles_and_names() -> None:
    entities = '[{"type": "script", "id": "s-1", "name": "Fit"}, {"role": "input", "type": "dataset", "id": "d-1"}]'
    shown = grid(
        reports.report("runs"), [{"entities": entities}], Choice(zone="UTC"), columns=("entities",), of=1, show=1
    )
    assert shown.rows[0][0].text == "script Fit, input d-1"


def test_a_column_of_several_meanings_is_called_by_the_one_it_has() -> None:
    report = reports.report("compute")
    rows = [{column.name: 1 for column in report.columns} | {"subject": name} for name in ("SALES", "unattributed")]
    named, told, columns = meant(report, rows, ("subject", "cpu_h"), {"by": "project"})
    shown = grid(named, told, Choice(zone="UTC"), of=2, columns=columns, show=10)
    assert [head.label for head in shown.heads] == ["project", "CPU"]
    assert [(cells[0].text, bool(cells[0].href)) for cells in shown.rows] == [("SALES", True), ("unattributed", False)]


def test_distributions_stand_side_by_side_under_one_scale() -> None:
    row = {"service": "churn", "endpoint": "predict", "column": "age"}
    parts = [("below 30", 25.0, 50.0), ("30 and above", 75.0, 50.0)]
    (chart,) = multiples(
        [{**row, "part": part, "reference_percent": then, "current_percent": now} for part, then, now in parts]
    )
    assert [(bar.reference, bar.current) for bar in chart.bars] == [(24.0, 48.0), (float(HEIGHT), 48.0)]
    assert chart.href == "/events?service=churn&endpoint=predict"
    assert (chart.first, chart.last, chart.top) == ("below 30", "30 and above", "75.0 %")


@pytest.mark.parametrize(
    ("sizes", "filled"),
    [
        ("third third third half half", "third third third half half"),
        ("third half half", "third two-thirds whole"),
        ("half third whole two-thirds", "half half whole whole"),
        ("third", "whole"),
    ],
)
def test_what_a_reader_may_not_see_leaves_no_holes(sizes: str, filled: str) -> None:
    tiles = [Tile("one", "types", size=size) for size in sizes.split()]  # type: ignore[arg-type]
    assert [tile.size for tile in without_holes(tiles)] == filled.split()
    tall = [Tile("history", "history", "part", "half", 5), Tile("days", "activity"), Tile("types", "types")]
    assert without_holes([*tall, tiles[0]])[:3] == tall, "two are beside it"


def test_what_was_known_longest_ago_is_forgotten_first() -> None:
    known = Known()
    for place in range(KNOWN_MAX + 1):
        known.note(place, place)
    assert known.rows(0) is None and known.rows(1) == 1 and known.rows(KNOWN_MAX) == KNOWN_MAX


def test_a_time_that_runs_backwards_is_refused() -> None:
    with pytest.raises(WhodidError, match="begins on 2026-11-20 09:00:00 Europe/Berlin, after it ends") as refused:
        choice_of({"since": ["2026-11-20T09:00"], "until": ["2026-11-10T09:00"]}, "Europe/Berlin")
    assert (refused.value.code, refused.value.field) == ("invalid", "since")


def test_json_is_shown_as_people_write_it() -> None:
    told = {"user": None, "is_admin": False, "projects": ["DOCKING", "SALES"], "limits": {"rows": 5}, "count": 3}
    assert of_json(told) == 'user: none, is_admin: no, projects: DOCKING, SALES, limits: {"rows": 5}, count: 3'
    assert (of_json([{"a": None}, "b"]), of_json(None)) == ('{"a": null}, b', None)


def test_a_thing_that_is_told_by_its_name_leads_to_its_id() -> None:
    choice = Choice(zone="UTC")
    assert links.link("thing", {"thing": "group:chemists", "thing_id": "group:0190"}, choice) == "/entities/group/0190"
    assert links.link("thing", {"thing": "notebook:a:b"}, choice) == "/entities/notebook/a%3Ab"
