"""Whom a connection with TLS trusts: the authorities of the system, or those that are given."""

from __future__ import annotations

import ssl

from whodid.errors import WhodidError


def trusting(*, ca_file: str | None = None, certificates: str | None = None) -> ssl.SSLContext:
    """A context that checks the chain, the name and the time of a server's certificate.

    Parameters
    ----------
    ca_file
        A file (PEM) of the only authorities that are trusted; those of the system where it is None.
    certificates
        Authorities (PEM) that are trusted besides.

    Raises
    ------
    OSError, ssl.SSLError
        `ca_file` cannot be read, or one of them is no PEM.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if certificates:
        context.load_verify_locations(cadata=certificates)
    if ca_file or certificates:
        # Python since 3.13 refuses authorities for being made without an authority key identifier, as many companies
        # made theirs, and as other programs and earlier Pythons take them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def trusting_besides(certificates: str | None) -> ssl.SSLContext:
    """Trust the authorities of the system, and these (PEM, as a setting has them).

    Raises
    ------
    WhodidError("invalid")
        They cannot be read.
    """
    try:
        return trusting(certificates=certificates)
    except ssl.SSLError:
        raise WhodidError(
            "invalid", "The certificates cannot be read.", "Give them as PEM.", field="certificates"
        ) from None
