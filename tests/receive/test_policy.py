"""The policy at the door: what is answered, what is on disk, and that retries are told the same."""

from __future__ import annotations

from typing import Any

import pytest

from support.receiving import Receiver, event, wait_until
from whodid.errors import WhodidError
from whodid.event import parameters_of
from whodid.policy.captures import NewCapture
from whodid.policy.rule import RuleFields

ANSWER: dict[str, Any] = {"accepted": 0, "duplicates": 0, "filtered": 0, "rejected": []}


def add(receiver: Receiver, name: str = "mine", **fields: Any) -> str:
    return receiver.policies.create(name, RuleFields(**fields), accept_unknown=True).id


def kinds(receiver: Receiver) -> list[str]:
    return [each.type for each in receiver.events()]


def test_what_is_filtered_is_told_and_not_kept(receiver: Receiver) -> None:
    add(receiver)
    answer = receiver.post([event(type="click"), event(), event(type="viewer-rendered")])
    assert (answer.status, answer.json) == (200, ANSWER | {"accepted": 1, "filtered": 2})
    assert kinds(receiver) == ["query-start"]
    assert receiver.post(event(type="click")).json == ANSWER | {"filtered": 1}
    assert receiver.ingest.filtered == 3


def test_without_a_rule_nothing_is_filtered_and_the_bytes_stay(receiver: Receiver) -> None:
    assert receiver.policies.gate.current is None
    assert receiver.post(event(type="click")).json == ANSWER | {"accepted": 1}


def test_a_retry_is_told_the_same(receiver: Receiver) -> None:
    rule_id = add(receiver)
    sent = [event(type="click"), event()]
    assert receiver.post(sent).json == ANSWER | {"accepted": 1, "filtered": 1}
    assert receiver.post(sent).json == ANSWER | {"duplicates": 1, "filtered": 1}
    receiver.policies.write_counts()
    assert receiver.policies.count(rule_id).events == 1, "what comes again is counted once"


def test_what_is_kept_stays_a_duplicate_and_what_was_filtered_never_becomes_one(receiver: Receiver) -> None:
    sent = [event(type="click"), event()]
    assert receiver.post(sent).json["accepted"] == 2
    add(receiver)
    assert receiver.post(sent).json == ANSWER | {"duplicates": 2}
    later = event(type="click")
    assert receiver.post(later).json == ANSWER | {"filtered": 1}
    receiver.policies.delete("mine")
    assert receiver.post(later).json == ANSWER | {"accepted": 1}
    assert kinds(receiver) == ["click", "query-start", "click"]


def test_a_bad_event_beside_a_filtered_one_is_no_failed_request(receiver: Receiver) -> None:
    add(receiver)
    answer = receiver.post([event(type="click"), {"type": ""}])
    assert answer.status == 200
    assert (answer.json["filtered"], len(answer.json["rejected"])) == (1, 1)


def test_parameters_are_hidden_before_they_are_on_disk(receiver: Receiver) -> None:
    add(receiver, left_out=["secret"], hashed=["email"])
    parameters = {"secret": "s3cr3t", "email": "ada@example.org", "n": 1}
    assert receiver.post(event(parameters=parameters)).json["accepted"] == 1
    (kept,) = receiver.events()
    assert parameters_of(kept) == {"email": receiver.policies.hash("ada@example.org"), "n": 1}
    journal = b"".join(path.read_bytes() for path in (receiver.folder / "journal").rglob("*") if path.is_file())
    assert b"s3cr3t" not in journal and b"ada@example.org" not in journal


def test_who_the_key_belongs_to_decides_for_events_without_user(receiver: Receiver) -> None:
    receiver.directory.create_user("ada")
    add(receiver, user="ada", level="custom", types=["error"])
    _, secret = receiver.directory.create_key("ada's", ["write"], user="ada")
    receiver.directory.refresh()
    assert receiver.post(event(user=None), key=secret).json["filtered"] == 1
    assert receiver.post(event(user="bob"), key=secret).json["accepted"] == 1
    assert receiver.post(event(user=None)).json["accepted"] == 1


