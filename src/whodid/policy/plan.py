"""What a rule comes to: for each type the share that is kept, and what becomes of parameters."""

from __future__ import annotations

import hmac
import re
import zlib
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.formats.dss_words import Change, is_dss_message, names_of, rewrite_words
from whodid.policy.pattern import is_glob, matches, named, protected
from whodid.policy.rule import Rule, off_patterns

TYPES_MAX: Final = 10_000
HASH_MARK: Final = "hmac-sha256:"
HASH_DIGITS: Final = 32

_RAWS: Final = msgspec.json.Decoder(dict[str, Raw])


class Plan:
    """A rule made ready for the door. `shares` remembers what `share` found, by type.

    hash_key  what hashed parameters are hashed with.
    """

    def __init__(self, rule: Rule, hash_key: bytes = b""):
        self.rule = rule
        self.off = off_patterns(rule)
        self.only = list(rule.types) if rule.level == "custom" else None
        self.sampling = in_order(rule.sampling)
        self.shares: dict[str, float] = {}
        self._hash_key = hash_key
        self._left_out = frozenset(rule.left_out)
        self._hashed = frozenset(rule.hashed)
        self._truncated = rule.truncated
        hidden = [*rule.left_out, *rule.hashed, *rule.truncated]
        self.hides = bool(hidden)
        # A name that is written with escapes does not look like itself: whatever has a backslash is read.
        names = b"|".join(re.escape(name.encode()) for name in hidden)
        self._suspicious = re.compile(rb'\\|"(?:%b)"' % names)
        self._repeated = self._changes_of_repeated()

    def share(self, kind: str) -> float:
        """The share of the events of a type that is kept: 1 all, 0 none. Topic `authfail` is not looked at here."""
        found = self.shares.get(kind)
        if found is None:
            if len(self.shares) >= TYPES_MAX:
                self.shares.clear()
            found = self.shares[kind] = self._share(kind)
        return found

    def _share(self, kind: str) -> float:
        if kind in protected():
            return 1.0
        if named(self.off, kind) or (self.only is not None and not named(self.only, kind)):
            return 0.0
        return next((share for pattern, share in self.sampling.items() if matches(pattern, kind)), 1.0)

    def trimmed(self, parameters: Raw, format: str = "native") -> Raw | None:
        """Parameters without what is hidden; None if nothing of them is. `format` is what the event came in as."""
        repeats = bool(self._repeated) and is_dss_message(parameters, format)
        if not repeats and not self._suspicious.search(parameters):
            return None
        found = _RAWS.decode(parameters)
        hidden = {name for name in found if name in self._left_out or name in self._hashed or name in self._truncated}
        if repeats:
            rewrite_words(found, self._repeated, below_top=True)
        elif not hidden:
            return None
        kept: dict[str, Raw] = {}
        for name, value in found.items():
            if name not in hidden:
                kept[name] = value
            elif name in self._hashed:
                kept[name] = Raw(msgspec.json.encode(hashed(msgspec.json.decode(value), self._hash_key)))
            elif name in self._truncated:
                kept[name] = _cut(value, self._truncated[name])
        return Raw(msgspec.json.encode(kept))

    def _changes_of_repeated(self) -> dict[str, Change | None]:
        """What becomes of who and from where in the depths of a DSS message, where no parameter's name reaches: what
        becomes of the parameters that say it at its top."""
        changes: dict[str, Change | None] = {}
        for field in ("user", "orig_address"):
            names = names_of(field)
            cut = [self._truncated[name] for name in names if name in self._truncated]
            if not self._left_out.isdisjoint(names):
                changes[field] = None
            elif not self._hashed.isdisjoint(names):
                changes[field] = partial(hashed, key=self._hash_key)
            elif cut:
                changes[field] = partial(_cut_text, chars_max=min(cut))
        if "user" in changes:
            changes["acting_for"] = changes["user"]
        return changes


def in_order(sampling: dict[str, float]) -> dict[str, float]:
    """Shares with whole names before patterns: the first that means a type counts, here and at every client."""
    return dict(sorted(sampling.items(), key=lambda pair: is_glob(pair[0])))


def sampled(identifier: str, share: float) -> bool:
    """Whether the event of this id is in a sample of `share` (0 to 1): the rule of all clients."""
    return zlib.crc32(identifier.encode()) < share * 2**32


def hashed(value: Any, key: bytes) -> str:
    """What stands for a value: the same for the same value, and of no use without the key.

    Text is hashed as UTF-8, other values as compact JSON.
    """
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else msgspec.json.encode(value)
    return HASH_MARK + hmac.digest(key, data, "sha256").hex()[:HASH_DIGITS]


def _cut(raw: Raw, chars_max: int) -> Raw:
    value = msgspec.json.decode(raw)
    text = value if isinstance(value, str) else bytes(raw).decode()
    if len(text) <= chars_max or (value is None or isinstance(value, bool | int | float)):
        return raw
    return Raw(msgspec.json.encode(_cut_text(text, chars_max)))


def _cut_text(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[:chars_max] + "…"
