"""What auditors see of the settings: what there is, without anything that they may not use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Final

import httpx
import pytest

from support.web import WebServer
from whodid.alerts.row import NewAlert
from whodid.datasets.connections import Connection
from whodid.datasets.dataset import Dataset
from whodid.delivery.webhook import Webhook
from whodid.directory.sign_in import COOKIE
from whodid.policy.captures import NewCapture
from whodid.policy.rule import RuleFields
from whodid.retention.rule import Retention, set_retention

SECTIONS: Final = [
    f"/settings/{part}" for part in ("users", "groups", "policy", "datasets", "alerts", "retention", "status")
]
PAGES: Final = [
    *SECTIONS,
    *(f"/settings/{part}" for part in ("users/audra", "groups/Compliance", "policy/less", "alerts/probed")),
    *(f"/settings/datasets/{part}" for part in ("logs", "logs/preview", "logs/partitions")),
]

Opens = Callable[[str], httpx.Client]


@pytest.fixture(scope="module")
def signed_in(server: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opens]:
    """A browser for a role, on a server where there is something of everything."""
    directory, policies = server.engine.directory, server.services.policies
    directory.create_group("Compliance", by="test")
    for login, role in (("audra", "auditor"), ("boss", "admin"), ("rita", "reader")):
        directory.create_user(login, name=login.capitalize(), by="test")
        directory.grant(role, user=login, projects=["CHEM"] if role == "reader" else [], by="test")
    directory.grant("reader", group="Compliance", projects=["BIO"], by="test")
    directory.add_member("Compliance", user="audra", by="test")
    directory.create_key("key-of-audra", ["read"], user="audra", by="test")
    fields = RuleFields(
        level="verbose", sampling={"click": 0.1}, truncated={"sql": 200}, note="Too many clicks.", enabled=True
    )
    policies.create("less", fields, by="test", accept_unknown=True)
    policies.start(NewCapture(reason="a complaint", user="audra", name="look"), by="test", seen=lambda names: names)
    set_retention(directory, Retention(levels={"debug": 14}, sessions=365), by="test")
    rule = NewAlert(name="probed", kind="failed-logins", options={"above": 3}, mail=["soc@example.com"])
    server.services.beside.alerts.create(rule, by="test")
    server.services.beside.outlets.set_webhook(Webhook(name="pager", url="https://hooks.example.com/x"), by="test")
    folder = tmp_path_factory.mktemp("lake")
    (folder / "one.json").write_text('{"who": "erika"}\n')
    for name, groups in (("open", ("Compliance",)), ("closed", ())):
        connection = Connection(name=name, kind="folder", options={"path": str(folder)}, groups=groups)
        server.services.datasets.connections.create(connection)
    server.services.datasets.create(Dataset(name="logs", connection="open"))
    server.services.datasets.create(Dataset(name="payroll", connection="closed"))
    clients: dict[str, httpx.Client] = {}

    def client(role: str) -> httpx.Client:
        if role not in clients:
            login = {"auditor": "audra", "admin": "boss", "reader": "rita"}[role]
            _, secret = directory.open_browser(login, way="password")
            clients[role] = httpx.Client(base_url=server.url, cookies={COOKIE: secret}, headers={"accept": "text/html"})
        return clients[role]

    yield client
    for one in clients.values():
        one.close()


def links(page: str) -> set[str]:
    """Where links and buttons of a page lead to, within this server."""
    return {unescape(one) for one in re.findall(r'<a [^>]*href="(/[^"]*)"', page)}


def test_an_auditor_finds_the_settings_in_the_navigation_and_the_parts_that_it_may_open(signed_in: Opens) -> None:
    page = signed_in("auditor").get("/settings").text
    assert '<a href="/settings" aria-current="page">' in page
    assert re.findall(r'<li><a href="(/settings/[^"]+)"><b>', page) == SECTIONS


@pytest.mark.parametrize("path", PAGES)
def test_an_auditor_is_shown_nothing_that_it_may_not_use(signed_in: Opens, path: str) -> None:
    answer = signed_in("auditor").get(path)
    assert answer.status_code == 200, answer.text
    assert 'method="post"' not in answer.text and "What can be done" not in answer.text
    assert "You may read this; administrators change it." in answer.text
    assert re.findall(r'<li><a href="(/settings/[^"]+)"', answer.text) == SECTIONS
    refused = [link for link in links(answer.text) if signed_in("auditor").get(link).status_code == 403]
    assert not refused


@pytest.mark.parametrize("path", [path for path in PAGES if not path.endswith(("/status", "/preview"))])
def test_an_administrator_keeps_every_form_and_button(signed_in: Opens, path: str) -> None:
    page = signed_in("admin").get(path).text
    assert 'method="post"' in page or "/settings/add/" in page
    assert "administrators change it" not in page and '<a href="/settings/keys"' in page


def test_an_auditor_reads_who_has_which_role_within_which_limits(signed_in: Opens) -> None:
    auditor = signed_in("auditor")
    assert "projects CHEM" in auditor.get("/settings/users/rita").text
    group = auditor.get("/settings/groups/Compliance").text
    assert "projects BIO" in group and "audra" in group
    grants = auditor.get("/v1/grants").json()["grants"]
    assert {(one["role"], one["user"]) for one in grants} >= {
        ("auditor", "audra"),
        ("admin", "boss"),
        ("reader", "rita"),
    }


def test_keys_and_sign_ins_of_others_are_for_administrators(signed_in: Opens) -> None:
    assert "key-of-audra" in signed_in("admin").get("/settings/users/audra").text
    page = signed_in("auditor").get("/settings/users/audra").text
    assert "key-of-audra" not in page and "Where it is signed in" not in page


def test_an_auditor_reads_what_a_rule_says_what_is_captured_and_how_long_is_kept(signed_in: Opens) -> None:
    auditor = signed_in("auditor")
    rule = auditor.get("/settings/policy/less").text
    assert "verbose; sql cut to 200 characters; 10 % of click" in rule and "Too many clicks." in rule
    assert "a complaint" in auditor.get("/settings/policy").text
    retention = auditor.get("/settings/retention").text
    assert "14 days" in retention and "Sessions that have ended are kept for 365 days." in retention


def test_an_auditor_reads_what_is_looked_for_and_who_is_told_but_no_webhooks(signed_in: Opens) -> None:
    page = signed_in("auditor").get("/settings/alerts").text
    assert "probed" in page and "soc@example.com" in page
    assert "pager" not in page and "pager" in signed_in("admin").get("/settings/alerts").text


def test_an_auditor_looks_into_datasets_on_connections_that_it_may_use(signed_in: Opens) -> None:
    auditor = signed_in("auditor")
    assert "erika" in auditor.get("/settings/datasets/logs/preview").text
    page = auditor.get("/settings/datasets").text
    assert "logs" in page and "payroll" not in page and "payroll" in signed_in("admin").get("/settings/datasets").text
    assert auditor.get("/settings/datasets/payroll").status_code == 403
    assert [one["name"] for one in auditor.get("/v1/datasets").json()["datasets"]] == ["logs"]


@pytest.mark.parametrize("path", ["/settings", *PAGES])
def test_a_reader_with_limits_stays_outside(signed_in: Opens, path: str) -> None:
    assert signed_in("reader").get(path).status_code == 403
    assert 'href="/settings"' not in signed_in("reader").get("/").text


@pytest.mark.parametrize("path", ["/settings/keys", "/settings/add/policy", "/settings/policy/less/delete", "/v1/keys"])
def test_who_may_not_read_something_is_told_so(signed_in: Opens, path: str) -> None:
    answer = signed_in("auditor").get(path)
    assert answer.status_code == 403
    assert "audra may not read these settings." in answer.text and "change settings" not in answer.text


@pytest.mark.parametrize("path", ["/settings", "/settings/users"])
def test_before_there_is_a_key_or_a_user_the_settings_say_how_to_sign_in(tmp_path: Path, path: str) -> None:
    fresh = WebServer(tmp_path)
    try:
        page = httpx.get(f"{fresh.url}{path}", headers={"accept": "text/html"}).text
        assert "sign in with the link that whodid user sign-in prints" in page and 'method="post"' not in page
    finally:
        fresh.close()


def test_who_may_not_change_something_is_told_that(server: WebServer, signed_in: Opens) -> None:
    answer = signed_in("auditor").post("/settings/retention", headers={"origin": server.url})
    assert answer.status_code == 403 and "audra may not change settings." in answer.text
