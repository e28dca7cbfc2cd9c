"""A foreign application that shows what whodid knows of one of its queries: as elements, and as a frame.

    WHODID_URL=http://127.0.0.1:8400 WHODID_KEY=… python server.py 8500

Its server has a key of scope `read` and makes short-lived tokens with it; its pages never see the key. Before it makes
one it asks itself whether its user may see this query: here everybody may. Standard library only.
"""

from __future__ import annotations

import html
import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WHODID = os.environ.get("WHODID_URL", "http://127.0.0.1:8400")
KEY = os.environ.get("WHODID_KEY", "")
ENTITY = os.environ.get("WHODID_ENTITY", "query:q-17")
PAGE = Path(__file__).parent / "page.html"


def pane_token(viewer: str) -> str:
    """A token for the panes of `ENTITY`, good for ten minutes; `viewer` is who is told to have looked."""
    asked = json.dumps({"entity": ENTITY, "viewer": viewer}).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"{WHODID}/v1/pane-tokens", asked, headers)  # noqa: S310 (the address is ours)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (the address is ours)
        token: str = json.loads(answer.read())["token"]
        return token


class Application(BaseHTTPRequestHandler):
    """`/` is the page, `/whodid-token` answers a fresh token to the application's own pages."""

    def do_GET(self) -> None:
        if self.path == "/whodid-token":
            self._send("text/plain", pane_token("guest"))
        elif self.path == "/":
            page = PAGE.read_text("utf-8")
            for name, value in {"WHODID": WHODID, "ENTITY": ENTITY, "TOKEN": pane_token("guest")}.items():
                page = page.replace("{{" + name + "}}", html.escape(value, quote=True))
            self._send("text/html; charset=utf-8", page)
        else:
            self.send_error(404)

    def _send(self, media_type: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("cache-control", "no-store")
        self.send_header(
            "content-security-policy",
            f"default-src 'self'; script-src 'self' {WHODID} 'nonce-example'; connect-src 'self' {WHODID}; "
            f"frame-src {WHODID}; style-src 'unsafe-inline'",
        )
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8500), Application) as server:
        print(f"http://localhost:{server.server_address[1]}", flush=True)
        server.serve_forever()
