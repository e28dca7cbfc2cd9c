"""HTTP: another whodid, or any endpoint that takes JSON lines or an array by POST or PUT."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import httpx
import msgspec
import zstandard
from msgspec import Raw

from whodid.addresses import parts_of
from whodid.errors import WhodidError
from whodid.targets.base import BaseTarget, Context, Delivery, Offered, Refusal, Sent, TargetOption
from whodid.trust import trusting

ANSWER_SHOWN: Final = 300
_GZIP_LEVEL: Final = 1
# What an answer means for the request as a whole; 400, 413 and 422 are about what is in it.
_PERMANENT: Final[dict[int, str]] = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "invalid"}
_OF_EVENTS: Final = frozenset({400, 413, 422})
_RAWS: Final = msgspec.json.Decoder(dict[str, Raw])

Line = tuple[int, bytes]

CONNECTION: Final = (
    TargetOption("compression", "gzip", "name", "of the body", kind="choice", choices=("gzip", "zstd", "none")),
    TargetOption("timeout_s", 30.0, "s", "how long connecting, sending and the answer may each take", kind="number"),
    TargetOption("ca_file", None, "file", "certificates to trust (PEM) instead of the system's", optional=True),
    TargetOption("verify", True, "flag", "check the server's certificate", kind="flag"),
)


class HttpTarget(BaseTarget):
    """Posts lines in the target's format; an answer of 2xx means that they are durable there."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("url", None, "URL", "where to send to, such as https://siem.example.com/ingest"),
        TargetOption("method", "POST", "name", "of the request", kind="choice", choices=("POST", "PUT")),
        TargetOption("body", "ndjson", "name", "one line an event, or a JSON array", kind="choice",
                     choices=("ndjson", "array")),
        TargetOption("key", None, "key", "sent as Authorization: Bearer KEY", secret=True, optional=True),
        TargetOption("headers", {}, "map", "more headers: Name => value, …", secret=True, kind="map"),
        *CONNECTION,
    )  # fmt: skip
    EVENTS_MAX: ClassVar[int | None] = 2_000

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self._client: httpx.Client | None = None
        self._compress, self._encoding = _compressor(options["compression"])
        self._url = _url(options["url"])
        self._accepted = False
        self._sockets: list[socket.socket] = []

    def open(self) -> Mapping[str, int]:
        key = self.options.get("key")
        headers = {"user-agent": "whodid", **self._headers()}
        if key:
            headers["authorization"] = f"Bearer {key}"
        if self._encoding:
            headers["content-encoding"] = self._encoding
        self._client = httpx.Client(
            headers=headers,
            timeout=self.options["timeout_s"],
            verify=_trust(self._url, self.options["verify"], self.options["ca_file"]),
            trust_env=False,
        )
        return {}

    def send(self, delivery: Delivery) -> Sent:
        lines = self._lines(delivery)
        refused: list[Refusal] = []
        size_bytes, answer = self._post(lines, refused)
        if len(refused) == len(lines) > 1 and not self._accepted:
            raise WhodidError("invalid", f"{self._name} refuses everything: {refused[0].message}", "Check the options.")
        self._accepted = self._accepted or len(refused) < len(lines)
        return Sent(len(lines) - len(refused), size_bytes, refused, answer)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def cancel(self) -> None:
        # Closing the client from here would leave the thread that reads in its read.
        for opened in self._sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    @property
    def _name(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"

    def _headers(self) -> dict[str, str]:
        return dict(self.options["headers"])

    def _lines(self, delivery: Delivery) -> list[Line]:
        return [(seq, line) for seq, _, line in delivery.labelled()]

    def _body(self, lines: Sequence[Line]) -> tuple[bytes, str]:
        if self.options["body"] == "array":
            return b"[" + b",".join([line for _, line in lines]) + b"]", "application/json"
        return b"\n".join([line for _, line in lines]) + b"\n", "application/x-ndjson"

    def _post(self, lines: Sequence[Line], refused: list[Refusal]) -> tuple[int, str]:
        """Send lines, in halves where the other side refuses them together."""
        body, media_type = self._body(lines)
        data = self._compress(body)
        response = self._request(data, media_type)
        status = response.status_code
        answer = f"{status} {response.reason_phrase} {self._told(response)[:ANSWER_SHOWN]}".strip()
        if not response.is_success and status not in _OF_EVENTS:
            raise self._failed(response, answer)
        rejected = self._rejected(lines, response)
        if rejected is not None:
            refused += rejected
            return len(data), answer
        if len(lines) == 1:
            refused.append(Refusal(lines[0][0], "invalid", f"{self._name} answered {answer}"))
            return 0, answer
        middle = len(lines) // 2
        first, _ = self._post(lines[:middle], refused)
        second, answer = self._post(lines[middle:], refused)
        return first + second, answer

    def _told(self, response: httpx.Response) -> str:
        """What an answer says in words."""
        return response.text

    def _rejected(self, lines: Sequence[Line], response: httpx.Response) -> list[Refusal] | None:
        """Which of the lines an answer refuses; None when it does not say which."""
        return [] if response.is_success else None

    def _request(self, data: bytes, media_type: str) -> httpx.Response:
        assert self._client is not None
        try:
            return self._client.request(
                self.options.get("method", "POST"),
                self._url,
                content=data,
                headers={"content-type": media_type},
                extensions={"trace": self._trace},
            )
        except (httpx.HTTPError, OSError) as error:
            raise WhodidError(
                "unavailable", f"{self._name} cannot be reached: {str(error) or type(error).__name__}."
            ) from error

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Learn which socket the request goes over, so that it can be broken off."""
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            found = info["return_value"].get_extra_info("socket")
            self._sockets = [*self._sockets[-4:], found]

    def _failed(self, response: httpx.Response, answer: str) -> WhodidError:
        """What an answer other than yes means: permanent where only a person can mend it."""
        status = response.status_code
        message = f"{self._name} answered {answer}"
        if 300 <= status < 400:
            return WhodidError("invalid", f"{message}; it sends on to {response.headers.get('location', '?')[:200]}.")
        if status in _PERMANENT or (400 <= status < 500 and status not in (408, 425, 429)):
            return WhodidError(_PERMANENT.get(status, "invalid"), message, "Check url, key and headers; then resume.")
        return WhodidError("unavailable", message, retry_after_s=_seconds(response.headers.get("retry-after")))


class WhodidTarget(HttpTarget):
    """Another whodid. Ids stay, so that what is sent again changes nothing there."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("url", None, "URL", "of the other server, such as https://audit.example.com:8400"),
        TargetOption("key", None, "key", "of the other server, with the scope write", secret=True, optional=True),
        TargetOption("origin", True, "flag", "add a parameter “origin”: receiver, number, time, address and key id "
                     "under which the event was received first", kind="flag"),
        TargetOption("node", None, "name", "given to events that have no node", optional=True),
        *CONNECTION,
    )  # fmt: skip

    def __init__(self, options: Mapping[str, Any], context: Context):
        if context.format != "native":
            raise WhodidError("invalid", f"Another whodid takes events in the native format, not {context.format}.")
        super().__init__(options, context)
        path = urlsplit(self._url).path
        if path in ("", "/"):
            self._url = f"{self._url.rstrip('/')}/v1/events"

    def _headers(self) -> dict[str, str]:
        return {}

    def _lines(self, delivery: Delivery) -> list[Line]:
        return [(offered.seq, self._encoded(offered)) for offered in delivery.events()]

    def _body(self, lines: Sequence[Line]) -> tuple[bytes, str]:
        return b"[" + b",".join([line for _, line in lines]) + b"]", "application/json"

    def _encoded(self, offered: Offered) -> bytes:
        event = offered.event
        changes: dict[str, Any] = {}
        if event.node is None and self.options["node"]:
            changes["node"] = self.options["node"]
        if self.options["origin"]:
            changes["parameters"] = _with_origin(offered)
        return msgspec.json.encode(msgspec.structs.replace(event, **changes) if changes else event)

    def _rejected(self, lines: Sequence[Line], response: httpx.Response) -> list[Refusal] | None:
        try:
            told = response.json()
            rejected = told["rejected"]
            told["accepted"], told["duplicates"]
        except (ValueError, KeyError, TypeError):
            if not response.is_success:
                return None
            raise WhodidError("invalid", f"{self._name} is no whodid server.", "Check url.") from None
        return [Refusal(lines[item["index"]][0], item["code"], item["message"]) for item in rejected]


