"""Which types of event the reports mean by a login, a refusal, a change of permissions and the like.

Names with `*` stand for all documented or seen types that they fit (`catalogue.known_types`).
"""

from __future__ import annotations

import functools
from fnmatch import fnmatchcase
from typing import Final

from whodid import catalogue

_KINDS: Final[dict[str, tuple[str, ...]]] = {
    "logins": ("login", "login-success", "user-logged-in", "sign-in", "logged-in", "user-impersonated"),
    "failed_logins": ("login-failure", "user-login-failed", "sign-in-failed", "login-failed", "impersonation-failed"),
    "logouts": ("logout", "user-logged-out", "sign-out", "signed-out"),
    "refusals": (
        "denied", "*-denied", "not-admin", "unknown-api-key", "*-authorization-failure", "impersonation-failed",
        "access-refused", "forbidden",
    ),
    "permissions": (
        "entity-shared", "entity-unshared", "*-share", "*-unshare", "*-share-to", "*-unshare-from",
        "project-save-permissions*", "project-save-*authorizations", "permission*-changed", "permission*-edited",
        "security-admin-group-create", "security-admin-group-edit", "security-admin-group-delete",
        "security-admin-user-create", "security-admin-user-edit", "security-admin-user-patch",
        "security-admin-user-delete", "user-created", "user-changed", "user-deleted", "user-blocked", "group-created",
        "group-changed", "group-deleted", "role-granted", "role-revoked", "role-changed", "user-impersonated",
        "admin-session-started", "admin-session-ended", "privilege*", "*-grant-*", "token-created",
        "pane-token-created",
    ),
    "keys": (
        "key-created", "key-revoked", "dev-key-generated", "*apikey-create", "*api-key-create", "*api-key-creation",
        "*api-key-deletion", "*-key-create", "*-key-edit", "*-key-delete", "user-profile-*-api-key",
        "in-memory-api-key-create", "server-key-rotated",
    ),
    "settings": (
        "settings-changed", "log-settings-changed", "setting-changed", "*-settings-changed", "*-save-settings",
        "*save-settings", "*-settings-edit", "*-settings-update", "admin-connection-save", "admin-connection-delete",
        "admin-variables-save", "admin-integrations-save", "policy-*", "target-*", "connection-*ed", "retention-*",
        "capture-*", "schedule-*", "alert-created", "alert-changed", "alert-deleted", "mail-changed", "webhook-*",
    ),
    "reads": (
        "dataset-read-data", "dataset-read-data-sample", "*dataset-read-data", "table-produced", "explore-*",
        "dataset-lookup-query", "query-start", "sql-query",
    ),
    "exports": (
        "dataset-export", "*-export", "*-export-download", "*-download", "*-exported", "audit-exported",
        "table-exported", "report-sent", "sql-notebook-export*", "dashboards-export",
        "dashboards-download-export", "file-saved",
    ),
    "readings": ("audit-read", "audit-exported", "query-run", "report-sent"),
    "own_changes": (
        "settings-changed", "log-settings-changed", "user-created", "user-changed", "user-deleted", "group-created",
        "group-changed", "group-deleted", "role-granted", "role-revoked", "password-changed", "password-removed",
        "password-link-made", "pane-token-created", "server-key-rotated", "key-created", "key-revoked",
        "capture-started", "capture-stopped", "session-ended", "target-created", "target-changed", "target-deleted",
        "target-paused", "target-resumed", "target-tested", "target-replayed", "connection-created",
        "connection-changed", "connection-deleted", "dataset-created", "dataset-changed", "dataset-deleted",
        "rejects-replayed", "schedule-created", "schedule-changed", "schedule-deleted", "schedule-paused",
        "schedule-resumed", "mail-changed", "webhook-changed", "webhook-deleted", "alert-created", "alert-changed",
        "alert-deleted", "alert-muted", "alert-unmuted", "alert-resolved",
    ),
    "losses": ("target-lost-events", "target-dead-letters"),
}  # fmt: skip

# Kinds that are asked for at once: one condition is found faster than two of which one has to hold.
_UNIONS: Final[dict[str, tuple[str, ...]]] = {
    "login_tries": ("logins", "failed_logins"),
    "takings": ("reads", "exports"),
}


@functools.cache
def types_of(kind: str) -> list[str]:
    """The names of the types of a kind, in order."""
    patterns = [name for part in _UNIONS.get(kind, (kind,)) for name in _KINDS[part]]
    plain = {name for name in patterns if "*" not in name}
    wild = [name for name in patterns if "*" in name]
    known = (name for name in catalogue.known_types() if any(fnmatchcase(name, pattern) for pattern in wild))
    return sorted(plain.union(known))


KINDS: Final = (*_KINDS, *_UNIONS)
