"""The facts hidden in the demo's story that errors, security, API nodes, compute and clusters should show."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from support.batches import Batches
from support.reporting import story_memberships
from support.story import END
from whodid import demo, reports
from whodid.demo import story
from whodid.errors import WhodidError
from whodid.plugins import STORES, load
from whodid.stores.base import Store

WHOLE: dict[str, Any] = {"since": END - timedelta(days=60), "until": END}


def rows(store: Store, name: str, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reports.run(
        store, name, directory=story_memberships(), **{**WHOLE, **given}
    ).table.to_pylist()
    return found


def test_the_error_after_a_release_is_new_and_names_the_version(store: Store) -> None:
    released = END - timedelta(days=story.days_before_end(story.RELEASE.days_ago, 60))
    found = [row for row in rows(store, "error-groups", since=released) if "ChemSpaceViewer" in row["title"]]
    assert [row["status"] for row in found] == ["new"]
    assert (found[0]["first_version"], found[0]["version"]) == (story.RELEASE.version, story.RELEASE.version)
    assert "ChemSpaceViewer._renderCell" in found[0]["why"]


def test_the_account_that_was_probed(store: Store) -> None:
    probed = story.PROBED_ACCOUNT
    found = rows(store, "probed-accounts")
    assert {row["account"] for row in found} == {probed.login}
    assert all(row["got_in"] == 0 and row["networks"] == 1 for row in found)
    assert rows(store, "logins")[0]["account"] == probed.login
    (refused,) = rows(store, "refusals")
    assert (refused["person"], refused["reason"]) == (probed.login, "account locked")
    strange = [
        row for row in rows(store, "new-addresses", limit=1000) if row["account"] == probed.login and row["failed"]
    ]
    prefix = probed.address.partition("{")[0]
    assert len([row for row in strange if row["address"].startswith(prefix)]) >= 8


def test_the_mass_export(store: Store) -> None:
    found = [row for row in rows(store, "mass-reads") if row["kind"] == "export"]
    assert [row["person"] for row in found] == [story.MASS_EXPORT.login]
    assert found[0]["times_usual"] > 5


def test_the_costly_notebook(store: Store) -> None:
    notebook = story.COSTLY_NOTEBOOK
    top = rows(store, "compute-things")[0]
    assert (top["thing"], top["name"], top["person"]) == (f"notebook:{notebook.id}", notebook.name, notebook.by)
    assert top["memory_share_percent"] > 50
    assert top["cores"] == pytest.approx(notebook.cores)
    assert rows(store, "compute")[0]["subject"] == notebook.project
    assert rows(store, "compute", by="user")[0]["subject"] == notebook.by


def test_the_feature_that_moved(store: Store) -> None:
    moved = END - timedelta(days=story.days_before_end(story.DRIFT.days_ago, 60))
    found = rows(store, "api-drift", since=moved, reference_since=END - timedelta(days=60), reference_until=moved)
    # The answer goes with the feature it hangs on; nothing else does.
    drifted = {(row["service"], row["column"]) for row in found if row["verdict"] == "drifted"}
    feature = (story.DRIFT.service, story.DRIFT.feature)
    assert {feature} <= drifted <= {feature, (story.DRIFT.service, "answer.probability")}
    assert (found[0]["service"], found[0]["column"]) == feature
    assert found[0]["reference_mean"] == pytest.approx(story.DRIFT.mean_before, abs=4)
    assert found[0]["current_mean"] == pytest.approx(story.DRIFT.mean_after, abs=4)
    parts = rows(
        store,
        "api-distribution",
        since=moved,
        reference_since=END - timedelta(days=60),
        reference_until=moved,
        service=story.DRIFT.service,
        column=story.DRIFT.feature,
    )
    assert sum(row["current_percent"] for row in parts) == pytest.approx(100, abs=0.1)
    assert parts[-1]["current_percent"] > parts[-1]["reference_percent"]


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A month of enough people to have ways of working."""
    folder = tmp_path_factory.mktemp("larger")
    told = list(demo.generate(events=40_000, days=30, seed=3, end=END))
    store = load(STORES, "duckdb")(folder / "events.duckdb", journal_path=folder / "journal")
    store.write([Batches(folder / "journal").of(told, received_at=END)])
    yield store
    store.close()


