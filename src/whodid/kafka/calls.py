"""Calls of librdkafka's clients: made, told as our errors, and what their callbacks say beside them."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException

from whodid.errors import WhodidError
from whodid.kafka import errors

T = TypeVar("T")

Explain = Callable[[KafkaError], WhodidError]


class Met:
    """The errors that a client's callback (`error_cb`) told since a call began."""

    def __init__(self) -> None:
        self._errors: deque[KafkaError] = deque(maxlen=100)

    def note(self, error: KafkaError) -> None:
        self._errors.append(error)

    def clear(self) -> None:
        self._errors.clear()

    @property
    def telling(self) -> KafkaError | None:
        """The one that tells most."""
        met = list(self._errors)
        ends = [error for error in met if errors.is_end(error)]
        telling = [error for error in met if error.code() != KafkaError._ALL_BROKERS_DOWN]
        return next(iter(ends or telling or met), None)


def made(kind: Callable[[dict[str, Any]], T], properties: dict[str, Any], explain: Explain) -> T:
    """A client. Raises WhodidError for properties that it does not take."""
    try:
        return kind(properties)
    except KafkaException as problem:
        raise explain(problem.args[0]) from None
    except (TypeError, ValueError) as problem:
        raise WhodidError("invalid", f"Kafka: reading the options: {problem}.", "Check settings.") from None


@contextlib.contextmanager
def told(explain: Explain) -> Iterator[list[KafkaError]]:
    """Raise what went wrong within the block as `explain` says; errors that pass by themselves are only gathered."""
    passing: list[KafkaError] = []
    try:
        yield passing
    except KafkaException as problem:
        error = problem.args[0]
        if error.fatal() or not (error.retriable() or error.code() in errors.PASSING):
            raise explain(error) from None
        passing.append(error)
    except KafkaError as error:  # type: ignore[misc]  # an exception, which its stubs do not say
        # A fatal error may come so, past `except Exception`.
        raise explain(error) from None
    except SystemError as problem:
        # Or so, when a callback was called on top of it.
        cause = problem.__cause__ or problem.__context__
        raise explain(cause.args[0] if isinstance(cause, KafkaException) else KafkaError(KafkaError._FATAL)) from None
