"""The server's policy as the client applies it: what need not be sent. The server applies it again at its door.

It comes from `GET /v1/policy` (ETag, max-age); a server without it answers 404. Hashed parameters are left to the
server, which has the key to hash them with.
"""

from __future__ import annotations

import threading
import time
import zlib
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import quote

import msgspec

from whodid.client.message import Message
from whodid.client.stats import Counters, log
from whodid.client.transport import Transport
from whodid.typed import convert

POLICY_PATH: Final = "/v1/policy"
SUBJECTS_MAX: Final = 16
# Refused logins and requests are beyond every policy.
ALWAYS_TOPIC: Final = "authfail"
_ABSENT_AGAIN_S: Final = 300.0
_FAILED_AGAIN_S: Final = 30.0


class Parameters(msgspec.Struct, frozen=True):
    """Which parameters are not to leave the client as they are, by name; events of the types `whole_in` go whole."""

    left_out: list[str] = []
    truncated: dict[str, int] = {}
    whole_in: frozenset[str] = frozenset()


class Policy(msgspec.Struct):
    """What is logged for one subject. Names of types may hold `*`; `only`, when it is there, lists all that is."""

    version: str = ""
    max_age_s: float = 5.0
    switched_off: list[str] = []
    only: list[str] | None = None
    parameters: Parameters = Parameters()
    sampling: dict[str, float] = {}
    flush_interval_ms: int | None = None
    request_timeout_ms: int | None = None
    session_idle_ms: int | None = None
    _shares: dict[str, float] = {}

    def admits(self, message: Message) -> bool:
        """Whether a message is to be sent; sampling goes by its id, so that every one comes to the same answer."""
        if message.topic == ALWAYS_TOPIC:
            return True
        kind = message.type
        share = self._shares.get(kind)
        if share is None:
            if len(self._shares) >= 10_000:
                self._shares.clear()
            share = self._shares[kind] = self._share(kind)
        return share >= 1.0 or (share > 0.0 and sampled(message.id, share))

    def trim(self, message: Message) -> None:
        """Take out and cut the parameters that the policy names."""
        if message.type in self.parameters.whole_in or message.topic == ALWAYS_TOPIC:
            return
        params = message.params
        for name in self.parameters.left_out:
            params.pop(name, None)
        for name, chars_max in self.parameters.truncated.items():
            value = params.get(name)
            if isinstance(value, str) and len(value) > chars_max:
                params[name] = value[:chars_max] + "…"

    def _share(self, kind: str) -> float:
        if any(fnmatchcase(kind, pattern) for pattern in self.switched_off):
            return 0.0
        if self.only is not None and not any(fnmatchcase(kind, pattern) for pattern in self.only):
            return 0.0
        found = [share for pattern, share in self.sampling.items() if fnmatchcase(kind, pattern)]
        return found[0] if found else 1.0


def sampled(identifier: str, share: float) -> bool:
    """Whether the event of this id is in a sample of `share` (0 to 1) of all."""
    return zlib.crc32(identifier.encode()) < share * 2**32


class _Known(msgspec.Struct):
    policy: Policy | None = None
    etag: str | None = None
    due: float = 0.0


class Policies:
    """The policies of the subjects that log here: the key's own (None) and the users of sessions, the first few.

    For who comes beyond `SUBJECTS_MAX` the server alone applies its policy.
    """

    def __init__(self, counters: Counters):
        self._counters = counters
        self.clear()

    def clear(self) -> None:
        self._known: dict[str | None, _Known] = {None: _Known()}
        self._lock = threading.Lock()
        self.applied: dict[str | None, Policy] = {}

    def of(self, user: str | None) -> Policy | None:
        """The policy for what `user` does, as far as it is known here."""
        if user not in self._known and len(self._known) < SUBJECTS_MAX:
            with self._lock:
                self._known.setdefault(user, _Known())
        return self.applied.get(user)

    def due_s(self) -> float:
        """Seconds until one of them is to be asked for again."""
        at = time.monotonic()
        return max(0.0, min(known.due for known in tuple(self._known.values())) - at)

    def refresh(self, transport: Transport) -> None:
        """Ask for what is due. Raises OSError when the server does not answer."""
        with self._lock:
            known = list(self._known.items())
        for user, each in known:
            if each.due <= time.monotonic():
                self._ask(user, each, transport)

    def _ask(self, user: str | None, known: _Known, transport: Transport) -> None:
        path = POLICY_PATH if user is None else f"{POLICY_PATH}?user={quote(user, safe='')}"
        known.due = time.monotonic() + _FAILED_AGAIN_S
        answer = transport.get(path, known.etag)
        at = time.monotonic()
        if answer.status == 304 and known.policy is not None:
            known.due = at + _age_s(answer.max_age_s, known.policy)
        elif answer.status == 404:
            self.applied.pop(user, None)
            known.policy, known.etag, known.due = None, None, at + _ABSENT_AGAIN_S
        elif answer.is_done:
            try:
                policy = convert(answer.told, Policy)
            except msgspec.ValidationError as error:
                self._counters.report("policy", "The server's policy cannot be read, and is left to it: %s.", error)
                self.applied.pop(user, None)
                return
            if policy.version != (known.policy.version if known.policy else ""):
                log.info("Policy %s of the server is applied.", policy.version)
            known.policy, known.etag = policy, answer.etag
            known.due = at + _age_s(answer.max_age_s, policy)
            self.applied[user] = policy


def _age_s(max_age_s: float | None, policy: Policy) -> float:
    return min(max(1.0, max_age_s if max_age_s is not None else policy.max_age_s), _ABSENT_AGAIN_S)