def test_the_two_ways_of_working(larger: Store) -> None:
    departments = {
        login: group.name for group in demo.groups(events=40_000, days=30, seed=3) for login in group.members
    }
    planted = {name: kind for kind, names in story.CLUSTERS.items() for name in names}
    found = rows(larger, "user-clusters", since=END - timedelta(days=30))
    kinds = []
    for row in found[:2]:
        counted = Counter(planted.get(departments.get(login, "")) for login in json.loads(row["members"]))
        del counted[None]
        kind, count = counted.most_common(1)[0]
        assert count >= 0.9 * counted.total()
        kinds.append(kind)
    assert sorted(map(str, kinds)) == sorted(story.CLUSTERS)
    assert all(row["sets_apart"] and row["cluster"] for row in found)
    assert "lie apart best" in found[0]["why"]
    assert found == rows(larger, "user-clusters", since=END - timedelta(days=30))


def test_who_asked_the_audit(store: Store) -> None:
    found = {(row["type"], row["what"]): row for row in rows(store, "audit-readers")}
    assert found["audit-read", "events"]["readings"] == 2
    assert json.loads(found["audit-read", "events"]["asked"]) == {"user": ["ravi.banerjee"]}
    assert found["audit-exported", "events"]["format"] == "csv"
    changed = [row["type"] for row in rows(store, "audit-changes")]
    assert changed == ["log-settings-changed", "settings-changed", "key-revoked", "key-created"]


def test_a_request_on_client_and_server_is_one_timeline(store: Store, told: list[Any]) -> None:
    request = next(event.request_id for event in told if event.request_id and event.type == "query-start")
    found = rows(store, "timeline", request=request)
    assert len(found) == sum(event.request_id == request for event in told)
    assert found[0]["after_ms"] == 0
    assert [row["after_ms"] for row in found] == sorted(row["after_ms"] for row in found)
    session = next(str(event.session) for event in told if event.session)
    assert {str(row["session"]) for row in rows(store, "timeline", session=session)} == {session}


def test_outcomes_judge_the_predictions_of_each_version(store: Store) -> None:
    found = {row["version"]: row for row in rows(store, "api-quality")}
    assert {version: row["kind"] for version, row in found.items()} == {"v3": "classification", "v4": "classification"}
    assert found["v4"]["accuracy"] < found["v3"]["accuracy"] - 0.1
    assert found["v3"]["auc"] > 0.8 and found["v3"]["positive"] == "churn"
    # Of the latest queries nothing is known.
    assert 20 < found["v4"]["known_percent"] < found["v3"]["known_percent"] < 45


def test_of_many_queries_the_same_few_are_judged(store: Store) -> None:
    found = rows(store, "api-quality", sample=40)
    assert {row["version"] for row in found} == {"v3", "v4"} and all(0 < row["pairs"] < 40 for row in found)
    assert rows(store, "api-quality", sample=40) == found


def test_what_policies_filtered_is_among_the_losses(duckdb_store: Store, tmp_path: Path) -> None:
    from whodid.directory import Directory
    from whodid.policy.counts import CountBook

    directory = Directory.open(f"sqlite:///{tmp_path / 'settings.db'}")
    CountBook(directory).add({"rule-1": (17, 900)})
    table = reports.run(duckdb_store, "audit-losses", directory=directory, **WHOLE).table
    told = {(row["what"], row["name"]): row["events"] for row in table.to_pylist()}
    assert told == {("filtered", "rule-1"): 17, ("rejected", "bad_json"): 2, ("rejected", "bad_time"): 1}
    directory.close()


def test_a_report_that_needs_a_package_says_how_to_get_it(duckdb_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "whodid.analysis.clusters", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(WhodidError) as refused:
        rows(duckdb_store, "user-clusters")
    assert refused.value.code == "invalid"
    assert "pip install 'whodid[analysis]'" in str(refused.value.hint)
