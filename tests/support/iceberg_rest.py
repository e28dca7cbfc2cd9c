"""An Iceberg REST catalog on loopback: the protocol in front of a catalog in SQLite, with a token that it checks."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

from pyiceberg.catalog.rest import CreateTableRequest, TableResponse
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.table import CommitTableRequest, Table

TOKEN: Final = "right-token"
_TABLES: Final = re.compile(r"/v1/namespaces/([^/]+)/tables(?:/([^/]+))?")
_ANSWERS: Final[dict[type[Exception], int]] = {
    NoSuchTableError: 404,
    NoSuchNamespaceError: 404,
    CommitFailedException: 409,
    TableAlreadyExistsError: 409,
    NamespaceAlreadyExistsError: 409,
}


class RestCatalog:
    """Where it is, and how it behaves: with `loses_answers` that many commits are done and answered with 500."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.catalog = SqlCatalog("rest", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
        self.lock = threading.Lock()
        self.loses_answers = 0
        handler = type("Handler", (_Handler,), {"rest": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    rest: ClassVar[RestCatalog]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answered(self._get)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._answered(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the tests' output."""

    def _answered(self, work: Any) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send(401, _error("NotAuthorizedException", "Not authorized", 401))
            return
        with self.rest.lock:
            try:
                told = work(body)
                if self.rest.loses_answers and self._is_commit():
                    self.rest.loses_answers -= 1
                    self._send(500, _error("InternalServerError", "The answer was lost", 500))
                else:
                    self._send(200, told)
            except tuple(_ANSWERS) as error:
                status = _ANSWERS[type(error)]
                self._send(status, _error(type(error).__name__, str(error), status))

    def _send(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _get(self, _body: bytes) -> str:
        if self.path.startswith("/v1/config"):
            return json.dumps({"defaults": {}, "overrides": {}})
        found = _TABLES.match(self.path)
        if found is None:
            name = self.path.removeprefix("/v1/namespaces/")
            told = self.rest.catalog.load_namespace_properties(name)
            return json.dumps({"namespace": [name], "properties": told})
        return _told(self.rest.catalog.load_table((found[1], found[2])))

    def _post(self, body: bytes) -> str:
        if self.path == "/v1/namespaces":
            self.rest.catalog.create_namespace(tuple(json.loads(body)["namespace"]))
            return body.decode()
        found = _TABLES.match(self.path)
        assert found is not None, self.path
        if found[2]:
            return self._committed((found[1], found[2]), CommitTableRequest.model_validate_json(body))
        asked = CreateTableRequest.model_validate({"location": None, **json.loads(body)})
        assert asked.partition_spec is not None and asked.write_order is not None
        made = self.rest.catalog.create_table(
            (found[1], asked.name),
            asked.table_schema,
            partition_spec=asked.partition_spec,
            sort_order=asked.write_order,
            properties=asked.properties,
        )
        return _told(made)

    def _committed(self, name: tuple[str, str], asked: CommitTableRequest) -> str:
        found = self.rest.catalog.load_table(name)
        return self.rest.catalog.commit_table(found, asked.requirements, asked.updates).model_dump_json(by_alias=True)

    def _is_commit(self) -> bool:
        found = _TABLES.match(self.path)
        return self.command == "POST" and found is not None and found[2] is not None


def _told(table: Table) -> str:
    told = TableResponse.model_validate({"metadata": table.metadata, "metadata-location": table.metadata_location})
    return told.model_dump_json(by_alias=True)


def _error(kind: str, message: str, code: int) -> str:
    return json.dumps({"error": {"type": kind, "message": message, "code": code}})


@contextmanager
def rest_catalog(folder: Path) -> Iterator[RestCatalog]:
    """One that runs for the length of a block."""
    rest = RestCatalog(folder)
    thread = threading.Thread(target=rest.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield rest
    finally:
        rest.server.shutdown()
        thread.join(10)
        rest.server.server_close()
