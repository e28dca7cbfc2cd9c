"""Clients of ClickHouse, and what its errors mean."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver import exceptions
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httpclient import HttpClient
from urllib3 import Timeout

from whodid.errors import WhodidError
from whodid.stores.clickhouse_address import Address
from whodid.stores.pool import Pool

# Its words on a server that does not answer would stand before ours, and say less.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

CONNECT_TIMEOUT_S: Final = 10
# Longer than any statement that writes may take.
ANSWER_TIMEOUT_S: Final = 900

# What makes ClickHouse answer as the other engines do: NULL where nothing is, whole times, one meaning of UNION.
SETTINGS: Final[dict[str, Any]] = {
    "session_timezone": "UTC",
    "date_time_input_format": "best_effort",
    "prefer_column_name_to_alias": 1,
    "join_use_nulls": 1,
    "group_by_use_nulls": 1,
    "cast_keep_nullable": 1,
    "union_default_mode": "DISTINCT",
    "enable_extended_results_for_datetime_functions": 1,
}
# Common tables are worked out once for all who read them, by an engine that can.
_KEEPS_TABLES: Final = "enable_materialized_cte"

# What a question of somebody is called in errors.
QUERY: Final = "the query"

_CODE: Final = re.compile(r"[Cc]ode: (\d+)")
_REASON: Final = re.compile(r"DB::Exception: (.*)", re.DOTALL)

# Codes of the engine by what they mean to the caller; see ErrorCodes.cpp.
_UNAVAILABLE: Final = frozenset(
    {3, 74, 198, 209, 210, 225, 236, 242, 254, 265, 279, 285, 286, 289, 298, 305, 319, 324, 335, 341, 364, 395, 415}
    | {416, 425, 499, 517, 519, 571, 999}
)
_BUSY: Final = frozenset({202, 203, 439})
_TIMEOUT: Final = frozenset({159, 160, 394})
_UNKNOWN_USER: Final = frozenset({192, 193, 194, 516})
_FORBIDDEN: Final = frozenset({164, 291, 482, 495, 497})
_TOO_LARGE: Final = frozenset({158, 191, 241, 307, 396})
_FULL: Final = frozenset({243, 373, 375})
# The engine cannot read a value that it was given.
_OF_DATA: Final = frozenset(
    {6, 19, 25, 26, 27, 38, 41, 53, 69, 70, 72, 73, 117, 131, 349, 376, 407, 441, 446, 636, 652}
)
TOO_MANY_PARTS: Final = 252
_UNKNOWN_CLUSTER: Final = frozenset({170, 701})


class Clients(Pool[Client]):
    """Clients of one address."""

    def __init__(self, address: Address):
        super().__init__()
        self._address = address

    def _open(self) -> Client:
        return connect(self._address)

    def _end(self, held: Client) -> None:
        _close(held)

    def _is_whole(self, held: Client, problem: BaseException | None) -> bool:
        return problem is None or not _is_of_connection(problem)


def connect(address: Address, *, session: bool = False) -> Client:
    """A client of the first server that answers.

    session  whether its statements share a session, and with it temporary tables; then one at a time, and of no
             database yet, which may be about to be made.
    Raises   WhodidError("unavailable")  temporary: none answers.
             WhodidError("forbidden")    permanent: user or password are wrong.
    """
    database = "default" if session else address.database
    if address.folder is not None:
        with told("opening the engine"):
            return _set_up(
                clickhouse_connect.get_client(dsn=f"chdb://{address.folder}", database=database, settings=SETTINGS)
            )
    problem: WhodidError | None = None
    for host, port in address.hosts:
        try:
            with told(f"connecting to {host}:{port}"):
                client = clickhouse_connect.get_client(
                    host=host,
                    port=port,
                    username=address.user,
                    password=address.password,
                    database=database,
                    secure=address.secure,
                    verify=address.verify,
                    ca_cert=address.ca_cert,
                    compress=host not in ("localhost", "127.0.0.1", "::1"),
                    connect_timeout=CONNECT_TIMEOUT_S,
                    send_receive_timeout=CONNECT_TIMEOUT_S,
                    query_retries=0,
                    client_name="whodid",
                    settings=SETTINGS,
                    autogenerate_session_id=session,
                )
                return _set_up(client)
        except WhodidError as refused:
            problem = refused
            if refused.code != "unavailable":
                break
    assert problem is not None
    raise problem


def keeps_tables(client: Client) -> bool:
    """Whether the engine works out a common table once for all who read it, as late versions do."""
    return _KEEPS_TABLES in client.server_settings


@contextmanager
def within(client: Client, silent_s: float) -> Iterator[None]:
    """For the length of a block wait for so long at most for a server's next word; an engine in this process has none.

    A server that stands still (its disk hangs, its process is stopped) takes questions and answers none.
    """
    if not isinstance(client, HttpClient):
        yield
        return
    before, client.timeout = client.timeout, _timeout(silent_s)
    try:
        yield
    finally:
        client.timeout = before


def _timeout(silent_s: float) -> Timeout:
    return Timeout(connect=CONNECT_TIMEOUT_S, read=silent_s)


def _set_up(client: Client) -> Client:
    if keeps_tables(client):
        client.set_client_setting(_KEEPS_TABLES, 1)
    if isinstance(client, HttpClient):
        client.timeout = _timeout(ANSWER_TIMEOUT_S)
    return client


def _close(client: Client) -> None:
    with suppress(Exception):
        client.close()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn the driver's errors within the block into WhodidErrors that say what went wrong while doing `what`."""
    try:
        yield
    except exceptions.ClickHouseError as problem:
        raise translated(problem, what) from problem


