"""Reading a server over HTTP, Arrow over the wire."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec
import pyarrow as pa

from whodid.errors import CODES, WhodidError
from whodid.reading.answer import Answer, UsageAnswer
from whodid.reading.filters import LISTS, EventFilter, make_filter, split_entity
from whodid.reading.output import FORMATS
from whodid.reading.read import PAGE_ROWS, USAGE_PARTS, check_bounds
from whodid.reading.reader import LIMIT_DEFAULT, Reader
from whodid.reading.times import instant

TIMEOUT_S: Final = 60.0
# Files may lie far away, and be many.
DATASET_TIMEOUT_S: Final = 600.0
NEXT_CURSOR: Final = "whodid-next-cursor"
TRUNCATED: Final = "whodid-truncated"
TOTAL: Final = "whodid-total"
_ARROW: Final = {"accept": FORMATS["arrow"].media_type}


class RemoteReader(Reader):
    """Reads from the server at `url`, with `key` if it needs one."""

    def __init__(self, url: str, key: str | None = None, *, transport: httpx.BaseTransport | None = None):
        headers = {"authorization": f"Bearer {key}"} if key else {}
        try:
            self._client = httpx.Client(
                base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT_S, transport=transport
            )
        except httpx.InvalidURL as error:
            raise WhodidError("invalid", f"{url!r} is no URL of a server: {error}.") from error
        self._url = url

    def query(
        self,
        sql: str,
        params: Sequence[Any] | dict[str, Any] | None = None,
        *,
        limit: int = LIMIT_DEFAULT,
        timeout_ms: int = 30_000,
    ) -> Answer:
        check_bounds(limit, timeout_ms)
        body = {"sql": sql, "params": params, "limit": limit, "timeout_ms": timeout_ms}
        content = msgspec.json.encode(body, enc_hook=str)
        headers = {**_ARROW, "content-type": "application/json"}
        timeout = TIMEOUT_S + timeout_ms / 1000
        return _answer(self._ask("POST", "/v1/query", content=content, headers=headers, timeout=timeout))

    def report(self, name: str, **parameters: Any) -> Answer:
        given = {
            key: instant(value, name=key).isoformat() if isinstance(value, timedelta) else value
            for key, value in parameters.items()
            if value is not None
        }
        return _answer(self._ask("GET", f"/v1/reports/{quote(name, safe='')}", params=given, headers=_ARROW))

    def reports(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "/v1/reports").json()["reports"]
        return found

    def dataset(
        self, name: str, *, partitions: Sequence[str] = (), limit: int | None = None, refresh: bool = False
    ) -> Answer:
        params = {"partition": list(partitions), **({"limit": limit} if limit is not None else {}), **_refresh(refresh)}
        path = f"/v1/datasets/{quote(name, safe='')}/rows"
        return _answer(self._ask("GET", path, params=params, headers=_ARROW, timeout=DATASET_TIMEOUT_S))

    def partitions(self, name: str, *, refresh: bool = False) -> list[dict[str, Any]]:
        path = f"/v1/datasets/{quote(name, safe='')}/partitions"
        answer = self._ask("GET", path, params=_refresh(refresh), timeout=DATASET_TIMEOUT_S)
        found: list[dict[str, Any]] = answer.json()["partitions"]
        return found

    def rejects(self, *, limit: int = 100, offset: int = 0) -> Answer:
        return _answer(self._ask("GET", "/v1/rejects", params={"limit": limit, "offset": offset}, headers=_ARROW))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", "/v1/status").json()
        return found

    def follow(self, **filters: Any) -> Iterator[dict[str, Any]]:
        params = _params(make_filter(**filters))
        del params["limit"], params["order"]
        # Where nothing happens, too, the server says so more often than the timeout asks for.
        with self._reached(), self._client.stream("GET", "/v1/events/stream", params=params) as response:
            if response.is_error:
                response.read()
                raise _error(response)
            kind = b""
            for line in _lines(response.iter_bytes()):
                if line.startswith(b"event: "):
                    kind = line[7:]
                elif line.startswith(b"data: ") and kind == b"event":
                    yield msgspec.json.decode(line[6:])

    def close(self) -> None:
        self._client.close()

    def _events(self, wanted: EventFilter) -> Answer:
        return self._pages("/v1/events", wanted)

    def _activity(self, wanted: EventFilter) -> Answer:
        return self._pages(f"{_subject(wanted)}/activity", wanted)

    def _usage(self, wanted: EventFilter) -> UsageAnswer:
        found = self._ask("GET", f"{_subject(wanted)}/usage", params=_params(wanted, "since", "until")).json()
        parts = {}
        for part in USAGE_PARTS:
            params = {"since": found["since"], "until": found["until"], "part": part}
            parts[part] = _answer(self._ask("GET", f"{_subject(wanted)}/usage", params=params, headers=_ARROW))
        return UsageAnswer(found["since"], found["until"], parts)

    def _pages(self, path: str, wanted: EventFilter) -> Answer:
        """As many pages as the limit takes: a page of the server is whole in memory on both sides."""
        names = () if path == "/v1/events" else ("since", "until", "cursor")
        params, left, tables = _params(wanted, *names), wanted.limit, []
        while True:
            page = _answer(self._ask("GET", path, params={**params, "limit": min(left, PAGE_ROWS)}, headers=_ARROW))
            tables.append(page.arrow())
            left -= len(page)
            if left <= 0 or page.next_cursor is None:
                return Answer(
                    pa.concat_tables(tables), truncated=page.next_cursor is not None, next_cursor=page.next_cursor
                )
            params["cursor"] = page.next_cursor

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self._reached():
            response = self._client.request(method, path, **more)
        if response.is_error:
            raise _error(response)
        return response

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise WhodidError("timeout", f"{self._url} did not answer in time.", "Narrow the time range.") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise WhodidError(
                "unavailable", f"{self._url} cannot be reached: {error}.", "Is the server running? See: whodid serve"
            ) from error


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream. To `httpx` one also ends at signs that texts within JSON may hold, such as U+2028."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole


def _refresh(refresh: bool) -> dict[str, str]:
    return {"refresh": "true"} if refresh else {}


def _subject(wanted: EventFilter) -> str:
    if wanted.user:
        return f"/v1/users/{quote(wanted.user[0], safe='')}"
    kind, name = split_entity(wanted.entity[0])
    return f"/v1/entities/{quote(kind, safe='')}/{quote(name, safe='')}"


def _params(wanted: EventFilter, *names: str) -> dict[str, Any]:
    """A filter as it is written in an address; with `names` only these of its fields."""
    params: dict[str, Any] = {}
    for name in names or wanted.__struct_fields__:
        value = getattr(wanted, name)
        if name in LISTS:
            value = [":".join(one) if isinstance(one, tuple) else one for one in value]
        elif value is not None and not isinstance(value, str | int):
            value = value.isoformat()
        if value not in (None, []):
            params[name] = value
    return params


def _answer(response: httpx.Response) -> Answer:
    table = pa.ipc.open_stream(io.BytesIO(response.content)).read_all()
    next_cursor = response.headers.get(NEXT_CURSOR)
    truncated = next_cursor is not None or response.headers.get(TRUNCATED) == "true"
    total = response.headers.get(TOTAL)
    return Answer(table, truncated=truncated, next_cursor=next_cursor, total=None if total is None else int(total))


def _error(response: httpx.Response) -> WhodidError:
    """The error that the server tells, or one that names what else answered."""
    try:
        told = response.json()["error"]
        if told["code"] in CODES:
            retry = response.headers.get("retry-after", "")
            return WhodidError(
                told["code"], told["message"], told["hint"], retry_after_s=int(retry) if retry.isdigit() else None
            )
    except (ValueError, KeyError, TypeError):
        pass
    return WhodidError(
        "unavailable",
        f"{response.request.url.host} answered {response.status_code} and is no whodid server.",
        "Check --server: the URL of a whodid server, such as http://127.0.0.1:8400.",
    )
