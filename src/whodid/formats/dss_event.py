"""One DSS event as the text of a native event, built from parts that repeat and are therefore remembered."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from itertools import compress
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from whodid import catalogue
from whodid.event import foreign_id
from whodid.formats.careful import canonical_uuid, error_hash_of
from whodid.formats.dss_actor import actor
from whodid.formats.dss_fields import (
    ENTITY_FIELDS,
    STATUS_ENDINGS,
    STATUS_OF_TOPIC,
)

_KEEP_MAX: Final = 20_000
_DURATION_MS_MAX: Final = 10**15
_TOPIC_OF_LOGGER: Final = "dku.audit."
# Loggers of API nodes, as DSS documents them.
_TOPICS_OF_API_NODES: Final = {
    "dku.apinode.audit.queries": "apinode-query",
    "dku.apinode.audit.auth": "authfail",
    "dku.apinode.audit.admin": "generic",
    "dku.apinode.audit.allcalls": "apicalls",
}

K = TypeVar("K", bound=Hashable)


class Memo(dict[K, bytes], Generic[K]):
    """What `make` makes of a key, remembered; forgets everything when there are too many."""

    def __init__(self, make: Callable[[K], bytes]):
        self._make = make

    def __missing__(self, key: K) -> bytes:
        if len(self) >= _KEEP_MAX:
            self.clear()
        made = self[key] = self._make(key)
        return made


def json_text(value: Any) -> bytes:
    return msgspec.json.encode(value)


def _pairs(**values: Any) -> bytes:
    """`"name":value,` for every value that is there."""
    return b"".join([b'"%b":%b,' % (name.encode(), json_text(value)) for name, value in values.items() if value])


def _kind(key: tuple[Any, ...]) -> bytes:
    (custom_type, message_type, audit_topic), (envelope_topic, logger) = key
    name = _name(custom_type) or _name(message_type) or "apicall"
    topic = _name(audit_topic) or _name(envelope_topic) or _topic_by_logger(logger, name)
    ending = next((status for ending, status in STATUS_ENDINGS if name.endswith(ending)), None)
    name, topic = name[:200], topic[:200]
    head = _pairs(type=name, level=catalogue.level_of(name, topic), topic=topic, source="server")
    return head + _pairs(status=STATUS_OF_TOPIC.get(topic) or ending)


def _topic_by_logger(logger: Any, name: str) -> str:
    """The topic of a logger's name: what follows `dku.audit.`, else the whole name; without one that of the type."""
    told = logger.removeprefix(_TOPIC_OF_LOGGER) if isinstance(logger, str) else ""
    known = catalogue.topic_of(name)
    # An API node writes its file of queries by the logger of what is generic.
    if not told or (told == "generic" and known == "apinode-query"):
        return known
    return _TOPICS_OF_API_NODES.get(told, told)


