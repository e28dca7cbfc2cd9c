"""How a Logger is told where to send, and what it does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import whodid
from whodid.client import Logger
from whodid.client.settings import settings_of
from whodid.errors import WhodidError


def test_server_key_and_spool_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHODID_SERVER", "https://audit.example.com/base")
    monkeypatch.setenv("WHODID_KEY", "very secret")
    monkeypatch.setenv("WHODID_SPOOL", str(tmp_path))
    settings = settings_of(None, None, None, {})
    assert (settings.url, settings.key) == ("https://audit.example.com/base", "very secret")
    assert settings.spool is not None and settings.spool.parent == tmp_path
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "WHODID_SERVER"),
        ({"url": "ftp://x"}, "URL"),
        ({"url": "http://user:pass@x"}, "URL"),
        ({"url": "http://x:99999999"}, "URL"),
        ({"url": "http://x", "overflow": "panic"}, "overflow"),
        ({"url": "http://x", "buffer_events_max": 0}, "buffer_events_max"),
        ({"url": "http://x", "batch_events_max": 20_000}, "batch_events_max"),
        ({"url": "http://x", "tls": "yes"}, "tls"),
        ({"url": "http://x", "key": "pass\nword"}, "key"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHODID_SERVER", raising=False)
    with pytest.raises(WhodidError) as raised:
        Logger(**options)
    assert raised.value.code == "invalid"
    assert named in str(raised.value)
    assert "pass" not in str(raised.value)


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="bufer"):
        Logger("http://x", bufer=3)


def test_the_public_names() -> None:
    assert whodid.Logger is Logger
    assert callable(whodid.audited)


def test_the_client_needs_the_standard_library_and_msgspec_only() -> None:
    script = "import sys; before = {*sys.modules}; from whodid import Logger, audited; print(*{*sys.modules} - before)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    ours = {name for name in loaded if name.startswith("whodid.")}
    allowed = ("whodid.client", "whodid.event", "whodid.errors", "whodid.typed")
    assert not {name for name in ours if not name.startswith(allowed)}
    tops = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert tops <= {"whodid", "msgspec", "typing_extensions"}, "msgspec takes the last where it is installed"
