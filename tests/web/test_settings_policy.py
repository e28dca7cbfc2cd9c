"""The pages of the policy: rules are tried on real traffic before they are switched on; captures run for a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from support.reading import event
from support.web import WebServer
from web.test_settings_pages import admin, done, posted
from whodid.web.pages.frame import ZONE_COOKIE

__all__ = ["admin"]


@pytest.fixture(scope="module", autouse=True)
def clicks(server: WebServer) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    server.store([event("click", at=at + timedelta(seconds=number), user="clara") for number in range(40)])


@pytest.fixture
def rules(server: WebServer) -> Iterator[None]:
    yield
    for rule in server.engine.policies.rules.read().items:
        server.engine.policies.delete(rule.id, by="test")


def test_what_was_tried_is_told_in_the_time_zone_of_the_reader(admin: httpx.Client) -> None:
    zone = "Asia/Kathmandu"
    admin.cookies.set(ZONE_COOKIE, zone)
    try:
        page = posted(admin, "/settings/add/policy", name="quiet", level="verbose", since="7d", do="test")
    finally:
        admin.cookies.delete(ZONE_COOKIE)
    assert f"({zone}) it would have dropped" in page.text


def test_a_rule_is_tried_before_it_is_switched_on(admin: httpx.Client, server: WebServer, rules: None) -> None:
    fields = {"name": "quiet", "level": "verbose", "switched_off": "click", "since": "7d"}
    assert 'value="on"' not in admin.get("/settings/add/policy").text
    page = posted(admin, "/settings/add/policy", **fields, do="test")
    assert page.status_code == 200
    assert re.search(r"it would have dropped 40 \(", page.text) and "click 40" in page.text
    assert 'value="on"' in page.text and server.engine.policies.rules.read().items == []
    assert "is kept" in httpx.URL(done(posted(admin, "/settings/add/policy", **fields, do="on"))).params["done"]
    (rule,) = server.engine.policies.rules.read().items
    assert rule.enabled and rule.switched_off == ["click"]
    assert "verbose; without click" in admin.get("/settings/policy").text


def test_a_draft_counts_once_it_was_tried_and_switched_on(admin: httpx.Client, server: WebServer, rules: None) -> None:
    fields = {"name": "half", "level": "verbose", "sampling": "click = 50%", "since": "7d"}
    done(posted(admin, "/settings/add/policy", **fields, do="draft"))
    assert not server.engine.policies.rules.read().items[0].enabled
    page = admin.get("/settings/policy/half/switch-on").text
    assert "Tried on real traffic" in page and "Switch it on" in page
    done(posted(admin, "/settings/policy/half/enabled", enabled="1"))
    (rule,) = server.engine.policies.rules.read().items
    assert rule.enabled and rule.sampling == {"click": 0.5}
    assert "click = 50%" in admin.get("/settings/policy/half").text
    assert "50 % of click" in admin.get("/settings/policy").text


def test_rules_are_moved_changed_and_deleted(admin: httpx.Client, server: WebServer, rules: None) -> None:
    server.engine.directory.create_user("otto", by="test")
    for name, user in (("first", "erika"), ("second", "otto")):
        fields = {"name": name, "user": user, "level": "verbose", "since": "1d", "accept_unknown": "1"}
        done(posted(admin, "/settings/add/policy", **fields, do="on"))
    done(posted(admin, "/settings/policy/second/move", to="up"))
    assert [one.name for one in server.engine.policies.rules.read().items] == ["second", "first"]
    fields = {"name": "second", "user": "otto", "level": "standard", "since": "1d"}
    assert "Keep the change" in posted(admin, "/settings/policy/second", **fields, do="test").text
    done(posted(admin, "/settings/policy/second", **fields, do="keep"))
    assert server.engine.policies.rules.read().items[0].level == "standard"
    assert "falls to the next rule" in admin.get("/settings/policy/second/delete").text
    done(posted(admin, "/settings/policy/second/delete"))
    assert [one.name for one in server.engine.policies.rules.read().items] == ["first"]


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"sampling": "click = lots"}, "sampling", "is no share"),
        ({"sampling": "click = 150%"}, "sampling", "is 150 %. More than 0 % and less than 100 % can be kept"),
        ({"sampling": "click"}, "sampling", "is no name = value"),
        ({"truncated": "sql = few"}, "truncated", "is no whole number"),
        ({"truncated": "sql = " + "9" * 5_000}, "truncated", "is no whole number"),
        ({"truncated": "sql = 0"}, "truncated", "cut to 0 characters"),
        ({"level": "custom"}, "level", "level custom without types"),
        ({"switched_off": "clikc"}, "switched_off", "Did you mean"),
        ({"group": "nobody-there"}, "group", "nobody-there"),
        ({"name": ""}, "name", "needed"),
    ],
)
def test_mistakes_are_told_beside_their_field(
    admin: httpx.Client, rules: None, fields: dict[str, str], field: str, told: str
) -> None:
    given = {"name": "wrong", "level": "verbose", "since": "7d", **fields}
    page = posted(admin, "/settings/add/policy", **given, do="on")
    assert page.status_code in (400, 404)
    beside = re.search(r'id="f1-(\w+)-wrong">([^<]*)', page.text)
    assert beside and beside[1] == field and told in beside[2]


def test_a_capture_needs_a_reason_runs_and_is_stopped(admin: httpx.Client, server: WebServer, rules: None) -> None:
    fields = {"name": "quiet", "level": "verbose", "switched_off": "click", "since": "7d"}
    done(posted(admin, "/settings/add/policy", **fields, do="on"))
    asked = {"user": "clara", "duration_s": "3600", "events_max": "500", "name": "why", "accept_unknown": "1"}
    assert posted(admin, "/settings/add/captures", **asked, reason="").status_code == 400
    done(posted(admin, "/settings/add/captures", **asked, reason="why the view of clara hangs"))
    page = admin.get("/settings/policy").text
    assert "why the view of clara hangs" in page and "runs until" in page
    done(posted(admin, "/settings/captures/why/stop"))
    assert "stopped" in admin.get("/settings/policy").text
