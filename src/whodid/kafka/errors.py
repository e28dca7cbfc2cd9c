"""What Kafka says, and what it means to whom a client works for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError

from whodid.errors import WhodidError

# Errors that only a person can mend: KafkaError's name → our code, and what the hint is about. Everything else is
# temporary.
PERMANENT: Final[dict[int, tuple[str, str]]] = {
    KafkaError._AUTHENTICATION: ("unauthorized", "credentials"),
    KafkaError.SASL_AUTHENTICATION_FAILED: ("unauthorized", "credentials"),
    KafkaError.UNSUPPORTED_SASL_MECHANISM: ("unauthorized", "credentials"),
    KafkaError.TOPIC_AUTHORIZATION_FAILED: ("forbidden", "rights"),
    KafkaError.GROUP_AUTHORIZATION_FAILED: ("forbidden", "rights"),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: ("forbidden", "rights"),
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ("forbidden", "rights"),
    KafkaError.UNKNOWN_TOPIC_OR_PART: ("not_found", "topic"),
    KafkaError._UNKNOWN_TOPIC: ("not_found", "topic"),
    KafkaError._UNKNOWN_PARTITION: ("not_found", "topic"),
    KafkaError.TOPIC_EXCEPTION: ("invalid", "name"),
    KafkaError.MSG_SIZE_TOO_LARGE: ("invalid", "size"),
    KafkaError.INVALID_RECORD: ("invalid", "record"),
    KafkaError.POLICY_VIOLATION: ("forbidden", "policy"),
    KafkaError.INVALID_TRANSACTION_TIMEOUT: ("invalid", "transaction-timeout"),
    KafkaError.UNSUPPORTED_VERSION: ("unsupported", "version"),
    KafkaError._UNSUPPORTED_FEATURE: ("unsupported", "version"),
    KafkaError._INVALID_ARG: ("invalid", "options"),
}

PURGED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
# Errors that pass by themselves, of which librdkafka does not say so.
PASSING: Final = frozenset(
    {
        *(KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._WAIT_COORD, KafkaError._ALL_BROKERS_DOWN),
        *(KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE),
        *(KafkaError.UNSTABLE_OFFSET_COMMIT, KafkaError.CONCURRENT_TRANSACTIONS),
    }
)


def is_end(error: KafkaError) -> bool:
    """Whether waiting cannot help."""
    return error.fatal() or error.code() in PERMANENT or _is_distrust(error)


def explained(error: KafkaError, doing: str, hints: Mapping[str, str]) -> WhodidError:
    """The WhodidError that says what an error means; `hints` tells by what a hint is about how to mend it."""
    message = f"Kafka: {doing}: {error.str()[:300]} ({error.name()})"
    if _is_distrust(error):
        return WhodidError("forbidden", message, hints.get("trust"))
    if error.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED):
        return WhodidError("unavailable", f"{message} (another producer has taken over).", "It begins again.")
    code, about = PERMANENT.get(error.code(), ("unavailable", "passing"))
    return WhodidError(code, message, hints.get(about, "Look at the brokers." if about == "passing" else None))


def _is_distrust(error: KafkaError) -> bool:
    """Whether the broker's certificate, or ours, is not trusted."""
    text = error.str()
    return error.code() == KafkaError._SSL and ("verif" in text or "certificate" in text or "unknown ca" in text)
