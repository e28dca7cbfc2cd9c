"""Who is asking, and whether they may: keys, browser sessions, panes, and programs on the same machine.

A caller is known by, in this order:

1. `Authorization: Bearer KEY`, or Basic with the key as user or as password;
2. the cookie of a signed-in browser;
3. being on the same machine, while the server listens on loopback only and nobody has made a key or a user yet.

2 and 3 need no secret that a foreign web page would have to know; therefore a request that a browser sends for a
foreign page is refused (Origin, Sec-Fetch-Site), and on loopback the name in the address bar has to be this machine's
(a foreign name that resolves to 127.0.0.1 is DNS rebinding). What a cookie changes besides has to say that a page of
this server asked for it.

The token of a pane is known only where it is asked for (`pane`): it opens nothing else.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from whodid.directory import Directory
from whodid.directory.model import SCOPES, BrowserSession, Key
from whodid.directory.secret import digest
from whodid.directory.sign_in import COOKIE
from whodid.directory.snapshot import Snapshot
from whodid.errors import WhodidError
from whodid.journal.lock import OWNER_NAME
from whodid.reading.sight import EVERYTHING, NOTHING, Sight
from whodid.receive.pane_tokens import PREFIX, SERVER_KEY, Claims, verified
from whodid.receive.rights import rights_of

Headers = Mapping[bytes, bytes]

ALLOWED_ORIGINS: Final = "access.allowed_origins"
ALLOWED_HOSTS: Final = "access.allowed_hosts"

SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))

# Remembered forms of the Authorization header; Basic allows any number for one key.
CALLERS_MAX: Final = 10_000

# A proxy on this machine makes everybody look local; it adds one of these.
_PROXY_HEADERS: Final = frozenset((b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"))

_COOKIE: Final = COOKIE.encode() + b"="


class Caller(NamedTuple):
    """Who is asking. Empty `topics`, `nodes`, `routing_keys` and no `node_type` bind to none.

    scopes   what it may do without limits; admin includes the others.
    limited  what it may see where it may not read everything.
    roles    of the user, for showing.
    """

    name: str
    scopes: frozenset[str]
    key_id: str | None = None
    user: str | None = None
    topics: frozenset[str] = frozenset()
    nodes: frozenset[str] = frozenset()
    routing_keys: frozenset[str] = frozenset()
    session_id: str | None = None
    limited: Sight = NOTHING
    roles: tuple[str, ...] = ()
    node_type: str | None = None

    @property
    def sight(self) -> Sight:
        """What it may see of the events."""
        return EVERYTHING if "read" in self.scopes else self.limited

    @property
    def is_bound(self) -> bool:
        return bool(self.topics or self.nodes or self.routing_keys or self.node_type)


LOCAL_PROGRAM: Final = Caller("program on this machine", frozenset(("write", "read")))


class Access:
    """Tells who a request comes from, in a microsecond and from memory.

    directory  keys, browser sessions and settings; a revocation anywhere counts here within a second.
    local_key  the key of `server.json`: whoever can read that file owns the data, and is admin.
    loopback   whether the server listens on loopback only.
    public_url the address that browsers use when a proxy stands before the server.
    origins    with commas: whose pages may call, besides those of the setting; `hosts` the same of its own names.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        local_key: str | None = None,
        loopback: bool = False,
        public_url: str = "",
        origins: str = "",
        hosts: str = "",
    ):
        self._directory = directory
        self._local = digest(local_key) if local_key else None
        self._loopback = loopback
        self._snapshot: Snapshot | None = None
        self._callers: dict[bytes, Caller] = {}
        # Apart from those: the id of a session is no secret, its events carry it.
        self._browsers: dict[str, Caller] = {}
        self._own_origin = public_origin(public_url)
        self._origins, self._hosts = (
            tuple(filter(None, map(str.strip, text.split(",")))) for text in (origins, hosts.lower())
        )
        directory.watch()

    def caller(self, scope: Mapping[str, Any], headers: Headers | None = None) -> Caller:
        """Who sent a request.

        scope    of ASGI; `headers` are its headers as a dict, for who has made it already.

        Raises
        ------
        WhodidError("unauthorized")
            No key or session, or one that does not count (any more).
        WhodidError("forbidden")
            A browser sent it for a foreign page.
        """
        if headers is None:
            headers = dict(scope["headers"])
        if self._snapshot is not self._directory.snapshot:
            self._callers, self._browsers = {}, {}
            self._snapshot = self._directory.snapshot
        if b"origin" in headers:
            self.refuse_foreign_origin(headers)
        authorization = headers.get(b"authorization")
        if authorization is None:
            return self._without_key(scope, headers)
        caller = self._callers.get(authorization)
        if caller is None:
            caller = self._with_key(authorization)
        if caller.key_id is not None:
            self._directory.used.add(caller.key_id)
        return caller

    def require(self, scope: Mapping[str, Any], wanted: str, headers: Headers | None = None) -> Caller:
        """`caller`, who besides has to have the scope `wanted` (admin has all). Raises WhodidError("forbidden")."""
        if headers is None:
            headers = dict(scope["headers"])
        caller = self.caller(scope, headers)
        if wanted not in caller.scopes:
            raise may_not(caller, wanted)
        if caller.session_id is not None and (wanted == "write" or scope.get("method", "GET") not in SAFE_METHODS):
            self.refuse_forged(headers)
        return caller

    def refuse_forged(self, headers: Headers) -> None:
        """What a cookie changes has to say that a page of this server asked for it. Raises WhodidError("forbidden").

        Every browser says so: by Origin, or where it hides that, by Sec-Fetch-Site.
        """
        origin = headers.get(b"origin")
        if origin is not None and origin != b"null":
            if self._is_own(origin, headers):
                return
        elif headers.get(b"sec-fetch-site") in (b"same-origin", b"none"):
            return
        raise WhodidError(
            "forbidden",
            "It cannot be seen that a page of this server asked for this.",
            "Do it in the browser itself; programs show a key instead of a cookie.",
        )

    def pane(self, headers: Headers) -> Claims | None:
        """What the pane's token of a request shows; None when it has none.

        Raises
        ------
        WhodidError("unauthorized")
            The token was changed, is too old, or the key that it was made with ended.
        WhodidError("forbidden")
            A browser sent it for a page of a site that is not allowed.
        """
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.startswith(PREFIX):
            return None
        if b"origin" in headers:
            self.refuse_foreign_origin(headers)
        key = self._directory.snapshot.server_keys.get(SERVER_KEY)
        if key is None:
            raise WhodidError("unauthorized", "This pane's token is none of ours.", "Take the token as it came.")
        claims = verified(token.strip(), key)
        valid = {key.id for key in self._directory.snapshot.keys.values()}
        if claims.key_id is not None and claims.key_id not in valid:
            raise WhodidError("unauthorized", "The key that made this pane's token has ended.", "Make another key.")
        return claims

    def allows_origin(self, origin: bytes) -> bool:
        """Whether pages of this origin may call from browsers."""
        allowed = self.origins()
        return "*" in allowed or origin.decode("latin-1").lower() in {text.lower().rstrip("/") for text in allowed}

    def origins(self) -> tuple[str, ...]:
        """Whose pages may call and show frames; `*` stands for all."""
        return (*self._origins, *map(str, self._directory.setting(ALLOWED_ORIGINS) or ()))

    def refuse_foreign_origin(self, headers: Headers) -> None:
        """Raises WhodidError("forbidden") when a browser sent it for a page that is neither ours nor allowed."""
        origin = headers[b"origin"]
        if self._is_own(origin, headers) or self.allows_origin(origin):
            return
        raise WhodidError(
            "forbidden",
            f"Web pages of {origin.decode('latin-1')[:200]} may not call this server.",
            "Allow it when the server starts: WHODID_ALLOWED_ORIGINS=https://app.example.org,…",
        )

    def _is_own(self, origin: bytes, headers: Headers) -> bool:
        own = headers.get(b"host", b"").lower()
        return origin.lower() in (b"http://" + own, b"https://" + own, self._own_origin)

    def _with_key(self, authorization: bytes) -> Caller:
        for secret in _secrets(authorization):
            hashed = digest(secret)
            if hashed == self._local:
                caller = Caller(OWNER_NAME, frozenset(SCOPES))
                break
            if (key := self._directory.snapshot.keys.get(hashed)) is not None:
                caller = _caller_of(key)
                break
        else:
            raise WhodidError(
                "unauthorized",
                "This key is unknown, revoked or expired.",
                "See the keys with: whodid key list; make one with: whodid key create NAME --scope write (or read)",
            )
        if len(self._callers) >= CALLERS_MAX:
            self._callers.clear()
        self._callers[authorization] = caller
        return caller

    def _without_key(self, scope: Mapping[str, Any], headers: Headers) -> Caller:
        self._refuse_foreign_page(headers)
        if b"cookie" in headers and (session := self._session(headers[b"cookie"])) is not None:
            self._refuse_foreign_name(headers)
            if b"origin" in headers and headers[b"origin"] != b"null" and not self._is_own(headers[b"origin"], headers):
                raise WhodidError("forbidden", "A page of another site may not use your sign-in.", "Use a key there.")
            self._directory.seen.add(session.id)
            return self._signed_in(session)
        if self._loopback and not self._directory.snapshot.closed and _is_local(scope, headers):
            self._refuse_foreign_name(headers)
            return LOCAL_PROGRAM
        raise WhodidError(
            "unauthorized",
            "This needs a key.",
            "Send it as 'Authorization: Bearer KEY'; make one with: whodid key create NAME --scope write (or read)",
        )

    def _signed_in(self, session: BrowserSession) -> Caller:
        caller = self._browsers.get(session.id)
        if caller is None:
            caller = self._browsers[session.id] = self._caller_of_session(session)
        return caller

    def _caller_of_session(self, session: BrowserSession) -> Caller:
        name = session.user or "signed-in browser"
        if session.scopes or session.user is None:
            return Caller(name, _scopes(session.scopes), user=session.user, session_id=session.id)
        rights = rights_of(session.user, self._directory.snapshot.grants.get(session.user, ()))
        return Caller(
            name,
            rights.scopes,
            user=session.user,
            session_id=session.id,
            limited=rights.limited,
            roles=rights.roles,
        )

    def _session(self, cookies: bytes) -> BrowserSession | None:
        for cookie in map(bytes.strip, cookies.split(b";")):
            if cookie.startswith(_COOKIE):
                return self._directory.snapshot.sessions.get(digest(cookie[len(_COOKIE) :]))
        return None

    def _refuse_foreign_page(self, headers: Headers) -> None:
        site = headers.get(b"sec-fetch-site")
        if site is None or site in (b"none", b"same-origin") or headers.get(b"sec-fetch-mode") == b"navigate":
            return
        if b"origin" in headers:
            return  # judged already, with the origins that are allowed
        raise WhodidError(
            "forbidden",
            "A web page of another site asked for this.",
            "Open it in the browser itself, or allow the site: WHODID_ALLOWED_ORIGINS=https://app.example.org,…",
        )

    def _refuse_foreign_name(self, headers: Headers) -> None:
        if not self._loopback:
            return
        name = _host_name(headers.get(b"host", b"localhost").decode("latin-1").lower())
        if name == "localhost" or name.endswith(".localhost") or loopback(name):
            return
        if name in (*self._hosts, *(self._directory.setting(ALLOWED_HOSTS) or ())):
            return
        if self._own_origin and name == _host_name(self._own_origin.partition(b"//")[2].decode("latin-1")):
            return
        raise WhodidError(
            "forbidden",
            f"This server is not called {name[:200]}.",
            f"Use 127.0.0.1 or localhost, send a key, or allow it: WHODID_ALLOWED_HOSTS={name[:200]}",
        )


