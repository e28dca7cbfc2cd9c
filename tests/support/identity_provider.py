"""An identity provider whose tokens a test can make wrong on purpose: what comes back is as the test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "whodid-test"


@cache
def _first_key() -> RSAKey:
    # Finding the primes takes a fifth of a second.
    return RSAKey.generate_key(2048, parameters={"kid": "one"})


class IdentityProvider:
    """Answers everybody as the user of `claims`.

    `change` alters the ID token's claims, `header` and `key` its form, `described` what the provider tells of itself.
    """

    def __init__(self) -> None:
        self.key = _first_key()
        self.signing_key: Any = self.key
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.claims: dict[str, Any] = {"sub": "s-1", "preferred_username": "erika", "groups": ["chemists"]}
        self.change: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.userinfo: dict[str, Any] | None = None
        self.described: dict[str, Any] = {}
        self.forged_token: str | None = None
        self.asked: dict[str, str] = {}
        self.exchanged: list[dict[str, str]] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def visited(self, address: str) -> str:
        """What a browser does that is sent to `address` and signs in at once: the query it comes back with."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        return f"code=a-code&state={self.asked['state']}"

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        if path == "/.well-known/openid-configuration":
            ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            described = {"issuer": self.issuer, **{name: self.issuer + end for name, end in ends.items()}}
            if self.userinfo is not None:
                described["userinfo_endpoint"] = f"{self.issuer}/userinfo"
            _send(handler, described | self.described)
        elif path == "/keys":
            _send(handler, {"keys": [self.key.as_dict(private=False)]})
        elif path == "/userinfo":
            _send(handler, self.userinfo)

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"])).decode()
        self.exchanged.append({name: values[0] for name, values in parse_qs(body).items()})
        now = int(time.time())
        base = {"iss": self.issuer, "aud": CLIENT, "nonce": self.asked["nonce"], "iat": now, "exp": now + 300}
        token = self.forged_token or jwt.encode(
            self.header, self.change({**base, **self.claims}), self.signing_key, algorithms=[self.header["alg"]]
        )
        _send(handler, {"access_token": "an-access-token", "token_type": "Bearer", "id_token": token})


def _send(handler: BaseHTTPRequestHandler, value: Any) -> None:
    body = json.dumps(value).encode()
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
