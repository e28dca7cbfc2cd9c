"""Scheduled reports show nobody more than they may see, and let nothing in or out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from support.beside import Clock, House
from support.mail import PASSWORD, MailBox
from support.reading import event
from support.scheduling import FRIDAY, NASTY, make, weekly
from whodid.delivery.mail import MailServer
from whodid.errors import WhodidError
from whodid.event import new_id

pytestmark = pytest.mark.usefixtures("emptied")


def test_nobody_is_sent_more_than_the_user_may_see_that_it_runs_as(house: House, clock: Clock, box: MailBox) -> None:
    make(house, weekly(to={"mail": ["otto@example.com"]}, as_user="otto"))
    clock.turn(hours=1)
    house.beside.do_due()
    body = box.mails[0].get_body(("plain",))
    assert body is not None
    assert "otto" in body.get_content() and "erika" not in body.get_content()
    for login in ("erika", "nobody"):
        with pytest.raises(WhodidError, match=r"may see nothing|no user"):
            make(house, weekly(f"as-{login}", as_user=login))


def test_who_loses_the_rights_is_sent_nothing_more(house: House, clock: Clock, box: MailBox) -> None:
    make(house, weekly(to={"mail": ["otto@example.com"]}, as_user="otto"))
    grant = next(one for one in house.engine.directory.grants() if one.user == "otto")
    house.engine.directory.revoke_grant(grant.id)
    clock.turn(hours=1)
    house.beside.do_due()
    assert box.mails == []
    (run,) = house.beside.schedules.runs("weekly")
    assert run["state"] == "failed" and "may see nothing" in run["error"]


def test_a_reader_writes_into_no_connection_that_it_may_not_use(house: House) -> None:
    with pytest.raises(WhodidError, match="may not use the connection") as caught:
        make(house, weekly(as_user="otto"))
    assert caught.value.code == "forbidden"


def test_hostile_names_are_text_and_make_no_headers(house: House, clock: Clock, box: MailBox) -> None:
    house.store([event("query-start", at=FRIDAY - timedelta(hours=2), user=NASTY.replace("\r\n", " "), id=new_id())])
    parameters = {"since": "7d", "types": [NASTY, "query-*"]}
    make(house, weekly(to={"mail": ["a@example.com"]}, parameters=parameters, description=NASTY))
    clock.turn(hours=1)
    house.beside.do_due()
    (mail,) = box.mails
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content() and "&lt;script&gt;" in html.get_content()
    assert "{{ 7*7 }}" in html.get_content() and "49" not in str(mail["Subject"])
    assert mail["Bcc"] is None and box.envelopes[0][1] == ["a@example.com"]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"name": "a\r\nBcc: x"}, "cannot be the name"),
        ({"name": "../up"}, "cannot be the name"),
        ({"cron": "* * * * * *"}, "five fields"),
        ({"cron": "0 0 30 2 *"}, "no cron expression"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"report": "nothing"}, "no report"),
        ({"parameters": {"nothing": "x"}}, "no parameter"),
        ({"parameters": {"since": "yesterday'ish"}}, "no time"),
        ({"to": {"mail": ["a@example.com\r\nBcc: b@example.com"]}}, "no mail address"),
        ({"to": {"mail": ["Erika <a@example.com>"]}}, "no mail address"),
        ({"to": {"mail": ["a@example.com,b@example.com"]}}, "no mail address"),
        ({"to": {}}, "connection or by mail"),
        ({"to": {"mail": ["a@example.com"], "connection": "lake"}}, "connection or by mail"),
        ({"to": {"connection": "nowhere"}}, "no connection"),
        ({"to": {"connection": "lake", "path": "../up"}}, "The path is"),
        ({"to": {"connection": "lake", "path": "/etc"}}, "The path is"),
        ({"to": {"connection": "lake"}, "format": "none"}, "needs a format"),
    ],
)
def test_what_makes_no_sense_is_refused(house: House, more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(WhodidError, match=complaint):
        make(house, weekly(**more))
    assert house.beside.schedules.all() == []


def test_a_wrong_password_is_told_and_no_secret_is_anywhere(house: House, box: MailBox) -> None:
    wrong = "a-wrong-password-of-somebody"
    house.beside.outlets.set_mail(msgspec.convert(box.settings(password=wrong), MailServer))
    make(house, weekly(to={"mail": ["a@example.com"]}))
    with pytest.raises(WhodidError, match="535") as caught:
        house.beside.schedules.run_now("weekly", by="admin")
    everything = house.everything() + str(caught.value) + repr(house.beside.outlets.shown_mail())
    assert wrong not in everything and PASSWORD not in everything
    assert house.recorded("mail-changed")


def test_a_certificate_that_nobody_vouches_for_is_refused(house: House, box: MailBox) -> None:
    house.beside.outlets.set_mail(msgspec.convert(box.settings(certificates=""), MailServer))
    make(house, weekly(to={"mail": ["a@example.com"]}))
    with pytest.raises(WhodidError, match="certificate of localhost is not trusted"):
        house.beside.schedules.run_now("weekly", by="admin")
    assert box.mails == []
