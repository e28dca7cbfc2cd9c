"""Scheduled reports on real parts: written when they are due, sent with table and picture."""

from __future__ import annotations

import csv
import io
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from support.beside import Clock, House
from support.mail import MailBox
from support.reading import event
from support.s3 import s3_server
from support.scheduling import FRIDAY, files, make, weekly
from whodid.datasets.connections import Connection
from whodid.errors import WhodidError
from whodid.schedules.picture import HEIGHT_PX, SCALE, WIDTH_PX
from whodid.schedules.row import Destination, ScheduleFields

pytestmark = pytest.mark.usefixtures("emptied")


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
    (run,) = house.beside.schedules.runs("weekly")
    assert (run["rows"], run["total"], run["truncated"]) == (300, 402, True)


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
