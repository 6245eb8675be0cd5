"""A small OpenID provider that runs as a server of its own, and does as a test tells it."""

import json
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "crystal-viewer", "a secret of the viewer"


def new_key(name: str) -> ECKey:
    """Return a key to sign tokens with."""
    return ECKey.generate_key("P-256", {"kid": name, "use": "sig"}, private=True)


@dataclass
class PlayedProvider:
    """What the provider says, and what it was asked."""

    address: str = ""
    claims: dict[str, Any] = field(default_factory=dict)  #: that differ from those of an honest token
    metadata: dict[str, Any] = field(default_factory=dict)  #: that differ from an honest provider's
    published: ECKey = field(default_factory=lambda: new_key("first"))
    signing: ECKey | None = None  #: by default the key that is published
    asked: dict[str, str] = field(default_factory=dict)  #: what the browser came with last
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    exchanges: int = 0

    def discovery(self) -> dict[str, Any]:
        """Return what the provider publishes of itself."""
        told = {"issuer": self.address, "authorization_endpoint": f"{self.address}/authorize"}
        told |= {"token_endpoint": f"{self.address}/token", "jwks_uri": f"{self.address}/keys"}
        return told | self.metadata

    def authorize(self, query: dict[str, str]) -> str:
        """Return where a browser goes back to, of a person who said yes."""
        self.asked = query
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        back = {"code": code, "state": query["state"], "iss": self.address}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], login: str) -> dict[str, Any] | None:
        """Return a token for a code; None where the code, its proof or the program's secret is wrong."""
        self.exchanges += 1
        query = self.codes.pop(form.get("code", ""), None)
        if query is None or login != f"{CLIENT}:{SECRET}" or form["redirect_uri"] != query["redirect_uri"]:
            return None
        if create_s256_code_challenge(form["code_verifier"]) != query["code_challenge"]:
            return None
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "sub": "subject-1", "iat": now, "exp": now + 300}
        claims |= {"nonce": query["nonce"], "preferred_username": "Ada"} | self.claims
        key = self.signing or self.published
        told = {name: value for name, value in claims.items() if value is not None}
        return {"id_token": jwt.encode({"alg": "ES256", "kid": key.kid}, told, key), "token_type": "Bearer"}


@contextmanager
def played_provider() -> Iterator[PlayedProvider]:
    """Run a provider on this machine."""
    provider = PlayedProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(303)
                self.send_header("Location", provider.authorize(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            pages = {
                "/.well-known/openid-configuration": provider.discovery(),
                "/keys": {"keys": [provider.published.as_dict(private=False)]},
            }
            self._answer(pages.get(parts.path))

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            login = b64decode(self.headers.get("Authorization", "Basic ").removeprefix("Basic ")).decode()
            self._answer(provider.token(form, login))

        def _answer(self, value: Any) -> None:
            body = json.dumps(value if value is not None else {"error": "invalid_grant"}).encode()
            self.send_response(200 if value is not None else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
