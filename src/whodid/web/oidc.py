"""OpenID Connect: what is asked of an identity provider, and what its answers have to prove.

Authorization code flow with PKCE (S256), state and nonce. An ID token counts when its signature is by a key of the
provider (never `none`, never a shared secret), and issuer, audience, nonce and times fit.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from whodid.addresses import parts_of
from whodid.errors import WhodidError
from whodid.typed import convert

# Signatures by a key that only the provider has.
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
LEEWAY_S: Final = 60
TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 1024 * 1024
KNOWN_FOR_S: Final = 3600.0
# Keys are asked for again when a token names one that is not known, but no more often.
KEYS_AGAIN_S: Final = 30.0
GROUPS_MAX: Final = 1_000


class Discovery(Struct):
    """What of a provider's description is used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Asked(Struct, kw_only=True):
    """What a browser takes with it to the provider, and brings back."""

    state: str
    nonce: str
    verifier: str
    next: str
    expires_at: float


def new_question(next_page: str, lifetime_s: float) -> Asked:
    """Fresh secrets for one sign-in."""
    made = (secrets.token_urlsafe(32) for _ in range(3))
    return Asked(
        state=next(made), nonce=next(made), verifier=next(made), next=next_page, expires_at=time.time() + lifetime_s
    )


class Provider:
    """One identity provider, as the options describe it."""

    def __init__(self, *, issuer: str, client_id: str, client_secret: str, scopes: str):
        self.issuer = issuer
        self._client_id = client_id
        self._secret = client_secret
        self._scopes = " ".join(dict.fromkeys(("openid", *scopes.split())))
        self._discovery: tuple[float, Discovery] | None = None
        self._keys: tuple[float, Any] | None = None

    async def authorization_url(self, asked: Asked, redirect_uri: str) -> str:
        """Where the browser goes to sign in."""
        found = await self._described()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked.verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": self._scopes,
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in found.authorization_endpoint else "?"
        return f"{found.authorization_endpoint}{separator}{urlencode(parameters)}"

    async def claims(self, asked: Asked, answer: Mapping[str, str], redirect_uri: str) -> dict[str, Any]:
        """What the provider vouches for: the claims of the ID token, completed by those of its user information.

        answer   the query parameters that the browser came back with.

        Raises
        ------
        WhodidError("unauthorized")
            Something does not fit: state, issuer, signature, audience, nonce, time; or the user refused.
        WhodidError("unavailable")
            Temporary: the provider does not answer.
        """
        found = await self._described()
        if not secrets.compare_digest(answer.get("state", ""), asked.state) or asked.expires_at < time.time():
            raise refused("The sign-in did not begin in this browser, or took too long.")
        if answer.get("iss", found.issuer) != found.issuer:
            raise refused("Another provider answered.")
        if found.authorization_response_iss_parameter_supported and "iss" not in answer:
            raise refused("The provider did not say who it is.")
        if "error" in answer:
            raise refused(f"The provider refused: {answer['error'][:100]}.")
        tokens = await self._tokens(found, answer.get("code", ""), asked.verifier, redirect_uri)
        claims = await self._verified(found, str(tokens.get("id_token", "")), asked.nonce)
        return {**await self._user_information(found, tokens, claims), **claims}

    async def _tokens(self, found: Discovery, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        auth = None
        if not self._secret:
            form["client_id"] = self._client_id
        elif "client_secret_basic" in found.token_endpoint_auth_methods_supported:
            auth = tuple(urlencode({"": text})[1:] for text in (self._client_id, self._secret))
        else:
            form |= {"client_id": self._client_id, "client_secret": self._secret}
        return await self._ask("POST", found.token_endpoint, data=form, auth=auth)

    async def _verified(self, found: Discovery, token: str, nonce: str) -> dict[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        rules = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": found.issuer},
            aud={"essential": True, "value": self._client_id},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = dict(await self._decoded(found, token))
            rules.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise refused(f"The provider's token does not fit ({type(error).__name__}).") from error
        if claims.get("azp", self._client_id) != self._client_id or not isinstance(claims["sub"], str):
            raise refused("The provider's token is for another application.")
        return claims

    async def _decoded(self, found: Discovery, token: str) -> Any:
        from joserfc import jwt
        from joserfc.errors import BadSignatureError, InvalidKeyIdError

        try:
            return jwt.decode(token, await self._key_set(found, again=False), algorithms=list(ALGORITHMS)).claims
        except (BadSignatureError, InvalidKeyIdError, ValueError):
            # It may have changed its keys.
            return jwt.decode(token, await self._key_set(found, again=True), algorithms=list(ALGORITHMS)).claims

    async def _user_information(
        self, found: Discovery, tokens: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        access = tokens.get("access_token")
        if found.userinfo_endpoint is None or not isinstance(access, str):
            return {}
        told = await self._ask("GET", found.userinfo_endpoint, headers={"authorization": f"Bearer {access}"})
        if told.get("sub") != claims["sub"]:
            raise refused("The provider told of another user.")
        return told

    async def _described(self) -> Discovery:
        if self._discovery is not None and time.monotonic() - self._discovery[0] < KNOWN_FOR_S:
            return self._discovery[1]
        told = await self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            found = convert(told, Discovery)
        except msgspec.ValidationError as error:
            raise _unusable(f"its description cannot be used: {error}") from error
        if found.issuer != self.issuer:
            raise _unusable(f"it calls itself {found.issuer[:200]!r}")
        ends = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint or "https:")
        if not all(parts_of(end).scheme for end in ends):
            raise _unusable("it has addresses that cannot be read")
        if self.issuer.startswith("https:") and not all(end.startswith("https:") for end in ends):
            raise _unusable("it has addresses without https")
        self._discovery = (time.monotonic(), found)
        return found

    async def _key_set(self, found: Discovery, *, again: bool) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        age = time.monotonic() - self._keys[0] if self._keys is not None else KNOWN_FOR_S
        if self._keys is not None and age < (KEYS_AGAIN_S if again else KNOWN_FOR_S):
            return self._keys[1]
        told = await self._ask("GET", found.jwks_uri)
        keys = [key for key in told.get("keys", ()) if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")]
        try:
            made = KeySet.import_key_set({"keys": keys})
        except (JoseError, ValueError, KeyError) as error:
            raise _unusable("its keys cannot be read") from error
        self._keys = (time.monotonic(), made)
        return made

    async def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        """A JSON object of the provider. Its answers are never shown: they may hold secrets."""
        # Servers without a provider need no client.
        import httpx

        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client:
                answer = await client.request(method, url, **more)
                told = msgspec.json.decode(answer.content[:ANSWER_BYTES_MAX]) if answer.is_success else None
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError, UnicodeError) as error:
            raise _unusable(f"{urlsplit(url).path} did not answer ({type(error).__name__})") from error
        if answer.status_code in (400, 401, 403):
            raise refused(f"The provider refused {urlsplit(url).path} ({answer.status_code}).")
        if not isinstance(told, dict):
            raise _unusable(f"{urlsplit(url).path} answered {answer.status_code}")
        return told


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name; one of an object within by its path: `realm_access.roles`."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def groups_of(claims: Mapping[str, Any], path: str) -> list[str] | None:
    """The groups that a claim names; None when the provider says nothing of them."""
    told = claim(claims, path) if path else None
    if isinstance(told, str):
        told = [told]
    if not isinstance(told, list):
        return None
    return [name for name in told if isinstance(name, str)][:GROUPS_MAX]


def refused(message: str) -> WhodidError:
    return WhodidError("unauthorized", message, "Begin again; if it stays so, an administrator has to look at it.")


def _unusable(what: str) -> WhodidError:
    return WhodidError(
        "unavailable", f"The identity provider cannot be used: {what}.", "See WHODID_OIDC_ISSUER.", retry_after_s=10
    )
