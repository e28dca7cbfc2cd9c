"""Scheduled reports on real parts: an engine, folders, SMTP with STARTTLS, and a clock that is turned by hand."""

from __future__ import annotations

import csv
import io
import socket
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from PIL import Image

from support.beside import Clock, House
from support.mail import PASSWORD, MailBox, mail_server
from support.reading import event
from support.s3 import s3_server
from whodid.datasets.connections import Connection
from whodid.delivery.mail import MailServer
from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.schedules.picture import HEIGHT_PX, SCALE, WIDTH_PX
from whodid.schedules.row import Destination, NewSchedule, ScheduleFields

FRIDAY = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
NASTY = "<script>alert(1)</script>{{ 7*7 }}\r\nBcc: all@example.com"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailBox]:
    with mail_server(tmp_path_factory.mktemp("mail")) as started:
        yield started


@pytest.fixture(autouse=True)
def emptied(box: MailBox) -> None:
    box.mails.clear()
    box.envelopes.clear()
    box.secured.clear()
    box.refuse = box.refused_address = ""


@pytest.fixture
def clock() -> Clock:
    return Clock(FRIDAY)


@pytest.fixture
def house(tmp_path: Path, clock: Clock, box: MailBox) -> Iterator[House]:
    """An engine with a week of two people, a folder as connection `lake`, and mail."""
    made = House(tmp_path / "data", clock)
    (tmp_path / "lake").mkdir()
    made.store(
        [
            event(
                "query-start", at=FRIDAY - timedelta(days=day, hours=1), user=user, parameters={"projectKey": project}
            )
            for day in range(7)
            for user, project, count in (("erika", "SALES", 3), ("otto", "CHEM", 1))
            for _ in range(count)
        ]
    )
    directory = made.engine.directory
    for login in ("erika", "otto", "admin"):
        directory.create_user(login)
    directory.grant("admin", user="admin")
    directory.grant("reader", user="otto", projects=["CHEM"])
    options = {"path": str(tmp_path / "lake")}
    made.engine.datasets.connections.create(Connection(name="lake", kind="folder", options=options))
    made.beside.outlets.set_mail(msgspec.convert(box.settings(), MailServer))
    yield made
    made.close()


def weekly(name: str = "weekly", **more: Any) -> NewSchedule:
    """Users, Fridays at 8:00 in Berlin, into the lake unless it says otherwise."""
    given: dict[str, Any] = {
        "name": name, "report": "users", "cron": "0 8 * * FRI", "zone": "Europe/Berlin",
        "parameters": {"since": "7d"}, "to": {"connection": "lake", "path": "reports/users"}, "as_user": None,
    }  # fmt: skip
    return msgspec.convert({**given, **more}, NewSchedule)


def make(house: House, new: NewSchedule) -> None:
    house.beside.schedules.create(new, by="admin", user=None)


def files(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path / "lake")) for path in (tmp_path / "lake").rglob("*") if path.is_file())


def test_a_report_is_written_when_it_is_due_under_the_name_of_its_period(
    house: House, clock: Clock, tmp_path: Path
) -> None:
    make(house, weekly())
    house.beside.do_due()
    assert files(tmp_path) == []
    clock.at = datetime(2026, 11, 20, 7, 0, 3, tzinfo=UTC)
    house.beside.do_due()
    house.beside.do_due()
    name = "reports/users/weekly_20261113T070000Z_20261120T070000Z.csv"
    assert files(tmp_path) == [name]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "lake" / name).read_text())))
    assert [(row["person"], row["events"]) for row in rows] == [("erika", "21"), ("otto", "7")]
    (sent,) = house.recorded("report-sent")
    assert sent["entity_id"] == "weekly"
    assert sent["level"] == "audit"
    told = sent["parameters"]
    assert (told["report"], told["rows"], told["to"], told["attempt"]) == ("users", 2, f"lake:{name}", 1)


def test_parquet_has_the_types_of_the_report(house: House, clock: Clock, tmp_path: Path) -> None:
    make(house, weekly(format="parquet"))
    clock.turn(hours=1)
    house.beside.do_due()
    table = pq.read_table(tmp_path / "lake" / files(tmp_path)[0])
    assert table.column("events").to_pylist() == [21, 7]


def test_a_file_that_is_there_is_never_overwritten(house: House, clock: Clock, tmp_path: Path) -> None:
    make(house, weekly())
    name = "reports/users/weekly_20261113T070000Z_20261120T070000Z.csv"
    (tmp_path / "lake" / "reports" / "users").mkdir(parents=True)
    (tmp_path / "lake" / name).write_text("somebody else's")
    clock.turn(hours=1)
    house.beside.do_due()
    assert (tmp_path / "lake" / name).read_text() == "somebody else's"
    assert files(tmp_path) == [name.replace(".csv", "-2.csv"), name]
    assert house.beside.schedules.runs("weekly")[0]["to"].endswith("-2.csv")


