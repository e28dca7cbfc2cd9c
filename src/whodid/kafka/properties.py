"""The properties of librdkafka that every client here has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from whodid.errors import WhodidError

# What a message's framing and its batch's take besides key, value and headers, at most.
OVERHEAD_BYTES: Final = 200

# Properties that would load other people's code into the server, or break what is promised.
NOT_SET: Final = frozenset(
    {
        *("plugin.library.paths", "ssl.engine.location", "ssl.providers", "debug"),
        *("error_cb", "logger", "on_delivery", "stats_cb", "throttle_cb", "oauth_cb"),
        *("acks", "request.required.acks", "enable.idempotence", "transactional.id", "bootstrap.servers", "group.id"),
    }
)
# Who uses a client tells once of what goes wrong; librdkafka would at every try.
_log = logging.getLogger(f"{__name__}.librdkafka")
_log.setLevel(logging.CRITICAL)


def client(
    options: Mapping[str, Any], *, client_id: str, on_error: Callable[[Any], None], barred: frozenset[str] = NOT_SET
) -> dict[str, Any]:
    """What every client is made with.

    options  brokers, security, mechanism, username, password, ca_file, certificate_file, key_file, key_password,
             timeout_s, and settings: further properties, which count more.
    Raises   WhodidError("invalid")  settings has one of `barred`; a user is given that `security` shows to nobody.
    """
    _refuse_idle_user(options)
    refused = sorted(barred & options["settings"].keys())
    if refused:
        raise WhodidError("invalid", f"settings has {refused[0]}, which cannot be set here.")
    given = {
        "bootstrap.servers": ",".join(options["brokers"]),
        "client.id": client_id[:200],
        "security.protocol": options["security"],
        "ssl.ca.location": options["ca_file"],
        "ssl.certificate.location": options["certificate_file"],
        "ssl.key.location": options["key_file"],
        "ssl.key.password": options["key_password"],
        "reconnect.backoff.ms": 200,
        "socket.connection.setup.timeout.ms": milliseconds(options["timeout_s"]),
        "error_cb": on_error,
        "logger": _log,
    }
    if options["security"].startswith("sasl"):
        given |= {
            "sasl.mechanism": options["mechanism"],
            "sasl.username": options["username"],
            "sasl.password": options["password"],
        }
    return {**{name: value for name, value in given.items() if value is not None}, **options["settings"]}


def _refuse_idle_user(options: Mapping[str, Any]) -> None:
    """Whoever gives a user means to be let in by it: without SASL the brokers would never hear of it."""
    security = options["security"]
    if security.startswith("sasl") or not (options["username"] or options["password"]):
        return
    raise WhodidError(
        "invalid",
        f"A user or a password is given, and security={security} shows the brokers neither.",
        "Choose security=sasl_ssl, or sasl_plaintext where the brokers speak in clear; or leave user and password out.",
        field="security",
    )


def milliseconds(seconds: float) -> int:
    """As librdkafka's timeouts are told; at least a second."""
    return max(1_000, int(seconds * 1_000))
