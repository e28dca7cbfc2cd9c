"""What of an event goes along to a target: fields and parameters left out, hashed, cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw

from whodid.dispatch.row import Shaping
from whodid.errors import WhodidError
from whodid.event import Entity, Event, Provenance, foreign_id
from whodid.formats.dss_words import Change, is_dss_message, rewrite_words
from whodid.policy.pattern import matches
from whodid.policy.plan import hashed
from whodid.targets.base import Offered
from whodid.typed import convert

ALWAYS: Final = frozenset({"id", "time", "type"})
PARAMETERS: Final = "parameters."
_DEFAULTS: Final = convert({"id": "", "time": "1970-01-01T00:00:00Z", "type": "x"}, Event)
EVENT_FIELDS: Final = tuple(name for name in Event.__struct_fields__ if name not in ALWAYS)
PROVENANCE_FIELDS: Final = ("key_id", "orig_address")
# What has a fixed set of values, or is no text.
NOT_TEXT: Final = frozenset({"level", "source", "duration_ms", "parameters"})
# Such are UUIDs; one made of the hash still joins what belongs together.
JOINED: Final = frozenset({"session", "error_hash"})
_RAWS: Final = msgspec.json.Decoder(dict[str, Raw])
_CUT: Final = "…"


def check_name(name: str) -> None:
    """Raises WhodidError("invalid") for a name that means no field and no parameter."""
    if name.startswith(PARAMETERS) and len(name) > len(PARAMETERS):
        return
    if name not in (*EVENT_FIELDS, *PROVENANCE_FIELDS):
        reason = "always goes along" if name in ALWAYS else "is no field of an event"
        raise WhodidError(
            "invalid",
            f"{name!r} {reason}.",
            f"Fields: {', '.join((*EVENT_FIELDS, *PROVENANCE_FIELDS))}; parameters as parameters.NAME.",
        )


class Shaper:
    """A `Shaping` made ready; `hash_key` is what values are hashed with."""

    def __init__(self, shaping: Shaping, hash_key: Callable[[], bytes]):
        key = hash_key() if shaping.hashed else b""
        self._fields: dict[str, Change | None] = {}
        """By field what becomes of it; None takes it out."""
        self._parameters: list[tuple[str, Change | None]] = []
        """By pattern; the first that means a parameter counts."""
        self._only_parameters = [name.removeprefix(PARAMETERS) for name in shaping.only if name.startswith(PARAMETERS)]
        self._only = bool(shaping.only) and "parameters" not in shaping.only
        if shaping.only:
            kept = {name for name in shaping.only if not name.startswith(PARAMETERS)}
            if self._only_parameters:
                kept.add("parameters")
            self._fields = dict.fromkeys({*EVENT_FIELDS, *PROVENANCE_FIELDS} - kept)
        self._words: dict[str, Change | None] = {}
        """By field what becomes of a DSS message's words for it."""
        for name in shaping.left_out:
            self._add(name, None)
        with_key = partial(hashed, key=key)
        for name in shaping.hashed:
            self._add(name, with_key)
        for name, characters in shaping.truncated.items():
            self._add(name, _cutter(characters))
        if "user" in self._words:
            # Mostly the same login; who hides it wants it nowhere.
            self._add("acting_for", self._words["user"])

    def shape(self, offered: Offered) -> Offered:
        """The event as it is to leave."""
        event, provenance = offered.event, offered.provenance
        changes = {name: _changed(event, name, change) for name, change in self._fields.items() if hasattr(event, name)}
        if "parameters" not in changes:
            words = self._words if self._words and is_dss_message(event.parameters, provenance.format) else {}
            if self._parameters or self._only or words:
                changes["parameters"] = self._shaped_parameters(event.parameters, words)
        told = {
            name: change(value) if change else None
            for name, change in self._fields.items()
            if name in PROVENANCE_FIELDS and (value := getattr(provenance, name)) is not None
        }
        return Offered(
            offered.seq,
            msgspec.structs.replace(event, **changes) if changes else event,
            _told(provenance, told),
        )

    def _add(self, name: str, change: Change | None) -> None:
        if name.startswith(PARAMETERS):
            self._parameters.append((name.removeprefix(PARAMETERS), change))
            return
        self._fields.setdefault(name, change)
        self._words.setdefault(name, _joined(change) if change is not None and name in JOINED else change)

    def _shaped_parameters(self, raw: Raw, words: Mapping[str, Change | None]) -> Raw:
        shaped: dict[str, Raw] = {}
        parameters = _RAWS.decode(raw)
        changed = rewrite_words(parameters, words) if words else {}
        for name, value in parameters.items():
            if self._only and not any(matches(pattern, name) for pattern in self._only_parameters):
                continue
            found = next((row for row in self._parameters if matches(row[0], name)), None)
            if found is None or (found[1] is not None and found[1] is changed.get(name)):
                shaped[name] = value
            elif found[1] is not None:
                shaped[name] = Raw(msgspec.json.encode(found[1](msgspec.json.decode(value))))
        return Raw(msgspec.json.encode(shaped))


def _told(provenance: Provenance, told: dict[str, Any]) -> Provenance:
    return msgspec.structs.replace(provenance, **told) if told else provenance


def _changed(event: Event, name: str, change: Change | None) -> Any:
    value = getattr(event, name)
    if change is None:
        return getattr(_DEFAULTS, name)
    if value is None:
        return None
    if name == "entities":
        return [_entity(entity, change) for entity in value]
    if name in JOINED:
        return _joined(change)(value)
    return value if name in NOT_TEXT else change(value)


def _joined(change: Change) -> Change:
    return lambda value: foreign_id(change(value))


def _entity(entity: Entity, change: Change) -> Entity:
    name = None if entity.name is None else change(entity.name)
    return Entity(type=entity.type, id=change(entity.id), name=name, role=entity.role)


def _cutter(characters: int) -> Change:
    def cut(value: Any) -> Any:
        if isinstance(value, str):
            return value if len(value) <= characters else value[:characters] + _CUT
        if isinstance(value, dict | list):
            text = msgspec.json.encode(value).decode()
            return value if len(text) <= characters else text[:characters] + _CUT
        return value

    return cut
