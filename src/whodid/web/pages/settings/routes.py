"""The pages of settings and the forms on them: rows for the one table of routes.

They are for administrators, but for the pages that say `read`: what these tell, and their tables, auditors may see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, NamedTuple

from whodid.web.pages.settings import (
    alerts,
    captures,
    connections,
    datasets,
    extensions,
    groups,
    home,
    keys,
    mail,
    policy,
    retention,
    roles,
    schedules,
    status,
    targets,
    users,
    webhooks,
)
from whodid.web.requests import Req

DONE: Final = "done"


class SettingRoute(NamedTuple):
    """A page (GET) or what a form on one does (POST)."""

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[Req], Awaitable[Any]]
    query: tuple[str, ...] = ()
    rule: Literal["read", "admin"] = "admin"


_USER: Final = "/settings/users/{login}"
_GROUP: Final = "/settings/groups/{group}"
_KEY: Final = "/settings/keys/{key}"
_RULE: Final = "/settings/policy/{rule}"
_TARGET: Final = "/settings/targets/{name}"
_CONNECTION: Final = "/settings/connections/{name}"
_SCHEDULE: Final = "/settings/schedules/{name}"
_ALERT: Final = "/settings/alerts/{name}"
_FIRING: Final = "/settings/alerts/firing/{id}"
_WEBHOOK: Final = "/settings/webhooks/{name}"
_EXTENSION: Final = "/settings/extensions/{name}"
_DATASET: Final = "/settings/datasets/{name}"

# fmt: off
SETTINGS: Final[tuple[SettingRoute, ...]] = (
    SettingRoute("GET", "/settings", home.home, (DONE,), "read"),
    SettingRoute("GET", "/settings/users", users.users, ("text", "offset", "seen", DONE), "read"),
    SettingRoute("GET", "/settings/add/users", users.new_user, (DONE,)),
    SettingRoute("POST", "/settings/add/users", users.create_user),
    SettingRoute("GET", _USER, users.user, (DONE,), "read"),
    SettingRoute("POST", _USER, users.change_user),
    SettingRoute("POST", f"{_USER}/roles", users.grant_role),
    SettingRoute("POST", f"{_USER}/groups", users.join_group),
    SettingRoute("POST", f"{_USER}/password-link", users.password_link),
    SettingRoute("POST", f"{_USER}/password-removed", users.remove_password),
    SettingRoute("POST", f"{_USER}/sign-out", users.end_sign_in),
    SettingRoute("GET", f"{_USER}/deactivate", users.confirm_action, (DONE,)),
    SettingRoute("POST", f"{_USER}/active", users.set_active),
    SettingRoute("GET", f"{_USER}/delete", users.confirm_action, (DONE,)),
    SettingRoute("POST", f"{_USER}/delete", users.delete_user),
    SettingRoute("GET", "/settings/groups", groups.groups, (DONE,), "read"),
    SettingRoute("GET", "/settings/add/groups", groups.new_group, (DONE,)),
    SettingRoute("POST", "/settings/add/groups", groups.create_group),
    SettingRoute("GET", _GROUP, groups.group, (DONE,), "read"),
    SettingRoute("POST", _GROUP, groups.change_group),
    SettingRoute("POST", f"{_GROUP}/members", groups.add_member),
    SettingRoute("POST", f"{_GROUP}/remove", groups.remove_member),
    SettingRoute("POST", f"{_GROUP}/roles", groups.grant_role),
    SettingRoute("GET", f"{_GROUP}/delete", groups.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_GROUP}/delete", groups.delete_group),
    SettingRoute("POST", "/settings/roles/{id}/revoke", roles.revoke),
    SettingRoute("GET", "/settings/keys", keys.keys, ("revoked", DONE)),
    SettingRoute("GET", "/settings/add/keys", keys.new_key, (DONE,)),
    SettingRoute("POST", "/settings/add/keys", keys.create_key),
    SettingRoute("GET", _KEY, keys.key, (DONE,)),
    SettingRoute("GET", f"{_KEY}/revoke", keys.confirm_revoke, (DONE,)),
    SettingRoute("POST", f"{_KEY}/revoke", keys.revoke_key),
    SettingRoute("GET", "/settings/policy", policy.policy, (DONE,), "read"),
    SettingRoute("GET", "/settings/policy-test", policy.try_rules, (DONE,)),
    SettingRoute("GET", "/settings/add/policy", policy.new_rule, (DONE,)),
    SettingRoute("POST", "/settings/add/policy", policy.create_rule),
    SettingRoute("GET", _RULE, policy.rule, (DONE,), "read"),
    SettingRoute("POST", _RULE, policy.change_rule),
    SettingRoute("POST", f"{_RULE}/move", policy.move_rule),
    SettingRoute("GET", f"{_RULE}/switch-on", policy.confirm_switch_on, (DONE,)),
    SettingRoute("POST", f"{_RULE}/enabled", policy.set_enabled),
    SettingRoute("GET", f"{_RULE}/delete", policy.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_RULE}/delete", policy.delete_rule),
    SettingRoute("GET", "/settings/add/captures", captures.new_capture, (DONE,)),
    SettingRoute("POST", "/settings/add/captures", captures.start_capture),
    SettingRoute("POST", "/settings/captures/{capture}/stop", captures.stop_capture),
    SettingRoute("GET", "/settings/targets", targets.targets, (DONE,)),
    SettingRoute("GET", "/settings/add/targets/{kind}", targets.new, (DONE,)),
    SettingRoute("POST", "/settings/add/targets/{kind}", targets.create),
    SettingRoute("GET", _TARGET, targets.target, (DONE,)),
    SettingRoute("POST", _TARGET, targets.change),
    SettingRoute("POST", f"{_TARGET}/test", targets.test),
    SettingRoute("POST", f"{_TARGET}/dry-run", targets.dry_run),
    SettingRoute("POST", f"{_TARGET}/pause", targets.pause),
    SettingRoute("POST", f"{_TARGET}/resume", targets.resume),
    SettingRoute("POST", f"{_TARGET}/replay", targets.replay),
    SettingRoute("GET", f"{_TARGET}/drop", targets.confirm_drop, (DONE,)),
    SettingRoute("GET", f"{_TARGET}/delete", targets.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_TARGET}/delete", targets.delete),
    SettingRoute("GET", "/settings/connections", connections.connections, (DONE,)),
    SettingRoute("GET", "/settings/add/connections/{kind}", connections.new, (DONE,)),
    SettingRoute("POST", "/settings/add/connections/{kind}", connections.create),
    SettingRoute("GET", _CONNECTION, connections.connection, (DONE,)),
    SettingRoute("POST", _CONNECTION, connections.change),
    SettingRoute("GET", f"{_CONNECTION}/files", connections.files, ("path", DONE)),
    SettingRoute("GET", f"{_CONNECTION}/delete", connections.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_CONNECTION}/delete", connections.delete),
    SettingRoute("GET", _EXTENSION, extensions.extension, (DONE,)),
    SettingRoute("POST", _EXTENSION, extensions.switch_on),
    SettingRoute("GET", f"{_EXTENSION}/off", extensions.confirm_off, (DONE,)),
    SettingRoute("POST", f"{_EXTENSION}/off", extensions.switch_off),
    SettingRoute("GET", "/settings/datasets", datasets.datasets, (DONE,), "read"),
    SettingRoute("GET", "/settings/add/datasets", datasets.new, ("connection", DONE)),
    SettingRoute("POST", "/settings/add/datasets", datasets.create),
    SettingRoute("GET", _DATASET, datasets.dataset, (DONE,), "read"),
    SettingRoute("POST", _DATASET, datasets.change),
    SettingRoute("GET", f"{_DATASET}/preview", datasets.preview, (DONE,), "read"),
    SettingRoute("GET", f"{_DATASET}/partitions", datasets.partitions, ("refresh", DONE), "read"),
    SettingRoute("POST", f"{_DATASET}/imports", datasets.start_import),
    SettingRoute("GET", f"{_DATASET}/imports/{{id}}", datasets.show_import, (DONE,)),
    SettingRoute("GET", f"{_DATASET}/delete", datasets.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_DATASET}/delete", datasets.delete),
    SettingRoute("GET", "/settings/schedules", schedules.schedules, (DONE,)),
    SettingRoute("GET", "/settings/add/schedules", schedules.new, ("report", DONE)),
    SettingRoute("POST", "/settings/add/schedules", schedules.create),
    SettingRoute("GET", _SCHEDULE, schedules.schedule, (DONE,)),
    SettingRoute("POST", _SCHEDULE, schedules.change),
    SettingRoute("POST", f"{_SCHEDULE}/run", schedules.run),
    SettingRoute("POST", f"{_SCHEDULE}/dry-run", schedules.dry_run),
    SettingRoute("POST", f"{_SCHEDULE}/pause", schedules.pause),
    SettingRoute("POST", f"{_SCHEDULE}/resume", schedules.resume),
    SettingRoute("GET", f"{_SCHEDULE}/delete", schedules.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_SCHEDULE}/delete", schedules.delete),
    SettingRoute("GET", "/settings/alerts", alerts.alerts, ("all", DONE), "read"),
    SettingRoute("GET", "/settings/add/alerts/{kind}", alerts.new, (DONE,)),
    SettingRoute("POST", "/settings/add/alerts/{kind}", alerts.create),
    SettingRoute("GET", _FIRING, alerts.firing, (DONE,), "read"),
    SettingRoute("POST", f"{_FIRING}/mute", alerts.mute_firing),
    SettingRoute("POST", f"{_FIRING}/resolve", alerts.resolve_firing),
    SettingRoute("GET", _ALERT, alerts.alert, (DONE,), "read"),
    SettingRoute("POST", _ALERT, alerts.change),
    SettingRoute("POST", f"{_ALERT}/mute", alerts.mute),
    SettingRoute("GET", f"{_ALERT}/delete", alerts.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_ALERT}/delete", alerts.delete),
    SettingRoute("GET", "/settings/add/webhooks", webhooks.new, (DONE,)),
    SettingRoute("POST", "/settings/add/webhooks", webhooks.create),
    SettingRoute("GET", _WEBHOOK, webhooks.webhook, (DONE,)),
    SettingRoute("POST", _WEBHOOK, webhooks.change),
    SettingRoute("POST", f"{_WEBHOOK}/test", webhooks.test),
    SettingRoute("GET", f"{_WEBHOOK}/delete", webhooks.confirm_delete, (DONE,)),
    SettingRoute("POST", f"{_WEBHOOK}/delete", webhooks.delete),
    SettingRoute("GET", "/settings/mail", mail.mail, (DONE,)),
    SettingRoute("POST", "/settings/mail", mail.change),
    SettingRoute("POST", "/settings/mail/test", mail.test),
    SettingRoute("GET", "/settings/mail/delete", mail.confirm_delete, (DONE,)),
    SettingRoute("POST", "/settings/mail/delete", mail.delete),
    SettingRoute("GET", "/settings/retention", retention.retention, (DONE,), "read"),
    SettingRoute("POST", "/settings/retention", retention.change),
    SettingRoute("POST", "/settings/retention/run", retention.run),
    SettingRoute("GET", "/settings/status", status.status, (DONE,), "read"),
    SettingRoute("POST", "/settings/status/retire", status.retire_node),
    SettingRoute("POST", "/settings/status/replay", status.replay_rejects),
)
# fmt: on
