"""The mail server and the webhooks as settings: their secrets are encrypted, and shown to nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from whodid.delivery import webhook as hooks
from whodid.delivery.mail import MailServer, check_server
from whodid.delivery.webhook import Webhook
from whodid.directory import Directory
from whodid.directory.sealed import HIDDEN, Sealer, is_sealed
from whodid.directory.settings import Told
from whodid.errors import WhodidError
from whodid.event import Entity
from whodid.typed import convert

MAIL: Final = "mail"
WEBHOOK: Final = "webhook/"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_RESERVED: Final = frozenset({"kinds", "firing", "dry-run"})
# What of a webhook is secret: the addresses of many are all that is needed to post there.
_SECRETS: Final = {MAIL: ("password",), WEBHOOK: ("url", "secret")}


def check_name(what: str, name: str) -> None:
    """Raises WhodidError("invalid") unless `name` may be the name of a schedule, an alert or a webhook."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise WhodidError(
            "invalid",
            f"{name[:100]!r} cannot be the name of {what}.",
            f"Use letters, digits, . _ and -, at most 100; not {', '.join(sorted(_RESERVED))}.",
            field="name",
        )


class Outlets:
    """How the world outside is told. Methods block; every change is an event without secrets."""

    def __init__(self, directory: Directory, sealer: Sealer):
        self._directory = directory
        self._sealer = sealer

    def mail(self) -> MailServer:
        """The mail server, its password in clear. Raises WhodidError("invalid") when there is none."""
        stored = self._directory.setting(MAIL)
        if stored is None:
            raise WhodidError(
                "invalid", "There is no mail server yet.", "Set one: whodid mail set --host mail.example.com --sender …"
            )
        return convert(self._opened(MAIL, MAIL, stored), MailServer)

    def shown_mail(self) -> dict[str, Any] | None:
        """The mail server as it may be shown; None when there is none."""
        stored = self._directory.setting(MAIL)
        return None if stored is None else _shown(MAIL, stored)

    def set_mail(self, server: MailServer | None, *, by: str | None = None) -> None:
        """Send by this server from now on; None: by none. An empty or hidden password stays the one that is set."""
        value = None
        if server is not None:
            before = self._directory.setting(MAIL)
            if server.user and server.password in ("", HIDDEN) and before and before.get("password"):
                _stays(before, server)
                server = msgspec.structs.replace(server, password=self.mail().password)
            check_server(server)
            value = self._sealed(MAIL, MAIL, msgspec.to_builtins(server))
        self._save(MAIL, value, "mail-changed", by=by)

    def webhooks(self) -> list[dict[str, Any]]:
        """All webhooks as they may be shown, by name."""
        settings = self._directory.snapshot.settings
        return [_shown_webhook(settings[name]) for name in sorted(settings) if name.startswith(WEBHOOK)]

    def webhook(self, name: str) -> Webhook:
        """A webhook, its secrets in clear. Raises WhodidError("not_found")."""
        stored = self._directory.setting(WEBHOOK + name)
        if stored is None:
            raise WhodidError(
                "not_found", f"There is no webhook {name[:100]!r}.", "See: whodid alert webhooks", field="webhooks"
            )
        return convert(self._opened(WEBHOOK, WEBHOOK + name, stored), Webhook)

    def set_webhook(self, webhook: Webhook, *, by: str | None = None) -> dict[str, Any]:
        """Make a webhook, or change the one of this name. Raises WhodidError("invalid")."""
        check_name("a webhook", webhook.name)
        hooks.check(webhook)
        place = WEBHOOK + webhook.name
        value = self._sealed(WEBHOOK, place, {**msgspec.to_builtins(webhook), "host": urlsplit(webhook.url).hostname})
        self._save(place, value, "webhook-changed", by=by)
        return _shown_webhook(value)

    def delete_webhook(self, name: str, *, by: str | None = None) -> None:
        """Forget a webhook. Raises WhodidError("not_found")."""
        self.webhook_exists(name)
        self._save(WEBHOOK + name, None, "webhook-deleted", by=by)

    def webhook_exists(self, name: str) -> None:
        """Raises WhodidError("not_found") when there is no such webhook."""
        if self._directory.setting(WEBHOOK + name) is None:
            raise WhodidError(
                "not_found", f"There is no webhook {name[:100]!r}.", "See: whodid alert webhooks", field="webhooks"
            )

    def _sealed(self, kind: str, place: str, value: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._sealer.seal(one, f"{place}/{name}") if name in _SECRETS[kind] and one else one
            for name, one in value.items()
        }

    def _opened(self, kind: str, place: str, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._sealer.unseal(one, f"{place}/{name}") if is_sealed(one) else one for name, one in stored.items()
        }

    def _save(self, place: str, value: Any, kind: str, *, by: str | None) -> None:
        secrets = MAIL if place == MAIL else WEBHOOK
        before = self._directory.setting(place)
        told = Told(
            kind,
            Entity(type="setting", id=place, name=place),
            before=_shown(secrets, before) if before else None,
            after=_shown(secrets, value) if value else None,
        )
        self._directory.change_setting(place, value, by=by, told=told)


def _stays(before: Mapping[str, Any], server: MailServer) -> None:
    """A password is sent to the server that it was given for, and to no other."""
    if (before["host"], before["user"]) != (server.host, server.user):
        raise WhodidError(
            "invalid", "Another host or user needs its password.", "Give the password again.", field="password"
        )


def _shown(kind: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: HIDDEN if name in _SECRETS[kind] and value else value for name, value in stored.items()}


def _shown_webhook(stored: Mapping[str, Any]) -> dict[str, Any]:
    shown = _shown(WEBHOOK, stored)
    return {"name": shown["name"], "host": shown["host"], "signed": bool(shown["secret"])}