def test_a_report_goes_by_mail_with_table_picture_and_file(house: House, clock: Clock, box: MailBox) -> None:
    to = {"mail": ["erika@example.com", "otto@example.com"]}
    make(house, weekly(to=to, format="csv", report="activity", parameters={"since": "7d", "by": "day"}))
    clock.turn(hours=1)
    house.beside.do_due()
    (mail,) = box.mails
    assert box.secured == [True]
    assert box.envelopes == [("audit@example.com", ["erika@example.com", "otto@example.com"])]
    assert str(mail["Subject"]).strip() == "Activity over time: 13 Nov 2026 08:00 to 20 Nov 2026 08:00 Europe/Berlin"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None and html is not None
    assert "Thu 19 Nov 2026" in text.get_content() and "Thu 19 Nov 2026" in html.get_content()
    pictures = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert [part["Content-ID"] for part in pictures] == ["<chart>"]
    assert 'src="cid:chart"' in html.get_content()
    assert_drawn(pictures[0].get_payload(decode=True))
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "weekly_20261120T070000Z.csv"
    assert attached.get_content().startswith(("period,users", b"period,users"))


def assert_drawn(png: Any) -> None:
    """A PNG of the size that is promised, with a line in the first colour on white."""
    assert isinstance(png, bytes) and png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (WIDTH_PX * SCALE, HEIGHT_PX * SCALE)
    colors = {color: count for count, color in Image.open(io.BytesIO(png)).convert("RGB").getcolors(10**6) or []}
    assert colors[(255, 255, 255)] > 100_000
    assert colors[(0x1D, 0x5B, 0xBF)] > 500


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


def test_what_fails_is_tried_again_later_and_told(house: House, clock: Clock, box: MailBox) -> None:
    make(house, weekly(to={"mail": ["erika@example.com"]}))
    box.refuse = "451 come back later"
    clock.turn(hours=1)
    house.beside.do_due()
    (run,) = house.beside.schedules.runs("weekly")
    assert (run["state"], run["attempts"]) == ("waiting", 1)
    assert run["next_attempt_at"] == clock.at + timedelta(seconds=60)
    assert "451" in run["error"]
    (failed,) = house.recorded("report-failed")
    assert failed["level"] == "warning" and "451" in failed["error_message"]
    house.beside.do_due()
    assert house.beside.schedules.runs("weekly")[0]["attempts"] == 1
    box.refuse = ""
    clock.turn(seconds=61)
    house.beside.do_due()
    assert house.beside.schedules.runs("weekly")[0]["state"] == "done"
    # It tells of the time when it was due, not of when it went at last.
    assert "20 Nov 2026 08:00" in str(box.mails[0]["Subject"])


def test_what_goes_on_failing_is_given_up(house: House, clock: Clock, box: MailBox) -> None:
    make(house, weekly(to={"mail": ["erika@example.com"]}))
    box.refuse = "451 never"
    clock.turn(hours=1)
    for _ in range(12):
        house.beside.do_due()
        clock.turn(hours=4)
    (run,) = house.beside.schedules.runs("weekly")
    assert (run["state"], run["attempts"]) == ("failed", 6)
    assert len(house.recorded("report-failed")) == 6


def test_what_was_missed_is_made_up_for_once(house: House, clock: Clock, tmp_path: Path) -> None:
    make(house, weekly(cron="0 * * * *", parameters={"since": "1h"}))
    clock.turn(hours=5)
    house.beside.do_due()
    assert files(tmp_path) == ["reports/users/weekly_20261120T100000Z_20261120T110000Z.csv"]
    make(house, weekly("yearly", cron="0 0 1 12 *"))
    clock.at = datetime(2026, 12, 3, tzinfo=UTC)
    house.another("after-the-holidays").do_due()
    assert not any("yearly" in name for name in files(tmp_path))


def test_a_paused_schedule_rests_and_makes_up_for_nothing(house: House, clock: Clock, tmp_path: Path) -> None:
    make(house, weekly())
    house.beside.schedules.pause("weekly", by="admin")
    clock.turn(hours=1)
    house.beside.do_due()
    house.beside.schedules.resume("weekly", by="admin")
    house.beside.do_due()
    assert files(tmp_path) == []
    clock.turn(days=7)
    house.beside.do_due()
    assert files(tmp_path) == ["reports/users/weekly_20261120T070000Z_20261127T070000Z.csv"]
    assert [len(house.recorded(f"schedule-{word}")) for word in ("created", "paused", "resumed")] == [1, 1, 1]


def test_running_by_hand_waits_for_the_outcome_and_is_told_who(house: House, tmp_path: Path) -> None:
    make(house, weekly())
    run = house.beside.schedules.run_now("weekly", by="admin")
    assert (run["state"], run["rows"], run["by"]) == ("done", 2, "admin")
    assert house.recorded("report-sent")[0]["user"] == "admin"
    house.beside.schedules.change("weekly", ScheduleFields(to=Destination(mail=["nobody@example.com"])), by="admin")
    house.beside.outlets.set_mail(None)
    with pytest.raises(WhodidError, match="no mail server"):
        house.beside.schedules.run_now("weekly", by="admin")
    assert house.beside.schedules.runs("weekly")[0]["state"] == "failed"


