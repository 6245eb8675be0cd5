"""The way of signing in that an installation's settings name, opened."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from crystal_search.server.imaging.sqlite_snapshot import copied
from crystal_search.server.installation import Installation
from crystal_search.server.stored_password import password_in
from crystal_search.viewer.people.asker import SignIn
from crystal_search.viewer.people.known_people import KnownPeople
from crystal_search.viewer.people.nobody import NobodySignsIn
from crystal_search.viewer.people.people_store import PeopleStore
from crystal_search.viewer.people.sign_in_kinds import sign_in_kind
from crystal_search.viewer.people.sign_in_settings import REFUSE, SignInSettings, read_sign_in_settings

if TYPE_CHECKING:
    from crystal_search.viewer.people.openid_provider import OpenIdProvider

log = logging.getLogger(__name__)


@contextmanager
def opened_sign_in(site: Installation, *, listens_here: bool) -> Iterator[SignIn]:
    """Give the way of signing in, and close its file at the end; of a home that cannot be written, a copy of the file.

    Raises
    ------
    UserError
        If the settings cannot be used, or something must be installed for them.
    DatabaseError
        If the file of people cannot be used.
    """
    settings = read_sign_in_settings(site.home.settings)
    if not settings.kind:
        yield NobodySignsIn(listens_here)
        return
    sign_in_kind(settings).check_installed()
    with (
        copied(site.home.people) if site.is_snapshot else nullcontext(site.home.people) as path,
        closing(PeopleStore(path)) as store,
    ):
        if settings.unknown_people == REFUSE and not store.people():
            log.warning("nobody may sign in yet: crystal-search people add NAME")
        if not (listens_here or settings.is_secure):
            log.warning("passwords and sessions go unencrypted: have a proxy add https (docs/sign-in.md)")
        yield KnownPeople(settings, store, provider_in(settings))


def provider_in(settings: SignInSettings) -> "OpenIdProvider | None":
    """Return the OpenID provider that the settings name, if they do.

    Raises
    ------
    ConfigError
        If the file of its secret cannot be read, or others may read it.
    """
    if settings.kind != "openid":
        return None
    from crystal_search.viewer.people.openid_provider import OpenIdProvider

    secret = password_in(Path(settings.client_secret_file)) if settings.client_secret_file else ""
    return OpenIdProvider(settings, secret)