def test_a_capture_keeps_what_was_left_out_and_says_so(receiver: Receiver) -> None:
    add(receiver)
    capture = receiver.policies.start(NewCapture(reason="why it hangs", user="ada", accept_unknown=True))
    sent = [event(type="click", parameters={"capture": "own"}), event(type="click", user="bob"), event()]
    assert receiver.post(sent).json == ANSWER | {"accepted": 2, "filtered": 1}
    first, second = receiver.events()
    assert parameters_of(first) == {"capture": "own", "event.capture": capture.name}
    assert parameters_of(second) == {"capture": capture.name}
    receiver.policies.write_counts()
    assert receiver.policies.count(capture.id).events == 2


def test_an_anonymous_capture_keeps_nobody(receiver: Receiver) -> None:
    add(receiver)
    receiver.policies.start(NewCapture(reason="which menus", anonymous=True, types=["click"]))
    _, secret = receiver.directory.create_key("page", ["write"])
    receiver.directory.refresh()
    session = "5e550000-0000-4000-8000-000000000001"
    who = {"session": session, "acting_for": "bob", "request_id": "r-1", "description": "ada clicked"}
    parameters = {"ip": "10.0.0.7", "who": "ada", "deep": [{"by": "bob"}], "button": "Save"}
    entities = [{"type": "user", "id": "ada"}, {"type": "query", "id": "7"}]
    click = event(type="click", parameters=parameters, entities=entities, **who)
    named = event(session=session)
    assert receiver.post([click, named], key=secret).json == ANSWER | {"accepted": 2}
    assert receiver.post(click, key=secret).json == ANSWER | {"duplicates": 1}
    frames = {tuple(ids): provenance for ids, provenance in receiver.provenance()}
    assert frames[(click["id"],)].key_id is None and frames[(click["id"],)].orig_address is None
    assert frames[(named["id"],)].key_id is not None and frames[(named["id"],)].orig_address == "127.0.0.1"
    kept = next(each for each in receiver.events() if each.id == click["id"])
    assert (kept.user, kept.session, kept.acting_for, kept.request_id) == (None, None, None, None)
    assert parameters_of(kept) == {"button": "Save", "capture": "capture-1"}
    assert [each.id for each in kept.entities] == ["7"]
    assert kept.description == "… clicked"


def test_an_anonymous_capture_touches_nothing_that_the_policy_keeps(receiver: Receiver) -> None:
    add(receiver)
    receiver.policies.start(NewCapture(reason="everything", anonymous=True))
    receiver.post([event(), event(type="user-logged-in"), event(topic="authfail", type="click")])
    assert [each.user for each in receiver.events()] == ["ada", "ada", "ada"]


def test_an_anonymous_capture_without_anything_to_add_is_refused(receiver: Receiver) -> None:
    with pytest.raises(WhodidError, match="nothing to add"):
        receiver.policies.start(NewCapture(reason="why not", anonymous=True))


def test_a_capture_takes_no_more_than_it_may(receiver: Receiver) -> None:
    add(receiver)
    receiver.policies.watch()
    try:
        capture = receiver.policies.start(NewCapture(reason="a few", events_max=3))
        assert receiver.post([event(type="click") for _ in range(2)]).json["accepted"] == 2
        assert receiver.post([event(type="click") for _ in range(2)]).json == ANSWER | {"accepted": 1, "filtered": 1}
        wait_until(lambda: not receiver.policies.captures.all()[0].is_running)
        ended = receiver.policies.captures.all()[0]
        assert (ended.id, ended.ended_why, ended.events) == (capture.id, "events", 3)
    finally:
        receiver.policies.close()


def test_what_a_failed_request_took_of_a_capture_is_given_back(receiver: Receiver) -> None:
    add(receiver)
    capture = receiver.policies.start(NewCapture(reason="a few", events_max=3))

    async def refuse(draft: Any) -> Any:
        raise WhodidError("full", "No space.", "Wait.")

    receiver.journal.append = refuse  # type: ignore[method-assign]
    sent = [event(type="click") for _ in range(3)]
    assert receiver.post(sent).status == 507
    del receiver.journal.append
    assert receiver.policies.gate.left(capture.id) == 3
    assert receiver.post(sent).json["accepted"] == 3
