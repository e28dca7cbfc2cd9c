"""Syslog: RFC 5424 messages over TLS (RFC 5425), TCP (RFC 6587, octet counting) or UDP (RFC 5426).

Syslog has no answer: a delivery counts as taken once the receiver's machine has acknowledged its bytes (UDP: once they
are sent). What a receiver that breaks down had not stored by then is lost to it; where that matters, choose another
kind.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import select
import socket
import ssl
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from whodid.errors import WhodidError
from whodid.targets.base import BaseTarget, Context, Delivery, Refusal, Sent, TargetOption
from whodid.targets.syslog_message import FACILITIES, Messages, cut
from whodid.trust import trusting

PORT_MAX: Final = 65_535
PORTS: Final = {"tls": 6514, "tcp": 601, "udp": 514}
UDP_BYTES_MAX: Final = 65_507
WRITE_BYTES: Final = 256 * 1024
CUT_MARK: Final = ' truncated="true"'
_OF_US: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")


class SyslogTarget(BaseTarget):
    """Each event is a message: its line behind structured data with id, type, level, topic, user, session, status and
    number."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("host", None, "name", "name or address of the receiver; its certificate has to be for it"),
        TargetOption("port", 0, "port", "0: 6514 with TLS, 601 with TCP, 514 with UDP", kind="whole"),
        TargetOption("transport", "tls", "name", "how messages travel", kind="choice", choices=("tls", "tcp", "udp")),
        TargetOption("facility", "audit", "name", "facility of all messages", kind="choice", choices=tuple(FACILITIES)),
        TargetOption("severities", {}, "map", "severities of levels, where they shall be others: audit => notice, …",
                     kind="map"),
        TargetOption("app_name", "whodid", "name", "APP-NAME of all messages"),
        TargetOption("enterprise_id", 32473, "number", "private enterprise number of whodid@NUMBER; 32473 is the one "
                     "for examples", kind="whole"),
        TargetOption("bom", True, "flag", "a byte order mark before the line, as RFC 5424 asks for UTF-8", kind="flag"),
        TargetOption("message_bytes_max", 65_536, "bytes", "what the receiver takes; RFC 5425 asks for 2,048 at least",
                     kind="whole"),
        TargetOption("oversize", "refuse", "name", "what becomes of larger ones: dead letters, or their beginning goes",
                     kind="choice", choices=("refuse", "truncate")),
        TargetOption("ca_file", None, "file", "certificates to trust (PEM) instead of the system's", optional=True),
        TargetOption("certificate_file", None, "file", "certificate to show (PEM), its key in it or in key_file",
                     optional=True),
        TargetOption("key_file", None, "file", "private key of the certificate (PEM)", optional=True),
        TargetOption("key_password", None, "text", "of the private key", secret=True, optional=True),
        TargetOption("timeout_s", 30.0, "s", "how long connecting, and a delivery, may each take", kind="number"),
    )  # fmt: skip
    EVENTS_MAX: ClassVar[int | None] = 2_000

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self._messages = Messages(
            facility=options["facility"],
            severities=options["severities"],
            app_name=options["app_name"],
            enterprise=options["enterprise_id"],
            bom=options["bom"],
            host=context.node,
        )
        if options["port"] > PORT_MAX:
            raise WhodidError("invalid", f"port is {options['port']}.", f"At most {PORT_MAX:,}.")
        self._address = (options["host"], options["port"] or PORTS[options["transport"]])
        self._name = f"{self._address[0]}:{self._address[1]} ({options['transport']})"
        self._is_udp = options["transport"] == "udp"
        self._most = options["message_bytes_max"]
        if self._is_udp:
            self._most = min(self._most, UDP_BYTES_MAX)
        self._trust = _trust(options) if options["transport"] == "tls" else None
        self._socket: socket.socket | None = None
        self._cancelled = False

    def open(self) -> Mapping[str, int]:
        with self._explained("connecting"):
            self._socket = self._connected()
        return {}

    def send(self, delivery: Delivery) -> Sent:
        messages: list[tuple[int, bytes]] = []
        refused: list[Refusal] = []
        for seq, label, line in delivery.labelled():
            head = self._messages.head(seq, label)
            if len(head) + len(line) > self._most and self.options["oversize"] == "truncate":
                head = self._messages.head(seq, label, CUT_MARK)
                line = cut(line, self._most - len(head))
            size_bytes = len(head) + len(line)
            if size_bytes > self._most:
                refused.append(Refusal(seq, "too_large", f"It takes {size_bytes:,} bytes; {self._most:,} are allowed."))
            else:
                messages.append((seq, head + line))
        with self._explained("sending"):
            if self._is_udp:
                sent_bytes = self._send_datagrams(messages, refused)
            else:
                sent_bytes = self._send_stream([message for _, message in messages])
        answer = f"{delivery.count - len(refused)} messages to {self._name}, which does not answer"
        return Sent(delivery.count - len(refused), sent_bytes, refused, answer)

    def close(self) -> None:
        open_socket, self._socket = self._socket, None
        if open_socket is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if isinstance(open_socket, ssl.SSLSocket) and not self._cancelled:
                # RFC 5425 asks for a close_notify; nobody waits for the other side's.
                open_socket.settimeout(0.2)
                open_socket.unwrap()
        open_socket.close()

    def cancel(self) -> None:
        self._cancelled = True
        open_socket = self._socket
        if open_socket is not None:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def _connected(self) -> socket.socket:
        timeout_s = self.options["timeout_s"]
        if self._is_udp:
            family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            made = socket.socket(family, kind, protocol)
            made.settimeout(timeout_s)
            made.connect(address)
            return made
        plain = socket.create_connection(self._address, timeout_s)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._trust is None:
                return plain
            return self._trust.wrap_socket(plain, server_hostname=self._address[0])
        except BaseException:
            plain.close()
            raise

    @property
    def _open(self) -> socket.socket:
        if self._socket is None or self._cancelled:
            raise WhodidError("unavailable", f"{self._name}: the connection was given up.")
        return self._socket

    def _send_datagrams(self, messages: list[tuple[int, bytes]], refused: list[Refusal]) -> int:
        sent_bytes = 0
        for seq, message in messages:
            try:
                sent_bytes += self._open.send(message)
            except OSError as error:
                # The way there may take less than what is allowed here.
                if error.errno != errno.EMSGSIZE:
                    raise
                refused.append(Refusal(seq, "too_large", f"{len(message):,} bytes fit into no datagram."))
        return sent_bytes

    def _send_stream(self, messages: list[bytes]) -> int:
        until_s = time.monotonic() + self.options["timeout_s"]
        self._check_open()
        sent_bytes = held_bytes = 0
        held: list[bytes] = []
        for message in [*messages, b""]:
            if message:
                held += (b"%d " % len(message), message)
                held_bytes += len(message)
            if held and (not message or held_bytes >= WRITE_BYTES):
                data = b"".join(held)
                self._open.settimeout(max(0.01, until_s - time.monotonic()))
                self._open.sendall(data)
                sent_bytes += len(data)
                held, held_bytes = [], 0
        self._wait_acknowledged(until_s)
        self._check_open()
        return sent_bytes

    def _wait_acknowledged(self, until_s: float) -> None:
        """Return when the other machine has every byte, as far as this system tells."""
        if sys.platform != "linux":
            return
        pause_s = 0.0005
        while _unacknowledged_bytes(self._open):
            if time.monotonic() > until_s:
                raise TimeoutError("the receiver takes nothing")
            time.sleep(pause_s)
            pause_s = min(0.05, pause_s * 2)

    def _check_open(self) -> None:
        """Raises when the other side has closed the connection, or refuses it: what is sent from then on is lost."""
        connection = self._open
        if not select.select([connection], [], [], 0)[0]:
            return
        connection.setblocking(False)
        try:
            if connection.recv(4_096) == b"":
                raise ConnectionResetError("the receiver has closed the connection")
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            connection.settimeout(self.options["timeout_s"])

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise WhodidError(
                "forbidden",
                f"{self._name}: its certificate is not trusted: {error.verify_message}.",
                "Check host and ca_file; then resume.",
            ) from error
        except ssl.SSLError as error:
            reason = error.reason or str(error)
            if any(word in reason for word in _OF_US):
                raise WhodidError(
                    "forbidden",
                    f"{self._name}: {doing}: it refuses us: {reason}.",
                    "Check certificate_file and key_file; then resume.",
                ) from error
            raise self._unavailable(doing, reason) from error
        except OSError as error:
            raise self._unavailable(doing, str(error) or type(error).__name__) from error

    def _unavailable(self, doing: str, why: str) -> WhodidError:
        return WhodidError(
            "unavailable",
            f"{self._name}: {doing} failed: {why}.",
            "Check host and port, and whether this machine can reach it.",
        )


def _trust(options: Mapping[str, Any]) -> ssl.SSLContext:
    try:
        trust = trusting(ca_file=options["ca_file"])
        trust.minimum_version = ssl.TLSVersion.TLSv1_2
        if options["certificate_file"]:
            password = options["key_password"] or ""
            trust.load_cert_chain(options["certificate_file"], options["key_file"], lambda: password)
    except (OSError, ssl.SSLError) as error:
        raise WhodidError(
            "invalid",
            f"ca_file, certificate_file or key_file cannot be read: {error.strerror or error}.",
            "They are PEM files that the server may read; key_password opens the key.",
            field="ca_file",
        ) from error
    return trust


def _unacknowledged_bytes(connection: socket.socket) -> int:
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])