def code_of(problem: BaseException) -> int | None:
    """The engine's number of an error; None where the engine did not say it."""
    found = _CODE.search(str(problem))
    return int(found[1]) if found else None


def is_of_data(problem: BaseException) -> bool:
    """Whether the engine refuses what it was given, so that trying the same again cannot help."""
    return code_of(problem) in _OF_DATA


def reason_of(problem: BaseException) -> str:
    """What the engine says, in one line."""
    found = _REASON.search(str(problem))
    text = (found[1] if found else str(problem)).strip() or type(problem).__name__
    return re.sub(r"\s*\((?:[A-Z_]{4,}\)|version ).*|[.:]? In scope .*", "", text.splitlines()[0])[:500].rstrip(". ")


def translated(problem: Exception, what: str) -> WhodidError:
    """The WhodidError that says what an error of the driver means."""
    code, reason = code_of(problem), reason_of(problem)
    if code is None:
        return WhodidError(
            "unavailable",
            f"ClickHouse does not answer while {what} ({type(problem).__name__}).",
            f"The reason: {_cause(problem)}. Look at its log and at the address.",
            retry_after_s=1,
        )
    if code == TOO_MANY_PARTS:
        return WhodidError(
            "unavailable",
            f"ClickHouse has too many parts for {what}: {reason}.",
            "It goes on by itself when merges have caught up. Fewer and larger writes help: raise segment_age_ms_max.",
            retry_after_s=10,
        )
    if code in _UNKNOWN_CLUSTER:
        return WhodidError(
            "invalid", f"ClickHouse refuses {what}: {reason}.", "Name one of: SELECT cluster FROM system.clusters."
        )
    if code in _TIMEOUT:
        return WhodidError("timeout", f"ClickHouse stopped {what}: {reason}.", "Narrow the time range.")
    if code in _FULL:
        return WhodidError("full", f"ClickHouse has no space for {what}: {reason}.", "Free some; it goes on by itself.")
    if code in _BUSY:
        return WhodidError("busy", f"ClickHouse is busy: {reason}.", "Try again soon.", retry_after_s=1)
    if code in _UNAVAILABLE:
        return WhodidError("unavailable", f"ClickHouse fails at {what}: {reason}.", "Try again soon.", retry_after_s=2)
    if code in _UNKNOWN_USER:
        return WhodidError(
            "forbidden", f"ClickHouse refuses {what}: {reason}.", "Look at user and password in the store's address."
        )
    if code in _FORBIDDEN:
        hint = "Only the events can be read." if what == QUERY else "See 'Who may what' in docs/clickhouse.md."
        return WhodidError("forbidden", f"ClickHouse refuses {what}: {reason}.", hint)
    if code in _TOO_LARGE:
        return WhodidError("too_large", f"ClickHouse gave up {what}: {reason}.", "Ask for fewer rows or columns.")
    return WhodidError("invalid", f"ClickHouse refuses {what}: {reason}.")


def _cause(problem: BaseException) -> str:
    """What the system said at last, else what the driver says."""
    while (before := problem.__cause__ or problem.__context__) is not None:
        problem = before
    said = (problem.strerror if isinstance(problem, OSError) else None) or str(problem) or type(problem).__name__
    return said.splitlines()[0][:200].rstrip(".")


def _is_of_connection(problem: BaseException) -> bool:
    if isinstance(problem, WhodidError):
        return problem.code == "unavailable"
    return isinstance(problem, exceptions.ClickHouseError) and code_of(problem) is None
