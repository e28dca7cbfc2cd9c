"""How a person mends what Kafka says to a target."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

from whodid.errors import WhodidError
from whodid.kafka import errors

HINTS: Final = {
    "credentials": "Check security, mechanism, username and password; then resume.",
    "rights": "The user needs Write on the topic; for exactly_once besides Write on the transactional id, and Read on "
    "the group and the topic; then resume.",
    "topic": "Make the topic, or let the target make it (create_partitions); then resume.",
    "trust": "Check the address and ca_file; then resume.",
    "name": "Check the name of the topic; then resume.",
    "size": "Set message_bytes_max to the topic's max.message.bytes; then resume.",
    "record": "The topic asks for something else: for keys, or for a schema.",
    "policy": "The cluster's policy does not allow it.",
    "transaction-timeout": "Lower timeout_s: the brokers allow less.",
    "version": "The brokers know no transactions: set exactly_once=no.",
    "options": "Check the options of the target.",
}


def explained(error: KafkaError, doing: str) -> WhodidError:
    """The WhodidError that says what an error means to a target."""
    return errors.explained(error, doing, HINTS)