def _with_origin(offered: Offered) -> Raw:
    parameters = offered.event.parameters
    # An event that came through several servers keeps its first origin.
    if b'"origin"' in bytes(parameters) and "origin" in _RAWS.decode(parameters):
        return parameters
    known = {"seq": offered.seq, **msgspec.to_builtins(offered.provenance)}
    text = bytes(parameters).rstrip()
    comma = b"" if text[1:-1].strip() == b"" else b","
    return Raw(text[:-1] + comma + b'"origin":' + msgspec.json.encode(known) + b"}")


def _compressor(name: str) -> tuple[Callable[[bytes], bytes], str | None]:
    if name == "gzip":
        return lambda body: gzip.compress(body, _GZIP_LEVEL, mtime=0), "gzip"
    if name == "zstd":
        return zstandard.ZstdCompressor(level=1).compress, "zstd"
    return lambda body: body, None


def _url(text: str) -> str:
    parts = parts_of(text)
    if parts.username is not None or parts.password is not None:
        raise WhodidError(
            "invalid",
            "url holds a user or a password, which whoever sees the target would see.",
            "Give it as the option headers: Authorization => Basic …",
            field="url",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WhodidError(
            "invalid", "url is no address of an HTTP server.", "Write it like https://host:8400/path", field="url"
        )
    return text


def _trust(url: str, verify: bool, ca_file: str | None) -> ssl.SSLContext | bool:
    # Reading certificates takes 15 ms, and an address that is away or hangs is tried again and again.
    if not verify or url.startswith("http://"):
        return False
    if ca_file is None:
        return _system_trust()
    try:
        return trusting(ca_file=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise WhodidError("invalid", f"ca_file {ca_file} cannot be read: {error}.", field="ca_file") from error


@cache
def _system_trust() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
