"""Whom a connection with TLS trusts."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from support.certificates import write_certificates
from whodid.errors import WhodidError
from whodid.trust import trusting, trusting_besides


def greet(folder: Path, context: ssl.SSLContext, name: str = "localhost") -> None:
    """Connect to a server that has the certificate of `folder`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as secured:
                secured.send(b"hello")
        except OSError:
            theirs.close()

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        with context.wrap_socket(ours, server_hostname=name) as secured:
            assert secured.recv(5) == b"hello"
    finally:
        ours.close()
        answering.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_certificates(tmp_path)
    return tmp_path


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contexts as Python makes them since 3.13."""
    made = ssl.create_default_context

    def make(*, cafile: str | None = None) -> ssl.SSLContext:
        context = made(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", make)


@pytest.mark.usefixtures("strict")
def test_an_authority_that_is_given_is_trusted_though_it_was_made_without_its_key_identifier(folder: Path) -> None:
    authority = str(folder / "ca.pem")
    with pytest.raises(ssl.SSLCertVerificationError, match="Missing Authority Key Identifier"):
        greet(folder, ssl.create_default_context(cafile=authority))
    greet(folder, trusting(ca_file=authority))
    greet(folder, trusting_besides((folder / "ca.pem").read_text()))


def test_nobody_else_is(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    write_certificates(other)
    for context in (trusting(), trusting_besides(None), trusting(ca_file=str(other / "ca.pem"))):
        with pytest.raises(ssl.SSLCertVerificationError):
            greet(folder, context)


def test_the_name_is_checked(folder: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        greet(folder, trusting(ca_file=str(folder / "ca.pem")), "elsewhere.example.com")


def test_what_is_no_certificate_is_told(tmp_path: Path) -> None:
    with pytest.raises(WhodidError, match="cannot be read") as refused:
        trusting_besides("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----")
    assert refused.value.field == "certificates"
    with pytest.raises(OSError):
        trusting(ca_file=str(tmp_path / "none.pem"))
