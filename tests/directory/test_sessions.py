"""Sessions begin with a sign-in or an event, end by a sign-out or by silence, and follow events that come late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from support.directories import NOON
from whodid.directory import Directory, tables
from whodid.errors import WhodidError
from whodid.event import foreign_id
from whodid.stores.base import Mentions, SeenSession

SESSION = "5e550000-0000-4000-8000-000000000001"
OTHER = "5e550000-0000-4000-8000-000000000002"


def seen(at: datetime, *, id: str = SESSION, user: str | None = None, source: str = "client") -> Mentions:
    session = SeenSession(first=at, last=at, id=id, user=user, orig_address="10.0.0.7", source=source)
    return Mentions(sessions=[session])


def ago(**span: float) -> datetime:
    return datetime.now(UTC) - timedelta(**span)


@pytest.fixture
def another(url: str) -> Callable[[], Directory]:
    """Opens the same directory again, as a server that is started again or another one does."""
    return lambda: Directory.open(url)


def test_a_sign_in_opens_a_session_and_a_sign_out_ends_it(directory: Directory) -> None:
    user = directory.create_user("ada")
    before = datetime.now(UTC)
    session_id = directory.open_session("ada", ip="10.0.0.9", user_agent="Firefox/140", client="web")
    session = directory.session(session_id)
    assert (session.user, session.user_id, session.type) == ("ada", user.id, "browser")
    assert (session.ip, session.user_agent, session.client) == ("10.0.0.9", "Firefox/140", "web")
    assert (session.ended, session.ended_by) == (None, None)
    assert session.started is not None
    assert before <= session.started <= datetime.now(UTC)
    ended = directory.end_session(session_id)
    assert ended.ended is not None
    assert ended.started is not None
    assert ended.ended >= ended.started
    assert ended.ended_by == "sign-out"
    assert directory.end_session(session_id) == ended


def test_a_session_that_was_never_seen_cannot_be_ended(directory: Directory) -> None:
    with pytest.raises(WhodidError, check=lambda error: error.code == "not_found"):
        directory.end_session(OTHER)
    with pytest.raises(WhodidError, check=lambda error: error.code == "not_found"):
        directory.open_session("nobody")


def test_ending_a_session_signs_its_browser_out(directory: Directory) -> None:
    browser, secret = directory.sign_in(directory.create_sign_in_token())
    directory.open_session(None, id=browser.id)
    assert directory.browser_session(secret) is not None
    directory.end_session(browser.id, by="root")
    assert directory.browser_session(secret) is None
    assert directory.session(browser.id).ended_by == "root"


def test_sessions_of_events_are_open_until_they_are_silent(
    directory: Directory, another: Callable[[], Directory]
) -> None:
    last = ago(minutes=5)
    directory.observe(seen(last))
    assert directory.session(SESSION).ended is None
    assert directory.end_idle_sessions(at=last + timedelta(minutes=29)) == 0
    elsewhere = another()
    assert elsewhere.end_idle_sessions(at=last + timedelta(minutes=31)) == 1
    assert directory.end_idle_sessions(at=last + timedelta(minutes=31)) == 0
    with elsewhere.reading() as connection:
        assert connection.execute(select(tables.users_sessions.c.ended)).scalar_one() == last
    elsewhere.close()


def test_the_end_is_the_time_of_the_last_event_to_the_microsecond(directory: Directory) -> None:
    for seconds in (0, 20, 41.25):
        directory.observe(seen(NOON + timedelta(seconds=seconds)))
    session = directory.session(SESSION)
    assert (session.ended, session.ended_by) == (NOON + timedelta(seconds=41.25), "idle")
    assert session.last_seen == session.ended


def test_late_events_move_the_end_and_recent_ones_open_it_again(directory: Directory) -> None:
    directory.observe(seen(ago(hours=3)))
    later = ago(hours=2)
    directory.observe(seen(later))
    assert directory.session(SESSION).ended == later
    directory.observe(seen(ago(hours=2, minutes=30)))
    assert directory.session(SESSION).ended == later
    directory.observe(seen(ago(minutes=1)))
    assert directory.session(SESSION).ended is None
    directory.observe(seen(ago(hours=4)))
    assert directory.session(SESSION).ended is None


def test_events_that_were_under_way_do_not_open_a_session_that_was_ended(
    directory: Directory, another: Callable[[], Directory]
) -> None:
    session_id = directory.open_session(None, at=ago(minutes=10))
    ended = directory.end_session(session_id, at=ago(minutes=2))
    elsewhere = another()
    elsewhere.observe(seen(ago(minutes=3), id=session_id))
    assert elsewhere.session(session_id).ended == ended.ended
    moved = ago(minutes=1)
    elsewhere.observe(seen(moved, id=session_id))
    session = directory.session(session_id)
    assert (session.ended, session.ended_by) == (moved, "sign-out")
    elsewhere.close()


def test_a_login_within_a_session_joins_the_user_to_it(directory: Directory) -> None:
    directory.observe(seen(ago(minutes=3)))
    assert [session.user for session in directory.sessions(anonymous=True)] == [None]
    directory.observe(seen(ago(minutes=2), user="ada"))
    directory.observe(seen(ago(minutes=1)))
    (session,) = directory.sessions(user="ada")
    assert (session.id, session.user) == (SESSION, "ada")
    assert directory.sessions(anonymous=True) == []
    directory.create_user("grace")
    assert directory.open_session("grace", id=OTHER) == OTHER
    directory.observe(seen(ago(seconds=1), id=OTHER, user="ada"))
    assert directory.session(OTHER).user == "grace"


def test_sessions_are_found_by_user_type_state_and_time(directory: Directory) -> None:
    directory.observe(seen(NOON, id="old", user="ada"))
    directory.observe(seen(ago(minutes=2), id="server-1", source="server"))
    directory.observe(seen(ago(minutes=1), id="live", user="ada"))
    old, server, live = foreign_id("old"), foreign_id("server-1"), foreign_id("live")

    def found(**filters: object) -> list[str]:
        return [session.id for session in directory.sessions(**filters)]  # type: ignore[arg-type]

    assert found() == [live, server, old]
    assert found(limit=1, offset=1) == [server]
    assert found(type="server") == [server]
    assert found(open=True) == [live, server]
    assert found(open=False) == [old]
    assert found(user="ada", since=ago(hours=1)) == [live]
    assert found(until=NOON + timedelta(days=1)) == [old]
    assert directory.session("live").id == live
    with pytest.raises(WhodidError, check=lambda error: error.code == "not_found"):
        found(user="nobody")
