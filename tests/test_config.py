"""Options: numbers that make no sense are refused, wherever they come from."""

from __future__ import annotations

import pytest

from whodid.config import Config
from whodid.errors import WhodidError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("port", 99_999, "port is 99999; it goes from 0 to 65535."),
        ("query_timeout_ms", "-5", "query_timeout_ms is -5; it is 1 at least."),
        ("query_timeout_ms", "0", "query_timeout_ms is 0; it is 1 at least."),
        ("drain_ms", "-1", "drain_ms is -1; it is 0 at least."),
        ("drain_ms", "soon", "drain_ms is 'soon', which is no whole number of ms."),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    name: str, value: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WhodidError) as caught:
        Config(**{name: value})
    assert caught.value.message == said
    assert caught.value.hint and caught.value.hint.startswith(f"WHODID_{name.upper()}: ")
    monkeypatch.setenv(f"WHODID_{name.upper()}", str(value))
    with pytest.raises(WhodidError) as caught:
        Config()
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_url", "audit.example.com"),
        ("public_url", "https://"),
        ("public_url", "http://["),
        ("public_url", "https://ann:secret@audit.example.com"),
        ("public_url", "https://audit.example.com/?page=secret"),
        ("oidc_issuer", "javascript:secret"),
        ("allowed_origins", "app.example.org"),
        ("allowed_origins", "https://app.example.org/secret"),
        ("allowed_origins", "https://one.example,https://a b"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_and_not_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"WHODID_{name.upper()}", value)
    with pytest.raises(WhodidError, match=f"{name} cannot be read as URL") as caught:
        Config()
    assert caught.value.hint is not None and f"WHODID_{name.upper()}: " in caught.value.hint
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("public_url", ""),
        ("public_url", "https://audit.example.com"),
        ("public_url", "http://[::1]:8400/"),
        ("oidc_issuer", "https://id.example.com/realms/main"),
        ("allowed_origins", "https://app.example.org, http://127.0.0.1:3000,"),
        ("allowed_origins", "*"),
        ("allowed_origins", "https://*.example.org,null,tauri://localhost"),
    ],
)
def test_addresses_are_taken_as_they_are(name: str, value: str) -> None:
    assert getattr(Config(**{name: value}), name) == value


def test_bounds_themselves_are_taken() -> None:
    taken = Config(port="65535", drain_ms=0, query_timeout_ms=1)
    assert (taken.port, taken.drain_ms, taken.query_timeout_ms) == (65_535, 0, 1)
