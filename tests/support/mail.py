"""A mail server for tests: real SMTP on loopback, with STARTTLS and a password where they are wanted."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from support.certificates import write_certificates

USER, PASSWORD = "whodid@example.com", "the-password-of-mail"


class MailBox:
    """What a server took. `refuse` is what it answers to the next mails instead; `held` keeps them waiting."""

    def __init__(self, folder: Path):
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.secured: list[bool] = []
        self.refuse = ""
        self.refused_address = ""
        self.ca = (folder / "ca.pem").read_text() if (folder / "ca.pem").exists() else ""
        self.port = 0

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address == self.refused_address:
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            return self.refuse
        made = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(made, EmailMessage)
        self.mails.append(made)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        self.secured.append(session.ssl is not None)
        return "250 OK"

    def settings(self, **more: Any) -> dict[str, Any]:
        """The settings of mail for this server."""
        return {
            "host": "localhost", "port": self.port, "sender": "audit@example.com", "security": "starttls",
            "user": USER, "password": PASSWORD, "certificates": self.ca, **more,
        }  # fmt: skip


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    assert isinstance(given, LoginPassword)
    fits = given.login.decode() == USER and given.password.decode() == PASSWORD
    return AuthResult(success=fits, handled=False)


@contextmanager
def mail_server(folder: Path) -> Iterator[MailBox]:
    """A server that wants STARTTLS and a password."""
    write_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    box = MailBox(folder)
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=0,
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=_authenticate,
        server_hostname="localhost",
        ready_timeout=20,
    )
    _start(controller)
    assert isinstance(controller.server, asyncio.Server)
    box.port = controller.server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        controller.stop(no_assert=True)


def _start(controller: Controller) -> None:
    """Start without the controller's own try-out, which knows no port 0."""
    ready = threading.Event()
    controller._thread = threading.Thread(target=controller._run, args=(ready,), daemon=True)
    controller._thread.start()
    assert ready.wait(20), "the mail server does not start"
