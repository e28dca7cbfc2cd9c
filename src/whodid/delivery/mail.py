"""Mail by SMTP: text, HTML with pictures in it, and files."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Any, Final, Literal, NamedTuple

from msgspec import Struct

from whodid.delivery.call import Call, untrusted
from whodid.errors import WhodidError, about
from whodid.trust import trusting_besides

Security = Literal["starttls", "tls", "none"]

RECIPIENTS_MAX: Final = 100
# No control characters, no comments, no lists: what a header could be made of.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT_MAX: Final = 200
OnCall = Callable[[Call], object]


class MailServer(Struct, kw_only=True, frozen=True):
    """How mail is sent. `password` is in clear; `certificates` are further authorities that are trusted, in PEM."""

    host: str
    sender: str
    port: int = 0
    security: Security = "starttls"
    user: str = ""
    password: str = ""
    certificates: str = ""

    @property
    def channel(self) -> str:
        """What two mails at once would share."""
        return f"mail {self.host}"


class Picture(NamedTuple):
    """A PNG that the HTML shows as `<img src="cid:NAME">`."""

    name: str
    data: bytes


class Attachment(NamedTuple):
    name: str
    media_type: str
    data: bytes


class Mail(NamedTuple):
    """A mail before it is addressed. `key` makes its Message-ID: the same for the same mail, however often it goes."""

    subject: str
    text: str
    html: str
    key: str
    pictures: Sequence[Picture] = ()
    attachments: Sequence[Attachment] = ()


def checked_address(text: Any) -> str:
    """An address of mail; raises WhodidError("invalid")."""
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text) or ".." in text:
        raise WhodidError(
            "invalid", f"{str(text)[:100]!r} is no mail address.", "Write it plainly, without a name: erika@example.com"
        )
    return text


def check_server(server: MailServer) -> None:
    """Raises WhodidError("invalid") with what makes no sense in a server."""
    with about("sender"):
        checked_address(server.sender)
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", server.host):
        raise WhodidError(
            "invalid", f"{server.host[:100]!r} is no host.", "Name the mail server: mail.example.com", field="host"
        )
    if not 0 <= server.port < 65_536:
        raise WhodidError(
            "invalid", f"port is {server.port}.", "It goes from 1 to 65535; 0 is the usual one.", field="port"
        )
    if server.user and server.security == "none" and server.host not in ("localhost", "127.0.0.1", "::1"):
        raise WhodidError(
            "invalid",
            "A password would go in clear.",
            "Choose security starttls or tls; none is without a user.",
            field="security",
        )
    if bool(server.user) != bool(server.password):
        raise WhodidError(
            "invalid", "A user needs a password, and a password a user.", "Give both or none.", field="password"
        )
    if server.certificates:
        trusting_besides(server.certificates)


def message(server: MailServer, mail: Mail, to: Sequence[str], at: Any) -> EmailMessage:
    """The mail as it goes. Nothing in it makes another header."""
    made = EmailMessage(policy=SMTP)
    made["Subject"] = one_line(mail.subject)
    made["From"] = Address("whodid", addr_spec=checked_address(server.sender))
    made["To"] = [Address(addr_spec=checked_address(address)) for address in to]
    made["Date"] = format_datetime(at)
    domain = server.sender.rpartition("@")[2]
    made["Message-ID"] = f"<{_key(mail.key)}@{domain}>" if mail.key else make_msgid(domain=domain)
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(mail.text)
    made.add_alternative(mail.html, subtype="html")
    html: Any = made.get_payload(1)
    for picture in mail.pictures:
        html.add_related(
            picture.data, "image", "png", cid=f"<{picture.name}>", filename=f"{picture.name}.png", disposition="inline"
        )
    for file in mail.attachments:
        main, _, sub = file.media_type.partition(";")[0].partition("/")
        made.add_attachment(file.data, maintype=main, subtype=sub, filename=one_line(file.name))
    return made


def send(server: MailServer, mail: Mail, to: Sequence[str], at: Any, *, on_call: OnCall = lambda _: None) -> None:
    """Send a mail to everybody in `to`.

    on_call  is handed the call when it begins, to break it off.

    Raises
    ------
    WhodidError("unavailable")
        Temporary: the server does not answer, or says to come back.
    WhodidError("forbidden")
        Permanent: it does not take the password, the sender or a recipient.
    """
    whole = message(server, mail, to, at)
    with Call(f"The mail server {server.host}") as call:
        on_call(call)
        try:
            with _opened(server, call) as client:
                if server.user:
                    client.login(server.user, server.password)
                refused = client.send_message(whole, from_addr=server.sender, to_addrs=list(to))
        except smtplib.SMTPResponseException as error:
            raise _told(server, error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _told(server, code, said) from None
        except smtplib.SMTPNotSupportedError:
            raise WhodidError(
                "forbidden", f"The mail server {server.host} does not offer what is set.", "See its security and user."
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise untrusted(server.host, error) from None
    if refused:
        names = ", ".join(sorted(refused))
        raise WhodidError("forbidden", f"{server.host} refused {names}; the others have it.", "See their addresses.")


def one_line(text: str) -> str:
    """Text for a header: no line ends and other control characters, and not endless."""
    return _CONTROL.sub(" ", text).strip()[:_SUBJECT_MAX]


class _Client(smtplib.SMTP):
    """smtplib's client on a socket of a call."""

    call: Call
    context: ssl.SSLContext | None = None

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self.call.connect(host, port)
        if self.context is None:
            return plain
        return self.call.secured(plain, self.context, host)


def _opened(server: MailServer, call: Call) -> smtplib.SMTP:
    client = _Client(local_hostname="whodid")
    client.call = call
    if server.security == "tls":
        client.context = trusting_besides(server.certificates)
    client._host = server.host  # type: ignore[attr-defined]  # what TLS checks; smtplib sets it only when it connects itself
    code, said = client.connect(server.host, server.port or _PORTS[server.security])
    if code != 220:
        client.close()
        raise smtplib.SMTPConnectError(code, said)
    if server.security == "starttls":
        client.ehlo_or_helo_if_needed()
        client.starttls(context=trusting_besides(server.certificates))
        call.watch(client.sock)
    return client


def _told(server: MailServer, code: int, said: bytes | str) -> WhodidError:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    answer = f"The mail server {server.host} answered {code}: {one_line(text)}"
    if 400 <= code < 500:
        return WhodidError("unavailable", answer, "It may take the mail later.")
    return WhodidError("forbidden", answer, "See the settings of mail, and the addresses.")


def _key(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", ".", key).strip(".")[:120]
