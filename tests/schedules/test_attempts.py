"""Runs that fail, that were missed, that hang, that another server left undone."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from support.beside import Clock, House
from support.mail import MailBox
from support.scheduling import files, make, weekly
from whodid.delivery.mail import MailServer

pytestmark = pytest.mark.usefixtures("emptied")


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
