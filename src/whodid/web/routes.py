"""The one table of routes: who may, what answers, what it takes. The application and its description come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, NamedTuple

from whodid.reading.output import FORMATS
from whodid.web import events, logger, policies, query, replaying, settings, status
from whodid.web.pages import assets, entry, tiles
from whodid.web.pages.catalogue import PAGES
from whodid.web.requests import FILTERS, Req

Rule = Literal["public", "read", "write", "admin"]


class Route(NamedTuple):
    """One operation.

    `scope` is what a caller's key or session needs; `public` needs none. `query` are its query parameters, `body` the
    type of its JSON body, `forms` the media types of its answer, `status` that of success.
    """

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    scope: Rule
    handler: Callable[[Req], Awaitable[Any]]
    tag: str
    query: tuple[str, ...] = ()
    body: type | None = None
    forms: tuple[str, ...] = ("application/json",)
    status: int = 200


_TABLES: Final = tuple(form.media_type.partition(";")[0] for form in FORMATS.values())
_PANE: Final = ("since", "until", "limit", "cursor", "format")
_USAGE: Final = ("since", "until", "part", "format")
_HTML: Final = ("text/html",)
_STATIC: Final = ("text/css", "text/javascript", "image/svg+xml")
_STREAM: Final = ("text/event-stream",)

# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/v1/events", "read", events.list_events, "events", (*FILTERS, "format"), forms=_TABLES),
    Route("GET", "/v1/events/stream", "read", events.stream_events, "events", events.STREAM_FILTERS, forms=_STREAM),
    Route("GET", "/v1/events/{id}", "read", events.one_event, "events"),
    Route("GET", "/v1/entities/{type}/{id}/activity", "read", events.pane, "panes", _PANE, forms=_TABLES),
    Route("GET", "/v1/entities/{type}/{id}/usage", "read", events.pane, "panes", _USAGE, forms=_TABLES),
    Route("GET", "/v1/users/{login}/activity", "read", events.pane, "panes", _PANE, forms=_TABLES),
    Route("GET", "/v1/users/{login}/usage", "read", events.pane, "panes", _USAGE, forms=_TABLES),
    Route("POST", "/v1/query", "read", query.run_query, "query", ("format",), query.Question, forms=_TABLES),
    Route("GET", "/v1/reports", "read", query.list_reports, "reports"),
    Route("GET", "/v1/reports/{name}", "read", query.run_report, "reports", ("format",), forms=_TABLES),
    Route("GET", "/v1/keys", "admin", settings.list_keys, "settings", ("revoked",)),
    Route("POST", "/v1/keys", "admin", settings.create_key, "settings", body=settings.NewKey, status=201),
    Route("DELETE", "/v1/keys/{key}", "admin", settings.revoke_key, "settings"),
    Route("GET", "/v1/users", "read", settings.list_users, "settings", ("text", "limit", "offset")),
    Route("POST", "/v1/users", "admin", settings.create_user, "settings", body=settings.NewUser, status=201),
    Route("GET", "/v1/users/{login}", "read", settings.show_user, "settings"),
    Route("PATCH", "/v1/users/{login}", "admin", settings.change_user, "settings", body=settings.UserFields),
    Route("DELETE", "/v1/users/{login}", "admin", settings.delete_user, "settings"),
    Route("GET", "/v1/groups", "read", settings.list_groups, "settings", ("personal",)),
    Route("POST", "/v1/groups", "admin", settings.create_group, "settings", body=settings.NewGroup, status=201),
    Route("GET", "/v1/groups/{group}", "read", settings.show_group, "settings"),
    Route("PATCH", "/v1/groups/{group}", "admin", settings.change_group, "settings", body=settings.GroupFields),
    Route("DELETE", "/v1/groups/{group}", "admin", settings.delete_group, "settings"),
    Route("GET", "/v1/groups/{group}/members", "read", settings.list_members, "settings"),
    Route("POST", "/v1/groups/{group}/members", "admin", settings.add_member, "settings", body=settings.NewMember),
    Route("DELETE", "/v1/groups/{group}/members", "admin", settings.remove_member, "settings", ("user", "group")),
    Route("GET", "/v1/policy", "write", policies.show_policy, "policies", ("user",)),
    Route("GET", "/v1/policies", "read", policies.list_rules, "policies"),
    Route("POST", "/v1/policies", "admin", policies.create_rule, "policies", body=policies.NewRule, status=201),
    Route("POST", "/v1/policies/test", "admin", policies.test_rules, "policies", body=policies.RuleTest),
    Route("POST", "/v1/policies/hash", "admin", policies.hash_value, "policies", body=policies.HashQuestion),
    Route("GET", "/v1/policies/{rule}", "read", policies.show_rule, "policies"),
    Route("PATCH", "/v1/policies/{rule}", "admin", policies.change_rule, "policies", body=policies.RuleChange),
    Route("DELETE", "/v1/policies/{rule}", "admin", policies.delete_rule, "policies"),
    Route("POST", "/v1/policies/{rule}/move", "admin", policies.move_rule, "policies", body=policies.RulePlace),
    Route("GET", "/v1/captures", "read", policies.list_captures, "policies"),
    Route("POST", "/v1/captures", "admin", policies.start_capture, "policies", body=policies.NewCapture, status=201),
    Route("DELETE", "/v1/captures/{capture}", "admin", policies.stop_capture, "policies"),
    Route("GET", "/v1/status", "read", status.status, "status"),
    Route("GET", "/v1/rejects", "read", status.rejects, "status", ("limit", "offset", "format"), forms=_TABLES),
    Route("POST", "/v1/rejects/replay", "admin", replaying.replay_rejects, "status", body=replaying.Replay),
    Route("GET", "/healthz", "public", status.healthz, "status"),
    Route("GET", "/readyz", "public", status.readyz, "status"),
    Route("GET", "/metrics", "read", status.metrics, "status", forms=("text/plain",)),
    Route("GET", "/openapi.json", "public", entry.openapi_json, "pages"),
    Route("GET", "/docs", "public", entry.docs, "pages", forms=_HTML),
    Route("GET", "/logger.js", "public", logger.logger_js, "pages", forms=("text/javascript",)),
    Route("GET", "/static/{name}", "public", assets.static, "pages", forms=_STATIC),
    Route("GET", "/sign-in", "public", entry.sign_in, "pages", ("token",), forms=_HTML),
    *(Route("GET", one.path, "read", tiles.handler_of(one), "pages", tiles.PAGE_QUERY, forms=_HTML) for one in PAGES),
    Route("GET", "/tiles/{page}/{tile}", "read", tiles.tile, "pages", tiles.TILE_QUERY, forms=_HTML),
    Route("GET", "/tiles/{page}/{tile}/table", "read", tiles.tile_table, "pages", tiles.TILE_QUERY, forms=_HTML),
)
# fmt: on
