"""What the JavaScript Logger tells by itself of what people do on a page, in real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.gate import Gate
from support.javascript import Platform

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

PAGE = Path(__file__).with_name("page.html").read_text()


@pytest.fixture
def page(context: BrowserContext, gate: Gate, platform: Platform, request: pytest.FixtureRequest) -> Page:
    ui = getattr(request, "param", "true")
    gate.pages["/sales"] = (
        PAGE.replace("KEY", platform.key).replace("NAME", request.node.originalname).replace("UI", ui)
    )
    made = context.new_page()
    made.goto(gate.url + "/sales")
    made.wait_for_function("window.logger")
    return made


def seen(page: Page, *types: str) -> list[dict[str, Any]]:
    """The messages of these types so far, all but the first `navigate` without types."""
    page.wait_for_timeout(100)
    messages: list[dict[str, Any]] = page.evaluate("JSON.parse(JSON.stringify(seen))")
    return [message for message in messages[1:] if not types or message["auditType"] in types]


def test_a_click_says_what_was_clicked_and_where(page: Page) -> None:
    page.click("text=Run")
    page.click("text=↻")
    page.click("text=Nothing to press")
    run, refresh = seen(page)
    assert (run["level"], run["auditType"], run["message"]) == ("usage", "click", "click Run query")
    assert run["params"]["name"] == "Run query"
    assert page.evaluate("(path) => document.querySelector(path).textContent", run["params"]["path"]) == "Run query"
    assert refresh["params"]["name"] == "Refresh"
    assert refresh["params"]["report"] == "R1"


def test_menus_of_the_page_and_of_things_on_it(page: Page) -> None:
    page.click("#file")
    page.click("text=Delete row")
    main, other = seen(page)
    assert (main["auditType"], main["params"]["name"]) == ("main-menu-item-click", "File")
    assert main["params"]["path"] == "#file"
    assert (other["auditType"], other["params"]["name"]) == ("menu click", "Delete row")


def test_commands_and_types_of_ones_own(page: Page) -> None:
    page.click("#save")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('command', {detail: 'undo', bubbles: true}))")
    page.click("#own")
    save, undo, opened = seen(page)
    assert (save["auditType"], save["params"]["name"]) == ("command", "save-project")
    assert (undo["auditType"], undo["params"]["command"]) == ("command", "undo")
    assert (opened["auditType"], opened["entities"]) == ("report-opened", [["report", "R 1"]])


def test_what_is_switched_off_stays_unseen(page: Page) -> None:
    page.click("#private")
    assert seen(page) == []


def test_fields_are_named_and_their_values_never(page: Page, platform: Platform) -> None:
    for selector, text in (("[name=full]", "Ada Secret"), ("[name=password]", "hunter-Secret")):
        page.fill(selector, text)
        page.locator(selector).blur()
    page.select_option("[name=city]", "Lviv")
    page.fill("[name=note]", "a Secret note")
    page.check("[name=agree]")
    page.fill("[name=comment]", "another Secret")
    page.locator("[name=comment]").blur()
    page.select_option("[name=country]", "Peru")
    page.dispatch_event("#editor", "change")
    page.click("[type=submit]")
    messages = seen(page)
    told = [(message["auditType"], message["params"]["name"], message["params"].get("kind")) for message in messages]
    assert told == [
        ("input", "Full name", "text"),
        ("input", "Password", "password"),
        ("input", "City", "select-one"),
        ("input", "note", "textarea"),
        ("input", "agree", "checkbox"),
        ("input", "Comment", "textarea"),
        ("input", "Country", "select-one"),
        ("input", "", None),
        ("click", "Send", None),
    ]
    assert page.evaluate("logger.flush()")
    for text in (str(messages), str(platform.stored("test_fields_are_named_and_their_values_never", 10))):
        assert "Secret" not in text
        assert "Lviv" not in text


def test_a_dialog_that_is_confirmed(page: Page) -> None:
    page.evaluate("document.getElementById('ask').showModal()")
    seen(page)
    page.click("text=Yes")
    assert [message["auditType"] for message in seen(page)] == ["dialog show", "click"], "it is not filled in yet"
    page.fill("[name=why]", "because")
    page.click("text=Yes")
    show, _, _, confirmed = seen(page)
    assert (show["auditType"], show["params"]["name"]) == ("dialog show", "Delete?")
    assert (confirmed["auditType"], confirmed["params"]["name"]) == ("dialog ok", "Delete?")
    assert confirmed["params"]["button"] == "Yes"
    assert not page.is_visible("#ask")


def test_a_dialog_that_is_closed_without(page: Page) -> None:
    page.evaluate("document.getElementById('ask').showModal()")
    seen(page)
    page.keyboard.press("Escape")
    assert [message["auditType"] for message in seen(page)] == ["dialog show", "dialog close"]
    page.evaluate("document.getElementById('ask').showModal()")
    seen(page)
    page.click("text=Cancel")
    assert [message["auditType"] for message in seen(page)][2:] == ["dialog show", "click", "dialog close"]


def test_a_dialog_by_its_role(page: Page) -> None:
    page.evaluate("document.getElementById('modal').hidden = false")
    seen(page)
    page.click("#modal button")
    show, confirmed = seen(page)
    assert (show["auditType"], show["params"]["name"]) == ("dialog show", "Settings")
    assert (confirmed["auditType"], confirmed["params"]["name"]) == ("dialog ok", "Settings")


def test_navigation_without_what_addresses_may_hide(page: Page) -> None:
    first = page.evaluate("JSON.parse(JSON.stringify(seen[0]))")
    assert (first["auditType"], first["params"]["to"]) == ("navigate", "/sales")
    page.evaluate("history.pushState({}, '', '/sales/7?token=secret#access_token=secret')")
    page.evaluate("history.replaceState({}, '', '/sales/7?token=other')")
    page.click("text=Reports")
    page.go_back()
    page.wait_for_timeout(50)
    moves = [(message["params"]["from"], message["params"]["to"]) for message in seen(page, "navigate")]
    assert moves == [
        ("/sales", "/sales/7"),
        ("/sales/7", "/sales/7#/reports/7"),
        ("/sales/7#/reports/7", "/sales/7"),
    ]
    assert "secret" not in str(seen(page, "navigate"))


@pytest.mark.parametrize("page", ["['click']"], indirect=True)
def test_only_the_wanted_types(page: Page) -> None:
    page.click("text=Run")
    page.click("#save")
    messages = page.evaluate("JSON.parse(JSON.stringify(seen))")
    assert [message["auditType"] for message in messages] == ["click"]


@pytest.mark.parametrize("page", ["false"], indirect=True)
def test_nothing_unless_asked_for(page: Page) -> None:
    page.click("text=Run")
    assert page.evaluate("window.seen") is None