# What a scope lets its owner do.
_DOES: Final = {
    "read": "read events", "write": "write events", "admin": "change settings", "scim": "manage people by SCIM",
}  # fmt: skip


def may_not(caller: Caller, wanted: str, *, reading: bool = False) -> WhodidError:
    """Why a caller is refused, and what can be done about it; `reading` when nothing would have been changed."""
    hint = f"Make a key for it: whodid key create NAME --scope {wanted}"
    if caller.user is not None and caller.key_id is None:
        hint = "An administrator can give you a role: whodid role grant --help"
    does = "see that, only some events" if wanted == "read" and caller.limited != NOTHING else _DOES[wanted]
    if wanted == "admin" and reading:
        does = "read these settings"
    return WhodidError("forbidden", f"{caller.name} may not {does}.", hint)


def public_origin(url: str) -> bytes:
    """The origin of an address, as browsers write it; empty for none."""
    scheme, _, rest = url.lower().partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".encode() if rest else b""


def _caller_of(key: Key) -> Caller:
    return Caller(
        name=key.name,
        scopes=_scopes(key.scopes),
        key_id=key.id,
        user=key.user,
        topics=frozenset(key.topics),
        nodes=frozenset(key.nodes),
        routing_keys=frozenset(key.routing_keys),
        node_type=key.node_type,
    )


def _scopes(scopes: tuple[str, ...]) -> frozenset[str]:
    return frozenset(SCOPES) if "admin" in scopes else frozenset(scopes)


def _secrets(authorization: bytes) -> list[bytes]:
    """The secrets that an Authorization header may hold: one for Bearer, user and password for Basic."""
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return [rest.strip()]
    if scheme.lower() == b"basic":
        try:
            user, _, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
        except binascii.Error:
            return []
        return [password, user]
    return []


def _is_local(scope: Mapping[str, Any], headers: Headers) -> bool:
    client = scope.get("client")
    return client is not None and loopback(client[0]) and _PROXY_HEADERS.isdisjoint(headers)


@lru_cache(maxsize=1_000)
def loopback(address: str) -> bool:
    """Whether an address is one of this machine itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
