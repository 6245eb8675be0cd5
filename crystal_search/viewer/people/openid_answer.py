"""What a browser keeps while it signs in at an OpenID provider, and who comes back."""

import json
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
        return json.dumps([self.state, self.nonce, self.verifier, self.following]).encode().hex()

    @classmethod
    def of(cls, text: str) -> "Beginning":
        """Return what a cookie holds.

        Raises
        ------
        OpenIdError
            If it is nothing of the kind, for example because it is over.
        """
        try:
            state, nonce, verifier, following = map(str, json.loads(bytes.fromhex(text)))
        except ValueError as error:
            raise OpenIdError("this browser did not begin to sign in here, or took too long; sign in again") from error
        return cls(state=state, nonce=nonce, verifier=verifier, following=following)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the provider says that somebody is."""

    name: str
    subject: str  #: who it is for good, whatever they are called
