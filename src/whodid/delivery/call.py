"""A connection to somebody else's server: to an address that was looked at, within one time for all of it."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from whodid.errors import WhodidError

DEADLINE_S: Final = 30.0
CONNECT_S: Final = 10.0
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

# Where clouds tell a machine its secrets, besides the link-local addresses.
_METADATA: Final = frozenset({"100.100.100.200", "192.0.0.192", "fd00:ec2::254", "168.63.129.16"})


class Call:
    """One exchange with a server. When the time is over, or at `abort`, its socket is shut and whoever waits fails.

    Parameters
    ----------
    what
        For error messages: `the mail server mail.example.com`; never a secret.
    deadline_s
        For everything from the look-up of the name to the last byte.
    """

    def __init__(self, what: str, *, deadline_s: float = DEADLINE_S):
        self.what = what
        self._ends = time.monotonic() + deadline_s
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._why = ""
        self.ended = False
        self._too_late = f"did not finish within {deadline_s:g} s"
        self._timer = threading.Timer(deadline_s, self.abort, [self._too_late])
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._timer.cancel()
        self.ended = True
        with self._lock:
            taken, self._socket = self._socket, None
        if taken is not None:
            taken.close()
        # The socket may notice that the time is over before the timer does.
        if isinstance(error, TimeoutError) and time.monotonic() >= self._ends:
            self._why = self._why or self._too_late
        if isinstance(error, OSError | EOFError) or (self._why and error is not None):
            reason = self._why or str(error) or type(error).__name__
            raise WhodidError(
                "unavailable",
                f"{self.what} failed: {reason[:300]}.",
                "Check its address, and whether this machine can reach it.",
            ) from error

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the first address of a host that answers.

        Raises
        ------
        WhodidError("forbidden")
            One of its addresses must not be called: link-local, where clouds keep secrets; or none at all.
        OSError
            It does not answer.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, address in found:
            refuse_forbidden(str(address[0]), host)
        last: OSError | None = None
        for family, kind, protocol, _, address in found:
            attempt = socket.socket(family, kind, protocol)
            attempt.settimeout(min(CONNECT_S, max(0.1, self._ends - time.monotonic())))
            try:
                attempt.connect(address)
            except OSError as error:
                attempt.close()
                last = error
                continue
            attempt.settimeout(max(0.1, self._ends - time.monotonic()))
            self.watch(attempt)
            return attempt
        raise last or OSError(f"{host} has no address")

    def secured(self, plain: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """TLS on a connection. Raises WhodidError("forbidden") when the certificate is not trusted."""
        wrapped = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        self.watch(wrapped)
        try:
            wrapped.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise untrusted(host, error) from None
        return wrapped

    def watch(self, connected: Any) -> None:
        """Shut this socket at the end: the one below a TLS connection."""
        with self._lock:
            self._socket = connected
            if self._why:
                _shut(connected)

    def abort(self, why: str = "was broken off") -> None:
        """End it now; for any thread."""
        with self._lock:
            self._why = self._why or why
            if self._socket is not None:
                _shut(self._socket)


def refuse_forbidden(address: str, host: str) -> None:
    """Raises WhodidError("forbidden") for an address that whodid must never be sent to by a setting."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    for one in (ip, *_inside(ip)):
        if one.is_link_local or one.is_multicast or one.is_unspecified or str(one) in _METADATA:
            raise WhodidError(
                "forbidden",
                f"{host[:200]} leads to {one}, an address that is not called: it is link-local, or serves secrets.",
                "Name a server that is reached by its own address.",
            )


def _inside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The addresses of IPv4 that an address of IPv6 stands for."""
    if isinstance(ip, ipaddress.IPv6Address):
        yield from (one for one in (ip.ipv4_mapped, ip.sixtofour) if one is not None)
        if ip in _NAT64:
            yield ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)


def untrusted(host: str, error: ssl.SSLCertVerificationError) -> WhodidError:
    return WhodidError(
        "forbidden",
        f"The certificate of {host} is not trusted: {error.verify_message}.",
        "Give its authority as certificates.",
    )


def _shut(connected: socket.socket) -> None:
    # On TLS connections too, and without waiting for who reads.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
