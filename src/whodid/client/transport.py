"""One kept-alive HTTP connection to the server, and what its answers mean."""

from __future__ import annotations

import codecs
import contextlib
import email.utils
import http.client
import socket
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from whodid.errors import WhodidError

USER_AGENT: Final = "whodid-python"
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
RETRY_AFTER_S_MAX: Final = 3600.0

# Statuses after which the same request can succeed later.
TEMPORARY: Final = frozenset((408, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529))


# The first connection would import it, in a thread; a fork in that moment would wait for its lock for ever.
codecs.lookup("idna")


class Answer(msgspec.Struct):
    """An HTTP answer. `told` is its JSON object, empty when it has none; `retry_after_s` None when it does not say."""

    status: int
    told: dict[str, Any]
    retry_after_s: float | None = None
    etag: str | None = None
    max_age_s: float | None = None

    @property
    def is_done(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_taken(self) -> bool:
        """Whether it is the answer of a whodid that has the events; a proxy's page of welcome has status 200 too."""
        return self.is_done and "accepted" in self.told

    @property
    def is_temporary(self) -> bool:
        return self.status in TEMPORARY

    @property
    def rejected(self) -> list[dict[str, Any]]:
        """Events that the server did not take but kept as rejected."""
        found = self.told.get("rejected")
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def reason(self) -> str:
        """What the server says is wrong, in one line."""
        error = self.told.get("error")
        if isinstance(error, dict) and error.get("message"):
            hint = error.get("hint")
            return f"{error['message']} {hint}" if hint else str(error["message"])
        if self.is_done:
            return "its answer is none of a whodid server; the URL leads somewhere else."
        return f"it answered {self.status} {http.client.responses.get(self.status, '')}".strip()


class Transport:
    """Posts and gets on one connection; not for two threads at once.

    url, key    of the server; the URL may have a path, behind a proxy.
    timeout_s   for each step of a request; may be changed between requests.
    """

    def __init__(self, url: str, key: str | None, *, timeout_s: float, tls: ssl.SSLContext | None = None):
        parts = address_of(url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._path = parts.path.rstrip("/")
        self._headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self.timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes) -> Answer:
        """Send gzipped events, one a line. Raises OSError when there is no answer; temporary."""
        headers = {**self._headers, "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        return self._request("POST", path, body, headers)

    def get(self, path: str, etag: str | None = None) -> Answer:
        """Ask for JSON. Raises OSError when there is no answer; temporary."""
        headers = {**self._headers, "If-None-Match": etag} if etag else self._headers
        return self._request("GET", path, None, headers)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        for attempt in (1, 2):
            is_fresh = self._connection is None
            try:
                return self._on_connection(method, path, body, headers)
            except TimeoutError:
                self.close()
                raise
            except (OSError, http.client.HTTPException, UnicodeError) as error:
                self.close()
                # A server may close a connection that was idle, just when it is used again.
                if is_fresh or attempt == 2:
                    raise error if isinstance(error, OSError) else ConnectionError(repr(error)) from error
        raise ConnectionError("no answer")

    def _on_connection(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connected()
        elif connection.sock is not None:
            connection.sock.settimeout(self.timeout_s)
        with contextlib.suppress(BrokenPipeError):
            # Who refuses a body early may close before it is sent; the answer is there all the same.
            connection.request(method, self._path + path, body, headers)
        answer = connection.getresponse()
        content = answer.read(ANSWER_BYTES_MAX)
        if not answer.isclosed():
            self.close()
        if answer.will_close:
            self.close()
        return Answer(
            status=answer.status,
            told=_object(content),
            retry_after_s=retry_after_s(answer.headers.get("Retry-After")),
            etag=answer.headers.get("ETag"),
            max_age_s=_max_age_s(answer.headers.get("Cache-Control")),
        )

    def _connected(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=self.timeout_s, context=self._tls)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self.timeout_s)
        connection.connect()
        with contextlib.suppress(OSError):
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def address_of(url: str) -> Any:
    """The parts of a server's URL. Raises WhodidError("invalid")."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.username:
        raise WhodidError(
            "invalid",
            "The server's URL is none that events can be posted to.",
            "Give it like https://audit.example.com or http://127.0.0.1:8400, and the key apart from it.",
        )
    return parts


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait: a number of seconds, or a date."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_S_MAX)
    try:
        at = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, at - time.time()), RETRY_AFTER_S_MAX)


def _max_age_s(header: str | None) -> float | None:
    for part in (header or "").lower().split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.isascii() and value.isdigit():
            return float(value[:9])
    return None


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
