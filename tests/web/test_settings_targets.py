"""The pages of targets: forms from the options of each kind, tests, pauses, and what is said before one is deleted."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from support.web import WebServer
from web.test_settings_pages import admin, done, posted
from whodid.dispatch.management import kinds

__all__ = ["admin"]
KINDS = [one for one in kinds() if one["installed"]]


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: one["kind"])
def test_every_kind_has_a_form_of_all_its_options(admin: httpx.Client, kind: dict[str, object]) -> None:
    page = admin.get(f"/settings/add/targets/{kind['kind']}").text
    for option in kind["options"]:  # type: ignore[attr-defined]
        assert re.search(rf'name="option_{option["name"]}"', page), option["name"]
        assert (option["secret"] is False) or f'type="password" id="f1-option_{option["name"]}"' in page


def test_a_target_is_tried_added_tested_paused_changed_and_deleted(
    admin: httpx.Client, server: WebServer, tmp_path: Path
) -> None:
    fields = {"name": "archive", "option_path": str(tmp_path), "start": "now", "format": "native", "deadline_s": "30"}
    dry = posted(admin, "/settings/add/targets/files", **fields, do="dry-run")
    assert dry.status_code == 200 and "Nothing was sent." in dry.text and not list(tmp_path.iterdir())
    where = done(posted(admin, "/settings/add/targets/files", **fields, do="paused"))
    assert "archive is added" in admin.get(where).text
    assert "paused" in admin.get("/settings/targets").text
    assert "The test went well" in posted(admin, "/settings/targets/archive/test").text
    assert "What would go" in posted(admin, "/settings/targets/archive/dry-run").text
    for number in ("ten", "9" * 5_000, "0"):
        page = posted(admin, "/settings/targets/archive", **fields, shape_truncated=f"description = {number}")
        assert page.status_code == 400 and '-shape_truncated-wrong"' in page.text
    changed = {**fields, "takes_levels.audit": "1", "takes_types": "query-*", "shape_truncated": "description = 10"}
    done(posted(admin, "/settings/targets/archive", **changed))
    row = server.engine.dispatch.book.row("archive")
    assert row.selection.levels == ["audit"] and row.selection.types == ["query-*"]
    assert row.shaping.truncated == {"description": 10} and row.options["path"] == str(tmp_path)
    done(posted(admin, "/settings/targets/archive/resume"))
    assert server.engine.dispatch.book.row("archive").running
    done(posted(admin, "/settings/targets/archive/pause"))
    assert "wait for archive will not be sent" in admin.get("/settings/targets/archive/delete").text
    done(posted(admin, "/settings/targets/archive/delete"))
    assert admin.get("/settings/targets/archive").status_code == 404


def test_secrets_are_written_and_never_shown(admin: httpx.Client, server: WebServer) -> None:
    fields = {"name": "clouds", "option_log_group": "audit", "option_region": "eu-central-1", "format": "native"}
    keys = {"option_access_key_id": "AKIA123", "option_secret_access_key": "very-secret"}
    streams = {"option_streams": "log => datagrok_log\n* => other", "do": "paused"}
    done(posted(admin, "/settings/add/targets/cloudwatch", **fields, **keys, **streams))
    page = admin.get("/settings/targets/clouds").text
    assert "AKIA123" in page and "very-secret" not in page
    sealed = server.engine.dispatch.book.row("clouds").options["secret_access_key"]
    done(posted(admin, "/settings/targets/clouds", **{**fields, "option_access_key_id": "AKIA999"}))
    row = server.engine.dispatch.book.row("clouds")
    assert row.options["access_key_id"] == "AKIA999" and row.options["secret_access_key"] == sealed
    listed = admin.get("/settings/targets").text
    assert "Amazon CloudWatch" in listed and "eu-central-1" in listed and ">ADD<" in listed
    assert "No others." in listed and "events stay in the store" not in listed
    done(posted(admin, "/settings/targets/clouds/delete"))


def test_what_is_wrong_stands_beside_the_option(admin: httpx.Client) -> None:
    given = {
        "name": "x",
        "option_log_group": "g",
        "option_region": "r",
        "format": "native",
        "option_batch_events": "many",
    }
    page = posted(admin, "/settings/add/targets/cloudwatch", **given)
    assert page.status_code == 400
    assert re.search(r'id="f1-option_batch_events-wrong">batch_events is', page.text)
    page = posted(admin, "/settings/add/targets/cloudwatch", name="", format="native")
    for name in ("name", "option_log_group", "option_region"):
        assert f'id="f1-{name}-wrong">This is needed.' in page.text


def test_a_test_that_fails_tells_why(admin: httpx.Client, tmp_path: Path) -> None:
    fields = {"name": "nowhere", "option_path": "/proc/nowhere/at-all", "format": "native", "do": "paused"}
    done(posted(admin, "/settings/add/targets/files", **fields))
    page = posted(admin, "/settings/targets/nowhere/test").text
    assert "The test failed" in page and "/proc/nowhere" in page
    done(posted(admin, "/settings/targets/nowhere/delete"))
