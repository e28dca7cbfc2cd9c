"""An engine with alerts, SMTP and a receiver of webhooks, and a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from support.alerting import SECRET
from support.beside import Clock, House
from support.mail import MailBox
from support.webhooks import Receiver
from whodid.delivery.mail import MailServer
from whodid.delivery.webhook import Webhook


@pytest.fixture
def clock() -> Clock:
    # Reports and receivers know the real time only.
    return Clock(datetime.now(UTC))


@pytest.fixture
def house(tmp_path: Path, clock: Clock, box: MailBox, hook: Receiver) -> Iterator[House]:
    box.mails.clear()
    box.refuse = ""
    made = House(tmp_path / "data", clock)
    made.beside.outlets.set_mail(msgspec.convert(box.settings(), MailServer))
    made.beside.outlets.set_webhook(Webhook(name="ops", url=hook.url, secret=SECRET))
    yield made
    made.close()
