"""Dataiku's own API client against the server."""

from __future__ import annotations

import pytest
from dataikuapi import DSSClient  # type: ignore[import-untyped]
from dataikuapi.utils import DataikuException  # type: ignore[import-untyped]

from support.clients import ClientServer, run_example


@pytest.fixture
def client(server: ClientServer) -> DSSClient:
    return DSSClient(server.url, server.key)


def test_a_custom_entry_becomes_the_event_that_dss_would_have_logged(server: ClientServer, client: DSSClient) -> None:
    client.log_custom_audit("report-opened", {"report": 7, "big": 2**70, "text": "ü", "deep": {"a": [1]}})
    client.log_custom_audit("report closed/late")
    opened, closed = server.stored("dataiku")
    assert (opened["type"], opened["level"], opened["topic"]) == ("report-opened", "audit", "generic")
    assert (opened["source"], opened["user"]) == ("server", "api:clients")
    assert opened["parameters"] == {
        "customMsgType": "report-opened",
        "customMsgParams": {"report": 7, "big": 2**70, "text": "ü", "deep": {"a": [1]}},
    }
    assert closed["type"] == "report closed/late"
    assert closed["parameters"]["customMsgParams"] == {}


def test_equal_entries_are_several_events(server: ClientServer, client: DSSClient) -> None:
    for _ in range(3):
        client.log_custom_audit("again", {"n": 1})
    assert len(server.stored("dataiku")) == 3


def test_known_types_get_their_level_and_topic(server: ClientServer, client: DSSClient) -> None:
    client.log_custom_audit("click")
    assert server.stored("dataiku")[0]["level"] == "usage"


def test_the_key_of_a_person_tells_who_it_was(server: ClientServer) -> None:
    key = server.new_key("of ada", "write", user="ada")
    DSSClient(server.url, key).log_custom_audit("mine")
    assert server.stored("dataiku")[0]["user"] == "ada"


def test_what_goes_wrong_is_raised_with_our_words(server: ClientServer, client: DSSClient) -> None:
    with pytest.raises(DataikuException, match=r"whodid.unauthorized: This key is unknown"):
        DSSClient(server.url, "wrong").log_custom_audit("x")
    with pytest.raises(DataikuException, match=r"whodid.forbidden: .* may not write"):
        DSSClient(server.url, server.new_key("reads only", "read")).log_custom_audit("x")
    with server.busy(), pytest.raises(DataikuException, match=r"whodid.busy"):
        client.log_custom_audit("x")
    with server.answering("full"), pytest.raises(DataikuException, match=r"whodid.full"):
        client.log_custom_audit("x")
    bound = server.new_key("other topics", "write", topics=["other"])
    with pytest.raises(DataikuException, match=r"whodid.forbidden: .*topic"):
        DSSClient(server.url, bound).log_custom_audit("x")
    assert server.stored("dataiku") == []


@pytest.mark.parametrize("body", [b"{", b"[1", b"nothing", b"\x00"])
def test_what_is_no_json_is_refused(server: ClientServer, body: bytes) -> None:
    answer = server.http.post("/dip/publicapi/admin/audit/custom/x", content=body)
    assert answer.status_code == 400
    assert answer.json()["errorType"] == "whodid.invalid"


def test_a_type_that_is_too_long_is_kept_whole(server: ClientServer, client: DSSClient) -> None:
    client.log_custom_audit("t" * 300)
    (event,) = server.stored("dataiku")
    assert event["type"] == "t" * 200
    assert event["parameters"]["customMsgType"] == "t" * 300


def test_the_example_of_the_docs(server: ClientServer) -> None:
    run_example("dataiku", server)
    (event,) = server.stored("dataiku")
    assert event["parameters"]["customMsgParams"] == {"report": 7, "projectKey": "SALES"}
