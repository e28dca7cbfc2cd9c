"""Webhooks: JSON to a URL, signed with a secret that both sides know."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Struct

from whodid import __version__
from whodid.addresses import parts_of
from whodid.delivery.call import Call
from whodid.delivery.mail import OnCall
from whodid.errors import WhodidError
from whodid.trust import trusting_besides

SIGNATURE: Final = "whodid-signature"
ID: Final = "whodid-id"
_ANSWER_BYTES_MAX: Final = 500
_TARGET: Final = re.compile(r"[!-~]+")


class Webhook(Struct, kw_only=True, frozen=True):
    """Where to. The URL may hold a secret of its own (as those of Slack do): only its host is shown."""

    name: str
    url: str
    secret: str = ""
    certificates: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


def check(webhook: Webhook) -> SplitResult:
    """The URL's parts; raises WhodidError("invalid"), ("forbidden") without showing it."""
    parts = parts_of(webhook.url)
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or parts.username is not None
        or parts.port == 0
        or not _TARGET.fullmatch(webhook.url)
    ):
        raise WhodidError(
            "invalid",
            "The URL of the webhook makes no sense.",
            "Give an https URL without user and password.",
            field="url",
        )
    if webhook.certificates:
        trusting_besides(webhook.certificates)
    return parts


def signature(secret: str, at: datetime, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 of the seconds, a dot and the body, so that it cannot be sent again later."""
    seconds = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def post(
    webhook: Webhook, content: Mapping[str, Any], *, identifier: str, at: datetime, on_call: OnCall = lambda _: None
) -> int:
    """Send JSON; the status of the answer. Redirections are not followed.

    identifier  the same for the same notice, however often it is sent.

    Raises
    ------
    WhodidError("unavailable")
        Temporary: no answer in time, or one of 408, 425, 429, 5xx.
    WhodidError("forbidden")
        Permanent: any other answer, or an address that is not called.
    """
    parts = check(webhook)
    body = msgspec.json.encode(content)
    headers = {
        "content-type": "application/json",
        "user-agent": f"whodid/{__version__}",
        ID: identifier,
        **({SIGNATURE: signature(webhook.secret, at, body)} if webhook.secret else {}),
    }
    host = parts.hostname or ""
    with Call(f"The webhook {webhook.name} ({host})") as call:
        on_call(call)
        usual = 443 if parts.scheme == "https" else 80
        client = http.client.HTTPConnection(host, parts.port or usual)
        client.sock = call.connect(host, parts.port or usual)
        if parts.scheme == "https":
            client.sock = call.secured(client.sock, trusting_besides(webhook.certificates), host)
        if parts.port in (None, usual):
            headers["host"] = f"[{host}]" if ":" in host else host
        try:
            client.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
            answer = client.getresponse()
            said = answer.read(_ANSWER_BYTES_MAX)
        except http.client.HTTPException as error:
            raise WhodidError("unavailable", f"{call.what} answered no HTTP: {type(error).__name__}.") from None
    if 200 <= answer.status < 300:
        return answer.status
    temporary = answer.status in (408, 425, 429) or answer.status >= 500
    text = "".join(one if one.isprintable() else " " for one in said.decode("utf-8", "replace"))[:200]
    raise WhodidError(
        "unavailable" if temporary else "forbidden", f"{call.what} answered {answer.status}: {text}", "See its log."
    )
