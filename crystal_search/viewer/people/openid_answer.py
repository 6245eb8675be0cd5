"""What a browser keeps while it signs in at an OpenID provider, and who comes back."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from crystal_search.errors import CrystalSearchError

ANSWER = "/sign-in/answer"  #: where the provider sends browsers back to


class OpenIdError(CrystalSearchError):
    """The provider's answer cannot be believed; sign in again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a browser keeps while it is at the provider: its answer must fit."""

    state: str
    nonce: str
    verifier: str
    following: str  #: which page comes then

    def text(self) -> str:
        """Return it as a cookie holds it."""
        kept = json.dumps([self.state, self.nonce, self.verifier, self.following], ensure_ascii=False)
        return urlsafe_b64encode(kept.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> "Beginning":
        """Return what a cookie holds.

        Raises
        ------
        OpenIdError
            If it is nothing of the kind, for example because it is over.
        """
        try:
            state, nonce, verifier, following = map(str, json.loads(urlsafe_b64decode(f"{text}==")))
        except (ValueError, TypeError, RecursionError) as error:
            raise OpenIdError("this browser did not begin to sign in here, or took too long; sign in again") from error
        return cls(state=state, nonce=nonce, verifier=verifier, following=following)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the provider says that somebody is."""

    name: str
    subject: str  #: who it is for good, whatever they are called
