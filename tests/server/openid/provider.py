"""An OpenID provider in the tests' process, over a real socket, that can be told to misbehave."""

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "penstock", "s3cret: with / odd % signs"
Claims = dict[str, Any]


class Provider:
    """What the provider publishes, whom it signs in, and how it makes tokens."""

    def __init__(self) -> None:
        self.issuer = ""
        self.keys = [rsa("first")]
        self.person: Claims = {"sub": "7", "preferred_username": "Ada", "name": "Ada L."}
        self.info: Claims = {}
        self.change: Callable[[Claims], Claims] = dict
        self.sign: Callable[[Claims], str] = self.honest
        self.discovery: Claims = {}
        self.codes: dict[str, Claims] = {}
        self.asked: list[str] = []
        self.is_public = False

    def honest(self, claims: Claims) -> str:
        key = self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    def document(self) -> Claims:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/logout",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            **self.discovery,
        }

    def authorize(self, query: Claims) -> str:
        """The address that the browser is sent back to, with a code."""
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = {**query, **self.person}
        back = {"code": code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form: Claims, authorization: str) -> tuple[int, Claims]:
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        challenge = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge.rstrip("=")
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        name, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        is_known = form.get("client_id") if self.is_public else unquote(name)
        if is_known != CLIENT or (not self.is_public and unquote(secret) != SECRET):
            return 401, {"error": "invalid_client"}
        at = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": at, "exp": at + 300, "nonce": asked["nonce"],
            **self.person,
        }  # fmt: skip
        tokens = {
            "id_token": self.sign(self.change(claims)),
            "access_token": "at",
            "token_type": "Bearer",
        }
        return 200, tokens


def rsa(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


def unsigned(claims: Claims) -> str:
    """A token of the algorithm `none`."""
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    return ".".join([*(_base64(json.dumps(part).encode()) for part in parts), ""])


def symmetric(secret: bytes) -> Callable[[Claims], str]:
    """Tokens of HS256, whose secret is the provider's public key: the old confusion of algorithms.

    By hand, as joserfc makes no such key.
    """

    def sign(claims: Claims) -> str:
        head = {"alg": "HS256", "typ": "JWT", "kid": "first"}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        return f"{text}.{_base64(hmac.new(secret, text.encode(), sha256).digest())}"

    return sign


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("location", provider.authorize(query))
                self.send_header("content-length", "0")
                self.end_headers()
                return
            answers = {
                "/.well-known/openid-configuration": provider.document,
                "/jwks": lambda: {"keys": [key.as_dict(private=False) for key in provider.keys]},
                "/userinfo": lambda: provider.info,
            }
            found = answers.get(parts.path)
            self._answer(200 if found else 404, found() if found else {})

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(*provider.token(form, self.headers.get("authorization", "")))

        def _answer(self, status: int, document: Any) -> None:
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    ).start()
    yield provider
    server.shutdown()
    server.server_close()
