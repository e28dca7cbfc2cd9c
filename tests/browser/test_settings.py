"""Settings and console in a real browser: used from end to end, readable in light, dark and on a phone."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.conftest import Watched
from support.looking import DESKTOP, PHONE, accessible, fits
from support.serving import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

LINES = "SELECT date_trunc('day', time) AS day, level, count(*) AS events FROM events GROUP BY 1, 2 ORDER BY 1, 2"
BARS = "SELECT type, count(*) AS events FROM events GROUP BY 1 ORDER BY 2 DESC"


def press(page: Page, words: str) -> None:
    """Press the button of these words in the main part of the page, and wait for all of the page it leads to."""
    page.locator("main").get_by_role("button", name=words, exact=True).first.click()
    page.wait_for_load_state("domcontentloaded")


def follow(page: Page, words: str) -> None:
    """Follow the link of these words in the main part of the page, to all of where it leads."""
    page.locator("main").get_by_role("link", name=words, exact=True).first.click()
    page.wait_for_load_state("domcontentloaded")


def notice(page: Page) -> str:
    page.wait_for_selector(".notice")
    return page.inner_text(".notice")


def looked_at(watched: Watched, pictures: Path, name: str) -> None:
    """The page as it is: without complaints, accessible, nothing wider than the window; with its pictures."""
    page = watched.page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for size, box in (("desktop", DESKTOP), ("phone", PHONE)):
            page.set_viewport_size(box)  # type: ignore[arg-type]
            watched.settle()
            fits(page)
            page.screenshot(path=pictures / f"{name}-{scheme}-{size}.png", full_page=True)
            accessible(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    assert not watched.complaints


def test_a_user_is_added_gets_a_role_a_group_and_a_link(visit: Callable[..., Watched], pictures: Path) -> None:
    watched = visit()
    page = watched.open("/settings")
    looked_at(watched, pictures, "settings")
    page.goto(f"{watched.url}/settings/groups")
    follow(page, "Add a group")
    page.fill('input[name="name"]', "Stewards")
    press(page, "Add the group")
    assert "Stewards is added" in notice(page)
    page.goto(f"{watched.url}/settings/users")
    looked_at(watched, pictures, "settings-users")
    follow(page, "Add a user")
    press(page, "Add the user")
    assert page.evaluate("document.activeElement.name") == "login", "the browser asks for what is needed"
    page.fill('input[name="login"]', "greta.stern")
    page.fill('input[name="name"]', "Greta Stern")
    press(page, "Add the user")
    assert "greta.stern is added" in notice(page)
    page.click("summary >> text=Give a role")
    page.select_option('select[name="role"]', "reader")
    page.fill('textarea[name="projects"]', "SALES\nCHURN")
    press(page, "Give the role")
    assert "projects SALES, CHURN" in page.inner_text("main")
    page.click("summary >> text=Put into a group")
    page.locator("details[open] input[name=group]").fill("Stewards")
    press(page, "Put into the group")
    assert "greta.stern is in Stewards" in notice(page)
    press(page, "Link to choose a password")
    assert "/password?token=" in page.inner_text("pre")
    looked_at(watched, pictures, "settings-user")
    page.goto(f"{watched.url}/settings/users/greta.stern/deactivate")
    looked_at(watched, pictures, "settings-confirm")
    press(page, "Deactivate")
    assert "is deactivated" in notice(page)
    page.goto(f"{watched.url}/settings/groups/Stewards")
    assert "greta.stern" in page.inner_text("main table")
    looked_at(watched, pictures, "settings-group")


def test_a_key_is_made_used_and_revoked(visit: Callable[..., Watched], story: ServerProcess, pictures: Path) -> None:
    watched = visit()
    page = watched.open("/settings/add/keys")
    looked_at(watched, pictures, "settings-add-key")
    page.fill('input[name="name"]', "nightly loader")
    page.check('input[name="scopes.write"]')
    press(page, "Make the key")
    page.wait_for_selector("pre")
    secret = page.locator("pre").first.inner_text().strip()
    body = json.dumps({"type": "login-success", "user": "from.the.key"}).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {secret}"}
    urllib.request.urlopen(urllib.request.Request(f"{story.url}/v1/events", body, headers), timeout=10)
    follow(page, "Keys")
    follow(page, "Revoke nightly loader")
    assert "was last used" in page.inner_text("main") or "was never used" in page.inner_text("main")
    press(page, "Revoke the key")
    assert "nightly loader is revoked" in notice(page)


def test_a_rule_is_tried_on_real_traffic_switched_on_moved_and_deleted(
    visit: Callable[..., Watched], pictures: Path
) -> None:
    watched = visit()
    page = watched.open("/settings/add/policy")
    looked_at(watched, pictures, "settings-add-rule")
    page.fill('input[name="name"]', "no clicks")
    page.select_option('select[name="level"]', "verbose")
    page.fill('textarea[name="switched_off"]', "click")
    page.select_option('select[name="since"]', "30d")
    press(page, "Try it on real traffic")
    assert "it would have dropped" in page.inner_text("main")
    looked_at(watched, pictures, "settings-rule-tried")
    press(page, "Switch it on")
    assert "no clicks is kept" in notice(page)
    follow(page, "Start a capture")
    page.fill('input[name="reason"]', "why the dashboard of Erika hangs")
    page.fill('input[name="user"]', "erika.brandt")
    press(page, "Start the capture")
    looked_at(watched, pictures, "settings-policy")
    press(page, "Stop capture-1")
    assert "is stopped" in notice(page)
    page.goto(f"{watched.url}/settings/policy/no%20clicks/delete")
    press(page, "Delete the rule")
    assert "is deleted" in notice(page)


def test_a_target_is_made_from_its_options_tested_and_deleted(
    visit: Callable[..., Watched], pictures: Path, tmp_path: Path
) -> None:
    watched = visit()
    page = watched.open("/settings/add/targets/cloudwatch")
    looked_at(watched, pictures, "settings-add-cloudwatch")
    page.goto(f"{watched.url}/settings/add/targets/files")
    page.fill('input[name="name"]', "archive")
    page.fill('input[name="option_path"]', str(tmp_path / "archive"))
    press(page, "What would go?")
    assert "Nothing was sent." in page.inner_text("main")
    press(page, "Add the target")
    assert "archive is added" in notice(page)
    press(page, "Test")
    page.wait_for_selector("text=The test went well")
    looked_at(watched, pictures, "settings-target")
    page.goto(f"{watched.url}/settings/targets")
    looked_at(watched, pictures, "settings-targets")
    page.goto(f"{watched.url}/settings/targets/archive/delete")
    press(page, "Delete the target")
    assert "archive is deleted" in notice(page)


def test_files_are_connected_defined_looked_into_and_imported(
    visit: Callable[..., Watched], pictures: Path, tmp_path: Path
) -> None:
    for day in ("2026-03-01", "2026-03-02"):
        (tmp_path / day).mkdir()
        lines = [f'{{"type":"from-files","time":"{day}T0{hour}:00:00Z","user":"ute"}}' for hour in range(9)]
        (tmp_path / day / "events.json").write_text("\n".join(lines) + "\n")
    watched = visit()
    page = watched.open("/settings/connections")
    follow(page, "Add a connection: Folder of the server")
    page.fill('input[name="name"]', "old-audit")
    page.fill('input[name="option_path"]', str(tmp_path))
    press(page, "Add the connection")
    assert "2026-03-01/events.json" in page.inner_text("main table")
    page.goto(f"{watched.url}/settings/connections")
    looked_at(watched, pictures, "settings-connections")
    page.goto(f"{watched.url}/settings/add/datasets?connection=old-audit")
    page.fill('input[name="name"]', "march")
    page.fill('input[name="partitioning"]', "/%Y-%M-%D/.*")
    press(page, "Define the dataset")
    assert "from-files" in page.inner_text("main table")
    looked_at(watched, pictures, "settings-preview")
    page.goto(f"{watched.url}/settings/datasets/march/partitions")
    looked_at(watched, pictures, "settings-partitions")
    page.get_by_role("button", name="Import all").click()
    page.wait_for_selector("text=What came of it")
    assert "18" in page.inner_text("main")


def test_an_alert_is_tried_made_and_muted(visit: Callable[..., Watched], pictures: Path) -> None:
    watched = visit()
    page = watched.open("/settings/alerts")
    follow(page, "Add an alert: Failed logins")
    page.fill('input[name="name"]', "probes")
    press(page, "What would it find?")
    page.wait_for_selector("text=Tried")
    press(page, "Add the alert")
    assert "probes is added" in notice(page)
    page.click("summary >> text=Be quiet about it")
    press(page, "Mute")
    assert "probes is quiet until" in notice(page)
    page.goto(f"{watched.url}/settings/alerts")
    looked_at(watched, pictures, "settings-alerts")


def test_a_schedule_is_tried_and_made(visit: Callable[..., Watched], pictures: Path) -> None:
    watched = visit()
    page = watched.open("/settings/add/schedules")
    page.fill('input[name="name"]', "weekly")
    page.select_option('select[name="report"]', "users")
    page.fill('textarea[name="mail"]', "owner@example.com")
    page.select_option('select[name="format"]', "none")
    press(page, "What would go?")
    page.wait_for_selector("text=would go to owner@example.com")
    press(page, "Add the schedule")
    assert "weekly is added" in notice(page)
    looked_at(watched, pictures, "settings-schedule")


def test_a_list_sorts_by_its_headings(visit: Callable[..., Watched]) -> None:
    page = visit().open("/settings/groups")
    page.click("table.listed thead button >> text=People")
    page.wait_for_selector('table.listed th[aria-sort="descending"]')
    people = [
        int(text.replace(",", "")) for text in page.locator("table.listed tbody td:nth-child(3)").all_inner_texts()
    ]
    assert people == sorted(people, reverse=True) and len(set(people)) > 1


def test_retention_and_status(visit: Callable[..., Watched], pictures: Path) -> None:
    watched = visit()
    page = watched.open("/settings/retention")
    looked_at(watched, pictures, "settings-retention")
    page.fill('input[name="debug"]', "3650")
    press(page, "What would go?")
    assert "0 events older than 3,650 days go" in page.inner_text("main")
    press(page, "Keep them so long")
    assert "Kept." in notice(page)
    watched.open("/settings/status")
    looked_at(watched, pictures, "settings-status")


def test_the_console_asks_draws_sorts_stops_and_saves(visit: Callable[..., Watched], pictures: Path) -> None:
    watched = visit()
    page = watched.open("/console")
    page.fill("#sql", LINES)
    page.press("#sql", "Control+Enter")
    page.wait_for_selector("#answer .chart svg")
    looked_at(watched, pictures, "console")
    page.fill("#sql", BARS)
    press(page, "Run")
    page.wait_for_selector("#answer .lead >> text=rows")
    page.wait_for_selector("#answer th:first-child >> text=type")
    page.wait_for_selector("#answer .chart svg")
    page.screenshot(path=pictures / "console-bars.png", full_page=True)
    assert not [one for one in watched.complaints if "Dropping" in one]
    page.click("#answer th:first-child button")
    page.wait_for_selector('#answer th[aria-sort="ascending"]')
    names = page.locator("#answer tbody td:first-child").all_inner_texts()
    assert names == sorted(names)
    page.fill("#sql", "SELECT nonsense FROM events")
    press(page, "Run")
    page.wait_for_selector("#answer [role=alert] >> text=nonsense")
    assert page.get_attribute("#sql", "aria-invalid") == "true"
    accessible(page)
    page.fill("#sql", "SELECT count(*) AS n FROM range(100000000) a, range(100000000) b")
    press(page, "Run")
    page.click("#stop")
    page.wait_for_selector("#answer >> text=The query was stopped.")
    page.fill("#sql", "SELECT ")
    page.click('.schema [data-insert="type"]')
    assert page.input_value("#sql") == "SELECT type"
    page.press("#sql", "Tab")
    assert page.input_value("#sql") == "SELECT type  "
    page.press("#sql", "Escape")
    page.press("#sql", "Tab")
    assert page.evaluate("document.activeElement.id") == "run"
    page.click("summary >> text=Save this query")
    page.fill('.saving input[name="name"]', "All types")
    press(page, "Save")
    assert notice(page) == "Saved."
    page.fill("#sql", BARS)
    with page.expect_download() as got:
        press(page, "CSV")
    assert got.value.suggested_filename == "query.csv"


def test_without_scripts_the_console_is_a_form_and_a_table(visit: Callable[..., Watched]) -> None:
    watched = visit(java_script_enabled=False)
    page = watched.page
    page.goto(f"{watched.url}/console")
    page.fill("#sql", BARS)
    press(page, "Run")
    assert page.locator("#answer tbody tr").count() > 5
    page.goto(f"{watched.url}/console?history=1")
    assert "SELECT type" in page.inner_text(".asked-before")


@pytest.mark.parametrize("path", ["/settings/groups", "/settings/keys", "/settings/datasets", "/settings/mail"])
def test_lists_are_sound(visit: Callable[..., Watched], pictures: Path, path: str) -> None:
    watched = visit()
    watched.open(path)
    looked_at(watched, pictures, path.strip("/").replace("/", "-"))
