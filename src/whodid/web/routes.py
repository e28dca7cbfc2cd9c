"""The one table of routes: who may, what answers, what it takes. The application and its description come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, NamedTuple

from whodid.alerts.row import AlertFields, NewAlert
from whodid.dispatch.management import NewTarget, TargetFields
from whodid.policy.captures import NewCapture
from whodid.reading.output import FORMATS
from whodid.retention.rule import Retention
from whodid.schedules.row import NewSchedule, ScheduleFields
from whodid.web import (
    account,
    alerts,
    connections,
    datasets,
    error_groups,
    events,
    grants,
    logger,
    nodes,
    panes,
    people_csv,
    policies,
    query,
    replaying,
    retention,
    schedules,
    sessions,
    settings,
    sign_in,
    sign_in_oidc,
    status,
    targets,
)
from whodid.web.pages import assets, cards, entry, single, tiles
from whodid.web.pages import errors as page_errors
from whodid.web.pages import events as found
from whodid.web.pages.catalogue import PAGES
from whodid.web.pages.console import page as console
from whodid.web.pages.settings.routes import SETTINGS
from whodid.web.requests import FILTERS, Req
from whodid.web.rights import Rule
from whodid.web.scim import answers as scim_answers
from whodid.web.scim import handlers as scim


class Route(NamedTuple):
    """One operation.

    `scope` is what a caller's key or session needs; `known` takes each, `public` needs none. A `limited` route keeps to
    `Caller.sight`, so that readers may ask it too; one with a `pane` is also opened by tokens of panes that show that
    part. `query` are its query parameters, `body` the type of its JSON body, `forms` the media types of its answer,
    `status` that of success.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    scope: Rule
    handler: Callable[[Req], Awaitable[Any]]
    tag: str
    query: tuple[str, ...] = ()
    body: type | None = None
    forms: tuple[str, ...] = ("application/json",)
    status: int = 200
    limited: bool = False
    pane: str | None = None


_TABLES: Final = tuple(form.media_type.partition(";")[0] for form in FORMATS.values())
_PANE: Final = ("since", "until", "limit", "cursor", "format")
_USAGE: Final = ("since", "until", "part", "format")
_HTML: Final = ("text/html",)
_EXPORTS: Final = ("text/csv", "application/vnd.apache.parquet", "application/json")
_SCIM: Final = (scim_answers.MEDIA_TYPE,)
_STATIC: Final = ("text/css", "text/javascript", "image/svg+xml")
_STREAM: Final = ("text/event-stream",)

# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/v1/events", "read", events.list_events, "events", (*FILTERS, "format"), forms=_TABLES,
          limited=True),
    Route("GET", "/v1/events/stream", "read", events.stream_events, "events", events.STREAM_FILTERS, forms=_STREAM,
          limited=True),
    Route("GET", "/v1/events/{id}", "read", events.one_event, "events", limited=True),
    Route("GET", "/v1/entities/{type}/{id}/activity", "read", events.pane, "panes", _PANE, forms=_TABLES, limited=True,
          pane="activity"),
    Route("GET", "/v1/entities/{type}/{id}/usage", "read", events.pane, "panes", _USAGE, forms=_TABLES, limited=True,
          pane="usage"),
    Route("GET", "/v1/users/{login}/activity", "read", events.pane, "panes", _PANE, forms=_TABLES, limited=True,
          pane="activity"),
    Route("GET", "/v1/users/{login}/usage", "read", events.pane, "panes", _USAGE, forms=_TABLES, limited=True,
          pane="usage"),
    Route("POST", "/v1/query", "read", query.run_query, "query", ("format",), query.Question, forms=_TABLES),
    Route("GET", "/v1/reports", "read", query.list_reports, "reports", limited=True),
    Route("GET", "/v1/reports/{name}", "read", query.run_report, "reports", query.REPORT_PARAMETERS, forms=_TABLES,
          limited=True),
    Route("GET", "/v1/error-groups", "read", error_groups.list_groups, "errors", error_groups.LISTED),
    Route("GET", "/v1/error-groups/{id}", "read", error_groups.show_group, "errors", error_groups.SPAN),
    Route("PATCH", "/v1/error-groups/{id}", "admin", error_groups.change_group, "errors",
          body=error_groups.GroupState),
    Route("POST", "/v1/error-groups/{id}/merge", "admin", error_groups.merge_groups, "errors",
          body=error_groups.GroupMerge),
    Route("DELETE", "/v1/error-groups/{id}/merge", "admin", error_groups.unmerge_group, "errors"),
    Route("POST", "/v1/error-groups/{id}/split", "admin", error_groups.split_group, "errors",
          body=error_groups.GroupSplit),
    Route("DELETE", "/v1/error-groups/{id}/split", "admin", error_groups.join_group, "errors"),
    Route("POST", "/v1/outcomes", "admin", error_groups.add_outcomes, "api-nodes", body=error_groups.Outcomes,
          status=201),
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
    Route("POST", "/v1/captures", "admin", policies.start_capture, "policies", body=NewCapture, status=201),
    Route("DELETE", "/v1/captures/{capture}", "admin", policies.stop_capture, "policies"),
    Route("GET", "/v1/connections", "read", connections.list_connections, "datasets"),
    Route("POST", "/v1/connections", "admin", connections.create_connection, "datasets",
          body=connections.NewConnection, status=201),
    Route("GET", "/v1/connections/kinds", "admin", connections.list_kinds, "datasets"),
    Route("GET", "/v1/connections/extensions", "admin", connections.list_extensions, "datasets"),
    Route("POST", "/v1/connections/extensions/{name}", "admin", connections.switch_on_extension, "datasets",
          body=connections.SwitchOn, status=201),
    Route("DELETE", "/v1/connections/extensions/{name}", "admin", connections.switch_off_extension, "datasets"),
    Route("GET", "/v1/connections/{name}", "read", connections.show_connection, "datasets"),
    Route("PATCH", "/v1/connections/{name}", "admin", connections.change_connection, "datasets",
          body=connections.ConnectionFields),
    Route("DELETE", "/v1/connections/{name}", "admin", connections.delete_connection, "datasets"),
    Route("GET", "/v1/connections/{name}/files", "read", connections.list_files, "datasets", ("path", "limit")),
    Route("GET", "/v1/datasets", "read", datasets.list_datasets, "datasets"),
    Route("POST", "/v1/datasets", "admin", datasets.create_dataset, "datasets", body=datasets.NewDataset, status=201),
    Route("GET", "/v1/datasets/{name}", "read", datasets.show_dataset, "datasets"),
    Route("PATCH", "/v1/datasets/{name}", "admin", datasets.change_dataset, "datasets", body=datasets.DatasetFields),
    Route("DELETE", "/v1/datasets/{name}", "admin", datasets.delete_dataset, "datasets"),
    Route("GET", "/v1/datasets/{name}/partitions", "read", datasets.list_partitions, "datasets", ("refresh",)),
    Route("GET", "/v1/datasets/{name}/files", "read", datasets.list_files, "datasets", ("refresh", "limit")),
    Route("GET", "/v1/datasets/{name}/preview", "read", datasets.preview, "datasets"),
    Route("GET", "/v1/datasets/{name}/rows", "read", datasets.read_rows, "datasets",
          ("partition", "limit", "refresh", "format"), forms=_TABLES),
    Route("GET", "/v1/datasets/{name}/sql", "read", datasets.show_sql, "datasets", ("engine",)),
    Route("POST", "/v1/datasets/{name}/imports", "admin", datasets.start_import, "datasets",
          body=datasets.Partitions, status=202),
    Route("GET", "/v1/datasets/{name}/imports/{id}", "admin", datasets.show_import, "datasets"),
    Route("GET", "/v1/me", "known", account.me, "sign-in"),
    Route("GET", "/v1/sign-ins", "known", account.list_sign_ins, "sign-in", ("user", "all")),
    Route("DELETE", "/v1/sign-ins/{id}", "known", account.end_sign_in, "sign-in"),
    Route("POST", "/v1/users/{login}/password", "admin", account.set_password, "sign-in", body=account.NewPassword),
    Route("DELETE", "/v1/users/{login}/password", "admin", account.remove_password, "sign-in"),
    Route("POST", "/v1/users/{login}/password-link", "admin", account.password_link, "sign-in", status=201),
    Route("GET", "/v1/grants", "admin", grants.list_grants, "sign-in"),
    Route("POST", "/v1/grants", "admin", grants.create_grant, "sign-in", body=grants.NewGrant, status=201),
    Route("DELETE", "/v1/grants/{id}", "admin", grants.revoke_grant, "sign-in"),
    Route("POST", "/v1/pane-tokens", "read", panes.create_pane_token, "panes", body=panes.NewPaneToken, status=201),
    Route("DELETE", "/v1/pane-tokens", "admin", panes.end_pane_tokens, "panes"),
    Route("GET", "/v1/targets", "admin", targets.list_targets, "targets"),
    Route("POST", "/v1/targets", "admin", targets.create_target, "targets", body=NewTarget, status=201),
    Route("GET", "/v1/targets/kinds", "admin", targets.list_kinds, "targets"),
    Route("POST", "/v1/targets/dry-run", "admin", targets.dry_run, "targets", body=targets.DryRun),
    Route("GET", "/v1/targets/{name}", "admin", targets.show_target, "targets"),
    Route("PATCH", "/v1/targets/{name}", "admin", targets.change_target, "targets", body=TargetFields),
    Route("DELETE", "/v1/targets/{name}", "admin", targets.delete_target, "targets", ("drop",)),
    Route("POST", "/v1/targets/{name}/pause", "admin", targets.pause_target, "targets"),
    Route("POST", "/v1/targets/{name}/resume", "admin", targets.resume_target, "targets"),
    Route("POST", "/v1/targets/{name}/test", "admin", targets.test_target, "targets"),
    Route("GET", "/v1/targets/{name}/dead-letters", "admin", targets.dead_letters, "targets", ("limit",)),
    Route("POST", "/v1/targets/{name}/replay", "admin", targets.replay_dead_letters, "targets", body=targets.Replay),
    Route("GET", "/v1/nodes", "read", nodes.list_nodes, "nodes", ("retired",)),
    Route("GET", "/v1/nodes/{node}", "read", nodes.show_node, "nodes"),
    Route("DELETE", "/v1/nodes/{node}", "admin", nodes.retire_node, "nodes"),
    Route("GET", "/v1/schedules", "admin", schedules.list_schedules, "schedules"),
    Route("POST", "/v1/schedules", "admin", schedules.create_schedule, "schedules", body=NewSchedule, status=201),
    Route("POST", "/v1/schedules/dry-run", "admin", schedules.dry_run_new, "schedules", body=NewSchedule),
    Route("GET", "/v1/schedules/{name}", "admin", schedules.show_schedule, "schedules"),
    Route("PATCH", "/v1/schedules/{name}", "admin", schedules.change_schedule, "schedules", body=ScheduleFields),
    Route("DELETE", "/v1/schedules/{name}", "admin", schedules.delete_schedule, "schedules"),
    Route("POST", "/v1/schedules/{name}/pause", "admin", schedules.pause_schedule, "schedules"),
    Route("POST", "/v1/schedules/{name}/resume", "admin", schedules.resume_schedule, "schedules"),
    Route("POST", "/v1/schedules/{name}/run", "admin", schedules.run_schedule, "schedules"),
    Route("POST", "/v1/schedules/{name}/dry-run", "admin", schedules.dry_run_schedule, "schedules"),
    Route("GET", "/v1/schedules/{name}/runs", "admin", schedules.list_runs, "schedules", ("limit",)),
    Route("GET", "/v1/alerts", "read", alerts.list_rules, "alerts"),
    Route("POST", "/v1/alerts", "admin", alerts.create_rule, "alerts", body=NewAlert, status=201),
    Route("GET", "/v1/alerts/kinds", "read", alerts.list_kinds, "alerts"),
    Route("POST", "/v1/alerts/dry-run", "admin", alerts.try_rule, "alerts", body=NewAlert),
    Route("GET", "/v1/alerts/firing", "read", alerts.list_firings, "alerts", alerts.FIRING_QUERY),
    Route("GET", "/v1/alerts/firing/{id}", "read", alerts.show_firing, "alerts"),
    Route("POST", "/v1/alerts/firing/{id}/mute", "admin", alerts.mute_firing, "alerts", body=alerts.Muting),
    Route("POST", "/v1/alerts/firing/{id}/resolve", "admin", alerts.resolve_firing, "alerts"),
    Route("GET", "/v1/alerts/{name}", "read", alerts.show_rule, "alerts"),
    Route("PATCH", "/v1/alerts/{name}", "admin", alerts.change_rule, "alerts", body=AlertFields),
    Route("DELETE", "/v1/alerts/{name}", "admin", alerts.delete_rule, "alerts"),
    Route("POST", "/v1/alerts/{name}/mute", "admin", alerts.mute_rule, "alerts", body=alerts.Muting),
    Route("GET", "/v1/webhooks", "admin", alerts.list_webhooks, "alerts"),
    Route("PUT", "/v1/webhooks/{name}", "admin", alerts.set_webhook, "alerts", body=alerts.WebhookFields),
    Route("DELETE", "/v1/webhooks/{name}", "admin", alerts.delete_webhook, "alerts"),
    Route("POST", "/v1/webhooks/{name}/test", "admin", alerts.test_webhook, "alerts"),
    Route("GET", "/v1/mail", "admin", schedules.show_mail, "schedules"),
    Route("PUT", "/v1/mail", "admin", schedules.set_mail, "schedules", body=schedules.MailFields),
    Route("DELETE", "/v1/mail", "admin", schedules.delete_mail, "schedules"),
    Route("POST", "/v1/mail/test", "admin", schedules.test_mail, "schedules", body=schedules.MailTest),
    Route("GET", "/v1/status", "read", status.status, "status"),
    Route("GET", "/v1/rejects", "read", status.rejects, "status", ("limit", "offset", "format"), forms=_TABLES),
    Route("POST", "/v1/rejects/replay", "admin", replaying.replay_rejects, "status", body=replaying.Replay),
    Route("GET", "/v1/users.csv", "read", people_csv.get_users, "settings", forms=("text/csv",)),
    Route("POST", "/v1/users.csv", "admin", people_csv.post_users, "settings", ("dry_run",)),
    Route("GET", "/v1/groups.csv", "read", people_csv.get_groups, "settings", forms=("text/csv",)),
    Route("POST", "/v1/groups.csv", "admin", people_csv.post_groups, "settings", ("dry_run",)),
    Route("GET", "/v1/sessions", "read", sessions.list_sessions, "settings", sessions.SESSIONS),
    Route("GET", "/v1/sessions/{id}", "read", sessions.show_session, "settings"),
    Route("DELETE", "/v1/sessions/{id}", "admin", sessions.end_session, "settings"),
    Route("GET", "/v1/entities", "read", sessions.list_entities, "settings", sessions.ENTITIES),
    Route("GET", "/v1/entities/{type}/{id}", "read", sessions.show_entity, "settings"),
    Route("GET", "/scim/v2/ServiceProviderConfig", "scim", scim.service_provider_config, "scim", forms=_SCIM),
    Route("GET", "/scim/v2/ResourceTypes", "scim", scim.resource_types, "scim", forms=_SCIM),
    Route("GET", "/scim/v2/ResourceTypes/{name}", "scim", scim.resource_types, "scim", forms=_SCIM),
    Route("GET", "/scim/v2/Schemas", "scim", scim.schemas, "scim", forms=_SCIM),
    Route("GET", "/scim/v2/Schemas/{urn}", "scim", scim.schemas, "scim", forms=_SCIM),
    Route("POST", "/scim/v2/.search", "scim", scim.search_all, "scim", (), scim.ScimSearch, _SCIM),
    Route("GET", "/scim/v2/Users", "scim", scim.list_users, "scim", scim_answers.QUERY, forms=_SCIM),
    Route("POST", "/scim/v2/Users", "scim", scim.create_user, "scim", scim.SHAPE, scim.ScimUser, _SCIM, 201),
    Route("POST", "/scim/v2/Users/.search", "scim", scim.search_users, "scim", (), scim.ScimSearch, _SCIM),
    Route("GET", "/scim/v2/Users/{id}", "scim", scim.show_user, "scim", scim.SHAPE, forms=_SCIM),
    Route("PUT", "/scim/v2/Users/{id}", "scim", scim.replace_user, "scim", scim.SHAPE, scim.ScimUser, _SCIM),
    Route("PATCH", "/scim/v2/Users/{id}", "scim", scim.patch_user, "scim", scim.SHAPE, scim.ScimPatch, _SCIM),
    Route("DELETE", "/scim/v2/Users/{id}", "scim", scim.delete_user, "scim", forms=_SCIM, status=204),
    Route("GET", "/scim/v2/Groups", "scim", scim.list_groups, "scim", scim_answers.QUERY, forms=_SCIM),
    Route("POST", "/scim/v2/Groups", "scim", scim.create_group, "scim", scim.SHAPE, scim.ScimGroup, _SCIM, 201),
    Route("POST", "/scim/v2/Groups/.search", "scim", scim.search_groups, "scim", (), scim.ScimSearch, _SCIM),
    Route("GET", "/scim/v2/Groups/{id}", "scim", scim.show_group, "scim", scim.SHAPE, forms=_SCIM),
    Route("PUT", "/scim/v2/Groups/{id}", "scim", scim.replace_group, "scim", scim.SHAPE, scim.ScimGroup, _SCIM),
    Route("PATCH", "/scim/v2/Groups/{id}", "scim", scim.patch_group, "scim", scim.SHAPE, scim.ScimPatch, _SCIM),
    Route("DELETE", "/scim/v2/Groups/{id}", "scim", scim.delete_group, "scim", forms=_SCIM, status=204),
    Route("GET", "/healthz", "public", status.healthz, "status"),
    Route("GET", "/readyz", "public", status.readyz, "status"),
    Route("GET", "/metrics", "read", status.metrics, "status", forms=("text/plain",)),
    Route("GET", "/openapi.json", "public", entry.openapi_json, "pages"),
    Route("GET", "/docs", "public", entry.docs, "pages", forms=_HTML),
    Route("GET", "/logger.js", "public", logger.logger_js, "pages", forms=("text/javascript",)),
    Route("GET", "/static/{name}", "public", assets.static, "pages", forms=_STATIC),
    Route("GET", "/sign-in", "public", sign_in.sign_in, "sign-in", ("token", "next"), forms=_HTML),
    Route("POST", "/sign-in", "public", sign_in.sign_in_here, "sign-in", forms=_HTML, status=303),
    Route("GET", "/sign-in/oidc", "public", sign_in_oidc.to_provider, "sign-in", ("next",), forms=_HTML, status=303),
    Route("GET", "/sign-in/oidc/callback", "public", sign_in_oidc.from_provider, "sign-in", sign_in_oidc.ANSWER,
          forms=_HTML),
    Route("POST", "/sign-out", "public", sign_in.sign_out, "sign-in", forms=_HTML, status=303),
    Route("GET", "/password", "public", sign_in.password_form, "sign-in", ("token",), forms=_HTML),
    Route("POST", "/password", "public", sign_in.choose_password, "sign-in", forms=_HTML, status=303),
    Route("GET", "/account", "known", account.account, "sign-in", forms=_HTML),
    Route("POST", "/account/password", "known", account.change_password, "sign-in", forms=_HTML, status=303),
    Route("POST", "/account/sign-ins/{id}/end", "known", account.end_sign_in_here, "sign-in", forms=_HTML, status=303),
    Route("GET", "/panes.js", "public", panes.panes_js, "panes", forms=("text/javascript",)),
    Route("GET", "/panes/{part}", "public", panes.pane_frame, "panes", panes.FRAME_QUERY, forms=_HTML),
    *(Route("GET", one.path, "read", tiles.handler_of(one), "pages", tiles.PAGE_QUERY, forms=_HTML,
            limited=True) for one in PAGES),
    Route("GET", "/errors/{group}", "read", page_errors.page, "pages", page_errors.QUERY, forms=_HTML),
    Route("POST", "/errors/{group}/state", "admin", page_errors.change_state, "pages", forms=_HTML, status=303),
    Route("POST", "/errors/{group}/merge", "admin", page_errors.merge, "pages", forms=_HTML, status=303),
    Route("POST", "/errors/{group}/split", "admin", page_errors.split, "pages", forms=_HTML, status=303),
    Route("GET", "/events", "read", found.page, "pages", found.PAGE_QUERY, forms=_HTML, limited=True),
    Route("GET", "/events/rows", "read", found.rows, "pages", found.PART_QUERY, forms=_HTML, limited=True),
    Route("GET", "/events/facets", "read", found.facets, "pages", found.PART_QUERY, forms=_HTML, limited=True),
    Route("GET", "/events/shape", "read", found.shape, "pages", found.PART_QUERY, forms=_HTML, limited=True),
    Route("GET", "/events/count", "read", found.count, "pages", found.PART_QUERY, forms=_HTML, limited=True),
    Route("GET", "/events/{id}", "read", single.event, "pages", forms=_HTML, limited=True),
    Route("GET", "/events/{id}/detail", "read", found.detail, "pages", forms=_HTML, limited=True),
    Route("GET", "/entities/{thing}", "read", single.thing, "pages", forms=_HTML, limited=True),
    *(Route("GET", f"/card/{kind}/{{name}}", "read", cards.card, "pages", forms=_HTML, limited=True)
      for kind in cards.KINDS),
    Route("GET", "/card/errors/{name}", "read", cards.card, "pages", forms=_HTML),
    Route("GET", "/card/entities/{type}/{id}", "read", cards.card, "pages", forms=_HTML, limited=True),
    Route("GET", "/v1/retention", "read", retention.show_retention, "settings"),
    Route("PUT", "/v1/retention", "admin", retention.change_retention, "settings", body=Retention),
    Route("POST", "/v1/retention/dry-run", "admin", retention.try_retention, "settings", body=Retention),
    Route("POST", "/v1/retention/run", "admin", retention.run_retention, "settings", status=202),
    Route("GET", "/console", "read", console.console, "pages", console.QUERY, forms=_HTML),
    Route("POST", "/console", "read", console.ask, "pages", forms=_HTML),
    Route("POST", "/console/answer", "read", console.answer, "pages", forms=_HTML),
    Route("POST", "/console/export", "read", console.export, "pages", forms=_EXPORTS),
    Route("POST", "/console/stop", "read", console.stop, "pages", forms=_HTML),
    Route("GET", "/console/history", "read", console.past, "pages", forms=_HTML),
    Route("POST", "/console/queries", "read", console.save, "pages", forms=_HTML, status=303),
    Route("POST", "/console/queries/{id}", "read", console.rename, "pages", forms=_HTML, status=303),
    Route("POST", "/console/queries/{id}/delete", "read", console.delete, "pages", forms=_HTML, status=303),
    *(Route(one.method, one.path, "admin", one.handler, "pages", one.query, forms=_HTML) for one in SETTINGS),
    Route("GET", "/suggest", "read", cards.suggest, "pages", ("field", "text")),
    Route("GET", "/tiles/{page}/{tile}", "read", tiles.tile, "pages", tiles.TILE_QUERY, forms=_HTML, limited=True),
    Route("GET", "/tiles/{page}/{tile}/table", "read", tiles.tile_table, "pages", tiles.TILE_QUERY, forms=_HTML,
          limited=True),
)
# fmt: on