def _name(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json_text(value).decode()


KINDS: Final[Memo[tuple[Any, ...]]] = Memo(_kind)


class Topics(dict[bytes, str]):
    """From what `KINDS` holds to the topic in it."""

    def __missing__(self, kind: bytes) -> str:
        if len(self) >= _KEEP_MAX:
            self.clear()
        made: str = msgspec.json.decode(b"{%b}" % kind[:-1])["topic"]
        self[kind] = made
        return made


TOPICS: Final = Topics()


def _who(key: tuple[Any, ...]) -> bytes:
    logins, diagnosed, auth_via = key
    found = actor((*logins, diagnosed), auth_via)
    return _pairs(user=_cut(found.user, 200), acting_for=_cut(found.acting_for, 200), via=_cut(found.via, 1000))


WHO: Final[Memo[tuple[Any, ...]]] = Memo(_who)


_WHOLE_NAME: Final = re.compile(rb"\w+\.[^.]+", re.ASCII)

# Longer names are cut in the entity's columns; the parameters keep them whole.
_NAME_SIZE_MAX: Final = 400


def _escaped(value: Any) -> bytes:
    """What stands between the quotes of a name's JSON text; empty if it is no name."""
    name = _scalar(value)
    return json_text(name[:_NAME_SIZE_MAX])[1:-1] if name else b""


NAMES: Final[Memo[Any]] = Memo(_escaped)


class _Template(NamedTuple):
    """The JSON text of an entity of one type, in a project and outside of one."""

    inside: bytes
    alone: bytes
    in_project: bool
    tells_project: bool


def _template(entity_type: str, *, in_project: bool, tells_project: bool = False) -> _Template:
    start = b'{"type":"%b","id":"' % entity_type.encode()
    return _Template(start + b'%b.%b","name":"%b"}', start + b'%b","name":"%b"}', in_project, tells_project)


_TEMPLATES: Final = (
    *(_template(row.entity_type, in_project=row.in_project, tells_project=row.tells_project) for row in ENTITY_FIELDS),
    _template("job", in_project=True),
)
PROJECTS: Final[Memo[bytes]] = Memo(lambda name: _template("project", in_project=False).alone % (name, name))


# Most events are about a dataset of a project, or about a project: three pieces that repeat are their entities.
# What is not as simple as that is written as `NOT_SIMPLE` here, and is left to `entities`.
NOT_SIMPLE: Final = b"?"


def _dataset_in(project_key: Any) -> bytes:
    project = NAMES[project_key]
    return b'"entities":[{"type":"dataset","id":"%b.' % project if project else NOT_SIMPLE


def _dataset(dataset: Any) -> bytes:
    if dataset is None:
        return b""
    name = NAMES[dataset]
    return b'%b","name":"%b"}' % (name, name) if name and b"." not in name else NOT_SIMPLE


def _project_behind(project_key: Any) -> bytes:
    return b",%b]," % PROJECTS[NAMES[project_key]]


def _project_alone(project_key: Any) -> bytes:
    project = NAMES[project_key]
    return b'"entities":[%b],' % PROJECTS[project] if project else b""


DATASETS_IN: Final[Memo[Any]] = Memo(_dataset_in)
DATASETS: Final[Memo[Any]] = Memo(_dataset)
PROJECTS_BEHIND: Final[Memo[Any]] = Memo(_project_behind)
PROJECTS_ALONE: Final[Memo[Any]] = Memo(_project_alone)


def entities(auth_via: Any, project_key: Any, things: tuple[Any, ...]) -> bytes:
    """The field `entities`.

    things  the values of `ENTITY_FIELDS` and the job, in this order.
    """
    project = NAMES[project_key] or (NAMES[actor((), auth_via).project] if auth_via else b"")
    found = []
    for template, value in zip(compress(_TEMPLATES, things), filter(None, things), strict=False):
        name = NAMES[value]
        if not name:
            continue
        is_inside = project and template.in_project and not (b"." in name and _is_whole(name, template, project))
        found.append(template.inside % (project, name, name) if is_inside else template.alone % (name, name))
    if project:
        found.append(PROJECTS[project])
    if len(found) > 2:
        found = list(dict.fromkeys(found))
    return b'"entities":[%b],' % b",".join(found) if found else b""


def _is_whole(name: bytes, template: _Template, project: bytes) -> bool:
    """Whether a name with a dot in it tells the thing's project, this one or another."""
    return name.startswith(project + b".") or (template.tells_project and _WHOLE_NAME.fullmatch(name) is not None)


def _scalar(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def session_of(told: str) -> str:
    """The session that a message's `sessionId` means."""
    return canonical_uuid(told) or foreign_id(told)


def _place(key: tuple[Any, ...]) -> bytes:
    node_id, node_name, node_type, routing_key, session, status, outcome, endpoint = key
    session_text = _scalar(session)
    return _pairs(
        node=_cut(_scalar(node_id) or _scalar(node_name), 200),
        node_type=_cut(_scalar(node_type), 200),
        routing_key=_cut(_scalar(routing_key), 200),
        session=session_of(session_text) if session_text else None,
        status=_cut(_scalar(status) or _scalar(outcome), 200),
        function=_cut(_scalar(endpoint), 1000),
    )


PLACES: Final[Memo[tuple[Any, ...]]] = Memo(_place)


def rare(values: tuple[Any, ...]) -> bytes:
    """What is different in every event and in few of them."""
    request, error_message, error, error_stack_trace, stack_trace = values
    trace = _scalar(error_stack_trace) or _scalar(stack_trace)
    return _pairs(
        request_id=_cut(_scalar(request), 1000),
        error_message=_scalar(error_message) or _scalar(error),
        error_stack_trace=trace,
        error_hash=error_hash_of(trace) if trace else None,
    )


def _cut(text: str | None, size_max: int) -> str | None:
    # The whole text stays in the parameters; a column keeps what fits.
    return text[:size_max] if text else None


def _function(name: Any) -> bytes:
    return _pairs(function=_cut(_scalar(name), 1000))


FUNCTIONS: Final[Memo[Any]] = Memo(_function)


def _duration(time_ms: float) -> bytes:
    return b'"duration_ms":%b,' % json_text(time_ms) if 0 <= time_ms < _DURATION_MS_MAX else b""


DURATIONS: Final[Memo[float]] = Memo(_duration)
