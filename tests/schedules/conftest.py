"""An engine with schedules, a folder and SMTP with STARTTLS, and a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from support.beside import Clock, House
from support.mail import MailBox
from support.reading import event
from support.scheduling import FRIDAY
from whodid.datasets.connections import Connection
from whodid.delivery.mail import MailServer


@pytest.fixture
def emptied(box: MailBox) -> None:
    """The mail box without what came for others."""
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
