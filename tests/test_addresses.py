"""Addresses: what can be read of them, and that nothing of those that cannot be is."""

from __future__ import annotations

import pytest

from whodid.addresses import parts_of


def test_an_address_has_its_parts() -> None:
    parts = parts_of("https://ann:word@[::1]:8443/path?x=1")
    assert (parts.scheme, parts.username, parts.password) == ("https", "ann", "word")
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("::1", 8443, "/path", "x=1")


@pytest.mark.parametrize("address", ["", "http://[", "http://host]", "http://host:port", "http://host:65536"])
def test_what_cannot_be_read_has_no_parts(address: str) -> None:
    parts = parts_of(address)
    assert (parts.scheme, parts.netloc, parts.hostname, parts.port) == ("", "", None, None)
