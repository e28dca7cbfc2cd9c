"""What is said of a firing, by mail and by webhook."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from whodid.alerts.firings import Firing
from whodid.delivery.mail import Mail

_BEGINS: Final = {"fired": "", "again": "still: ", "ended": "over: ", "resolved": "resolved: "}
_STATES: Final = {"fired": "firing", "again": "firing", "ended": "ended", "resolved": "resolved"}


def mail_of(firing: Firing, what: str, *, description: str | None, address: str, key: str) -> Mail:
    """The mail; `address` is that of whodid's pages, empty for no link."""
    content = {
        "firing": firing,
        "what": what,
        "description": description,
        "link": link_of(firing, address),
        "command": f"whodid alert resolve {firing.id[:8]}",
    }
    return Mail(
        subject=f"[{firing.severity}] {_BEGINS[what]}{firing.title}",
        text=_template("alert.txt").render(content),
        html=_template("alert.html").render(content),
        key=f"alert.{firing.id}.{key}",
    )


def json_of(firing: Firing, what: str, *, description: str | None, address: str) -> dict[str, Any]:
    """The body of a webhook; `text` is what Slack, Mattermost and the like show."""
    link = link_of(firing, address)
    said = f"[{firing.severity}] {_BEGINS[what]}{firing.title}\n{firing.message}"
    return {
        "text": _escaped(said) + (f"\n{link}" if link else ""),
        "alert": firing.rule,
        "description": description,
        "firing": firing.id,
        "what": what,
        "state": _STATES[what],
        "severity": firing.severity,
        "title": firing.title,
        "message": firing.message,
        "details": firing.details,
        "fingerprint": firing.fingerprint,
        "findings": firing.findings,
        "first_at": firing.first_at,
        "last_at": firing.last_at,
        "ended_at": firing.ended_at,
        "url": link,
    }


def link_of(firing: Firing, address: str) -> str | None:
    """The page behind a finding: its event or group of errors, else its own."""
    if not address:
        return None
    for name, path in (("group", "errors"), ("event", "events")):
        if name in firing.details:
            return f"{address.rstrip('/')}/{path}/{firing.details[name]}"
    return f"{address.rstrip('/')}/settings/alerts/firing/{firing.id}"


def _escaped(text: str) -> str:
    """Text that these programs take for nothing else: `<!channel>` would call everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@cache
def _template(name: str) -> Any:
    made = Environment(
        loader=PackageLoader("whodid.alerts"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template(name)
