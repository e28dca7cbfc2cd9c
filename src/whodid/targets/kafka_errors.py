"""What Kafka says, and what it means for a target."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

from whodid.errors import WhodidError

CREDENTIALS: Final = "Check security, mechanism, username and password; then resume."
RIGHTS: Final = (
    "The user needs Write on the topic; for exactly_once besides Write on the transactional id, and Read on the group "
    "and the topic; then resume."
)
TOPIC: Final = "Make the topic, or let the target make it (create_partitions); then resume."

# Errors that only a person can mend: KafkaError's name → our code and the hint. Everything else is temporary.
PERMANENT: Final[dict[int, tuple[str, str]]] = {
    KafkaError._AUTHENTICATION: ("unauthorized", CREDENTIALS),
    KafkaError.SASL_AUTHENTICATION_FAILED: ("unauthorized", CREDENTIALS),
    KafkaError.UNSUPPORTED_SASL_MECHANISM: ("unauthorized", CREDENTIALS),
    KafkaError.TOPIC_AUTHORIZATION_FAILED: ("forbidden", RIGHTS),
    KafkaError.GROUP_AUTHORIZATION_FAILED: ("forbidden", RIGHTS),
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: ("forbidden", RIGHTS),
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ("forbidden", RIGHTS),
    KafkaError.UNKNOWN_TOPIC_OR_PART: ("not_found", TOPIC),
    KafkaError._UNKNOWN_TOPIC: ("not_found", TOPIC),
    KafkaError._UNKNOWN_PARTITION: ("not_found", TOPIC),
    KafkaError.TOPIC_EXCEPTION: ("invalid", "Check the name of the topic; then resume."),
    KafkaError.MSG_SIZE_TOO_LARGE: ("invalid", "Set message_bytes_max to the topic's max.message.bytes; then resume."),
    KafkaError.INVALID_RECORD: ("invalid", "The topic asks for something else: for keys, or for a schema."),
    KafkaError.POLICY_VIOLATION: ("forbidden", "The cluster's policy does not allow it."),
    KafkaError.INVALID_TRANSACTION_TIMEOUT: ("invalid", "Lower timeout_s: the brokers allow less."),
    KafkaError.UNSUPPORTED_VERSION: ("unsupported", "The brokers know no transactions: set exactly_once=no."),
    KafkaError._UNSUPPORTED_FEATURE: ("unsupported", "The brokers know no transactions: set exactly_once=no."),
    KafkaError._INVALID_ARG: ("invalid", "Check the options of the target."),
}  # fmt: skip

PURGED: Final = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
# Errors that pass by themselves, of which librdkafka does not say so.
PASSING: Final = frozenset(
    {
        *(KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._WAIT_COORD, KafkaError._ALL_BROKERS_DOWN),
        *(KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE),
        *(KafkaError.UNSTABLE_OFFSET_COMMIT, KafkaError.CONCURRENT_TRANSACTIONS),
    }
)


def is_permanent(error: KafkaError) -> bool:
    return error.code() in PERMANENT or _is_distrust(error)


def explained(error: KafkaError, doing: str) -> WhodidError:
    """The WhodidError that says what an error means."""
    message = f"Kafka: {doing}: {_words(error)}"
    if _is_distrust(error):
        return WhodidError("forbidden", message, "Check the address and ca_file; then resume.")
    if error.code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED):
        return WhodidError("unavailable", f"{message} (another producer has taken over).", "It begins again.")
    code, hint = PERMANENT.get(error.code(), ("unavailable", "It is tried again."))
    return WhodidError(code, message, hint)


def _is_distrust(error: KafkaError) -> bool:
    """Whether the broker's certificate, or ours, is not trusted."""
    text = error.str()
    return error.code() == KafkaError._SSL and ("verif" in text or "certificate" in text or "unknown ca" in text)


def _words(error: KafkaError) -> str:
    return f"{error.str()[:300]} ({error.name()})"
