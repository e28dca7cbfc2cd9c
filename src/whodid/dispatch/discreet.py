"""A target that keeps its secrets: whatever it says, its passwords, keys and headers are masked.

Other sides repeat what they were sent ("unknown token …"), and libraries tell the URLs they were given. What a target
says is shown in its status, kept with dead letters, logged, and told as an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from whodid.errors import WhodidError
from whodid.masking import without_secrets
from whodid.targets.base import Delivery, Gather, Sent, Target, TargetOption

# What is shorter is a word like others.
SECRET_LENGTH_MIN: Final = 4
MAPPED_LENGTH_MIN: Final = 8


class Discreet:
    """What dispatch asks of a target, with the secrets out of what it answers and raises."""

    def __init__(self, target: Target, secrets: Sequence[str]):
        self.EVENTS_MAX = target.EVENTS_MAX
        self._target = target
        self._secrets = secrets

    def open(self) -> Mapping[str, int]:
        with discretion(self._secrets):
            return self._target.open()

    def send(self, delivery: Delivery) -> Sent:
        with discretion(self._secrets):
            sent = self._target.send(delivery)
        refused = [one._replace(message=without_secrets(one.message, self._secrets)) for one in sent.refused]
        return sent._replace(refused=refused, answer=without_secrets(sent.answer, self._secrets))

    def durable(self) -> Mapping[str, int] | None:
        with discretion(self._secrets):
            return self._target.durable()

    def gathers(self) -> Gather | None:
        return self._target.gathers()

    def tick(self) -> None:
        with discretion(self._secrets):
            self._target.tick()

    def flush(self) -> str:
        with discretion(self._secrets):
            return without_secrets(self._target.flush(), self._secrets)

    def close(self) -> None:
        with discretion(self._secrets):
            self._target.close()

    def cancel(self) -> None:
        self._target.cancel()


@contextmanager
def discretion(secrets: Sequence[str]) -> Iterator[None]:
    """What is raised within says no secret: one that would is told in its words without it."""
    try:
        yield
    except WhodidError as error:
        error.message = without_secrets(error.message, secrets)
        error.hint = error.hint and without_secrets(error.hint, secrets)
        raise
    except Exception as error:
        if (said := without_secrets(str(error), secrets)) != str(error):
            raise WhodidError("unavailable", f"{type(error).__name__}: {said}") from None
        raise


def secrets_of(known: Sequence[TargetOption], options: Mapping[str, Any]) -> list[str]:
    """The texts among a target's options that nobody is to see; of a URL its password, too."""
    found: list[str] = []
    for option in known:
        value = options.get(option.name) if option.secret else None
        if isinstance(value, Mapping):
            found += [text for one in value.values() for text in [str(one)] if len(text) >= MAPPED_LENGTH_MIN]
        elif isinstance(value, str):
            found += [text for text in (value, *_passwords(value)) if len(text) >= SECRET_LENGTH_MIN]
    return found


def _passwords(text: str) -> Iterator[str]:
    with suppress(ValueError):
        if password := urlsplit(text).password:
            yield password
            yield unquote(password)
