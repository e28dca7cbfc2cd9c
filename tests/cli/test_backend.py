"""How verbs ask a server."""

from __future__ import annotations

import socket

import pytest

from whodid.cli import backend
from whodid.cli.options import Place
from whodid.errors import WhodidError


def test_a_server_that_takes_too_long_is_no_server_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "_ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = Place(server=f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(WhodidError, match="did not answer within") as caught, backend.backend_of(place) as asked:
            asked.ask("GET", "status")
    assert caught.value.code == "timeout"
