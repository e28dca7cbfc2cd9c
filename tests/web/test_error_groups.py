"""Groups of errors over HTTP: found, explained, decided about; every decision is an event."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from support.web import WebServer
from whodid.analysis import group_settings
from whodid.analysis.group_settings import Split
from whodid.event import Event, new_id
from whodid.stack_trace import error_hash

NOW = datetime.now(UTC)
TRACE = """Traceback (most recent call last):
  File "/srv/app/main.py", line {line}, in <module>
    load()
  File "/srv/app/loading.py", line {line}, in {member}
    raise KeyError(key)
KeyError: '{key}'
"""


def event(hours_ago: float, kind: str = "error", **fields: Any) -> Event:
    at = NOW - timedelta(hours=hours_ago)
    parameters = msgspec.Raw(msgspec.json.encode(fields.pop("parameters", {})))
    return Event(id=new_id(int(at.timestamp() * 1000)), time=at, type=kind, parameters=parameters, **fields)


def failed(
    hours_ago: float, *, line: int, key: str, member: str = "load", user: str = "ada", version: str = "1.0"
) -> Event:
    trace = TRACE.format(line=line, key=key, member=member)
    return event(
        hours_ago,
        level="error",
        user=user,
        session="5b1d4d3e-0000-4000-8000-000000000001" if user == "ada" else None,
        error_message=f"KeyError: '{key}'",
        error_stack_trace=trace,
        error_hash=error_hash(trace),
        parameters={"version": version},
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    server = WebServer(tmp_path_factory.mktemp("groups") / "data")
    server.store(
        [
            event(5.01, "query-start", user="ada", session="5b1d4d3e-0000-4000-8000-000000000001", function="Load"),
            failed(5, line=3, key="a17"),
            failed(4, line=8, key="b99", user="bob", version="1.1"),
            failed(3, line=8, key="c", member="store"),
            event(2, "query-failed", level="error", user="bob", error_message="disk 17 is full"),
        ]
    )
    yield server
    server.close()


@pytest.fixture(scope="module")
def client(server: WebServer) -> httpx.Client:
    return server.client


def listed(client: httpx.Client, **params: str) -> dict[str, dict[str, Any]]:
    answer = client.get("/v1/error-groups", params={"since": "1d", **params})
    assert answer.status_code == 200, answer.text
    return {row["title"]: row for row in answer.json()["groups"]}


def group_of(client: httpx.Client, part: str) -> str:
    return next(str(row["group"]) for title, row in listed(client).items() if part in title)


def changes(server: WebServer, group: str) -> list[dict[str, Any]]:
    server.engine.flush()
    found = server.client.get("/v1/events", params={"entity": f"setting:error-group:{group}"}).json()["events"]
    return [row for row in found if row["type"] == "settings-changed"]


def test_the_same_error_is_one_group_whatever_its_lines_and_values(client: httpx.Client) -> None:
    found = listed(client)
    loading = next(row for title, row in found.items() if "in load" in title)
    assert (loading["errors"], loading["people"], loading["hashes"], loading["status"]) == (2, 2, 2, "new")
    assert (loading["first_version"], loading["version"]) == ("1.0", "1.1")
    assert len(found) == 3


def test_a_group_explains_itself_and_shows_its_samples_side_by_side(client: httpx.Client) -> None:
    group = group_of(client, "in load")
    found = client.get(f"/v1/error-groups/{group}", params={"since": "1d"}).json()
    assert "load (loading.py)" in found["why"]
    assert len(found["samples"]) == 2
    assert {sample["message"] for sample in found["samples"]} == {"KeyError: 'a17'", "KeyError: 'b99'"}
    assert all(sample["different"] == [] for sample in found["samples"])
    assert [frame["line"] for frame in found["samples"][0]["frames"]] == [8, 8]
    assert found["versions"] == {"1.0": 1, "1.1": 1}
    assert [(row["type"], row["what"]) for row in found["before"]] == [("query-start", "Load")]


def test_a_group_is_told_of_also_in_a_time_without_its_errors(client: httpx.Client) -> None:
    known = next(iter(listed(client).values()))
    quiet = {"since": datetime.now(UTC).isoformat()}
    told = client.get(f"/v1/error-groups/{known['group']}", params=quiet).json()
    assert (told["errors"], told["people"], told["status"], told["samples"]) == (0, 0, "none", [])
    assert [told[name] for name in ("title", "last", "why")] == [known[name] for name in ("title", "last", "why")]
    page = client.get(f"/errors/{known['group']}", params=quiet, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "<dt>in this time</dt><dd>none</dd>" in page.text


def test_what_was_done_before_is_a_table_in_every_format(client: httpx.Client) -> None:
    group = group_of(client, "in load")
    asked = {"since": "1d"}
    told = client.get(f"/v1/error-groups/{group}/before", params=asked).json()
    assert [(row["type"], row["what"], row["errors"]) for row in told["rows"]] == [("query-start", "Load", 1)]
    csv = client.get(f"/v1/error-groups/{group}/before", params={**asked, "format": "csv"})
    assert csv.text.splitlines()[1].startswith("query-start,Load,1,100")
    assert client.get("/v1/error-groups/v1:0123456789abcdef/before").status_code == 404


def test_its_page_gives_that_table_with_its_formats_and_its_sql(client: httpx.Client) -> None:
    group = group_of(client, "in load")
    page = client.get(f"/errors/{group}").text
    tile = page[page.index('id="tile-before"') :]
    for form in ("csv", "parquet", "json"):
        [address] = re.findall(rf'href="(/v1/error-groups/[^"]+format={form})"', tile)
        assert client.get(html.unescape(address)).status_code == 200
    [table] = set(re.findall(r'href="(/errors/[^"]+/before)"', tile))
    whole = client.get(table, params={"sort": "-errors"}).text
    assert "query-start" in whole and 'aria-sort="descending"' in whole and "FROM error_events" in whole


def test_an_error_without_a_trace_is_found_by_its_message(client: httpx.Client) -> None:
    group = group_of(client, "disk <number> is full")
    found = client.get(f"/v1/error-groups/{group}", params={"since": "1d"}).json()
    assert found["rule"] == "message"
    assert "without its numbers" in found["why"]


def test_states_are_kept_and_each_change_is_an_event(server: WebServer, client: httpx.Client) -> None:
    group = group_of(client, "in store")
    until = (NOW + timedelta(days=2)).isoformat()
    muted = client.patch(f"/v1/error-groups/{group}", json={"state": "muted", "until": until})
    assert muted.status_code == 200, muted.text
    assert listed(client, state="muted").keys() == {next(title for title in listed(client) if "in store" in title)}
    client.patch(f"/v1/error-groups/{group}", json={"state": "resolved", "version": "1.2"})
    history = client.get(f"/v1/error-groups/{group}", params={"since": "1d"}).json()["history"]
    assert [one["decision"]["state"] for one in history] == ["resolved", "muted"]
    told = changes(server, group)
    assert len(told) == 2
    assert told[0]["parameters"]["before"]["value"]["state"] == "muted"
    assert told[0]["parameters"]["after"]["value"]["version"] == "1.2"


def test_what_was_decided_is_told_in_words_merges_and_splits_too(server: WebServer, client: httpx.Client) -> None:
    group, other = group_of(client, "in load"), group_of(client, "in store")
    directory = server.engine.directory
    group_settings.set_state(directory, group, "resolved", version="7", by="ann")
    group_settings.split(directory, group, Split(by="contains", text="disk"), by="ann")
    group_settings.split(directory, group, None, by="ann")
    group_settings.merge(directory, [other], group, by="bob")
    try:
        history = client.get(f"/v1/error-groups/{group}", params={"since": "1d"}).json()["history"]
        told = [(one["by"], one["what"]) for one in history][:4]
        assert told == [
            ("bob", f"{other} counts as this one"),
            ("ann", "split no more"),
            ("ann", "split by what contains “disk”"),
            ("ann", "resolved in version 7"),
        ]
        page = client.get(f"/errors/{group}").text
        assert "bob: " in page and "split by what contains “disk”" in page
    finally:
        group_settings.unmerge(directory, other, by="bob")
        group_settings.set_state(directory, group, "open", by="ann")


def test_a_resolved_group_that_appears_in_a_later_version_came_back(server: WebServer, client: httpx.Client) -> None:
    group = group_of(client, "in store")

    def row() -> dict[str, Any]:
        found = listed(client, until=str((NOW + timedelta(days=3)).date()))
        return next(row for row in found.values() if row["group"] == group)

    client.patch(f"/v1/error-groups/{group}", json={"state": "resolved", "version": "1.2"})
    server.store([failed(-24, line=9, key="d", member="store", version="1.1.9")])
    assert row()["state"] == "resolved"
    server.store([failed(-25, line=9, key="e", member="store", version="1.10")])
    assert (row()["state"], row()["status"]) == ("back", "came back")


def test_groups_are_merged_and_taken_apart_again(server: WebServer, client: httpx.Client) -> None:
    load, full = group_of(client, "in load"), group_of(client, "disk")
    assert client.post(f"/v1/error-groups/{load}/merge", json={"groups": [full]}).json()["merged"] == [full]
    row = next(row for row in listed(client).values() if row["group"] == load)
    assert row["errors"] == 3
    assert full in row["why"]
    assert full not in {row["group"] for row in listed(client).values()}
    refused = client.post(f"/v1/error-groups/{full}/merge", json={"groups": [load]})
    assert refused.status_code == 400
    assert "circle" in refused.json()["error"]["message"]
    client.delete(f"/v1/error-groups/{full}/merge")
    assert full in {row["group"] for row in listed(client).values()}
    assert len(changes(server, full)) == 2


def test_a_group_is_split_by_a_rule_and_joined_again(client: httpx.Client) -> None:
    load = group_of(client, "in load")
    client.post(f"/v1/error-groups/{load}/split", json={"by": "contains", "text": "B99"})
    found = client.get("/v1/error-groups", params={"since": "1d"}).json()["groups"]
    parts = [row for row in found if "load (loading.py)" in row["why"]]
    assert sorted(row["errors"] for row in parts) == [1, 1]
    assert any("those that contain “b99”" in row["why"] for row in parts)
    client.delete(f"/v1/error-groups/{load}/split")
    assert next(row for row in listed(client).values() if row["group"] == load)["errors"] == 2


OUR_PAGE = {"sec-fetch-site": "same-origin"}


def test_a_split_that_nothing_fits_says_so(client: httpx.Client) -> None:
    load = group_of(client, "in load")
    for text in ("b99", "no such text"):
        client.post(f"/errors/{load}/split", data={"by": "contains", "text": text}, headers=OUR_PAGE)
    told = client.get(f"/v1/error-groups/{load}").json()
    assert [(one["text"], len(one["groups"])) for one in told["splits"]] == [("b99", 1), ("no such text", 0)]
    page = client.get(f"/errors/{load}").text
    assert "contains “no such text”: <b>nothing is split off</b>, as no known error of the group contains this" in page
    assert page.count(
        "nothing is split off"
    ) == 1 and f'href="/errors/{told["splits"][0]["groups"][0]}' in page.replace("%3A", ":")
    client.delete(f"/v1/error-groups/{load}/split")
    assert "split off" not in client.get(f"/errors/{load}").text


def test_what_is_split_up_is_joined_again_from_any_of_its_parts(client: httpx.Client) -> None:
    load = group_of(client, "in load")
    form = {"by": "hash", "text": ""}
    answer = client.post(f"/errors/{load}/split", data=form, headers=OUR_PAGE, follow_redirects=True)
    assert answer.status_code == 200
    part = str(answer.url).rpartition("/")[2].replace("%3A", ":")
    told = client.get(f"/v1/error-groups/{part}").json()
    assert told["group"] == part != load and told["whole"] == load and part in told["splits"][0]["groups"]
    assert "Split it no more" in answer.text
    client.post(f"/errors/{load}/split", data={"by": "none"}, headers=OUR_PAGE)
    assert client.get(f"/v1/error-groups/{load}").json()["group"] == load


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("v1:nothing", {"state": "open"}, 400),
        ("v1:0123456789abcdef", {"state": "gone"}, 400),
        ("v1:0123456789abcdef", {"state": "open", "version": "1"}, 400),
        ("v1:0123456789abcdef", {"state": "muted", "until": "2001-01-01T00:00:00Z"}, 400),
    ],
)
def test_wrong_decisions_are_refused(client: httpx.Client, path: str, body: dict[str, Any], status: int) -> None:
    assert client.patch(f"/v1/error-groups/{path}", json=body).status_code == status


def test_an_unknown_group_is_not_found(client: httpx.Client) -> None:
    assert client.get("/v1/error-groups/v1:0123456789abcdef").status_code == 404


def test_predictions_are_judged_by_the_outcomes_that_are_told(server: WebServer, client: httpx.Client) -> None:
    asked = [
        event(
            1,
            "prediction-query",
            topic="apinode-query",
            user="api:shop",
            parameters={
                "serviceId": "churn",
                "features": {"customer_id": number},
                "result": {"prediction": "stay" if number < 3 else "churn", "probability": number / 10},
            },
        )
        for number in range(6)
    ]
    server.store(asked)
    outcomes = [{"key": number, "outcome": "stay" if number < 4 else "churn"} for number in range(6)]
    body = {"service": "churn", "match": "features.customer_id", "outcomes": outcomes}
    for _ in range(2):
        assert client.post("/v1/outcomes", json=body).json() == {"outcomes": 6}
    server.engine.flush()
    (row,) = client.get("/v1/reports/api-quality", params={"since": "1d"}).json()["rows"]
    assert (row["pairs"], row["kind"], row["positive"]) == (6, "classification", "churn")
    assert row["accuracy"] == pytest.approx(5 / 6)
    assert row["auc"] == pytest.approx(1.0)
    assert row["outcomes"] == {"churn": {"churn": 2}, "stay": {"churn": 1, "stay": 3}}
