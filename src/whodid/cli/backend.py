"""Settings and status: the HTTP interface, of a server, or of an application in this process on a free data folder."""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx

from whodid.cli.options import Place
from whodid.cli.owner import ServerAddress, engine_of, server_of
from whodid.errors import CODES, WhodidError

if TYPE_CHECKING:
    from whodid.engine import Engine

# What a verb asks for may take long: a schedule that runs, files that lie far away.
_ANSWER_S: Final = 600.0
_CONNECT_S: Final = 10.0


class Backend(ABC):
    """Asks and changes by the routes of `web/routes.py`; answers are plain values."""

    def ask(self, method: str, *parts: str, params: dict[str, Any] | None = None, body: Any = None) -> Any:
        """The JSON that a route answers.

        parts  of the path behind /v1, unquoted: names may hold anything.
        body   a value for JSON, or the bytes of a CSV file.

        Raises
        ------
        WhodidError
            With the code, message and hint of the answer.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        path = _path(parts)
        return _value(self._send(method, path, given, body))

    def fetch(self, method: str, *parts: str, params: dict[str, Any] | None = None) -> httpx.Response:
        """The answer of a route as it is, for those that are no JSON; raises as `ask`."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        path = _path(parts)
        response = self._send(method, path, given, None)
        if not response.is_success:
            _value(response)
        return response

    def text(self, *parts: str) -> bytes:
        """What a route answers that answers no JSON."""
        return self.fetch("GET", *parts).content

    @abstractmethod
    def _send(self, method: str, path: str, params: dict[str, Any], body: Any) -> httpx.Response: ...


class _Remote(Backend):
    def __init__(self, server: ServerAddress):
        self._url = server.url
        headers = {"authorization": f"Bearer {server.key}"} if server.key else {}
        timeout = httpx.Timeout(_ANSWER_S, connect=_CONNECT_S)
        try:
            self._client = httpx.Client(base_url=server.url, headers=headers, timeout=timeout)
        except httpx.InvalidURL as error:
            raise WhodidError("invalid", f"{server.url!r} is no URL of a server: {error}.") from error

    def _send(self, method: str, path: str, params: dict[str, Any], body: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, params=params, **_body(body))
        except httpx.ReadTimeout as error:
            raise WhodidError(
                "timeout", f"{self._url} did not answer within {_ANSWER_S:,.0f} s.", "What was asked may go on there."
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise WhodidError(
                "unavailable", f"{self._url} cannot be reached: {error}.", "Is the server running? See: whodid serve"
            ) from error

    def close(self) -> None:
        self._client.close()


class _Local(Backend):
    """The web application on an engine of this process, asked without a network."""

    def __init__(self, engine: Engine):
        from whodid.receive.access import Access
        from whodid.web.app import create_app
        from whodid.web.services import Services

        self._key = secrets.token_urlsafe(32)
        self._app: Any = create_app(Services.of(engine, Access(engine.directory, local_key=self._key, loopback=True)))

    def _send(self, method: str, path: str, params: dict[str, Any], body: Any) -> httpx.Response:
        return asyncio.run(self._send_inside(method, path, params, body))

    async def _send_inside(self, method: str, path: str, params: dict[str, Any], body: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app)
        headers = {"authorization": f"Bearer {self._key}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
            return await client.request(method, path, params=params, **_body(body))


@contextmanager
def backend_of(place: Place, *, make: bool = False) -> Iterator[Backend]:
    """The backend of a place; `make` makes a data folder that is not there yet."""
    server = server_of(place)
    if server is not None:
        remote = _Remote(server)
        try:
            yield remote
        finally:
            remote.close()
        return
    with engine_of(place, make=make) as engine:
        engine.flush()
        yield _Local(engine)


def _body(body: Any) -> dict[str, Any]:
    """Bytes are sent as the CSV they are, everything else as JSON."""
    return {"content": body, "headers": {"content-type": "text/csv"}} if isinstance(body, bytes) else {"json": body}


def _value(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json()
    try:
        told = response.json()["error"]
        if told["code"] in CODES:
            raise WhodidError(told["code"], told["message"], told["hint"])
    except (ValueError, KeyError, TypeError):
        pass
    raise WhodidError(
        "unavailable",
        f"{response.request.url.host} answered {response.status_code} and is no whodid server.",
        "Check --server: the URL of a whodid server, such as http://127.0.0.1:8400.",
    )


def _path(parts: tuple[str, ...]) -> str:
    """The path of a route. Raises WhodidError("invalid") for a name that would be no part of it, or lead elsewhere."""
    for part in parts:
        if part in ("", ".", ".."):
            raise WhodidError("invalid", f"Nothing is called {part!r}.", "Give a name. Is a variable not set?")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)
