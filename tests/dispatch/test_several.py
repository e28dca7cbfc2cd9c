"""Several servers on one PostgreSQL: each sends what it received; what was there before is sent by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.targets import DoubleTarget, Watched, wait_until, watched

pytestmark = pytest.mark.postgresql


def test_every_event_is_sent_once_whoever_received_it(tmp_path: Path, postgresql_url: str) -> None:
    with (
        watched(tmp_path / "a", store=postgresql_url) as one,
        watched(tmp_path / "b", store=postgresql_url) as two,
        watched(tmp_path / "c", store=postgresql_url) as gone,
    ):
        old = [*one.post(30), *two.post(30), *gone.post(30)]
        for each in (one, two, gone):
            each.engine.flush()
        gone.close()
        other = one.create("lake", start="beginning")
        recent = one.create("live")
        wait_until(lambda: "live" in two.dispatch.dispatcher.rows())
        later = [identifier for _ in range(10) for each in (one, two) for identifier in each.post(3)]
        one.settled()
        two.settled()
        known = {*old, *later}
        got = [identifier for identifier in other.ids if identifier in known]
        assert len(got) == len(set(got)) == len(known)
        assert [identifier for identifier in got if identifier in set(old[60:])] == old[60:]
        live = [identifier for identifier in recent.ids if identifier in known]
        assert sorted(live) == sorted(later)
        assert not DoubleTarget.OTHERS["live"].errors


def test_what_a_paused_target_missed_comes_out_of_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    with watched(tmp_path / "a", store=postgresql_url) as running:
        other = running.create("siem")
        running.settled()
        running.dispatch.book.pause("siem")
        running.until("siem", "paused")
        sent = _many(running)
        running.dispatch.book.resume("siem")
        running.settled()
        assert [one for one in other.ids if one in set(sent)] == sent


def _many(running: Watched) -> list[str]:
    sent = [identifier for _ in range(20) for identifier in running.post(50)]
    running.engine.flush()
    wait_until(lambda: not running.engine.journal.kept())
    return sent
