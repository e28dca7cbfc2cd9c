"""A strict syslog receiver: TLS, TCP or UDP; it takes what RFC 5424, 5425 and 6587 allow and nothing else."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from support.certificates import write_certificates

_PRINTABLE = r"[!-~]"
_NAME = r"[!#-<>-\\^-~]{1,32}"
_PARAMETER = rf' {_NAME}="(?:[^"\\\]]|\\["\\\]])*"'
_MESSAGE = re.compile(
    r"<(?P<pri>0|[1-9]\d{0,2})>1 (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) "
    rf"(?P<host>{_PRINTABLE}{{1,255}}) "
    rf"(?P<app>{_PRINTABLE}{{1,48}}) (?P<proc>{_PRINTABLE}{{1,128}}) (?P<id>{_PRINTABLE}{{1,32}}) "
    rf"(?P<data>-|(?:\[{_NAME}(?:{_PARAMETER})*\])+)(?: (?P<message>.*))?",
    re.DOTALL,
)
_PAIR = re.compile(rf' ({_NAME})="((?:[^"\\\]]|\\["\\\]])*)"')


class Message(NamedTuple):
    facility: int
    severity: int
    at: datetime
    host: str
    app: str
    id: str
    data_id: str
    data: dict[str, str]
    text: str
    has_bom: bool
    size_bytes: int


def parse(raw: bytes) -> Message:
    """A message, or AssertionError."""
    found = _MESSAGE.fullmatch(raw.decode("utf-8"))
    assert found is not None, raw[:500]
    priority, text = int(found["pri"]), found["message"] or ""
    assert priority <= 191
    data = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _PAIR.findall(found["data"])}
    return Message(
        *(priority >> 3, priority & 7, datetime.fromisoformat(found["at"]), found["host"], found["app"], found["id"]),
        *(found["data"][1:].partition(" ")[0], data, text.removeprefix("\ufeff"), text.startswith("\ufeff"), len(raw)),
    )


class SyslogServer:
    """Receives until it is closed. `errors` are what it did not like.

    transport  tls, tcp or udp.
    client_ca  with TLS: clients have to show a certificate that this file's authority signed.
    hangs      it accepts connections and neither reads nor says anything.
    """

    def __init__(self, folder: Path, transport: str = "tls", *, names: tuple[str, ...] = ("localhost",),
                 client_ca: Path | None = None, hangs: bool = False):  # fmt: skip
        self.raw: list[bytes] = []
        self.errors: list[str] = []
        self.folder = folder
        self.transport = transport
        self.hangs = hangs
        self.ca_file = folder / "ca.pem"
        self._connections: list[socket.socket] = []
        self._serving: list[threading.Thread] = []
        self._probes: dict[int, threading.Event] = {}
        self._tls: ssl.SSLContext | None = None
        if transport == "tls":
            folder.mkdir(parents=True, exist_ok=True)
            write_certificates(folder, names=names)
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(folder / "server.pem")
            if client_ca is not None:
                self._tls.load_verify_locations(client_ca)
                self._tls.verify_mode = ssl.CERT_REQUIRED
        if transport == "udp":
            self._listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._listener.bind(("127.0.0.1", 0))
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._datagrams if transport == "udp" else self._accept, daemon=True).start()

    def settled(self) -> list[Message]:
        """What has come, once every sender has closed its connection; with UDP once nothing comes any more."""
        if self.transport != "udp":
            # Connections are accepted in order: with this one all before it are.
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                accepted = self._probes.setdefault(probe.getsockname()[1], threading.Event())
                probe.connect(("127.0.0.1", self.port))
                assert accepted.wait(10)
        else:
            before = -1
            while before != len(self.raw):
                before = len(self.raw)
                threading.Event().wait(0.1)
        for one in list(self._serving):
            one.join(10)
            assert not one.is_alive(), "a sender keeps its connection"
        return self.messages

    @property
    def messages(self) -> list[Message]:
        return [parse(raw) for raw in list(self.raw)]

    def __enter__(self) -> SyslogServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        self._listener.close()

    def drop(self) -> None:
        """Close all connections."""
        for one in self._connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._connections.clear()

    def _datagrams(self) -> None:
        while True:
            try:
                self.raw.append(self._listener.recv(70_000))
            except OSError:
                return

    def _accept(self) -> None:
        while True:
            try:
                accepted, (_, port) = self._listener.accept()
            except OSError:
                return
            if port in self._probes:
                self._probes[port].set()
                accepted.close()
                continue
            self._connections.append(accepted)
            if not self.hangs:
                serving = threading.Thread(target=self._serve, args=(accepted,), daemon=True)
                serving.start()
                self._serving.append(serving)

    def _serve(self, accepted: socket.socket) -> None:
        try:
            connection = self._tls.wrap_socket(accepted, server_side=True) if self._tls is not None else accepted
            self._connections.append(connection)
            stream = connection.makefile("rb")
            while length := _length(stream.read(1), stream):
                message = stream.read(length)
                assert len(message) == length, "a message ends early"
                self.raw.append(message)
        except (AssertionError, ValueError) as error:
            self.errors.append(str(error))
        except OSError:
            # It broke, or trusts us not.
            return


def _length(digit: bytes, stream: object) -> int:
    """MSG-LEN of RFC 5425: digits without a leading zero, then a space."""
    if not digit:
        return 0
    assert digit in b"123456789", f"a length begins with {digit!r}"
    digits = b""
    while digit != b" ":
        assert digit.isdigit(), f"{digit!r} within a length"
        digits += digit
        digit = stream.read(1)  # type: ignore[attr-defined]
    return int(digits)
