"""OpenID Connect: what goes to a provider and what comes back, checked.

Authorization code flow with PKCE (RFC 7636), state and nonce, as OpenID Connect Core 1.0, section 3.1, has it.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import ClaimsOption

from crystal_search.viewer.people.openid_answer import ANSWER, Beginning, Identity, OpenIdError
from crystal_search.viewer.people.person import MOST_LETTERS
from crystal_search.viewer.people.sign_in_settings import SignInSettings
from crystal_search.viewer.recent import Recent

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "RS384", "RS512", "PS384", "PS512", "ES512")
KEPT_SECONDS = 3600.0  #: what a provider publishes
PATIENCE_S = 10.0
CLOCKS_DIFFER_S = 60
MOST_BYTES = 1_000_000


class OpenIdProvider:
    """One provider.

    Parameters
    ----------
    settings
        Its issuer, and what it calls this viewer.
    secret
        Of the viewer at the provider; empty for none.
    clock
        s since 1970, for tests.
    """

    def __init__(self, settings: SignInSettings, secret: str, *, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._told = Recent(self._get, seconds=KEPT_SECONDS)

    def begin(self, following: str) -> tuple[str, Beginning]:
        """Return where a browser goes to sign in, and what it keeps meanwhile.

        Raises
        ------
        OpenIdError
            If the provider does not answer as one.
        """
        began = Beginning(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            following=following,
        )
        address = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            self._settings.client_id,
            "code",
            redirect_uri=self._redirect,
            scope=self._settings.scopes,
            state=began.state,
            nonce=began.nonce,
            code_challenge=create_s256_code_challenge(began.verifier),
            code_challenge_method="S256",
        )
        return address, began

    def identity(self, began: Beginning, answer: Mapping[str, str]) -> Identity:
        """Return who it is that comes back with an answer.

        Raises
        ------
        OpenIdError
            If the answer is none to what this browser began, or the provider's token is not valid.
        """
        if not secrets.compare_digest(answer.get("state", "").encode(), began.state.encode()):
            raise OpenIdError("the answer is not to what this browser began; sign in again")
        if answer.get("iss", self._settings.issuer) != self._settings.issuer:
            raise OpenIdError("the answer is another provider's; sign in again")
        if "code" not in answer:
            raise OpenIdError(f"the provider says: {answer.get('error', 'nothing')[:100]}")
        return self._identity_in(self._claims(self._token(answer["code"], began.verifier), began.nonce))

    @property
    def _redirect(self) -> str:
        return self._settings.address.rstrip("/") + ANSWER

    def _endpoint(self, name: str) -> str:
        issuer = self._settings.issuer
        told = self._told.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != issuer:
            raise OpenIdError(
                f"the provider calls itself {told.get('issuer')!r}, and issuer in the settings is {issuer!r}"
            )
        address = told.get(name)
        if not isinstance(address, str) or not address.startswith(("https://", "http://")):
            raise OpenIdError(f"the provider tells no {name}")
        if issuer.startswith("https://") and not address.startswith("https://"):
            raise OpenIdError(f"the provider's {name} is not safe: {address:.100}")
        return address

    def _token(self, code: str, verifier: str) -> str:
        told = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "code_verifier": verifier,
        }
        who = {} if self._secret else {"client_id": self._settings.client_id}
        login = httpx.BasicAuth(self._settings.client_id, self._secret) if self._secret else None
        answer = self._ask("POST", self._endpoint("token_endpoint"), data=told | who, auth=login)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OpenIdError("the provider gives no token of who it is")
        return token

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        address = self._endpoint("jwks_uri")
        for attempt in (1, 2):
            try:
                keys = KeySet.import_key_set(self._told.get(address))  # type: ignore[arg-type]
                claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
                break
            except (JoseError, ValueError, TypeError, KeyError) as error:
                if attempt == 2:  # with its newest keys
                    raise OpenIdError(f"the provider's token is not signed by it: {error}") from error
                self._told.forget()
        self._check(claims, nonce)
        return claims

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        needed = ClaimsOption(essential=True)
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=CLOCKS_DIFFER_S,
            iss=ClaimsOption(essential=True, value=self._settings.issuer),
            aud=ClaimsOption(essential=True, value=self._settings.client_id),
            sub=needed,
            exp=needed,
            iat=needed,
            nonce=ClaimsOption(essential=True, value=nonce),
        )
        try:
            registry.validate(dict(claims))
        except JoseError as error:
            raise OpenIdError(f"the provider's token does not count: {error}") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self._settings.client_id:
            raise OpenIdError("the provider's token is for another program")

    def _identity_in(self, claims: Mapping[str, Any]) -> Identity:
        name = claims.get(self._settings.claim)
        if not isinstance(name, str) or not 1 <= len(name) <= MOST_LETTERS or not name.isprintable():
            raise OpenIdError(f"the provider tells no {self._settings.claim} that can stand beside a score")
        if self._settings.claim == "email" and claims.get("email_verified") is not True:
            raise OpenIdError("the provider has not verified this address")
        return Identity(name=name, subject=f"{claims['iss']} {claims['sub']}")

    def _get(self, address: str) -> Mapping[str, Any]:
        return self._ask("GET", address)

    def _ask(self, method: str, address: str, **options: Any) -> Mapping[str, Any]:
        try:
            answer = httpx.request(method, address, timeout=PATIENCE_S, follow_redirects=False, **options)
            answer.raise_for_status()
            told = answer.json() if len(answer.content) <= MOST_BYTES else None
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise OpenIdError(f"the provider at {address:.200} does not answer as one: {error}") from error
        if not isinstance(told, dict):
            raise OpenIdError(f"the provider at {address:.200} does not answer as one")
        return told