def test_a_dry_run_shows_everything_and_sends_nothing(house: House, tmp_path: Path, box: MailBox) -> None:
    schedules = house.beside.schedules
    seen = schedules.dry_run(schedules.draft(weekly(), by="admin", user=None))
    assert (seen["rows"], seen["to"]) == (2, "lake:reports/users/weekly_20261113T063000Z_20261120T063000Z.csv")
    seen = schedules.dry_run(schedules.draft(weekly(to={"mail": ["a@example.com"]}), by="admin", user=None))
    assert "erika" in seen["text"] and seen["picture"] is True
    assert files(tmp_path) == [] and box.mails == [] and schedules.all() == []


def test_of_two_servers_one_runs_it(house: House, clock: Clock, tmp_path: Path) -> None:
    make(house, weekly())
    second = house.another("server-2")
    clock.turn(hours=1)
    house.beside.schedules.step()
    second.schedules.step()
    threads = [threading.Thread(target=one.do_due) for one in (house.beside, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(files(tmp_path)) == 1
    assert len(house.recorded("report-sent")) == 1


def test_what_a_server_left_undone_another_takes_over(house: House, clock: Clock, tmp_path: Path) -> None:
    make(house, weekly())
    clock.turn(hours=1)
    house.beside.schedules.step()
    assert house.beside.book.claim(["schedule"], at=clock.at, hold_s=600)
    second = house.another("server-2")
    second.do_due()
    assert files(tmp_path) == []
    clock.turn(seconds=601)
    second.do_due()
    assert len(files(tmp_path)) == 1
    assert house.beside.schedules.runs("weekly")[0]["attempts"] == 2


def test_a_large_report_is_cut_in_the_mail_and_says_so(house: House, clock: Clock, box: MailBox) -> None:
    house.store([event("query-start", at=FRIDAY - timedelta(hours=2), user=f"user-{n:04}") for n in range(400)])
    make(house, weekly(to={"mail": ["a@example.com"]}, parameters={"since": "7d", "limit": 300}, format="csv"))
    clock.turn(hours=1)
    house.beside.do_due()
    body = box.mails[0].get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "100 of 300 rows are shown; the file has all of them." in text
    assert "The report is cut at 300 rows of 402" in text
    (attached,) = box.mails[0].iter_attachments()
    assert str(attached.get_content()).count("\n") == 301


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


def test_a_mail_server_that_hangs_delays_neither_others_nor_the_end(house: House, clock: Clock, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings = {"host": "127.0.0.1", "port": port, "sender": "a@example.com", "security": "none"}
        house.beside.outlets.set_mail(msgspec.convert(settings, MailServer))
        make(house, weekly("hangs", to={"mail": ["a@example.com"]}))
        make(house, weekly("goes"))
        clock.turn(hours=1)
        house.beside.start()
        deadline = time.monotonic() + 20
        while not files(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(files(tmp_path)) == 1
        began = time.monotonic()
        house.beside.close()
        assert time.monotonic() - began < 4
    (run,) = house.beside.schedules.runs("hangs")
    assert run["state"] == "waiting"


def test_a_report_goes_into_object_storage_and_replaces_nothing_there(house: House, clock: Clock) -> None:
    with s3_server() as server:
        bucket = server.bucket("reports")
        connection = Connection(name="s3", kind="s3", options=server.options("reports", prefix="audit"))
        house.engine.datasets.connections.create(connection)
        make(house, weekly(to={"connection": "s3", "path": "users"}, format="parquet"))
        name = "audit/users/weekly_20261113T070000Z_20261120T070000Z.parquet"
        bucket.put_object(Key=name, Body=b"somebody else's")
        clock.turn(hours=1)
        house.beside.do_due()
        assert {one.key for one in bucket.objects.all()} == {name, name.replace(".parquet", "-2.parquet")}
        assert bucket.Object(name).get()["Body"].read() == b"somebody else's"
        written = bucket.Object(name.replace(".parquet", "-2.parquet")).get()["Body"].read()
        assert pq.read_table(io.BytesIO(written)).column("person").to_pylist() == ["erika", "otto"]
        assert server.secret_access_key not in house.everything()


def test_what_an_attempt_wrote_before_it_was_broken_off_is_not_written_again(
    house: House, clock: Clock, tmp_path: Path
) -> None:
    make(house, weekly())
    clock.turn(hours=1)
    house.beside.schedules.step()
    (work,) = house.beside.book.claim(["schedule"], at=clock.at, hold_s=600)
    # The server goes away between writing the file and noting it.
    house.beside.schedules.job.do(work, lambda call: None)
    clock.turn(seconds=601)
    house.another("server-2").do_due()
    assert len(files(tmp_path)) == 1
    assert house.beside.schedules.runs("weekly")[0]["state"] == "done"
