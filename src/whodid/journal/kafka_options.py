"""The options of `--journal kafka://…`: rows of data, and how a URL tells them.

    kafka://user:password@kafka-1:9092,kafka-2:9092/topic?partitions=12&ca_file=/etc/ssl/kafka.pem

A name with a dot in it is a property of librdkafka (`fetch.max.bytes=…`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from whodid.config import Option
from whodid.errors import WhodidError

DAY_MS: Final = 24 * 3600 * 1000

OPTIONS: Final[tuple[Option, ...]] = (
    Option("partitions", 6, "partitions", "a missing topic is made with so many; so many writers can share the work"),
    Option("replication", 3, "brokers", "that hold each record of a topic that is made"),
    Option("min_insync", 2, "brokers", "that have a record before its sender hears yes; topics that ask less are "
           "refused"),
    Option("key", "user", "name", "events of one user, entity, session or node stay in order; none: of one request"),
    Option("compression", "lz4", "name", "of records: lz4, zstd, snappy, gzip, none"),
    Option("linger_ms", 5, "ms", "how long records gather before they are sent together"),
    Option("timeout_ms", 10_000, "ms", "a sender waits for its answer no longer; then 429"),
    Option("waiting_bytes_max", 128 * 1024 * 1024, "bytes", "events in memory that wait for the brokers; then 429"),
    Option("keep_ms", DAY_MS, "ms", "stored records stay in the topic so long; -1: whodid deletes none"),
    Option("writer", True, "flag", "whether this server stores what is in the topic; no: it only receives"),
    Option("group", "", "name", "consumer group of the writers of one store; else a name of the store's own"),
    Option("accept", "", "id", "cluster or topic id to go on with although the store knows another"),
    Option("security", "", "name", "Kafka's security.protocol; else ssl, with a user sasl_ssl"),
    Option("mechanism", "SCRAM-SHA-512", "name", "of SASL: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN"),
    Option("username", "", "text", "for SASL; may also stand before the brokers"),
    Option("password", "", "text", "for SASL; may also stand before the brokers", secret=True),
    Option("ca_file", "", "file", "certificates to trust (PEM) instead of the system's"),
    Option("certificate_file", "", "file", "certificate to show (PEM)"),
    Option("key_file", "", "file", "its private key (PEM)"),
    Option("key_password", "", "text", "of the private key", secret=True),
)  # fmt: skip

CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "key": ("user", "entity", "session", "node", "none"),
    "compression": ("lz4", "zstd", "snappy", "gzip", "none"),
    "security": ("", "ssl", "sasl_ssl", "plaintext", "sasl_plaintext"),
    "mechanism": ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"),
}
LEAST: Final = {"partitions": 1, "replication": 1, "min_insync": 1, "timeout_ms": 1_000, "waiting_bytes_max": 1_000_000}

_BY_NAME: Final = {option.name: option for option in OPTIONS}
_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_FLAGS: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_EXAMPLE: Final = "Write it like kafka://kafka-1:9092,kafka-2:9092/whodid"


class KafkaUrl(NamedTuple):
    """What a URL says. `values` by name of `OPTIONS`; `settings` are properties of librdkafka."""

    brokers: tuple[str, ...]
    topic: str
    values: Mapping[str, Any]
    settings: Mapping[str, str]

    def __repr__(self) -> str:
        return f"KafkaUrl(kafka://{','.join(self.brokers)}/{self.topic})"

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def connection(self) -> dict[str, Any]:
        """The options of `whodid.kafka.properties.client`."""
        usual = "sasl_ssl" if self.values["username"] else "ssl"
        given = {name: value or None for name, value in self.values.items()}
        return {
            **given,
            "security": self.values["security"] or usual,
            "brokers": self.brokers,
            "settings": dict(self.settings),
            "timeout_s": self.values["timeout_ms"] / 1000,
        }


def parse(url: str) -> KafkaUrl:
    """Read a URL.

    Raises
    ------
    WhodidError("invalid")
        Something in it makes no sense; the message names it, and never a secret.
    """
    rest, _, query = url.removeprefix("kafka://").partition("?")
    address, _, topic = rest.partition("/")
    user, _, hosts = address.rpartition("@")
    brokers = tuple(host for host in hosts.split(",") if host)
    if not url.startswith("kafka://") or not brokers:
        raise WhodidError("invalid", "The journal's URL names no brokers.", _EXAMPLE)
    if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise WhodidError("invalid", f"The journal's URL names no topic: {topic[:80]!r} is none.", _EXAMPLE)
    name, _, password = user.partition(":")
    given = {"username": unquote(name), "password": unquote(password)} if user else {}
    settings = {}
    for option, text in parse_qsl(query, keep_blank_values=True):
        if "." in option:
            settings[option] = text
        else:
            given[option] = text
    unknown = sorted(given.keys() - _BY_NAME.keys())
    if unknown:
        known = ", ".join(_BY_NAME)
        raise WhodidError(
            "invalid", f"The journal's URL has {unknown[0][:80]!r}, which is no option.", f"Known: {known}"
        )
    values = {name: _value(option, given.get(name)) for name, option in _BY_NAME.items()}
    return KafkaUrl(brokers, topic, values, settings)


def _value(option: Option, text: str | None) -> Any:
    if text is None:
        return option.default
    try:
        if isinstance(option.default, bool):
            return _FLAGS[text.lower()]
        value: Any = int(text) if isinstance(option.default, int) else text
    except (ValueError, KeyError):
        raise WhodidError(
            "invalid", f"{option.name} is {text[:80]!r}; it is {_kind(option)}.", f"It means: {option.help}."
        ) from None
    choices = CHOICES.get(option.name)
    if choices is not None and value not in choices:
        raise WhodidError(
            "invalid", f"There is no {option.name} {value!r}.", f"Choose of: {', '.join(filter(None, choices))}."
        )
    if option.name in LEAST and value < LEAST[option.name]:
        raise WhodidError("invalid", f"{option.name} is {value:,}; {LEAST[option.name]:,} is the least.", option.help)
    return value


def _kind(option: Option) -> str:
    return "yes or no" if isinstance(option.default, bool) else f"a number of {option.unit}"
