"""What is hidden in the demo's story is found by the reports."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from support.reporting import Memberships, story_memberships
from support.story import END
from whodid import reports
from whodid.demo import story
from whodid.stores.base import Store

WHOLE: dict[str, Any] = {"since": END - timedelta(days=60), "until": END}


def rows(store: Store, name: str, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reports.run(
        store, name, directory=story_memberships(), **{**WHOLE, **given}
    ).table.to_pylist()
    return found


def test_the_menu_item_that_nobody_uses(duckdb_store: Store) -> None:
    never = [row["item"] for row in rows(duckdb_store, "interface-unused") if row["ever"] == 0]
    assert story.UNUSED_MENU_ITEM in never


def test_the_release_after_which_a_viewer_fails(duckdb_store: Store) -> None:
    found = {row["version"]: row for row in rows(duckdb_store, "packages")}
    good, bad = found[story.RELEASE.previous_version], found[story.RELEASE.version]
    assert good["errors"] == 0
    assert bad["errors"] > 0
    published = END - timedelta(days=story.days_before_end(story.RELEASE.days_ago, 60))
    assert abs(bad["installed"] - published.replace(tzinfo=None)) < timedelta(minutes=2)


def test_the_user_who_does_less_and_less(duckdb_store: Store) -> None:
    faded = rows(duckdb_store, "fading-users", since=END - timedelta(days=14))
    assert faded[0]["person"] == story.FADING_USER.login


def test_the_dataset_whose_source_was_changed(duckdb_store: Store) -> None:
    moved = story.MOVED_DATASET
    history = rows(duckdb_store, "entity-history", entities=[f"dataset:{moved.id}"], verb="edited")
    change = next(row for row in history if "connection" in (row["changed"] or ""))
    assert change["person"] == moved.by
    assert json.loads(change["before"])["table"] == moved.table_before
    assert json.loads(change["after"])["table"] == moved.table_after
    ways = rows(duckdb_store, "origin", entity=f"dataset:{moved.id}")
    sources = {row["from_id"]: row["last"] for row in ways if row["from_type"] == "table"}
    before, after = (
        sources[f"{moved.connection_before}/{moved.table_before}"],
        sources[f"{moved.connection_after}/{moved.table_after}"],
    )
    assert before < change["time"] < after


def test_groups_differ_in_what_they_use(duckdb_store: Store, memberships: Memberships) -> None:
    found = rows(duckdb_store, "groups")
    assert {row["group"] for row in found} == {group.name for group in memberships.groups()} | {None}
    assert found[0]["active"] == max(row["active"] for row in found)
    liked = {
        group: {row["feature"] for row in rows(duckdb_store, "group-features", limit=1000) if row["group"] == group}
        for group in ("Research", "Commercial")
    }
    assert liked["Research"] - liked["Commercial"]
    assert liked["Commercial"] - liked["Research"]
